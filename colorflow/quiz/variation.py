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
GRAIN = 0.3
"""Std of the grain in L*, of which people see differences from about 1 on."""


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


def with_grain(lightness: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Adds a normal deviate to each pixel's lightness.

    Args:
        lightness: (H, W), L* in [0, 100].
        rng: decides the deviates.

    Returns:
        The same shape and range.
    """
    noise = rng.standard_normal(lightness.shape, np.float32)
    return np.clip(lightness + np.float32(GRAIN) * noise, 0, 100)
