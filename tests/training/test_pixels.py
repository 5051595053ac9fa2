"""Packs: what a row shows, which pack it is, and packs that cannot be read."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data

from colorflow.color.grid import square_lightness, to_grid
from colorflow.errors import PackError
from colorflow.training import pixels
from colorflow.training.pixels import PixelPack, TrainingColors, training_colors
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


def test_some_views_are_mirrored_some_degraded_and_all_are_large_parts(
    pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    degraded, cuts = [], []

    def told(rgb: np.ndarray, *_: Any) -> np.ndarray:
        degraded.append(1)
        return np.float32(rgb[..., 0])

    monkeypatch.setattr(pixels, "degrade", told)
    cut = pixels.cut

    def watched(*given: Any, mirrored: bool) -> Any:
        cuts.append((given[2][2] * given[2][3], mirrored))
        return cut(*given, mirrored=mirrored)

    monkeypatch.setattr(pixels, "cut", watched)
    monkeypatch.setattr(pixels, "VIEWS", 64)
    pack = PixelPack(pack_folder)
    pack.batch(pack.rows("train"), maps=())
    areas, mirrored = np.array(cuts).T
    assert len(cuts) == 64 * TRAIN
    assert 0.25 < len(degraded) / len(cuts) < 0.35
    assert 0.4 < mirrored.mean() < 0.6
    assert 0.4 < areas.min() < areas.max() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_a_cut_shows_the_same_part_in_lightness_and_ab(seed: int) -> None:
    """The oracle cuts the photo itself, and only then makes squares of it."""
    side, rng = 512, np.random.default_rng(seed)
    photo = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 6)
    box, mirrored = pixels.random_box(rng, rng.uniform(0.45, 1)), bool(seed % 2)
    lightness, ab = square_lightness(photo), to_grid(photo)
    lightness, ab = pixels.cut(lightness, ab, box, 256, 64, mirrored=mirrored)
    top, left, height, width = (round(side * share) for share in box)
    part = photo[top : top + height, left : left + width]
    part = np.ascontiguousarray(part[:, ::-1] if mirrored else part)
    wanted = square_lightness(part), to_grid(part)
    assert np.abs(lightness - wanted[0]).mean() < 0.5  # the part has whole pixels
    assert np.abs(ab - wanted[1]).mean() < 0.6
    assert np.abs(ab[..., ::-1] - wanted[1]).mean() > 2


# colors


def test_training_colors_are_those_of_the_files(pack_folder: Path) -> None:
    with (pack_folder / "photos.csv").open(encoding="utf-8") as file:
        photos = list(csv.DictReader(file))
    train = np.array([photo["split"] == "train" for photo in photos])
    large = np.array([int(photo["short_side"]) > 128 for photo in photos])
    chroma = np.array([float(photo["mean_chroma"]) for photo in photos])
    chosen = np.load(pack_folder / "ab.npy")[train & large]
    assert len(chosen) == 9

    found = training_colors(PixelPack(pack_folder))
    assert found.mean_ab == pytest.approx(chosen.astype(float).mean((0, 2, 3)), rel=1e-5)
    assert found.blow_up_chroma == pytest.approx(np.quantile(chroma[train], 0.999), rel=1e-12)


def test_the_header_of_a_weights_file() -> None:
    colors = TrainingColors(mean_ab=(1.0, -2.0), blow_up_chroma=70.0)
    assert TrainingColors.from_dict(json.loads(json.dumps(dataclasses.asdict(colors)))) == colors
    assert TrainingColors.from_dict({"mean_ab": [1.0, -2.0], "largest_chroma": 70.0}) == colors


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


@pytest.mark.parametrize("file", ["pixels.json", "photos.csv", "lightness.npy", "ab.npy"])
@pytest.mark.parametrize("content", [None, b"{", b"\x93NUMPY"])
def test_a_damaged_file(file: str, content: bytes | None, own_pack: Path) -> None:
    if content is None:
        (own_pack / file).unlink()
    else:
        (own_pack / file).write_bytes(content)
    is_none = file == "pixels.json" and content is None
    said = "make one with `python -m data_prep PHOTOS -o" if is_none else "make"
    assert said in refusal(own_pack)


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
