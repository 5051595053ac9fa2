"""Finds prints on a scanner's bed or a table, and cuts them out, upright and straight.

    find     frames = find_frames(photo)            corners of each print, if there are any
    ask      looks_like_bed(photo)                  if there are none: mark its corners by hand?
             is_doubtful(photo, frames)             if there is one: is it the print at all?
    cut      prints = [cut_out(photo, frame) ...]   each a photo of its own, with the metadata

The bed shows along most of the edges of the scan. What differs from it and fills a quadrilateral
with straight sides is a print; what does not is left as it is. A print may lie over one edge of the
scan, or over a corner: it is cut out there.

Dimensions: H, W pixels of the scan. Coordinates are (x, y) in pixels, from 0 at the outer edge of
the first pixel to W or H at that of the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.photo import Photo

_SIDE = 800
"""Pixels of the longer side, at which frames are looked for."""
_LEAST_AREA, _LARGEST_AREA = 0.03, 0.97
"""Of a print, as shares of the scan."""
_LEAST_FILL = 0.9
"""Of a print's outline, how much of its quadrilateral it covers at least."""
_STRAIGHT = 0.012
"""How far an outline may be from the sides, as a share of the longer side of the print."""
_LEAST_CONTENT = 0.6
"""Of what an outline encloses, how much differs from the bed at least."""
_MOST_VARIED = 12.0
"""What differences within the bed there may be, in CIELAB units."""
_BED_SHARE, _BORDER_SHARE = 0.6, 0.9
"""Of what lies along the edges, how much is the bed's at least, since prints may lie over the rest;
and along those of a print, how much its blank border's."""
_MOST_OTHER = 0.1
"""Of what is beside the prints, how much may differ from the bed."""
_DIFFERENCES = (3.0, 6.0, 12.0, 20.0)
"""From the bed, in CIELAB units, beyond what the bed's own are."""
_INWARD = 1.0
"""Pixels at `_SIDE` by which found sides are moved inward: nothing of the bed stays."""
_AT_EDGE = 3
"""Pixels at `_SIDE`: a print that comes nearer to the edge of a scan ends there."""
_UNSURE = (0.01, 0.02)
"""How far the sides of a print may be off, as shares of its longer side."""
_LARGEST_TILT = 20.0
"""Degrees; what is tilted more is no print that somebody laid down straight."""
MOST_PRINTS = 20
_LEAST_KEPT = 0.6
"""Of a scan, what its only frame keeps at least where no bed is seen on all sides."""
_SEEN_SHARE = 0.75
"""Of each side of a scan, how much is the bed's at least if it is seen there."""
_OVERLAP = 0.01
"""Of the smaller one of two frames, what may lie in the other one without a word."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a print is in a scan.

    Attributes:
        corners: (x, y) of the upper left, upper right, lower right and lower left one.
    """

    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        points = np.array(self.corners, float)
        if points.shape != (4, 2) or not np.isfinite(points).all():
            raise ValueError(f"corners: expected four of (x, y), got {self.corners!r}")
        outline = points.astype(np.float32)[:, None]
        if not cv2.isContourConvex(outline) or cv2.contourArea(outline, oriented=True) <= 0:
            raise ValueError("corners: expected those of a convex quadrilateral, clockwise")

    @property
    def area(self) -> float:
        """In pixels."""
        return cv2.contourArea(np.array(self.corners, np.float32))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the print: the longer ones of opposite sides."""
        a, b, c, d = (np.array(corner) for corner in self.corners)
        width = max(np.linalg.norm(b - a), np.linalg.norm(c - d))
        height = max(np.linalg.norm(d - a), np.linalg.norm(c - b))
        return max(1, round(float(width))), max(1, round(float(height)))


def find_frames(photo: Photo) -> list[Frame]:
    """The prints in a scan, from the upper left on; none where it has no bed around them.

    A print that fills the scan up to its edges is no frame: there is nothing to cut off. The blank
    border or mount around a picture is left out as well.
    """
    scale = min(1.0, _SIDE / max(photo.width, photo.height))
    sides = (_reduced(side, scale) for side in _sides(photo.pixels))
    if np.isinf(_bed_of(sides, _BED_SHARE)[1]):  # most photos, which cost milliseconds then
        return []
    lab = _reduced(photo.pixels, scale)
    height, width = lab.shape[:2]
    frames = []
    for corners in _found(lab, _BED_SHARE):
        grown = _within_border(lab, corners) / (width, height) * (photo.width, photo.height)
        frames.append(Frame(tuple((float(x), float(y)) for x, y in grown)))
    frames.sort(key=lambda frame: (round(4 * frame.corners[0][1] / photo.height), frame.corners[0]))
    return frames[:MOST_PRINTS]


def looks_like_bed(photo: Photo) -> bool:
    """Whether what surrounds a picture looks like a bed.

    Where `find_frames` finds nothing, a person is to be asked then for the corners of a print.
    """
    scale = min(1.0, _SIDE / max(photo.width, photo.height))
    sides = (_reduced(side, scale) for side in _sides(photo.pixels))
    return bool(np.isfinite(_bed_of(sides, _BORDER_SHARE)[1]))


def is_doubtful(photo: Photo, frames: Sequence[Frame]) -> bool:
    """Whether the only frame may be a part of the picture, such as its sky.

    It keeps little of the scan then, and lies over an edge, or no bed is seen along one. What is
    lost is much, so a person is to say whether it is cut out.
    """
    size = np.array((photo.width, photo.height))
    if len(frames) != 1 or frames[0].area >= _LEAST_KEPT * size.prod():
        return False
    scale = min(1.0, _SIDE / size.max())
    corners = np.array(frames[0].corners)
    if scale * min(corners.min(), (size - corners).min()) < _AT_EDGE:
        return True
    sides = [_reduced(side, scale).reshape(-1, 3) for side in _sides(photo.pixels)]
    bed = np.median(np.concatenate(sides), 0)
    near = (np.linalg.norm(side - bed, axis=-1) <= _MOST_VARIED for side in sides)
    return bool(min(side.mean() for side in near) < _SEEN_SHARE)


def overlaps(frames: Sequence[Frame]) -> list[tuple[int, int]]:
    """The pairs of frames that have a part of the scan in common, by their places in the list."""

    def common(a: Frame, b: Frame) -> float:
        first, second = (np.array(one.corners, np.float32) for one in (a, b))
        return cv2.intersectConvexConvex(first, second)[0] / min(a.area, b.area)

    pairs = combinations(range(len(frames)), 2)
    return [(a, b) for a, b in pairs if common(frames[a], frames[b]) > _OVERLAP]


def cut_out(photo: Photo, frame: Frame, turns: int = 0) -> Photo:
    """A print on its own, upright.

    Args:
        photo: the scan.
        frame: where the print is; it may reach beyond the scan, which is then continued.
        turns: quarter turns clockwise afterwards.

    Returns:
        A photo of the print's size at the scan's resolution and depth, with the scan's metadata.
    """
    width, height = frame.size
    matrix = _upright(np.array(frame.corners), width, height)

    def cut(plane: NDArray[Any]) -> NDArray[Any]:
        upright = cv2.warpPerspective(
            plane, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return np.ascontiguousarray(np.rot90(upright, -turns))

    alpha = None if photo.alpha is None else np.asarray(cut(photo.alpha), np.uint8)
    return photo.with_pixels(cut(photo.full_depth), alpha)


def _upright(corners: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """The perspective that brings corners to those of a picture of a size, for `cv2`."""
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    # OpenCV has (0, 0) at the center of the first pixel.
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32) - 0.5, target - 0.5)
    return np.asarray(matrix, np.float64)


def _within_border(lab: NDArray[np.float32], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the picture on a print, which are the print's if it has no blank border."""
    width, height = Frame(tuple((float(x), float(y)) for x, y in corners)).size
    matrix = _upright(corners, width, height)
    low, high = corners.min(0), lab.shape[1::-1] - corners.max(0)
    is_cut = min(*low, *high) < _AT_EDGE  # then one side has no border
    upright = np.asarray(cv2.warpPerspective(lab, matrix, (width, height)), np.float32)
    for share in _UNSURE:
        rim = max(2, round(share * max(width, height)))  # may still show the bed
        found = _found(upright[rim:-rim, rim:-rim], _BED_SHARE if is_cut else _BORDER_SHARE)
        if len(found) == 1:
            back = cv2.perspectiveTransform(found[0][None] + rim - 0.5, np.linalg.inv(matrix))
            return np.asarray(back[0], np.float64) + 0.5
    return corners


