"""The contact sheet: gray, truth, samples, their mean and their spread, one row per photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import resized
from colorflow.evaluation.subject import Subject
from colorflow.files import FileKind, picture_kind
from colorflow.photo import photo_from_image, write_image

Pixels = NDArray[np.uint8]

SHEET = picture_kind("contact sheet of an evaluation")
ROWS = 24
SAMPLES = 6
WHITE_SPREAD = 25.0
"""Spread of ab, in CIELAB units, that the last picture shows as white; 0 is black."""

_HEIGHT, _WIDEST, _GAP = 112, 200, 4


class Sheet:
    """Collects rows, evenly spread over the photos, and writes them as one picture.

    Args:
        photos: largest number of photos that will be added.
    """

    def __init__(self, photos: int) -> None:
        self._every = max(1, -(-photos // ROWS))
        self._added = 0
        self._rows: list[Pixels] = []

    def add(self, subject: Subject, samples: Tensor) -> None:
        """Adds a photo with its samples (n, 2, 64, 64), if its turn has come."""
        if self._added % self._every == 0:
            self._rows.append(_row(subject.pixels, samples.numpy()))
        self._added += 1

    def write(self, path: Path) -> None:
        """Writes the picture.

        Raises:
            WritePhotoError: if that is not possible.
        """
        write_contact_sheet(path, self._rows, _GAP, SHEET)


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


def _row(pixels: Pixels, samples: NDArray[np.float32]) -> Pixels:
    """Gray, truth, six samples, the mean of all samples, and their spread."""
    height, width = pixels.shape[:2]
    width = min(_WIDEST, max(1, round(_HEIGHT * width / height)))
    small = resized(pixels, _HEIGHT, width)
    lightness = lightness_of(small)
    mean = samples.mean(0)
    shown = [np.zeros_like(mean), *samples[:SAMPLES], mean]
    gray, *colorings = [render(lightness, np.asarray(ab, np.float32)) for ab in shown]
    return row_of([gray, small, *colorings, _spread(samples, width)], _GAP)


def _spread(samples: NDArray[np.float32], width: int) -> Pixels:
    """Root mean square distance of the samples from their mean, black to white."""
    spread = np.sqrt(samples.var(0).sum(0))
    large = cv2.resize(spread, (width, _HEIGHT), interpolation=cv2.INTER_LINEAR)
    gray = np.round(255 * np.clip(large / WHITE_SPREAD, 0, 1)).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def _padded(pixels: Pixels, right: int, below: int = 0) -> Pixels:
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), constant_values=255)
