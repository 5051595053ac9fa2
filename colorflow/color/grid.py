"""Area averages of photos, and what the model sees of them: lightness and ab on small squares.

The model sees lightness on a 256x256 square and ab on a 64x64 grid. The whole photo is squashed to
a square, so any aspect ratio and any size gives the same colors. Both are defined the same way, for
training and for use: average the 8-bit sRGB values over the area of each cell (no rounding), then
convert to CIELAB. Along an axis on which the photo is smaller than the square, bilinear
interpolation takes the place of the average.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.device import one_blas_thread

GRID_SIZE = 64
SQUARE_SIZE = 256
_STRIP_ROWS = 32
_STEPS = 256
"""Of the table of L*, in a step of 8 bits: a table's step is 0.002 L*."""


class Rows(Protocol):
    """An array of rows, or what makes those rows that are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, C)."""

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Some rows."""


def to_grid(pixels: NDArray[np.uint8], size: int = GRID_SIZE) -> NDArray[np.float32]:
    """Give the chroma of a photo on the model's grid.

    Args:
        pixels: (H, W) gray or (H, W, 3) sRGB, uint8.
        size: side of the grid, in cells.

    Returns:
        (2, size, size) float32, ab in CIELAB units; zero for a gray photo.

    Raises:
        ValueError: ``pixels`` has another shape or dtype.
    """
    check_pixels(pixels)
    if pixels.ndim == 2:
        return np.zeros((2, size, size), np.float32)
    lab = cie.rgb_to_lab(resize_by_area(pixels, size, size).astype(np.float64) / 255)
    return np.ascontiguousarray(np.moveaxis(lab[..., 1:], -1, 0), dtype=np.float32)


def square_lightness(pixels: NDArray[np.uint8], size: int = SQUARE_SIZE) -> NDArray[np.float32]:
    """Give the lightness of a photo squashed to a square.

    Args:
        pixels: (H, W) gray or (H, W, 3) sRGB, uint8.
        size: side of the square, in pixels.

    Returns:
        (size, size) float32, L* in [0, 100].

    Raises:
        ValueError: ``pixels`` has another shape or dtype.
    """
    check_pixels(pixels)
    square = resize_by_area(pixels, size, size)
    if square.ndim == 2:
        return _lightness_of_grays()[np.rint(square * _STEPS).astype(np.intp)]
    return cie.rgb_to_lab(square.astype(np.float64) / 255)[..., 0].astype(np.float32)


def check_pixels(pixels: NDArray[np.uint8 | np.uint16], *, or_uint16: bool = False) -> None:
    """Raise ``ValueError`` unless ``pixels`` is a uint8 (or uint16) gray or sRGB image."""
    shape_fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    type_fits = pixels.dtype == np.uint8 or (or_uint16 and pixels.dtype == np.uint16)
    if not type_fits or not shape_fits or pixels.size == 0:
        raise ValueError(
            f"pixels: expected a uint8{' or uint16' if or_uint16 else ''} array of shape (H, W) or "
            f"(H, W, 3) with at least one pixel, got {pixels.dtype} of shape {pixels.shape}"
        )


@one_blas_thread()
def resize_by_area(image: Rows, height: int, width: int) -> NDArray[np.float32]:
    """Resize an image: area average along an axis that shrinks, bilinear along one that grows.

    Nothing is rounded, and a large photo is never copied as a whole.

    Args:
        image: (H, W) or (H, W, C) with C up to 4, uint8 or float32.
        height: rows wanted.
        width: columns wanted.

    Returns:
        (height, width) or (height, width, C), in the unit of ``image``.
    """
    if height < image.shape[0]:
        image = _fewer_rows(image, height)
    # One axis after the other: OpenCV averages areas only where neither axis grows.
    strips = [
        _resize(np.ascontiguousarray(image[top : top + _STRIP_ROWS], np.float32), width=width)
        for top in range(0, image.shape[0], _STRIP_ROWS)
    ]
    return _resize(np.concatenate(strips), height=height)


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3) at another size, as `resize_by_area` makes it, rounded."""
    return np.round(resize_by_area(pixels, height, width)).astype(np.uint8)


def block_means(planes: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means of (..., g, g) over square blocks: (..., side, side), for a side that divides g."""
    step = planes.shape[-1] // side
    return planes.reshape(*planes.shape[:-2], side, step, side, step).mean((-3, -1))


def size_within(height: int, width: int, max_height: int, max_width: int) -> tuple[int, int]:
    """Height and width of a picture that is reduced to fit; smaller pictures keep their size."""
    scale = min(1.0, max_height / height, max_width / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


@cache
def _lightness_of_grays() -> NDArray[np.float32]:
    """L* of gray values in steps of 1/_STEPS, from 0 to 255."""
    grays = np.arange(255 * _STEPS + 1) / (255 * _STEPS)
    return cie.lightness_of_gray(grays).astype(np.float32)


def _fewer_rows(image: Rows, height: int) -> NDArray[np.float32]:
    """Average rows, a strip at a time, as a matrix product: ten times as fast as OpenCV."""
    old_height, *others = image.shape
    cells = np.arange(height + 1) * (old_height / height)
    averaged = np.zeros((height, *others), np.float32)
    flat = averaged.reshape(height, -1)
    for top in range(0, old_height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, old_height)
        first = int(top * height / old_height)
        last = min(height, int(bottom * height / old_height) + 1)
        edges = cells[first : last + 1, None]
        rows = np.arange(top, bottom)
        overlap = np.minimum(edges[1:], rows + 1) - np.maximum(edges[:-1], rows)
        weights = (overlap.clip(0) * (height / old_height)).astype(np.float32)
        pixels = np.asarray(image[top:bottom], np.float32).reshape(bottom - top, -1)
        flat[first:last] += weights @ pixels
    return averaged


def _resize(
    image: NDArray[np.float32], *, height: int | None = None, width: int | None = None
) -> NDArray[np.float32]:
    """Resize along the one axis that is given."""
    old_height, old_width = image.shape[:2]
    height, width = height or old_height, width or old_width
    shrinks = height <= old_height and width <= old_width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.float32)


def tiles_of(shape: tuple[int, ...], side: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of each tile of a picture of a shape (H, W); the last ones are smaller."""
    height, width = shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))
