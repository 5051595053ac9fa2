"""Photos of the quiz, and trials made of them: nothing but the colors tells the truth."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import to_grid
from colorflow.errors import EvaluationError, PhotoError
from colorflow.photo import Photo
from colorflow.quiz import trials as trials_module
from colorflow.quiz.game import TRIALS
from colorflow.quiz.trials import MARGIN, SHIPPED_PHOTOS, QuizPhoto, Trial, make_trial, open_pool
from tests.quiz.album import Painter, scanned

# the photos


def test_shipped_photos_are_enough_for_a_test_small_and_described() -> None:
    files = sorted(SHIPPED_PHOTOS.glob("*.jpg"))
    assert sum(path.stat().st_size for path in files) <= 2_000_000
    photos = scanned(open_pool(None)).photos
    assert sorted(one.path for one in photos) == files, "all have colors and differ"
    assert len(photos) >= TRIALS
    table = (SHIPPED_PHOTOS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.*?)` \|.*\| (CC0 1\.0|public domain) \|$", table, re.M)
    known = [name for name, _ in rows]
    for path in files:
        with Image.open(path) as image:
            assert max(image.size) <= 640
            assert not image.getexif()
        assert sum(fnmatch(path.stem, name) for name in known) == 1, path.name
    assert all(any(fnmatch(path.stem, name) for path in files) for name in known)


def test_files_that_cannot_be_shown_are_left_out(few: Path) -> None:
    (few / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    Image.fromarray(data.camera()[:64, :64]).save(few / "gray.png")
    Image.open(few / "000.png").save(few / "the same.tif")
    pool = scanned(open_pool(few))
    assert sorted(one.path.name for one in pool.photos) == [f"00{i}.png" for i in range(4)]


def test_folders_without_photos_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvaluationError, match=r"empty: holds no photo .*--photos"):
        open_pool(tmp_path / "empty")
    with pytest.raises(PhotoError, match="no such file or folder"):
        open_pool(tmp_path / "missing")


def test_photos_that_are_found_late_are_waited_for(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, read = threading.Semaphore(1), trials_module.read_photo

    def read_when_let(path: Path, **options: int) -> Photo:
        assert gate.acquire(timeout=60)
        return read(path, **options)

    monkeypatch.setattr(trials_module, "read_photo", read_when_let)
    pool = open_pool(few)
    assert len(pool.wait_for_more(0)) == 1
    with ThreadPoolExecutor(1) as threads:
        more = threads.submit(pool.wait_for_more, 1)
        assert not pool.complete
        gate.release(3)
        assert len(more.result(60)) > 1
    scanned(pool)
    assert len(pool.wait_for_more(4)) == 4


# trials


@pytest.fixture
def photo(few: Path) -> QuizPhoto:
    return scanned(open_pool(few)).photos[0]


@pytest.fixture
def trial(photo: QuizPhoto, tmp_path: Path) -> Callable[..., Trial]:
    """Makes trials of the photo; samples differ from the truth by `shift`."""
    return lambda k=3, shift=12: make_trial(Painter(shift), photo, k, tmp_path)


def pictures_of(trial: Trial) -> list[np.ndarray]:
    """The pictures on a sheet, without their margins."""
    sheet = np.asarray(Image.open(trial.sheet))
    step = trial.height + 2 * MARGIN
    assert sheet.shape == (trial.k * step, trial.width, 3)
    for top in range(0, trial.k * step, step):  # margins repeat the edge
        assert (sheet[top : top + MARGIN] == sheet[top + MARGIN]).all()
        assert (sheet[top + step - MARGIN : top + step] == sheet[top + step - MARGIN - 1]).all()
    return [sheet[i * step + MARGIN : (i + 1) * step - MARGIN] for i in range(trial.k)]


def truth_of(trial: Trial) -> np.ndarray:
    return pictures_of(trial)[trial.truth]


@pytest.mark.parametrize("k", [2, 5])
def test_a_sheet_holds_the_truth_at_its_position_among_samples(
    photo: QuizPhoto, tmp_path: Path, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter = Painter(12)
    monkeypatch.setattr(trials_module, "MIN_CROP", 1)
    monkeypatch.setattr(trials_module, "GRAIN", 0)
    pixels = photo.read().pixels
    shifts = np.array([12, 0], np.float32)[:, None, None]
    expected = [render(lightness_of(pixels), to_grid(pixels) + i * shifts) for i in range(k)]
    for number in (1, 2):
        trial = make_trial(painter, photo, k, tmp_path)
        assert painter.calls == [*painter.calls[: number - 1], (k - 1, 1.0, trial.seed)]
        pictures = pictures_of(trial)
        assert np.array_equal(pictures.pop(trial.truth), expected[0])
        assert np.array_equal(pictures, expected[1:])
    with pytest.raises(ValueError, match="k: expected 2 to 5"):
        make_trial(painter, photo, 6, tmp_path)


def test_a_photo_never_comes_twice_alike(trial: Callable[..., Trial]) -> None:
    """Neither its bytes nor any four pixels in a row that are not of one color."""
    truths = [truth_of(trial(2)) for _ in range(12)]
    assert len({truth.shape for truth in truths}) > 6
    known: set[bytes] = set()
    for truth in truths:
        pieces = np.lib.stride_tricks.sliding_window_view(truth, 4, axis=1)
        pieces = np.moveaxis(pieces, -1, -2).reshape(-1, 4, 3)
        own = {piece.tobytes() for piece in pieces if (piece != piece[0]).any()}
        assert len(own) > 1000
        assert len(own & known) < 0.01 * len(own)
        known |= own


def test_every_position_is_as_likely(
    trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 120 trials of 3, some 40 a position, with a std of 5."""
    monkeypatch.setattr(trials_module, "_pictures", lambda *_: [np.zeros((2, 2, 3), np.uint8)] * 3)
    positions = Counter(trial().truth for _ in range(120))
    assert sorted(positions) == [0, 1, 2]
    assert min(positions.values()) > 14


def test_where_samples_look_like_the_truth_no_byte_tells_it(
    trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sheet whatever the position; names and tokens are random and never come again."""
    monkeypatch.setattr(trials_module.secrets, "randbits", lambda _: 7)  # crop and grain
    trials = [trial(shift=0) for _ in range(12)]
    assert len({one.truth for one in trials}) > 1
    assert len({one.sheet.read_bytes() for one in trials}) == 1
    names = {one.sheet.name for one in trials} | {one.token for one in trials}
    assert len(names) == 24
    assert all(re.fullmatch(r"[0-9a-f]{32}(\.png)?", name) for name in names)
    assert "truth" not in repr(trials[0])
