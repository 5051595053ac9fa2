"""A print's four corners in a scan, and the print cut out there, upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.photo import Photo

_BEYOND = 0.05
"""How far a frame may reach beyond its scan, as a share of the longer side."""
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
        if not is_clockwise(points):
            raise ValueError("corners: expected those of a convex quadrilateral, clockwise")

    @property
    def numbers(self) -> tuple[float, ...]:
        """x and y of the corners, as `frame_of` takes them."""
        return tuple(float(x) for corner in self.corners for x in corner)

    @property
    def area(self) -> float:
        """In pixels."""
        return cv2.contourArea(np.array(self.corners, np.float32))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the print: the longer ones of opposite sides."""
        return size_of(np.array(self.corners))


def frame_of(numbers: Sequence[float]) -> Frame:
    """A frame from x and y of its corners, clockwise from the upper left.

    Raises:
        ValueError: if they are not those of a frame.
    """
    try:
        return Frame(tuple((float(x), float(y)) for x, y in np.reshape(numbers, (4, 2))))
    except ValueError as error:
        raise ValueError(
            "frame: expected x,y,x,y,x,y,x,y, the corners of a convex quadrilateral, clockwise "
            f"from the upper left, got {numbers_text(numbers)}"
        ) from error


def frame_in(photo: Photo, numbers: Sequence[float]) -> Frame:
    """The same in a scan.

    Raises:
        ValueError: if they are not those of a frame, or not in the scan.
    """
    frame = frame_of(numbers)
    beyond = _BEYOND * max(photo.width, photo.height)
    corners, size = np.array(frame.corners), (photo.width, photo.height)
    if (corners < -beyond).any() or (corners - size > beyond).any():
        raise ValueError(
            f"the frame {numbers_text(numbers)} is not in the scan, which has "
            f"{photo.width} x {photo.height} pixels"
        )
    return frame


def numbers_text(numbers: Sequence[float]) -> str:
    """Numbers of a frame as the command takes them, to a tenth of a pixel."""
    return ",".join(f"{round(number, 1):g}" for number in numbers)


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
    matrix = upright(np.array(frame.corners), width, height)

    def cut(plane: NDArray[Any]) -> NDArray[Any]:
        upright = cv2.warpPerspective(
            plane, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return np.ascontiguousarray(np.rot90(upright, -turns))

    alpha = None if photo.alpha is None else np.asarray(cut(photo.alpha), np.uint8)
    return photo.with_pixels(cut(photo.full_depth), alpha)


def overlaps(frames: Sequence[Frame]) -> list[tuple[int, int]]:
    """The pairs of frames that have a part of the scan in common, by their places in the list."""

    def common(a: Frame, b: Frame) -> float:
        first, second = (np.array(one.corners, np.float32) for one in (a, b))
        return cv2.intersectConvexConvex(first, second)[0] / min(a.area, b.area)

    pairs = combinations(range(len(frames)), 2)
    return [(a, b) for a, b in pairs if common(frames[a], frames[b]) > _OVERLAP]


def size_of(corners: NDArray[np.float64]) -> tuple[int, int]:
    """Width and height of what has these corners (4, 2): the longer ones of opposite sides."""
    a, b, c, d = corners
    width = max(np.linalg.norm(b - a), np.linalg.norm(c - d))
    height = max(np.linalg.norm(d - a), np.linalg.norm(c - b))
    return max(1, round(float(width))), max(1, round(float(height)))


def is_clockwise(corners: NDArray[np.float64]) -> bool:
    """Whether (4, 2) are the corners of a convex quadrilateral, clockwise."""
    outline = corners.astype(np.float32)[:, None]
    if not np.isfinite(outline).all() or not cv2.isContourConvex(outline):
        return False
    return cv2.contourArea(outline, oriented=True) > 0


def upright(corners: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """The perspective that brings corners to those of a picture of a size, for `cv2`."""
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    # OpenCV has (0, 0) at the center of the first pixel.
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32) - 0.5, target - 0.5)
    return np.asarray(matrix, np.float64)
