"""The quiz of the page, and one player's game in it.

There are two ways to play. Free play tells after each answer which picture is true. The test has
`TRIALS` trials of two pictures, and tells its result at the end. Until then only the game knows its
answers: whatever else revealed them would be feedback. Each photo comes once.

Two-alternative forced choice, as in Zhang, Isola & Efros 2016 (Colorful Image Colorization); there
pictures are shown for one second, here until the answer.
"""

from __future__ import annotations

import datetime
import secrets
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.errors import (
    ColorflowError,
    EvaluationError,
    PhotoTooLargeError,
    UnreadablePhotoError,
)
from colorflow.quiz.statistics import Tally
from colorflow.quiz.store import AnswerRow, AnswerStore, Mode, default_path
from colorflow.quiz.trials import (
    MIN_PICTURES,
    TEMPERATURE,
    PhotoPool,
    QuizPhoto,
    Trial,
    make_trial,
    open_pool,
)

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

TRIALS = 40
"""Trials of a test, as in the literature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiz:
    """What all players share."""

    pool: PhotoPool
    colorizer: Colorizer
    store: AnswerStore
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def pseudonym(self, visitor: str) -> str:
        """The name under which a visitor's answers are stored: 16 hexadecimal digits.

        It leads back to no address, not even for whoever has the file: the key is random and stored
        nowhere.
        """
        return blake2b(visitor.encode(), key=self._key, digest_size=8).hexdigest()


def open_quiz(colorizer: Colorizer, photos: Path | None, answers: Path | None) -> Quiz:
    """Prepare the quiz.

    Args:
        colorizer: samples the colors.
        photos: folder of color photos; None for the shipped ones.
        answers: file of the answers. It is made at once, so that problems are reported before
            anybody plays. None for the one in the user's data folder, made with the first answer.

    Raises:
        ColorflowError: there is no such folder or no photo in it, or answers cannot be stored.
    """
    store = AnswerStore(answers or default_path())
    if answers:
        store.check()
    return Quiz(pool=open_pool(photos), colorizer=colorizer, store=store)


@dataclass(slots=True)
class Score:
    """The score of a game: answers, right ones, and streaks of these."""

    answered: int = 0
    right: int = 0
    streak: int = 0
    best: int = 0
    guessed: float = 0.0
    """Right answers that guessing gives on average."""

    def count(self, answer: AnswerRow) -> None:
        """Count one more answer."""
        self.answered += 1
        self.right += answer.right
        self.streak = self.streak + 1 if answer.right else 0
        self.best = max(self.best, self.streak)
        self.guessed += 1 / answer.k


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one answer."""

    mode: Mode
    trial: Trial
    chosen: int
    test: Tally | None
    """Result of the test that ends with this answer: of all that came neither too soon nor too late
    to count."""
    problem: ColorflowError | None
    """Why the answer could not be stored, although it counts in this game."""

    @property
    def right(self) -> bool:
        """Whether the true picture was chosen."""
        return self.chosen == self.trial.truth


