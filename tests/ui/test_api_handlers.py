"""The API without a server: memory of results, what the quiz tells, who is remembered."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.errors import ColorflowError
from colorflow.photo import photo_from_image
from colorflow.quiz import trials as trials_module
from colorflow.quiz.game import Game, Players, Quiz, open_quiz
from colorflow.quiz.trials import MAX_PICTURES, MIN_PICTURES
from colorflow.ui.api import Api
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
    return Players(quiz, lambda: tmp_path, 3, 2)


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
    monkeypatch.setattr(Game, "_choose", lambda _: quiz.pool.photos[0])
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
    (game,) = api._players._games.values()
    trial = game.trial("play", 2)
    secrets = (str(trial.seed), trial.photo.digest, trial.photo.path.name, game.player)
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


def test_the_most_idle_player_makes_room(players: Players, tmp_path: Path) -> None:
    """Of the same visitor, once that has as many as it may; otherwise of all."""
    (ada, first), (bob, second) = (players.next_trial("", 2, "greedy") for _ in range(2))
    other, _ = players.next_trial("", 2, "other")
    players.next_trial(ada, 2, "greedy")
    players.next_trial("", 2, "greedy")
    with pytest.raises(ColorflowError, match="nobody of that name"):
        players.next_trial(bob, 2, "greedy")
    with pytest.raises(ColorflowError, match="no such round"):
        players.answer(second.token, 0)
    assert not second.sheet.exists()
    assert players.answer(first.token, 0)[1].answered == 1
    players.next_trial("", 2, "new")
    with pytest.raises(ColorflowError, match="nobody of that name"):
        players.next_trial(other, 2, "other")
    assert players.next_trial(ada, 2, "greedy")[0] == ada
    assert len(list(tmp_path.glob("quiz-*"))) == 3


def test_idle_players_are_forgotten(players: Players, tmp_path: Path) -> None:
    """An answer is a doing."""
    (ada, first), (bob, _), (eve, last) = (
        players.next_trial("", 2, visitor) for visitor in ("ada", "bob", "eve")
    )
    for name in (ada, bob):
        players._games[name].used -= 3601
    players.answer(first.token, 0)
    players.forget_idle(3600)
    with pytest.raises(ColorflowError, match="nobody of that name"):
        players.next_trial(bob, 2, "bob")
    assert players.next_trial(eve, 3, "eve") == (eve, last)
    assert players.next_trial(ada, 3, "ada")[0] == ada
    assert len(list(tmp_path.glob("quiz-*"))) == 2


# misuse


@pytest.fixture
def photo(root: Path) -> dict[str, str]:
    """An upload."""
    folder = root / (64 * "a")
    folder.mkdir()
    Image.fromarray(data.camera()[::4, ::4]).save(folder / "small.png")
    return {"path": str(folder / "small.png")}


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """The sentence that a call is refused with."""
    with pytest.raises(gr.Error) as error:
        call(*arguments, **named)
    said = str(error.value.message)
    assert said[-1] in ".?"
    assert "\n" not in said
    return said


HINT = {"row": 1, "column": 1, "a": 0, "b": 0}


WRONG = (
    ({"n": 0}, "n: expected a whole number from 1 to 8, got 0"),
    ({"n": 9}, "n: expected"),
    ({"n": 1.5}, "n: expected"),
    ({"n": True}, "n: expected"),
    ({"n": "4" * 9999}, "n: expected"),
    ({"n": None}, "n: expected"),
    ({"n": [4]}, "n: expected"),
    ({"vividness": -0.1}, "vividness: expected a number from 0 to 1.5, got -0.1"),
    ({"vividness": 1e300}, "vividness: expected"),
    ({"vividness": "bold"}, "vividness: expected"),
    ({"samples": "yes"}, "samples: expected true or false, got 'yes'"),
    ({"preview": 1}, "preview: expected true or false, got 1"),
    ({"seed": -1}, "seed: expected a whole number from 0 to 4294967295"),
    ({"seed": 2**32}, "seed: expected"),
    ({"format": "gif"}, "format: expected one of same, png, jpeg, tiff, webp, got 'gif'"),
    ({"format": {"png": 1}}, "format: expected"),
    ({"format": "../../x"}, "format: expected"),
    ({"hints": "x"}, "hints: expected a list of hints"),
    ({"hints": [1]}, "hints: hint 1: expected row, column, a and b"),
    ({"hints": [HINT, {**HINT, "row": 128}]}, "hints: hint 2 lies outside the photo"),
    ({"hints": [{**HINT, "a": 500}]}, "hints: hint 1: a: expected"),
    ({"hints": [{**HINT, "a": "red"}]}, "hints: hint 1: a: expected a number"),
    ({"hints": [HINT] * 101}, "hints: has 101 hints; this page takes 100 at most"),
    ({"photo": None}, "photo: expected a file that was uploaded"),
    ({"photo": "photo.jpg"}, "photo: expected a file that was uploaded"),
    ({"photo": {"path": "a\0b"}}, "photo: expected a file that was uploaded"),
    ({"photo": {"path": 3}}, "photo: expected a file that was uploaded"),
)


def test_wrong_arguments(api: Api, photo: dict[str, str]) -> None:
    for arguments, words in WRONG:
        call = api.hints if "hints" in arguments else api.colorize
        assert words in refusal(call, **{"photo": photo, **arguments})


def test_wrong_rounds_players_and_numbers_of_pictures(api: Api) -> None:
    for token in ("", "0" * 32, "é", None, 3, ["a"]):
        assert refusal(api.quiz_answer, token, 0).startswith("round: ")
    for pictures in (MIN_PICTURES - 1, MAX_PICTURES + 1, "3", None):
        said = refusal(api.quiz_round, pictures)
        assert "pictures: expected a whole number from 2 to 5" in said
    for player in ("nobody", 3, None):
        assert refusal(api.quiz_round, 3, player).startswith("player: ")
