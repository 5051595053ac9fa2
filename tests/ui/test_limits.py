"""Bounds of memory, without a server."""

from __future__ import annotations

import threading

import pytest

from colorflow.errors import ColorflowError
from colorflow.ui.limits import MemoryBudget

LONG = 30.0


class Holder(threading.Thread):
    """Holds pixels until it is told to end."""

    def __init__(self, budget: MemoryBudget, pixels: int) -> None:
        super().__init__(daemon=True)
        self._budget, self._pixels = budget, pixels
        self.began, self.end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._budget.reserve(self._pixels):
            self.began.set()
            self.end.wait(LONG)

    def leave(self) -> None:
        self.end.set()
        self.join(LONG)


def queued(budget: MemoryBudget, pixels: int, behind: int) -> Holder:
    """A worker that has got in line for large photos."""
    worker = Holder(budget, pixels)
    while len(budget._large.waiting) < behind and not worker.began.is_set():
        threading.Event().wait(0.01)
    return worker


def test_no_more_pixels_are_held_at_once_than_one_photo_may_have() -> None:
    budget = MemoryBudget(100)
    first = Holder(budget, 60)
    assert first.began.wait(LONG)
    large, other = queued(budget, 60, behind=1), queued(budget, 40, behind=2)
    assert not large.began.is_set()
    assert not other.began.is_set(), "whoever came before it would wait forever"
    first.leave()
    assert large.began.wait(LONG)
    assert other.began.wait(LONG)
    for worker in (large, other):
        worker.leave()
    with pytest.raises(KeyError), budget.reserve(1000):  # which gives back what it has
        raise KeyError
    with budget.reserve(100):
        pass


def test_a_small_photo_is_not_behind_a_large_one() -> None:
    budget = MemoryBudget(100)
    first = Holder(budget, 100)
    assert first.began.wait(LONG)
    large, small = queued(budget, 34, behind=1), Holder(budget, 33)
    assert small.began.wait(LONG), "a quarter of the budget is for small ones"
    assert not large.began.is_set()
    for worker in (first, large, small):
        worker.leave()


def test_whoever_waits_is_told_that_the_page_ends() -> None:
    budget, told = MemoryBudget(100), []

    def wait() -> None:
        try:
            with budget.reserve(100):
                pass
        except ColorflowError as error:
            told.append(str(error))

    with budget.reserve(100):
        waiting = threading.Thread(target=wait)
        waiting.start()
        budget.close()
        waiting.join(LONG)
    assert told == ["The page is being ended; come again later."]
