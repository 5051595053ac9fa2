"""What decades, papers and scanners do to all of a print, which is not to be found or filled.

Also what belongs to a picture though it is as thin, bright or dark as damage: writing, fences,
spokes. A finder learns that they are sound.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Lightness = NDArray[np.float32]
_AS_IT_WAS = 0.25
"""Probability that a print is as sharp and clear as on its first day."""
_RESCALED, _LARGEST_RESCALING = 0.4, 2.5
"""Probability that a print was enlarged before it was scanned, or its scan was; times at most."""
_ENLARGE = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_LETTERS = "abcdefghiklmnorstuvwABEHKLMNRST123456789 "


def aged(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Enlarges, fades, softens, and gives texture to a print.

    Args:
        x: (H, W) L* in [0, 100].
        rng: source of the random choices.

    Returns:
        (H, W) L*, which may leave the range a little.
    """
    untouched = rng.random() < _AS_IT_WAS
    if not untouched and rng.random() < _RESCALED:
        x = _rescaled(x, rng)
    if rng.random() < 0.12:
        x = _with_pattern(x, rng)
    if rng.random() < 0.12:
        x = _with_writing(x, rng)
    if rng.random() < 0.12:
        x = _with_hand(x, rng)
    if rng.random() < 0.2:
        x = _with_border(x, rng)
    if untouched:
        return x
    if rng.random() < 0.5:
        low, high = rng.uniform(0, 25), rng.uniform(70, 100)
        x = low + x * np.float32((high - low) / 100)
    if rng.random() < 0.3:  # large prints and scans of high resolution are softer than their damage
        x = blurred(x, rng.uniform(0.5, 2.5))
    if rng.random() < 0.15:  # a shine of silver over what is dark
        sheen = field(x.shape, rng.uniform(0.1, 0.5), rng)
        shine = np.clip(sheen, 0, 1) * np.float32(rng.uniform(0.2, 0.8))
        x = x + (100 - x) ** 2 / 250 * shine
    if rng.random() < 0.15:
        x = x + _texture(x, rng)
    return x


