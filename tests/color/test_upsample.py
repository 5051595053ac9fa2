"""Guided upsampling: better than bicubic, exact where it must be, the same in strips."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color, data

from colorflow.color.grid import resize_by_area, to_grid
from colorflow.color.upsample import GAIN, MAX_SLOPE, GuidedUpsampler, local_slope, upsample_ab


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


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize(("height", "width"), [(131, 97), (40, 300), (1, 50), (50, 1), (65, 64)])
def test_strips_give_the_same_as_the_whole(rows: int, height: int, width: int) -> None:
    upsampler = GuidedUpsampler(*random_inputs(height, width))
    strips = [upsampler.rows(top, min(top + rows, height)) for top in range(0, height, rows)]
    np.testing.assert_allclose(
        np.concatenate(strips, axis=1), upsampler.rows(0, height), atol=1e-4, rtol=0
    )


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
