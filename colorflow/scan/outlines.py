"""Where prints may be on a bed: quadrilaterals around what is not the bed, to be looked at closely.

What differs from the bed's color is one way to tell a print from it. The other is that light and
shadow change softly across a bed, and that it is connected: what cannot be reached from the edges
of the scan without a sharp change is no bed. Which of them holds is decided later, by the sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.scan.bed import edges_of

Mask = NDArray[np.uint8]

_DIFFERENCES = (3.0, 6.0, 12.0)
"""From the bed, in its spreads."""
_SHARP = (1.5, 3.0)
"""Changes in spreads of the bed a pixel, beyond what is usual along the edges."""
_LEAST_AREA, _LARGEST_AREA = 0.03, 0.97
"""Of a print, as shares of the scan."""
_LEAST_FILL = 0.85
"""Of the quadrilateral around an outline, how much lies within the outline's hull."""
_LEAST_CONTENT = 0.6
"""Of what a hull encloses, how much differs from the bed at least."""
_LEAST_SHAPE = 0.2
"""Of the longest side, how long the shortest one is at least."""
_LARGEST_TILT = 27.0
"""Degrees by which a print is turned; more is no print that somebody laid down straight."""
_ANGLES = (60.0, 120.0)
"""Degrees at the corners of a rectangle that is seen from the side."""
_AT_EDGE = 2
"""Pixels: a print that comes nearer to the edge of a scan ends there."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Where a print may be.

    Attributes:
        corners: (4, 2), clockwise from the upper left one.
        at_edge: whether the scan ends within it: above, to the right, below, to the left.
    """

    corners: NDArray[np.float64]
    at_edge: tuple[bool, ...]


def masks_of(scan: NDArray[np.float32]) -> list[Mask]:
    """Where a scan (H, W, 3), in spreads of its bed, is not the bed, (H, W), 0 or 1."""
    differs = _norm(scan)
    masks = [_solid(differs > difference) for difference in _DIFFERENCES]
    across, down = (
        np.asarray(cv2.Sobel(scan, cv2.CV_32F, *axis, scale=0.25), np.float32)
        for axis in ((1, 0), (0, 1))
    )
    change = np.hypot(_norm(across), _norm(down))
    usual = float(np.median(np.concatenate([edge.ravel() for edge in edges_of(change)])))
    return masks + [_solid(_cut_off(change > usual + sharp)) for sharp in _SHARP]


def outlines_of(mask: Mask) -> Iterator[Outline]:
    """The quadrilaterals that a mask holds."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        outline = _outline(np.asarray(contour, np.int32), mask.shape)
        if outline is not None:
            yield outline


def _norm(differences: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(np.einsum("hwc,hwc->hw", differences, differences)), np.float32)


def _cut_off(sharp: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What cannot be reached from the edges of a scan without a sharp change."""
    kernel = np.ones((3, 3), np.uint8)
    soft = cv2.erode((~sharp).astype(np.uint8), kernel)
    labels = np.asarray(cv2.connectedComponents(soft, connectivity=4)[1])
    reached = np.zeros(int(labels.max()) + 1, bool)
    reached[np.concatenate([edge.ravel() for edge in edges_of(labels)])] = True
    reached[0] = False
    return np.asarray(cv2.dilate(reached[labels].astype(np.uint8), kernel) == 0)


def _solid(differs: NDArray[np.bool_]) -> Mask:
    """A mask without what is thin, and without holes."""
    small, side = np.ones((3, 3), np.uint8), max(3, round(0.01 * max(differs.shape)) | 1)
    mask: NDArray[Any] = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, small)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, small, iterations=2)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, contours, -1, 1, -1)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)))


def _outline(contour: NDArray[np.int32], scan: tuple[int, ...]) -> Outline | None:
    """The quadrilateral around a contour (N, 1, 2), or None if it is of no print."""
    hull = cv2.convexHull(contour)
    area = cv2.contourArea(hull)
    if not _LEAST_AREA * scan[0] * scan[1] <= area <= _LARGEST_AREA * scan[0] * scan[1]:
        return None
    at_edge = _at_edges(contour.reshape(-1, 2), scan)
    if (at_edge[0] and at_edge[2]) or (at_edge[1] and at_edge[3]):
        return None  # a horizon or a wall, more likely than a print
    # Parts of a print may look like the bed: what counts is the hull around all of it.
    if len(hull) < 4 or cv2.contourArea(contour) < _LEAST_CONTENT * area:
        return None
    box = np.asarray(cv2.approxPolyN(hull, 4, ensure_convex=True), np.float64).reshape(-1, 2)
    if len(box) != 4 or area < _LEAST_FILL * cv2.contourArea(box.astype(np.float32)):
        return None
    corners = _clockwise(box + 0.5)
    return Outline(corners, at_edge) if _is_print(corners) else None


def _is_print(corners: NDArray[np.float64]) -> bool:
    """Whether a rectangle that lies nearly straight may look like this from the side."""
    sides = np.roll(corners, -1, 0) - corners
    lengths = np.linalg.norm(sides, axis=1)
    if lengths.min() < _LEAST_SHAPE * lengths.max():
        return False
    ways = np.degrees(np.arctan2(*(sides / lengths[:, None]).T[::-1]))
    angles = 180 - (np.roll(ways, -1) - ways) % 360
    if angles.min() < _ANGLES[0] or angles.max() > _ANGLES[1]:
        return False
    off = (ways - (0, 90, 180, 270) + 180) % 360 - 180
    return bool(min(abs(off[0] + off[2]), abs(off[1] + off[3])) <= 2 * _LARGEST_TILT)


def _at_edges(points: NDArray[np.int32], scan: tuple[int, ...]) -> tuple[bool, ...]:
    """Whether an outline lies at the upper, right, lower and left edge of a scan."""
    (left, top), (right, bottom) = points.min(0), points.max(0)
    far_right, far_bottom = scan[1] - 1 - _AT_EDGE, scan[0] - 1 - _AT_EDGE
    return (
        bool(top < _AT_EDGE),
        bool(right > far_right),
        bool(bottom > far_bottom),
        bool(left < _AT_EDGE),
    )


def _clockwise(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Four corners from the upper left on."""
    order = np.argsort(np.arctan2(*(box - box.mean(0)).T[::-1]))
    ordered = box[order]
    return np.roll(ordered, -int(np.argmin(ordered.sum(1))), 0)
