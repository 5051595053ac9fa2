"""Resizing by area average, also where one axis shrinks and the other grows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_STRIP_ROWS = 128


def resize_by_area(
    image: NDArray[np.uint8] | NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """Resize an image: area average along an axis that shrinks, bilinear along one that grows.

    Nothing is rounded, and a large photo is never copied as a whole.

    Args:
        image: (H, W) or (H, W, C) with C up to 4.
        height: rows wanted.
        width: columns wanted.

    Returns:
        (height, width) or (height, width, C), in the unit of ``image``.
    """
    # One axis after the other: OpenCV averages areas only where neither axis grows.
    strips = [
        _resize(np.ascontiguousarray(image[top : top + _STRIP_ROWS], np.float32), width=width)
        for top in range(0, image.shape[0], _STRIP_ROWS)
    ]
    return _resize(np.concatenate(strips), height=height)


def _resize(
    image: NDArray[np.float32], *, height: int | None = None, width: int | None = None
) -> NDArray[np.float32]:
    """Resize along the one axis that is given."""
    old_height, old_width = image.shape[:2]
    height, width = height or old_height, width or old_width
    shrinks = height <= old_height and width <= old_width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.float32)
