"""One player's game: which photos are shown, what an answer comes to, and which answers count."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from colorflow.errors import EvaluationError
from colorflow.quiz import game as game_module
from colorflow.quiz.game import Game, Outcome, Quiz, open_quiz
from colorflow.quiz.statistics import Tally
from colorflow.quiz.store import AnswerStore, Mode
from colorflow.quiz.trials import Trial, open_pool
from tests.quiz.album import TRIALS, Painter, damage_answers, scanned, stored_answers, wrong


def kept(tmp_path: Path) -> list[dict[str, Any]]:
    return stored_answers(tmp_path / "quiz.sqlite")


def tallies(tmp_path: Path) -> dict[int, dict[str, Tally]]:
    return AnswerStore(tmp_path / "quiz.sqlite").tallies("painter")


def answered(game: Game, *, right: bool, mode: Mode = "play", k: int = 2) -> tuple[Trial, Outcome]:
    """The next trial, and the outcome of an answer."""
    trial = game.trial(mode, k)
    outcome = game.answer(trial.token, trial.truth if right else wrong(trial))
    assert outcome is not None
    return trial, outcome


# both ways to play


def test_an_answer_counts_once_and_is_kept(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    first = game.trial("play", 3)
    assert game.trial("play", 5) is first, "it waits for its answer"
    for token, chosen in (("another", first.truth), (first.token, 3), (first.token, -1), ("é", 0)):
        assert game.answer(token, chosen) is None
    outcome = game.answer(first.token, first.truth)
    assert outcome is not None
    assert (outcome.right, outcome.mode) == (True, "play")
    assert outcome.test is outcome.problem is None
    for chosen in range(3):
        assert game.answer(first.token, chosen) is None
    second, outcome = answered(game, right=False)
    assert not outcome.right
    score = game.score
    assert (score.answered, score.right, score.streak, score.best) == (2, 1, 0, 1)
    assert score.guessed == pytest.approx(1 / 3 + 1 / 2)
    answers = ((first, True, 10_000), (second, False, 10_000))
    for row, (trial, right, milliseconds) in zip(kept(tmp_path), answers, strict=True):
        assert row["player"] == game.player
        assert row["picture"] == trial.photo.digest
        assert (row["weights"], row["mode"], row["temperature"]) == ("painter", "play", 1.0)
        assert (row["seed"], row["k"], row["truth"]) == (trial.seed, trial.k, trial.truth)
        assert (row["chosen"] == row["truth"]) == right
        assert row["milliseconds"] == milliseconds
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", row["time"])


def test_many_answers_at_the_same_time_count_once(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    trial = game.trial("play", 2)
    gate = threading.Barrier(8)

    def answer(_: int) -> bool:
        gate.wait()
        return game.answer(trial.token, trial.truth) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(answer, range(8))) == 1
    assert (game.score.answered, len(kept(tmp_path))) == (1, 1)


def test_each_photo_comes_once(play: Callable[[Path], Game], few: Path) -> None:
    game = play(few)
    assert len({answered(game, right=True)[0].photo for _ in range(4)}) == 4
    for _ in range(2):
        with pytest.raises(EvaluationError, match=r"seen all 4 photos.*Add color photos"):
            game.trial("play", 2)


def test_own_photos_count_in_the_score_alone(
    play: Callable[[Path], Game],
    few: Path,
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(game_module, "TRIALS", TRIALS - 1)  # one photo of the album is known
    game = play(few)
    before = game.trial("play", 2)
    own = scanned(open_pool(album))
    game.play_with(own)
    assert game.answer(before.token, 0) is None
    for mode in ("test", "play"):
        assert answered(game, right=True, mode=mode)[0].photo in own.photos
    assert (game.score.right, game.tested, kept(tmp_path)) == (1, 1, [])
    game.play_with(None)
    assert game.tested == 0
    answered(game, right=True)
    assert len(kept(tmp_path)) == 1


def test_photos_that_went_away_are_passed_over(play: Callable[[Path], Game], few: Path) -> None:
    game = play(few)
    kept, *others = few.iterdir()
    for path in others:
        path.unlink()
    assert game.trial("play", 2).photo.path == kept


def test_gray_photos_alone_are_one_sentence(play: Callable[[Path], Game], tmp_path: Path) -> None:
    (tmp_path / "gray").mkdir()
    Image.fromarray(data.camera()[:64, :64]).save(tmp_path / "gray" / "gray.png")
    with pytest.raises(EvaluationError, match="There is no photo to play with"):
        play(tmp_path / "gray").trial("play", 2)


def test_answers_that_cannot_be_kept_count_in_the_game(
    play: Callable[[Path], Game], few: Path, tmp_path: Path
) -> None:
    game = play(few)
    game.trial("play", 2)
    damage_answers(tmp_path / "quiz.sqlite")
    assert "quiz.sqlite" in str(answered(game, right=True)[1].problem)
    assert game.score.right == 1
    with pytest.raises(EvaluationError, match="--quiz-db"):
        open_quiz(Painter(12), few, tmp_path)  # type: ignore[arg-type]


# the test


def test_the_result_of_a_test_is_told_at_its_end(
    play: Callable[[Path], Game], album: Path, tmp_path: Path
) -> None:
    """Before that nothing tells of it: neither the score nor everybody's results nor the file."""
    game = play(album)
    digests = set()
    for number in range(1, TRIALS + 1):
        assert (game.score.answered, game.tested) == (0, number - 1)
        assert not kept(tmp_path)
        trial, outcome = answered(game, right=number > 3, mode="test", k=5)
        assert (outcome.mode, trial.k) == ("test", 2)
        assert outcome.test == (Tally(3, TRIALS) if number == TRIALS else None)
        digests.add(trial.photo.digest)
    assert len(digests) == TRIALS
    assert {row["mode"] for row in kept(tmp_path)} == {"test"}
    assert tallies(tmp_path) == {2: {game.player: Tally(3, TRIALS)}}
    assert (game.score.right, game.score.answered, game.tested) == (TRIALS - 3, TRIALS, 0)
    with pytest.raises(EvaluationError, match="0 are here, so 8 are missing"):
        game.trial("test", 2)


