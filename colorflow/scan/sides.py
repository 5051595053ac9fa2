"""The sides of a print, moved to where a scan changes most across them, and what speaks for them.

What lies just outside a side is the bed there, in whatever light or shadow. A side is the line up
to which the scan stays like that, along which it changes sharply, and behind which it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_PLACES = 48
"""Along a side, at which is looked across it."""
_STEP = 2
"""Pixels on either side of a line, between which a change across it is measured."""
_MOST_CHANGE = 10.0
"""Spreads of the bed; a larger change says no more, so that few places do not decide."""
_SOFT_CHANGE = 3.0
"""Spreads of the bed, up to which texture and shadows change."""
_STEEPEST = 20
"""Pixels by which a side may be off at one end more than at the other."""

INWARD = 1.0
"""Pixels by which found sides are to be moved inward: nothing of the bed stays."""


@dataclass(frozen=True, slots=True)
class Side:
    """A side of a print.

    Attributes:
        line: (a, b, c) of a x + b y + c = 0, with (a, b) of length 1, inward.
        support: the share of it where the scan changes more than beside it.
        outside: the share of it with nothing but the bed just outside.
    """

    line: NDArray[np.float64]
    support: float
    outside: float

    @property
    def quality(self) -> float:
        """From 0 to 1."""
        return self.support * self.outside


def side_of(
    scan: NDArray[np.float32],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    outer: int,
    inner: int,
) -> Side:
    """The side of a print near a line from one corner to another.

    Args:
        scan: (H, W, 3), in spreads of the bed (`Bed.compared`).
        first: the corner where the side begins, clockwise.
        second: the corner where it ends.
        outer: pixels inward of that line, from which on is looked; negative ones are outward.
        inner: pixels inward of that line, up to which is looked.
    """
    places, base, inward = _base(first, second, outer)
    depth = inner - outer
    seen = _across(scan, base, inward, depth + 1 + 4 * _STEP)
    change = _norm(seen[:, 2 * _STEP : -2 * _STEP] - seen[:, : -4 * _STEP])
    clipped = np.minimum(change, _MOST_CHANGE)
    nearby = cv2.blur(seen[:, :3].mean(1)[:, None], (1, 9))
    inside = np.minimum(_norm(seen[:, 4 * _STEP :] - nearby), _MOST_CHANGE) / _MOST_CHANGE
    crossed = np.maximum.accumulate(clipped, axis=1)
    crossed = np.pad(crossed, ((0, 0), (2 * _STEP, 0)))[:, : depth + 1]  # before that change
    still_bed = 1 - np.clip((crossed - _SOFT_CHANGE) / (_MOST_CHANGE - _SOFT_CHANGE), 0, 1)
    rows = np.arange(_PLACES)
    best = _best_line(np.asarray(clipped * (0.1 + still_bed**2) * (0.3 + inside)), places)
    near = np.clip(best[:, None] + np.arange(-2 * _STEP, 2 * _STEP + 1), 0, depth)
    sharpest = near[rows, np.argmax(change[rows[:, None], near], 1)]
    near = sharpest[:, None] + np.arange(2 * _STEP)  # the pixels between which that change is
    weights = _norm(np.diff(seen, axis=1))[rows[:, None], near] ** 2 + 1e-6
    offsets = (weights * (near + 0.5)).sum(1) / weights.sum(1)
    usual = change[np.arange(depth + 1) < best[:, None] - 2 * _STEP]
    strong = change[rows, sharpest] > 2.0 + 2.0 * (np.median(usual) if len(usual) else 0.0)
    chosen = base + offsets[:, None] * inward
    chosen = chosen[strong] if strong.sum() > _PLACES // 8 else chosen
    line = _through(chosen, inward)
    return Side(line, float(strong.mean()), float((still_bed[rows, best] > 0.5).mean()))


def strip(
    scan: NDArray[np.float32], first: NDArray[np.float64], second: NDArray[np.float64], inner: int
) -> NDArray[np.float32]:
    """What is seen along a line from one corner to another, moved inward by pixels, (N, 1, 3)."""
    _, base, inward = _base(first, second, inner)
    return _across(scan, base, inward, 1)


def meeting(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where two lines (a, b, c) meet."""
    x, y, scale = np.cross(a, b)
    return np.array([x, y]) / scale


def corners_of(lines: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Where four lines meet, clockwise from the first, which begins at the first corner, (4, 2)."""
    before = [lines[-1], *lines[:-1]]
    return np.array([meeting(a, b) for a, b in zip(before, lines, strict=True)])


def _base(
    first: NDArray[np.float64], second: NDArray[np.float64], moved: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Places along a side, from 0 to 1, their points (N, 2), moved inward, and that direction."""
    along = (second - first) / np.linalg.norm(second - first)
    inward = np.array([-along[1], along[0]])
    places = np.linspace(0.04, 0.96, _PLACES)
    return places, first + (second - first) * places[:, None] + moved * inward, inward


def _across(
    scan: NDArray[np.float32], base: NDArray[np.float64], inward: NDArray[np.float64], count: int
) -> NDArray[np.float32]:
    """What is seen a pixel apart from each place (N, 2) inward, (N, count, 3)."""
    points = base[:, None] + np.arange(count)[:, None] * inward - 0.5
    x, y = (np.ascontiguousarray(points[..., axis], np.float32) for axis in (0, 1))
    seen = cv2.remap(scan, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _norm(differences: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(np.einsum("...c,...c->...", differences, differences)), np.float32)


def _best_line(score: NDArray[np.floating], places: NDArray[np.float64]) -> NDArray[np.intp]:
    """The offset at each place of the line with the highest mean score (N, offsets)."""
    count = score.shape[1]
    share = (places - places[0]) / (places[-1] - places[0])
    steep = np.arange(-min(_STEEPEST, count - 1), min(_STEEPEST, count - 1) + 1)
    rise = np.round(steep[:, None] * (share - 0.5)).astype(np.intp)
    offsets = np.clip(np.arange(count)[:, None, None] + rise, 0, count - 1)
    means = score[np.arange(len(share)), offsets].mean(-1)
    return np.asarray(offsets[np.unravel_index(np.argmax(means), means.shape)], np.intp)


def _through(points: NDArray[np.float64], inward: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line (a, b, c) through points, with (a, b) inward."""
    vx, vy, x, y = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
    normal = np.array([-vy, vx])
    normal *= np.sign(normal @ inward)
    return np.array([*normal, -normal @ (x, y)])
