"""Second pass of a pixel pack: lightness and ab of every photo, into memory-mapped arrays.

Photos are filled in order; `pixels.json` says how many are. An interrupted run goes on from there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from colorflow.color.grid import square_lightness, to_grid
from colorflow.errors import PackError, PhotoError
from colorflow.files import write_whole
from colorflow.training.pack import DAMAGE, open_table
from colorflow.training.pixels import (
    ARRAYS,
    BYTES_PER_PHOTO,
    FORMAT,
    L_STEPS,
    read_pixel_info,
)
from data_prep.room import check_room
from data_prep.scan import read_pixels
from data_prep.select import Selection

BATCH = 32
FLUSH_EVERY = 64
"""Batches between two flushes to disk; at most so much is done again after an interruption."""

Squares = tuple[NDArray[np.uint8], NDArray[np.int8]]


def begin(folder: Path, selection: Selection, seed: int) -> None:
    """Writes photos.csv and an empty pixels.json.

    Dev photos come first, the others in random order: a pack that is filled in part can be trained
    on, and holds every kind of photo.

    Raises:
        PackError: if the disk has too little room.
    """
    shuffled = np.random.default_rng(seed).permutation(len(selection.photos))
    selection = selection.in_order(sorted(shuffled, key=lambda index: not selection.dev[index]))
    photos, dev = len(selection.photos), int(selection.dev.sum())
    check_room(folder, f"{photos} photos ({dev} dev)", photos * BYTES_PER_PHOTO)
    selection.write(folder)
    write_pixel_info(folder, photos=photos, filled=0)


def write_pixel_info(folder: Path, *, photos: int, filled: int) -> None:
    """Writes pixels.json in one step, so that a reader never sees half of it."""
    info = {"format": FORMAT, "photos": photos, "filled": filled}
    write_whole(folder / "pixels.json", json.dumps(info).encode(), None)


def fill_pixels(folder: Path, workers: int) -> Iterator[tuple[int, int]]:
    """Fills photos to the end; yields how many are filled, and how many there are, as it goes.

    Args:
        folder: the pack's folder.
        workers: processes that decode photos; 0 decodes in this process.

    Raises:
        PackError: if the pack is damaged, or a photo has gone since it was begun.
    """
    photos, filled = read_pixel_info(folder)
    try:
        with open_table(folder) as file:
            files = [Path(photo["file"]) for photo in csv.DictReader(file)]
        if len(files) != photos:
            raise ValueError(f"photos.csv: {len(files)} photos, pixels.json says {photos}")
    except DAMAGE as error:
        raise PackError(f"{folder}: a damaged pack ({error}); delete it to start over") from error
    arrays = [_open(folder, name, photos, new=filled == 0) for name in ARRAYS]
    batches = [files[start : start + BATCH] for start in range(filled, photos, BATCH)]
    loader = DataLoader(_Batches(batches), batch_size=None, num_workers=workers)
    yield filled, photos
    for number, squares in enumerate(loader, 1):
        if isinstance(squares, str):
            raise PackError(f"{squares}; bring the photo back, or delete the pack to start over")
        end = filled + len(squares[0])
        for array, values in zip(arrays, squares, strict=True):
            array[filled:end] = values.numpy()
        filled = end
        if number % FLUSH_EVERY == 0 or filled == photos:
            for array in arrays:
                array.flush()
            write_pixel_info(folder, photos=photos, filled=filled)
        yield filled, photos


def squares_of(pixels: NDArray[np.uint8]) -> Squares:
    """Lightness (256, 256) and ab (2, 64, 64) of a photo, as a pixel pack stores them."""
    lightness = np.clip(np.round(square_lightness(pixels) * L_STEPS), 0, 255)
    ab = np.clip(np.round(to_grid(pixels)), -128, 127)
    return lightness.astype(np.uint8), ab.astype(np.int8)


class _Batches(Dataset[list[torch.Tensor] | str]):
    """Squares of batches of photos; of one that cannot be read the error's message."""

    def __init__(self, batches: list[list[Path]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[torch.Tensor] | str:
        try:
            squares = [squares_of(read_pixels(path)) for path in self.batches[index]]
        except PhotoError as error:
            return str(error)
        return [torch.from_numpy(np.stack(part)) for part in zip(*squares, strict=True)]


def _open(folder: Path, name: str, photos: int, *, new: bool) -> np.memmap[Any, Any]:
    kind, shape = ARRAYS[name]
    path, wanted = folder / f"{name}.npy", (photos, *shape)
    if new:
        return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=wanted)
    try:
        array = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, EOFError, ValueError) as error:
        raise PackError(f"{path}: damaged ({error}); delete the pack to start over") from error
    if array.shape != wanted or array.dtype != kind:
        raise PackError(f"{path}: does not fit pixels.json; delete the pack to start over")
    return array
