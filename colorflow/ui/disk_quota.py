"""How many bytes the page's folder may hold: all visitors' together, and each visitor's."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from colorflow.errors import ColorflowError
from colorflow.ui.storage import VISITORS, folder_of

KEEP_SECONDS = 3600.0
"""How long files are kept after their visitor's last action."""
FULL = "There is no room left on the server for more photos; try again in an hour."

_BLOCK_BYTES = 4096
"""The least that a file or folder takes on the disk; even an empty one takes an inode."""
_MIN_FREE_BYTES = 64 * 2**20
"""Disk space that stays free, so that work that has begun can be finished."""
_MAX_MEASURING = 0.05
"""Largest share of the time that is spent on measuring a folder."""
_STEPS = 60
"""Time steps within the period for which uploads count."""


class DiskQuota:
    """Bounds the files on the disk: those of all visitors, and those of each.

    A visitor may have as much as is then left for all others, so that none of them fills the disk.
    What a visitor has are the uploads of the last hour and what lies in the visitor's own folder.
    Thread-safe.

    Args:
        folder: holds all files; None for no bound.
        max_bytes: of all files in the folder.
        keep_seconds: how long an upload counts.
        at_work: the visitor for whom the current thread works; None for none.
        clock: returns seconds.
    """

    def __init__(
        self,
        folder: Path | None = None,
        max_bytes: int = 2**63,
        keep_seconds: float = KEEP_SECONDS,
        at_work: Callable[[], str | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._step_seconds = keep_seconds / _STEPS
        self._at_work = at_work
        self._clock = clock
        self._lock = threading.Lock()
        self._all = _Measured(folder, clock) if folder else None
        self._own: dict[str, _Measured] = {}
        """What each visitor's folder holds."""
        self._incoming = 0
        """Bytes of uploads under way."""
        self._uploaded: dict[str, Counter[int]] = {}
        """Bytes by visitor and time step, those under way among them."""

    def folder_at_work(self, root: Path) -> Path:
        """Make the folder, below `root`, for what the current thread makes for its visitor.

        Raises:
            OSError: it cannot be made.
        """
        visitor = self._at_work()
        if visitor is None:
            return root
        folder = folder_of(root, visitor)
        folder.mkdir(exist_ok=True)
        os.utime(folder)  # so that `storage.sweep` leaves it
        return folder

    def check(self, incoming: int = 0, visitor: str | None = None) -> None:
        """Refuse what does not fit. Not to be called in an event loop: it may measure folders.

        Args:
            incoming: bytes that are about to be stored.
            visitor: whose they are; None for the visitor for whom this thread works.

        Raises:
            ColorflowError: the visitor or all visitors together have reached the quota, or the disk
                is full.
        """
        if self._folder is None or self._all is None:
            return
        visitor = visitor or self._at_work()
        self._all.update()
        if visitor:
            self._own_of(visitor, self._folder).update()
        self._refuse(incoming, visitor)

    @asynccontextmanager
    async def receiving(self, visitor: str, announced: int = 0) -> AsyncIterator[Upload]:
        """Count an upload while it arrives, and for `keep_seconds` if it is stored.

        Args:
            visitor: who sends it.
            announced: its bytes, as the visitor says.

        Raises:
            ColorflowError: it does not fit, see `check`.
        """
        await asyncio.to_thread(self.check, announced, visitor)
        upload = Upload(self, visitor)
        try:
            yield upload
        finally:
            self._end(upload)

    def _add(self, upload: Upload, size: int) -> None:
        step = self._step()
        with self._lock:
            self._forget_before(step - _STEPS)
            self._uploaded.setdefault(upload.visitor, Counter())[step] += size
            upload.bytes[step] += size
            self._incoming += size

    def _end(self, upload: Upload) -> None:
        size = upload.bytes.total()
        with self._lock:
            self._incoming -= size
            if not upload.stored and upload.visitor in self._uploaded:
                self._uploaded[upload.visitor] -= upload.bytes
        if upload.stored and self._all:
            self._all.add(size)

    def _refuse(self, incoming: int, visitor: str | None) -> None:
        """Compare what is known now, without measuring."""
        if self._folder is None or self._all is None:
            return
        with self._lock:
            used = self._all.bytes + self._incoming + incoming
            own = 0
            if visitor:
                own += self._uploaded.get(visitor, Counter()).total()
                own += self._own[visitor].bytes if visitor in self._own else 0
        free = shutil.disk_usage(self._folder).free - incoming
        if free < _MIN_FREE_BYTES or used > self._max_bytes:
            raise ColorflowError(FULL)
        if visitor and own + incoming > self._max_bytes - used:
            raise ColorflowError(
                f"You have stored as much as one visitor may: {own / 2**20:.0f} MB are yours, and "
                "as much has to be left for others; yours are deleted within an hour."
            )

    def _own_of(self, visitor: str, folder: Path) -> _Measured:
        with self._lock:
            for gone in [one for one, own in self._own.items() if not own.folder.exists()]:
                del self._own[gone]
            own = folder_of(folder / VISITORS, visitor)
            return self._own.setdefault(visitor, _Measured(own, self._clock, apart=True))

    def _step(self) -> int:
        return int(self._clock() / self._step_seconds)

    def _forget_before(self, step: int) -> None:
        for visitor, uploaded in list(self._uploaded.items()):
            for old in [one for one in uploaded if one < step]:
                del uploaded[old]
            if not uploaded.total():
                del self._uploaded[visitor]


class Upload:
    """One upload request; `stored` says whether its files are kept and go on counting."""

    def __init__(self, quota: DiskQuota, visitor: str) -> None:
        self.visitor = visitor
        self.stored = False
        self.bytes: Counter[int] = Counter()
        """By time step."""
        self._quota = quota

    def arrived(self, size: int) -> None:
        """Count bytes that have arrived.

        Raises:
            ColorflowError: they do not fit any more, see `DiskQuota.check`.
        """
        self._quota._add(self, size)
        self._quota._refuse(0, self.visitor)

    def stored_files(self, count: int) -> None:
        """Count what the disk takes for files and their folders, however small they are."""
        self.stored = True
        self._quota._add(self, 2 * _BLOCK_BYTES * count)


class _Measured:
    """Bytes in a folder: measured now and then, and counted in between. Thread-safe."""

    def __init__(self, folder: Path, clock: Callable[[], float], *, apart: bool = False) -> None:
        self.folder = folder
        self._clock = clock
        self._apart = apart
        self._measuring = threading.Lock()
        self._measured, self._measure_at = 0, clock()
        self._adding = threading.Lock()
        self._added = 0
        """Bytes that were stored since then."""

    @property
    def bytes(self) -> int:
        return self._measured + self._added

    def add(self, size: int) -> None:
        with self._adding:
            self._added += size

    def update(self) -> None:
        """Measure anew, unless that would take too much of the time or another thread does it."""
        started = self._clock()
        if started < self._measure_at or not self._measuring.acquire(blocking=False):
            return
        try:
            before = self._added
            measured = size_of(self.folder, apart=self._apart)
            with self._adding:
                self._measured = measured
                self._added -= before
            now = self._clock()
            self._measure_at = now + (now - started) / _MAX_MEASURING
        finally:
            self._measuring.release()


def size_of(folder: Path, *, apart: bool = False) -> int:
    """Bytes of all files and folders below a folder; a file with several names counts once.

    Args:
        folder: is not counted itself.
        apart: leave out files that have another name outside the folder.
    """
    sizes: dict[int, int] = {}
    names_elsewhere: dict[int, int] = {}
    folders = 0
    for parent, inner, names in os.walk(folder):
        folders += len(inner)
        for name in names:
            try:
                found = os.lstat(os.path.join(parent, name))
            except OSError:  # deleted meanwhile
                continue
            sizes[found.st_ino] = max(found.st_size, _BLOCK_BYTES)
            names_elsewhere.setdefault(found.st_ino, found.st_nlink)
            names_elsewhere[found.st_ino] -= 1
    counted = (size for one, size in sizes.items() if not (apart and names_elsewhere[one]))
    return folders * _BLOCK_BYTES + sum(counted)
