"""Variants: the chroma stays the truth, the lightness is what changes."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.color
import skimage.data
from numpy.typing import NDArray

from colorflow.training.pack import VARIANTS
from data_prep.variants import make_variant, variants_of

SEEDS = range(12)


@pytest.fixture(scope="module")
def cat() -> NDArray[np.uint8]:
    return np.ascontiguousarray(skimage.data.chelsea()[:256, :320])


@pytest.fixture(scope="module")
def slope() -> NDArray[np.uint8]:
    """From left to right L* grows from 40 to 60 and a from -10 to 10; b falls downwards."""
    x, y = np.linspace(0, 1, 300), np.linspace(0, 1, 240)
    lab = np.zeros((240, 300, 3))
    lab[..., 0], lab[..., 1], lab[..., 2] = 40 + 20 * x, 20 * x - 10, (10 - 20 * y)[:, None]
    return np.round(skimage.color.lab2rgb(lab) * 255).astype(np.uint8)


def mean_of_cells(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """(256, 256) -> (64, 64)."""
    return lightness.reshape(64, 4, 64, 4).mean((1, 3))


@pytest.mark.parametrize("name", VARIANTS)
def test_shapes_and_ranges(cat: NDArray[np.uint8], name: str) -> None:
    for seed in SEEDS:
        lightness, ab = make_variant(cat, name, np.random.default_rng(seed))
        assert lightness.shape == (256, 256)
        assert ab.shape == (2, 64, 64)
        assert lightness.dtype == ab.dtype == np.float32
        assert lightness.min() >= 0
        assert lightness.max() <= 100
        assert np.abs(ab).max() < 110
        assert np.isfinite(ab).all()
        assert np.isfinite(lightness).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_the_generator_decides_everything_and_the_photo_is_left_alone(
    cat: NDArray[np.uint8], name: str
) -> None:
    before = cat.copy()
    first = make_variant(cat, name, np.random.default_rng(5))
    again = make_variant(cat, name, np.random.default_rng(5))
    other = make_variant(cat, name, np.random.default_rng(6))
    assert np.array_equal(cat, before)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    random = name.startswith("crop") or name.endswith("degraded")
    assert np.array_equal(first[0], other[0]) != random


def test_whole_is_the_photo_by_scikit_image() -> None:
    """256x256 pixels need no resizing for L*, and blocks of 4x4 averaged in sRGB give ab."""
    photo = skimage.data.astronaut()[:256, 128:384]
    lightness, ab = make_variant(photo, "whole", np.random.default_rng(0))
    assert np.abs(lightness - skimage.color.rgb2lab(photo)[..., 0]).max() < 0.01
    blocks = photo.reshape(64, 4, 64, 4, 3).mean((1, 3)) / 255
    assert np.abs(np.moveaxis(ab, 0, -1) - skimage.color.rgb2lab(blocks)[..., 1:]).max() < 0.01


def test_mirrored_is_the_mirror_image(cat: NDArray[np.uint8]) -> None:
    plain = make_variant(cat, "whole", np.random.default_rng(0))
    mirrored = make_variant(cat, "whole_mirrored", np.random.default_rng(0))
    for straight, turned in zip(plain, mirrored, strict=True):
        assert np.abs(turned - straight[..., ::-1]).max() < 1e-3
        assert np.abs(turned - straight).max() > 5


def test_degraded_keeps_the_chroma_and_changes_the_lightness(cat: NDArray[np.uint8]) -> None:
    clean, truth = make_variant(cat, "whole", np.random.default_rng(0))
    for seed in SEEDS:
        lightness, ab = make_variant(cat, "whole_degraded", np.random.default_rng(seed))
        assert np.array_equal(ab, truth)
        assert np.abs(lightness - clean).mean() > 0.2, seed
        # Still this photo: an old print correlates with what it shows.
        assert np.corrcoef(lightness.ravel(), clean.ravel())[0, 1] > 0.6, seed


def test_a_degraded_crop_has_the_chroma_of_the_same_crop(cat: NDArray[np.uint8]) -> None:
    for seed in SEEDS:
        lightness, ab = make_variant(cat, "crop_degraded", np.random.default_rng(seed))
        clean, truth = make_variant(cat, "crop", np.random.default_rng(seed))
        assert np.array_equal(ab, truth)
        assert np.abs(lightness - clean).mean() > 0.2, seed


def test_crops_show_one_part_in_lightness_and_chroma(slope: NDArray[np.uint8]) -> None:
    """a is a function of L* in the whole photo, so also in every crop, mirrored or not."""
    turned, shares = [], []
    for seed in range(40):
        lightness, ab = make_variant(slope, "crop", np.random.default_rng(seed))
        assert np.abs(mean_of_cells(lightness) - 50 - ab[0]).max() < 0.7
        columns, rows = ab[0].mean(0), ab[1].mean(1)
        turned.append(columns[-1] < columns[0])
        assert rows[-1] < rows[0], "upside down"
        # 63 of 64 cells lie between the first and the last middle of a cell.
        width = abs(columns[-1] - columns[0]) / 20 * 64 / 63
        height = abs(rows[-1] - rows[0]) / 20 * 64 / 63
        shares.append(width * height)
    assert 8 < sum(turned) < 32  # of 40 fair coins; outside 1 time in 10,000
    assert min(shares) > 0.42
    assert max(shares) < 1.03
    assert max(shares) - min(shares) > 0.3


@pytest.mark.parametrize("shape", [(48, 48), (48, 300), (300, 49)])
def test_any_photo_that_is_large_enough_has_all_variants(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for name in VARIANTS:
        lightness, ab = make_variant(photo, name, np.random.default_rng(1))
        assert (lightness.shape, ab.shape) == ((256, 256), (2, 64, 64))


# which variants a photo gets


def test_variants_of_dev_do_not_depend_on_their_number() -> None:
    for count in (1, 4, 9):
        assert variants_of("dev", 500, count) == ["whole", "whole_degraded"]


@pytest.mark.parametrize(
    ("short_side", "count", "expected"),
    [
        (128, 1, ["whole"]),
        (128, 4, ["whole", "crop_degraded", "crop", "crop"]),
        (900, 6, ["whole", "crop_degraded", "crop", "crop", "crop_degraded", "crop"]),
        (127, 1, ["whole"]),
        (127, 3, ["whole"]),
        (64, 4, ["whole", "whole_mirrored"]),
        (64, 10, ["whole", "whole_mirrored"]),
    ],
)
def test_variants_of_train(short_side: int, count: int, expected: list[str]) -> None:
    assert variants_of("train", short_side, count) == expected
    assert set(expected) <= set(VARIANTS)
