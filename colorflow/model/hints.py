"""Color hints: points of known color that a coloring is conditioned on.

The model sees hints as three planes on the 64x64 grid: a mask, and a and b where it is 1. They are
a condition in training, and they pull samples by kriging (`ChromaPyramid`), which is a bijection:
so p(ab | L, hints) stays exact.

Reference: Zhang et al. 2017 (hints as sparse input planes); Whang et al. 2021 (why conditioning a
trained flow on part of its output is hard).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color import cie
from colorflow.color.cie import gamut_map
from colorflow.color.full_resolution import lightness_of
from colorflow.model.condition import PLANES_GRID
from colorflow.model.config import HINT_PLANES, SRGB_REACH

REACH_CELLS = 2
"""Cells around a hint's own cell in which the output must have the hint's color."""


@dataclass(frozen=True, slots=True)
class Hint:
    """The color of one point of a photo.

    Args:
        row: of a pixel of the upright photo at full resolution, from 0 at the top.
        column: from 0 on the left.
        a: CIELAB units.
        b: CIELAB units.

    Raises:
        ValueError: if a number is not finite, a position is below 0, or sRGB has no such color.
    """

    row: float
    column: float
    a: float
    b: float

    def __post_init__(self) -> None:
        for name in ("row", "column"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a pixel from 0, got {getattr(self, name)}")
        for name in ("a", "b"):
            if not abs(getattr(self, name)) <= SRGB_REACH:
                raise ValueError(
                    f"{name}: expected -{SRGB_REACH:g} to {SRGB_REACH:g} CIELAB units, "
                    f"got {getattr(self, name)}"
                )


def hint_planes(hints: Iterable[Hint], height: int, width: int) -> Tensor:
    """The planes of hints that the model takes; the later of two in one cell wins.

    Args:
        hints: of one photo.
        height: of the photo, in pixels.
        width: of the photo, in pixels.

    Returns:
        (3, 64, 64): mask in {0, 1}, a and b in CIELAB units, 0 where there is no hint.

    Raises:
        ValueError: if a hint lies outside the photo, or is no `Hint`.
    """
    planes = torch.zeros(HINT_PLANES, PLANES_GRID, PLANES_GRID)
    for hint in hints:
        if not isinstance(hint, Hint):
            raise ValueError(f"hints: expected Hint(row, column, a, b) for each, got {hint!r}")
        row, column = _cell(hint, height, width)
        planes[:, row, column] = torch.tensor([1.0, hint.a, hint.b])
    return planes


def hint_errors(hint: Hint, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Distances between a hint and the colors around it in a colored photo.

    Args:
        hint: a hint that the photo was colored with.
        pixels: (H, W, 3) uint8 sRGB, the colored photo.

    Returns:
        (N,) distances in ab, CIELAB units, for the N pixels in the hint's cell and in the cells at
        most `REACH_CELLS` away, each to the hint's color as sRGB can show it at that pixel's
        lightness. A colored photo keeps its hint if no distance is above 5.

    Raises:
        ValueError: if the hint lies outside the photo.
    """
    height, width = pixels.shape[:2]
    cells = _cell(hint, height, width)
    near_rows, near_columns = (
        np.abs(_cells(np.arange(length), length) - cell) <= REACH_CELLS
        for length, cell in zip((height, width), cells, strict=True)
    )
    near = np.ascontiguousarray(pixels[near_rows][:, near_columns])
    lightness = lightness_of(near)
    wanted = np.array([hint.a, hint.b], np.float32)[:, None, None]
    wanted = gamut_map(lightness, np.broadcast_to(wanted, (2, *lightness.shape)))
    ab = np.moveaxis(cie.rgb_to_lab(near / 255)[..., 1:], -1, 0)
    errors: NDArray[np.float32] = np.hypot(*(ab - wanted)).astype(np.float32).ravel()
    return errors


def _cell(hint: Hint, height: int, width: int) -> tuple[int, int]:
    """Row and column of the grid cell that contains the center of the hint's pixel."""
    if not (hint.row < height and hint.column < width):
        raise ValueError(
            f"hints: expected positions inside the photo of {height} rows and {width} columns, "
            f"got row {hint.row:g}, column {hint.column:g}"
        )
    row, column = (
        int(_cells(np.array(position), length))
        for position, length in ((hint.row, height), (hint.column, width))
    )
    return row, column


def _cells(positions: NDArray[np.floating | np.integer], length: int) -> NDArray[np.int64]:
    """Cells of pixels along an axis of `length` pixels."""
    return ((np.floor(positions) + 0.5) * PLANES_GRID / length).astype(np.int64)
