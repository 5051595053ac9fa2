"""One player's game: which picture comes next, what was answered, and the score.

Free play shows each answer's outcome. The strict test is that of the literature: two pictures, each
for one second; 10 practice trials with feedback, then 40 without, each of another photo. Until it
is finished, its answers are known to the game alone: whatever told of them would be feedback.

Reference: Zhang, Isola & Efros 2016 (Colorful Image Colorization).
"""

from __future__ import annotations

import datetime
import random
import secrets
import shutil
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path

from colorflow.errors import ColorflowError, EvaluationError, PhotoError
from colorflow.quiz.deck import Deck, Picture, open_deck
from colorflow.quiz.fooling import Answers
from colorflow.quiz.rounds import (
    MOST,
    TEMPERATURE,
    Candidates,
    QuizColorizer,
    Round,
    RoundMaker,
    make_round,
)
from colorflow.quiz.store import Answer, AnswerStore, Kind, Mode, counts, default_path
from colorflow.quiz.voters import Voters

PRACTICE, TRIALS = 10, 40
"""Trials of the strict test with feedback and without."""
NEEDED = PRACTICE + TRIALS
"""Distinct photos."""
APART = 30
"""Rounds of free play with other photos before a photo comes again."""

_CHANCE = random.SystemRandom()
_ATTEMPTS = 20
"""Pictures that are tried before giving up, when files go away under the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiz:
    """What all players share."""

    deck: Deck
    maker: RoundMaker
    store: AnswerStore
    voters: Voters = field(default_factory=Voters)


def open_quiz(colorizer: QuizColorizer, photos: Path | None, answers: Path | None) -> Quiz:
    """Get ready to play.

    Args:
        colorizer: what draws.
        photos: folder of color photos; None for those of the installed packages.
        answers: file of the answers, made at once so that the reason why it cannot be is told
            before anybody plays; None for that in the user's data folder, made with the first one.

    Raises:
        ColorflowError: if there is no such folder or no photo in it, or no place for answers.
    """
    store = AnswerStore(answers or default_path())
    if answers:
        store.check()
    return Quiz(deck=open_deck(photos), maker=RoundMaker(colorizer), store=store)


@dataclass(slots=True)
class Score:
    """Of free play."""

    rounds: int = 0
    right: int = 0
    streak: int = 0
    best: int = 0

    def count(self, *, right: bool) -> None:
        """One more round."""
        self.rounds += 1
        self.right += right
        self.streak = self.streak + 1 if right else 0
        self.best = max(self.best, self.streak)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one answer."""

    mode: Mode
    round: Round
    chosen: int
    problem: ColorflowError | None
    """Why the answer is not kept in the store, though it counts in this game."""

    @property
    def right(self) -> bool:
        """Whether the true picture was chosen."""
        return self.chosen == self.round.truth


