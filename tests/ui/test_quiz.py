"""The quiz's tab without a server: what it shows, and that nothing tells before the answer."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from colorflow.quiz import game as game_module
from colorflow.quiz import trials as trials_module
from colorflow.quiz.game import Game, open_quiz
from colorflow.quiz.statistics import BOOTSTRAP_SEED, Tally, two_level_bootstrap
from colorflow.quiz.store import GameKind
from colorflow.quiz.strict_test import NEEDED
from colorflow.quiz.trials import Trial
from colorflow.ui import quiz_photos
from colorflow.ui.limits import UploadSpace
from colorflow.ui.quiz import PLAY, STRICT, QuizTab
from colorflow.ui.quiz_results import results_html
from tests.quiz.album import Painter, damage_answers, save_album, scanned
from tests.quiz.clock import Clock, clock_of_games
from tests.ui.handling import is_problem, text, value

clock = pytest.fixture(clock_of_games)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    save_album(folder, NEEDED)
    return folder


@pytest.fixture
def painter() -> Painter:
    return Painter(12)


@pytest.fixture
def make(painter: Painter, root: Path, tmp_path: Path, clock: Clock) -> Callable[[Path], QuizTab]:
    """Makes a tab for a folder of photos."""

    def make(folder: Path) -> QuizTab:
        quiz = open_quiz(painter, folder, tmp_path / "quiz.sqlite")  # type: ignore[arg-type]
        scanned(quiz.pool)
        with gr.Blocks(analytics_enabled=False):
            return QuizTab(quiz, UploadSpace(root))

    return make


@pytest.fixture
def tab(make: Any, tmp_path: Path) -> QuizTab:
    save_album(tmp_path / "few", 4)
    return make(tmp_path / "few")


def started(
    tab: QuizTab, k: int = 3, mode: str = PLAY, address: str = "203.0.113.1"
) -> tuple[Game, dict[Any, Any]]:
    request = SimpleNamespace(username=None, client=SimpleNamespace(host=address))
    updates = tab.go_on(None, mode, k, request)  # type: ignore[arg-type]
    return updates[tab.game], updates


def waiting(game: Game) -> Trial:
    trial = game._play.trial or game._strict.trial
    assert trial is not None
    return trial


def choose(tab: QuizTab, game: Game | None, token: Any, chosen: Any, k: int = 3) -> dict[Any, Any]:
    event = SimpleNamespace(token=token, chosen=chosen)
    return tab.choose(game, k, event)  # type: ignore[arg-type]


def answer(tab: QuizTab, game: Game, *, right: bool) -> dict[Any, Any]:
    trial = waiting(game)
    chosen = trial.truth if right else (trial.truth + 1) % trial.k
    return choose(tab, game, trial.token, chosen)


# free play


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_a_trial_shows_k_pictures_of_one_sheet(tab: QuizTab, k: int) -> None:
    game, updates = started(tab, k)
    stage = value(updates, tab.stage)
    assert stage.count("<button") == stage.count("data-choice") == k
    keys = re.findall(r'data-key="([^"]*)"', stage)
    assert keys == list("ABCDE"[:k]) == re.findall("<kbd[^>]*>(.*?)</kbd>", stage)
    assert set(re.findall(r'src="([^"]*)"', stage)) == {
        f"gradio_api/file={waiting(game).sheet.as_posix()}"
    }
    assert re.findall(r'alt="([^"]*)"', stage) == [f"Picture {letter}" for letter in "ABCDE"[:k]]
    positions = re.findall(r"object-position:0 ([\d.]+)%", stage)
    assert len(set(positions)) == k


def test_each_frame_shows_its_picture_and_no_margin(tab: QuizTab) -> None:
    """CSS: a position of p shows the sheet from p times (its height - the frame's) on."""
    game, updates = started(tab, 3)
    trial = waiting(game)
    step = trial.height + 2 * trials_module.MARGIN
    positions = re.findall(r"object-position:0 ([\d.]+)%", value(updates, tab.stage))
    for index, position in enumerate(positions):
        top = float(position) / 100 * (3 * step - trial.height)
        assert top == pytest.approx(index * step + trials_module.MARGIN, abs=0.01)


def test_ten_rounds_with_the_score_right(tab: QuizTab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game_module, "APART", 1)
    game, _ = started(tab)
    for number, right in enumerate([1, 1, 0, 1, 1, 1, 0, 0, 1, 1], 1):
        truth = "ABC"[waiting(game).truth]
        updates = answer(tab, game, right=bool(right))
        said = text(updates, tab.status)
        assert said == (
            f"Right, it is picture {truth}." if right else f"No, it is picture {truth}."
        )
        score = text(updates, tab.score)
        assert f"of {number}" in score
        tab.go_on(game, PLAY, 3)
    assert "Right7 of 10in free playIn a row2best 3" in score
    wrong, answered = game.tallies[GameKind("play", 3)].wrong, 4
    assert wrong == 1
    assert f"Fooled{100 * wrong / answered:.0f} %guessing among 3 gives 67 %" in score


def test_the_outcome_names_the_truth_and_the_choice(tab: QuizTab) -> None:
    game, _ = started(tab, 2)
    truth = waiting(game).truth
    stage = value(answer(tab, game, right=False), tab.stage)
    captions = re.findall("<figcaption[^>]*>(.*?)</figcaption>", stage)
    assert "the photo as it was taken" in captions[truth]
    assert captions[1 - truth].endswith("colored by the computer; your choice")
    assert stage.count("the photo as it was taken") == 2, "caption and alternative text"
    assert "data-choice" not in stage
    assert "data-next data-focus>Next" in stage


def test_a_trial_cannot_be_answered_twice_or_by_others(tab: QuizTab) -> None:
    game, _ = started(tab)
    trial = waiting(game)
    other, _ = started(tab)
    for who, token, chosen in (
        (other, trial.token, trial.truth),
        (None, trial.token, trial.truth),
        (game, None, trial.truth),
        (game, trial.token, "0"),
        (game, trial.token, None),
        (game, trial.token, 3),
        (game, trial.token, -1),
        (game, "é", 0),
    ):
        updates = choose(tab, who, token, chosen)
        assert is_problem(updates, tab.status)
        assert list(updates) == [tab.status]
    choose(tab, game, trial.token, trial.truth)
    for chosen in range(3):
        assert is_problem(choose(tab, game, trial.token, chosen), tab.status)
    assert (game.score.answered, game.score.right, other.score.answered) == (1, 1, 0)
    empty = tab.choose(game, 3, gr.EventData(None, {}))
    assert is_problem(empty, tab.status)


def test_going_on_without_an_answer_shows_the_same_round(tab: QuizTab) -> None:
    game, first = started(tab, 3)
    again = tab.go_on(game, PLAY, 5)
    assert value(again, tab.stage) == value(first, tab.stage)


def test_problems_are_told(make: Any, tmp_path: Path) -> None:
    paths = save_album(tmp_path / "gone", 2)
    tab = make(tmp_path / "gone")
    game, _ = started(tab)
    for path in paths:
        path.unlink()
    answer(tab, game, right=True)
    updates = tab.go_on(game, PLAY, 3)
    assert text(updates, tab.status) == "The quiz finds none of its photos any more."
    damage_answers(tmp_path / "quiz.sqlite")
    updates = tab.show_results(game)
    assert "quiz.sqlite" in text(updates, tab.results)


def test_answers_that_are_not_kept_are_told(tab: QuizTab, tmp_path: Path) -> None:
    game, _ = started(tab)
    damage_answers(tmp_path / "quiz.sqlite")
    updates = answer(tab, game, right=True)
    assert is_problem(updates, tab.status)
    assert "--quiz-db" in text(updates, tab.status)
    assert "1 of 1" in text(updates, tab.score)


# photos of the player's own


def test_a_page_with_few_photos_offers_to_play_with_ones_own(
    make: Any, tab: QuizTab, album: Path
) -> None:
    blocks = list(page_of(tab).blocks.values())
    (column,) = [one for one in blocks if one.elem_id == "quiz-own"]
    assert column.visible
    assert blocks.index(column) < blocks.index(tab.stage)
    assert "Best is to begin with your own photos" in tab.stage.value
    many = make(album)
    others = page_of(many).blocks.values()
    assert [one.visible for one in others if one.elem_id == "quiz-own"] == [False]
    assert "your own photos" not in many.stage.value


def page_of(tab: QuizTab) -> Any:
    page = tab.stage.parent
    while page.parent:
        page = page.parent
    return page


def test_own_photos_are_played_with(tab: QuizTab, album: Path, tmp_path: Path) -> None:
    game, _ = started(tab)
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for path in sorted(album.iterdir())[:31]:
            archive.write(path, f"holidays/{path.name}")
        archive.writestr("broken.jpg", b"\xff\xd8 no photo")
    updates = tab.take_in([str(tmp_path / "mine.zip")], game, PLAY, 3)
    assert text(updates, tab.about) == "31 of 32 files are color photos."
    for _ in range(31):
        tab.go_on(game, PLAY, 3)
        assert game.folder in waiting(game).photo.path.parents
        answer(tab, game, right=True)
    assert "31 of 31" in value(updates := tab.go_on(game, PLAY, 3), tab.score)
    assert "Nobody has played yet" in value(tab.show_results(game), tab.results)
    updates = tab.take_in(None, game, PLAY, 3)
    assert "Play with your own color photos" in text(updates, tab.about)
    assert game.folder not in waiting(game).photo.path.parents


def test_own_photos_that_are_few_or_none_are_told(
    tab: QuizTab, album: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    updates = tab.take_in([str(tmp_path / "notes.txt")], None, PLAY, 3)
    assert is_problem(updates, tab.about)
    assert "None of these files is a photo" in text(updates, tab.about)
    assert "HEIC" in text(updates, tab.about)
    updates = tab.take_in([str(album / "000.png")], updates[tab.game], PLAY, 3)
    assert text(updates, tab.about) == (
        "1 of 1 files are color photos. After 1 rounds you have seen them all."
    )


def test_of_too_many_own_photos_the_first_are_taken(
    tab: QuizTab, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their number, and by their size; a single file that is too large is refused."""
    files = [str(path) for path in sorted(album.iterdir())[:4]]
    monkeypatch.setattr(quiz_photos, "MOST_PHOTOS", 3)
    updates = tab.take_in(files, None, PLAY, 3)
    assert text(updates, tab.about).startswith("3 of the first 3 files are color photos.")
    monkeypatch.setattr(quiz_photos, "MOST_PHOTOS", 200)
    for path in map(Path, files):  # what follows the picture is not read
        path.write_bytes(path.read_bytes() + bytes(900_000))
    monkeypatch.setattr(tab, "_space", replace(tab._space, megabytes=2))
    updates = tab.take_in(files, updates[tab.game], PLAY, 3)
    assert text(updates, tab.about).startswith("2 of the first 2 files are color photos.")
    monkeypatch.setattr(tab, "_space", replace(tab._space, megabytes=0))
    assert is_problem(tab.take_in(files, updates[tab.game], PLAY, 3), tab.about)


# nothing tells


def masked(updates: dict[Any, Any], trial: Trial) -> str:
    """All that a handler gives to the client, without what is random by intent."""
    told = [one for component, one in updates.items() if not isinstance(component, gr.State)]
    said = json.dumps(told)
    assert trial.token in said
    for secret, name in (
        (trial.token, "TOKEN"),
        (trial.sheet.as_posix(), "SHEET"),
    ):
        said = said.replace(secret, name)
    return said


@pytest.mark.parametrize("mode", [PLAY, STRICT])
def test_nothing_that_is_sent_depends_on_where_the_truth_stands(
    make: Any, album: Path, painter: Painter, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions that look like the truth: with the truth at either position, all is the same."""
    painter.shift = 0
    tab = make(album)
    first = tab._quiz.pool.photos[0]
    monkeypatch.setattr(game_module, "choose_photo", lambda *_: first)
    monkeypatch.setattr(game_module, "choose_test_photos", lambda *_: [first] * NEEDED)
    monkeypatch.setattr(trials_module.secrets, "randbits", lambda _: 7)  # crop and grain
    sent, sheets, truths = set(), set(), []
    for index in (0, 1):
        monkeypatch.setattr(trials_module.secrets, "randbelow", lambda _, index=index: index)
        game, updates = started(tab, 2, mode)
        trial = waiting(game)
        truths.append(trial.truth)
        sheets.add(trial.sheet.read_bytes())
        sent.add(masked(updates, trial))
    assert truths == [0, 1]
    assert len(sheets) == 1
    assert len(sent) == 1


@pytest.mark.parametrize("mode", [PLAY, STRICT])
def test_what_is_sent_names_neither_photo_nor_seed(make: Any, album: Path, mode: str) -> None:
    tab = make(album)
    game, updates = started(tab, 2, mode)
    trial = waiting(game)
    sent = masked(updates, trial)
    for secret in (str(trial.seed), trial.photo.digest, trial.photo.path.name, game.player):
        assert secret not in sent


def test_handlers_and_states_stay_on_the_server(tab: QuizTab) -> None:
    """The page's configuration holds no game, and no handler is in the public interface."""
    page = page_of(tab)
    started(tab)
    config = page.get_config_file()
    states = [one for one in config["components"] if one["type"] == "state"]
    assert len(states) == 1
    assert states[0]["props"].get("value") is None
    assert {function.api_visibility for function in page.fns.values()} == {"private"}
    assert page.get_api_info()["named_endpoints"] == {}


# the strict test


def test_the_strict_test_says_what_is_lacking(tab: QuizTab) -> None:
    updates = tab.change_mode(None, STRICT, 3)
    stage = value(updates, tab.stage)
    assert "needs 50 distinct color photos. Here are 4, so 46 are missing" in stage
    assert "<button" not in stage
    assert updates[tab.k]["interactive"] is False
    back = tab.change_mode(updates[tab.game], PLAY, 3)
    assert "Start" in value(back, tab.stage)
    assert back[tab.k]["interactive"] is True
    told = tab.go_on(None, STRICT, 3)
    assert "46 are missing" in text(told, tab.status)


def test_feedback_in_practice_and_none_afterwards(make: Any, album: Path) -> None:
    tab = make(album)
    assert "Start" in value(tab.change_mode(None, STRICT, 3), tab.stage)
    game, updates = started(tab, 3, STRICT)
    for number in range(1, 11):
        stage = value(updates, tab.stage)
        assert f"Practice {number} of 10" in stage
        assert re.findall(r'alt="([^"]*)"', stage) == ["The first picture", "The second picture"]
        told = answer(tab, game, right=number != 4)
        said = text(told, tab.status)
        assert re.fullmatch(r"(Right|No), it is the (first|second) picture\.", said)
        assert said.startswith("Right" if number != 4 else "No")
        button = "Now the 40 that count" if number == 10 else "Next"
        assert f">{button}</button>" in value(told, tab.stage)
        updates = tab.go_on(game, STRICT, 3)
    for number in range(1, 41):
        assert f"Trial {number} of 40" in value(updates, tab.stage)
        updates = answer(tab, game, right=number > 10)
        assert updates[tab.status] == ""
        assert tab.score not in updates
        assert "<figure" not in value(updates, tab.stage)
        if number == 20:
            assert "Go on" in value(tab.change_mode(game, STRICT, 3), tab.stage)
            peeked = tab.show_results(game)
            assert "Nobody has played yet" in value(peeked, tab.results)
            assert peeked[tab.export]["label"] == "Download 10 answers as CSV", "of practice"
    ended = value(updates, tab.stage)
    assert "In 10 of 40 trials" in ended
    assert "25 %, 95 % interval 14 to 40 %" in ended
    assert "<button" not in ended
    results = value(tab.show_results(game), tab.results)
    assert "You: 10 of 40 (25 %)" in _you(results)


@pytest.mark.parametrize(("seconds", "said"), [(2.0, "40 answers"), (3.5, None)])
def test_answers_of_a_strict_test_that_do_not_count_are_told(
    make: Any, album: Path, clock: Clock, seconds: float, said: str | None
) -> None:
    tab = make(album)
    game, updates = started(tab, 3, STRICT)
    clock.seconds = seconds
    for _ in range(NEEDED):
        updates = answer(tab, game, right=False)
        if "data-next" in value(updates, tab.stage):
            updates = tab.go_on(game, STRICT, 3)
    ended = value(updates, tab.stage)
    assert ("In 40 of 40 trials" in ended) == (said is None)
    assert ("came too soon or too late to count" in ended) == (said is not None)
    assert said is None or said in ended


def _you(results: str) -> str:
    """The parts of the results that speak of the player."""
    return "".join(part for part in results.split("<section")[1:] if "You:" in part)


# results


def test_results_of_nobody(tab: QuizTab) -> None:
    updates = tab.show_results(None)
    assert text(updates, tab.results) == "Nobody has played yet."
    assert updates[tab.export]["interactive"] is False


def test_results_and_export(tab: QuizTab) -> None:
    for address, rights in (("203.0.113.1", (True, False)), ("203.0.113.2", (False, False))):
        game, _ = started(tab, address=address)
        for right in rights:
            answer(tab, game, right=right)
            tab.go_on(game, PLAY, 3)
    updates = tab.show_results(game)
    results = value(updates, tab.results)
    assert "You: 2 of 2 (100 %), 95 % interval 34 to 100 % (Wilson)." in results
    interval = two_level_bootstrap([Tally(1, 2), Tally(2, 2)], BOOTSTRAP_SEED)
    low, high = 100 * interval.low, 100 * interval.high
    assert f"All 2 players: 3 of 4 (75 %), 95 % interval {low:.0f} to {high:.0f} %" in results
    assert f"--at:{2 / 3:.4f}" in results, "where guessing is"
    assert "folder of whoever runs this page" in results
    assert updates[tab.export]["label"] == "Download 4 answers as CSV"
    with open(updates[tab.export]["value"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["chosen"] == row["truth"] for row in rows] == [True, False, False, False]


def test_ways_to_play_are_apart_the_strict_one_first() -> None:
    tallies = {
        GameKind("play", 5): {"ada": Tally(1, 4)},
        GameKind("play", 2): {"ada": Tally(1, 4)},
        GameKind("test", 2): {"ada": Tally(7, 40)},
    }
    results = results_html(tallies, {GameKind("play", 4): Tally(1, 1)}, "")
    assert re.findall("<h3>(.*?)</h3>", results) == [
        "Strict test: two pictures, one second each",
        "Free play with 2 pictures",
        "Free play with 4 pictures",
        "Free play with 5 pictures",
    ]
    assert "All: one player so far, 7 of 40 (18 %); an interval over players needs two." in results
    plots = re.findall(r'role="img" aria-label="([^"]*)"', results)
    assert plots[2] == (
        "You: 1 of 1 (100 %), 95 % interval 21 to 100 % (Wilson). Guessing gives 75 %."
    )


# looks


def test_every_control_says_what_it_does(tab: QuizTab) -> None:
    for control in (tab.mode, tab.k):
        assert control.label
        assert control.info
        assert "\n" not in str(control.info)


def test_a_closed_page_leaves_nothing(tab: QuizTab, root: Path) -> None:
    game, _ = started(tab)
    tab.show_results(game)
    assert any(root.rglob("*.png"))
    tab.game.delete_callback(game)
    assert not any(root.rglob("*.png"))
    assert not any(root.rglob("*.csv"))
    tab.game.delete_callback(None)  # a visitor who never played
