"""Prints as decades leave them: cracks, folds, scratches, dust, spots, torn corners.

A finder learns from lightness that is worn so, and from lightness that is only grainy, blurred or
mirrored, where nothing is to be found.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

SEEN, PLAIN = 2.0, 10.0
"""Differences in L* below which nobody sees damage, and from which on everybody does."""
UNWORN = 0.5
"""Probability that there is no damage, for a finder: it learns from undamaged prints, too."""

Lightness = NDArray[np.float32]


def wear(
    lightness: Lightness, rng: np.random.Generator, unworn: float = UNWORN
) -> tuple[Lightness, Lightness, Lightness]:
    """Draws damage over lightness, and says where.

    Args:
        lightness: (H, W) L* in [0, 100].
        rng: source of the random choices.
        unworn: probability that there is no damage.

    Returns:
        The worn print as a scanner sees it and the same print without the damage, both (H, W)
        float32 in [0, 100] and equally faded, soft, grainy and compressed; and (H, W) float32, how
        plain the damage of a pixel is, from 0 at a difference of `SEEN` to 1 at `PLAIN`.
    """
    before = _aged(lightness, rng)
    after = before
    if rng.random() >= unworn:
        for kind in rng.choice(len(_KINDS), size=rng.integers(1, 4), p=_SHARES):
            after = _KINDS[kind](after, rng)
    softness = rng.uniform(0.0, 0.9)
    before, after = _blurred(before, softness), _blurred(after, softness)
    scan = int(rng.integers(2**31))  # the same for both
    worn, clean = (_scanned(x, np.random.default_rng(scan)) for x in (after, before))
    plain = (np.abs(after - before) - SEEN) / (PLAIN - SEEN)
    return worn, clean, np.clip(plain, 0, 1).astype(np.float32)


def _cracks(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Branching cracks of 1 to 15 pixels; white paper or shadow shows in them."""
    width = float(np.exp(rng.uniform(np.log(1.0), np.log(15.0))))
    value = _value(x, rng)
    layer = np.zeros(x.shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        start = rng.uniform(0, 1, 2) * x.shape[::-1]
        _branch(layer, start, rng.uniform(0, 2 * np.pi), width, rng, depth=3)
    layer = _ragged(layer, width, rng)
    result = _over(x, layer * rng.uniform(0.65, 1.0), value)
    if width > 2.5 and rng.random() < 0.6:  # one rim lies in shadow, or is lifted into the light
        x_shift, y_shift = rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)
        shift = np.array([[1, 0, x_shift], [0, 1, y_shift]], np.float32)
        shifted = cv2.warpAffine(layer, shift, (x.shape[1], x.shape[0]))
        rim = np.clip(shifted - layer, 0, 1).astype(np.float32)
        result = _over(result, rim * rng.uniform(0.4, 0.9), 100 - value)
    return result


def _branch(
    layer: Lightness,
    place: NDArray[np.float64],
    angle: float,
    width: float,
    rng: np.random.Generator,
    depth: int,
) -> None:
    """Draws one crack and what branches off it; it gets thinner, and bends at random."""
    side = max(layer.shape)
    length = rng.uniform(0.2, 1.2) * side
    step = max(2.0, rng.uniform(2.0, 8.0))
    bend, kink = rng.uniform(0.05, 0.4), rng.uniform(0.0, 0.15)
    for i in range(int(length / step)):
        angle += bend * rng.standard_normal()
        if rng.random() < kink:
            angle += rng.uniform(-1.0, 1.0)
        there = place + step * np.array([np.cos(angle), np.sin(angle)])
        now = width * rng.uniform(0.6, 1.2) * (1 - 0.6 * i * step / length)
        _line(layer, place, there, now)
        place = there
        if not (-20 < place[0] < layer.shape[1] + 20 and -20 < place[1] < layer.shape[0] + 20):
            return
        if depth and rng.random() < 0.035 * step / 3:
            side_angle = angle + rng.choice([-1, 1]) * rng.uniform(0.5, 1.5)
            _branch(layer, place, side_angle, width * rng.uniform(0.4, 0.8), rng, depth - 1)


