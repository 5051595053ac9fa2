"""The training pack: what `python -m data_prep` writes and the training loop reads.

A pack is a folder. Every photo appears as one or more *rows*, its variants (whole, cropped,
mirrored, with degraded lightness); every array has one entry a row:

    pack.json            format, seed, number of rows, how many are filled, side of the finest map
    photos.csv           index, file, split, short_side, hash, mean_chroma
    rows.npy             (R,) structured: photo (index), variant (name's index in VARIANTS)
    lightness.npy        (R, 1, 128, 128) float16, CIE L* that the network sees
    ab.npy               (R, 2, 64, 64) float16, CIELAB units, the truth
    features{8,16,32}.npy  frozen feature maps of the 256x256 lightness, float16

The arrays are memory-mapped, so a pack may be larger than memory. A *coarse* pack, for the coarsest
levels alone, has every map averaged to at most 8x8 or 16x16 and lightness to four times that: a
third or two thirds of the disk. The model averages maps after it has standardized and cut them, so
a coarse pack shows it nearly the same, and cannot give the statistics to standardize by.
"""

from __future__ import annotations

import csv
import hashlib
import json
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.errors import PackError
from colorflow.model.condition import CONDITION_GRID, Condition
from colorflow.model.features import FEATURE_CHANNELS

FORMAT = "colorflow-pack-1"
AB_GRID = 64
FEATURE_GRIDS = (8, 16, 32)
FINEST_MAP = max(FEATURE_GRIDS)
"""Side of the finest feature map of a whole pack."""
SPLITS = ("train", "dev")
VARIANTS = ("whole", "whole_mirrored", "crop", "crop_degraded", "whole_degraded")
DAMAGE = (
    OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
    RecursionError, csv.Error,
)  # fmt: skip
"""What reading a damaged pack may raise."""
NEAR_BITS = 6
"""Photos whose hashes differ in at most this many bits are nearly the same: they stay on one side
of the split, in one pack and in several, and photos near an excluded hash are dropped."""
ROW_TYPE = np.dtype([("photo", "<i4"), ("variant", "u1")])


def array_shapes(finest_map: int = FINEST_MAP) -> dict[str, tuple[int, ...]]:
    """Shape of one row of each float16 array, by the array's name.

    Args:
        finest_map: no map is finer than that; lightness has four times its side.
    """
    side = CONDITION_GRID * finest_map // FINEST_MAP
    shapes: dict[str, tuple[int, ...]] = {
        "lightness": (1, side, side),
        "ab": (2, AB_GRID, AB_GRID),
    }
    for grid in FEATURE_GRIDS:
        side = min(grid, finest_map)
        shapes[f"features{grid}"] = (FEATURE_CHANNELS[grid], side, side)
    return shapes


def bytes_per_row(finest_map: int = FINEST_MAP) -> int:
    """Disk need of one row in bytes."""
    return sum(2 * int(np.prod(shape)) for shape in array_shapes(finest_map).values())


def open_table(folder: Path, mode: Literal["r", "w"] = "r") -> TextIO:
    """Opens photos.csv; file names that are not Unicode survive the way there and back."""
    path = folder / "photos.csv"
    return path.open(mode, newline="", encoding="utf-8", errors="surrogateescape")


def bits_apart(hashes: NDArray[np.uint64], other: np.uint64) -> NDArray[np.uint8]:
    """In how many bits each of some 64-bit hashes differs from another one."""
    return np.bitwise_count(hashes ^ other)


