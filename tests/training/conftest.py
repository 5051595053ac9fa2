"""A tiny pyramid, and a pack of made-up photos that needs no feature network."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training import loop
from colorflow.training.pack import Pack
from colorflow.training.schedule import Budget
from colorflow.training.targets import LevelObjective
from colorflow.training.trainer import TrainConfig, Trainer
from tests.small_weights import small_level
from tests.training.made_up_pack import write_pack
from tests.training.made_up_pixels import write_pixels
from tests.training.runs import Train


def _shape() -> PyramidConfig:
    return PyramidConfig(
        levels=(
            small_level(4, 8, attention=True),
            small_level(4, 8, attention=True),
            small_level(8, 8, 16, attention=True),
            small_level(16, 16),
            small_level(32, 32),
        )
    )


def small_training(**changes: Any) -> TrainConfig:
    """The settings of the tests, with changes."""
    return TrainConfig(**{"batch": 8, "peak_rate": 0.02, "evaluate_every": 3.0, **changes})


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
    write_pack(folder)
    return folder


@pytest.fixture(scope="session")
def pixels_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pixel pack of 14 photos. Read it only."""
    folder = tmp_path_factory.mktemp("pixels")
    write_pixels(folder)
    return folder


@pytest.fixture
def own_pack(pack_folder: Path, tmp_path: Path) -> Path:
    """A copy of the pack to change."""
    return shutil.copytree(pack_folder, tmp_path / "own_pack")


@pytest.fixture
def make_trainer(shape: PyramidConfig, pack_folder: Path) -> Callable[..., Trainer]:
    """A trainer of one level, given its index; the initial weights are always the same."""

    def make(index: int = 0, pack: Path | None = None, **changes: Any) -> Trainer:
        torch.manual_seed(0)
        pyramid = ChromaPyramid(shape)
        device = torch.device("cpu")
        objective, config = LevelObjective(pyramid, index), small_training(**changes)
        return Trainer(pyramid.levels[index], objective, Pack(pack or pack_folder), config, device)

    return make


@pytest.fixture
def go(pack_folder: Path, shape: PyramidConfig) -> Train:
    """Trains in a folder; what it says."""

    def go(
        folder: Path,
        *,
        steps: int | None = None,
        minutes: float | None = None,
        levels: tuple[int, ...] = (4,),
        pack: Path = pack_folder,
        say: Callable[[str], None] | None = None,
        **changes: Any,
    ) -> list[str]:
        said: list[str] = []
        loop.train(
            [pack],
            folder,
            shape=changes.pop("shape", shape),
            config=small_training(**changes),
            budget=Budget(steps=steps, minutes=minutes),
            levels=levels,
            say=say or said.append,
        )
        return said

    return go
