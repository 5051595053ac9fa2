"""The quiz of the page, and one player's game in it: free play and the strict test."""

from __future__ import annotations

import datetime
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.errors import (
    ColorflowError,
    EvaluationError,
    PhotoError,
    PhotoTooLargeError,
    UnreadablePhotoError,
)
from colorflow.quiz.free_play import APART, FreePlayScore, choose_photo
from colorflow.quiz.photos import PhotoPool, QuizPhoto, open_pool
from colorflow.quiz.statistics import Tally
from colorflow.quiz.store import (
    AnswerRow,
    AnswerStore,
    GameKind,
    Mode,
    Pseudonyms,
    counts,
    default_path,
)
from colorflow.quiz.strict_test import (
    NEEDED,
    TRIALS,
    StrictTest,
    choose_test_photos,
    missing_photos,
)
from colorflow.quiz.trials import (
    TEMPERATURE,
    Trial,
    make_trial,
)

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

_ATTEMPTS = 20
"""Photos to try before giving up, when files are deleted under the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiz:
    """What all players share."""

    pool: PhotoPool
    colorizer: Colorizer
    store: AnswerStore
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)


def open_quiz(colorizer: Colorizer, photos: Path | None, answers: Path | None) -> Quiz:
    """Prepare the quiz.

    Args:
        colorizer: samples the colors.
        photos: folder of color photos; None for those of the installed packages.
        answers: file of the answers. It is made at once, so that problems are reported before
            anybody plays. None for the one in the user's data folder, made with the first answer.

    Raises:
        ColorflowError: there is no such folder or no photo in it, or answers cannot be stored.
    """
    store = AnswerStore(answers or default_path())
    if answers:
        store.check()
    return Quiz(pool=open_pool(photos), colorizer=colorizer, store=store)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one answer."""

    mode: Mode
    trial: Trial
    chosen: int
    problem: ColorflowError | None
    """Why the answer could not be stored, although it counts in this game."""

    @property
    def right(self) -> bool:
        """Whether the true picture was chosen."""
        return self.chosen == self.trial.truth


