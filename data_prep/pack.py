"""Makes packs: begins them, fills memory-mapped arrays, and goes on after an interruption."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from colorflow.errors import PackError, PhotoError
from colorflow.files import write_whole
from colorflow.training.pack import Layout
from data_prep.scan import fresh_processes
from data_prep.select import Selection

BATCH = 32
FLUSH_EVERY = 64
"""Batches between two flushes to disk; an interruption loses at most these."""

Batch = Mapping[str, Tensor]
"""Values of consecutive rows, by the array's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackKind:
    """One kind of packs.

    Attributes:
        layout: of a pack.
        rows: given the files, the function that computes the values of some photos.
    """

    layout: Layout
    rows: Callable[[list[Path]], Callable[[range], Batch]]

    def begin(self, folder: Path, selection: Selection, seed: int) -> None:
        """Writes photos.csv and a description of an empty pack.

        Dev photos come first and the others in random order, so that a partly filled pack holds
        every kind of photo and can be trained on.

        Raises:
            PackError: if the disk has too little room.
        """
        shuffled = np.random.default_rng(seed).permutation(len(selection.photos))
        selection = selection.in_order(sorted(shuffled, key=lambda index: not selection.dev[index]))
        photos, dev = len(selection.photos), int(selection.dev.sum())
        check_room(folder, f"{photos} photos ({dev} dev)", photos * self.layout.bytes_per_photo)
        selection.write(folder)
        self._write_info(folder, photos=photos, filled=0)

    def fill(self, folder: Path, workers: int) -> Iterator[tuple[int, int]]:
        """Fills all photos; yields the number of filled photos and the number of all.

        Args:
            folder: the pack's folder.
            workers: processes that decode photos; 0 decodes in this process.

        Raises:
            PackError: if the pack is damaged, or a photo is gone since the pack was begun.
        """
        table, filled = self.layout.photos(folder)
        photos = len(table)

        def save_filled(count: int) -> None:
            self._write_info(folder, photos=photos, filled=count)

        numbers = fill_arrays(
            folder,
            self.layout.arrays,
            self.rows([Path(file) for file in table.files]),
            save_filled,
            rows=photos,
            filled=filled,
            workers=workers,
        )
        yield from ((number, photos) for number in numbers)

    def _write_info(self, folder: Path, *, photos: int, filled: int) -> None:
        """Writes the description in one step, so that a reader never sees half of it."""
        info = {"format": self.layout.format, "photos": photos, "filled": filled}
        write_whole(folder / self.layout.info, json.dumps(info).encode(), None)


def check_room(folder: Path, contents: str, size: int) -> None:
    """Prints the size of a pack and checks that the disk has room for it.

    Args:
        folder: the pack's folder.
        contents: what the pack holds, for the message.
        size: bytes.

    Raises:
        PackError: if less is free.
    """
    free = shutil.disk_usage(folder).free
    print(f"{contents}: {size / 1e9:.1f} GB")
    if size > free:
        raise PackError(f"{folder}: needs {size / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free")


def fill_arrays(
    folder: Path,
    kinds: Mapping[str, tuple[DTypeLike, tuple[int, ...]]],
    make: Callable[[range], Batch],
    save_filled: Callable[[int], None],
    *,
    rows: int,
    filled: int,
    workers: int,
) -> Iterator[int]:
    """Fills the rows from `filled` to the end; yields the number of filled rows.

    Args:
        folder: the pack's folder.
        kinds: dtype and shape of one row, by the array's name.
        make: computes the values of some rows; it runs in the worker processes.
        save_filled: records how many rows are filled, after they are on the disk.
        rows: rows of each array.
        filled: rows that are filled already.
        workers: worker processes; 0 works in this process.

    Raises:
        PackError: if an array is damaged, or a photo is gone since the pack was begun.
    """
    arrays = {
        name: _open(folder / f"{name}.npy", np.dtype(dtype), (rows, *shape), new=filled == 0)
        for name, (dtype, shape) in kinds.items()
    }
    batches = _Batches(make, range(filled, rows, BATCH))
    yield filled
    loader = DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=fresh_processes() if workers else None,
    )
    for number, batch in enumerate(loader, 1):
        if isinstance(batch, str):
            raise PackError(f"{batch}; bring the photo back, or delete the pack to start over")
        end = min(filled + BATCH, rows)
        for name, values in batch.items():
            arrays[name][filled:end] = values.numpy()
        filled = end
        if number % FLUSH_EVERY == 0 or filled == rows:
            for array in arrays.values():
                array.flush()
            save_filled(filled)
        yield filled


class _Batches(Dataset[Batch | str]):
    """Batches of rows. A batch with an unreadable photo is the error's message.

    Exceptions do not leave a worker process unchanged.
    """

    def __init__(self, make: Callable[[range], Batch], starts: range) -> None:
        self.make, self.starts = make, starts

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Batch | str:
        start = self.starts[index]
        try:
            return self.make(range(start, min(start + self.starts.step, self.starts.stop)))
        except PhotoError as error:
            return str(error)


def _open(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], *, new: bool
) -> np.memmap[Any, Any]:
    if new:
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    try:
        array = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, EOFError, ValueError) as error:
        raise PackError(f"{path}: damaged ({error}); delete the pack to start over") from error
    if array.shape != shape or array.dtype != dtype:
        raise PackError(f"{path}: does not fit the pack; delete the pack to start over")
    return array
