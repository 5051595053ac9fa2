"""Training packs: folders with a description, a table of photos, and arrays with one entry a photo.

    NAME.json       format, number of photos, how many are filled
    photos.csv      index, file, split, short_side, hash, mean_chroma, source
    ARRAY.npy       one entry a photo

`colorflow.training.pixels`, `colorflow.training.large_pack`, `colorflow.enlarge.patches` and
`colorflow.repair.prints` have the kinds. The arrays are memory-mapped, so a pack may be larger
than memory.
"""

from __future__ import annotations

import csv
import hashlib
import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from colorflow.errors import PackError

SPLITS = ("train", "dev")
EVALUATED_PHOTO_SIDE = 128
"""Evaluation uses photos whose short side is above this, in pixels."""
DAMAGE = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
    RecursionError, csv.Error,
)  # fmt: skip
"""Exceptions that a damaged pack may cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What makes one kind of pack, for those who write it and those who read it.

    Attributes:
        info: name of the description in the pack's folder.
        format: its `format`.
        option: of `data_prep`, after a space; empty for the usual kind.
        arrays: type and shape of one photo in each array; NAME.npy is its file.
    """

    info: str
    format: str
    option: str = ""
    arrays: Mapping[str, tuple[type[np.integer], tuple[int, ...]]]

    @property
    def bytes_per_photo(self) -> int:
        """Bytes of one photo in all arrays."""
        sizes = (np.dtype(kind).itemsize * int(np.prod(s)) for kind, s in self.arrays.values())
        return sum(sizes)

    def photos(self, folder: Path) -> tuple[PhotoTable, int]:
        """All photos of a pack, and how many are filled.

        Raises:
            PackError: if the folder is not such a pack, or its description or table is damaged.
        """
        path = folder / self.info
        if not path.is_file():
            raise PackError(
                f"{folder}: no pack of this kind here ({self.info}); make one with "
                f"`python -m data_prep PHOTOS -o {folder}{self.option}`"
            )
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            if info["format"] != self.format:
                raise ValueError(f"format {info['format']!r}, this version reads {self.format!r}")
            photos, filled = info["photos"], info["filled"]
            if not (type(photos) is type(filled) is int and 0 <= filled <= photos):
                raise ValueError(f"{filled!r} photos are filled of {photos!r}")
        except DAMAGE as error:
            raise PackError(
                f"{path}: not a pack description ({error}); make the pack again"
            ) from error
        try:
            table = PhotoTable.read(folder)
            if len(table) != photos:
                raise ValueError(f"photos.csv: {len(table)} photos, {self.info} says {photos}")
        except DAMAGE as error:
            raise _damaged(folder, error) from error
        return table, filled

    def open(self, folder: Path) -> tuple[PhotoTable, dict[str, NDArray[np.generic]]]:
        """The filled photos of a pack, at least one, and its arrays of all photos.

        Raises:
            PackError: if the folder is not such a pack, is damaged, or has no filled photo.
        """
        table, filled = self.photos(folder)
        arrays = {}
        for name, (kind, shape) in self.arrays.items():
            path = folder / f"{name}.npy"
            try:
                array = arrays[name] = _map_array(path)
            except DAMAGE as error:
                raise _damaged(folder, error) from error
            if array.shape != (len(table), *shape) or array.dtype != kind:
                raise PackError(
                    f"{path}: does not fit {self.info} (it is {array.dtype.str} {array.shape}); "
                    "make the pack again"
                )
        if filled == 0:
            raise PackError(f"{folder}: the pack has no photo yet; run data_prep to its end")
        return table.first(filled), arrays

    def digest(self, photos: PhotoTable, *facts: NDArray[np.generic]) -> str:
        """Digest of the filled photos and facts about them, to tell whether a pack has changed."""
        digest = hashlib.sha256(f"{self.format} {len(photos)}".encode())
        for fact in (photos.hashes, photos.dev, *facts):
            digest.update(fact.tobytes())
        return digest.hexdigest()


def open_table(folder: Path, mode: Literal["r", "w"] = "r") -> TextIO:
    """Opens photos.csv; file names that are not Unicode survive the way there and back."""
    path = folder / "photos.csv"
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoTable:
    """The photos of a pack, as photos.csv lists them.

    Attributes:
        files: path of each photo.
        dev: (N,) whether each photo is held out.
        short_side: (N,) in pixels.
        mean_chroma: (N,) CIELAB units.
        hashes: (N,) 64-bit difference hashes.
    """

    files: list[str]
    dev: NDArray[np.bool_]
    short_side: NDArray[np.int64]
    mean_chroma: NDArray[np.float64]
    hashes: NDArray[np.uint64]

    @classmethod
    def read(cls, folder: Path) -> PhotoTable:
        """Reads the table.

        Raises:
            `DAMAGE`: if it is damaged.
        """
        with open_table(folder) as file:
            photos = list(csv.DictReader(file))
        table = cls(
            files=[photo["file"] for photo in photos],
            dev=np.array([SPLITS.index(photo["split"]) for photo in photos], bool),
            short_side=np.array([int(photo["short_side"]) for photo in photos], np.int64),
            mean_chroma=np.array([float(photo["mean_chroma"]) for photo in photos]),
            hashes=np.array([int(photo["hash"], 16) for photo in photos], np.uint64),
        )
        if not np.isfinite(table.mean_chroma).all():
            raise ValueError("photos.csv: a mean_chroma is not finite")
        return table

    def __len__(self) -> int:
        return len(self.files)

    def first(self, count: int) -> PhotoTable:
        """The first photos alone."""
        return PhotoTable(
            **{field.name: getattr(self, field.name)[:count] for field in fields(self)}
        )


def _map_array(path: Path) -> NDArray[np.generic]:
    """Maps an array whose entries are read in random order, without read-ahead.

    Read-ahead would read 50 times as much as needed if a pack does not fit into memory.
    """
    array: NDArray[np.generic] = np.lib.format.open_memmap(path, mode="r")
    mapped = array.base
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):  # Windows has none
        mapped.madvise(mmap.MADV_RANDOM)
    return array


def _damaged(folder: Path, error: Exception) -> PackError:
    return PackError(f"{folder}: the pack is damaged ({error}); delete it and make it again")
