"""What the model sees, against scikit-image; area averages against their definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color, data, transform

from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import resize_by_area, square_lightness, to_grid


def random_photo(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_ab_and_lightness_are_those_of_the_mean_srgb_of_each_cell() -> None:
    photo = data.astronaut()  # 512x512
    ab, lightness = (
        np.moveaxis(color.rgb2lab(transform.downscale_local_mean(photo / 255, (n, n, 1))), -1, 0)
        for n in (8, 2)
    )
    grid, square = to_grid(photo), square_lightness(photo)
    assert grid.dtype == square.dtype == np.float32
    np.testing.assert_allclose(grid, ab[1:], atol=6e-3)  # the white points, see test_cie
    np.testing.assert_allclose(square, lightness[0], atol=1e-3)


@pytest.mark.parametrize("make", [to_grid, square_lightness, lightness_of])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *((shape, np.uint8) for shape in [(4,), (4, 4, 1), (4, 4, 4), (0, 4), (4, 0, 3)]),
        *[((4, 4), np.float32), ((4, 4), np.int16)],
    ],
)
def test_other_arrays_are_refused(
    make: Callable[..., object], shape: tuple[int, ...], dtype: type
) -> None:
    with pytest.raises(ValueError, match=r"pixels: expected a uint8 .*array of shape"):
        make(np.zeros(shape, dtype))


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 700), (700, 1), (20, 300), (300, 20), (63, 65), (1000, 333)]
)
def test_any_size_gives_a_square_within_the_range_of_the_photo(height: int, width: int) -> None:
    photo = random_photo(height, width)
    assert to_grid(photo).shape == (2, 64, 64)
    square = resize_by_area(photo, 256, 256)
    assert square.shape == (256, 256, 3)
    assert square.min() >= photo.min() - 1e-3
    assert square.max() <= photo.max() + 1e-3
    # Both averages and (nearly) bilinear enlargement keep the mean of a photo of noise.
    if height > 256 and width > 256:
        np.testing.assert_allclose(square.mean((0, 1)), photo.mean((0, 1)), atol=1e-2)


@pytest.mark.parametrize(("height", "width"), [(8, 900), (900, 8)])
def test_each_axis_is_resized_in_its_own_way(height: int, width: int) -> None:
    # Averages along the long axis, a smooth ramp along the short one.
    ramp = np.arange(8, dtype=np.float32) * 10
    noise = np.random.default_rng(0).normal(0, 20, 900).astype(np.float32)
    image = ramp[:, None] + noise[None, :]
    expected_noise = noise.reshape(100, 9).mean(axis=1)
    expected_ramp = np.interp((np.arange(100) + 0.5) * 8 / 100 - 0.5, np.arange(8), ramp)
    expected = expected_ramp[:, None] + expected_noise[None, :]
    if height > width:
        image, expected = image.T, expected.T
    np.testing.assert_allclose(resize_by_area(image, 100, 100), expected, atol=1e-3)


def averaged(image: NDArray[np.generic], height: int, width: int) -> NDArray[np.float64]:
    """Along both axes, by repeating each row (column) as often as there are rows wanted."""
    result = image.astype(np.float64)
    for axis, size in ((0, height), (1, width)):
        moved = np.moveaxis(result, axis, 0)
        groups = np.repeat(moved, size, axis=0).reshape(size, -1, *moved.shape[1:])
        result = np.moveaxis(groups.mean(axis=1), 0, axis)
    return result


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((1000, 37), (64, 32)),  # several strips, cells that no strip holds whole
        ((128, 128), (64, 64)),  # one strip, whole cells
        ((129, 50), (128, 50)),
        ((257, 40), (256, 7)),
        ((300, 5), (1, 1)),
        ((641, 90, 3), (64, 64)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_each_cell_is_the_mean_of_what_it_covers(
    old: tuple[int, ...], new: tuple[int, int], dtype: type
) -> None:
    image = np.random.default_rng(0).integers(0, 256, old).astype(dtype)
    result = resize_by_area(image, *new)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, averaged(image, *new), rtol=0, atol=1e-3)


def test_lightness_of_a_gray_square_is_that_of_its_means() -> None:
    photo = random_photo(512, 768)[..., 0]
    means = transform.downscale_local_mean(photo / 255, (2, 3))
    expected = color.rgb2lab(np.repeat(means[..., None], 3, axis=2))[..., 0]
    np.testing.assert_allclose(square_lightness(photo), expected, atol=2e-3)


def test_rows_are_asked_for_a_strip_at_a_time() -> None:
    class Asked:
        shape = (1000, 8)

        def __init__(self) -> None:
            self.most = 0

        def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
            made = np.arange(1000, dtype=np.float32)[rows]
            self.most = max(self.most, len(made))
            return np.repeat(made[:, None], 8, axis=1)

    rows = Asked()
    means = np.arange(10) * 100 + 49.5
    np.testing.assert_allclose(resize_by_area(rows, 10, 1)[:, 0], means, rtol=1e-6)
    assert rows.most <= 32
