"""Finds the prints in a scan, and the pictures on them within a blank border.

Outlines of all that may be a print are taken from the scan at half size. The sides of each are then
moved to where the scan changes, and have to be seen along nearly all of their length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.photo import Photo
from colorflow.scan.bed import Bed, bed_of, edges_of
from colorflow.scan.border import within_border
from colorflow.scan.frame import Frame, is_clockwise
from colorflow.scan.outlines import Mask, masks_of, outlines_of
from colorflow.scan.sides import INWARD, Side, corners_of, meeting, side_of

_SIDE = 800
"""Pixels of the longer side, at which frames are looked for."""
_BED_SHARE, _BARE_SHARE = 0.6, 0.9
"""Of what lies along the edges, how much is the bed's at least, since prints may lie over the rest;
and how much if no print is found."""
_MOST_VARIED, _MOST_BARE = 7.0, 9.0
"""What differences within these shares there may be, in CIELAB units: nearly all beds of
`benchmarks.by_hand` have less than 5, and three of four photos have more than 7."""
_REACH = 0.03
"""How far from an outline a side is looked for, as a share of the print's longer side."""
_ROUNDS = 2
"""Of moving the sides of a print to where it changes."""
_LEAST_QUALITY, _MEAN_QUALITY = 0.65, 0.88
"""Of the sides of a print: of each, and of all of them."""
_MOST_OTHER = 0.15
"""Of what is beside the prints, how much may differ from the bed."""
_SAME = 0.01
"""Of a print's size: corners of outlines that are nearer to each other are the same."""
_LEAST_KEPT = 0.6
"""Of a scan, what its only frame keeps at least where no bed is seen on all sides."""
_AT_EDGE = 3
"""Pixels from the end of the scan within which a print may go on beyond it."""
_AS_BED, _SEEN_SHARE = 8.0, 0.75
"""How many spreads of its texture differ from the bed at most where it is seen, and of each side of
a scan, how much is the bed's at least if it is seen there."""
_MOST_PRINTS = 20

Corners = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Print:
    """A print that was found: its corners (4, 2), and what speaks for it, from 0 to 1."""

    corners: Corners
    quality: float

    @property
    def area(self) -> float:
        return cv2.contourArea(self.corners.astype(np.float32))


def find_frames(photo: Photo) -> list[Frame]:
    """The prints in a scan, from the upper left on; none where it has no bed around them.

    A print that fills the scan up to its edges is no frame: there is nothing to cut off. The blank
    border or mount around a picture is left out as well.
    """
    bed = _bed_of(photo, _BED_SHARE)
    if bed.varied > _MOST_VARIED:  # most photos, which cost milliseconds then
        return []
    lab = _reduced(photo.pixels, _scale_of(photo))
    size = np.array((photo.width, photo.height)) / lab.shape[1::-1]
    found = [_frame(within_border(lab, corners) * size) for corners in _found(bed.compared(lab))]
    found.sort(key=lambda frame: (round(4 * frame.corners[0][1] / photo.height), frame.corners[0]))
    return found[:_MOST_PRINTS]


def looks_like_bed(photo: Photo) -> bool:
    """Whether what surrounds a picture looks like a bed.

    Where `find_frames` finds nothing, a person is to be asked then for the corners of a print.
    """
    return _bed_of(photo, _BARE_SHARE).varied < _MOST_BARE


def is_doubtful(photo: Photo, frames: Sequence[Frame]) -> bool:
    """Whether the only frame may be a part of the picture, such as its sky.

    It keeps little of the scan then, and lies over an edge, or no bed is seen along one. What is
    lost is much, so a person is to say whether it is cut out.
    """
    size = np.array((photo.width, photo.height))
    if len(frames) != 1 or frames[0].area >= _LEAST_KEPT * size.prod():
        return False
    scale = _scale_of(photo)
    corners = np.array(frames[0].corners)
    if scale * min(corners.min(), (size - corners).min()) < _AT_EDGE:
        return True
    scan = _bed_of(photo, _BED_SHARE).compared(_reduced(photo.pixels, scale))
    near = (np.linalg.norm(edge, axis=-1) <= _AS_BED for edge in edges_of(scan))
    return bool(min(edge.mean() for edge in near) < _SEEN_SHARE)


def _scale_of(photo: Photo) -> float:
    return min(1.0, _SIDE / max(photo.width, photo.height))


