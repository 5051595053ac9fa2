"""Where to look first at the detail of a photo: at a face, or at the place with most detail.

Faces are found as OpenCV 4 found them, by its cascade of local binary patterns (Liao et al. 2007;
`lbpcascade_frontalface.xml` of OpenCV, Apache-2.0): OpenCV 5 has neither the cascades nor the class
that reads them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of
from colorflow.photo import Photo

_SIDE = 400
"""Longest side of the picture that is searched; grain is averaged out at this size."""
_WINDOW = 24
"""Pixels on each side of the smallest face, 6 % of the longest side."""
_STEP = 1.2
"""Between the sizes of faces."""
_LEAST_NEIGHBORS = 3
"""Windows beside that of a face that show it, too; accidents have fewer."""
_EYES = 0.4
"""Height of the eyes in such a window, from its upper edge."""
_CELLS = np.array([0, 1, 2, 5, 8, 7, 6, 3])
"""Of 3x3 cells, row by row, those around the middle in the order of their bits, highest first."""

Gray = NDArray[np.float32]


def best_spot(photo: Photo, side: float) -> tuple[float, float]:
    """The middle of what is looked at first.

    Args:
        photo: a photo, reduced or not.
        side: pixels of it on each side of the square that is seen.

    Returns:
        Pixels from the left and from the upper edge; the same each time.
    """
    scale = min(1.0, _SIDE / max(photo.width, photo.height))
    size = max(1, round(scale * photo.width)), max(1, round(scale * photo.height))
    gray = cv2.resize(lightness_of(photo.pixels), size, interpolation=cv2.INTER_AREA)
    spot = _face(gray) or _detail(gray, scale * side)
    return spot[0] / scale, spot[1] / scale


def _detail(gray: Gray, side: float) -> tuple[float, float]:
    """The middle of the square with the largest differences between neighboring pixels."""
    height, width = gray.shape
    square = [max(1, min(round(side), length)) for length in (width, height)]
    fine = np.abs(gray - cv2.blur(gray, (3, 3)))
    whole = cv2.boxFilter(fine, -1, square, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    inside = whole[: height - square[1] + 1, : width - square[0] + 1]
    top, left = np.unravel_index(np.argmax(inside), inside.shape)
    return float(left + square[0] / 2), float(top + square[1] / 2)


def _face(gray: Gray) -> tuple[float, float] | None:
    """The eyes of the face that most windows show; None where there is no face."""
    found = np.array(list(_windows(gray))).reshape(-1, 3)
    if not len(found):
        return None
    x, y, size = found.T
    near = np.hypot(np.subtract.outer(x, x), np.subtract.outer(y, y)) < 0.3 * size
    near &= np.abs(np.log(np.divide.outer(size, size))) < np.log(1.5)
    best = int(np.argmax(near.sum(1) + size / size.max() / 2))  # of equals, the largest
    if near[best].sum() <= _LEAST_NEIGHBORS:
        return None
    x, y, size = found[near[best]].mean(0)
    return float(x), float(y + (_EYES - 0.5) * size)


def _windows(gray: Gray) -> Iterator[tuple[float, float, float]]:
    """Middle and side, in pixels, of the windows in which the cascade sees a face."""
    factor = 1.0
    while min(gray.shape) >= _WINDOW * factor:
        width, height = (round(side / factor) for side in gray.shape[::-1])
        small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
        sums = cv2.integral(np.rint(2.55 * small).astype(np.uint8))
        step = 2 if factor < 2 else 1
        rows, columns = np.mgrid[: height - _WINDOW + 1 : step, : width - _WINDOW + 1 : step]
        alive = (rows * (width + 1) + columns).ravel()
        for stage in _cascade():
            alive = alive[stage.score(sums, alive) >= stage.threshold]
        for place in alive:
            top, left = divmod(int(place), width + 1)
            middle = _WINDOW / 2
            yield factor * (left + middle), factor * (top + middle), factor * _WINDOW
        factor *= _STEP


@dataclass(frozen=True, slots=True)
class _Stage:
    """Some patterns, whose sum decides whether a window may show a face."""

    threshold: float
    patterns: list[tuple[tuple[int, ...], NDArray[np.float64]]]
    """Left, top, width and height of the first of 3x3 cells; values of the 256 codes."""

    def score(self, sums: NDArray[np.int32], places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of the windows whose upper left corners are at these places of an integral picture."""
        flat, stride = sums.ravel(), sums.shape[1]
        score = np.zeros(len(places))
        for (left, top, width, height), values in self.patterns:
            offsets = [
                (top + i * height) * stride + left + j * width for i in range(4) for j in range(4)
            ]
            corners = flat[places + np.array(offsets)[:, None]].reshape(4, 4, -1)
            cells = np.diff(np.diff(corners, axis=0), axis=1).reshape(9, -1)
            bits = cells[_CELLS] >= cells[4]
            score += values[np.packbits(bits, axis=0)[0]]
        return score


@functools.cache
def _cascade() -> list[_Stage]:
    """The stages, first those that are soon done."""
    root = ElementTree.parse(Path(__file__).with_name("lbpcascade_frontalface.xml")).getroot()
    rects = [tuple(int(number) for number in str(one.text).split()) for one in root.iter("rect")]
    stages = []
    for stage in root.iterfind("cascade/stages/_"):
        patterns = []
        for weak in stage.iterfind("weakClassifiers/_"):
            nodes = str(weak.findtext("internalNodes")).split()
            words = np.array(nodes[3:], np.int64).astype(np.uint32).astype("<u4")
            is_first = np.unpackbits(words.view(np.uint8), bitorder="little").astype(bool)
            leaves = [float(one) for one in str(weak.findtext("leafValues")).split()]
            patterns.append((rects[int(nodes[2])], np.where(is_first, *leaves)))
        stages.append(_Stage(float(str(stage.findtext("stageThreshold"))), patterns))
    return stages
