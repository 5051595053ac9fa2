"""A pixel pack: lightness and ab of every photo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.grid import square_lightness, to_grid
from colorflow.errors import PackError
from colorflow.files import write_whole
from colorflow.training.pack import DAMAGE, PhotoTable
from colorflow.training.pixels import (
    ARRAYS,
    BYTES_PER_PHOTO,
    FORMAT,
    L_STEPS,
    read_pixel_info,
)
from data_prep.arrays import Batch, check_room, fill_arrays
from data_prep.scan import read_pixels
from data_prep.select import Selection


def begin_pixels(folder: Path, selection: Selection, seed: int) -> None:
    """Writes photos.csv and an empty pixels.json.

    Dev photos come first and the others in random order, so that a partly filled pack holds every
    kind of photo and can be trained on.

    Raises:
        PackError: if the disk has too little room.
    """
    shuffled = np.random.default_rng(seed).permutation(len(selection.photos))
    selection = selection.in_order(sorted(shuffled, key=lambda index: not selection.dev[index]))
    photos, dev = len(selection.photos), int(selection.dev.sum())
    check_room(folder, f"{photos} photos ({dev} dev)", photos * BYTES_PER_PHOTO)
    selection.write(folder)
    _write_info(folder, photos=photos, filled=0)


def fill_pixels(folder: Path, workers: int) -> Iterator[tuple[int, int]]:
    """Fills all photos; yields the number of filled photos and the number of all.

    Args:
        folder: the pack's folder.
        workers: processes that decode photos; 0 decodes in this process.

    Raises:
        PackError: if the pack is damaged, or a photo is gone since the pack was begun.
    """
    photos, filled = read_pixel_info(folder)
    try:
        files = [Path(file) for file in PhotoTable.read(folder).files]
        if len(files) != photos:
            raise ValueError(f"photos.csv: {len(files)} photos, pixels.json says {photos}")
    except DAMAGE as error:
        raise PackError(f"{folder}: a damaged pack ({error}); delete it to start over") from error

    def save_filled(count: int) -> None:
        _write_info(folder, photos=photos, filled=count)

    numbers = fill_arrays(
        folder, ARRAYS, _Rows(files), save_filled, rows=photos, filled=filled, workers=workers
    )
    yield from ((number, photos) for number in numbers)


def squares_of(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Lightness (256, 256) and ab (2, 64, 64) of a photo, as a pixel pack stores them."""
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


def _write_info(folder: Path, *, photos: int, filled: int) -> None:
    """Writes pixels.json in one step, so that a reader never sees half of it."""
    info = {"format": FORMAT, "photos": photos, "filled": filled}
    write_whole(folder / "pixels.json", json.dumps(info).encode(), None)
