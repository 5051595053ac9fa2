"""How much work the page's server does at the same time.

These bounds are for all visitors together, as are `storage.DiskQuota`, `server.MAX_OPEN` and
`guard.MAX_BODY_BYTES`; what one visitor may have of them is for a proxy (docs/deploy.md). Every
handler that reads a photo, computes or writes a file joins one queue, `WORK_QUEUE`, or `LONG_QUEUE`
if it takes minutes. Each reserves the pixels of its photo from one `MemoryBudget`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorflow.errors import ColorflowError
from colorflow.photo import DEFAULT_MAX_PIXELS
from colorflow.ui.storage import DiskQuota

WORKED_ON, BEGUN = 2, 8
"""Handlers of `WORK_QUEUE` that compute at the same time, and that have begun: those beside them
read a photo, in a child, or wait for its pixels."""
WORK_QUEUE: dict[str, Any] = {"concurrency_id": "work", "concurrency_limit": BEGUN}
"""Options of every event whose handler works on photos or files: they share one queue."""
LONG_QUEUE: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 1}
"""The same for handlers that take minutes: one at a time, of all visitors together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds that whoever runs the page may set."""

    megabytes: int = 200
    """Size of one uploaded file, in units of 1024² bytes; a lossless 60-megapixel scan fits."""
    megapixels: float = 80
    """Size of one photo, and of all large photos in memory at the same time; smaller ones have a
    third of that besides. The most expensive kind of usual files, 16-bit color, takes 24 bytes a
    pixel while it is rendered: with the model this fits in 4 GB."""
    waiting: int = 64
    """Requests that may wait in the queue; more are refused."""
    stored_megabytes: int = 4000
    """Size of all uploads and results on the disk, in units of 1024² bytes."""

    @property
    def pixels(self) -> int:
        """Largest width times height of one photo."""
        return round(1e6 * self.megapixels)


class MemoryBudget:
    """Bounds the memory for photos, by their pixels.

    Large photos share three quarters of it: as much as one of them may have. The rest is for
    smaller ones, so that none of them waits for a large one. Whoever comes when a share is spent
    waits, first come, first served. Thread-safe.

    Args:
        pixels: of one photo, and of all large ones that are worked on at the same time.
        disk: quota that must not be exhausted when work begins; None for no bound.
    """

    def __init__(self, pixels: int = DEFAULT_MAX_PIXELS, disk: DiskQuota | None = None) -> None:
        self.pixels = pixels
        self.disk = disk or DiskQuota()
        self.computing = threading.Semaphore(WORKED_ON)
        """Is held by who computes with a photo that was read, but for what takes minutes."""
        self._large, self._small = _Share(pixels), _Share(pixels // 3)
        self._changed = threading.Condition()
        self._is_closed = False

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Wait until so many pixels are free, and hold them within the context.

        Never nest reservations: two holders that wait for each other's pixels wait forever.

        Raises:
            ColorflowError: the disk is full, or the page ends.
        """
        self.disk.check()
        share = self._small if pixels <= self._small.pixels else self._large
        taken, ticket = min(pixels, share.pixels), object()
        with self._changed:
            share.waiting.append(ticket)
            try:
                self._wait(lambda: share.waiting[0] is ticket and share.left >= taken)
                share.left -= taken
            finally:
                share.waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                share.left += taken
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more, since the page ends."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _wait(self, may_go_on: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._is_closed or may_go_on())
        if self._is_closed:
            raise ColorflowError("The page is being ended; come again later.")


class _Share:
    """A part of the budget."""

    def __init__(self, pixels: int) -> None:
        self.pixels = self.left = pixels
        self.waiting: deque[object] = deque()


@dataclass(frozen=True, slots=True)
class UploadSpace:
    """Where the tabs of a page put uploads, and how much they may take; shared by all visitors."""

    root: Path
    """Folder in which the sessions make theirs."""
    megabytes: int = 200
    """Size of the largest upload, in units of 1024² bytes."""
    budget: MemoryBudget = field(default_factory=MemoryBudget)
    """Memory and disk for photos."""
