"""One player's game: which photos are shown, what an answer comes to, and which answers count."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from colorflow.errors import EvaluationError
from colorflow.quiz import game as game_module
from colorflow.quiz.game import Game, open_quiz
from colorflow.quiz.photos import open_pool
from colorflow.quiz.statistics import Tally
from colorflow.quiz.store import COLUMNS, AnswerStore, GameKind
from colorflow.quiz.strict_test import NEEDED, TRIALS
from tests.quiz.album import Painter, damage_answers, scanned
from tests.quiz.answers import kept, wrong
from tests.quiz.clock import Clock

# free play


def test_an_answer_counts_once_and_is_kept(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    first = game.play(3)
    assert game.play(5) is first, "it waits for its answer"
    assert game.answer("another", first.truth) is None
    assert game.answer(first.token, 3) is None, "no such picture"
    assert game.answer(first.token, -1) is None
    outcome = game.answer(first.token, first.truth)
    assert outcome is not None
    assert outcome.right
    assert outcome.problem is None
    for chosen in range(3):
        assert game.answer(first.token, chosen) is None
    second = game.play(2)
    assert game.answer(first.token, first.truth) is None
    outcome = game.answer(second.token, wrong(second))
    assert outcome is not None
    assert not outcome.right
    assert (game.score.answered, game.score.right, game.score.streak, game.score.best) == (
        2,
        1,
        0,
        1,
    )
    rows = kept(tmp_path)
    assert [tuple(row) for row in rows] == [COLUMNS] * 2
    for row, trial, chosen in zip(rows, (first, second), (first.truth, wrong(second)), strict=True):
        assert row["player"] == game.player
        assert row["picture"] == trial.photo.digest
        assert (row["weights"], row["mode"], row["temperature"]) == ("painter", "play", "1.0")
        numbers = [int(row[name]) for name in ("seed", "k", "truth", "chosen")]
        assert numbers == [trial.seed, trial.k, trial.truth, chosen]
        assert int(row["milliseconds"]) == 10_000
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", row["time"])


def test_many_answers_at_the_same_time_count_once(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    trial = game.play(2)
    gate = threading.Barrier(8)

    def answer(_: int) -> bool:
        gate.wait()
        return game.answer(trial.token, trial.truth) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(answer, range(8))) == 1
    assert (game.score.answered, game.score.right) == (1, 1)
    assert len(kept(tmp_path)) == 1


def test_no_photo_comes_again_before_thirty_others(
    play: Callable[[Path], Game], album: Path
) -> None:
    game, photos = play(album), []
    for _ in range(NEEDED + 31):
        trial = game.play(2)
        photos.append(trial.photo.digest)
        game.answer(trial.token, 0)
    assert len(set(photos[:NEEDED])) == NEEDED
    for start in range(len(photos) - 30):
        assert len(set(photos[start : start + 31])) == 31


def test_where_there_are_fewer_photos_all_are_seen_once(
    play: Callable[[Path], Game], few: Path
) -> None:
    game = play(few)
    for _ in range(4):
        game.answer(game.play(2).token, 0)
    assert len(game._shown) == 4
    for _ in range(2):
        with pytest.raises(EvaluationError, match=r"seen all 4 photos.*Add color photos"):
            game.play(2)


def test_own_photos_count_in_the_score_alone(
    play: Callable[[Path], Game], few: Path, album: Path, tmp_path: Path
) -> None:
    game = play(few)
    before = game.play(2)
    own = scanned(open_pool(album))
    game.play_with(own)
    assert game.answer(before.token, 0) is None
    known = {photo.digest for photo in own.photos}
    for _ in range(5):
        trial = game.play(2)
        assert trial.photo.digest in known
        assert game.answer(trial.token, trial.truth) is not None
    assert (game.score.right, game.tallies, kept(tmp_path)) == (5, {}, [])
    assert game.missing_for_test() is None, "there are enough for a strict test"
    game.play_with(None)
    trial = game.play(2)
    game.answer(trial.token, 0)
    assert len(kept(tmp_path)) == 1


def test_photos_take_turns_and_the_first_answer_to_each_counts(
    play: Callable[[Path], Game], few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game_module, "APART", 1)
    game = play(few)
    photos = []
    for number in range(12):
        trial = game.play(3)
        photos.append(trial.photo.digest)
        game.answer(trial.token, wrong(trial) if number < 3 else trial.truth)
    for start in (0, 4, 8):
        assert len(set(photos[start : start + 4])) == 4
    assert all(a != b for a, b in pairwise(photos))
    assert game.tallies == {GameKind("play", 3): Tally(3, 4)}
    found = AnswerStore(tmp_path / "quiz.sqlite").tallies("painter")
    assert found == {GameKind("play", 3): {game.player: Tally(3, 4)}}
    assert (game.score.answered, game.score.right, game.score.best) == (12, 9, 9)


def test_no_trial_is_made_before_it_is_asked_for(tmp_path: Path, few: Path) -> None:
    """Such trials would take memory and time, however many players come and go."""
    painter = Painter(12)
    quiz = open_quiz(painter, few, tmp_path / "quiz.sqlite")  # type: ignore[arg-type]
    for player in range(1, 4):
        Game(quiz, tmp_path, "visitor").play(3)
        assert [n for n, _, _ in painter.calls] == player * [2]


def test_two_players_know_nothing_of_each_other(play: Callable[[Path], Game], few: Path) -> None:
    ada, bob = play(few), play(few, "203.0.113.2")
    assert ada.player != bob.player
    trial = ada.play(2)
    assert bob.answer(trial.token, trial.truth) is None
    assert bob.play(2).token != trial.token
    assert ada.answer(trial.token, trial.truth) is not None
    assert (ada.score.answered, bob.score.answered) == (1, 0)


def test_old_sheets_and_at_last_all_files_go(play: Callable[[Path], Game], few: Path) -> None:
    game = play(few)
    for _ in range(3):
        trial = game.play(2)
        assert list(game.folder.glob("*.png")) == [trial.sheet]
        game.answer(trial.token, 0)
        assert trial.sheet.exists(), "the outcome shows it still"
    game.close()
    assert not game.folder.exists()


def test_photos_that_went_away_are_passed_over(
    play: Callable[[Path], Game], few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game_module, "APART", 0)
    game = play(few)
    first = game.play(2)
    game.answer(first.token, 0)
    for path in few.iterdir():
        if path != first.photo.path:
            path.unlink()
    again = game.play(2)
    assert again.photo == first.photo
    first.photo.path.unlink()
    game.answer(again.token, 0)
    with pytest.raises(EvaluationError, match="none of its photos any more"):
        game.play(2)


def test_gray_photos_alone_are_one_sentence(play: Callable[[Path], Game], tmp_path: Path) -> None:
    (tmp_path / "gray").mkdir()
    Image.fromarray(data.camera()[:64, :64]).save(tmp_path / "gray" / "gray.png")
    game = play(tmp_path / "gray")
    with pytest.raises(EvaluationError, match="There is no photo to play with"):
        game.play(2)


def test_answers_that_cannot_be_kept_count_in_the_game(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    trial = game.play(2)
    damage_answers(tmp_path / "quiz.sqlite")
    outcome = game.answer(trial.token, trial.truth)
    assert outcome is not None
    assert "quiz.sqlite" in str(outcome.problem)
    assert game.score.right == 1


def test_unwritable_answers_are_told_at_the_start(few: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="--quiz-db"):
        open_quiz(Painter(12), few, tmp_path)


# who counts


def test_a_visitor_has_one_vote_a_photo_however_many_games(
    play: Callable[..., Game], few: Path, tmp_path: Path
) -> None:
    for _ in range(20):
        game = play(few)
        trial = game.play(2)
        game.answer(trial.token, wrong(trial))
    other = play(few, "203.0.113.2")
    trial = other.play(2)
    other.answer(trial.token, trial.truth)
    found = AnswerStore(tmp_path / "quiz.sqlite").tallies("painter")[GameKind("play", 2)]
    assert found.keys() == {game.player, other.player}
    assert found[game.player].answered <= 4
    assert found[other.player] == Tally(0, 1)


@pytest.mark.parametrize(("seconds", "counted"), [(0.4, 0), (0.6, 1), (599, 1), (601, 0)])
def test_answers_count_that_took_a_sane_time(
    play: Callable[..., Game],
    few: Path,
    clock: Clock,
    tmp_path: Path,
    seconds: float,
    counted: int,
) -> None:
    clock.seconds = seconds
    game = play(few)
    trial = game.play(2)
    assert game.answer(trial.token, trial.truth) is not None
    assert sum(own.answered for own in game.tallies.values()) == counted
    found = AnswerStore(tmp_path / "quiz.sqlite").tallies("painter")
    assert len(found) == counted
    assert game.score.right == 1, "it counts in the game"
    assert len(kept(tmp_path)) == 1, "and is kept"


def test_trials_that_nobody_can_have_looked_at_do_not_count(
    play: Callable[..., Game], album: Path, clock: Clock
) -> None:
    game = play(album)
    for number in range(NEEDED):
        clock.seconds = 2.9 if number % 2 else 3.1
        trial = game.trial()
        assert trial is not None
        game.answer(trial.token, wrong(trial))
    assert game.test is not None
    assert game.test.tally == Tally(TRIALS // 2, TRIALS // 2)
    assert game.tallies == {GameKind("test", 2): Tally(TRIALS // 2, TRIALS // 2)}


def test_too_few_photos_are_counted(play: Callable[[Path], Game], few: Path) -> None:
    game = play(few)
    assert game.missing_for_test() == (
        "The strict test needs 50 distinct color photos. Here are 4, so 46 are missing. "
        "Start the page with --photos and a folder that holds enough."
    )
    with pytest.raises(EvaluationError, match="46 are missing"):
        game.trial()
    assert game.test is None
