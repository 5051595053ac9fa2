"""Guided upsampling and the finer grid: against bicubic and the sparse system, and in strips."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color, data

from colorflow.color.grid import resize_by_area, to_grid
from colorflow.color.upsample import (
    FINER_SIZE,
    GAIN,
    MAX_SLOPE,
    STRENGTH,
    finer,
    local_slope,
    upsample_ab,
)
from tests.color.sparse import least_squares


def photo_lab(name: str) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """A photo of scikit-image, its lightness (H, W) and its ab (2, H, W)."""
    photo = getattr(data, name)()
    lab = color.rgb2lab(photo).astype(np.float32)
    return photo, np.ascontiguousarray(lab[..., 0]), np.moveaxis(lab[..., 1:], -1, 0)


def random_inputs(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    ab_grid = generator.normal(0, 30, (2, 64, 64)).astype(np.float32)
    return ab_grid, generator.uniform(0, 100, (height, width)).astype(np.float32)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_error_is_well_below_that_of_bicubic(name: str) -> None:
    photo, lightness, ab = photo_lab(name)
    grid = to_grid(photo)
    size = lightness.shape[::-1]
    bicubic = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_CUBIC) for p in grid])
    ratio = np.sqrt(
        ((upsample_ab(grid, lightness) - ab) ** 2).mean() / ((bicubic - ab) ** 2).mean()
    )
    assert ratio < 0.93


def test_the_grid_comes_back_by_area_average() -> None:
    photo, lightness, _ = photo_lab("coffee")
    grid = to_grid(photo)
    back = np.stack([resize_by_area(plane, 64, 64) for plane in upsample_ab(grid, lightness)])
    bicubic = [cv2.resize(p, lightness.shape[::-1], interpolation=cv2.INTER_CUBIC) for p in grid]
    bicubic_back = np.stack([resize_by_area(plane, 64, 64) for plane in bicubic])
    assert np.abs(back - grid).mean() < 0.5 * np.abs(bicubic_back - grid).mean()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (200, 1), (7, 300), (64, 64), (131, 97)])
def test_even_chroma_stays_even_and_none_stays_none(height: int, width: int) -> None:
    _, lightness = random_inputs(height, width)
    even = np.broadcast_to(np.float32([[[12]], [[-34]]]), (2, 64, 64))
    result = upsample_ab(even, lightness)
    assert result.shape == (2, height, width)
    np.testing.assert_allclose(result, np.broadcast_to(even[:, :1, :1], result.shape), atol=1e-3)
    np.testing.assert_array_equal(upsample_ab(0 * even, lightness), 0)


def test_a_photo_as_small_as_the_grid_gets_the_grid() -> None:
    ab_grid, lightness = random_inputs(64, 64)
    np.testing.assert_allclose(upsample_ab(ab_grid, lightness), ab_grid, atol=1e-3)


def test_a_smaller_photo_gets_averages_of_the_grid() -> None:
    ab_grid, _ = random_inputs(1, 1)
    even = np.full((16, 32), 50, np.float32)
    expected = ab_grid.reshape(2, 16, 4, 32, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(upsample_ab(ab_grid, even), expected, atol=1e-3)


def test_slope_follows_lightness_and_is_bounded() -> None:
    generator = np.random.default_rng(0)
    lightness = generator.uniform(20, 80, (64, 64)).astype(np.float32)
    noise = generator.normal(0, 20, (64, 64)).astype(np.float32)
    followed, ignored = local_slope(np.stack([0.4 * lightness, noise]), lightness)
    assert np.median(followed) == pytest.approx(GAIN * 0.4, abs=0.02)
    assert np.abs(ignored).mean() < 0.1  # without r**2 chance alone gives 0.2
    steep = local_slope(np.stack([5 * lightness, -5 * lightness]), lightness)
    assert np.abs(steep).max() <= MAX_SLOPE


@pytest.mark.parametrize(
    ("ab_grid", "lightness", "named"),
    [
        (np.zeros((64, 64, 2)), np.zeros((9, 9)), "ab_grid: expected shape"),
        (np.zeros((2, 0, 64)), np.zeros((9, 9)), "ab_grid: expected shape"),
        (np.zeros((2, 64, 64)), np.zeros((9, 9, 1)), "lightness: expected shape"),
        (np.zeros((2, 64, 64)), np.zeros((0, 9)), "lightness: expected shape"),
        (np.full((2, 64, 64), np.nan), np.zeros((9, 9)), "ab_grid: expected finite values"),
    ],
)
def test_bad_arguments_are_named(
    ab_grid: NDArray[np.float64], lightness: NDArray[np.float64], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        upsample_ab(ab_grid.astype(np.float32), lightness.astype(np.float32))


Array = NDArray[np.float32]


def made_up(seed: int, height: int, width: int) -> tuple[Array, Array]:
    """Smooth chroma (2, 64, 64), and lightness with things in it."""
    rng = np.random.default_rng(seed)
    ab = rng.normal(size=(8, 8, 2)).astype(np.float32) * 15
    ab = np.moveaxis(cv2.resize(ab, (64, 64), interpolation=cv2.INTER_CUBIC), -1, 0)
    lightness = cv2.resize(
        rng.uniform(10, 90, (6, 7)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_NEAREST,
    )
    return np.ascontiguousarray(ab), lightness + rng.normal(0, 0.5, lightness.shape).astype("f4")


@pytest.mark.parametrize(("height", "width"), [(90, 110), (70, 300)])
def test_it_comes_near_the_solution_of_the_sparse_system(height: int, width: int) -> None:
    ab, lightness = made_up(0, height, width)
    got, cells = finer(ab, lightness)
    assert cells is not None
    assert got.shape[1:] == cells.shape == (height, min(width, FINER_SIZE))
    begun = upsample_ab(ab, cells)
    want = least_squares(begun, cells, STRENGTH)
    assert np.abs(got - want).mean() < 0.4 * np.abs(begun - want).mean()


def test_color_stops_at_an_outline() -> None:
    """A blue thing on orange ground; its chroma is late by half a cell of the model's grid."""
    lightness = np.full((512, 512), 70, np.float32)
    lightness[:, 204:] = 30
    ab = np.zeros((2, 64, 64), np.float32)
    ab[0], ab[1] = 10, 30
    ab[:, :, 26:] = np.array([5, -30])[:, None, None]  # the thing begins within cell 25
    got, _ = finer(ab, lightness)
    spilled = upsample_ab(ab, lightness)
    column = 205  # inside the thing, before its chroma begins
    assert spilled[1, 256, column] > 0
    assert got[1, 128, column // 2] < spilled[1, 256, column] - 5


def test_no_chroma_stays_none_and_a_constant_stays_a_constant() -> None:
    _, lightness = made_up(1, 200, 300)
    zeros, _ = finer(np.zeros((2, 64, 64), np.float32), lightness)
    assert not zeros.any()
    constant, _ = finer(np.full((2, 64, 64), 7, np.float32), lightness)
    np.testing.assert_allclose(constant, 7, atol=1e-4)


@pytest.mark.parametrize(("grid", "size"), [((64, 64), (64, 300)), ((8, 8), (300, 300))])
def test_other_grids_and_tiny_photos_stay_as_they_are(
    grid: tuple[int, int], size: tuple[int, int]
) -> None:
    ab = np.random.default_rng(0).normal(size=(2, *grid)).astype(np.float32)
    got, cells = finer(ab, np.full(size, 50, np.float32))
    assert cells is None
    assert got is ab
