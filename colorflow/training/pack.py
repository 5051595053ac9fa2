"""The training pack: what `python -m data_prep` writes and the training loop reads.

A pack is a folder. Every photo appears as one or more *rows*, its variants (whole, cropped,
mirrored, with degraded lightness); every array has one entry a row:

    pack.json            format, seed, number of rows, how many are filled
    photos.csv           index, file, split, short_side, hash, mirrored_hash, mean_chroma, source
    rows.npy             (R,) structured: photo (index), variant (name's index in VARIANTS)
    lightness.npy        (R, 1, 128, 128) float16, CIE L* that the network sees
    ab.npy               (R, 2, 64, 64) float16, CIELAB units, the truth
    features{8,16,32}.npy  frozen feature maps of the 256x256 lightness, float16

The arrays are memory-mapped, so a pack may be larger than memory. Cached features make a training
step with the frozen network several times as fast as computing them: new weights, the baselines
and the zoo are trained on such packs. The late blocks are trained on `colorflow.training.pixels`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.errors import PackError
from colorflow.model.condition import CONDITION_GRID, Condition
from colorflow.model.features import FEATURE_CHANNELS

FORMAT = "colorflow-pack-1"
AB_GRID = 64
FEATURE_GRIDS = (8, 16, 32)
_FINEST_MAP = max(FEATURE_GRIDS)
SPLITS = ("train", "dev")
VARIANTS = ("whole", "whole_mirrored", "crop", "crop_degraded", "whole_degraded")
DAMAGE = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
    RecursionError, csv.Error,
)  # fmt: skip
"""Exceptions that a damaged pack may cause."""
NEAR_BITS = 6
"""Photos whose hashes differ in at most this many bits are near-duplicates: they stay on one side
of the split, within a pack and across packs. Photos near an excluded hash are dropped."""
ROW_TYPE = np.dtype([("photo", "<i4"), ("variant", "u1")])


ARRAY_SHAPES: dict[str, tuple[int, ...]] = {
    "lightness": (1, CONDITION_GRID, CONDITION_GRID),
    "ab": (2, AB_GRID, AB_GRID),
    **{f"features{grid}": (FEATURE_CHANNELS[grid], grid, grid) for grid in FEATURE_GRIDS},
}
"""Shape of one row of each float16 array, by the array's name."""
BYTES_PER_ROW = sum(2 * math.prod(shape) for shape in ARRAY_SHAPES.values())