def _reduced(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:
    """(H, W) gray or (H, W, 3) sRGB -> (h, w, 3) CIELAB."""
    height, width = (max(1, round(scale * side)) for side in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    rgb = small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _sides(picture: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """What lies along the edges of a scan."""
    band = max(2, round(0.01 * max(picture.shape[:2])))
    return picture[:band], picture[-band:], picture[:, :band], picture[:, -band:]


def _bed_of(
    sides: Iterable[NDArray[np.float32]], share: float
) -> tuple[NDArray[np.float32], float]:
    """The color of a bed, (3,) CIELAB, from what lies along the edges, and how far that varies.

    It varies without bounds if it is less than a share of what lies there.
    """
    ring = np.concatenate([side.reshape(-1, 3) for side in sides])
    bed = np.median(ring, 0)
    distance = np.linalg.norm(ring - bed, axis=-1)
    if np.quantile(distance, share) > _MOST_VARIED:
        return bed, np.inf
    return bed, float(np.quantile(distance[distance <= _MOST_VARIED], 0.9))


def _found(lab: NDArray[np.float32], share: float) -> list[NDArray[np.float64]]:
    """The corners (4, 2) of the prints in a scan, along whose edges a share is the bed's."""

    def area(found: list[NDArray[np.float64]]) -> float:
        return sum(cv2.contourArea(corners.astype(np.float32)) for corners in found)

    return max(map(_quadrilaterals, _print_masks(lab, share)), key=area, default=[])


def _print_masks(lab: NDArray[np.float32], share: float) -> Iterator[NDArray[np.uint8]]:
    """Where a scan is not its bed, (H, W), 0 or 1: by differences that count ever less."""
    bed, usual = _bed_of(_sides(lab), share)
    offset = lab - bed
    distance = np.sqrt(np.einsum("hwc,hwc->hw", offset, offset))
    if np.isinf(usual):
        return
    kernel = np.ones((3, 3), np.uint8)
    for difference in _DIFFERENCES:
        mask = (distance > difference + usual).astype(np.uint8)
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), np.uint8)
        yield np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=3), np.uint8)


