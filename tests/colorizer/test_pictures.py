"""What a Colorizer takes, and what a Coloring carries: pictures, seeds, files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from colorflow.batch import PhotoHints, Settings, make_plan
from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import to_grid
from colorflow.colorizer import Colorizer
from colorflow.device import best_device
from colorflow.errors import DeviceError, PhotoError, UnreadablePhotoError, WritePhotoError
from colorflow.files import digest_of
from colorflow.limits import LARGEST_SEED
from colorflow.photo import Photo, photo_from_image, read_photo
from colorflow.recipe import Hint
from tests.colorizer.made import chroma, sampled, seeds
from tests.in_process import run_in_process
from tests.statements import statement_of

HINTS = (Hint(20, 30, 40, -20),)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, gray: Photo) -> Path:
    """A gray photo as a file, with a resolution."""
    path = tmp_path_factory.mktemp("photos") / "cup.png"
    Image.fromarray(gray.pixels).save(path, dpi=(300, 300))
    return path


class Stream(io.RawIOBase):
    """A file that can only be read from where it is, like a pipe."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        return self._data.read(size)


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_picture_in_any_form_gets_the_same_colors_and_a_file_is_told_by_its_digest(
    colorizer: Colorizer, path: Path, is_opened: bool
) -> None:
    written = io.BytesIO()
    written.write(path.read_bytes())  # and not rewound
    pixels = np.asarray(Image.open(path))
    files = [path, str(path), path.read_bytes(), written, Stream(path.read_bytes())]
    pictures = [Image.open(path), pixels, pixels / 255, photo_from_image(pixels)]
    (want,) = sampled(colorizer, path, 1)
    for digest, forms in ((digest_of(path), files), (None, pictures)):
        for form in forms:
            made = (
                colorizer.open(form).reproduce([want]) if is_opened else sampled(colorizer, form, 1)
            )
            np.testing.assert_array_equal(made[0].ab, want.ab)
            assert made[0].statement.photo == digest