def _bed_of(photo: Photo, share: float) -> Bed:
    scale = _scale_of(photo)
    return bed_of([_reduced(edge, scale) for edge in edges_of(photo.pixels)], share)


def _reduced(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:
    """(H, W) gray or (H, W, 3) sRGB -> (h, w, 3) CIELAB."""
    height, width = (max(1, round(scale * side)) for side in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    rgb = small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _frame(corners: Corners) -> Frame:
    return Frame(tuple((float(x), float(y)) for x, y in corners))


def _found(scan: NDArray[np.float32]) -> list[Corners]:
    """The corners (4, 2) of the prints in a scan: of those that overlap, the surest.

    Args:
        scan: (H, W, 3), in spreads of the bed (`Bed.compared`).
    """
    height, width = scan.shape[:2]
    size = max(1, width // 2), max(1, height // 2)
    masks = masks_of(np.asarray(cv2.resize(scan, size, interpolation=cv2.INTER_AREA)))
    to_scan = np.array((width, height)) / size
    prints: list[_Print] = []
    tried: list[tuple[Corners, float]] = []
    for outline in (outline for mask in masks for outline in outlines_of(mask)):
        corners = outline.corners * to_scan
        off = np.array([np.abs(corners - other).max() - near for other, near in tried])
        if (off < 0).any():
            continue
        size_of_print = float(np.ptp(corners))
        tried.append((corners, _SAME * size_of_print))
        found = _refined(scan, corners, outline.at_edge)
        if found is not None:
            prints.append(found)
            tried.append((found.corners, _REACH * size_of_print))
    free = np.ones(size[::-1], np.uint8)
    chosen = []
    for one in sorted(prints, key=lambda one: one.quality * one.area**0.1, reverse=True):
        shape = np.zeros_like(free)
        cv2.fillConvexPoly(shape, np.round(one.corners / to_scan).astype(np.int32), 1)
        if np.sum(shape & free) > 0.95 * np.sum(shape):
            chosen.append(one.corners)
            free &= 1 - shape
    return chosen if _is_bed(free, masks) else []


def _is_bed(free: Mask, masks: Sequence[Mask]) -> bool:
    """Whether nearly all that no print lies on is the bed, in one of the ways to tell it."""
    # What surrounds a print closely is its shadow.
    beside = np.asarray(cv2.erode(free, np.ones((5, 5), np.uint8)), np.uint8)
    return bool(min(np.sum(mask & beside) for mask in masks) <= _MOST_OTHER * np.sum(beside))


def _refined(
    scan: NDArray[np.float32], corners: Corners, at_edge: tuple[bool, ...]
) -> _Print | None:
    """A print with its sides where the scan changes, or None if they are not seen."""
    sides: list[Side] = []
    lines: list[NDArray[np.float64]] = []
    for _ in range(_ROUNDS):
        ends = list(zip(corners, np.roll(corners, -1, 0), strict=True))
        pixels = max(4, round(_REACH * max(np.linalg.norm(b - a) for a, b in ends)))
        sides = [side_of(scan, first, second, -pixels, pixels) for first, second in ends]
        lines = _ended([side.line for side in sides], at_edge, scan.shape)
        corners = corners_of(lines)
        if not is_clockwise(corners):
            return None
    seen = [side.quality for side, is_cut in zip(sides, at_edge, strict=True) if not is_cut]
    if min(seen) < _LEAST_QUALITY or np.mean(seen) < _MEAN_QUALITY:
        return None
    inward = [line - (0, 0, 0 if cut else INWARD) for line, cut in zip(lines, at_edge, strict=True)]
    inner = corners_of(inward)
    return _Print(inner, float(np.mean(seen))) if is_clockwise(inner) else None


def _ended(
    lines: list[NDArray[np.float64]], at_edge: tuple[bool, ...], scan: tuple[int, ...]
) -> list[NDArray[np.float64]]:
    """The sides of a print, which is cut off in parallel to its other side where the scan ends."""
    height, width = scan[:2]
    edges = ((0, 1, 0), (-1, 0, width), (0, -1, height), (1, 0, 0))
    ended = list(lines)
    for index, edge in enumerate(edges):
        if at_edge[index]:
            a, b, _ = -lines[index - 2]
            ends = [meeting(np.array(edge, float), lines[index - step]) for step in (1, 3)]
            ended[index] = np.array([a, b, -max(a * x + b * y for x, y in ends)])
    return ended
