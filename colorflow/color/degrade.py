"""Lightness as an old or badly kept print would show it.

The damage is done to the lightness that the network sees: to train it on, and to measure how much
of it the colors bear.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import SQUARE_SIZE, square_lightness

Lightness = NDArray[np.float32]


def degrade(
    pixels: NDArray[np.uint8], rng: np.random.Generator, side: int = SQUARE_SIZE
) -> Lightness:
    """The square lightness of a photo as an old or badly kept print would show it.

    The film comes first (a panchromatic, luma-like or orthochromatic response), then one to three
    kinds of damage in the order in which a print suffers them.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        rng: source of the random choices.
        side: of the result.

    Returns:
        (side, side) float32 in [0, 100].
    """
    lightness = square_lightness(_film(pixels, rng), side)
    count = int(rng.integers(1, 4))
    chosen = sorted(rng.choice(len(_DAMAGES), size=count, replace=False))
    for index in chosen:
        lightness = _DAMAGES[index](lightness, rng)
    return np.clip(lightness, 0, 100).astype(np.float32)


def _film(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gray pixels by one of three responses: as it is, luma, or blue-sensitive film."""
    kind = rng.integers(3)
    if kind == 0:
        return pixels
    if kind == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    red = rng.uniform(0.0, 0.12)
    blue = rng.uniform(0.25, 0.6)
    linear = (pixels.astype(np.float32) / 255) ** 2.2
    gray = linear @ np.array([red, 1 - red - blue, blue], dtype=np.float32)
    return np.round(255 * gray ** (1 / 2.2)).astype(np.uint8)


def _blur(lightness: Lightness, rng: np.random.Generator) -> Lightness:
    return _smooth(lightness, rng.uniform(0.6, 2.0) * len(lightness) / SQUARE_SIZE)


def _shrink(lightness: Lightness, rng: np.random.Generator) -> Lightness:
    """A small picture enlarged."""
    side = int(rng.integers(56, 160))
    small = cv2.resize(lightness, (side, side), interpolation=cv2.INTER_AREA)
    return _enlarge(np.asarray(small, np.float32), len(lightness), cv2.INTER_LINEAR)


def _tone(lightness: Lightness, rng: np.random.Generator) -> Lightness:
    """Faded or harsh: another gamma, then a narrower or wider range about a new middle."""
    curve = 100 * (lightness / 100) ** np.exp(rng.uniform(-0.45, 0.45))
    return (curve - 50) * rng.uniform(0.45, 1.25) + 50 + rng.uniform(-12, 12)


def _stains(lightness: Lightness, rng: np.random.Generator) -> Lightness:
    """Uneven fading: a smooth random field of a few blobs."""
    field = rng.normal(size=(4, 4)).astype(np.float32)
    return lightness + rng.uniform(2, 9) * _enlarge(field, len(lightness), cv2.INTER_CUBIC)


def _grain(lightness: Lightness, rng: np.random.Generator) -> Lightness:
    grain = rng.normal(size=lightness.shape).astype(np.float32)
    size = rng.uniform(0.0, 1.2)
    if size > 0.4:
        grain = _smooth(grain, size)
        grain /= grain.std()
    return lightness + rng.uniform(1.5, 6) * grain


def _scratches(lightness: Lightness, rng: np.random.Generator) -> Lightness:
    """Thin light or dark lines and specks of dust."""
    result = lightness.copy()
    for _ in range(int(rng.integers(1, 6))):
        x0, x1, y0, y1 = (int(v) for v in rng.integers(0, len(result), size=4))
        x1 = x0 + (x1 - x0) // 8
        cv2.line(result, (x0, y0), (x1, y1), float(rng.choice([8.0, 95.0])), 1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 25))):
        x, y = (int(v) for v in rng.integers(0, len(result), size=2))
        cv2.circle(result, (x, y), int(rng.integers(0, 2)), float(rng.choice([10.0, 93.0])), -1)
    return result


def _smooth(image: Lightness, sigma: float) -> Lightness:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def _enlarge(image: Lightness, side: int, interpolation: int) -> Lightness:
    return np.asarray(cv2.resize(image, (side, side), interpolation=interpolation), np.float32)


_DAMAGES: list[Callable[[Lightness, np.random.Generator], Lightness]] = [
    _tone,
    _blur,
    _shrink,
    _grain,
    _stains,
    _scratches,
]
