"""Nothing but the colours tells the truth from a draw."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image, PngImagePlugin
from skimage.transform import downscale_local_mean

from colorflow.color.grid import to_grid
from colorflow.colorize import Colorizer
from colorflow.photo import Photo, photo_from_image, read_photo
from colorflow.quiz.pictures import GAP, Pair, balanced_sides, pair_of, write_pair


@pytest.fixture(scope="module")
def astronaut() -> Photo:
    return photo_from_image(skimage.data.astronaut()[:256])


def drawing(ab: np.ndarray) -> Any:
    """Stands in for a Colorizer that can draw but one thing."""
    return SimpleNamespace(draw=lambda *_, **__: SimpleNamespace(ab=ab[None]))


@pytest.mark.parametrize("size", [96, 4096])
def test_a_draw_of_the_true_chroma_is_the_truth(astronaut: Photo, size: int) -> None:
    """So the two pictures take the same way, from chroma to pixels."""
    pair = pair_of(drawing(to_grid(astronaut.pixels)), astronaut, seed=0, size=size)
    assert np.array_equal(pair.truth, pair.colouring)
    other = pair_of(drawing(to_grid(astronaut.pixels) + 20), astronaut, seed=0, size=size)
    assert np.array_equal(pair.truth, other.truth)
    assert np.abs(pair.truth.astype(int) - other.colouring).mean() > 5


def test_the_truth_has_the_photos_colours_as_the_grid_shows_them(astronaut: Photo) -> None:
    truth = pair_of(drawing(np.zeros((2, 64, 64), np.float32)), astronaut, seed=0, size=512).truth
    ours, theirs = skimage.color.rgb2lab(truth), skimage.color.rgb2lab(astronaut.pixels)
    assert np.abs(ours[..., 0] - theirs[..., 0]).max() < 0.6  # a rounding to 8 bits
    means = [downscale_local_mean(lab[..., 1:], (16, 32, 1)) for lab in (ours, theirs)]
    assert np.abs(means[0] - means[1]).mean() < 0.3  # of 7 at the mean
    assert np.abs(ours[..., 1:] - theirs[..., 1:]).mean() > 1, "finer colours than the grid's"


def test_the_colouring_is_the_colorizers(colorizer: Colorizer, astronaut: Photo) -> None:
    pair = pair_of(colorizer, astronaut, seed=7, size=512)
    (own,) = colorizer.colorize_photo(astronaut, 1, seed=7)
    assert np.array_equal(pair.colouring, own)
    other = pair_of(colorizer, astronaut, seed=8, size=512)
    assert not np.array_equal(pair.colouring, other.colouring)
    assert np.array_equal(pair.truth, other.truth)


@pytest.mark.parametrize(
    ("shape", "size", "shown"),
    [
        ((256, 512), 128, (64, 128)),
        ((512, 256), 128, (128, 64)),
        ((60, 100), 128, (60, 100)),
        ((3, 600), 100, (1, 100)),
    ],
)
def test_sizes(shape: tuple[int, int], size: int, shown: tuple[int, int]) -> None:
    photo = photo_from_image(np.full((*shape, 3), (200, 90, 40), np.uint8))
    pair = pair_of(drawing(np.zeros((2, 64, 64), np.float32)), photo, seed=0, size=size)
    assert pair.truth.shape == pair.colouring.shape == (*shown, 3)


def test_the_whole_photo_is_shown(astronaut: Photo) -> None:
    """Each quarter has the mean of the photo's."""
    truth = pair_of(drawing(np.zeros((2, 64, 64), np.float32)), astronaut, seed=0, size=128).truth
    ours = downscale_local_mean(truth, (32, 64, 1))
    theirs = downscale_local_mean(astronaut.pixels, (128, 256, 1))
    assert np.abs(ours - theirs).max() < 3


def test_side_by_side() -> None:
    truth, colouring = (np.full((5, 7, 3), value, np.uint8) for value in (10, 20))
    pair = Pair(truth=truth, colouring=colouring)
    for side, left, right in (("left", 10, 20), ("right", 20, 10)):
        picture = pair.side_by_side(side)
        assert picture.shape == (5, 7 + GAP + 7, 3)
        assert (picture[:, :7] == left).all()
        assert (picture[:, -7:] == right).all()
        gap = skimage.color.rgb2lab(picture[:, 7:-7])
        assert np.abs(gap - [50, 0, 0]).max() < 0.2


def chunks(data: bytes) -> list[bytes]:
    """The kinds of a PNG file's chunks."""
    found, at = [], 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found.append(kind)
        at += length + 12
    return found


def test_nothing_but_pixels_is_written(colorizer: Colorizer, tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "true colours")
    exif = Image.Exif()
    exif[0x010E] = "true colours"
    file = tmp_path / "photo.png"
    pixels = skimage.data.chelsea()[:200, :200]
    Image.fromarray(pixels).save(file, pnginfo=info, exif=exif, dpi=(300, 300))
    photo = read_photo(file)
    assert photo.metadata.exif
    pair = pair_of(colorizer, photo, seed=0, size=96)
    for side in ("left", "right"):
        path = tmp_path / f"{side}.png"
        write_pair(path, pair, side)
        kinds = chunks(path.read_bytes())
        assert set(kinds) == {b"IHDR", b"sRGB", b"IDAT", b"IEND"}
        assert np.array_equal(np.asarray(Image.open(path)), pair.side_by_side(side))


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_sides_are_balanced(n: int) -> None:
    counts = {balanced_sides(n, np.random.default_rng(seed)).count("left") for seed in range(20)}
    assert counts == {n // 2, n - n // 2}


def test_every_order_of_sides_is_as_likely() -> None:
    """Six orders of two and two, 600 times: each some 100 times, with a std of 9."""
    seen = [tuple(balanced_sides(4, np.random.default_rng(seed))) for seed in range(600)]
    assert len(set(seen)) == 6
    assert all(60 < seen.count(order) < 140 for order in set(seen))


def test_sides_do_not_alternate() -> None:
    """Neighbours differ in 50 of 99 cases at the mean, with a std of 5."""
    sides = balanced_sides(100, np.random.default_rng(0))
    assert 30 < sum(a != b for a, b in pairwise(sides)) < 70
