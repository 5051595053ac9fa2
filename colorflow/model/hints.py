"""Color hints: points of known color that a coloring is conditioned on.

The model sees hints as three planes on the 64x64 grid: a mask, and a and b where it is 1. They are
a condition in training, and they pull samples by kriging (`ChromaPyramid`), which is a bijection:
so p(ab | L, hints) stays exact. That reaches far, so pictures are made without hints for things,
which color their things afterwards (`Things.colored`). Hints that reach only around them
are no condition: they change what is shown (`SpatialOperator.dabbed`), and so does what else a hint
gives to everything like it.

Reference: Zhang et al. 2017 (hints as sparse input planes); Whang et al. 2021 (why conditioning a
trained flow on part of its output is hard).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from colorflow.model.condition import PLANES_GRID
from colorflow.model.config import HINT_PLANES
from colorflow.recipe import ON_THINGS, Hint


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
        row, column = cell_of(hint, height, width)
        planes[:, row, column] = torch.tensor([1.0, hint.a, hint.b])
    return planes


class ThingHint(NamedTuple):
    """A hint that colors a thing, or the next larger one; its cells on a grid, and its color."""

    row: int
    column: int
    a: float
    b: float
    is_larger: bool
    adds: tuple[tuple[int, int], ...] = ()
    takes: tuple[tuple[int, int], ...] = ()


def thing_hints(hints: Iterable[Hint], height: int, width: int, grid: int) -> list[ThingHint]:
    """The hints of a photo that color things, on a grid; else as of `hint_planes`."""
    size = height, width, grid
    return [
        ThingHint(
            *cell_of(hint, *size),
            hint.a,
            hint.b,
            hint.reach == "larger",
            tuple(_cell_at(*place, *size) for place in hint.adds),
            tuple(_cell_at(*place, *size) for place in hint.takes),
        )
        for hint in hints
        if hint.reach in ON_THINGS
    ]


def cell_of(hint: Hint, height: int, width: int, grid: int = PLANES_GRID) -> tuple[int, int]:
    """Row and column of the grid cell that contains the center of the hint's pixel."""
    return _cell_at(hint.row, hint.column, height, width, grid)


def _cell_at(row: float, column: float, height: int, width: int, grid: int) -> tuple[int, int]:
    if not (row < height and column < width):
        raise ValueError(
            f"hints: expected positions inside the photo of {height} rows and {width} columns, "
            f"got row {row:g}, column {column:g}"
        )
    return _cell_along(row, height, grid), _cell_along(column, width, grid)


def _cell_along(position: float, length: int, grid: int) -> int:
    """The cell of a pixel along an axis of `length` pixels."""
    return int((math.floor(position) + 0.5) * grid / length)
