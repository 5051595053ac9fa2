"""The page's folder: what visitors upload and receive, for how long, and how much of it.

    colorflow-page-.../   readable by this user alone
        lock              locked while the program runs
        files/            Gradio's folder: uploads, and everything that the server may send
            visitors/     in a folder for each visitor:
                session-.../    files of the tabs
                quiz-.../       pictures of the quiz
                api-.../        results of the API

A session's folder is deleted with the session, a quiz's with its game, everything else an hour
after it was written. A killed program leaves its folder behind; the next one to start deletes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from colorflow.errors import ColorflowError

try:
    import fcntl
except ImportError:  # Windows, where the folder of a killed program stays
    fcntl = None  # type: ignore[assignment]

PREFIX = "colorflow-page-"
FILES, VISITORS, LOCK = "files", "visitors", "lock"
API_PREFIX, DESK_PREFIX = "api-", "desk-"
"""Of the folders with results of the API, and of the desks."""
_LOCK_TEXT = "colorflow removes the folder of this file when its page ends, or another begins.\n"
"""Content of the lock, without which a folder of such a name is a person's own."""
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


@contextmanager
def page_folder() -> Iterator[Path]:
    """Make the folder, and delete it at the end; first delete those of killed programs.

    Yields:
        Gradio's folder inside it, which holds the folder for visitors.

    Raises:
        ColorflowError: the folder cannot be made.
    """
    _remove_stale(Path(tempfile.gettempdir()))
    try:
        # A handler may still be writing at the end; that is no error to report.
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise ColorflowError(
            f"{tempfile.gettempdir()}: no folder for uploads can be made ({error.strerror}); "
            "set TMPDIR to a folder with free space"
        ) from error
    with folder as name, _locked(Path(name)):
        files = Path(name) / FILES
        (files / VISITORS).mkdir(parents=True)
        yield files


def sweep(files: Path, seconds: float) -> None:
    """Delete uploads and results of the API that have not changed for some time.

    Folders of sessions and games stay, those of visitors unless they are empty.

    Args:
        files: Gradio's folder, as `page_folder` yields it.
        seconds: age from which files are deleted.
    """
    now = time.time()
    visitors = files / VISITORS
    for path in (*files.iterdir(), *visitors.glob(f"*/{API_PREFIX}*")):
        if path != visitors and _last_change(path) < now - seconds:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    for path in visitors.glob("*"):
        with suppress(OSError):  # gone, or not empty
            if path.stat().st_mtime < now - seconds:
                path.rmdir()


class DiskQuota:
    """Bounds the files on the disk: those of all visitors, and those of each.

    A visitor may have as much as is then left for all others, so that none of them fills the disk.
    What a visitor has are the uploads of the last hour, be they complete or broken off, and what
    lies in the visitor's own folder. Thread-safe.

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
        self._max_bytes = max_bytes
        self._step_seconds = keep_seconds / _STEPS
        self.at_work = at_work
        self._clock = clock
        self._lock = threading.Lock()
        self._all = _Measured(folder, clock) if folder else None
        self._own: dict[str, _Measured] = {}
        """What each visitor's folder holds."""
        self._uploaded: dict[str, Counter[int]] = {}
        """Bytes by visitor and time step."""

    def folder_at_work(self, root: Path) -> Path:
        """Make the folder, below `root`, for what the current thread makes for its visitor.

        Raises:
            OSError: it cannot be made.
        """
        visitor = self.at_work()
        if visitor is None:
            return root
        folder = _folder_of(root, visitor)
        folder.mkdir(exist_ok=True)
        os.utime(folder)  # so that `sweep` leaves it
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
        visitor = visitor or self.at_work()
        if self._all:
            self._all.update()
            if visitor:
                self._own_of(visitor, self._all.folder).update()
        self._refuse(incoming, visitor)

    def arrived(self, visitor: str, size: int, files: int = 0) -> None:
        """Count a piece of an upload for `keep_seconds`, whatever becomes of it.

        Args:
            visitor: who sends it.
            size: its bytes.
            files: how many begin with it; each and its folder take room, however small it is.

        Raises:
            ColorflowError: they do not fit any more, see `check`.
        """
        size += 2 * _BLOCK_BYTES * files
        step = int(self._clock() / self._step_seconds)
        with self._lock:
            self._forget_before(step - _STEPS)
            self._uploaded.setdefault(visitor, Counter())[step] += size
        if self._all:
            self._all.add(size)
        self._refuse(0, visitor)

    def _refuse(self, incoming: int, visitor: str | None) -> None:
        """Compare what is known now, without measuring."""
        if self._all is None:
            return
        used, own = self._all.bytes + incoming, 0
        with self._lock:
            if visitor:
                own += self._uploaded.get(visitor, Counter()).total()
                own += self._own[visitor].bytes if visitor in self._own else 0
        free = shutil.disk_usage(self._all.folder).free - incoming
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
            own = _folder_of(folder / VISITORS, visitor)
            return self._own.setdefault(visitor, _Measured(own, self._clock, apart=True))

    def _forget_before(self, step: int) -> None:
        for visitor, uploaded in list(self._uploaded.items()):
            for old in [one for one in uploaded if one < step]:
                del uploaded[old]
            if not uploaded:
                del self._uploaded[visitor]


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


def loose_files(files: Path) -> list[Path]:
    """Files that lie in Gradio's folder itself: uploads under way, and what is left of others."""
    with os.scandir(files) as entries:
        return [Path(one.path) for one in entries if one.is_file(follow_symlinks=False)]


def _folder_of(root: Path, visitor: str) -> Path:
    """The folder of a visitor, which need not exist, within the folder for visitors."""
    return root / hashlib.sha256(visitor.encode()).hexdigest()[:16]


def _last_change(path: Path) -> float:
    """Time of the last change in a file or folder; now, if it has just been deleted."""
    try:
        return max(one.stat().st_mtime for one in (path, *path.rglob("*")))
    except OSError:
        return time.time()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when a program is killed."""
    new = folder / f"{LOCK}.new"
    with open(new, "x", encoding="ascii") as file:
        file.write(_LOCK_TEXT)
        file.flush()
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
        new.rename(folder / LOCK)  # no other program ever finds it unlocked
        yield


def _remove_stale(parent: Path) -> None:
    """Delete our folders whose lock nobody holds."""
    if not fcntl:
        return
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.lstat().st_uid != os.getuid():
                continue
            with open(folder / LOCK, "r+", encoding="ascii") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                ours = {path.name for path in folder.iterdir()} <= {LOCK, FILES}
                if ours and file.read(len(_LOCK_TEXT)) == _LOCK_TEXT:
                    shutil.rmtree(folder, ignore_errors=True)  # does not follow links
        except (OSError, ValueError):  # locked, without a lock, or gone; no ASCII
            continue
