"""A tiny pyramid, and a pack of made-up photos that needs no feature network."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from colorflow.model.config import LevelConfig, PyramidConfig
from colorflow.model.features import FEATURE_CHANNELS
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training import loop
from colorflow.training.pack import (
    FEATURE_GRIDS,
    FORMAT,
    ROW_TYPE,
    VARIANTS,
    Pack,
    array_shapes,
)
from colorflow.training.trainer import LevelTrainer, TrainConfig

TRAIN, DEV, SMALL = 12, 4, 2
"""Photos; the small ones are 64 pixels wide and belong to train."""


def _level(grid: int, maps: tuple[int, ...], *, attention: bool) -> LevelConfig:
    return LevelConfig(
        grid=grid,
        width=8,
        couplings=2,
        context_layers=1,
        bins=4,
        attention=attention,
        maps=maps,
        dropout=0.1,
    )


def _shape() -> PyramidConfig:
    return PyramidConfig(
        levels=(
            _level(4, (8,), attention=True),
            _level(4, (8,), attention=True),
            _level(8, (8, 16), attention=True),
            _level(16, (16,), attention=False),
            _level(32, (32,), attention=False),
        )
    )


def _write_pack(folder: Path) -> None:
    """Every photo has a colour and stripes of its own, which its features tell, and a slope."""
    rng = np.random.default_rng(0)
    sides = [256] * (TRAIN + DEV) + [64] * SMALL
    splits = ["train"] * TRAIN + ["dev"] * DEV + ["train"] * SMALL
    kinds = [("whole", "crop")] * TRAIN + [("whole", "whole_degraded")] * DEV
    kinds += [("whole", "whole_mirrored")] * SMALL
    rows = [(photo, VARIANTS.index(name)) for photo, two in enumerate(kinds) for name in two]
    rows = [rows[index] for index in rng.permutation(len(rows))]

    slope, columns = np.linspace(-1, 1, 64), np.arange(64)
    stripes = np.zeros((len(sides), 2, 64, 64))
    for width in (1, 2, 4, 8):  # each has its place among the details of one level
        strength = rng.uniform(-6, 6, (len(sides), 2, 1, 1))
        stripes += strength * np.where(columns // width % 2, 1, -1)
    arrays = {name: np.empty((len(rows), *shape), "f2") for name, shape in array_shapes().items()}
    colour = rng.uniform(-25, 25, (len(sides), 2, 1, 1))
    sign = {g: rng.normal(size=(len(sides), FEATURE_CHANNELS[g], 1, 1)) for g in FEATURE_GRIDS}
    for index, (photo, _) in enumerate(rows):
        across, down = rng.uniform(-4, 4, (2, 2, 1, 1))
        slopes = across * slope + down * slope[:, None]
        arrays["ab"][index] = colour[photo] + stripes[photo] + slopes
        arrays["lightness"][index] = 50 + 10 * rng.normal(size=(1, 128, 128))
        for grid, value in sign.items():
            noise = 0.1 * rng.normal(size=(FEATURE_CHANNELS[grid], grid, grid))
            arrays[f"features{grid}"][index] = value[photo] + noise

    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    np.save(folder / "rows.npy", np.array(rows, dtype=ROW_TYPE))
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "file", "split", "short_side", "hash", "mean_chroma"])
        for photo, (split, side) in enumerate(zip(splits, sides, strict=True)):
            chroma = float(np.hypot(*colour[photo].ravel()))
            writer.writerow([photo, f"photo{photo}.jpg", split, side, f"{photo:016x}", chroma])
    info = {"format": FORMAT, "rows": len(rows), "filled": len(rows), "seed": 0}
    (folder / "pack.json").write_text(json.dumps(info), encoding="utf-8")


def _config(**changes: Any) -> TrainConfig:
    return TrainConfig(**{"batch": 8, "peak_rate": 0.02, "evaluate_every": 3.0, **changes})


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks so small gain nothing from more, and the sums are the same everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _one_plain_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Malloc as other tests expect it, and no torchrun around the tests."""
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: None)
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shape() -> PyramidConfig:
    """A pyramid of five levels, each as small as can be."""
    return _shape()


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of 18 photos in 36 rows. Read it only."""
    folder = tmp_path_factory.mktemp("pack")
    _write_pack(folder)
    return folder


@pytest.fixture
def own_pack(pack_folder: Path, tmp_path: Path) -> Path:
    """A copy of the pack to change."""
    return shutil.copytree(pack_folder, tmp_path / "own_pack")


@pytest.fixture(scope="session")
def make_config() -> Callable[..., TrainConfig]:
    """The recipe of the tests, with changes."""
    return _config


@pytest.fixture
def make_trainer(shape: PyramidConfig, pack_folder: Path) -> Callable[..., LevelTrainer]:
    """A trainer of one level, given its index; the initial weights are always the same."""

    def make(index: int = 0, pack: Path | None = None, **changes: Any) -> LevelTrainer:
        torch.manual_seed(0)
        pyramid = ChromaPyramid(shape)
        device = torch.device("cpu")
        return LevelTrainer(pyramid, index, Pack(pack or pack_folder), _config(**changes), device)

    return make