@dataclass(slots=True)
class _Current:
    """The trial that waits for an answer, in free play or in the strict test.

    No trial is made before it is requested: it would take memory as long as its player is idle.
    """

    trial: Trial | None = None
    shown_at: float = 0.0

    def has(self, token: str) -> bool:
        return self.trial is not None and secrets.compare_digest(
            self.trial.token.encode(), token.encode()
        )


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
        self.player = quiz.pseudonyms.name(visitor)
        self.score = FreePlayScore()
        self.test: StrictTest | None = None
        self.tallies: dict[GameKind, Tally] = {}
        """Answers of this game that count, by the rules of `AnswerStore.tallies`."""
        self._quiz = quiz
        self._pool = quiz.pool
        self._answered: set[str] = set()
        self._recent: deque[QuizPhoto] = deque(maxlen=APART)
        self._shown: Counter[str] = Counter()
        """How often each photo was shown, by digest."""
        self._play, self._strict = _Current(), _Current()
        self._lock = threading.Lock()

    def play(self, k: int) -> Trial:
        """The trial of free play that waits for an answer, or a new one.

        Args:
            k: number of pictures of a new trial.

        Raises:
            ColorflowError: there is no photo to show.
        """
        with self._lock:
            if self._play.trial is not None:
                return self._play.trial
            trial = self._make_free_trial(k)
            self._recent.append(trial.photo)
            return trial

    def trial(self) -> Trial | None:
        """The trial of the strict test that waits for an answer, or the next one.

        Returns:
            None once the test is finished.

        Raises:
            ColorflowError: there are too few photos, or one has been deleted.
        """
        with self._lock:
            test = self.test
            if test is None:
                test = self.test = StrictTest(choose_test_photos(self._pool, self._shown))
            if self._strict.trial is not None or test.finished:
                return self._strict.trial
            if test.number == NEEDED:
                test.number += 1
                return None
            trial = self._make(self._strict, test.photos[test.number], 2)
            test.number += 1
            return trial

    def answer(self, token: str, chosen: int) -> Outcome | None:
        """Answer a current trial; each counts once.

        Args:
            token: `Trial.token`.
            chosen: position of the picture, from 0.

        Returns:
            None if no such trial waits for an answer, or it has no such picture.
        """
        with self._lock:
            current = self._play if self._play.has(token) else self._strict
            trial = current.trial
            if trial is None or not current.has(token) or chosen not in range(trial.k):
                return None
            current.trial = None
            milliseconds = round(1000 * (time.monotonic() - current.shown_at))
            mode: Mode = "play"
            if current is self._play:
                self.score.count(right=chosen == trial.truth)
            elif self.test is not None:
                mode = self.test.mode
            settled = self._settled(self._row(trial, chosen, milliseconds, mode))
            for row in settled:
                self._count(row)
        return Outcome(mode=mode, trial=trial, chosen=chosen, problem=self._store(settled))

    def play_with(self, own: PhotoPool | None) -> None:
        """Start again with photos of the player's own, or with everybody's.

        Players know their own photos, so answers to them count in the score alone.

        Args:
            own: a pool that has been scanned; None for everybody's.
        """
        with self._lock:
            self._pool = own or self._quiz.pool
            self._play, self._strict, self.test = _Current(), _Current(), None
            self._recent.clear()

    def missing_for_test(self) -> str | None:
        """Explain why this player cannot take the strict test; None if nothing is missing."""
        return missing_photos(self._pool, self._shown)

    def forget_test(self) -> None:
        """Drop the strict test, so that another one can begin."""
        with self._lock:
            self.test, self._strict = None, _Current()

    def close(self) -> None:
        """Delete the game's files, without waiting for a trial that is being made."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_free_trial(self, k: int) -> Trial:
        """Make a trial of free play, of another photo if the file of one has been deleted."""
        tested = self.test.photos if self.test and not self.test.finished else ()
        problem: PhotoError | None = None
        for _ in range(_ATTEMPTS):
            photo = choose_photo(self._pool, self._shown, self._recent, tested)
            try:
                return self._make(self._play, photo, k)
            except (UnreadablePhotoError, PhotoTooLargeError) as error:
                problem = error
                self._shown[photo.digest] += 1  # try the others first
        raise EvaluationError("The quiz finds none of its photos any more.") from problem

    def _make(self, current: _Current, photo: QuizPhoto, k: int) -> Trial:
        """Make a trial, and delete the sheets of those that have been answered."""
        before = set(self.folder.glob("*.png"))
        trial = current.trial = make_trial(self._quiz.colorizer, photo, k, self.folder)
        current.shown_at = time.monotonic()
        self._shown[photo.digest] += 1
        waiting = {one.trial.sheet for one in (self._play, self._strict) if one.trial}
        for sheet in before - waiting:
            sheet.unlink(missing_ok=True)
        return trial

    def _row(self, trial: Trial, chosen: int, milliseconds: int, mode: Mode) -> AnswerRow:
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

    def _settled(self, row: AnswerRow) -> Sequence[AnswerRow]:
        """Answers to count and store now: those of a strict test at its end, none to own photos."""
        settled = [row]
        if self.test and row.mode == "test":
            self.test.answers.append(row)
            settled = self.test.answers if len(self.test.answers) == TRIALS else []
        return settled if self._pool is self._quiz.pool else []

    def _count(self, row: AnswerRow) -> None:
        """Count the first answer to each photo, if it counts at all."""
        if row.picture not in self._answered and counts(row.mode, row.milliseconds):
            kind = GameKind(row.mode, row.k)
            before = self.tallies.get(kind, Tally(0, 0))
            wrong = before.wrong + (row.chosen != row.truth)
            self.tallies[kind] = Tally(wrong, before.answered + 1)
        self._answered.add(row.picture)

    def _store(self, rows: Sequence[AnswerRow]) -> ColorflowError | None:
        try:
            if rows:
                self._quiz.store.add(*rows)
        except EvaluationError as error:
            return error
        return None
