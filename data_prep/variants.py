"""Variants of a photo: crop, mirror image, and the degradation of old photos.

Only the network's input, the lightness, is degraded; the target chroma is not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.color.degrade import Lightness, degrade
from colorflow.color.grid import square_lightness, to_grid
from colorflow.model.features import LIGHTNESS_SIZE

SMALL_SIDE = 128
"""Photos whose short side, in pixels, is below this are too small for a crop."""


def variants_of(split: str, short_side: int, count: int) -> list[str]:
    """Names of a photo's variants (`colorflow.training.pack.VARIANTS`).

    Args:
        split: ``train`` or ``dev``. Dev photos are always whole, once clean and once degraded.
        short_side: in pixels; small photos are whole, unchanged or mirrored.
        count: number of variants of a large training photo.
    """
    if split == "dev":
        return ["whole", "whole_degraded"]
    if short_side < SMALL_SIDE:
        return ["whole", "whole_mirrored"][: max(1, count // 2)]
    return (["whole"] + ["crop_degraded", "crop", "crop"] * count)[:count]


def make_variant(
    pixels: NDArray[np.uint8], name: str, rng: np.random.Generator
) -> tuple[Lightness, NDArray[np.float32]]:
    """Makes one variant of a photo.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        name: the variant's name.
        rng: source of randomness.

    Returns:
        lightness (256, 256) CIE L*, the network's input, and ab (2, 64, 64), the target.
    """
    if name.startswith("crop"):
        pixels = _crop(pixels, rng)
    if name.endswith("mirrored") or (name.startswith("crop") and rng.random() < 0.5):
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    ab = to_grid(pixels)
    if name.endswith("degraded"):
        return degrade(pixels, rng), ab
    return square_lightness(pixels, LIGHTNESS_SIZE), ab


def _crop(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    area, stretch = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.2, 0.2))
    h = max(1, min(height, round(height * np.sqrt(area) * stretch)))
    w = max(1, min(width, round(width * np.sqrt(area) / stretch)))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    return pixels[top : top + h, left : left + w]
