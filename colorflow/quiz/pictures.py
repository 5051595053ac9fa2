"""Pictures for judges: small ones, and two of them side by side.

The truth takes the way of every coloring: its chroma is averaged on the 64x64 grid, brought back
to full size along its lightness and mapped into the gamut. Otherwise a judge would see which of two
pictures has the finer colors, and not which has the right ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import render
from colorflow.color.resize import resize_by_area
from colorflow.photo import photo_from_image, write_image

WIDTH, HEIGHT = 420, 620
"""Of each picture of a pair at most, in pixels: two fit on a screen."""
GAP = 24
"""Between the two pictures, in pixels."""
NEUTRAL = 119
"""The sRGB gray of L* 50, which favors neither bright pictures nor dark ones."""
QUALITY = 92
"""Of the JPEG file that judges get."""

Pixels = NDArray[np.uint8]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


def shown(lightness: NDArray[np.float32], ab: NDArray[np.float32], size: int) -> Pixels:
    """A picture as players see it: the whole photo, colored at full size and then made smaller.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (2, 64, 64) CIELAB units, true or drawn.
        size: the longer side at most, in pixels; smaller photos keep their size.

    Returns:
        (h, w, 3) uint8, sRGB.
    """
    height, width = lightness.shape
    return fitted(render(lightness, ab), *size_within(height, width, size, size))


def size_within(height: int, width: int, most_rows: int, most_columns: int) -> tuple[int, int]:
    """Rows and columns of the whole picture in a frame; smaller pictures keep their size."""
    scale = min(1.0, most_rows / height, most_columns / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def fitted(pixels: Pixels, rows: int, columns: int) -> Pixels:
    """A picture (H, W, 3) in another size."""
    return np.round(resize_by_area(pixels, rows, columns)).astype(np.uint8)


def write_pair(path: Path, left: Pixels, right: Pixels) -> None:
    """Writes two pictures of one size, a neutral gap between them, and nothing but their pixels.

    Args:
        path: NAME.jpg; its folder exists.
        left: (h, w, 3), sRGB.
        right: likewise.

    Raises:
        WritePhotoError: if that is not possible.
    """
    gap = np.full((left.shape[0], GAP, 3), NEUTRAL, np.uint8)
    pixels = np.concatenate([left, gap, right], axis=1)
    write_image(path, pixels, photo_from_image(pixels), jpeg_quality=QUALITY)


def balanced_sides(n: int, rng: np.random.Generator) -> list[Side]:
    """Sides for the first way of n pairs, in random order, left as often as right.

    Whoever always says the same side is then right in half of the cases, whatever the seed. With an
    odd number one side, by chance, has one more.
    """
    order = rng.permutation(n + n % 2)[:n]
    return [SIDES[place % 2] for place in order]
