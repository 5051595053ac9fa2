"""Tiny weights, a few photos, a made-up pack, networks that cost nothing, and helpers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from colorflow.evaluation import evaluate as evaluate_module
from colorflow.evaluation.baselines import BASELINES
from colorflow.evaluation.bootstrap import Table
from colorflow.evaluation.columns import Column, constant
from colorflow.evaluation.evaluate import Evaluation, evaluate
from colorflow.evaluation.judge import Verdict
from colorflow.model.condition import CONDITION_GRID, FEATURE_CHANNELS, Condition
from tests.evaluation.small_baselines import SMALL_BASELINES
from tests.training.made_up_pixels import write_pixels


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of 14 photos. Read it only."""
    folder = tmp_path_factory.mktemp("pack")
    write_pixels(folder)
    return folder


def save_photos(folder: Path, names: tuple[str, str, str]) -> None:
    """The astronaut, the cat and the cup, without loss, under the given names."""
    photos = (
        skimage.data.astronaut()[:200, 130:350],
        skimage.data.chelsea()[40:240, 60:300],
        skimage.data.coffee()[100:300, 150:400],
    )
    for name, pixels in zip(names, photos, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos, one of them in a folder below. Read them only."""
    folder = tmp_path_factory.mktemp("photos")
    save_photos(folder, ("astronaut.png", "below/cat.png", "cup.png"))
    return folder


@pytest.fixture(scope="session")
def cat(photos: Path) -> Path:
    return photos / "below" / "cat.png"


@pytest.fixture
def small_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small modules under the names of the baselines."""
    for name, baseline in SMALL_BASELINES.items():
        monkeypatch.setitem(BASELINES, name, baseline)


class CheapJudge:
    """Believes in the class that a picture's mean color falls on; features are means of blocks."""

    def look(self, pictures: np.ndarray) -> Verdict:
        means = torch.from_numpy(pictures.mean((1, 2)))
        logits = -0.01 * (torch.arange(1000.0) - 4 * means[:, :1]).abs()
        blocks = pictures[:, :256, :256].reshape(-1, 8, 32, 8, 32, 3).mean((2, 4)) / 255
        features = torch.from_numpy(blocks.reshape(len(pictures), -1)).float()
        return Verdict(logits.log_softmax(1), features)


def cheap_condition(lightness: Tensor) -> Condition:
    return Condition(lightness=F.avg_pool2d(lightness, 2), features={})


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network but those of the columns."""
    monkeypatch.setattr(evaluate_module, "Judge", CheapJudge)
    monkeypatch.setattr(evaluate_module, "Conditioner", lambda: cheap_condition)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_condition(photos: int) -> Condition:
    """Lightness and features that belong to no photo."""
    source = generator()
    features = {
        side: torch.randn(photos, channels, side, side, generator=source)
        for side, channels in FEATURE_CHANNELS.items()
    }
    lightness = 100 * torch.rand(photos, 1, CONDITION_GRID, CONDITION_GRID, generator=source)
    return Condition(lightness=lightness, features=features)


def normal_samples(_: object, n: int, generator: torch.Generator) -> Tensor:
    """A column that knows nothing: every number of its own, std 20."""
    return 20 * torch.randn(n, 2, 64, 64, generator=generator)


# evaluations of a few columns


WARM = constant("warm", (3.0, 4.0))


def run(files: list[Path], columns: list[Column], **options: Any) -> Evaluation:
    return evaluate(files, columns, **{"blow_up_chroma": 70.0, **options})


def numbers(table: Table) -> dict[tuple[str, str], tuple[float, float | None]]:
    """All values and errors but the seconds."""
    return {
        (name, metric): (estimate.value, estimate.stderr)
        for name, own in table.items()
        for metric, estimate in own.items()
        if metric != "seconds_per_sample"
    }
