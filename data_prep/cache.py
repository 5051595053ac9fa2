"""Second pass: lightness, ab and frozen features of every row, into memory-mapped arrays.

Rows are filled in order; `pack.json` says how many are. An interrupted run goes on from there:
the random choices of a row depend on the seed and the row alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from colorflow.errors import PackError, PhotoError
from colorflow.model.features import Features
from colorflow.training.pack import (
    FEATURE_GRIDS,
    FORMAT,
    VARIANTS,
    array_shapes,
)
from data_prep.scan import read_pixels
from data_prep.variants import make_variant

BATCH = 32
FLUSH_EVERY = 64
"""Batches between two flushes to disk; at most so much is done again after an interruption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to fill: one photo and variant a row.

    Attributes:
        files: photos, by index.
        photo_of_row: (R,) index into `files`.
        variant_of_row: (R,) index into `VARIANTS`.
        seed: seed of all random choices.
        finest_map: side that no feature map exceeds.
    """

    files: list[Path]
    photo_of_row: NDArray[np.int64]
    variant_of_row: NDArray[np.int64]
    seed: int
    finest_map: int


def write_info(folder: Path, *, rows: int, filled: int, seed: int, finest_map: int) -> None:
    """Writes pack.json in one step, so that a reader never sees half of it."""
    info = {
        "format": FORMAT, "rows": rows, "filled": filled, "seed": seed, "finest_map": finest_map
    }  # fmt: skip
    temporary = folder / "pack.json.tmp"
    temporary.write_text(json.dumps(info), encoding="utf-8")
    os.replace(temporary, folder / "pack.json")


def fill(folder: Path, plan: Plan, start: int, workers: int) -> Iterator[int]:
    """Fills rows from `start` to the end; yields the number of filled rows as it goes.

    Args:
        folder: the pack's folder.
        plan: what to fill.
        start: first row that is not filled yet.
        workers: processes that decode photos; 0 decodes in this process.

    Raises:
        PackError: if an array is damaged, or a photo has gone since the pack was begun.
    """
    rows = len(plan.photo_of_row)
    arrays = {
        name: _open(folder / f"{name}.npy", (rows, *shape), new=start == 0)
        for name, shape in array_shapes(plan.finest_map).items()
    }
    loader = DataLoader(_RowBatches(plan, start), batch_size=None, num_workers=workers)
    filled = start
    for number, batch in enumerate(loader, 1):
        if isinstance(batch, str):
            raise PackError(f"{batch}; bring the photo back, or delete the pack to start over")
        end = filled + len(batch["ab"])
        for name, values in batch.items():
            arrays[name][filled:end] = values.numpy()
        filled = end
        if number % FLUSH_EVERY == 0 or filled == rows:
            for array in arrays.values():
                array.flush()
            write_info(folder, rows=rows, filled=filled, seed=plan.seed, finest_map=plan.finest_map)
        yield filled


class _RowBatches(Dataset[dict[str, Tensor] | str]):
    """Batches of rows from `start` on, complete with features.

    Every worker process runs the feature network on one core, which wastes nothing on waiting for
    the other cores. A photo that cannot be read gives the error's message: errors do not come out
    of a worker as they are.
    """

    def __init__(self, plan: Plan, start: int) -> None:
        self.plan = plan
        self.starts = range(start, len(plan.photo_of_row), BATCH)
        self.features: Features | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> dict[str, Tensor] | str:
        self.features = self.features or Features()
        end = min(self.starts[index] + BATCH, self.starts.stop)
        try:
            pairs = [self._row(row) for row in range(self.starts[index], end)]
        except PhotoError as error:
            return str(error)
        lightness = torch.from_numpy(np.stack([pair[0] for pair in pairs]))[:, None]
        maps = self.features(lightness)
        arrays = {f"features{grid}": maps[grid] for grid in FEATURE_GRIDS}
        arrays["lightness"] = lightness
        arrays["ab"] = torch.from_numpy(np.stack([pair[1] for pair in pairs]))
        shapes = array_shapes(self.plan.finest_map)
        return {
            name: F.avg_pool2d(values, values.shape[-1] // shapes[name][-1]).half()
            for name, values in arrays.items()
        }

    def _row(self, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels = read_pixels(self.plan.files[self.plan.photo_of_row[row]])
        rng = np.random.default_rng([self.plan.seed, row])
        return make_variant(pixels, VARIANTS[self.plan.variant_of_row[row]], rng)


def _open(path: Path, shape: tuple[int, ...], *, new: bool) -> np.memmap[Any, Any]:
    if new:
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    try:
        array = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, EOFError, ValueError) as error:
        raise PackError(f"{path}: damaged ({error}); delete the pack to start over") from error
    if array.shape != shape or array.dtype != np.float16:
        raise PackError(f"{path}: does not fit pack.json; delete the pack to start over")
    return array
