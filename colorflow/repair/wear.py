"""Prints as decades leave them: cracks, nets of them, folds, scratches, dust, spots, lost emulsion.

A finder learns from lightness that is worn so, and from lightness that is only aged (`aging`),
where nothing is to be found.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.repair.aging import Lightness, aged, blurred, field, line, over, scanned

SEEN, PLAIN = 2.0, 10.0
"""Differences in L* below which nobody sees damage, and from which on everybody does."""
UNWORN = 0.2
"""Probability that there is no damage, for a finder: it learns from undamaged prints, too."""


def wear(
    lightness: Lightness,
    rng: np.random.Generator,
    unworn: float = UNWORN,
    laid: tuple[Lightness, Lightness] | None = None,
) -> tuple[Lightness, Lightness, Lightness]:
    """Draws damage over lightness, and says where.

    Args:
        lightness: (H, W) L* in [0, 100].
        rng: source of the random choices.
        unworn: probability that there is no damage.
        laid: damage of another print to lay over it, in place of drawn damage: how much it covers,
            0 to 1, and its L*, both (H, W).

    Returns:
        The worn print as a scanner sees it and the same print without the damage, both (H, W)
        float32 in [0, 100] and equally faded, soft, grainy and compressed; and (H, W) float32, how
        plain the damage of a pixel is, from 0 at a difference of `SEEN` to 1 at `PLAIN`.
    """
    before = aged(lightness, rng)
    after = before
    if laid is not None:
        after = over(before, *laid)
    elif rng.random() >= unworn:
        for kind in rng.choice(len(_KINDS), size=rng.integers(1, 4), p=_SHARES):
            after = _KINDS[kind](after, rng)
    softness = rng.uniform(0.0, 0.9 if rng.random() < 0.8 else 2.0)
    before, after = blurred(before, softness), blurred(after, softness)
    scan = int(rng.integers(2**31))  # the same for both
    worn, clean = (scanned(x, np.random.default_rng(scan)) for x in (after, before))
    plain = (np.abs(after - before) - SEEN) / (PLAIN - SEEN)
    return worn, clean, np.clip(plain, 0, 1).astype(np.float32)


def scratch(
    lightness: Lightness, rng: np.random.Generator
) -> tuple[Lightness, Lightness, Lightness]:
    """Draws what is thin or small over sharp lightness to which nothing else has happened.

    Grass and walls have their full contrast there, which `aging` mostly takes from them.

    Args:
        lightness: (H, W) L* in [0, 100].
        rng: source of the random choices.

    Returns:
        As of `wear`.
    """
    after = lightness
    if rng.random() >= UNWORN:
        for kind in rng.choice(len(_SCRATCHING), size=rng.integers(1, 4), p=_SCRATCHING_SHARES):
            after = _SCRATCHING[kind](after, rng)
    damage = after - lightness
    if rng.random() < _SOFT_SHARE:
        damage = blurred(damage, rng.uniform(0.3, 0.9))
    worn = np.clip(lightness + damage, 0, 100).astype(np.float32)
    plain = np.clip((np.abs(worn - lightness) - SEEN) / (PLAIN - SEEN), 0, 1)
    if rng.random() < _SOFT_SHARE:
        worn = scanned(worn, rng)
    levels = np.round(worn * 2.55) / 2.55
    return levels.astype(np.float32), lightness, plain.astype(np.float32)


def _cracks(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Branching cracks of 1 to 15 pixels; white paper or shadow shows in them."""
    width = float(np.exp(rng.uniform(np.log(1.0), np.log(15.0))))
    value = _value(x, rng)
    layer = np.zeros(x.shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        start = rng.uniform(0, 1, 2) * x.shape[::-1]
        _branch(layer, start, rng.uniform(0, 2 * np.pi), width, rng, depth=3)
    layer = _ragged(layer, width, rng)
    result = over(x, layer * rng.uniform(0.65, 1.0), _paper(x.shape, value, rng))
    if width > 2.5 and rng.random() < 0.6:  # one rim lies in shadow, or is lifted into the light
        x_shift, y_shift = rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)
        shift = np.array([[1, 0, x_shift], [0, 1, y_shift]], np.float32)
        shifted = cv2.warpAffine(layer, shift, (x.shape[1], x.shape[0]))
        rim = np.clip(shifted - layer, 0, 1).astype(np.float32)
        result = over(result, rim * rng.uniform(0.4, 0.9), 100 - value)
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
        line(layer, place, there, now)
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
                line(stroke, place, there, width)
            place, turn = there, turn + curve
        layer = np.maximum(layer, strength * stroke)
    return over(x, layer, _value(x, rng))


