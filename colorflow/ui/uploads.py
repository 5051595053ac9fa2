"""Limits how much a visitor may upload."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from colorflow.errors import ColorflowError
from colorflow.ui.room import Room

_STEPS = 60
"""Number of steps into which the time is divided for which uploads are kept."""


@dataclass(slots=True)
class Upload:
    """An upload that is being received."""

    stored: bool = False
    """Whether its files are kept; others count only during the request."""


class Uploads:
    """Counts what visitors have uploaded, as long as it is kept; for use in one event loop.

    Args:
        room: the disk, which bounds all visitors together.
        bytes_: that one visitor may upload.
        seconds: for which uploads are kept.
        clock: returns seconds.
    """

    def __init__(
        self,
        room: Room,
        bytes_: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room = room
        self._bytes = bytes_
        self._step = seconds / _STEPS
        self._clock = clock
        self._coming = 0
        self._sent: dict[str, Counter[int]] = {}
        """Bytes by visitor and step of time."""

    @asynccontextmanager
    async def receiving(self, visitor: str, size: int) -> AsyncIterator[Upload]:
        """Count an upload while it is received, and afterwards if it is stored.

        Raises:
            ColorflowError: the visitor has uploaded too much, or the disk is full.
        """
        now = int(self._clock() / self._step)
        self._forget(now - _STEPS)
        sent = self._sent.setdefault(visitor, Counter())
        if sent.total() + size > self._bytes:
            raise ColorflowError(
                f"You have sent as much as one visitor may, {self._bytes / 2**20:.0f} MB; it is "
                "deleted within an hour, then there is room for more."
            )
        sent[now] += size
        self._coming += size
        upload = Upload()
        try:
            await anyio.to_thread.run_sync(self._room.check_disk, self._coming)
            yield upload
        finally:
            self._coming -= size
            if upload.stored:
                self._room.note_stored(size)
            else:
                sent[now] -= size

    def _forget(self, before: int) -> None:
        for visitor, sent in list(self._sent.items()):
            for step in [step for step in sent if step < before]:
                del sent[step]
            if not sent.total():
                del self._sent[visitor]
