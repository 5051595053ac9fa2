"""A tiny pyramid, a pack of parts of pictures, and feature networks that cost nothing."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.model import condition
from colorflow.model.condition import FEATURE_CHANNELS
from colorflow.model.config import HINT_PLANES, PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import save_weights
from colorflow.training import levels as levels_module
from colorflow.training import pixels, trainer
from colorflow.training.levels import LevelLoss
from colorflow.training.pixels import PixelPack
from colorflow.training.trainer import Budget, TrainConfig, Trainer
from tests.small_weights import small_level
from tests.training.made_up_pixels import write_large, write_pixels
from tests.training.runs import Train

VIEWS = 3
"""Views of a training photo, in place of 64."""


class CheapFeatures:
    """Maps that tell photos and their colors apart, without a network."""

    def __call__(self, photos: Tensor, *, coarsest: int = 8) -> dict[int, Tensor]:
        shares = torch.arange(1.0, photos.shape[1] + 1).view(1, -1, 1, 1)
        lightness, maps = (shares / shares.sum() * photos).sum(1, keepdim=True), {}
        for side, channels in FEATURE_CHANNELS.items():
            if side >= coarsest:
                pooled = F.avg_pool2d(lightness, 256 // side) / 50 - 1
                angles = torch.arange(1, channels + 1).view(1, -1, 1, 1)
                maps[side] = torch.sin(angles * pooled + angles)
        return maps


def small_training(**changes: Any) -> TrainConfig:
    """The settings of the tests, with changes."""
    return TrainConfig(**{"batch": 8, "peak_rate": 0.02, "evaluate_every": 3.0, **changes})


@pytest.fixture(scope="session")
def shape() -> PyramidConfig:
    """A pyramid of five levels, each as small as can be, with late blocks."""
    return PyramidConfig(
        levels=(
            small_level(4, 8, attention=True),
            small_level(4, 8, attention=True),
            small_level(8, 8, 16, attention=True),
            small_level(16, 16),
            small_level(32, 32),
        ),
        late_blocks=True,
    )


@pytest.fixture(scope="module", autouse=True)
def _small_and_cheap(shape: PyramidConfig) -> Iterator[None]:
    """New weights of that shape, two narrow late blocks, few views, and malloc as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(condition, "_EXPANSION", 1)
        patch.setattr(condition, "_LATE_BLOCKS", ((40, 112, 3, 2), (112, 320, 3, 2)))
        patch.setattr(condition, "_GRID_AFTER_BLOCK", {5: 16, 6: 8})
        patch.setattr(condition.LateBlocks, "copy_from", lambda *_: None)
        for module in (pixels, levels_module):
            patch.setattr(module, "Features", CheapFeatures)
        patch.setattr(pixels, "VIEWS", VIEWS)
        patch.setattr(trainer, "FIT_ROWS", 16)
        patch.setattr(levels_module, "default_config", lambda: shape)
        for module in (levels_module, trainer):
            patch.setattr(module, "keep_freed_memory", lambda: None)
        yield


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of 14 photos. Read it only."""
    folder = tmp_path_factory.mktemp("pack")
    write_pixels(folder)
    return folder


@pytest.fixture(scope="session")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of the same photos, large, with labels. Read it only."""
    folder = tmp_path_factory.mktemp("large_pack")
    write_large(folder)
    return folder


@pytest.fixture
def own_pack(pack_folder: Path, tmp_path: Path) -> Path:
    """A copy of the pack to change."""
    return shutil.copytree(pack_folder, tmp_path / "own_pack")


@pytest.fixture(scope="module")
def start(
    _small_and_cheap: None, shape: PyramidConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A weights file with late blocks and a mean head, to start from."""
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    return save_random(path, dataclasses.replace(shape, mean_head=True, extra_planes=HINT_PLANES))


def save_random(path: Path, shape: PyramidConfig) -> Path:
    """A weights file of a model with random parameters."""
    torch.manual_seed(5)
    pyramid = ChromaPyramid(shape)
    with torch.no_grad():
        for parameter in pyramid.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    return path


@pytest.fixture
def make_trainer(shape: PyramidConfig, pack_folder: Path) -> Callable[..., Trainer]:
    """A trainer of one level, given its index; the initial weights are always the same."""

    def make(index: int = 0, pack: Path | None = None, **changes: Any) -> Trainer:
        torch.manual_seed(0)
        pyramid = ChromaPyramid(dataclasses.replace(shape, late_blocks=False))
        loss, config = LevelLoss(pyramid, index), small_training(**changes)
        return Trainer(pyramid.levels[index], loss, PixelPack(pack or pack_folder), config)

    return make


@pytest.fixture(scope="module")
def go(_small_and_cheap: None, pack_folder: Path) -> Train:
    """Trains in a folder, new weights and the two coarsest levels by default; what it says."""

    def go(
        folder: Path,
        *,
        steps: int | None = None,
        minutes: float | None = None,
        levels: tuple[int, ...] = (4, 8),
        pack: Path = pack_folder,
        say: Callable[[str], None] | None = None,
        start: Path | None = None,
        dropout: float | None = None,
        **changes: Any,
    ) -> list[str]:
        said: list[str] = []
        config = small_training(**{"batch": 4, "dev_photos": 2, **changes})
        budget, say = Budget(steps=steps, minutes=minutes), say or said.append
        options = {"start": start, "dropout": dropout, "levels": levels}
        levels_module.train(pack, folder, config=config, budget=budget, say=say, **options)
        return said

    return go
