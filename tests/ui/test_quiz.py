"""The quiz's tab without a server: what it shows, and that nothing tells before the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from colorflow.quiz import trials as trials_module
from colorflow.quiz.game import TRIALS, Game, Quiz
from colorflow.quiz.statistics import Tally, bootstrap_interval
from colorflow.quiz.store import AnswerStore
from colorflow.quiz.trials import PhotoPool, Trial, open_pool
from colorflow.ui import quiz as quiz_module
from colorflow.ui.limits import UploadSpace
from colorflow.ui.quiz import PLAY, TEST, QuizTab, results_html
from colorflow.ui.quiz import test_result as result_of_test
from tests.quiz.album import Clock, Painter, clock_of_games, damage_answers, save_album, scanned
from tests.ui.handling import is_problem, text, value, zipped

clock = pytest.fixture(clock_of_games)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    save_album(folder, TRIALS)
    return folder


@pytest.fixture(scope="module")
def pool(album: Path) -> PhotoPool:
    """As many photos as a test needs."""
    return scanned(open_pool(album))


@pytest.fixture(scope="module")
def built(pool: PhotoPool) -> QuizTab:
    """The tab; building it takes longer than most tests."""
    with gr.Blocks(analytics_enabled=False):
        quiz = Quiz(pool=pool, colorizer=Painter(12), store=AnswerStore(Path()))  # type: ignore[arg-type]
        return QuizTab(quiz, UploadSpace(Path()))


@pytest.fixture
def make(
    built: QuizTab, root: Path, tmp_path: Path, clock: Clock
) -> Callable[[PhotoPool], QuizTab]:
    """Gives the tab photos, with no answers yet."""

    def make(pool: PhotoPool, shift: float = 12) -> QuizTab:
        store = AnswerStore(tmp_path / "quiz.sqlite")
        built._quiz = Quiz(pool=pool, colorizer=Painter(shift), store=store)  # type: ignore[arg-type]
        built._space = UploadSpace(root)
        return built

    return make


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> PhotoPool:
    save_album(folder := tmp_path_factory.mktemp("few"), 4)
    return scanned(open_pool(folder))


@pytest.fixture
def tab(make: Any, few: PhotoPool) -> QuizTab:
    return make(few)


def started(
    tab: QuizTab, k: int = 3, mode: str = PLAY, address: str = "203.0.113.1"
) -> tuple[Game, dict[Any, Any]]:
    updates = call(tab, tab.go_on, None, mode, k, address=address)
    return updates[tab.game], updates


def call(
    tab: QuizTab,
    act: Any,
    game: Game | None,
    *values: Any,
    address: str = "203.0.113.1",
    **event: Any,
) -> dict[Any, Any]:
    """What the handler of a method gives."""
    request = SimpleNamespace(username=None, cookies={}, client=SimpleNamespace(host=address))
    told = {"take_in": tab.about, "show_results": tab.results}.get(act.__name__, tab.status)
    return tab.handled(act, told)(request, SimpleNamespace(**event), game, *values)


def waiting(game: Game) -> Trial:
    ((trial, _),) = game._waiting.values()
    return trial


def choose(
    tab: QuizTab, game: Game | None, token: Any, chosen: Any, mode: str = PLAY
) -> dict[Any, Any]:
    return call(tab, tab.choose, game, mode, 3, token=token, chosen=chosen)


def answer(tab: QuizTab, game: Game, *, right: bool) -> dict[Any, Any]:
    trial = waiting(game)
    return choose(tab, game, trial.token, trial.truth if right else (trial.truth + 1) % trial.k)


# free play


@pytest.mark.parametrize("k", [2, 5])
def test_a_trial_shows_k_pictures_of_one_sheet(tab: QuizTab, k: int) -> None:
    """CSS: a position of p shows the sheet from p times (its height - the frame's) on."""
    game, updates = started(tab, k)
    stage, trial = value(updates, tab.stage), waiting(game)
    assert stage.count("<button") == stage.count("data-choice") == k
    keys = re.findall(r'data-key="([^"]*)"', stage)
    assert keys == list("ABCDE"[:k]) == re.findall("<kbd[^>]*>(.*?)</kbd>", stage)
    assert set(re.findall(r'src="([^"]*)"', stage)) == {f"gradio_api/file={trial.sheet.as_posix()}"}
    assert re.findall(r'alt="([^"]*)"', stage) == [f"Picture {letter}" for letter in "ABCDE"[:k]]
    step = trial.height + 2 * trials_module.MARGIN
    for index, position in enumerate(re.findall(r"object-position:0 ([\d.]+)%", stage)):
        top = float(position) / 100 * (k * step - trial.height)
        assert top == pytest.approx(index * step + trials_module.MARGIN, abs=0.01)


def test_four_rounds_with_the_score_right(tab: QuizTab) -> None:
    game, updates = started(tab)
    assert text(updates, tab.score) == ""
    for number, right in enumerate([True, True, False, True], 1):
        truth = "ABC"[waiting(game).truth]
        updates = answer(tab, game, right=right)
        said = text(updates, tab.status)
        assert said == (
            f"Right, it is picture {truth}." if right else f"No, it is picture {truth}."
        )
        assert f"of {number} right; guessing gives {number / 3:.1f}." in text(updates, tab.score)
        call(tab, tab.go_on, game, PLAY, 3)
    assert text(updates, tab.score) == (
        "3 of 4 right; guessing gives 1.3. Right in a row: 1, at best 2."
    )


def test_a_trial_cannot_be_answered_twice_or_by_others(tab: QuizTab) -> None:
    game, first = started(tab)
    trial = waiting(game)
    assert value(call(tab, tab.go_on, game, PLAY, 5), tab.stage) == value(first, tab.stage)
    other, _ = started(tab)
    for who, token, chosen in (
        (other, trial.token, trial.truth),
        (None, trial.token, trial.truth),
        (game, None, trial.truth),
        (game, trial.token, "0"),
        (game, trial.token, None),
        (game, trial.token, 3),
    ):
        updates = choose(tab, who, token, chosen)
        assert is_problem(updates, tab.status)
        assert list(updates) == [tab.game, tab.status]
    choose(tab, game, trial.token, trial.truth)
    assert is_problem(choose(tab, game, trial.token, trial.truth), tab.status)
    assert (game.score.answered, game.score.right, other.score.answered) == (1, 1, 0)
    assert is_problem(call(tab, tab.choose, game, PLAY, 3), tab.status)


def test_problems_are_told(make: Any, tmp_path: Path) -> None:
    paths = save_album(tmp_path / "gone", 2)
    tab = make(scanned(open_pool(tmp_path / "gone")))
    game, _ = started(tab)
    for path in paths:
        path.unlink()
    damage_answers(tmp_path / "quiz.sqlite")
    updates = answer(tab, game, right=True)
    assert is_problem(updates, tab.status)
    assert "--quiz-db" in text(updates, tab.status)
    assert "1 of 1" in text(updates, tab.score)
    updates = call(tab, tab.go_on, game, PLAY, 3)
    assert "You have seen all 2 photos that are here." in text(updates, tab.status)
    updates = call(tab, tab.show_results, game)
    assert "quiz.sqlite" in text(updates, tab.results)


# photos of the player's own


def test_own_photos_are_played_with(tab: QuizTab, album: Path, tmp_path: Path) -> None:
    game, _ = started(tab)
    answer(tab, game, right=True)
    photos = {f"holidays/{path.name}": path for path in sorted(album.iterdir())[:5]}
    zipped(tmp_path / "mine.zip", {**photos, "broken.jpg": b"\xff\xd8 no photo"})
    updates = call(tab, tab.take_in, game, PLAY, 3, [str(tmp_path / "mine.zip")])
    assert text(updates, tab.about) == "5 of 6 files are color photos."
    assert game.folder in waiting(game).photo.path.parents
    assert "2 of 2" in text(answer(tab, game, right=True), tab.score)
    assert "1 of 1" not in value(call(tab, tab.show_results, game), tab.results)
    for uploads, folders in ([str(tmp_path / "mine.zip")], 1), (None, 0):
        updates = call(tab, tab.take_in, game, PLAY, 3, uploads)
        assert len(list(game.folder.glob("own-*"))) == folders, "those before are gone"
    assert "Play with your own color photos" in text(updates, tab.about)
    assert game.folder not in waiting(game).photo.path.parents


def test_own_photos_that_are_none_few_or_too_many(
    tab: QuizTab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of too many the first are taken; a zip that is too large is refused."""
    (tmp_path / "notes.txt").write_text("no photo")
    updates = call(tab, tab.take_in, None, PLAY, 3, [str(tmp_path / "notes.txt")])
    assert is_problem(updates, tab.about)
    assert "None of these files is a photo" in text(updates, tab.about)
    files = [str(path) for path in save_album(tmp_path / "own", 4)]
    updates = call(tab, tab.take_in, None, PLAY, 3, files[:1])
    assert text(updates, tab.about) == "1 of 1 files are color photos."
    monkeypatch.setattr(quiz_module, "MOST_PHOTOS", 3)
    updates = call(tab, tab.take_in, None, PLAY, 3, files)
    assert text(updates, tab.about) == "3 of the first 3 files are color photos."
    zipped(tmp_path / "large.zip", {Path(path).name: Path(path) for path in files[:3]})
    updates = call(tab, tab.take_in, updates[tab.game], PLAY, 3, [str(tmp_path / "large.zip")] * 2)
    assert text(updates, tab.about) == "3 of the first 3 files are color photos."
    assert len(list(updates[tab.game].folder.rglob("album-*"))) == 1, "the other is not unpacked"
    monkeypatch.setattr(tab, "_space", replace(tab._space, megabytes=0))
    uploads = [str(tmp_path / "large.zip")]
    assert is_problem(call(tab, tab.take_in, updates[tab.game], PLAY, 3, uploads), tab.about)


# nothing tells


def masked(updates: dict[Any, Any], trial: Trial) -> str:
    """All that a handler gives to the client, without what is random by intent."""
    told = [one for component, one in updates.items() if not isinstance(component, gr.State)]
    said = json.dumps(told)
    assert trial.token in said
    return said.replace(trial.token, "TOKEN").replace(trial.sheet.as_posix(), "SHEET")


@pytest.mark.parametrize("mode", [PLAY, TEST])
def test_nothing_that_is_sent_depends_on_where_the_truth_stands(
    make: Any, pool: PhotoPool, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions that look like the truth: with the truth at either position, all is the same."""
    tab = make(pool, shift=0)
    first = tab._quiz.pool.photos[0]
    monkeypatch.setattr(Game, "_choose", lambda _: first)
    monkeypatch.setattr(trials_module.secrets, "randbits", lambda _: 7)  # crop and grain
    sent, sheets, truths = set(), set(), []
    for index in (0, 1):
        monkeypatch.setattr(trials_module.secrets, "randbelow", lambda _, index=index: index)
        game, updates = started(tab, 2, mode)
        trial = waiting(game)
        truths.append(trial.truth)
        sheets.add(trial.sheet.read_bytes())
        sent.add(masked(updates, trial))
        for secret in (str(trial.seed), trial.photo.digest, trial.photo.path.name, game.player):
            assert len(secret) < 2 or secret not in masked(updates, trial)
    assert truths == [0, 1]
    assert (len(sheets), len(sent)) == (1, 1)


def test_handlers_and_states_stay_on_the_server(tab: QuizTab) -> None:
    """The page's configuration holds no game, and no handler is in the public interface."""
    page: Any = tab.stage.parent
    while page.parent:
        page = page.parent
    started(tab)
    config = page.get_config_file()
    states = [one for one in config["components"] if one["type"] == "state"]
    assert len(states) == 1
    assert states[0]["props"].get("value") is None
    assert {function.api_visibility for function in page.fns.values()} == {"private"}
    assert page.get_api_info()["named_endpoints"] == {}


# the test


def test_a_test_says_what_is_lacking(tab: QuizTab) -> None:
    updates = call(tab, tab.change_mode, None, TEST, 3)
    stage = value(updates, tab.stage)
    assert "4 are here, so 36 are missing" in stage
    assert "<button" not in stage
    back = call(tab, tab.change_mode, updates[tab.game], PLAY, 3)
    assert "Start" in value(back, tab.stage)
    assert "36 are missing" in text(call(tab, tab.go_on, None, TEST, 3), tab.status)


def test_a_test_tells_nothing_before_its_end(make: Any, pool: PhotoPool, clock: Clock) -> None:
    tab = make(pool)
    clock.seconds = 0.6
    assert "Start" in value(call(tab, tab.change_mode, None, TEST, 5), tab.stage)
    game, updates = started(tab, 5, TEST)
    for number in range(1, TRIALS + 1):
        assert text(updates, tab.status) == f"{number} of 40: which one is the photo?"
        assert text(updates, tab.score) == ""
        stage = value(updates, tab.stage)
        assert (stage.count("data-choice"), stage.count("<figure")) == (2, 0)
        if number == 20:
            assert value(call(tab, tab.change_mode, game, TEST, 3), tab.stage) == stage
            assert "Nobody has played yet" in value(call(tab, tab.show_results, game), tab.results)
        updates = answer(tab, game, right=number > 10)
    ended, results = text(updates, tab.stage), value(call(tab, tab.show_results, game), tab.results)
    assert "In 10 of 40 trials" in ended
    assert "25 %, 95 % interval 14 to 40 %. Guessing gives 50 %." in ended
    assert "10 of 40 (25 %)" in results
    assert "40 answers came too soon or too late" in result_of_test(Tally(0, 0), TRIALS)
    assert text(updates, tab.score).startswith("30 of 40 right; guessing gives 20.0.")


# results


def test_results(tab: QuizTab) -> None:
    updates = call(tab, tab.show_results, None)
    assert text(updates, tab.results) == "Nobody has played yet."
    for address, rights in (("203.0.113.1", (True, False)), ("203.0.113.2", (False, False))):
        game, _ = started(tab, address=address)
        for right in rights:
            answer(tab, game, right=right)
            call(tab, tab.go_on, game, PLAY, 3)
    updates = call(tab, tab.show_results, game)
    results = value(updates, tab.results)
    assert "folder of whoever runs this page" in results
    interval = bootstrap_interval([Tally(1, 2), Tally(2, 2)])
    low, high = 100 * interval.low, 100 * interval.high
    one_player = results_html({5: {"ada": Tally(1, 4)}, 2: {"ada": Tally(7, 40)}}, "bob", "")
    assert [row[:3] for row in cells(one_player)] == [
        ["2", "All (1)", "7 of 40 (18 %)"],
        ["5", "All (1)", "1 of 4 (25 %)"],
    ]
    assert cells(results) == [
        ["3", "You", "2 of 2 (100 %)", "34 to 100 %", "67 %"],
        ["3", "All (2)", "3 of 4 (75 %)", f"{low:.0f} to {high:.0f} %", "67 %"],
    ]


def cells(results: str) -> list[list[str]]:
    """The table's rows."""
    rows = re.findall("<tr>(.*?)</tr>", results)[1:]
    return [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_a_closed_page_leaves_nothing(tab: QuizTab, root: Path) -> None:
    game, _ = started(tab)
    assert any(root.rglob("*.png"))
    tab.game.delete_callback(game)
    assert not any(root.rglob("*.png"))
    tab.game.delete_callback(None)  # a visitor who never played