def _scratches(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Long thin strokes, nearly straight, several side by side."""
    layer = np.zeros(x.shape, np.float32)
    side = max(x.shape)
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(1, 7)):
        place = rng.uniform(0, 1, 2) * x.shape[::-1]
        turn = angle + 0.15 * rng.standard_normal()
        curve = rng.uniform(-0.01, 0.01)
        width = rng.uniform(0.7, 2.5)
        strength = rng.uniform(0.4, 1.0)
        stroke = np.zeros(x.shape, np.float32)
        for _ in range(int(rng.uniform(0.2, 1.5) * side / 6)):
            there = place + 6 * np.array([np.cos(turn), np.sin(turn)])
            if rng.random() < 0.93:
                _line(stroke, place, there, width)
            place, turn = there, turn + curve
        layer = np.maximum(layer, strength * stroke)
    return _over(x, layer, _value(x, rng))


def _fold(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A straight fold: a shadow or shine across it, and emulsion that is lost along it."""
    angle = rng.uniform(0, np.pi)
    normal = np.array([-np.sin(angle), np.cos(angle)])
    rows, columns = np.mgrid[: x.shape[0], : x.shape[1]].astype(np.float32)
    center = rng.uniform(0.15, 0.85, 2) * x.shape[::-1]
    wave = rng.uniform(0, 2.0) * np.sin(
        (columns * np.cos(angle) + rows * np.sin(angle)) / rng.uniform(15, 60)
    )
    distance = (columns - center[0]) * normal[0] + (rows - center[1]) * normal[1] + wave
    wide = rng.uniform(1, 4)
    shading = rng.uniform(-25, 25) * np.exp(-np.abs(distance) / wide)
    if rng.random() < 0.5:  # light on one side, shadow on the other
        shading *= np.tanh(distance / 2)
    core = np.clip(rng.uniform(0.6, 5) / 2 - np.abs(distance) + 0.5, 0, 1).astype(np.float32)
    core = _ragged(core, 3, rng) * rng.uniform(0.3, 1.0)
    return _over(x + shading.astype(np.float32), core, _value(x, rng))


def _dust(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Dust, pinholes and fibers, sharp, all light or all dark."""
    layer = np.zeros(x.shape, np.float32)
    value = _value(x, rng)
    for _ in range(rng.integers(1, 25)):
        place = rng.uniform(0, 1, 2) * x.shape[::-1]
        if rng.random() < 0.15:
            _fiber(layer, place, rng)
        else:
            radius = float(np.exp(rng.uniform(np.log(0.6), np.log(5.0))))
            _blob(layer, place, radius, rng)
    return _over(x, layer * rng.uniform(0.5, 1.0), value)


def _fiber(layer: Lightness, place: NDArray[np.float64], rng: np.random.Generator) -> None:
    turn, curve, width = rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25), rng.uniform(0.7, 1.6)
    for _ in range(rng.integers(4, 20)):
        there = place + 2.5 * np.array([np.cos(turn), np.sin(turn)])
        _line(layer, place, there, width)
        curve += 0.08 * rng.standard_normal()
        place, turn = there, turn + curve


def _spots(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Stains, flakes and mold: larger blobs with an outline of their own, some with a dark rim."""
    result = x
    for _ in range(rng.integers(1, 5)):
        layer = np.zeros(x.shape, np.float32)
        radius = float(np.exp(rng.uniform(np.log(3.0), np.log(18.0))))
        _blob(layer, rng.uniform(0, 1, 2) * x.shape[::-1], radius, rng)
        value = _value(x, rng)
        edge = _blurred(layer, rng.uniform(0.4, 2.0))
        result = _over(result, edge * rng.uniform(0.35, 1.0), value)
        if rng.random() < 0.4:
            kernel = np.ones((3, 3), np.uint8)
            rim = cv2.dilate(edge, kernel, iterations=2) - cv2.erode(edge, kernel)
            result = _over(result, np.clip(rim, 0, 1) * rng.uniform(0.2, 0.7), 100 - value)
    return result


def _torn(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A corner or edge that is missing: flat bed or mount, behind a ragged outline."""
    height, width = x.shape
    points = [np.array([0.0, 0.0]), np.array([rng.uniform(0.1, 0.6) * width, 0.0])]
    end = np.array([0.0, rng.uniform(0.1, 0.6) * height])
    for share in np.linspace(0, 1, 14)[1:-1]:
        points.append(points[1] * (1 - share) + end * share + 0.03 * width * rng.standard_normal(2))
    polygon = np.array([*points, end])
    layer = np.zeros(x.shape, np.float32)
    cv2.fillPoly(layer, [np.round(polygon * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    if height == width:
        layer = np.ascontiguousarray(np.rot90(layer, int(rng.integers(4))))
    rim = int(rng.integers(1, 5))
    paper = np.asarray(cv2.dilate(layer, np.ones((3, 3), np.uint8), iterations=rim), np.float32)
    result = _over(x, paper, rng.uniform(75, 100))
    return _over(result, layer, rng.choice([rng.uniform(0, 15), rng.uniform(85, 100)]))


_KINDS: tuple[Callable[[Lightness, np.random.Generator], Lightness], ...] = (
    _cracks,
    _scratches,
    _fold,
    _dust,
    _spots,
    _torn,
)
_SHARES = (0.3, 0.2, 0.12, 0.2, 0.13, 0.05)


def _aged(x: Lightness, rng: np.random.Generator) -> Lightness:
    """What age does to all of a print, which is not to be found: fading, silver mirroring."""
    if rng.random() < 0.5:
        low, high = rng.uniform(0, 25), rng.uniform(70, 100)
        x = low + x * np.float32((high - low) / 100)
    if rng.random() < 0.3:  # large prints and scans of high resolution are softer than their damage
        x = _blurred(x, rng.uniform(0.5, 2.5))
    if rng.random() < 0.15:  # a shine of silver over what is dark
        sheen = _field(x.shape, rng.uniform(0.1, 0.5), rng)
        shine = np.clip(sheen, 0, 1) * np.float32(rng.uniform(0.2, 0.8))
        x = x + (100 - x) ** 2 / 250 * shine
    return x


def _scanned(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Grain, the scanner's noise, and JPEG."""
    if rng.random() < 0.6:
        grain = rng.standard_normal(x.shape, np.float32)
        size = rng.uniform(0, 1.2)
        grain = _blurred(grain, size)
        x = x + rng.uniform(0, 4) * grain / max(float(grain.std()), 1e-6)
    levels = np.clip(np.round(x * 2.55), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(40, 98))
        _, file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        levels = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
    return levels.astype(np.float32) / np.float32(2.55)


def _value(x: Lightness, rng: np.random.Generator) -> float:
    """What shows in damage: white paper, darkness, or a tone between."""
    choice = rng.random()
    if choice < 0.55:
        return float(rng.uniform(80, 100))
    return float(rng.uniform(0, 20) if choice < 0.85 else rng.uniform(20, 80))


def _over(x: Lightness, alpha: Lightness, value: float) -> Lightness:
    return (x + alpha * (np.float32(value) - x)).astype(np.float32)


def _line(
    layer: Lightness, start: NDArray[np.float64], end: NDArray[np.float64], width: float
) -> None:
    """A stroke of any width, antialiased; below one pixel it is as much weaker."""
    stroke = np.zeros(layer.shape, np.float32) if width < 1 else layer
    ends = (tuple(int(v) for v in np.round(point * 16)) for point in (start, end))
    first, second = ends
    cv2.line(stroke, first, second, 1.0, max(1, round(width)), cv2.LINE_AA, 4)
    if width < 1:
        np.maximum(layer, width * stroke, out=layer)


def _blob(
    layer: Lightness, place: NDArray[np.float64], radius: float, rng: np.random.Generator
) -> None:
    """A round shape with an uneven outline."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    phases = rng.uniform(0, 2 * np.pi, 4)
    uneven = sum(
        rng.uniform(0, 0.25) * np.sin((k + 1) * angles + phase) for k, phase in enumerate(phases)
    )
    stretch = np.array([rng.uniform(0.5, 1.5), 1.0])
    around = np.stack([np.cos(angles), np.sin(angles)], 1)
    outline = place + radius * (1 + uneven)[:, None] * around * stretch
    cv2.fillPoly(layer, [np.round(outline * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)


def _ragged(layer: Lightness, width: float, rng: np.random.Generator) -> Lightness:
    """Eats holes and notches into a crack."""
    noise = _field(layer.shape, max(1.0, width / 2) / max(layer.shape), rng)
    strength = rng.uniform(0, 0.7)
    return np.clip(layer * (1 + strength * noise) - 0.15 * strength, 0, 1).astype(np.float32)


def _field(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Lightness:
    """Smooth noise of std 1; scale is its grain as a share of the longer side."""
    cells = int(np.clip(1 / max(scale, 1e-3), 2, max(shape)))
    coarse = rng.standard_normal((cells, cells), np.float32)
    field = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (field / max(float(field.std()), 1e-6)).astype(np.float32)


def _blurred(x: Lightness, sigma: float) -> Lightness:
    if sigma < 0.2:
        return x
    return np.asarray(
        cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32
    )
