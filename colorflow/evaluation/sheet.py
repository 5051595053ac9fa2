"""The contact sheet: gray, truth, samples, their mean and their spread, a row a photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.resize import resize_by_area
from colorflow.evaluation.subject import Subject
from colorflow.files import picture_kind
from colorflow.photo import photo_from_image, write_image

SHEET = picture_kind("contact sheet of an evaluation")
ROWS = 24
SAMPLES = 6
WHITE_SPREAD = 25.0
"""Spread of ab, in CIELAB units, that is white in the last picture; 0 is black."""

_HEIGHT, _WIDEST, _GAP = 112, 200, 4

Pixels = NDArray[np.uint8]


class Sheet:
    """Collects rows, evenly spread over the photos, and writes them as one picture.

    Args:
        photos: how many will be offered, at most.
    """

    def __init__(self, photos: int) -> None:
        self._every = max(1, -(-photos // ROWS))
        self._offered = 0
        self._rows: list[Pixels] = []

    def add(self, subject: Subject, draws: Tensor) -> None:
        """Offers a photo with its draws (n, 2, 64, 64)."""
        if self._offered % self._every == 0:
            self._rows.append(row(subject.pixels, draws.numpy()))
        self._offered += 1

    def write(self, path: Path) -> None:
        """Writes the picture.

        Raises:
            WritePhotoError: if that is not possible.
        """
        width = max(one.shape[1] for one in self._rows)
        padded = [
            np.pad(one, ((0, _GAP), (0, width - one.shape[1]), (0, 0)), constant_values=255)
            for one in self._rows
        ]
        sheet = np.concatenate(padded)
        write_image(path, sheet, photo_from_image(sheet), kind=SHEET)


def row(pixels: Pixels, draws: NDArray[np.float32]) -> Pixels:
    """One photo: gray, truth, six samples, the mean of all draws, and their spread."""
    height, width = pixels.shape[:2]
    width = min(_WIDEST, max(1, round(_HEIGHT * width / height)))
    small = np.round(resize_by_area(pixels, _HEIGHT, width)).astype(np.uint8)
    lightness = lightness_of(small)
    mean = draws.mean(0)
    shown = [np.zeros_like(mean), *draws[:SAMPLES], mean]
    gray, *colorings = [render(lightness, np.asarray(ab, np.float32)) for ab in shown]
    cells = [gray, small, *colorings, _spread(draws, width)]
    return np.concatenate(
        [np.pad(cell, ((0, 0), (0, _GAP), (0, 0)), constant_values=255) for cell in cells], axis=1
    )


def _spread(draws: NDArray[np.float32], width: int) -> Pixels:
    """The root mean square distance of the draws from their mean, black to white."""
    spread = np.sqrt(draws.var(0).sum(0))
    large = cv2.resize(spread, (width, _HEIGHT), interpolation=cv2.INTER_LINEAR)
    gray = np.round(255 * np.clip(large / WHITE_SPREAD, 0, 1)).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)
