"""Packs: what a row shows, which pack it is, and packs that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data

from colorflow.color.grid import square_lightness, to_grid
from colorflow.errors import PackError
from colorflow.training import pixels
from colorflow.training.pixels import PixelPack, crop_of
from tests.training.conftest import VIEWS
from tests.training.made_up_pixels import DEV, TRAIN, parts

N = DEV + TRAIN


def ab_of(pack: PixelPack, *rows: int) -> np.ndarray:
    return pack.batch(np.array(rows), maps=())[0].numpy()


def lightness_of(pack: PixelPack, *rows: int) -> np.ndarray:
    return pack.batch(np.array(rows), maps=())[1].lightness.numpy()


def test_rows(pack_folder: Path) -> None:
    pack = PixelPack(pack_folder)
    assert len(pack) == N
    assert list(pack.rows("dev", variant="whole")) == list(range(DEV))
    assert list(pack.rows("dev")) == [*range(DEV), *range(N, N + DEV)]
    assert list(pack.rows("train", variant="whole_degraded")) == list(range(N + DEV, 2 * N))
    assert list(pack.rows("train", variant="whole", larger_than=128)) == list(range(DEV + 1, N))
    train = pack.rows("train")
    assert len(train) == VIEWS * TRAIN
    assert set(train % N) == set(range(DEV, N))
    assert train.min() >= 2 * N
    assert (np.diff(train) > 0).all()


def test_a_whole_row_is_the_photo(pack_folder: Path) -> None:
    """scikit-image says what it must be; the pack rounds to integers."""
    photo = next(iter(parts()))
    small = cv2.resize(photo, (64, 64), interpolation=cv2.INTER_AREA) / 255
    lab = skimage.color.rgb2lab(small)
    pack = PixelPack(pack_folder)
    assert np.abs(ab_of(pack, 0)[0] - lab[..., 1:].transpose(2, 0, 1)).max() < 1.5
    assert np.abs(lightness_of(pack, 0)[0, 0].mean() - lab[..., 0].mean()) < 0.5
    assert np.array_equal(ab_of(pack, 0), ab_of(pack, N))
    assert np.abs(lightness_of(pack, 0) - lightness_of(pack, N)).mean() > 0.5


def test_views_are_fresh_and_reproducible(pack_folder: Path) -> None:
    pack, again = PixelPack(pack_folder), PixelPack(pack_folder)
    rows = pack.rows("train")
    views = [int(row) for row in rows if row % N == DEV]
    ab, lightness = ab_of(pack, *views), lightness_of(pack, *views)
    assert len({x.tobytes() for x in ab}) == VIEWS
    assert len({x.tobytes() for x in lightness}) == VIEWS
    assert np.array_equal(ab_of(again, *views[::-1]), ab[::-1])
    assert np.array_equal(lightness_of(again, *views[::-1]), lightness[::-1])


def test_some_views_are_mirrored_and_some_degraded(
    pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = []
    monkeypatch.setattr(pixels, "degrade", lambda *_: count.append(1) or np.zeros((256, 256), "f4"))
    pack = PixelPack(pack_folder)
    monkeypatch.setattr(pixels, "VIEWS", 64)
    pack.batch(pack.rows("train"), maps=())
    assert 0.25 < len(count) / (64 * TRAIN) < 0.35
    slope = np.linspace(0, 100, 256, dtype=np.float32)[None].repeat(256, 0)
    ab = np.zeros((2, 64, 64), np.float32)
    crops = [crop_of(slope, ab, np.random.default_rng(seed))[0] for seed in range(200)]
    mirrored = np.mean([crop[0, 0] > crop[0, -1] for crop in crops])
    assert 0.35 < mirrored < 0.65


@pytest.mark.parametrize("seed", range(4))
def test_a_crop_shows_the_same_part_in_lightness_and_ab(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle crops the photo itself, and only then makes squares of it."""
    side = 512
    photo = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 6)
    boxes = []
    resampled = pixels.resampled

    def watched(image: np.ndarray, box: pixels.Box, side: int, *, mirrored: bool) -> np.ndarray:
        boxes.append(box)
        return resampled(image, box, side, mirrored=mirrored)

    monkeypatch.setattr(pixels, "resampled", watched)
    lightness, ab = crop_of(square_lightness(photo), to_grid(photo), np.random.default_rng(seed))
    assert boxes[0] == boxes[1]
    top, left, height, width = (round(side * share) for share in boxes[0])
    assert 0.44 < height * width / side**2 <= 1
    part = np.ascontiguousarray(photo[top : top + height, left : left + width])
    wanted = square_lightness(part), to_grid(part)
    if np.abs(lightness - wanted[0]).mean() > np.abs(lightness[:, ::-1] - wanted[0]).mean():
        lightness, ab = lightness[:, ::-1], ab[..., ::-1]
    assert np.abs(lightness - wanted[0]).mean() < 0.5  # the part has whole pixels
    assert np.abs(ab - wanted[1]).mean() < 0.6
    assert np.abs(ab[..., ::-1] - wanted[1]).mean() > 2


