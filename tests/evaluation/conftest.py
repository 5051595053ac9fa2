"""Tiny weights, a few photos, a made-up pack, networks that cost nothing, and helpers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from colorflow.cli import main
from colorflow.evaluation import evaluate as evaluate_module
from colorflow.evaluation import subject as subject_module
from colorflow.evaluation.baselines import BASELINES
from colorflow.evaluation.judge import Verdict
from colorflow.model.condition import Condition
from tests.evaluation.small_baselines import SMALL_BASELINES
from tests.small_weights import save_small_weights
from tests.training.made_up_pixels import write_pixels


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of 14 photos. Read it only."""
    folder = tmp_path_factory.mktemp("pack")
    write_pixels(folder)
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights with random parameters, so that every sample has colors of its own."""
    return save_small_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


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
    monkeypatch.setattr(subject_module, "Conditioner", lambda: cheap_condition)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal_samples(_: object, n: int, generator: torch.Generator) -> Tensor:
    """A column that knows nothing: every number of its own, std 20."""
    return 20 * torch.randn(n, 2, 64, 64, generator=generator)


# commands


def error_of(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a failing command prints to stderr; missing baselines do not count."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 1
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if "so the table has no column" not in line]
    assert line.startswith("colorflow: ")
    return line.removeprefix("colorflow: ")


def usage_error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a wrongly used command prints to stderr."""
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"colorflow {arguments[0]}")
    return message
