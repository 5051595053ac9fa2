"""How much the page's server works on at the same time, and how much it stores.

These bounds are for all visitors together, as are `server.MAX_OPEN` and `guard.MAX_BODY_BYTES`;
what one visitor may have of them is for a proxy (docs/deploy.md). Every handler that reads a photo,
computes or writes a file joins one queue, `WORK_QUEUE`, or `LONG_QUEUE` if it takes minutes. Each
reserves the pixels of its photo from one `MemoryBudget`. The page's folder:

    colorflow-page-.../   readable by this user alone
        lock              locked while the program runs
        files/            Gradio's folder: uploads, and everything that the server may send
            visitors/
                desk-.../       files of one visitor's desk
                quiz-.../       pictures of one visitor's quiz
                api-.../        results of the API

A quiz's folder is deleted with its game, everything else an hour after its last change.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorflow.errors import ColorflowError
from colorflow.photo import DEFAULT_MAX_PIXELS
from colorflow.ui.owners import Owners

VISITORS, API_PREFIX, DESK_PREFIX = "visitors", "api-", "desk-"
"""The folder in Gradio's, and how those in it begin that have results of the API, and desks."""
KEEP_SECONDS = 3600.0
"""How long files are kept after their visitor's last action."""
FULL = "There is no room left on the server for more photos; try again in an hour."
_BLOCK_BYTES = 4096
"""The least that a file or folder takes on the disk; even an empty one takes an inode."""
_MIN_FREE_BYTES = 64 * 2**20
"""Disk space that stays free, so that work that has begun can be finished."""
_MAX_MEASURING = 0.05
"""Largest share of the time that is spent on measuring a folder."""
MOST_WISHED, MOST_VIVID = 8, 1.5
"""Colorings that are asked for at once, and the largest factor on the shipped temperatures."""
WORKED_ON, BEGUN = 2, 8
"""Handlers of `WORK_QUEUE` that compute at the same time, and that have begun: those beside them
read a photo, in a child, or wait for its pixels."""
WORK_QUEUE: dict[str, Any] = {"concurrency_id": "work", "concurrency_limit": BEGUN}
"""Options of every event whose handler works on photos or files: they share one queue."""
LONG_QUEUE: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 1}
"""The same for handlers that take minutes: one at a time, of all visitors together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds that whoever runs the page may set.

    Args:
        megabytes: size of one uploaded file, in units of 1024² bytes; a lossless 60-megapixel scan
            fits.
        megapixels: size of one photo, and of all large photos in memory at the same time; smaller
            ones have a third of that besides. The most expensive kind of usual files, 16-bit color,
            takes 24 bytes a pixel while it is rendered: with the model this fits in 4 GB.
        waiting: requests that may wait in the queue; more are refused.
        stored_megabytes: size of all uploads and results on the disk, in units of 1024² bytes.
    """

    megabytes: int = 200
    megapixels: float = 80
    waiting: int = 64
    stored_megabytes: int = 4000

    @property
    def pixels(self) -> int:
        """Largest width times height of one photo."""
        return round(1e6 * self.megapixels)


class DiskQuota:
    """Bounds the files of all visitors together. Thread-safe.

    Args:
        folder: holds all files; None for no bound.
        max_bytes: of all files in the folder.
        clock: returns seconds.
    """

    def __init__(
        self,
        folder: Path | None = None,
        max_bytes: int = 2**63,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._max_bytes, self._clock = folder, max_bytes, clock
        self._measuring = threading.Lock()
        self._stored, self._measure_at = 0, clock()
        self._arrived, self._measured = 0, 0

    def check(self, incoming: int = 0) -> None:
        """Refuse what does not fit. Not to be called in an event loop: it may measure the folder.

        Args:
            incoming: bytes that are about to be stored.

        Raises:
            ColorflowError: the files have reached the quota, or the disk is full.
        """
        if self._folder:
            self._measure(self._folder)
            if not self._has_room(self._folder, incoming):
                raise ColorflowError(FULL)

    def takes(self, size: int) -> bool:
        """Count bytes of an upload that have come; whether they fit. For one event loop alone."""
        self._arrived += size
        return self._folder is None or self._has_room(self._folder, 0)

    def _has_room(self, folder: Path, incoming: int) -> bool:
        stored = self._stored + self._arrived - self._measured + incoming
        free = shutil.disk_usage(folder).free - incoming
        return free >= _MIN_FREE_BYTES and stored <= self._max_bytes

    def _measure(self, folder: Path) -> None:
        """Measure anew, unless that would take too much of the time or another thread does it."""
        started = self._clock()
        if started < self._measure_at or not self._measuring.acquire(blocking=False):
            return
        try:
            arrived = self._arrived
            self._stored, self._measured = size_of(folder), arrived
            now = self._clock()
            self._measure_at = now + (now - started) / _MAX_MEASURING
        finally:
            self._measuring.release()


def size_of(folder: Path) -> int:
    """Bytes of all files and folders below a folder; a file with several names counts once."""
    sizes: dict[int, int] = {}
    folders = 0
    for parent, inner, names in os.walk(folder):
        folders += len(inner)
        for name in names:
            with suppress(OSError):  # deleted meanwhile
                found = os.lstat(os.path.join(parent, name))
                sizes[found.st_ino] = max(found.st_size, _BLOCK_BYTES)
    return folders * _BLOCK_BYTES + sum(sizes.values())


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
                self._changed.wait_for(
                    lambda: self._is_closed or (share.waiting[0] is ticket and share.left >= taken)
                )
                if self._is_closed:
                    raise ColorflowError("The page is being ended; come again later.")
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


class _Share:
    """A part of the budget."""

    def __init__(self, pixels: int) -> None:
        self.pixels = self.left = pixels
        self.waiting: deque[object] = deque()


@dataclass(frozen=True, slots=True)
class UploadSpace:
    """Where the tabs of a page put uploads, and how much they may take; shared by all visitors.

    Args:
        root: folder in which the sessions make theirs.
        megabytes: size of the largest upload, in units of 1024² bytes.
        budget: memory and disk for photos.
    """

    root: Path
    megabytes: int = 200
    budget: MemoryBudget = field(default_factory=MemoryBudget)
    owners: Owners = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owners", Owners(self.root))
