"""Pictures for judges and players: small, and varied so that only their colors tell them apart.

The true picture is made like every coloring: its chroma is averaged on the 64x64 grid, upsampled
along its lightness and mapped into the gamut. Otherwise a judge would see which picture has the
finer colors, and not which has the right ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import render
from colorflow.color.grid import Rows, resize_by_area
from colorflow.photo import Photo, photo_from_image, write_image

WIDTH, HEIGHT = 420, 620
"""Largest size of each picture of a pair, in pixels: two fit on a screen."""
GAP = 24
"""Pixels between the two pictures of a pair."""
NEUTRAL = 119
"""The sRGB gray of L* 50, which favors neither bright nor dark pictures."""
QUALITY = 92
"""JPEG quality of a pair."""
MIN_CROP = 0.8
"""Least share of each side of a photo that a crop shows."""
GRAIN = 1.0
"""Standard deviation of the grain in each channel, in steps of 255: less than the eye sees."""

Pixels = NDArray[np.uint8]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


def colored(lightness: Rows, ab: NDArray[np.float32], size: int) -> Pixels:
    """Color a photo at full size, then reduce it, as players see it.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (2, 64, 64), CIELAB units; true or sampled.
        size: longest side in pixels; smaller photos keep their size.

    Returns:
        (h, w, 3) uint8, sRGB.
    """
    rgb = render(lightness, ab)
    return resized(rgb, *size_within(rgb.shape[0], rgb.shape[1], size, size))


def size_within(height: int, width: int, max_height: int, max_width: int) -> tuple[int, int]:
    """Height and width of a picture that is reduced to fit; smaller pictures keep their size."""
    scale = min(1.0, max_height / height, max_width / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resized(pixels: Pixels, rows: int, columns: int) -> Pixels:
    """A picture (H, W, 3) at another size, by area averaging."""
    return np.round(resize_by_area(pixels, rows, columns)).astype(np.uint8)


def write_pair(path: Path, left: Pixels, right: Pixels) -> None:
    """Write two pictures side by side, without metadata.

    Args:
        path: a name with .jpg in an existing folder.
        left: (h, w, 3), sRGB.
        right: the same shape.

    Raises:
        WritePhotoError: the file cannot be written.
    """
    gap = np.full((left.shape[0], GAP, 3), NEUTRAL, np.uint8)
    pixels = np.concatenate([left, gap, right], axis=1)
    write_image(path, pixels, photo_from_image(pixels), jpeg_quality=QUALITY)


def balanced_sides(n: int, rng: np.random.Generator) -> list[Side]:
    """Sides for n pairs in random order, left as often as right.

    A judge who always chooses the same side is then right in half of the pairs. If n is odd, a
    random side has one more.
    """
    order = rng.permutation(n + n % 2)[:n]
    return [SIDES[index % 2] for index in order]


# A photo is never shown twice alike. Otherwise the true picture, the only one that stays the same,
# could be recognized by its bytes or pixels. All pictures of a trial share crop and grain.


def random_crop(photo: Photo, rng: np.random.Generator) -> Photo:
    """A rectangle of random size and position, without metadata."""
    pixels = photo.pixels
    for axis in (0, 1):
        length = pixels.shape[axis]
        kept = max(1, round(length * rng.uniform(MIN_CROP, 1)))
        start = rng.integers(length - kept + 1)
        pixels = pixels.take(range(start, start + kept), axis)
    return photo_from_image(pixels)


def random_grain(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int16]:
    """What to add to each value of a picture, in steps of 255."""
    return np.round(GRAIN * rng.standard_normal(shape, np.float32)).astype(np.int16)


def with_grain(pixels: Pixels, grain: NDArray[np.int16]) -> Pixels:
    """Add grain to a picture of the same shape."""
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)
