"""Who may do how much: every bound of the page's server, and who counts as one visitor.

    what                   all visitors             one visitor              enforced by
    ---------------------  -----------------------  -----------------------  ----------------
    open requests          MAX_OPEN                 MAX_OPEN_PER_VISITOR     guard.Guard
    files being uploaded   MAX_PARTS                MAX_FILES                guard.Guard
    slowness of uploads                             UPLOAD_...               guard.Guard
    open pages and calls   MAX_SESSIONS             MAX_SESSIONS_PER_VISITOR SessionBounds
    requests in flight     Limits.waiting           a quarter of it          Gradio, SessionBounds
    requests begun         WORKED_ON + Limits.aside                          WORK_QUEUE
    requests worked on     WORKED_ON                                         slots.Slots
    jobs of minutes        one                                               LONG_QUEUE
    photos being read                               one                      MemoryBudget
    pixels in memory       Limits.pixels, and a     first come first served  MemoryBudget
                           third for smaller ones
    bytes on the disk      Limits.stored_megabytes  as much as all others    storage.DiskQuota
                                                    then have left
    bytes of one file      Limits.megabytes                                  Gradio
    size of other bodies   MAX_BODIES_BYTES         MAX_BODIES_BYTES_...,    guard.Guard
                                                    MAX_BODY_BYTES, ..VALUES
    pixels of one photo    Limits.pixels                                     photo.read_photo
    lifetime of files                               KEEP_SECONDS             storage.sweep
    files of one event                              MAX_FILES                guard.Guard
    colorings kept of a photo                       MOST_KEPT                colorings.ColoredPhoto
    players of the API     MAX_PLAYERS              MAX_PLAYERS_PER_VISITOR  quiz.game.Players
    wrong passwords                                 LoginDelays              guard.Guard

Every handler that reads a photo, computes or writes a file joins one queue, `WORK_QUEUE`, or
`LONG_QUEUE` if it takes minutes, for many photos or a larger one. Those of the former share a few
`slots.Slots`. Each reserves the pixels of its photo from one `MemoryBudget`. Uploads and results
are counted by one `DiskQuota`. `visitor_of` decides who is one visitor.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorflow.errors import ColorflowError
from colorflow.photo import DEFAULT_MAX_PIXELS
from colorflow.ui.slots import Slots
from colorflow.ui.storage import DiskQuota

if TYPE_CHECKING:
    import gradio as gr
    from starlette.requests import Request

WORKED_ON = 2
"""Handlers of `WORK_QUEUE` that compute at the same time."""
MOST_ASIDE, THREADS = 30, 64
"""Handlers of `WORK_QUEUE` that have begun beside these and wait, see `slots`: twice as many as one
visitor may have. And threads for all handlers."""
WORK_QUEUE: dict[str, Any] = {"concurrency_id": "work", "concurrency_limit": WORKED_ON}
"""Options of every event whose handler works on photos or files: they share one queue."""
LONG_QUEUE: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 1}
"""The same for handlers that take minutes: one at a time, of all visitors together."""
VISITOR_SHARE = 4
"""One visitor may have a quarter of the queue."""
MIN_QUEUED_PER_VISITOR = 8
"""Requests that one visitor may have in the queue, however short it is."""
UNFETCHED_SECONDS = 600.0
"""After which a request counts no longer if nobody waits for its result."""
MAX_OPEN, MAX_OPEN_PER_VISITOR = 1000, 100
"""Requests that are being answered; an open page has two or three."""
MAX_SESSIONS, MAX_SESSIONS_PER_VISITOR = 1000, 64
"""Sessions whose state is kept, 0.25 MB each; a new one replaces the one that has rested longest.
An open page is a session, and so is each call of a program. Gradio's queue fails when it has to
forget one that waits, which it does from 2,000 on."""
MAX_BODY_BYTES, MAX_BODY_VALUES = 2**20, 50_000
"""Of a request that uploads nothing; 1,000 files of an upload are named in 0.5 MB with 15,000
values. A megabyte of empty lists would take 35 in memory, for as long as it waits."""
MAX_BODIES_BYTES, MAX_BODIES_BYTES_PER_VISITOR, BODY_SECONDS = 64 * 2**20, 16 * 2**20, 60.0
"""Of such requests that are arriving, and how long one may take; 1,000 slow ones took 0.8 GB."""
MAX_FILES = 1000
"""Files that one event may name, as many as Gradio takes in one upload. It makes an empty file for
each; 5,000 of them would stop the server for 4 s."""
MAX_PARTS = 4000
"""Files of uploads that are under way, each of which is open until its upload has arrived; those of
one visitor are `MAX_FILES`, as many as Gradio's script sends at once."""
UPLOAD_GRACE_SECONDS, UPLOAD_BYTES_PER_SECOND, UPLOAD_SECONDS = 30.0, 16_000.0, 3600.0
"""How long an upload may make the server wait: the first time, beside a time for what has arrived,
and the last at most."""
MAX_PLAYERS, MAX_PLAYERS_PER_VISITOR = 200, 16
"""Players of the quiz API whose games are kept; a new one replaces the most idle."""
ROUND_PIXELS = 6 * 1024**2
"""Pixels that a quiz round reserves: the photo and its five pictures, none of them larger than
`colorflow.quiz.trials.LARGEST_SIDE`."""