class StrictTest:
    """A strict test under way.

    Args:
        pictures: NEEDED ones of distinct photos.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures
        self.number = 0
        """Of the trial that is shown, from 1."""
        self.given: list[Answer] = []
        """Those of the trials without feedback."""

    @property
    def mode(self) -> Mode:
        """Of the trial that is shown."""
        return "practice" if self.number <= PRACTICE else "test"

    @property
    def finished(self) -> bool:
        """Whether the last trial has been answered."""
        return self.number > NEEDED

    @property
    def answers(self) -> Answers:
        """Those that count, once it is finished: given after looking, and before long."""
        wrong = [one.chosen != one.truth for one in self.given if counts("test", one.milliseconds)]
        return Answers(sum(wrong), len(wrong))


@dataclass(slots=True)
class _Track:
    """One of the two ways to play, each with its own round.

    No round is drawn before it is asked for: it would take memory as long as its player idles.
    """

    round: Round | None = None
    shown_at: float = 0.0


class Game:
    """What the server knows of one player. Methods may run at the same time in several threads.

    Args:
        quiz: shared by all.
        root: folder in which the game makes its own.
        visitor: who plays, as `Voters.name` takes it.

    Raises:
        EvaluationError: if it cannot.
    """

    def __init__(self, quiz: Quiz, root: Path, visitor: str) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="quiz-", dir=root))
        except OSError as error:
            raise EvaluationError(
                f"Nothing can be stored on the server ({error.strerror})."
            ) from error
        """Gone when the game is closed."""
        self.player = quiz.voters.name(visitor)
        self.score = Score()
        self.test: StrictTest | None = None
        self.tallies: dict[Kind, Answers] = {}
        """Answers of this game that count towards a fooling rate, as `AnswerStore.tallies`."""
        self._quiz = quiz
        self._deck = quiz.deck
        self._answered: set[str] = set()
        self._recent: deque[Picture] = deque(maxlen=APART)
        """Shown last in free play."""
        # How often each photo was shown.
        self._shown: Counter[str] = Counter()
        self._play, self._strict = _Track(), _Track()
        self._lock = threading.Lock()

    @property
    def seen(self) -> frozenset[str]:
        """Photos that have been shown, by their digests."""
        return frozenset(self._shown)

    def play(self, k: int) -> Round:
        """The round of free play that waits for an answer, or the next one.

        Args:
            k: pictures of the next one; one that waits has as many as it has.

        Raises:
            ColorflowError: if there is no photo to show.
        """
        with self._lock:
            track = self._play
            if track.round is None:
                candidates = self._candidates()
                self._show(track, candidates, k)
                self._recent.append(candidates.picture)
            assert track.round is not None
            return track.round

    def trial(self) -> Round | None:
        """The trial of the strict test that waits for an answer, or the next one.

        Returns:
            None once the test is finished.

        Raises:
            ColorflowError: if there are too few photos, or one has gone.
        """
        with self._lock:
            test, track = self.test, self._strict
            if test is None:
                test = self.test = StrictTest(self._for_test())
            if track.round is None and not test.finished:
                if test.number == NEEDED:
                    test.number += 1
                    return None
                candidates = self._quiz.maker.ask_for(test.pictures[test.number], 1).result()
                test.number += 1
                self._show(track, candidates, 2)
            return track.round

    def answer(self, token: str, chosen: int) -> Outcome | None:
        """Answer a round that is shown; each counts once.

        Args:
            token: `Round.token`.
            chosen: place of the picture, from 0.

        Returns:
            None if no such round waits for an answer, or it has no such picture.
        """
        with self._lock:
            track = next((one for one in (self._play, self._strict) if _waits(one, token)), None)
            if track is None or track.round is None or chosen not in range(track.round.k):
                return None
            round_, track.round = track.round, None
            milliseconds = round(1000 * (time.monotonic() - track.shown_at))
            mode: Mode = "play"
            if track is self._play:
                self.score.count(right=chosen == round_.truth)
            elif self.test is not None:
                mode = self.test.mode
            answers = self._settled(self._row(round_, chosen, milliseconds, mode))
            self._count(answers)
        return Outcome(mode=mode, round=round_, chosen=chosen, problem=self._keep(answers))

    def play_with(self, own: Deck | None) -> None:
        """Begin anew with photos of the player's own, or with everybody's.

        Whoever brought the photos knows them: answers to them count in the score alone.

        Args:
            own: a deck that has been looked through; None for everybody's.
        """
        with self._lock:
            self._deck = own or self._quiz.deck
            self._play, self._strict, self.test = _Track(), _Track(), None
            self._recent.clear()

    def lacking(self) -> str | None:
        """Why this player cannot take the strict test, as a sentence; None if nothing lacks."""
        complete = self._deck.complete
        photos = {picture.photo for picture in self._deck.pictures}
        unseen = len(photos - self.seen)
        if len(photos) < NEEDED:
            needs = f"The strict test needs {NEEDED} distinct color photos."
            if not complete:
                return (
                    f"{needs} {len(photos)} are found by now; the others are being looked through."
                )
            return (
                f"{needs} Here are {len(photos)}, so {NEEDED - len(photos)} are lacking. "
                "Start the page with --photos and a folder that holds enough."
            )
        if unseen < TRIALS:
            return (
                f"The strict test needs {TRIALS} photos that you have not seen yet. Of the "
                f"{len(photos)} here you have seen {len(photos) - unseen}, so "
                f"{TRIALS - unseen} are lacking."
            )
        return None

    def forget_test(self) -> None:
        """Make room for another strict test."""
        with self._lock:
            self.test, self._strict = None, _Track()

    def close(self) -> None:
        """Delete everything, without waiting for what is being drawn."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _candidates(self) -> Candidates:
        """Those of a chosen picture; others if its file has gone."""
        problem: PhotoError | CancelledError | None = None
        for _ in range(_ATTEMPTS):
            picture = self._choose()
            try:
                return self._quiz.maker.ask_for(picture, MOST - 1).result()
            except (PhotoError, CancelledError) as error:
                problem = error
                self._shown[picture.photo] += 1  # the others first
        raise EvaluationError("The quiz finds none of its photos any more.") from problem

    def _choose(self) -> Picture:
        """A picture for free play; waits for those that the deck has yet to find."""
        pictures: tuple[Picture, ...] = ()
        while len(found := self._deck.wait_for_more(len(pictures))) > len(pictures):
            pictures = found
            if free := self._free(pictures):
                return self._least_shown(free)
        if not pictures:
            raise EvaluationError(
                "There is no photo to play with: the quiz needs photos that can be read and have "
                "colors. Start the page with --photos and a folder of such."
            )
        if self._tested:
            raise EvaluationError(
                "All photos that could be shown now belong to your strict test, which gives no "
                "feedback. Finish it before you go on with free play."
            )
        raise EvaluationError(
            f"You have seen all {len(pictures)} photos, and none comes again before {APART} others "
            "have been shown. Add color photos of your own."
        )

    def _free(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Those that were not shown lately and belong to no strict test under way."""
        return [one for one in pictures if one not in self._recent and one not in self._tested]

    @property
    def _tested(self) -> Sequence[Picture]:
        return self.test.pictures if self.test and not self.test.finished else ()

    def _least_shown(self, pictures: Sequence[Picture]) -> Picture:
        return min(pictures, key=lambda one: (self._shown[one.photo], _CHANCE.random()))

    def _for_test(self) -> list[Picture]:
        """Photos of a strict test: those that the player knows are for practice."""
        lacking = self.lacking()
        if lacking:
            raise EvaluationError(lacking)
        pictures = list(self._deck.pictures)
        _CHANCE.shuffle(pictures)
        unseen = [one for one in pictures if one.photo not in self.seen]
        practice = [one for one in pictures if one.photo in self.seen][:PRACTICE]
        practice += unseen[TRIALS : NEEDED - len(practice)]
        return practice + unseen[:TRIALS]

    def _show(self, track: _Track, candidates: Candidates, k: int) -> None:
        before = set(self.folder.glob("*.png"))
        track.round = make_round(candidates, k, self.folder)
        track.shown_at = time.monotonic()
        self._shown[candidates.picture.photo] += 1
        waiting = {one.round.sheet for one in (self._play, self._strict) if one.round}
        for sheet in before - waiting:
            sheet.unlink(missing_ok=True)

    def _row(self, round_: Round, chosen: int, milliseconds: int, mode: Mode) -> Answer:
        now = datetime.datetime.now(datetime.UTC)
        return Answer(
            player=self.player,
            picture=round_.picture.photo,
            weights=self._quiz.maker.weights,
            seed=round_.seed,
            temperature=TEMPERATURE,
            k=round_.k,
            truth=round_.truth,
            chosen=chosen,
            milliseconds=milliseconds,
            mode=mode,
            time=now.isoformat(timespec="milliseconds"),
        )

    def _settled(self, answer: Answer) -> list[Answer]:
        """Answers to be kept now: of a strict test all at its end, and none to own photos."""
        settled = [answer]
        if self.test and answer.mode == "test":
            self.test.given.append(answer)
            settled = self.test.given if len(self.test.given) == TRIALS else []
        return settled if self._deck is self._quiz.deck else []

    def _count(self, answers: Sequence[Answer]) -> None:
        """Of each photo the first answer counts, if it does, and none in practice."""
        for answer in answers:
            if answer.picture not in self._answered and counts(answer.mode, answer.milliseconds):
                kind = Kind(answer.mode, answer.k)
                before = self.tallies.get(kind, Answers(0, 0))
                wrong = before.wrong + (answer.chosen != answer.truth)
                self.tallies[kind] = Answers(wrong, before.answered + 1)
            self._answered.add(answer.picture)

    def _keep(self, answers: Sequence[Answer]) -> ColorflowError | None:
        if answers:
            try:
                self._quiz.store.add(*answers)
            except EvaluationError as error:
                return error
        return None


def _waits(track: _Track, token: str) -> bool:
    return track.round is not None and secrets.compare_digest(
        track.round.token.encode(), token.encode()
    )
