"""Tiny weights and a few photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorflow.colorizer import Colorizer
from tests.evaluation.conftest import save_photos
from tests.quiz.album import save_album
from tests.small_weights import save_small_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights with random parameters, so that every sample has colors of its own."""
    return save_small_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="session")
def colorizer(weights: Path) -> Colorizer:
    return Colorizer.load(weights)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos, one of them in a folder below. Read them only."""
    folder = tmp_path_factory.mktemp("album") / "photos"
    folder.mkdir()
    save_photos(folder, ("astronaut.png", "below/cat.png", "cup.png"))
    return folder


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Four photos, too few for a strict test."""
    save_album(tmp_path / "few", 4)
    return tmp_path / "few"