def test_only_photos_that_were_not_seen_are_in_a_test(
    play: Callable[[Path], Game], album: Path, few: Path
) -> None:
    game = play(album)
    trials = [answered(game, right=True, mode="test")[0] for _ in range(3)]
    waiting = game.trial("test", 2)
    trials += [answered(game, right=True)[0] for _ in range(2)]
    assert game.trial("test", 2) is waiting
    assert len({trial.photo for trial in (*trials, waiting)}) == 6
    game.answer(waiting.token, 0)
    assert game.missing_for_test() == (
        "The test needs 8 color photos that you have not seen: 2 are here, so 2 are missing. Add "
        "color photos of your own, or start the page with --photos and a folder that holds enough."
    )
    assert "4 are here, so 4 are missing" in str(play(few).missing_for_test())


# who counts


def test_a_visitor_has_one_vote_a_photo_however_many_games(
    play: Callable[..., Game], few: Path, tmp_path: Path
) -> None:
    """It is the first; all games of the visitor, on the page and by programs, are one player."""
    first: dict[str, bool] = {}
    for number in range(12):
        game = play(few)
        photo = answered(game, right=number % 3 > 0, k=3)[0].photo.digest
        first.setdefault(photo, number % 3 > 0)
    other = play(few, "203.0.113.2")
    trial = game.trial("play", 3)
    assert other.answer(trial.token, trial.truth) is None, "it is another player's"
    answered(other, right=True, k=3)
    own = Tally(sum(not right for right in first.values()), len(first))
    assert tallies(tmp_path) == {3: {game.player: own, other.player: Tally(0, 1)}}


def test_a_visitor_s_name_stays_and_leads_nowhere(play: Callable[..., Game], few: Path) -> None:
    quiz = play(few)._quiz
    names = {quiz.pseudonym(one) for one in ("address 198.51.100.8", "account b", "a", "a")}
    assert len(names) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names)
    other = Quiz(pool=quiz.pool, colorizer=quiz.colorizer, store=quiz.store)
    assert other.pseudonym("a") != quiz.pseudonym("a"), "names are worth nothing without the key"
