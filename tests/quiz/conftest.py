"""Tiny weights, a few photos, and games."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from colorflow.errors import UnreadablePhotoError
from colorflow.quiz import game as game_module
from colorflow.quiz.game import Game, Quiz, open_quiz
from colorflow.quiz.trials import QuizPhoto, Trial
from tests.evaluation.conftest import save_photos
from tests.quiz.album import TRIALS, Clock, Painter, clock_of_games, save_album, scanned


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos, one of them in a folder below. Read them only."""
    folder = tmp_path_factory.mktemp("album") / "photos"
    folder.mkdir()
    save_photos(folder, ("astronaut.png", "below/cat.png", "cup.png"))
    return folder


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Four photos, too few for a test."""
    save_album(tmp_path / "few", 4)
    return tmp_path / "few"


clock = pytest.fixture(clock_of_games)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many photos as a test needs. Read them only."""
    folder = tmp_path_factory.mktemp("album")
    save_album(folder, TRIALS)
    return folder


def quick_trial(_: object, photo: QuizPhoto, k: int, folder: Path) -> Trial:
    """A trial without pictures, which test_trials.py is about."""
    if not photo.path.exists():
        raise UnreadablePhotoError(photo.path, "it is gone")
    token, truth = secrets.token_hex(16), secrets.randbelow(k)
    sheet = folder / f"{token}.png"
    sheet.touch()
    return Trial(token=token, photo=photo, seed=7, k=k, truth=truth, width=4, height=3, sheet=sheet)


@pytest.fixture
def play(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Game]:
    """Makes games of one quiz a folder."""
    monkeypatch.setattr(game_module, "make_trial", quick_trial)
    monkeypatch.setattr(game_module, "TRIALS", TRIALS)
    quizzes: dict[Path, Quiz] = {}

    def make(folder: Path, visitor: str = "203.0.113.1") -> Game:
        if folder not in quizzes:
            quizzes[folder] = open_quiz(Painter(12), folder, tmp_path / "quiz.sqlite")  # type: ignore[arg-type]
            scanned(quizzes[folder].pool)
        return Game(quizzes[folder], tmp_path, visitor)

    return make
