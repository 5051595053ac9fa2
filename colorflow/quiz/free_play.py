"""Free play: which photo comes next, and the score."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from colorflow.errors import EvaluationError
from colorflow.quiz.photos import PhotoPool, QuizPhoto

APART = 30
"""Trials with other photos before a photo comes again."""

_RANDOM = random.SystemRandom()


@dataclass(slots=True)
class FreePlayScore:
    """How many trials were answered and how many of them rightly; streaks of right answers."""

    answered: int = 0
    right: int = 0
    streak: int = 0
    best: int = 0

    def count(self, *, right: bool) -> None:
        """Count one more answer."""
        self.answered += 1
        self.right += right
        self.streak = self.streak + 1 if right else 0
        self.best = max(self.best, self.streak)


def choose_photo(
    pool: PhotoPool,
    shown: Mapping[str, int],
    recent: Collection[QuizPhoto],
    tested: Collection[QuizPhoto],
) -> QuizPhoto:
    """Choose one of the least shown photos at random; waits while the pool is being scanned.

    Args:
        pool: the photos.
        shown: how often each photo was shown, by digest.
        recent: photos that were shown last.
        tested: photos of a strict test under way, which must not get feedback.

    Raises:
        EvaluationError: there is no such photo.
    """
    photos: tuple[QuizPhoto, ...] = ()
    while len(found := pool.wait_for_more(len(photos))) > len(photos):
        photos = found
        if free := [one for one in photos if one not in recent and one not in tested]:
            return min(free, key=lambda one: (shown[one.digest], _RANDOM.random()))
    if not photos:
        raise EvaluationError(
            "There is no photo to play with: the quiz needs photos that can be read and have "
            "colors. Start the page with --photos and a folder of such."
        )
    if tested:
        raise EvaluationError(
            "All photos that could be shown now belong to your strict test, which gives no "
            "feedback. Finish it before you go on with free play."
        )
    raise EvaluationError(
        f"You have seen all {len(photos)} photos, and none comes again before {APART} others "
        "have been shown. Add color photos of your own."
    )