def _quadrilaterals(mask: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """The corners of each print that a mask holds, clockwise from the upper left."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = (_quadrilateral(np.asarray(outline, np.int32), mask.shape) for outline in outlines)
    prints = [corners for corners in found if corners is not None]
    bed = np.ones_like(mask)
    for corners in prints:  # what surrounds a print closely is its shadow
        cv2.fillConvexPoly(bed, np.round(corners).astype(np.int32), 0)
    bed = np.asarray(cv2.erode(bed, np.ones((9, 9), np.uint8)), np.uint8)
    other = cv2.countNonZero(cv2.bitwise_and(mask, bed)) / max(cv2.countNonZero(bed), 1)
    return prints if other < _MOST_OTHER else []


def _quadrilateral(outline: NDArray[np.int32], scan: tuple[int, ...]) -> NDArray[np.float64] | None:
    """The corners of a print, or None if an outline is of none.

    Args:
        outline: (N, 1, 2), of (x, y).
        scan: (H, W).
    """
    hull = cv2.convexHull(outline)
    area = cv2.contourArea(hull)
    if not _LEAST_AREA * scan[0] * scan[1] <= area <= _LARGEST_AREA * scan[0] * scan[1]:
        return None
    at_edge = _at_edges(outline.reshape(-1, 2), scan)
    if (at_edge[0] and at_edge[2]) or (at_edge[1] and at_edge[3]):
        return None  # a horizon or a wall, more likely than a print
    around, (width, height), angle = cv2.minAreaRect(hull)
    tilt = (angle + 45) % 90 - 45
    if abs(tilt) > _LARGEST_TILT or min(width, height) < 0.2 * max(width, height):
        return None
    # Parts of a print may look like the bed: what counts is the outline around all of it.
    if area < _LEAST_FILL * width * height or cv2.contourArea(outline) < _LEAST_CONTENT * area:
        return None
    box = cv2.boxPoints((around, (width, height), angle)).astype(np.float64)
    points = _along(np.asarray(hull, np.float64).reshape(-1, 2))
    return _fitted(points + 0.5, _clockwise(box + 0.5), max(width, height), at_edge)


def _at_edges(points: NDArray[np.int32], scan: tuple[int, ...]) -> tuple[bool, ...]:
    """Whether an outline lies at the upper, right, lower and left edge of a scan."""
    (left, top), (right, bottom) = points.min(0), points.max(0)
    far_right, far_bottom = scan[1] - 1 - _AT_EDGE, scan[0] - 1 - _AT_EDGE
    return top < _AT_EDGE, right > far_right, bottom > far_bottom, left < _AT_EDGE


def _along(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points along a polygon, a pixel apart."""
    parts = []
    for first, second in zip(corners, np.roll(corners, -1, 0), strict=True):
        count = max(1, round(float(np.linalg.norm(second - first))))
        parts.append(first + (second - first) * np.arange(count)[:, None] / count)
    return np.concatenate(parts)


def _clockwise(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Four corners from the upper left on."""
    middle = box.mean(0)
    order = np.argsort(np.arctan2(*(box - middle).T[::-1]))
    ordered = box[order]
    return np.roll(ordered, -int(np.argmin(ordered.sum(1))), 0)


def _fitted(
    points: NDArray[np.float64],
    box: NDArray[np.float64],
    length: float,
    at_edge: tuple[bool, ...],
) -> NDArray[np.float64] | None:
    """Sides through the outline's own points, met at the corners; None if it is not straight.

    A side where the scan ends is not the print's: it is cut off in parallel to the opposite one.
    """
    lines, near = [], 0  # each line: (a, b, c) of a x + b y + c = 0, with (a, b) of length 1
    for first, second in zip(box, np.roll(box, -1, 0), strict=True):
        length_of_side = np.linalg.norm(second - first)
        along = (second - first) / length_of_side
        inward = np.array([-along[1], along[0]])
        place, off = (points - first) @ along / length_of_side, (points - first) @ inward
        chosen = points[(np.abs(off) < 0.06 * length) & (place > 0.05) & (place < 0.95)]
        if len(chosen) < 10:
            return None
        vx, vy, x, y = cv2.fitLine(chosen.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        normal = np.array([-vy, vx]) * np.sign(vx * along[0] + vy * along[1])
        distance = np.abs((chosen - (x, y)) @ normal)
        near += int((distance < max(1.5, _STRAIGHT * length)).sum())
        lines.append(np.array([*normal, -normal @ (x, y) - _INWARD]))
    if near < 0.85 * len(points):
        return None
    for side, is_cut in enumerate(at_edge):
        if is_cut:
            opposite = lines[side - 2]
            ends = [_meeting(lines[side], lines[side + step]) for step in (-1, -3)]
            lines[side] = opposite - (0, 0, min((opposite @ (*end, 1) for end in ends), key=abs))
    before = [lines[-1], *lines[:-1]]
    return np.array([_meeting(a, b) for a, b in zip(before, lines, strict=True)])


def _meeting(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where two lines (a, b, c) meet."""
    x, y, scale = np.cross(a, b)
    return np.array([x, y]) / scale
