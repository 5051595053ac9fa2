"""What the model sees of a photo: lightness on a 256x256 square, ab on a 64x64 grid.

The whole photo is squashed to a square, so any aspect ratio and any size gives the same colors.
Both are defined the same way, for training and for use: average the 8-bit sRGB values over the
area of each cell (no rounding), then convert to CIELAB. Along an axis on which the photo is
smaller than the square, bilinear interpolation takes the place of the average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.full_resolution import check_pixels, lightness_of_gray
from colorflow.color.resize import resize_by_area

GRID_SIZE = 64
SQUARE_SIZE = 256


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
    square = resize_by_area(pixels, size, size).astype(np.float64) / 255
    if square.ndim == 2:
        return lightness_of_gray(square).astype(np.float32)
    return cie.rgb_to_lab(square)[..., 0].astype(np.float32)