class Pack:
    """Read access to a finished or partly filled pack.

    Args:
        folder: the pack's folder.
        finest_map: side of the feature maps that are needed, at most.

    Attributes:
        digest: of the photos, their split and the filled rows; another pack has another one.

    Raises:
        PackError: if the folder is not a pack, is damaged, has no filled row, or is too coarse.
    """

    def __init__(self, folder: Path, finest_map: int = FINEST_MAP) -> None:
        self.folder = folder
        self.info = read_info(folder)
        self.finest_map = self.info["finest_map"]
        if self.finest_map < finest_map:
            raise PackError(
                f"{folder}: a coarse pack, its maps have at most {self.finest_map} x "
                f"{self.finest_map} cells and what is to be trained needs {finest_map}; choose "
                f"coarser levels (--levels), or make a pack with --finest-map {finest_map}"
            )
        try:
            with open_table(folder) as file:
                photos = list(csv.DictReader(file))
            self.files = [photo["file"] for photo in photos]
            split = np.array([SPLITS.index(photo["split"]) for photo in photos])
            short_side = np.array([int(photo["short_side"]) for photo in photos])
            mean_chroma = np.array([float(photo["mean_chroma"]) for photo in photos])
            self.hash_of_photo = np.array([int(photo["hash"], 16) for photo in photos], np.uint64)
            if not np.isfinite(mean_chroma).all():
                raise ValueError("photos.csv: a mean_chroma is not finite")
            rows = read_rows(folder, self.info["rows"], len(photos))[: self.info["filled"]]
            self.photo_of_row: NDArray[np.int64] = rows["photo"].astype(np.int64)
            self.variant_of_row: NDArray[np.int64] = rows["variant"].astype(np.int64)
            self.train_chroma: NDArray[np.float64] = mean_chroma[split == SPLITS.index("train")]
            self._split_of_row = split[self.photo_of_row]
            self._short_side_of_row = short_side[self.photo_of_row]
            shapes = array_shapes(self.finest_map)
            self._arrays = {name: map_array(folder / f"{name}.npy") for name in shapes}
        except DAMAGE as error:
            raise PackError(f"{folder}: the pack is damaged ({error}); make it again") from error
        for name, shape in shapes.items():
            array = self._arrays[name]
            if array.shape != (self.info["rows"], *shape) or array.dtype != np.float16:
                raise PackError(
                    f"{folder / name}.npy: does not fit pack.json (it is {array.dtype.str} "
                    f"{array.shape}); make the pack again"
                )
        if len(rows) == 0:
            raise PackError(f"{folder}: the pack has no finished row yet; run data_prep to its end")

        facts = [self.hash_of_photo, split, short_side, self.photo_of_row, self.variant_of_row]
        digest = hashlib.sha256(f"{self.info}".encode())
        for fact in facts:
            digest.update(fact.tobytes())
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.photo_of_row)

    @property
    def coarsest(self) -> Path:
        """Its own folder; of several packs that of the coarsest."""
        return self.folder

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, ascending.

        Args:
            split: ``train`` or ``dev``.
            variant: one of `VARIANTS`, or None for all.
            larger_than: keep photos whose short side in pixels exceeds this.
        """
        chosen = self._split_of_row == SPLITS.index(split)
        chosen &= self._short_side_of_row > larger_than
        if variant is not None:
            chosen &= self.variant_of_row == VARIANTS.index(variant)
        return np.flatnonzero(chosen)

    def batch(
        self,
        rows: NDArray[np.int64],
        maps: Sequence[int] = FEATURE_GRIDS,
        finest_map: int = FINEST_MAP,
    ) -> tuple[Tensor, Condition]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: sides of the feature maps to read.
            finest_map: maps and lightness are averaged to what a pack with that has.

        Returns:
            ab (B, 2, 64, 64) in CIELAB units, and the condition of each row, float32.

        Raises:
            PackError: if a row holds numbers that are not finite.
        """
        order = np.argsort(rows)
        back = torch.from_numpy(np.argsort(order))

        shapes = array_shapes(min(finest_map, self.finest_map))

        def read(name: str) -> Tensor:
            x = torch.from_numpy(self._arrays[name][rows[order]])[back].float()
            if not bool(x.isfinite().all()):
                bad = rows[(~x.isfinite().flatten(1).all(1)).numpy()]
                raise PackError(
                    f"{self.folder / name}.npy: row {bad.min()} holds numbers that are not finite; "
                    "make the pack again"
                )
            factor = x.shape[-1] // shapes[name][-1]
            return x if factor == 1 else F.avg_pool2d(x, factor)

        features = {grid: read(f"features{grid}") for grid in maps}
        return read("ab"), Condition(lightness=read("lightness"), features=features)


