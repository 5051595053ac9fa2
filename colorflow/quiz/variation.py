"""No photo is shown twice alike: each time another crop of it, with a grain too fine to be seen.

Otherwise the true picture, the only one that stays the same, could be known by its bytes or pixels.
A round's pictures share crop and grain, so that still nothing but the colors tells them apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.photo import Photo, photo_from_image

LEAST_SHARE = 0.8
"""Of each side of the photo, at least so much is shown."""
GRAIN = 1.0
"""Std of the grain in each channel, in steps of 255: less than the eye sees."""


def crop(photo: Photo, rng: np.random.Generator) -> Photo:
    """Cuts out a rectangle of random size at a random place; metadata go.

    Args:
        photo: of any size.
        rng: decides the rectangle.
    """
    pixels = photo.pixels
    for axis in (0, 1):
        length = pixels.shape[axis]
        kept = max(1, round(length * rng.uniform(LEAST_SHARE, 1)))
        start = rng.integers(length - kept + 1)
        pixels = pixels.take(range(start, start + kept), axis)
    return photo_from_image(pixels)


def grain(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int16]:
    """What to add to each number of a picture, in whole steps of 255."""
    return np.round(GRAIN * rng.standard_normal(shape, np.float32)).astype(np.int16)


def with_grain(pixels: NDArray[np.uint8], grain: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Adds grain to a picture of the same shape."""
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)
