"""Tiny weights, a few photos, and games."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from colorflow.colorizer import Colorizer
from colorflow.quiz.game import Game, Quiz, open_quiz
from colorflow.quiz.strict_test import NEEDED
from tests.evaluation.conftest import save_photos
from tests.quiz.album import Painter, save_album, scanned
from tests.quiz.clock import Clock, clock_of_games
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


clock = pytest.fixture(clock_of_games)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many photos as a strict test needs. Read them only."""
    folder = tmp_path_factory.mktemp("album")
    save_album(folder, NEEDED)
    return folder


@pytest.fixture
def play(tmp_path: Path, clock: Clock) -> Callable[..., Game]:
    """Makes games of one quiz a folder."""
    quizzes: dict[Path, Quiz] = {}

    def make(folder: Path, visitor: str = "203.0.113.1") -> Game:
        if folder not in quizzes:
            quizzes[folder] = open_quiz(Painter(12), folder, tmp_path / "quiz.sqlite")  # type: ignore[arg-type]
            scanned(quizzes[folder].pool)
        return Game(quizzes[folder], tmp_path, visitor)

    return make
