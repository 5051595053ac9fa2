"""Small pictures as scans and the web make them: blurred, noisy, compressed.

A doubling that restores learns from lightness that is damaged so, at the low resolution.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SHARE = 0.75
"""Probability of each damage."""
LARGEST_BLUR = 1.2
"""Std of the blur in pixels."""
LARGEST_NOISE = 6.0
"""Std of the noise in L* units."""
JPEG_QUALITY = (30, 95)
_STEPS = 2.55
"""Steps of 8 bits per unit of L*."""


def damage(lightness: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Blurs lightness, adds noise, and compresses it, each with probability `SHARE`.

    Args:
        lightness: (H, W) L* in [0, 100].
        rng: source of the random choices.

    Returns:
        (H, W) float32 in [0, 100], in steps of 8 bits.
    """
    if rng.random() < SHARE:
        sigma = rng.uniform(0.2, LARGEST_BLUR)
        lightness = _blurred(lightness, sigma)
    if rng.random() < SHARE:
        lightness = lightness + rng.uniform(0, LARGEST_NOISE) * _grain(lightness.shape, rng)
    levels = np.clip(np.round(lightness * _STEPS), 0, 255).astype(np.uint8)
    if rng.random() < SHARE:
        quality = int(rng.integers(*JPEG_QUALITY, endpoint=True))
        _, file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        levels = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
    return levels.astype(np.float32) / np.float32(_STEPS)


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of std 1: of single pixels, or of grains that are a little larger."""
    noise = rng.standard_normal(shape, np.float32)
    if rng.random() < 0.5:
        noise = _blurred(noise, rng.uniform(0.3, 0.8))
        noise /= max(float(noise.std()), 1e-6)
    return noise


def _blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32
    )
