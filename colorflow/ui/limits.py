"""Who may do how much: every bound of the page's server, and who counts as one visitor.

    what                   all visitors             one visitor              enforced by
    ---------------------  -----------------------  -----------------------  ----------------
    open requests          MAX_OPEN                 MAX_OPEN_PER_VISITOR     guard.Guard
    open pages and calls   MAX_SESSIONS             MAX_SESSIONS_PER_VISITOR SessionBounds
    results not fetched                             MAX_UNREAD, of a page    guard.Guard
    requests that wait     Limits.waiting           a quarter of it          FairQueue
    requests worked on     AT_ONCE                  served in turn           FairQueue
    jobs of minutes        one                      served in turn           LONG_QUEUE
    pixels in memory       Limits.pixels            first come first served  MemoryBudget
    bytes on the disk      Limits.stored_megabytes  as much as all others    DiskQuota
                                                    then have left
    bytes of one file      Limits.megabytes                                  Gradio
    size of other bodies   MAX_BODY_BYTES,                                   guard.Guard
                           MAX_BODY_VALUES
    pixels of one photo    Limits.pixels                                     photo.read_photo
    lifetime of files                               KEEP_SECONDS             storage.sweep
    files of one event                              MAX_FILES                guard.Guard
    players of the API     MAX_PLAYERS              MAX_PLAYERS_PER_VISITOR  api_quiz.Players
    wrong passwords                                 LoginDelays              guard.Guard

Every handler that reads a photo, computes or writes a file joins one queue, `WORK_QUEUE`, or
`LONG_QUEUE` if it takes minutes, for many photos or a larger one. `gradio_patches.FairQueue` orders
them. Each reserves the pixels of its photo from one `MemoryBudget`. Uploads and results are counted
by one `DiskQuota`. `visitor_of` decides who is one visitor.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorflow.photo import DEFAULT_MAX_PIXELS
from colorflow.ui.disk_quota import DiskQuota

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
"""One visitor may have a quarter of the queue."""
MIN_QUEUED_PER_VISITOR = 8
"""Requests that one visitor may have in the queue, however short it is."""
MAX_OPEN, MAX_OPEN_PER_VISITOR = 1000, 100
"""Requests that are being answered; an open page has two or three."""
MAX_SESSIONS, MAX_SESSIONS_PER_VISITOR = 1000, 64
"""Sessions whose state is kept, 0.25 MB each; a new one replaces the one that has rested longest.
An open page is a session, and so is each call of a program."""
MAX_UNREAD = 64
"""Results of one session that wait for being fetched."""
MAX_BODY_BYTES, MAX_BODY_VALUES = 2**20, 50_000
"""Of a request that uploads nothing; 1,000 files of an upload are named in 0.5 MB with 15,000
values. A megabyte of empty lists would take 35 in memory, for as long as it waits."""
MAX_FILES = 1000
"""Files that one event may name, as many as Gradio takes in one upload. It makes an empty file for
each; 5,000 of them would stop the server for 4 s."""
MAX_PLAYERS, MAX_PLAYERS_PER_VISITOR = 200, 16
"""Players of the quiz API whose games are kept; a new one replaces the most idle."""
ROUND_PIXELS = 6 * 1024**2
"""Pixels that a quiz round reserves: the photo and its five pictures, none of them larger than
`colorflow.quiz.photos.LARGEST_SIDE`."""

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


class SessionBounds:
    """Which visitor has which of Gradio's sessions, and which of them are too many.

    Clients name their sessions themselves: one that always takes a new name would fill the memory.
    """

    def __init__(self) -> None:
        self._visitors: dict[str, str] = {}
        """By session."""

    def use(
        self, session: str, visitor: str, kept: Collection[str], busy: Collection[str]
    ) -> list[str]:
        """Count a session of a visitor, and choose those that have to be forgotten.

        Args:
            session: has just been used.
            visitor: whose it is.
            kept: sessions whose state is kept, the one that has rested longest first.
            busy: sessions that must stay.
        """
        self._visitors = {one: who for one, who in self._visitors.items() if one in kept}
        self._visitors[session] = visitor
        resting = [one for one in kept if one not in busy and one != session]
        own = [one for one in resting if self._visitors.get(one) == visitor]
        too_many = list(self._visitors.values()).count(visitor) - MAX_SESSIONS_PER_VISITOR
        forgotten = own[: max(0, too_many)]
        others = [one for one in resting if one not in forgotten]
        return forgotten + others[: max(0, len(kept) - len(forgotten) - MAX_SESSIONS)]


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
