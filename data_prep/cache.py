"""A pack of cached features: lightness, ab and frozen feature maps of every row.

The random choices of a row depend on the seed and the row only, so an interrupted run goes on to
the same arrays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from colorflow.errors import PackError
from colorflow.files import write_whole
from colorflow.model.features import Features
from colorflow.training.pack import (
    ARRAY_SHAPES,
    BYTES_PER_ROW,
    DAMAGE,
    FEATURE_GRIDS,
    FORMAT,
    ROW_TYPE,
    SPLITS,
    VARIANTS,
    PhotoTable,
    read_info,
    read_rows,
)
from data_prep.arrays import Batch, check_room, fill_arrays
from data_prep.scan import read_pixels
from data_prep.select import Selection
from data_prep.variants import make_variant, variants_of


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantPlan:
    """What to fill: one photo and variant a row.

    Attributes:
        files: photos, by index.
        photo_of_row: (R,) index into `files`.
        variant_of_row: (R,) index into `VARIANTS`.
        seed: seed of all random choices.
    """

    files: list[Path]
    photo_of_row: NDArray[np.int64]
    variant_of_row: NDArray[np.int64]
    seed: int


def begin(folder: Path, selection: Selection, variants: int, seed: int) -> None:
    """Writes photos.csv, rows.npy and an empty pack.json.

    Raises:
        PackError: if the disk has too little room.
    """
    names = [
        variants_of(SPLITS[int(dev)], s.short_side, variants)
        for s, dev in zip(selection.photos, selection.dev, strict=True)
    ]
    # Variant by variant, photos shuffled: a partly filled pack holds every kind of photo.
    order = np.random.default_rng(seed).permutation(len(names))
    rows = [
        (int(index), VARIANTS.index(names[index][turn]))
        for turn in range(max(map(len, names)))
        for index in order
        if turn < len(names[index])
    ]
    contents = f"{len(names)} photos ({int(selection.dev.sum())} dev), {len(rows)} rows"
    selection.write(folder)
    check_room(folder, contents, len(rows) * BYTES_PER_ROW)
    np.save(folder / "rows.npy", np.array(rows, dtype=ROW_TYPE))
    _write_info(folder, rows=len(rows), filled=0, seed=seed)


def fill(folder: Path, workers: int) -> Iterator[tuple[int, int]]:
    """Fills all rows; yields the number of filled rows and the number of all.

    Args:
        folder: the pack's folder.
        workers: processes that decode photos; 0 decodes in this process.

    Raises:
        PackError: if the pack is damaged, or a photo is gone since the pack was begun.
    """
    try:
        plan, filled = _read_plan(folder)
    except DAMAGE as error:
        raise PackError(f"{folder}: a damaged pack ({error}); delete it to start over") from error
    rows = len(plan.photo_of_row)
    kinds = {name: (np.float16, shape) for name, shape in ARRAY_SHAPES.items()}

    def save_filled(count: int) -> None:
        _write_info(folder, rows=rows, filled=count, seed=plan.seed)

    numbers = fill_arrays(
        folder, kinds, _Rows(plan), save_filled, rows=rows, filled=filled, workers=workers
    )
    yield from ((number, rows) for number in numbers)


class _Rows:
    """Computes rows with their features.

    Every worker process runs the feature network on one core, which wastes no time on waiting for
    the other cores.
    """

    def __init__(self, plan: VariantPlan) -> None:
        self.plan = plan
        self.features: Features | None = None

    def __call__(self, rows: range) -> Batch:
        self.features = self.features or Features()
        pairs = [self._row(row) for row in rows]
        lightness = torch.from_numpy(np.stack([pair[0] for pair in pairs]))[:, None]
        maps = self.features(lightness)
        arrays = {f"features{grid}": maps[grid] for grid in FEATURE_GRIDS}
        side = ARRAY_SHAPES["lightness"][-1]
        arrays["lightness"] = F.avg_pool2d(lightness, lightness.shape[-1] // side)
        arrays["ab"] = torch.from_numpy(np.stack([pair[1] for pair in pairs]))
        return {name: values.half() for name, values in arrays.items()}

    def _row(self, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels = read_pixels(self.plan.files[self.plan.photo_of_row[row]])
        rng = np.random.default_rng([self.plan.seed, row])
        return make_variant(pixels, VARIANTS[self.plan.variant_of_row[row]], rng)


def _read_plan(folder: Path) -> tuple[VariantPlan, int]:
    info = read_info(folder)
    files = [Path(file) for file in PhotoTable.read(folder).files]
    rows = read_rows(folder, info["rows"], len(files))
    plan = VariantPlan(
        files=files,
        photo_of_row=rows["photo"].astype(np.int64),
        variant_of_row=rows["variant"].astype(np.int64),
        seed=info["seed"],
    )
    return plan, info["filled"]


def _write_info(folder: Path, *, rows: int, filled: int, seed: int) -> None:
    """Writes pack.json in one step, so that a reader never sees half of it."""
    info = {"format": FORMAT, "rows": rows, "filled": filled, "seed": seed}
    write_whole(folder / "pack.json", json.dumps(info).encode(), None)
