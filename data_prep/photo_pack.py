"""Makes packs: begins and fills them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from colorflow.files import write_whole
from colorflow.training.pack import Layout
from data_prep.arrays import Batch, check_room, fill_arrays
from data_prep.select import Selection


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
