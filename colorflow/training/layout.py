"""The layout of packs with one entry a photo: pixel packs and packs of patches.

Such a pack has a description (JSON: format, number of photos, how many are filled), photos.csv, and
arrays with one entry a photo.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorflow.errors import PackError
from colorflow.training.pack import DAMAGE, PhotoTable, map_array


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What makes one kind of pack, for those who write it and those who read it.

    Attributes:
        info: name of the description in the pack's folder.
        format: its `format`.
        arrays: type and shape of one photo in each array; NAME.npy is its file.
    """

    info: str
    format: str
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
                array = arrays[name] = map_array(path)
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


def _damaged(folder: Path, error: Exception) -> PackError:
    return PackError(f"{folder}: the pack is damaged ({error}); delete it and make it again")