# which pack it is


def test_a_copy_is_the_same_pack_and_a_changed_one_another(
    pack_folder: Path, own_pack: Path
) -> None:
    path, digest = own_pack / "photos.csv", PixelPack(pack_folder).digest
    text = path.read_text()
    path.write_text(text.replace(".jpg", "/moved.jpg"))
    assert PixelPack(own_pack).digest == digest
    for old, new in ((f"{3:016x}", f"{99:016x}"), ("dev", "train"), (",200,", ",210,")):
        path.write_text(text.replace(old, new, 1))
        assert PixelPack(own_pack).digest != digest


# packs that cannot be read


def refusal(folder: Path) -> str:
    with pytest.raises(PackError) as caught:
        PixelPack(folder)
    text = str(caught.value)
    assert text.startswith(str(folder))
    assert "\n" not in text
    return text


def test_no_pack(tmp_path: Path) -> None:
    assert "make one with `python -m data_prep PHOTOS -o" in refusal(tmp_path / "none")


@pytest.mark.parametrize("file", ["pixels.json", "photos.csv", "lightness.npy", "ab.npy"])
@pytest.mark.parametrize("content", [None, b"{", b"\x93NUMPY"])
def test_a_damaged_file(file: str, content: bytes | None, own_pack: Path) -> None:
    if content is None:
        (own_pack / file).unlink()
    else:
        (own_pack / file).write_bytes(content)
    assert "make" in refusal(own_pack)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "colorflow-pixels-9"}, {"photos": 3}, {"photos": 15, "filled": 15},
        {"filled": -1}, {"filled": 15}, {"filled": 2.0}, {"filled": None},
    ],
)  # fmt: skip
def test_a_wrong_description(change: dict[str, object], own_pack: Path) -> None:
    path = own_pack / "pixels.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refusal(own_pack)


@pytest.mark.parametrize("name", ["lightness", "ab"])
@pytest.mark.parametrize("fault", [lambda x: x[:-1], lambda x: x[:, :-1], lambda x: x.astype("f4")])
def test_an_array_of_another_shape_or_type(
    name: str, fault: Callable[[np.ndarray], np.ndarray], own_pack: Path
) -> None:
    path = own_pack / f"{name}.npy"
    np.save(path, fault(np.load(path)))
    assert "does not fit pixels.json" in refusal(own_pack)


def test_a_pack_that_is_filled_in_part(own_pack: Path) -> None:
    whole, path = PixelPack(own_pack), own_pack / "pixels.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"filled": 8}))
    part = PixelPack(own_pack)
    assert len(part) == 8
    assert set(part.rows("train") % 8) == set(range(DEV, 8))
    assert part.digest != whole.digest
    path.write_text(json.dumps(info | {"filled": 0}))
    assert "no photo yet" in refusal(own_pack)
