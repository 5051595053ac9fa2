"""Lines over a photo, by which regions are added to what a point colors, or taken from it.

Dimensions: g the side of the grid on which the regions are, see `colorflow.model.things`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.recipe import Place
from colorflow.ui.coloring import DeskPhoto
from colorflow.ui.prepare import Corners, Form, moved


def cells_under(line: Corners, form: Form, grid: int) -> NDArray[np.bool_]:
    """Which cells of a grid a line goes through, (g, g), without gaps.

    Args:
        line: (x, y) along it, in pixels of the form.
        form: of the photo.
        grid: its side.
    """
    scale = grid / form.photo.width, grid / form.photo.height
    places = (np.array(line) * scale).astype(np.int32).clip(0, grid - 1)
    cells = np.zeros((grid, grid), np.uint8)
    cv2.polylines(cells, [places], False, 1)
    return cells > 0


def places_of(cells: NDArray[np.bool_], form: Form, photo: DeskPhoto) -> tuple[Place, ...]:
    """Pixels of the upload, one in the middle of each cell of a form."""
    rows, columns = (np.argwhere(cells) + 0.5).T / len(cells)
    middles = list(zip(columns * form.photo.width, rows * form.photo.height, strict=True))
    places = (
        (_pixel(y, photo.upload.height), _pixel(x, photo.upload.width))
        for x, y in moved(middles, form.plan, photo.upload, back=True)
    )
    return tuple(dict.fromkeys(places))


def places_in(
    cells: NDArray[np.bool_], form: Form, photo: DeskPhoto, places: Iterable[Place]
) -> set[Place]:
    """Those of some places of the upload that lie in some cells of a form."""
    grid, size = len(cells), form.photo
    return {
        place
        for place, (row, column) in photo.places_on(form, tuple(places)).items()
        if cells[_cell(row, size.height, grid), _cell(column, size.width, grid)]
    }


def _pixel(position: float, length: int) -> float:
    return float(min(max(math.floor(position), 0), length - 1))


def _cell(position: float, length: int, grid: int) -> int:
    """As of `colorflow.model.hints.cell_of`."""
    return int((math.floor(position) + 0.5) * grid / length)
