"""Guesses at passwords: whoever was wrong waits, each time twice as long."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_FREE = 5
"""Wrong passwords without a wait; people mistype."""
_FIRST_SECONDS, _MOST_SECONDS = 1.0, 300.0
_MOST_REMEMBERED = 10_000
"""Visitors; the one who guessed longest ago is forgotten first."""


@dataclass(slots=True)
class _Record:
    wrong: int = 0
    not_before: float = 0.0


class Logins:
    """Who guessed wrong, how often.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait(self, visitor: str) -> float:
        """Begin a guess, which counts as wrong until `right` is told.

        Returns:
            Seconds for which this visitor may not guess; 0 if the guess may be checked.
        """
        record = self._records.setdefault(visitor, _Record())
        self._records.move_to_end(visitor)
        if len(self._records) > _MOST_REMEMBERED:
            self._records.popitem(last=False)
        left = record.not_before - self._clock()
        if left > 0:
            return left
        record.wrong += 1
        if record.wrong >= _FREE:
            doubled = _FIRST_SECONDS * 2.0 ** min(record.wrong - _FREE, 60)
            record.not_before = self._clock() + min(doubled, _MOST_SECONDS)
        return 0.0

    def right(self, visitor: str) -> None:
        """Forget the wrong guesses of a visitor who knew the password."""
        self._records.pop(visitor, None)
