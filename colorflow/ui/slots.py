"""How many handlers work at the same time, while others wait for a file of theirs to be read.

Gradio begins a handler when its queue says so, and cannot set it aside. A handler that waits for
another one's large photo would keep everybody's small ones waiting. So Gradio begins many, and each
takes one of a few slots, which it gives away while it waits, or while a process of its own reads a
file for it.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from typing import Any


class Slots:
    """Lets some threads work at the same time. Thread-safe.

    Args:
        most: that work at the same time.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)
        self._own = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot; it is waited for."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Give away the slot of this thread, if it has one, and take one again afterwards."""
        if not getattr(self._own, "is_held", False):
            yield
            return
        self._give()
        try:
            yield
        finally:
            self._take()

    def working(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """The handler, which holds a slot: all the time, or during each step of a generator.

        Gradio may forget a generator between two steps.
        """
        if not inspect.isgeneratorfunction(handler):

            @wraps(handler)
            def work(*values: Any, **named: Any) -> Any:
                with self.taken():
                    return handler(*values, **named)

            return work

        @wraps(handler)
        def steps(*values: Any, **named: Any) -> Iterator[Any]:
            ended = object()
            with closing(handler(*values, **named)) as generator:
                while True:
                    with self.taken():
                        step = next(generator, ended)
                    if step is ended:
                        return
                    yield step

        return steps

    def _take(self) -> None:
        self._free.acquire()
        self._own.is_held = True

    def _give(self) -> None:
        self._own.is_held = False
        self._free.release()
