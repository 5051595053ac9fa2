"""Who may do how much: every bound of the page's server, and who counts as one visitor.

    what                   all visitors             one visitor              enforced by
    ---------------------  -----------------------  -----------------------  ----------------
    open requests          MAX_OPEN                 MAX_OPEN_PER_VISITOR     guard.Guard
    requests that wait     Limits.waiting           a quarter of it          FairQueue
    requests worked on     AT_ONCE                  served in turn           FairQueue
    jobs of minutes        one                      served in turn           LONG_QUEUE
    pixels in memory       Limits.pixels            first come first served  MemoryBudget
    bytes on the disk      Limits.stored_megabytes  a quarter, as uploads    DiskQuota
    bytes of one file      Limits.megabytes                                  Gradio
    pixels of one photo    Limits.pixels                                     photo.read_photo
    lifetime of files                               KEEP_SECONDS             storage.sweep
    players of the API     MAX_PLAYERS                                       api_quiz.Players
    wrong passwords                                 LoginDelays              guard.Guard

Every handler that reads a photo, computes or writes a file joins one queue, `WORK_QUEUE`, or
`LONG_QUEUE` if it takes minutes, for many photos or a larger one. `gradio_patches.FairQueue` orders
them. Each reserves the pixels of its photo from one `MemoryBudget`. Uploads are counted by one
`DiskQuota`. `visitor_of` decides who is one visitor.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorflow.errors import ColorflowError
from colorflow.photo import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    import gradio as gr
    from starlette.requests import Request

AT_ONCE = 2
"""Handlers of `WORK_QUEUE` that run at the same time."""
WORK_QUEUE: dict[str, Any] = {"concurrency_id": "work", "concurrency_limit": AT_ONCE}
"""Options of every event whose handler works on photos or files: they share one queue."""
LONG_QUEUE: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 1}
"""The same for handlers that take minutes: one at a time, of all visitors together."""
VISITOR_SHARE = 4
"""One visitor may have a quarter of the queue and of the disk."""
MIN_QUEUED_PER_VISITOR = 8
"""Requests that one visitor may have in the queue, however short it is."""
MAX_OPEN, MAX_OPEN_PER_VISITOR = 1000, 100
"""Requests that are being answered; an open page has two or three."""
MAX_PLAYERS = 200
"""Players of the quiz API whose games are kept; a new one replaces the most idle."""
KEEP_SECONDS = 3600.0
"""How long files are kept after their visitor's last action."""
ROUND_PIXELS = 6 * 1024**2
"""Pixels that a quiz round reserves: the photo and its five pictures, none of them larger than
`colorflow.quiz.photos.LARGEST_SIDE`."""

