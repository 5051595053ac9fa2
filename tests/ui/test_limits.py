"""Bounds of memory and sessions, and who counts as one visitor; without a server."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from colorflow.errors import ColorflowError
from colorflow.ui.limits import (
    MAX_SESSIONS,
    MAX_SESSIONS_PER_VISITOR,
    UNFETCHED_SECONDS,
    WORKED_ON,
    MemoryBudget,
    SessionBounds,
    visitor_of,
)
from colorflow.ui.storage import DiskQuota

LONG = 30.0
HOUR = 3600.0


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
    """A worker that has got in line for large photos."""
    worker = Worker(budget, pixels)
    while len(budget._large.waiting) < behind and not worker.began.is_set():
        threading.Event().wait(0.01)
    return worker


def test_no_more_pixels_are_held_at_once_than_one_photo_may_have() -> None:
    budget = MemoryBudget(100)
    first = Worker(budget, 60)
    assert first.began.wait(LONG)
    large, other = queued(budget, 60, behind=1), queued(budget, 40, behind=2)
    assert not large.began.is_set()
    assert not other.began.is_set(), "whoever came before it would wait forever"
    first.leave()
    assert large.began.wait(LONG)
    assert other.began.wait(LONG)
    for worker in (large, other):
        worker.leave()
    with budget.reserve(100):
        pass


def test_a_small_photo_is_not_behind_a_large_one() -> None:
    budget = MemoryBudget(100)
    first = Worker(budget, 100)
    assert first.began.wait(LONG)
    large, small = queued(budget, 34, behind=1), Worker(budget, 33)
    assert small.began.wait(LONG), "a quarter of the budget is for small ones"
    assert not large.began.is_set()
    for worker in (first, large, small):
        worker.leave()


class Reader(Worker):
    """Reads a file of a visitor until it is told to end."""

    def __init__(self, budget: MemoryBudget, visitor: str | None, visitors: threading.local):
        self.visitor, self._visitors = visitor, visitors
        super().__init__(budget, 0)

    def run(self) -> None:
        self._visitors.name = self.visitor
        with self._budget.slots.taken(), self._budget.reading():
            self.began.set()
            self.end.wait(LONG)


def test_one_file_of_a_visitor_is_read_at_a_time_and_keeps_nobody_from_work() -> None:
    visitors = threading.local()
    budget = MemoryBudget(100, DiskQuota(at_work=lambda: getattr(visitors, "name", None)))
    first = Reader(budget, "ada", visitors)
    assert first.began.wait(LONG)
    others = [Reader(budget, "ada", visitors) for _ in range(2 * WORKED_ON)]
    strangers = [Reader(budget, name, visitors) for name in ("bob", None, None)]
    for one in strangers:
        assert one.began.wait(LONG), "there are fewer slots than those who wait"
        one.leave()
    assert not any(one.began.is_set() for one in others)
    first.leave()
    while others:
        reading = next((one for one in others if one.began.wait(0.01)), None)
        if reading:
            assert sum(one.began.is_set() for one in others) == 1
            others.remove(reading)
            reading.leave()


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
    bounds = SessionBounds(lambda: 0.0)

    def use(session: str, visitor: str) -> list[str]:
        gone = bounds.begin(session, f"of {session}", visitor)
        bounds.end(f"of {session}")
        return gone

    assert use("of bob", "bob") == []
    for number in range(MAX_SESSIONS_PER_VISITOR):
        assert use(f"{number}", "ada") == []
    bounds.begin("0", "at work", "ada")
    assert use("new", "ada") == ["1"], "0 is at work, and bob's is another's"
    assert use("new", "ada") == []
    for number in range(MAX_SESSIONS - MAX_SESSIONS_PER_VISITOR - 1):
        assert use(f"other {number}", f"visitor {number}") == []
    assert use("another", "another") == ["of bob"], "all together are bounded, too"


def test_requests_are_in_flight_until_somebody_fetches_their_results() -> None:
    now = 0.0
    bounds = SessionBounds(lambda: now)
    for session, request in (("page", "1"), ("page", "2"), ("call", "3")):
        bounds.begin(session, request, "ada")
    assert (bounds.in_flight("ada"), bounds.in_flight("bob")) == (3, 0)
    bounds.end("3")
    assert bounds.in_flight("ada") == 2
    with bounds.listening("page", ""):
        now = 2 * HOUR
        assert bounds.in_flight("ada") == 2, "however long they take"
        assert bounds.idle(HOUR) == ["call"]
    assert bounds.in_flight("ada") == 0
    bounds.begin("page", "4", "ada")
    now += UNFETCHED_SECONDS + 1
    assert bounds.in_flight("ada") == 0, "nobody waits for it"
    bounds.begin("page", "5", "ada")
    with bounds.listening(None, "5"):
        assert bounds.in_flight("ada") == 2
    assert bounds.in_flight("ada") == 0


def test_idle_sessions_are_forgotten_and_those_at_work_are_not() -> None:
    now = 0.0
    bounds = SessionBounds(lambda: now)
    bounds.begin("idle", "1", "ada")
    bounds.end("1")
    now = 3000.0
    bounds.begin("busy", "2", "ada")
    now = 3500.0
    assert bounds.idle(3600) == []
    assert bounds.idle(400) == ["idle"]
    assert bounds.idle(400) == []


def test_idle_sessions_are_still_counted() -> None:
    """Gradio's queue knows them until they are replaced."""
    now = 0.0
    bounds = SessionBounds(lambda: now)
    for number in range(MAX_SESSIONS_PER_VISITOR):
        bounds.begin(f"{number}", f"of {number}", "ada")
        bounds.end(f"of {number}")
    now = HOUR + 1
    assert len(bounds.idle(HOUR)) == MAX_SESSIONS_PER_VISITOR
    assert bounds.admit("0")
    assert bounds.begin("new", "of new", "ada") == ["1"], "0 is asked for at the moment"
    assert bounds.begin("0", "of 0", "ada") == []
    bounds.end("of 0")
    now += HOUR + 1
    assert bounds.idle(HOUR) == ["new", "0"], "which were used since"


def test_there_is_room_for_new_sessions_unless_all_have_requests_in_flight() -> None:
    bounds = SessionBounds(lambda: 0.0)
    for number in range(MAX_SESSIONS):
        assert bounds.admit(None)
        bounds.begin(f"{number}", f"of {number}", f"visitor {number}")
    assert not bounds.admit(None)
    assert bounds.admit("0")
    bounds.end("of 7")
    assert bounds.admit("new")
    assert bounds.begin("new", "of new", "another") == ["7"]
    assert not bounds.admit("newer")


def test_sessions_and_requests_belong_to_their_visitor() -> None:
    bounds = SessionBounds(lambda: 0.0)
    bounds.begin("page", "1", "ada")
    assert [bounds.is_of_another(one, "bob") for one in ("page", "1", "2")] == [True, True, False]
    assert not any(bounds.is_of_another(one, "ada") for one in ("page", "1", "2"))
