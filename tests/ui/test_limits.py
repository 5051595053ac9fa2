"""Bounds of memory and sessions, and who counts as one visitor; without a server."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from colorflow.ui.limits import (
    MAX_SESSIONS,
    MAX_SESSIONS_PER_VISITOR,
    MemoryBudget,
    SessionBounds,
    visitor_of,
)

LONG = 30.0


def visitor(account: str | None, address: str) -> str:
    return visitor_of(SimpleNamespace(client=SimpleNamespace(host=address)), account)


def test_a_visitor_is_an_account_or_a_household() -> None:
    assert visitor("ada", "10.0.0.1") == visitor("ada", "10.0.0.2")
    assert visitor(None, "10.0.0.1") != visitor(None, "10.0.0.2")
    assert visitor(None, "2001:db8::1") == visitor(None, "2001:db8::ffff:2")
    assert visitor(None, "2001:db8::1") != visitor(None, "2001:db8:0:1::1")
    assert visitor(None, "::ffff:10.0.0.1") == visitor(None, "10.0.0.1")
    assert visitor("10.0.0.1", "10.0.0.2") != visitor(None, "10.0.0.1")
    assert visitor_of(SimpleNamespace(client=None), None) == visitor_of(None, None)


# memory


class Worker(threading.Thread):
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


def queued(budget: MemoryBudget, pixels: int, behind: int) -> Worker:
    """A worker that has got in line."""
    worker = Worker(budget, pixels)
    with budget._changed:
        pass
    while len(budget._waiting) < behind and not worker.began.is_set():
        threading.Event().wait(0.01)
    return worker


def test_no_more_pixels_are_held_at_once_than_one_photo_may_have() -> None:
    budget = MemoryBudget(100)
    first = Worker(budget, 60)
    assert first.began.wait(LONG)
    large, small = queued(budget, 60, behind=1), queued(budget, 10, behind=2)
    assert not large.began.is_set()
    assert not small.began.is_set(), "whoever came before it would wait forever"
    first.leave()
    assert large.began.wait(LONG)
    assert small.began.wait(LONG)
    for worker in (large, small):
        worker.leave()
    with budget.reserve(100):
        pass


def test_more_than_all_is_held_alone() -> None:
    budget = MemoryBudget(100)
    with budget.reserve(1000):
        pass
    with budget.reserve(100):
        pass


def test_pixels_are_given_back_after_an_error() -> None:
    budget = MemoryBudget(100)
    with pytest.raises(KeyError), budget.reserve(100):
        raise KeyError
    with budget.reserve(100):
        pass


# sessions


def test_a_visitor_s_sessions_replace_those_that_have_rested_longest() -> None:
    bounds, kept = SessionBounds(), ["of bob"]
    assert bounds.use("of bob", "bob", kept, set()) == []
    for number in range(MAX_SESSIONS_PER_VISITOR):
        kept.append(f"{number}")
        assert bounds.use(f"{number}", "ada", kept, set()) == []
    kept.append("new")
    assert bounds.use("new", "ada", kept, {"0"}) == ["1"], "0 is at work, and bob's is another's"
    kept.remove("1")
    assert bounds.use("new", "ada", kept, set()) == []


def test_all_sessions_together_are_bounded() -> None:
    bounds, kept = SessionBounds(), []
    for number in range(MAX_SESSIONS):
        kept.append(f"{number}")
        assert bounds.use(f"{number}", f"visitor {number}", kept, set()) == []
    kept.append("new")
    assert bounds.use("new", "another", kept, {"0", "1"}) == ["2"]
