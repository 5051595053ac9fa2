"""Slots for handlers: a few work, and whoever waits lets another one work."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from colorflow.ui.slots import Slots

LONG = 30.0


def is_free(slots: Slots) -> bool:
    """Whether another thread gets a slot."""

    def take() -> None:
        with slots.taken():
            pass

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(0.05)
    return not thread.is_alive()


def test_no_more_work_than_there_are_slots() -> None:
    slots, lock, most = Slots(3), threading.Lock(), 0
    at_work: set[int] = set()

    def work(number: int) -> int:
        nonlocal most
        with lock:
            at_work.add(number)
            most = max(most, len(at_work))
        threading.Event().wait(0.005)
        with lock:
            at_work.remove(number)
        return number

    with ThreadPoolExecutor(9) as pool:
        assert list(pool.map(slots.working(work), range(27))) == list(range(27))
    assert most == 3


def test_a_handler_gives_its_slot_away_while_it_waits() -> None:
    slots = Slots(1)
    with slots.taken():
        assert not is_free(slots)
        with slots.aside():
            assert is_free(slots)
            with slots.aside():  # it has none
                assert is_free(slots)
        assert not is_free(slots)
    assert is_free(slots)


def test_a_generator_holds_a_slot_in_its_steps_alone() -> None:
    slots, closed = Slots(1), []

    def steps(n: int, *, last: str = "end") -> Iterator[object]:
        """Counts."""
        try:
            for number in range(n):
                assert not is_free(slots)
                yield number
            yield last
        finally:
            closed.append(n)

    working = slots.working(steps)
    assert inspect.isgeneratorfunction(working)
    assert (working.__doc__, inspect.signature(working)) == ("Counts.", inspect.signature(steps))
    found = []
    for step in working(2, last="done"):
        assert is_free(slots)
        found.append(step)
    assert found == [0, 1, "done"]
    forgotten = working(3)
    next(forgotten)
    forgotten.close()
    assert closed == [2, 3]
    assert is_free(slots)


def test_errors_give_the_slot_back() -> None:
    slots = Slots(1)

    def fail() -> None:
        raise KeyError

    def fail_later() -> Iterator[int]:
        yield 1
        raise KeyError

    with pytest.raises(KeyError):
        slots.working(fail)()
    with pytest.raises(KeyError):
        list(slots.working(fail_later)())
    with pytest.raises(KeyError), slots.taken(), slots.aside():
        raise KeyError
    assert is_free(slots)
