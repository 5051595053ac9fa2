"""Room for photos: memory while they are worked on, and the disk; shared by all visitors.

A photo that is read, painted or written takes memory by its pixels. So all that goes on at the same
time has together no more pixels than one photo may have alone, and whoever comes next waits.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from colorflow.errors import ColorflowError
from colorflow.photo import DEFAULT_MAX_PIXELS

FULL = "There is no room left on the server for more photos; try again in an hour."
_LEAST_FILE_BYTES = 4096
"""What a file takes, however short it is."""
_LEAST_FREE_BYTES = 64 * 2**20
"""Of the disk; what is begun with more than that can be finished."""
_COUNTING = 0.05
"""Share of the time that is spent at most on counting what the folder holds."""


class Room:
    """What all visitors share. Methods may run at the same time in several threads.

    Args:
        pixels: of one photo, and of all that are worked on at the same time.
        folder: holds all files; None where nothing is bounded.
        bytes_: that may be in the folder.
        clock: gives seconds.
    """

    def __init__(
        self,
        pixels: int = DEFAULT_MAX_PIXELS,
        folder: Path | None = None,
        bytes_: int = 2**63,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pixels = pixels
        self._folder = folder
        self._bytes = bytes_
        self._left = pixels
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()
        self._clock = clock
        self._counting = threading.Lock()
        self._count = 0
        self._count_again = clock()
        self._since = 0
        """Bytes of uploads that are stored and that the count may not have met."""

    @contextmanager
    def held(self, pixels: int) -> Iterator[None]:
        """Work on photos of so many pixels; wait for room if need be, first come, first served.

        Not to be nested, since two that hold a part and wait for more would wait forever.

        Raises:
            ColorflowError: the disk is full.
        """
        self.check_disk()
        taken, ticket = min(pixels, self.pixels), object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._left >= taken)
            self._waiting.popleft()
            self._left -= taken
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._left += taken
                self._changed.notify_all()

    def note_stored(self, size: int) -> None:
        """Count an upload that is stored from now on."""
        with self._changed:
            self._since += size

    def check_disk(self, more: int = 0) -> None:
        """Refuse what no longer fits; not to be called in an event loop, since it may count files.

        Args:
            more: bytes that are about to come.

        Raises:
            ColorflowError: the folder holds as much as it may, or its disk is full.
        """
        if self._folder is None:
            return
        free = shutil.disk_usage(self._folder).free
        if free - more < _LEAST_FREE_BYTES or self._held_by(self._folder) + more > self._bytes:
            raise ColorflowError(FULL)

    def _held_by(self, folder: Path) -> int:
        """Bytes in the folder, counted anew unless counting would take too much of the time."""
        with self._counting:
            started = self._clock()
            if started >= self._count_again:
                before = self._since
                self._count = size_of(folder)
                with self._changed:
                    self._since -= before
                now = self._clock()
                self._count_again = now + (now - started) / _COUNTING
            return self._count + self._since


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; one with several names counts once."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(parent, name))
            except OSError:  # gone meanwhile
                continue
            sizes[found.st_ino] = max(found.st_size, _LEAST_FILE_BYTES)
    return sum(sizes.values())