def open_table(folder: Path, mode: Literal["r", "w"] = "r") -> TextIO:
    """Opens photos.csv; file names that are not Unicode survive the way there and back."""
    path = folder / "photos.csv"
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoTable:
    """The photos of a pack of either kind, as photos.csv lists them.

    Attributes:
        files: path of each photo.
        dev: (N,) whether each photo is held out.
        short_side: (N,) in pixels.
        mean_chroma: (N,) CIELAB units.
        hashes: (N,) 64-bit difference hashes.
        mirrored_hashes: (N,) hashes of the mirror images; packs of earlier versions lack them and
            repeat `hashes`.
    """

    files: list[str]
    dev: NDArray[np.bool_]
    short_side: NDArray[np.int64]
    mean_chroma: NDArray[np.float64]
    hashes: NDArray[np.uint64]
    mirrored_hashes: NDArray[np.uint64]

    @classmethod
    def read(cls, folder: Path) -> PhotoTable:
        """Reads the table.

        Raises:
            `DAMAGE`: if it is damaged.
        """
        with open_table(folder) as file:
            photos = list(csv.DictReader(file))
        hashes = [photo["hash"] for photo in photos]
        mirrored = [photo.get("mirrored_hash", photo["hash"]) for photo in photos]
        table = cls(
            files=[photo["file"] for photo in photos],
            dev=np.array([SPLITS.index(photo["split"]) for photo in photos], bool),
            short_side=np.array([int(photo["short_side"]) for photo in photos], np.int64),
            mean_chroma=np.array([float(photo["mean_chroma"]) for photo in photos]),
            hashes=np.array([int(text, 16) for text in hashes], np.uint64),
            mirrored_hashes=np.array([int(text, 16) for text in mirrored], np.uint64),
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


def bits_apart(hashes: NDArray[np.uint64], other: np.uint64) -> NDArray[np.uint8]:
    """Number of bits in which each of some 64-bit hashes differs from another one."""
    return np.bitwise_count(hashes ^ other)


class Pack:
    """Reads a finished or partly filled pack.

    Args:
        folder: the pack's folder.

    Attributes:
        digest: digest of the photos, their split and the filled rows.
        photos: the table of photos.

    Raises:
        PackError: if the folder is not a pack, is damaged, or has no filled row.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = read_info(folder)
        try:
            self.photos = PhotoTable.read(folder)
            rows = read_rows(folder, self.info["rows"], len(self.photos))[: self.info["filled"]]
            self.photo_of_row: NDArray[np.int64] = rows["photo"].astype(np.int64)
            self.variant_of_row: NDArray[np.int64] = rows["variant"].astype(np.int64)
            self.train_chroma: NDArray[np.float64] = self.photos.mean_chroma[~self.photos.dev]
            self._dev_of_row = self.photos.dev[self.photo_of_row]
            self._short_side_of_row = self.photos.short_side[self.photo_of_row]
            self._arrays = {name: map_array(folder / f"{name}.npy") for name in ARRAY_SHAPES}
        except DAMAGE as error:
            raise PackError(f"{folder}: the pack is damaged ({error}); make it again") from error
        for name, shape in ARRAY_SHAPES.items():
            array = self._arrays[name]
            if array.shape != (self.info["rows"], *shape) or array.dtype != np.float16:
                raise PackError(
                    f"{folder / name}.npy: does not fit pack.json (it is {array.dtype.str} "
                    f"{array.shape}); make the pack again"
                )
        if len(rows) == 0:
            raise PackError(f"{folder}: the pack has no finished row yet; run data_prep to its end")

        table, split = self.photos, self.photos.dev.astype(np.int64)
        facts = [table.hashes, split, table.short_side, self.photo_of_row, self.variant_of_row]
        # Digests in the checkpoints of earlier versions count the side of the finest map.
        info = self.info | {"finest_map": _FINEST_MAP}
        digest = hashlib.sha256(f"{info}".encode())
        for fact in facts:
            digest.update(fact.tobytes())
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.photo_of_row)

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, ascending.

        Args:
            split: ``train`` or ``dev``.
            variant: one of `VARIANTS`, or None for all.
            larger_than: keep photos whose short side in pixels exceeds this.
        """
        chosen = self._dev_of_row == (split == "dev")
        chosen &= self._short_side_of_row > larger_than
        if variant is not None:
            chosen &= self.variant_of_row == VARIANTS.index(variant)
        return np.flatnonzero(chosen)

    def batch(
        self, rows: NDArray[np.int64], maps: Sequence[int] = FEATURE_GRIDS
    ) -> tuple[Tensor, Condition]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: sides of the feature maps to read.

        Returns:
            ab (B, 2, 64, 64) in CIELAB units, and the condition of each row, float32.

        Raises:
            PackError: if a row holds numbers that are not finite.
        """
        order = np.argsort(rows)
        back = torch.from_numpy(np.argsort(order))

        def read(name: str) -> Tensor:
            x = torch.from_numpy(self._arrays[name][rows[order]])[back].float()
            if not bool(x.isfinite().all()):
                bad = rows[(~x.isfinite().flatten(1).all(1)).numpy()]
                raise PackError(
                    f"{self.folder / name}.npy: row {bad.min()} holds numbers that are not finite; "
                    "make the pack again"
                )
            return x

        features = {grid: read(f"features{grid}") for grid in maps}
        return read("ab"), Condition(lightness=read("lightness"), features=features)


class Packs:
    """Several packs as one: training rows from all, dev rows from the first only.

    So photos can be added without making a pack again. Photos of later packs that nearly equal a
    dev photo of the first pack, or its mirror image, are left out.

    Args:
        packs: one or more; row numbers of a pack follow those of the packs before it.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        self.packs = list(packs)
        self.folder = self.packs[0].folder
        self.digest = " ".join(pack.digest for pack in self.packs)
        self.train_chroma = np.concatenate([pack.train_chroma for pack in self.packs])
        self._starts = np.cumsum([0, *map(len, self.packs)])
        self._left_out = [np.zeros(0, np.int64)]
        self._left_out += [_rows_near_dev(pack, self.packs[0]) for pack in self.packs[1:]]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, ascending; arguments as those of `Pack.rows`."""
        packs = self.packs if split == "train" else self.packs[:1]
        chosen = []
        for pack, start, left_out in zip(packs, self._starts, self._left_out, strict=False):
            rows = pack.rows(split, variant=variant, larger_than=larger_than)
            chosen.append(start + rows[~np.isin(rows, left_out)])
        return np.concatenate(chosen)

    def batch(
        self, rows: NDArray[np.int64], maps: Sequence[int] = FEATURE_GRIDS
    ) -> tuple[Tensor, Condition]:
        """Reads the given rows, in the given order; as `Pack.batch`."""
        pack_of_row = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(pack_of_row, kind="stable")
        back = torch.from_numpy(np.argsort(order))
        parts = [
            self.packs[index].batch(rows[pack_of_row == index] - self._starts[index], maps)
            for index in np.unique(pack_of_row)
        ]

        def join(values: list[Tensor]) -> Tensor:
            return torch.cat(values)[back]

        conditions = [condition for _, condition in parts]
        features = {grid: join([c.features[grid] for c in conditions]) for grid in maps}
        lightness = join([c.lightness for c in conditions])
        return join([ab for ab, _ in parts]), Condition(lightness=lightness, features=features)


def open_packs(folders: Sequence[Path]) -> Pack | Packs:
    """The packs of some folders as one.

    Raises:
        PackError: if one of them cannot be read.
    """
    packs = [Pack(folder) for folder in folders]
    return packs[0] if len(packs) == 1 else Packs(packs)


def _rows_near_dev(pack: Pack, first: Pack) -> NDArray[np.int64]:
    """Rows whose photo or mirror image is a near-duplicate of another pack's dev photo."""
    dev = first.photos.hashes[np.unique(first.photo_of_row[first.rows("dev")])]
    near = np.zeros(len(pack.photos), bool)
    for value in dev:
        for hashes in (pack.photos.hashes, pack.photos.mirrored_hashes):
            near |= bits_apart(hashes, value) <= NEAR_BITS
    return np.flatnonzero(near[pack.photo_of_row])


def map_array(path: Path) -> NDArray[np.generic]:
    """Maps an array whose rows are read in random order, without read-ahead.

    Read-ahead would read 50 times as much as needed if a pack does not fit into memory.
    """
    array: NDArray[np.generic] = np.lib.format.open_memmap(path, mode="r")
    mapped = array.base
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):  # Windows has none
        mapped.madvise(mmap.MADV_RANDOM)
    return array


