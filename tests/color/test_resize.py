"""Area averages against their definition: each pixel repeated, then means of equal groups."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorflow.color.grid import resize_by_area


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
        ((641, 480, 3), (64, 64)),
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


def test_one_axis_shrinks_and_the_other_grows() -> None:
    image = np.random.default_rng(1).integers(0, 256, (500, 10)).astype(np.uint8)
    result = resize_by_area(image, 20, 40)
    centers = (np.arange(40) + 0.5) / 4 - 0.5
    expected = [np.interp(centers, np.arange(10), row) for row in averaged(image, 20, 10)]
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-2)


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
    np.testing.assert_allclose(resize_by_area(rows, 10, 1)[:, 0], np.arange(10) * 100 + 49.5)
    assert rows.most <= 128
