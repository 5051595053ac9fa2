"""Several looks: the model sees overlapping crops of a photo too, each as a photo of its own.

In a crop, small faces, hands and clothes are large enough to be recognized, while the whole photo
shows the scene. So a photo's colors get their large scale from the whole and their small scale from
the crops (multi-scale test-time augmentation).

Dimensions: g the grid's side.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.model.spatial import Array, by_plane

Pixel = TypeVar("Pixel", bound=np.generic)

CROPS = 2
"""Crops along each side."""
PART = 0.6
"""Share of each side of the photo that a crop has."""
LARGE_SCALE = 8.0
"""Std of the Gaussian that separates large from small scale, in cells of the 64x64 grid."""
_FADE = 8
"""Cells of the 64x64 grid in which the weight of a crop rises from its border on."""


def crops_of(pixels: NDArray[Pixel]) -> list[NDArray[Pixel]]:
    """The crops of a photo (H, W) or (H, W, C), row by row."""
    spans = [_spans(length) for length in pixels.shape[:2]]
    return [
        np.ascontiguousarray(pixels[rows, columns]) for rows in spans[0] for columns in spans[1]
    ]


def small_scale_of_crops(whole: Array, crops: Array) -> Array:
    """What turns the small scale of the whole photo's chroma into that of its crops.

    Args:
        whole: (2, g, g) of the photo.
        crops: (`CROPS`^2, 2, g, g) of its crops, in the order of `crops_of`.

    Returns:
        (2, g, g), to be added to the chroma of the photo.
    """
    difference = joined(crops) - whole
    return difference - by_plane(
        lambda x: cv2.GaussianBlur(x, (0, 0), LARGE_SCALE, borderType=cv2.BORDER_REFLECT),
        difference,
    )


def joined(crops: Array) -> Array:
    """Chroma of the crops (`CROPS`^2, 2, g, g) in their places on the whole photo, (2, g, g).

    Where they overlap, it is their mean with weights that fade out at their borders.
    """
    g = crops.shape[-1]
    maps = _maps(g)  # (crop, row of the photo, row of the crop); the same for columns
    grid = crops.reshape(CROPS, CROPS, 2, g, g)
    return np.einsum("iyr,ijcrs,jxs->cyx", maps, grid, maps, optimize=True)


def _spans(length: int) -> list[slice]:
    """Where the crops lie along a side."""
    part = max(1, round(PART * length))
    starts = [round((length - part) * i / (CROPS - 1)) for i in range(CROPS)]
    return [slice(start, start + part) for start in starts]


@cache
def _maps(g: int) -> Array:
    """Weights that bring the cells of each crop to those of the photo, (`CROPS`, g, g)."""
    oversampling = 4
    fine = oversampling * g
    maps = np.zeros((CROPS, fine, g), np.float32)
    for own, span in zip(maps, _spans(fine), strict=True):
        count = span.stop - span.start
        stretched = cv2.resize(np.eye(g, dtype=np.float32), (g, count))
        position = np.arange(count)
        fade = np.minimum(position, position[::-1]) + 1
        own[span] = stretched * fade.clip(max=_FADE * fine // 64)[:, None]
    maps /= maps.sum((0, 2))[:, None]
    return maps.reshape(CROPS, g, oversampling, g).mean(2)