def read_rows(folder: Path, rows: int, photos: int) -> NDArray[np.void]:
    """Reads rows.npy: the photo and the variant of each row.

    Raises:
        ValueError, OSError: if it is damaged or does not fit the numbers of rows and photos.
    """
    table = np.array(np.lib.format.open_memmap(folder / "rows.npy", mode="r"))
    if table.dtype != ROW_TYPE or table.shape != (rows,):
        raise ValueError("rows.npy: does not fit pack.json")
    if not ((table["photo"] >= 0) & (table["photo"] < photos)).all():
        raise ValueError("rows.npy: rows of photos that photos.csv lacks")
    if not (table["variant"] < len(VARIANTS)).all():
        raise ValueError("rows.npy: rows of unknown variants")
    return table


def read_info(folder: Path) -> dict[str, int]:
    """Reads pack.json: rows, filled and seed.

    Raises:
        PackError: if there is none, it is damaged, or of a pack with averaged maps.
    """
    path = folder / "pack.json"
    if not path.is_file():
        raise PackError(
            f"{folder}: no training pack here; "
            f"make one with `python -m data_prep PHOTOS -o {folder}`"
        )
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        known = info["format"] == FORMAT
        numbers = {name: info[name] for name in ("rows", "filled", "seed")}
        for name, value in numbers.items():
            if type(value) is not int or value < 0:
                raise ValueError(f"{name}: expected a whole number, got {value!r}")
        if numbers["filled"] > numbers["rows"]:
            raise ValueError(f"{numbers['filled']} rows are filled of {numbers['rows']}")
        if info.get("finest_map", _FINEST_MAP) != _FINEST_MAP:
            raise ValueError("its maps are averaged, which this version cannot use")
    except DAMAGE as error:
        raise PackError(f"{path}: not a pack description ({error}); make the pack again") from error
    if not known:
        raise PackError(f"{path}: format {info['format']!r}, this version reads {FORMAT!r}")
    return numbers