def scanned(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Adds grain and the scanner's noise to lightness (H, W), and compresses it as JPEG does."""
    if rng.random() < 0.6:
        grain = rng.standard_normal(x.shape, np.float32)
        size = rng.uniform(0, 1.2)
        grain = blurred(grain, size)
        x = x + rng.uniform(0, 4) * grain / max(float(grain.std()), 1e-6)
    levels = np.clip(np.round(x * 2.55), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(40, 98))
        _, file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        levels = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
    return levels.astype(np.float32) / np.float32(2.55)


def _rescaled(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A part of it, enlarged to its size, as large soft scans are."""
    times = rng.uniform(1.2, _LARGEST_RESCALING)
    height, width = (max(8, round(side / times)) for side in x.shape)
    top, left = rng.integers(x.shape[0] - height + 1), rng.integers(x.shape[1] - width + 1)
    part = np.ascontiguousarray(x[top : top + height, left : left + width])
    how = int(rng.choice(_ENLARGE))
    return np.asarray(cv2.resize(part, x.shape[::-1], interpolation=how), np.float32)


def _texture(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Relief of silk or canvas paper, or the screen of a halftone print; L* to add."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(2.5, 9.0)
    rows, columns = np.mgrid[: x.shape[0], : x.shape[1]].astype(np.float32)
    between = np.pi / rng.choice([2.0, 3.0, 1.5])
    waves = [
        np.cos(2 * np.pi / period * (columns * np.cos(turn) + rows * np.sin(turn)))
        for turn in (angle, angle + between)
    ]
    relief = np.asarray(sum(waves) / 2, np.float32)
    if rng.random() < 0.5:  # a halftone: dots are largest in middle tones
        middle = np.clip(1 - np.abs(x - 50) / 50, 0, 1)
        return np.asarray(rng.uniform(4, 25) * relief * middle, np.float32)
    return np.asarray(rng.uniform(1, 7) * relief, np.float32)


def _with_pattern(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Parallel or radiating lines of one width: shutters, fences, spokes, rigging."""
    value, width = float(rng.uniform(0, 100)), int(rng.integers(1, 5))
    layer = np.zeros(x.shape, np.float32)
    side = max(x.shape)
    center, angle = rng.uniform(0, 1, 2) * x.shape[::-1], rng.uniform(0, np.pi)
    if rng.random() < 0.4:
        radius = rng.uniform(0.1, 0.6) * side
        for turn in angle + np.linspace(0, 2 * np.pi, rng.integers(5, 25), endpoint=False):
            line(layer, center, center + radius * np.array([np.cos(turn), np.sin(turn)]), width)
        cv2.circle(layer, (int(center[0]), int(center[1])), int(radius), 1.0, width, cv2.LINE_AA)
    else:
        along = np.array([np.cos(angle), np.sin(angle)])
        across, length = along[::-1] * (1, -1), rng.uniform(0.2, 1.5) * side
        step = width * rng.uniform(2.2, 8.0)
        for number in range(rng.integers(3, 14)):
            start = center + number * step * across
            line(layer, start, start + length * along, width)
    return over(x, layer * rng.uniform(0.4, 1.0), value)


def _with_writing(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A line of writing: a caption, a sign, a number on a plate."""
    text = "".join(rng.choice(list(_LETTERS), rng.integers(3, 14)))
    layer = np.zeros(x.shape, np.uint8)
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)
    place = (int(rng.integers(-20, x.shape[1] // 2)), int(rng.integers(10, x.shape[0])))
    size, width = rng.uniform(0.3, 1.2), int(rng.integers(1, 3))
    cv2.putText(layer, text, place, int(rng.choice(fonts)), size, 255, width, cv2.LINE_AA)
    shown = layer.astype(np.float32) * np.float32(rng.uniform(0.6, 1.0) / 255)
    return over(x, shown, float(rng.choice([rng.uniform(0, 30), 95.0])))


def _with_hand(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A caption or a signature: loops by hand, in lines of a few pixels."""
    place, size = rng.uniform(0, 1, 2) * x.shape[::-1], rng.uniform(3, 16)
    steps, slant = np.arange(0, rng.uniform(3, 20), 0.1), rng.uniform(-0.3, 0.8)
    wave = np.sin(2 * np.pi * steps + 0.8 * np.cumsum(0.3 * rng.standard_normal(len(steps))))
    height = size * wave * rng.choice([0.5, 1.0, 1.8], len(steps) // 10 + 1).repeat(10)[: len(wave)]
    turn = size * rng.uniform(0.2, 0.8) * np.cos(2 * np.pi * steps)
    along = size * rng.uniform(0.5, 1.2) * steps + turn + slant * height
    angle = rng.uniform(-0.4, 0.4)
    across = (along * np.cos(angle) - height * np.sin(angle)) + place[0]
    down = (along * np.sin(angle) + height * np.cos(angle)) + place[1]
    points = np.round(16 * np.stack([across, down], 1)).astype(np.int32)
    layer = np.zeros(x.shape, np.uint8)
    breaks = np.flatnonzero(rng.random(len(points)) < 0.02)
    for word in np.split(points, breaks):
        cv2.polylines(layer, [word], False, 255, int(rng.integers(1, 4)), cv2.LINE_AA, 4)
    shown = layer.astype(np.float32) * np.float32(rng.uniform(0.5, 1.0) / 255)
    return over(x, shown, float(rng.choice([rng.uniform(0, 30), rng.uniform(85, 100)])))


def _with_border(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Blank paper at some edges, straight or wavy, and at times the bed behind it."""
    height, width = x.shape
    widths = rng.uniform(0.01, 0.12, 4) * min(x.shape) * (rng.random(4) < 0.6)
    paper, bed = rng.uniform(70, 100), rng.choice([rng.uniform(0, 20), 97.0])
    for value, share in ((paper, 1.0), (bed, 0.5)):
        inner = np.zeros(x.shape, np.float32)
        top, bottom, left, right = (int(one * share) for one in widths)
        inner[top : height - bottom, left : width - right] = 1
        wave = rng.uniform(0, 2.5) * field(x.shape, rng.uniform(0.02, 0.2), rng)
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        inner = np.asarray(cv2.remap(inner, columns + wave, rows + wave, cv2.INTER_LINEAR))
        x = over(x, 1 - blurred(inner, rng.uniform(0, 1.2)), float(value))
        if rng.random() < 0.5:
            break
    return x


def over(x: Lightness, alpha: Lightness, value: float | Lightness) -> Lightness:
    """Lightness with L* laid over it, as far as alpha, (H, W) in [0, 1], says."""
    return (x + alpha * (np.float32(value) - x)).astype(np.float32)


def line(
    layer: Lightness, start: NDArray[np.float64], end: NDArray[np.float64], width: float
) -> None:
    """Draws a stroke of any width, antialiased; below one pixel it is as much weaker."""
    stroke = np.zeros(layer.shape, np.float32) if width < 1 else layer
    ends = (tuple(int(v) for v in np.round(point * 16)) for point in (start, end))
    first, second = ends
    cv2.line(stroke, first, second, 1.0, max(1, round(width)), cv2.LINE_AA, 4)
    if width < 1:
        np.maximum(layer, width * stroke, out=layer)


def field(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Lightness:
    """Smooth noise of std 1; scale is its grain as a share of the longer side."""
    cells = int(np.clip(1 / max(scale, 1e-3), 2, max(shape)))
    coarse = rng.standard_normal((cells, cells), np.float32)
    smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (smooth / max(float(smooth.std()), 1e-6)).astype(np.float32)


def blurred(x: Lightness, sigma: float) -> Lightness:
    """Blurred by a Gaussian; below a fifth of a pixel the same."""
    if sigma < 0.2:
        return x
    return np.asarray(
        cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32
    )
