"""What a terminal shows of a run: how many photos are done, and what a long one is at."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from colorflow.batch import PhotoTask
from colorflow.errors import printable

LONG = 5.0
"""Seconds after which it is shown what is done to a photo."""


class Progress:
    """A bar on a terminal, beside which the photo that has taken the longest is named.

    Args:
        total: number of photos.
        quiet: show nothing.
        now: seconds of a clock.
    """

    def __init__(
        self, total: int, *, quiet: bool = False, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.bar = tqdm(
            total=total,
            unit=" files",
            disable=True if quiet else None,  # None: shown on a terminal only
            file=sys.stderr,
        )
        self._now = now
        self._in_hand: dict[str, tuple[float, str]] = {}

    def tell(self, task: PhotoTask, step: str | None) -> None:
        """Takes what is done to a photo, from any thread; None once nothing is done any more."""
        if step is None:
            self._in_hand.pop(str(task), None)
            return
        began, _ = self._in_hand.get(str(task), (self._now(), ""))
        self._in_hand[str(task)] = began, f"{printable(task.path.name)}: {step}"

    def show(self) -> None:
        """Draws the bar as it is now."""
        long = [text for began, text in [*self._in_hand.values()] if self._now() - began >= LONG]
        self.bar.set_postfix_str(long[0] if long else "")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draws the bar each second, and closes it at the end."""
        ended = threading.Event()

        def draw() -> None:
            while not ended.wait(1):
                self.show()

        thread = threading.Thread(target=draw, daemon=True)
        if not self.bar.disable:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if not self.bar.disable:
                thread.join()
            self.bar.close()