def test_a_coloring_that_was_made_may_be_varied(colorizer: Colorizer, path: Path) -> None:
    first, second = colorizer.colorize(path, 2)
    walk = colorizer.open(path).interpolate(first, second, 2)
    np.testing.assert_array_equal(walk, chroma([first, second]))
    (anew,) = colorizer.open(path).resample(second, (64,), 5)
    assert anew.spec == second.spec.resampled([4], 5)
    np.testing.assert_allclose(
        colorizer.open(path).decode_by_level(first)[-1].ab, first.model_ab, atol=0.02
    )


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (None, "^picture: expected a path, bytes, an open file, .* got NoneType"),
        (3, "^picture: expected .* got int"),
        (io.StringIO("text"), "^picture: expected a file that is open in binary mode"),
        ([np.zeros((9, 9))], "^picture: expected .* got list"),
        (np.zeros((2, 2, 2)), "^image: expected an array"),
    ],
)
def test_what_is_no_picture_is_refused(colorizer: Colorizer, thing: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        colorizer.colorize(thing)
    with pytest.raises(ValueError, match=message):
        colorizer.open(thing).log_prob()


def test_files_that_cannot_be_read_are_named(colorizer: Colorizer, path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match=r"^<bytes>: .* damaged, incomplete"):
        colorizer.colorize(path.read_bytes()[:200])
    closed = path.open("rb")
    closed.close()
    with pytest.raises(UnreadablePhotoError, match=rf"^{path}: the file cannot be read \("):
        colorizer.colorize(closed)


def test_colors_are_replaced_only_when_asked(colorizer: Colorizer, cup: Photo) -> None:
    sepia = np.asarray(Image.fromarray(cup.pixels).convert("L"))[..., None] * (1, 0.9, 0.7)
    assert len(colorizer.colorize(sepia.astype(np.uint8), 1)) == 1, "a tint is no color"
    message = "^<image>: already has colors; force=True colors it again"
    for pictures in (cup, cup.pixels):
        with pytest.raises(PhotoError, match=message):
            colorizer.colorize(pictures, 1)
    (made,) = colorizer.colorize(cup, 1, force=True)
    assert np.abs(made.ab - to_grid(cup.pixels)).mean() > 1
    assert np.abs(lightness_of(made.render()) - lightness_of(cup.pixels)).max() <= 0.5


def test_a_drawn_seed_is_told_and_gives_the_same_again(
    colorizer: Colorizer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_rng_state()
    made = sampled(colorizer, path, 2, seed=None)
    first = made[0].seed
    assert seeds(made) == [first, first + 1]
    again = sampled(colorizer, path, 2, seed=first)
    np.testing.assert_array_equal(chroma(again), chroma(made))
    assert torch.equal(before, torch.get_rng_state())
    drawn = {sampled(colorizer, path, 1, seed=None)[0].seed for _ in range(3)}
    assert len(drawn) == 3
    monkeypatch.setattr("secrets.randbelow", lambda below: below - 1)
    assert seeds(colorizer.colorize(path, 2, seed=None)) == [LARGEST_SEED] * 2


def test_a_saved_coloring_is_the_commands_file(
    colorizer: Colorizer, path: Path, tmp_path: Path
) -> None:
    """To the byte, and the command then takes it for its own."""
    settings = Settings(n=3, seed=5, temperature=0.9)
    plan = make_plan([path], tmp_path / "out", settings, hints={"cup.png": PhotoHints(HINTS)})
    (outcome,) = run_in_process(plan, colorizer)
    files = [Path(str(one.path)) for one in outcome.colorings]
    assert [file.name for file in files] == ["cup_a.png", "cup_b.png", "cup_c.png"]
    made = colorizer.colorize(path, 3, 0.9, 5, hints=HINTS)
    for one, file in zip(made, files, strict=True):
        one.save(tmp_path / file.name)
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
        one.save(file)  # a coloring may be replaced
    said = statement_of(files[1])
    assert (said.share, said.recipe) == (made[1].share, made[1].recipe.stated)
    (again,) = run_in_process(plan, colorizer)
    assert (again.status, again.reason) == ("skipped", outcome.reason or again.reason)


def test_statements_tell_what_the_command_does_not_make(
    colorizer: Colorizer, path: Path, cup: Photo
) -> None:
    (toward,) = colorizer.colorize(path, 1, style=cup)
    (alike,) = colorizer.colorize(path, 1, reference=cup)
    (varied,) = colorizer.open(path).resample(3, (64,), 5)
    (plain,) = colorizer.open(path).resample(colorizer.colorize(path, 1)[0], colorizer.levels, 5)
    (usual,) = colorizer.colorize(path, 1)
    (sample,) = sampled(colorizer, path, 1, seed=3)
    recipes = [one.recipe for one in (toward, alike, varied, usual, sample)]
    assert len(set(recipes)) == len(recipes)
    assert plain.spec.sample_spec(5) == sampled(colorizer, path, 1, seed=5)[0].spec


def test_16_bits_and_transparency_are_saved(colorizer: Colorizer, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    (one,) = colorizer.colorize(ramp, 1)
    one.save(tmp_path / "deep.png")
    assert read_photo(tmp_path / "deep.png").bits == 16
    assert one.render().dtype == np.uint8
    clear = np.dstack([(ramp >> 8).astype(np.uint8)] * 3 + [np.full((64, 64), 99, np.uint8)])
    (one,) = colorizer.colorize(clear, 1)
    one.save(tmp_path / "clear.png")
    saved = read_photo(tmp_path / "clear.png").alpha
    assert saved is not None
    assert (saved == 99).all()
    assert one.image is one.image, "it is made once"


def test_saving_replaces_no_other_file(colorizer: Colorizer, path: Path, tmp_path: Path) -> None:
    (one,) = colorizer.colorize(path, 1)
    before = path.read_bytes()
    with pytest.raises(WritePhotoError, match=r"cup\.png: .* no coloring that colorflow made"):
        one.save(path)
    assert path.read_bytes() == before
    with pytest.raises(WritePhotoError, match=r"cannot write '\.xyz' files; choose \.jpg"):
        one.save(tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []


def test_a_coloring_says_what_it_is(colorizer: Colorizer, path: Path) -> None:
    _, second = colorizer.colorize(path, 2, seed=3)
    (sample,) = sampled(colorizer, path, 1, seed=3)
    assert repr(second) == f"<Result of {path}: principal coloring b of 2, seed 3>"
    assert repr(sample) == f"<Result of {path}: sample, seed 3>"


def test_a_seed_may_be_a_number_of_numpy(colorizer: Colorizer, path: Path) -> None:
    (own,), (other,) = (colorizer.colorize(path, 1, seed=seed) for seed in (3, np.int64(3)))
    assert other.statement == own.statement
    assert np.array_equal(other.ab, own.ab)


def test_auto_takes_a_gpu_where_there_is_one(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert best_device() == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(asked.append(1)))
    assert Colorizer.load(weights).colorize(np.zeros((8, 8)), 1)[0].ab.shape == (2, 64, 64)
    assert asked == [1]


@pytest.mark.parametrize("device", ["cuda:7", "nonsense", "xpu"])
def test_a_device_that_is_not_there_is_one_sentence(weights: Path, device: str) -> None:
    what = "this machine has no such CUDA GPU that PyTorch can use"
    if device != "cuda:7":
        what = "PyTorch has no such device here"
    with pytest.raises(DeviceError) as caught:
        Colorizer.load(weights, device=device)
    assert str(caught.value) == f"{device}: {what}; choose cpu, or auto for the best one"
