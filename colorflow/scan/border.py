"""The picture on a print, within a blank border or a mount, which is left out.

An even border on all sides is found as a print is on its bed: here the border is the bed.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.scan.bed import SMOOTH, bed_of
from colorflow.scan.frame import is_clockwise, size_of, upright
from colorflow.scan.sides import INWARD, corners_of, side_of, strip

Corners = NDArray[np.float64]

_SHARE, _MOST_VARIED = 0.9, 9.0
"""Of what lies along the sides of a print, how much is its border's at least, and what differences
within that there may be, in CIELAB units."""
_UNSURE = (0.006, 0.012, 0.02, 0.03)
"""How far the sides of a print may be off, as shares of its longer side."""
_WIDEST = 0.16
"""A blank border, as a share of the print's shorter side."""
_LEAST_SUPPORT, _MEAN_BORDER = 0.4, 0.6
"""Of the sides of the picture within a border: of each, its support; of all, their quality."""
_SMALLEST = 16
"""Pixels of a print's shorter side, without its rim, in which a border can be told."""
_NARROW = 0.12
"""The same for a border that only some sides have."""
_EVEN, _LIGHT = 1.5, 55.0
"""L* of such a border: the std of its steps at most, and its mean at least."""
_SURE, _PARALLEL = 0.9, 0.9998
"""Of the picture's side within it: its support, and the cosine of the angle with the print's."""


def within_border(lab: NDArray[np.float32], corners: Corners) -> Corners:
    """The corners of the picture on a print, which are the print's if it has no blank border."""
    width, height = size_of(corners)
    if min(width, height) < 2 * max(_UNSURE) * max(width, height) + _SMALLEST:
        return corners
    matrix = upright(corners, width, height)
    print_ = np.asarray(cv2.warpPerspective(lab, matrix, (width, height)), np.float32)
    for unsure in _UNSURE:
        rim = max(2, round(unsure * max(width, height)))  # may still show the bed
        picture = _picture(print_[rim:-rim, rim:-rim])
        if picture is not None:
            picture += rim
            break
    else:
        picture = _trimmed(print_)
    back = cv2.perspectiveTransform(picture[None] - 0.5, np.linalg.inv(matrix))
    return np.asarray(back[0], np.float64) + 0.5


def _picture(print_: NDArray[np.float32]) -> Corners | None:
    """The corners of what an even border surrounds in a print (H, W, 3) in CIELAB."""
    paper = bed_of((print_[:2], print_[-2:], print_[:, :2], print_[:, -2:]), _SHARE)
    if paper.varied > _MOST_VARIED:
        return None
    height, width = print_.shape[:2]
    outline = _whole(width, height)
    scan, depth = paper.compared(print_), max(4, round(_WIDEST * min(width, height)))
    ends = zip(outline, np.roll(outline, -1, 0), strict=True)
    sides = [side_of(scan, first, second, 0, depth) for first, second in ends]
    if min(side.support for side in sides) < _LEAST_SUPPORT:
        return None
    corners = corners_of([side.line - (0, 0, INWARD) for side in sides])
    is_seen = np.mean([side.quality for side in sides]) >= _MEAN_BORDER
    return corners if is_seen and is_clockwise(corners) else None


def _trimmed(print_: NDArray[np.float32]) -> Corners:
    """The corners of a print (H, W, 3) in CIELAB without a border that only some sides have.

    On a white bed, one side may have been taken for the print's, and another for the picture's.
    """
    height, width = print_.shape[:2]
    outline = _whole(width, height)
    scan = np.asarray(cv2.GaussianBlur(print_, (0, 0), SMOOTH), np.float32)
    depth, lines = max(8, round(_NARROW * min(width, height))), []
    for first, second in zip(outline, np.roll(outline, -1, 0), strict=True):
        line = np.cross((*first, 1), (*second, 1)) / np.linalg.norm(second - first)
        for rim in (max(2, round(share * max(width, height))) for share in _UNSURE[1::2]):
            lightness = strip(scan, first, second, rim)[..., 0]
            is_even = np.std(np.diff(lightness, axis=0)) < _EVEN  # shadows may fall on it
            if not is_even or np.mean(lightness) < _LIGHT or rim + 4 > depth:
                continue
            side = side_of(scan, first, second, rim, depth)
            is_straight = side.line[:2] @ line[:2] > _PARALLEL
            if is_straight and min(side.support, side.outside) > _SURE:
                line = side.line - (0, 0, INWARD)
        lines.append(line)
    corners = corners_of(lines)
    return corners if is_clockwise(corners) else outline


def _whole(width: int, height: int) -> Corners:
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
