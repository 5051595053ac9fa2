"""The pack that colors are learned from: lightness and ab of every photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.grid import square_lightness, to_grid
from colorflow.training.pixels import L_STEPS, LAYOUT
from data_prep.arrays import Batch
from data_prep.photo_pack import PackKind
from data_prep.scan import read_pixels


def squares_of(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Lightness (256, 256) and ab (2, 64, 64) of a photo, as a pack stores them."""
    lightness = np.clip(np.round(square_lightness(pixels) * L_STEPS), 0, 255)
    ab = np.clip(np.round(to_grid(pixels)), -128, 127)
    return lightness.astype(np.uint8), ab.astype(np.int8)


class _Rows:
    """Computes the squares of photos."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __call__(self, rows: range) -> Batch:
        squares = [squares_of(read_pixels(self.files[row])) for row in rows]
        lightness, ab = (torch.from_numpy(np.stack(part)) for part in zip(*squares, strict=True))
        return {"lightness": lightness, "ab": ab}


PIXELS = PackKind(layout=LAYOUT, rows=_Rows)
