"""Contact sheets: rows of small pictures, written as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import Rows, resize_by_area
from colorflow.files import FileKind
from colorflow.photo import photo_from_image, write_image

Pixels = NDArray[np.uint8]


def thumbnail(pixels: Rows, height: int) -> Pixels:
    """A picture of a height in pixels; its width keeps the proportions.

    Args:
        pixels: (H, W) or (H, W, 3), uint8.
        height: of the result.
    """
    width = max(1, round(height * pixels.shape[1] / pixels.shape[0]))
    return np.round(resize_by_area(pixels, height, width)).astype(np.uint8)


def row_of(cells: Sequence[Pixels], gap: int) -> Pixels:
    """Joins pictures of one height side by side, with a white gap to the right of each."""
    return np.concatenate([_padded(cell, right=gap) for cell in cells], axis=1)


def write_contact_sheet(
    path: Path, rows: Sequence[Pixels], gap: int, kind: FileKind | None = None
) -> None:
    """Writes rows below each other, with a white gap below each.

    Args:
        path: the file.
        rows: (height, width, 3) each, at least one.
        gap: in pixels.
        kind: of file, see `write_image`.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate([_padded(row, width - row.shape[1], gap) for row in rows])
    write_image(path, sheet, photo_from_image(sheet), kind=kind)


def _padded(pixels: Pixels, right: int, below: int = 0) -> Pixels:
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), constant_values=255)
