"""The API without a server: memory of results, what the quiz tells, who is remembered."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from colorflow.errors import ColorflowError
from colorflow.photo import photo_from_image
from colorflow.quiz import game as game_module
from colorflow.quiz import trials as trials_module
from colorflow.quiz.game import Quiz, open_quiz
from colorflow.ui import api_quiz
from colorflow.ui.api import Api
from colorflow.ui.api_quiz import Players
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.storage import VISITORS
from tests.quiz.album import Painter, damage_answers, save_album, scanned
from tests.ui.fake_colorizer import FakeColorizer


@pytest.fixture
def painter() -> Painter:
    return Painter(12)


@pytest.fixture
def quiz(painter: Painter, tmp_path: Path) -> Quiz:
    save_album(tmp_path / "album", 4)
    quiz = open_quiz(painter, tmp_path / "album", tmp_path / "quiz.sqlite")  # type: ignore[arg-type]
    scanned(quiz.pool)
    return quiz


@pytest.fixture
def api(painter: Painter, quiz: Quiz, root: Path) -> Api:
    (root / VISITORS).mkdir()
    with gr.Blocks(analytics_enabled=False):
        return Api(painter, root, MemoryBudget(), quiz)  # type: ignore[arg-type]


@pytest.fixture
def players(quiz: Quiz, tmp_path: Path) -> Players:
    return Players(quiz, lambda: tmp_path)


def test_results_are_rendered_without_a_float_plane_of_lightness(quiz: Quiz, root: Path) -> None:
    """Beside the result itself, memory for strips of rows alone."""
    side = 2048
    gradient = np.arange(side, dtype=np.float32)[:, None] + np.arange(side, dtype=np.float32)
    photo = photo_from_image((gradient / 16).astype(np.uint8), "large.png")
    colorizer = FakeColorizer()
    (root / VISITORS).mkdir()
    with gr.Blocks(analytics_enabled=False):
        api = Api(colorizer, root, MemoryBudget(), quiz)  # type: ignore[arg-type]
    colorings = colorizer.colorize(photo, 1, force=True)
    api._write(photo, colorings, "jpeg")  # what is allocated once
    tracemalloc.start()
    try:
        api._write(photo, colorings, "jpeg")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    result, plane = 3 * side**2, 4 * side**2
    assert peak < result + 0.75 * plane


def asked(api: Api, k: int = 2, player: str = "") -> tuple[Path, dict[str, Any], str]:
    """The sheet, what is told, and all of the answer as text without what is random by intent."""
    sheet, about = api.quiz_round(k, player)
    path = str(sheet["path"])  # type: ignore[index]
    said = json.dumps([sheet, about])
    for secret in (about["round"], about["player"], path, Path(path).name):
        assert secret in said
        said = said.replace(secret, "SECRET")
    return Path(path), about, said


def test_nothing_that_is_told_depends_on_where_the_truth_stands(
    api: Api, painter: Painter, quiz: Quiz, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions that look like the truth: with the truth at either position, all is the same."""
    painter.shift = 0
    monkeypatch.setattr(game_module, "choose_photo", lambda *_: quiz.pool.photos[0])
    monkeypatch.setattr(trials_module.secrets, "randbits", lambda _: 7)  # crop and grain
    sheets, said, truths = set(), set(), []
    for index in (0, 1):
        monkeypatch.setattr(trials_module.secrets, "randbelow", lambda _, index=index: index)
        sheet, about, text = asked(api)
        sheets.add(sheet.read_bytes())
        said.add(text)
        truths.append(api.quiz_answer(about["round"], 0)["truth"])
    assert truths == [0, 1]
    assert len(sheets) == 1
    assert len(said) == 1


def test_neither_photo_nor_seed_nor_the_kept_name_is_told(api: Api) -> None:
    _, about, said = asked(api)
    (player,) = api._players._players.values()
    trial = player.game.play(2)
    secrets = (str(trial.seed), trial.photo.digest, trial.photo.path.name, player.game.player)
    for secret in secrets:
        assert secret not in said
        assert secret not in json.dumps(about)


def test_answers_that_are_not_kept_are_told(api: Api, tmp_path: Path) -> None:
    _, about, _ = asked(api)
    damage_answers(tmp_path / "quiz.sqlite")
    assert "--quiz-db" in api.quiz_answer(about["round"], 0)["problem"]


def test_unexpected_errors_are_not_made_sentences(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Players, "next_trial", fail)
    with pytest.raises(ZeroDivisionError):
        api.quiz_round()


def test_the_most_idle_player_makes_room(
    players: Players, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(api_quiz, "MAX_PLAYERS", 2)
    (ada, first), (bob, second) = (
        players.next_trial("", 2, "203.0.113.1"),
        players.next_trial("", 2, "203.0.113.1"),
    )
    players.next_trial(ada, 2, "203.0.113.1")
    players.next_trial("", 2, "203.0.113.1")
    with pytest.raises(ColorflowError, match="nobody of that name"):
        players.next_trial(bob, 2, "203.0.113.1")
    with pytest.raises(ColorflowError, match="no such round"):
        players.answer(second.token, 0)
    assert not second.sheet.exists()
    assert len(list(tmp_path.glob("quiz-*"))) == 2
    assert players.answer(first.token, 0)[1].answered == 1


def test_players_of_one_visitor_do_not_replace_those_of_others(
    players: Players, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_quiz, "MAX_PLAYERS_PER_VISITOR", 2)
    other, _ = players.next_trial("", 3, "other")
    first, *_ = [players.next_trial("", 3, "greedy")[0] for _ in range(3)]
    assert players.next_trial(other, 3, "other")[0] == other
    with pytest.raises(ColorflowError, match="nobody of that name"):
        players.next_trial(first, 3, "greedy")


def test_idle_players_are_forgotten(players: Players, tmp_path: Path) -> None:
    (ada, _), (bob, trial) = (
        players.next_trial("", 2, "203.0.113.1"),
        players.next_trial("", 2, "203.0.113.1"),
    )
    players._players[ada].used -= 3601
    players.forget_idle(3600)
    with pytest.raises(ColorflowError, match="nobody of that name"):
        players.next_trial(ada, 2, "203.0.113.1")
    assert players.next_trial(bob, 3, "203.0.113.1") == (bob, trial)
    assert len(list(tmp_path.glob("quiz-*"))) == 1


def test_an_answer_is_a_doing(players: Players) -> None:
    ada, trial = players.next_trial("", 2, "203.0.113.1")
    players._players[ada].used -= 3599
    players.answer(trial.token, 0)
    players._players[ada].used -= 3599
    players.forget_idle(3600)
    assert players.next_trial(ada, 2, "203.0.113.1")[0] == ada
