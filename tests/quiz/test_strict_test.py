"""The strict test: forty trials that count after ten for practice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from colorflow.errors import EvaluationError
from colorflow.quiz.game import Game
from colorflow.quiz.statistics import Tally
from colorflow.quiz.store import AnswerStore, GameKind
from colorflow.quiz.strict_test import NEEDED, PRACTICE, TRIALS
from colorflow.quiz.trials import Trial
from tests.quiz.album import save_album
from tests.quiz.answers import kept, wrong

# the strict test


def take(game: Game, wrong_ones: set[int]) -> list[Trial]:
    """Take the whole test; wrong answers in the given trials, counted from 0."""
    trials: list[Trial] = []
    while (trial := game.trial()) is not None:
        assert game.trial() is trial
        chosen = wrong(trial) if len(trials) in wrong_ones else trial.truth
        outcome = game.answer(trial.token, chosen)
        assert outcome is not None
        assert outcome.mode == ("practice" if len(trials) < PRACTICE else "test")
        trials.append(trial)
    return trials


def test_ten_to_practice_and_forty_that_count(
    play: Callable[[Path], Game], album: Path, tmp_path: Path
) -> None:
    game = play(album)
    trials = take(game, {0, 3, 9, 10, 20, 49})
    assert len({trial.photo.digest for trial in trials}) == len(trials) == 50
    assert {trial.k for trial in trials} == {2}
    assert game.test is not None
    assert game.test.finished
    assert game.test.tally == Tally(3, 40)
    assert game.trial() is None
    assert game.tallies == {GameKind("test", 2): Tally(3, TRIALS)}
    modes = Counter(row["mode"] for row in kept(tmp_path))
    assert modes == {"practice": 10, "test": 40}
    assert AnswerStore(tmp_path / "quiz.sqlite").tallies("painter") == {
        GameKind("test", 2): {game.player: Tally(3, 40)}
    }
    assert game.score.answered == 0, "that is of free play"
    game.forget_test()
    with pytest.raises(EvaluationError, match=r"you have seen 50, so 40 are missing"):
        game.trial()


def test_known_photos_are_for_practice(play: Callable[[Path], Game], album: Path) -> None:
    game = play(album)
    known = set()
    for _ in range(PRACTICE):
        trial = game.play(2)
        known.add(trial.photo.digest)
        game.answer(trial.token, 0)
    assert game.missing_for_test() is None
    game.trial()
    assert game.test is not None
    assert {one.digest for one in game.test.photos[:PRACTICE]} == known
    assert len({one.digest for one in game.test.photos}) == NEEDED
    game.forget_test()
    assert game.missing_for_test() is None, "one of the known ones was shown again"
    game.answer(game.play(2).token, 0)
    assert game.missing_for_test() == (
        "The strict test needs 40 photos that you have not seen yet. Of the 50 here you have seen "
        "11, so 1 are missing."
    )


def test_nothing_tells_of_a_running_test(
    play: Callable[[Path], Game], album: Path, tmp_path: Path
) -> None:
    """Neither the player's own results nor everybody's, nor the export."""
    game = play(album)
    for number in range(1, NEEDED + 1):
        trial = game.trial()
        assert trial is not None
        game.answer(trial.token, wrong(trial))
        finished = number == NEEDED
        assert len(kept(tmp_path)) == (NEEDED if finished else min(number, PRACTICE))
        assert bool(game.tallies) == finished
        assert bool(AnswerStore(tmp_path / "quiz.sqlite").tallies("painter")) == finished


def test_a_test_that_is_given_up_counts_nowhere(
    play: Callable[[Path], Game], album: Path, tmp_path: Path
) -> None:
    game = play(album)
    for _ in range(NEEDED - 1):
        trial = game.trial()
        assert trial is not None
        game.answer(trial.token, trial.truth)
    game.forget_test()
    assert {row["mode"] for row in kept(tmp_path)} == {"practice"}
    assert game.tallies == {}


def test_free_play_shows_no_photo_of_a_running_test(
    play: Callable[[Path], Game], album: Path, tmp_path: Path
) -> None:
    game = play(album)
    game.trial()
    with pytest.raises(EvaluationError, match="belong to your strict test"):
        game.play(2)
    save_album(tmp_path / "larger", NEEDED + 3)
    game = play(tmp_path / "larger")
    game.trial()
    assert game.test is not None
    tested = {one.digest for one in game.test.photos}
    for _ in range(3):
        trial = game.play(2)
        assert trial.photo.digest not in tested
        game.answer(trial.token, 0)
