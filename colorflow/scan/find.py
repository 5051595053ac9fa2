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
from colorflow.scan.frame import Frame, is_clockwise, upright
from colorflow.scan.outlines import Mask, Outline, masks_of, outlines_of
from colorflow.scan.sides import Side, corners_of, meeting, side_of

_SIDE = 800
"""Pixels of the longer side, at which frames are looked for."""
_BED_SHARE, _BORDER_SHARE = 0.6, 0.9
"""Of what lies along the edges, how much is the bed's at least, since prints may lie over the rest;
and along those of a print, how much its blank border's."""
_MOST_VARIED = 7.0
"""What differences within that share of a bed or a border there may be, in CIELAB units: nearly all
beds of `benchmarks.by_hand` have less than 5, and three of four photos have more than 7."""
_MOST_VARIED_ALONE = 9.0
"""The same for nine tenths of the edges, if no print is found."""
_REACHES = (0.03, 0.015)
"""How far from an outline a side is looked for, as a share of the print's longer side."""
_LEAST_QUALITY, _MEAN_QUALITY = 0.6, 0.8
"""Of the sides of a print: of each, and of all of them."""
_MOST_OTHER = 0.15
"""Of what is beside the prints, how much may differ from the bed."""
_SAME = 0.01
"""Of a print's size: corners of outlines that are nearer to each other are the same."""
_INWARD = 1.0
"""Pixels at `_SIDE` by which found sides are moved inward: nothing of the bed stays."""
_UNSURE = (0.006, 0.012, 0.02, 0.03)
"""How far the sides of a print may be off, as shares of its longer side."""
_WIDEST = 0.16
"""A blank border, as a share of the print's shorter side."""
_LEAST_SUPPORT, _MEAN_BORDER = 0.4, 0.6
"""Of the sides of the picture within a border: of each, its support; of all, their quality."""
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
    found = [_frame(_within_border(lab, corners) * size) for corners in _found(bed.compared(lab))]
    found.sort(key=lambda frame: (round(4 * frame.corners[0][1] / photo.height), frame.corners[0]))
    return found[:_MOST_PRINTS]


def looks_like_bed(photo: Photo) -> bool:
    """Whether what surrounds a picture looks like a bed.

    Where `find_frames` finds nothing, a person is to be asked then for the corners of a print.
    """
    return _bed_of(photo, _BORDER_SHARE).varied < _MOST_VARIED_ALONE


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
    for outline in _different([outline for mask in masks for outline in outlines_of(mask)]):
        found = _refined(scan, outline.corners * to_scan, outline.at_edge)
        if found is not None:
            prints.append(found)
    free = np.ones(size[::-1], np.uint8)
    chosen = []
    for one in sorted(prints, key=lambda one: one.quality * one.area**0.25, reverse=True):
        shape = np.zeros_like(free)
        cv2.fillConvexPoly(shape, np.round(one.corners / to_scan).astype(np.int32), 1)
        if np.sum(shape & free) > 0.95 * np.sum(shape):
            chosen.append(one.corners)
            free &= 1 - shape
    return chosen if _is_bed(free, masks) else []


def _different(outlines: Sequence[Outline]) -> list[Outline]:
    """Outlines without those that are almost the same."""
    different: list[Outline] = []
    for outline in outlines:
        near = _SAME * float(np.ptp(outline.corners))
        if all(np.abs(outline.corners - other.corners).max() > near for other in different):
            different.append(outline)
    return different


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
    for reach in _REACHES:
        ends = list(zip(corners, np.roll(corners, -1, 0), strict=True))
        pixels = max(4, round(reach * max(np.linalg.norm(b - a) for a, b in ends)))
        sides = [side_of(scan, first, second, -pixels, pixels) for first, second in ends]
        lines = _ended([side.line for side in sides], at_edge, scan.shape)
        corners = corners_of(lines)
        if not is_clockwise(corners):
            return None
    seen = [side.quality for side, is_cut in zip(sides, at_edge, strict=True) if not is_cut]
    if min(seen) < _LEAST_QUALITY or np.mean(seen) < _MEAN_QUALITY:
        return None
    inward = [
        line - (0, 0, 0 if cut else _INWARD) for line, cut in zip(lines, at_edge, strict=True)
    ]
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


def _within_border(lab: NDArray[np.float32], corners: Corners) -> Corners:
    """The corners of the picture on a print, which are the print's if it has no blank border."""
    width, height = _frame(corners).size
    matrix = upright(corners, width, height)
    print_ = np.asarray(cv2.warpPerspective(lab, matrix, (width, height)), np.float32)
    for unsure in _UNSURE:
        rim = max(2, round(unsure * max(width, height)))  # may still show the bed
        picture = _picture(print_[rim:-rim, rim:-rim])
        if picture is not None:
            back = cv2.perspectiveTransform(picture[None] + rim - 0.5, np.linalg.inv(matrix))
            return np.asarray(back[0], np.float64) + 0.5
    return corners


def _picture(print_: NDArray[np.float32]) -> Corners | None:
    """The corners of what an even border surrounds in a print (H, W, 3) in CIELAB."""
    paper = bed_of((print_[:2], print_[-2:], print_[:, :2], print_[:, -2:]), _BORDER_SHARE)
    if paper.varied > _MOST_VARIED:
        return None
    height, width = print_.shape[:2]
    outline = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    scan, depth = paper.compared(print_), max(4, round(_WIDEST * min(width, height)))
    ends = zip(outline, np.roll(outline, -1, 0), strict=True)
    sides = [side_of(scan, first, second, 0, depth) for first, second in ends]
    if min(side.support for side in sides) < _LEAST_SUPPORT:
        return None
    corners = corners_of([side.line - (0, 0, _INWARD) for side in sides])
    is_seen = np.mean([side.quality for side in sides]) >= _MEAN_BORDER
    return corners if is_seen and is_clockwise(corners) else None