FULL = "There is no room left on the server for more photos; try again in an hour."
_BLOCK_BYTES = 4096
"""The least that a file takes on the disk."""
_MIN_FREE_BYTES = 64 * 2**20
"""Disk space that stays free, so that work that has begun can be finished."""
_MAX_MEASURING = 0.05
"""Largest share of the time that is spent on measuring the folder."""
_STEPS = 60
"""Time steps within the period for which uploads count."""
_IPV6_HOUSEHOLD_BITS = 64
"""A household chooses the remaining bits of its IPv6 addresses itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds that whoever runs the page may set."""

    megabytes: int = 200
    """Size of one uploaded file, in units of 1024² bytes; a lossless 60-megapixel scan fits."""
    megapixels: float = 80
    """Size of one photo, and of all photos in memory at the same time. The most expensive kind
    of usual files, 16-bit color, takes 24 bytes a pixel while it is rendered: with the model this
    fits in 4 GB. A pixel of a TIFF file of floats counts as several."""
    waiting: int = 64
    """Requests that may wait in the queue; more are refused."""
    stored_megabytes: int = 4000
    """Size of all uploads and results on the disk, in units of 1024² bytes."""

    @property
    def pixels(self) -> int:
        """Largest width times height of one photo."""
        return round(1e6 * self.megapixels)

    @property
    def upload_bytes(self) -> int:
        """What one visitor may upload within `KEEP_SECONDS`."""
        return max(self.stored_megabytes // VISITOR_SHARE, self.megabytes) * 2**20


def visitor_of(request: Request | gr.Request | None, account: str | None) -> str:
    """Identify a visitor: by the account if there is one, otherwise by the network address.

    Args:
        request: the visitor's request; None for a handler that is called without a server.
        account: name of the account; None if the page asks for none.
    """
    if account:
        return f"account {account}"
    host = request.client.host if request and request.client else None
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return f"address {host}"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return f"address {address.ipv4_mapped}"
        return f"address {ipaddress.ip_network((int(address), _IPV6_HOUSEHOLD_BITS), strict=False)}"
    return f"address {address}"


class MemoryBudget:
    """Bounds the memory for photos: all that are worked on have no more pixels than one may have.

    Whoever comes when the budget is spent waits, first come, first served. Thread-safe.

    Args:
        pixels: of one photo, and of all photos that are worked on at the same time.
        disk: quota that must not be exhausted when work begins; None for no bound.
    """

    def __init__(self, pixels: int = DEFAULT_MAX_PIXELS, disk: DiskQuota | None = None) -> None:
        self.pixels = pixels
        self.disk = disk or DiskQuota()
        self._left = pixels
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Wait until so many pixels are free, and hold them within the context.

        Never nest reservations: two holders that wait for each other's pixels wait forever.

        Raises:
            ColorflowError: the disk is full.
        """
        self.disk.check()
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


@dataclass(frozen=True, slots=True)
class UploadSpace:
    """Where the tabs of a page put uploads, and how much they may take; shared by all visitors."""

    root: Path
    """Folder in which the sessions make theirs."""
    megabytes: int = 200
    """Size of the largest upload, in units of 1024² bytes."""
    budget: MemoryBudget = field(default_factory=MemoryBudget)
    """Memory and disk for photos."""


@dataclass(slots=True)
class Upload:
    """One upload request; `stored` says whether its files are kept and go on counting."""

    stored: bool = False


class DiskQuota:
    """Bounds the files on the disk: those of all visitors, and the uploads of each.

    `check` is thread-safe; `receiving` belongs to one event loop.

    Args:
        folder: holds all files; None for no bound.
        max_bytes: of all files in the folder.
        visitor_bytes: of the uploads of one visitor within `keep_seconds`.
        keep_seconds: how long an upload counts.
        clock: returns seconds.
    """

    def __init__(
        self,
        folder: Path | None = None,
        max_bytes: int = 2**63,
        visitor_bytes: int = 2**63,
        keep_seconds: float = KEEP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._visitor_bytes = visitor_bytes
        self._step_seconds = keep_seconds / _STEPS
        self._clock = clock
        self._measuring = threading.Lock()
        self._measured = 0
        self._measure_at = clock()
        self._adding = threading.Lock()
        self._added = 0
        """Bytes that were stored since the folder was measured."""
        self._incoming = 0
        """Bytes of uploads under way."""
        self._uploaded: dict[str, Counter[int]] = {}
        """Bytes by visitor and time step."""

    def check(self, incoming: int = 0) -> None:
        """Refuse what does not fit. Not to be called in an event loop: it may measure the folder.

        Args:
            incoming: bytes that are about to be stored.

        Raises:
            ColorflowError: the folder has reached its quota, or its disk is full.
        """
        if self._folder is None:
            return
        free = shutil.disk_usage(self._folder).free
        used = self._used_in(self._folder)
        if free - incoming < _MIN_FREE_BYTES or used + incoming > self._max_bytes:
            raise ColorflowError(FULL)

    @asynccontextmanager
    async def receiving(self, visitor: str, size: int) -> AsyncIterator[Upload]:
        """Count an upload while it is under way, and for `keep_seconds` if it is stored.

        Raises:
            ColorflowError: the visitor has uploaded too much, or the disk is full.
        """
        now = int(self._clock() / self._step_seconds)
        self._forget_before(now - _STEPS)
        uploaded = self._uploaded.setdefault(visitor, Counter())
        if uploaded.total() + size > self._visitor_bytes:
            raise ColorflowError(
                f"You have sent as much as one visitor may, {self._visitor_bytes / 2**20:.0f} MB; "
                "it is deleted within an hour, then there is room for more."
            )
        uploaded[now] += size
        self._incoming += size
        upload = Upload()
        try:
            await asyncio.to_thread(self.check, self._incoming)
            yield upload
        finally:
            self._incoming -= size
            if upload.stored:
                with self._adding:
                    self._added += size
            else:
                uploaded[now] -= size

    def _forget_before(self, step: int) -> None:
        for visitor, uploaded in list(self._uploaded.items()):
            for old in [one for one in uploaded if one < step]:
                del uploaded[old]
            if not uploaded.total():
                del self._uploaded[visitor]

    def _used_in(self, folder: Path) -> int:
        """Bytes in the folder; measured anew unless that would take too much of the time."""
        with self._measuring:
            started = self._clock()
            if started >= self._measure_at:
                before = self._added
                self._measured = size_of(folder)
                with self._adding:
                    self._added -= before
                now = self._clock()
                self._measure_at = now + (now - started) / _MAX_MEASURING
            return self._measured + self._added


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; a file with several names counts once."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(parent, name))
            except OSError:  # deleted meanwhile
                continue
            sizes[found.st_ino] = max(found.st_size, _BLOCK_BYTES)
    return sum(sizes.values())