class Game:
    """One player's game. Thread-safe.

    Args:
        quiz: shared by all players.
        root: folder for the game's own folder, which `close` deletes.
        visitor: whatever identifies the visitor; answers are stored under a pseudonym.

    Raises:
        EvaluationError: the folder cannot be made.
    """

    def __init__(self, quiz: Quiz, root: Path, visitor: str) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="quiz-", dir=root))
        except OSError as error:
            raise EvaluationError(
                f"Nothing can be stored on the server ({error.strerror})."
            ) from error
        self.player = quiz.pseudonym(visitor)
        self.score = Score()
        self._quiz = quiz
        self._pool = quiz.pool
        self._seen: set[QuizPhoto] = set()
        self._waiting: dict[Mode, tuple[Trial, float]] = {}
        """Trials that wait for an answer, and since when. None is made before it is requested: it
        would take memory as long as its player is idle."""
        self._test: list[AnswerRow] = []
        """Answers to the test under way."""
        self._lock = threading.Lock()

    @property
    def tested(self) -> int:
        """Number of answers to the test under way."""
        return len(self._test)

    def trial(self, mode: Mode, k: int) -> Trial:
        """The trial that waits for an answer in this way to play, or a new one.

        Args:
            mode: the way to play.
            k: number of pictures of a new trial of free play.

        Raises:
            ColorflowError: there is no photo to show.
        """
        with self._lock:
            if mode not in self._waiting:
                old = set(self.folder.glob("*.png"))
                trial = self._make(mode, k if mode == "play" else MIN_PICTURES)
                self._waiting[mode] = trial, time.monotonic()
                for sheet in old - {trial.sheet for trial, _ in self._waiting.values()}:
                    sheet.unlink(missing_ok=True)
            return self._waiting[mode][0]

    def answer(self, token: str, chosen: int) -> Outcome | None:
        """Answer a trial; each counts once.

        Args:
            token: `Trial.token`.
            chosen: position of the picture, from 0.

        Returns:
            None if no such trial waits for an answer, or it has no such picture.
        """
        with self._lock:
            waiting = [mode for mode, (one, _) in self._waiting.items() if one.token == token]
            if not waiting or chosen not in range(self._waiting[waiting[0]][0].k):
                return None
            (mode,) = waiting
            trial, shown_at = self._waiting.pop(mode)
            row = self._row(mode, trial, chosen, round(1000 * (time.monotonic() - shown_at)))
            settled, result, problem = [row], None, None
            if mode == "test":
                self._test.append(row)
                settled = []
                if self.tested == TRIALS:
                    settled, self._test = self._test, []
                    in_time = [one for one in settled if one.in_time]
                    result = Tally(sum(not one.right for one in in_time), len(in_time))
            for one in settled:
                self.score.count(one)
            is_kept = self._pool is self._quiz.pool
        try:
            if settled and is_kept:
                self._quiz.store.add(*settled)
        except EvaluationError as error:
            problem = error
        return Outcome(mode=mode, trial=trial, chosen=chosen, test=result, problem=problem)

    def play_with(self, own: PhotoPool | None) -> None:
        """Start again with photos of the player's own, or with everybody's.

        Players know their own photos, so answers to them count in the score alone.

        Args:
            own: a pool that has been scanned; None for everybody's.
        """
        with self._lock:
            self._pool = own or self._quiz.pool
            self._waiting, self._test = {}, []
            self._seen.clear()

    def missing_for_test(self) -> str | None:
        """Explain why this player cannot take, or go on with, the test; None if it is possible."""
        unseen = len(set(self._pool.photos) - self._seen)
        missing = TRIALS - self.tested - unseen
        if missing <= 0:
            return None
        found = "are found by now" if not self._pool.complete else "are here"
        return (
            f"The test needs {TRIALS} color photos that you have not seen: {unseen} {found}, so "
            f"{missing} are missing. Add color photos of your own, or start the page with --photos "
            "and a folder that holds enough."
        )

    def close(self) -> None:
        """Delete the game's files, without waiting for a trial that is being made."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self, mode: Mode, k: int) -> Trial:
        """Make a trial, of another photo if the file of one has been deleted."""
        while True:
            if mode == "test" and (missing := self.missing_for_test()):
                raise EvaluationError(missing)
            photo = self._choose()
            self._seen.add(photo)
            try:
                return make_trial(self._quiz.colorizer, photo, k, self.folder)
            except (UnreadablePhotoError, PhotoTooLargeError):
                continue

    def _choose(self) -> QuizPhoto:
        """Choose a photo at random that the player has not seen; waits while there may be more.

        Raises:
            EvaluationError: there is none.
        """
        photos: tuple[QuizPhoto, ...] = ()
        while len(found := self._pool.wait_for_more(len(photos))) > len(photos):
            photos = found
            if unseen := [one for one in photos if one not in self._seen]:
                return secrets.choice(unseen)
        if not photos:
            raise EvaluationError(
                "There is no photo to play with: the quiz needs photos that can be read and have "
                "colors. Start the page with --photos and a folder of such."
            )
        raise EvaluationError(
            f"You have seen all {len(photos)} photos that are here. Add color photos of your own."
        )

    def _row(self, mode: Mode, trial: Trial, chosen: int, milliseconds: int) -> AnswerRow:
        return AnswerRow(
            player=self.player,
            picture=trial.photo.digest,
            weights=self._quiz.colorizer.digest,
            seed=trial.seed,
            temperature=TEMPERATURE,
            k=trial.k,
            truth=trial.truth,
            chosen=chosen,
            milliseconds=milliseconds,
            mode=mode,
            time=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        )
