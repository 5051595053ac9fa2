"""The strict test, as in the literature: two pictures, one second each.

10 practice trials with feedback are followed by 40 without, each of another photo. Until the test
is finished, only the game knows its answers: whatever else revealed them would be feedback.

Reference: Zhang, Isola & Efros 2016 (Colorful Image Colorization).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from colorflow.errors import EvaluationError
from colorflow.quiz.photos import PhotoPool, QuizPhoto
from colorflow.quiz.statistics import Tally
from colorflow.quiz.store import AnswerRow, Mode, counts

PRACTICE, TRIALS = 10, 40
"""Trials with feedback and without."""
NEEDED = PRACTICE + TRIALS
"""Distinct photos of a test."""

_RANDOM = random.SystemRandom()


class StrictTest:
    """A strict test under way.

    Args:
        photos: NEEDED distinct ones.
    """

    def __init__(self, photos: Sequence[QuizPhoto]) -> None:
        self.photos = photos
        self.number = 0
        """Number of the current trial, from 1."""
        self.answers: list[AnswerRow] = []
        """Answers to the trials without feedback."""

    @property
    def mode(self) -> Mode:
        """Mode of the current trial."""
        return "practice" if self.number <= PRACTICE else "test"

    @property
    def finished(self) -> bool:
        """Whether the last trial has been answered."""
        return self.number > NEEDED

    @property
    def tally(self) -> Tally:
        """Answers that count: neither before the pictures were shown nor after a long break."""
        wrong = [
            one.chosen != one.truth for one in self.answers if counts("test", one.milliseconds)
        ]
        return Tally(sum(wrong), len(wrong))


def missing_photos(pool: PhotoPool, seen: Collection[str]) -> str | None:
    """Explain why a player cannot take the test; None if there are enough photos.

    Args:
        pool: the photos.
        seen: digests of the photos that the player has seen.
    """
    complete = pool.complete
    photos = {photo.digest for photo in pool.photos}
    unseen = len(photos.difference(seen))
    if len(photos) < NEEDED:
        needs = f"The strict test needs {NEEDED} distinct color photos."
        if not complete:
            return f"{needs} {len(photos)} are found by now; the others are being looked through."
        return (
            f"{needs} Here are {len(photos)}, so {NEEDED - len(photos)} are missing. "
            "Start the page with --photos and a folder that holds enough."
        )
    if unseen < TRIALS:
        return (
            f"The strict test needs {TRIALS} photos that you have not seen yet. Of the "
            f"{len(photos)} here you have seen {len(photos) - unseen}, so "
            f"{TRIALS - unseen} are missing."
        )
    return None


def choose_test_photos(pool: PhotoPool, seen: Collection[str]) -> list[QuizPhoto]:
    """Photos for a test in random order. Photos that the player knows are used for practice.

    Raises:
        EvaluationError: there are too few.
    """
    if missing := missing_photos(pool, seen):
        raise EvaluationError(missing)
    photos = list(pool.photos)
    _RANDOM.shuffle(photos)
    unseen = [one for one in photos if one.digest not in seen]
    practice = [one for one in photos if one.digest in seen][:PRACTICE]
    practice += unseen[TRIALS : NEEDED - len(practice)]
    return practice + unseen[:TRIALS]