class Packs:
    """Several packs as one: training rows from all, dev rows from the first alone.

    So more photos can be added without making a pack again. A photo of a later pack that is nearly
    one of the first pack's dev photos is left out.

    Args:
        packs: one or more; all later numbers of rows follow those of the packs before. If some
            are coarse, they all look as coarse as the coarsest.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        self.packs = list(packs)
        self.folder = self.packs[0].folder
        self.digest = " ".join(pack.digest for pack in self.packs)
        coarsest = min(self.packs, key=lambda pack: pack.finest_map)
        self.coarsest, self.finest_map = coarsest.folder, coarsest.finest_map
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
            self.packs[index].batch(
                rows[pack_of_row == index] - self._starts[index], maps, self.finest_map
            )
            for index in np.unique(pack_of_row)
        ]

        def join(values: list[Tensor]) -> Tensor:
            return torch.cat(values)[back]

        conditions = [condition for _, condition in parts]
        features = {grid: join([c.features[grid] for c in conditions]) for grid in maps}
        lightness = join([c.lightness for c in conditions])
        return join([ab for ab, _ in parts]), Condition(lightness=lightness, features=features)


def open_packs(folders: Sequence[Path], finest_map: int = FINEST_MAP) -> Pack | Packs:
    """The packs of some folders as one.

    Args:
        folders: of the packs.
        finest_map: side of the feature maps that are needed, at most.

    Raises:
        PackError: if one of them cannot be read or is too coarse.
    """
    packs = [Pack(folder, finest_map) for folder in folders]
    return packs[0] if len(packs) == 1 else Packs(packs)


def _rows_near_dev(pack: Pack, first: Pack) -> NDArray[np.int64]:
    """Rows of a pack whose photo is nearly one of another pack's dev photos."""
    dev = first.hash_of_photo[np.unique(first.photo_of_row[first.rows("dev")])]
    near = np.zeros(len(pack.hash_of_photo), bool)
    for value in dev:
        near |= bits_apart(pack.hash_of_photo, value) <= NEAR_BITS
    return np.flatnonzero(near[pack.photo_of_row])


def map_array(path: Path) -> NDArray[np.generic]:
    """Maps an array whose rows are read in any order: no reading ahead, which would read 50 times
    as much as is asked for where a pack does not fit into memory."""
    array: NDArray[np.generic] = np.lib.format.open_memmap(path, mode="r")
    mapped = array.base
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):  # Windows has none
        mapped.madvise(mmap.MADV_RANDOM)
    return array


def read_rows(folder: Path, rows: int, photos: int) -> NDArray[np.void]:
    """Reads rows.npy, the photo and the variant of each row.

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
    """Reads pack.json: rows, filled, seed and finest_map.

    Raises:
        PackError: if there is none, or it is damaged.
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
        info = {"finest_map": FINEST_MAP} | info
        numbers = {name: info[name] for name in ("rows", "filled", "seed", "finest_map")}
        for name, value in numbers.items():
            if type(value) is not int or value < 0:
                raise ValueError(f"{name}: expected a whole number, got {value!r}")
        if numbers["filled"] > numbers["rows"]:
            raise ValueError(f"{numbers['filled']} rows are filled of {numbers['rows']}")
        if numbers["finest_map"] not in FEATURE_GRIDS:
            raise ValueError(f"finest_map {numbers['finest_map']}")
    except DAMAGE as error:
        raise PackError(f"{path}: not a pack description ({error}); make the pack again") from error
    if not known:
        raise PackError(f"{path}: format {info['format']!r}, this version reads {FORMAT!r}")
    return numbers
