"""Where to look first at the detail of a photo: at a face, or at the place with most detail.

Faces are found by scikit-image's cascade of local binary patterns (Liao et al. 2007). OpenCV 5 has
neither the cascades nor the class that read them.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

from colorflow.color.full_resolution import lightness_of
from colorflow.photo import Photo

_SIDE = 400
"""Longest side of the picture that is searched; grain is averaged out at this size."""
_SMALLEST = 24
"""Pixels on each side of the smallest face, 6 % of the longest side."""
_EYES = 0.4
"""Height of the eyes in what is found, from its upper edge."""

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
    reduced = cv2.resize(lightness_of(photo.pixels), size, interpolation=cv2.INTER_AREA)
    gray = np.asarray(reduced, np.float32)
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
    """The eyes of the largest face; None where there is none."""
    if min(gray.shape) < _SMALLEST:
        return None
    found = _cascade().detect_multi_scale(
        img=np.rint(2.55 * gray).astype(np.uint8),
        scale_factor=1.2,
        step_ratio=1,
        min_size=(_SMALLEST, _SMALLEST),
        max_size=gray.shape,
    )
    if not found:
        return None
    face = max(found, key=lambda one: one["width"])
    return face["c"] + face["width"] / 2, face["r"] + _EYES * face["height"]


@functools.cache
def _cascade() -> Cascade:
    return Cascade(lbp_frontal_face_cascade_filename())