def _strokes(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Strokes of something sharp, or of a pen: of even width and tone, across whatever is there."""
    for _ in range(rng.integers(1, 4)):
        layer = np.zeros(x.shape, np.float32)
        width, step = float(np.exp(rng.uniform(np.log(1.0), np.log(8.0)))), rng.uniform(4.0, 12.0)
        place, turn = rng.uniform(0, 1, 2) * x.shape[::-1], rng.uniform(0, 2 * np.pi)
        curve, corners = 0.1 * rng.standard_normal(), rng.uniform(0, 0.15)
        for _ in range(int(rng.uniform(0.1, 1.3) * max(x.shape) / step)):
            there = place + step * np.array([np.cos(turn), np.sin(turn)])
            line(layer, place, there, width)
            curve = 0.9 * curve + 0.03 * rng.standard_normal()
            turn += curve if rng.random() > corners else rng.uniform(-1.2, 1.2)
            place = there
        tone = _value(x, rng) + rng.uniform(0, 4) * rng.standard_normal(x.shape, np.float32)
        alpha = layer * np.float32(rng.uniform(0.75, 1.0))
        x = np.asarray(x + alpha * (tone - x), np.float32)
    return x


def _negative(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Scratches of a film that was drawn through something: straight, thin, from edge to edge."""
    layer = np.zeros(x.shape, np.float32)
    angle = rng.choice([0.0, np.pi / 2]) + 0.03 * rng.standard_normal()
    along = np.array([np.cos(angle), np.sin(angle)]) * 2 * max(x.shape)
    for _ in range(rng.integers(1, 5)):
        middle = rng.uniform(0, 1, 2) * x.shape[::-1]
        line(layer, middle - along, middle + along, rng.uniform(0.6, 2.2))
    broken = np.clip(1 + rng.uniform(0, 1) * field(x.shape, rng.uniform(0.05, 0.3), rng), 0, 1)
    return over(x, layer * np.float32(rng.uniform(0.4, 1.0)) * broken, _value(x, rng))


def _net(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A net of fine cracks, over all or a part: borders of the cells of random points (Voronoi)."""
    cell = rng.uniform(16, 60)
    height, width = x.shape
    cells = cv2.Subdiv2D((-width, -height, 3 * width, 3 * height))
    for point in rng.uniform(-0.2, 1.2, (max(4, int(2 * x.size / cell**2)), 2)) * (width, height):
        cells.insert((float(point[0]), float(point[1])))
    layer, thick = np.zeros(x.shape, np.float32), float(rng.uniform(0.7, min(3.0, cell / 8)))
    for facet in cells.getVoronoiFacetList([])[0]:
        for start, end in pairwise([*facet, facet[0]]):
            line(layer, np.asarray(start, float), np.asarray(end, float), thick)
    jitter, scale = np.float32(rng.uniform(0, 0.15) * cell), cell / 3 / max(x.shape)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    across, down = (place + jitter * field(x.shape, scale, rng) for place in (columns, rows))
    layer = np.asarray(cv2.remap(layer, across, down, cv2.INTER_LINEAR), np.float32)
    layer = _ragged(layer, 2 * thick, rng)
    if rng.random() < 0.6:
        layer *= np.clip(2 * field(x.shape, rng.uniform(0.2, 0.6), rng), 0, 1)
    return over(x, layer * rng.uniform(0.5, 1.0), _value(x, rng))


def _lost(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Emulsion that has flaked off: ragged islands, sharp at their edges, some with a shadow."""
    coarse = field(x.shape, rng.uniform(0.03, 0.3), rng)
    rough = coarse + rng.uniform(0.1, 0.5) * field(x.shape, rng.uniform(0.01, 0.04), rng)
    layer = np.clip((rough - rng.uniform(1.5, 2.6)) * rng.uniform(4, 20), 0, 1).astype(np.float32)
    value = _value(x, rng)
    if rng.random() < 0.4:
        rim = cv2.dilate(layer, np.ones((3, 3), np.uint8)) - layer
        x = over(x, np.asarray(rim, np.float32) * rng.uniform(0.2, 0.8), 100 - value)
    return over(x, layer * np.float32(rng.uniform(0.6, 1.0)), _paper(x.shape, value, rng))


def _tape(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A strip of tape or of its glue, nearly opaque."""
    layer = np.zeros(x.shape, np.float32)
    place, angle = rng.uniform(0, 1, 2) * x.shape[::-1], rng.uniform(0, np.pi)
    along = rng.uniform(0.15, 1.2) * max(x.shape) * np.array([np.cos(angle), np.sin(angle)])
    line(layer, place - along, place + along, float(rng.uniform(8, 30)))
    uneven = 1 + rng.uniform(0, 0.15) * field(x.shape, rng.uniform(0.05, 0.3), rng)
    alpha = np.clip(layer * uneven, 0, 1) * np.float32(rng.uniform(0.5, 0.95))
    return over(x, alpha.astype(np.float32), rng.uniform(60, 98))


def _fold(x: Lightness, rng: np.random.Generator) -> Lightness:
    """A fold: light and shadow across it, and along it a band, now wide, now none, of torn paper.

    Fibers of paper show in the band, and one side of it lies in shadow.
    """
    angle, rough = rng.uniform(0, np.pi), rng.uniform(0, 1)
    rows, columns = np.mgrid[: x.shape[0], : x.shape[1]].astype(np.float32)
    center = rng.uniform(0.1, 0.9, 2) * x.shape[::-1]
    along = (columns - center[0]) * np.cos(angle) + (rows - center[1]) * np.sin(angle)
    across = (rows - center[1]) * np.cos(angle) - (columns - center[0]) * np.sin(angle)
    across += rng.uniform(0, 6) * _along(along, rng.uniform(30, 150), rng)
    wide = float(np.exp(rng.uniform(np.log(1.0), np.log(12.0))))
    shading = rng.uniform(-25, 25) * np.exp(-np.abs(across) / wide)
    if rng.random() < 0.5:  # light on one side, shadow on the other
        shading *= np.tanh(across / wide)
    half = float(np.exp(rng.uniform(np.log(0.4), np.log(9.0))))
    profile = half * np.exp(rng.uniform(0, 0.8) * _along(along, rng.uniform(15, 80), rng))
    profile *= np.clip(1.5 - rng.uniform(0, 1.5) * _along(along, rng.uniform(20, 200), rng), 0, 1)
    torn = profile + rough * min(2.0, half) * _along(along, rng.uniform(2, 8), rng)
    edge = np.abs(across + rough * _along(along, rng.uniform(2, 10), rng))
    band = np.clip(torn - edge + 0.5, 0, 1).astype(np.float32)
    value = _value(x, rng)
    result = np.asarray(x + shading, np.float32)
    if rng.random() < 0.5:
        shadow = np.clip(torn + rng.uniform(1, 4) - edge, 0, 1) * (across > 0)
        result = over(result, shadow.astype(np.float32) * rng.uniform(0.2, 0.8), 100 - value)
    return over(result, band * rng.uniform(0.4, 1.0), _paper(x.shape, value, rng))


def _creases(x: Lightness, rng: np.random.Generator) -> Lightness:
    """Creases whose emulsion has held: light falls on one side of them, and shadow on the other."""
    layer = np.zeros(x.shape, np.float32)
    for _ in range(rng.integers(1, 6)):
        start = rng.uniform(0, 1, 2) * x.shape[::-1]
        _branch(layer, start, rng.uniform(0, 2 * np.pi), rng.uniform(1, 5), rng, depth=1)
    ridge, turn = blurred(layer, rng.uniform(0.6, 3.0)), rng.uniform(0, 2 * np.pi)
    across = rng.uniform(0.5, 2.5) * np.array([np.cos(turn), np.sin(turn)])
    sides = (
        cv2.warpAffine(ridge, np.array([[1, 0, x_shift], [0, 1, y_shift]]), x.shape[::-1])
        for x_shift, y_shift in (across, -across)
    )
    lit, shaded = (side * rng.uniform(10, 60) for side in sides)
    return np.asarray(x + lit - shaded, np.float32)


def _along(place: NDArray[np.float32], step: float, rng: np.random.Generator) -> Lightness:
    """Noise of std 1 along a line, between knots that are a step apart, at places on it."""
    least, most = float(place.min()), float(place.max())
    knots = np.arange(least - step, most + 2 * step, step)
    return np.interp(place, knots, rng.standard_normal(len(knots))).astype(np.float32)


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
    return over(x, layer * rng.uniform(0.5, 1.0), value)


def _fiber(layer: Lightness, place: NDArray[np.float64], rng: np.random.Generator) -> None:
    turn, curve, width = rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25), rng.uniform(0.7, 1.6)
    for _ in range(rng.integers(4, 20)):
        there = place + 2.5 * np.array([np.cos(turn), np.sin(turn)])
        line(layer, place, there, width)
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
        edge = blurred(layer, rng.uniform(0.4, 2.0))
        result = over(result, edge * rng.uniform(0.35, 1.0), _paper(x.shape, value, rng))
        if rng.random() < 0.4:
            kernel = np.ones((3, 3), np.uint8)
            rim = cv2.dilate(edge, kernel, iterations=2) - cv2.erode(edge, kernel)
            result = over(result, np.clip(rim, 0, 1) * rng.uniform(0.2, 0.7), 100 - value)
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
    result = over(x, paper, rng.uniform(75, 100))
    return over(result, layer, rng.choice([rng.uniform(0, 15), rng.uniform(85, 100)]))


_KINDS: tuple[Callable[[Lightness, np.random.Generator], Lightness], ...] = (
    _cracks,
    _net,
    _scratches,
    _strokes,
    _negative,
    _fold,
    _creases,
    _dust,
    _spots,
    _lost,
    _torn,
    _tape,
)
_SHARES = (0.16, 0.08, 0.08, 0.18, 0.04, 0.14, 0.06, 0.12, 0.05, 0.05, 0.02, 0.02)
_SCRATCHING, _SCRATCHING_SHARES = (_strokes, _dust, _spots, _cracks), (0.65, 0.12, 0.08, 0.15)
_SOFT_SHARE = 0.3
"""Of sharp photos with scratches: those that are soft, and those that a scanner saw."""


def _value(x: Lightness, rng: np.random.Generator) -> float:
    """What shows in damage: white paper, darkness, or a tone between."""
    choice = rng.random()
    if choice < 0.55:
        return float(rng.uniform(80, 100))
    return float(rng.uniform(0, 20) if choice < 0.85 else rng.uniform(20, 80))


def _paper(shape: tuple[int, ...], value: float, rng: np.random.Generator) -> Lightness:
    """L* of what shows: even, or with the fibers and grain of paper."""
    if rng.random() < 0.4:
        return np.full(shape, value, np.float32)
    coarse, fine = field(shape, rng.uniform(0.02, 0.1), rng), field(shape, 0.007, rng)
    grain = rng.standard_normal(shape, np.float32)
    uneven = rng.uniform(0, 8) * coarse + rng.uniform(0, 8) * fine + rng.uniform(0, 3) * grain
    return np.asarray(value + uneven, np.float32)


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
    noise = field(layer.shape, max(1.0, width / 2) / max(layer.shape), rng)
    strength = rng.uniform(0, 0.7)
    return np.clip(layer * (1 + strength * noise) - 0.15 * strength, 0, 1).astype(np.float32)