_DESCRIPTORS = 10_240
"""Of a process whose system names no limit; macOS takes no more."""
_IPV6_HOUSEHOLD_BITS = 64
"""A household chooses the remaining bits of its IPv6 addresses itself."""


def raise_descriptors() -> int:
    """Let this process open as many files as its user may allow, and return how many those are."""
    try:
        import resource
    except ImportError:  # Windows
        return _DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return most if soft == resource.RLIM_INFINITY else soft


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

    @property
    def aside(self) -> int:
        """Requests of those that wait which have begun."""
        return min(MOST_ASIDE, self.waiting // 2)

    @property
    def in_flight(self) -> int:
        """Requests of one visitor that may wait or be worked on."""
        return max(MIN_QUEUED_PER_VISITOR, self.waiting // VISITOR_SHARE)


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


@dataclass(slots=True)
class _Session:
    visitor: str
    used: float
    listeners: int = 0
    """Connections that wait for results."""
    has_state: bool = True
    """Whether Gradio may keep anything of it but its messages."""
    requests: dict[str, float] = field(default_factory=dict)
    """When each began that waits, is worked on, or whose result nobody has fetched."""

    def in_flight(self, now: float) -> int:
        if self.listeners:
            return len(self.requests)
        return sum(now - began <= UNFETCHED_SECONDS for began in self.requests.values())


class SessionBounds:
    """Which visitor has which of Gradio's sessions, which are too many, and what is in flight.

    Clients name their sessions themselves: one that always takes a new name would fill the memory.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        """By name, the one that has rested longest first."""

    def begin(self, session: str, request: str, visitor: str) -> list[str]:
        """Count a request, and choose the sessions that have to be forgotten.

        Args:
            session: is used by the request.
            request: its name.
            visitor: whose it is.
        """
        now = self._clock()
        one = self._sessions.setdefault(session, _Session(visitor, now))
        one.visitor, one.used, one.requests[request] = visitor, now, now
        one.has_state = True
        self._sessions.move_to_end(session)
        resting = self._resting(now)
        own = [name for name in resting if self._sessions[name].visitor == visitor]
        owned = sum(other.visitor == visitor for other in self._sessions.values())
        gone = own[: max(0, owned - MAX_SESSIONS_PER_VISITOR)]
        others = [name for name in resting if name not in gone]
        gone += others[: max(0, len(self._sessions) - len(gone) - MAX_SESSIONS)]
        for name in gone:
            del self._sessions[name]
        return gone

    def admit(self, session: str | None) -> bool:
        """Whether a request may use a session, which has rested least from now on.

        There is no room for a new one while all sessions have requests in flight.

        Args:
            session: None for a new one.
        """
        if session is not None and session in self._sessions:
            self._sessions.move_to_end(session)
            return True
        return len(self._sessions) < MAX_SESSIONS or bool(self._resting(self._clock()))

    def is_of_another(self, name: str, visitor: str) -> bool:
        """Whether another visitor has a session or a request of this name."""
        return any(
            one.visitor != visitor and (name == session or name in one.requests)
            for session, one in self._sessions.items()
        )

    def end(self, request: str) -> None:
        """Forget a request whose result has been fetched."""
        for one in self._sessions.values():
            one.requests.pop(request, None)

    @contextmanager
    def listening(self, session: str | None, request: str) -> Iterator[None]:
        """Somebody waits for results; afterwards none is in flight, since Gradio stops the work.

        Args:
            session: whose results; None for those of one request.
            request: the one.
        """
        own = [one for one in self._sessions.values() if request in one.requests]
        if session is not None:
            own = [self._sessions[session]] if session in self._sessions else []
        for one in own:
            one.listeners += 1
        try:
            yield
        finally:
            for one in own:
                one.listeners -= 1
                if session is None:
                    one.requests.pop(request, None)
                else:
                    one.requests.clear()

    def in_flight(self, visitor: str) -> int:
        """How many requests of a visitor wait, are worked on, or have an unfetched result."""
        now = self._clock()
        own = (one for one in self._sessions.values() if one.visitor == visitor)
        return sum(one.in_flight(now) for one in own)

    def idle(self, seconds: float) -> list[str]:
        """Choose the sessions that have not been used for some time, and whose state has to go.

        They are counted on, since Gradio's queue knows them.
        """
        now = self._clock()
        gone = [
            name
            for name in self._resting(now)
            if (one := self._sessions[name]).has_state and now - one.used > seconds
        ]
        for name in gone:
            self._sessions[name].has_state = False
        return gone

    def _resting(self, now: float) -> list[str]:
        known = list(self._sessions.items())  # others may come while a thread asks what is idle
        return [name for name, one in known if not one.in_flight(now)]


class MemoryBudget:
    """Bounds the memory for photos, by their pixels, and what is read for one visitor at a time.

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
        self.slots = Slots(WORKED_ON)
        """Of those who work; who waits for the budget does not."""
        self._large, self._small = _Share(pixels), _Share(pixels // 3)
        self._reading: set[str | None] = set()
        """Visitors for whom a file is read."""
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
        with self.slots.aside(), self._changed:
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

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait until no other file is read for this thread's visitor; others work meanwhile.

        Raises:
            ColorflowError: the page ends.
        """
        visitor = self.disk.at_work()
        with self.slots.aside():
            with self._changed:
                self._wait(lambda: visitor not in self._reading)
                if visitor:
                    self._reading.add(visitor)
            try:
                yield
            finally:
                with self._changed:
                    self._reading.discard(visitor)
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
