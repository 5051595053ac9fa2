"""The page's folder: what visitors upload and receive, for how long, and how much of it.

    colorflow-page-.../   readable by this user alone
        lock              locked while the program runs
        files/            Gradio's folder: uploads, and everything that the server may send
            visitors/
                desk-.../       files of one visitor's desk
                quiz-.../       pictures of one visitor's quiz
                api-.../        results of the API

A quiz's folder is deleted with its game, everything else an hour after its last change. A killed
program leaves its folder behind; the next one to start deletes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
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
    """Delete uploads, results of the API, and desks that have not changed for some time.

    Folders of games stay.

    Args:
        files: Gradio's folder, as `page_folder` yields it.
        seconds: age from which files are deleted.
    """
    now = time.time()
    visitors = files / VISITORS
    ours = (path for prefix in (API_PREFIX, DESK_PREFIX) for path in visitors.glob(f"{prefix}*"))
    for path in (*files.iterdir(), *ours):
        if path != visitors and _last_change(path) < now - seconds:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


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
        self._measuring, self._counting = threading.Lock(), threading.Lock()
        self._stored, self._measure_at = 0, clock()
        self._arriving = 0

    @contextmanager
    def arriving(self, size: int) -> Iterator[None]:
        """Hold room for an upload of so many bytes; it may not be entered in an event loop.

        Raises:
            ColorflowError: there is no room, see `check`.
        """
        arrived = 0
        with self._counting:
            self._arriving += size
        try:
            self.check()
            arrived = size
            yield
        finally:
            with self._counting:
                self._arriving -= size
                self._stored += arrived  # until the folder is measured again

    def check(self, incoming: int = 0) -> None:
        """Refuse what does not fit. Not to be called in an event loop: it may measure the folder.

        Args:
            incoming: bytes that are about to be stored.

        Raises:
            ColorflowError: the files have reached the quota, or the disk is full.
        """
        if self._folder is None:
            return
        self._measure(self._folder)
        incoming += self._arriving
        free = shutil.disk_usage(self._folder).free - incoming
        if free < _MIN_FREE_BYTES or self._stored + incoming > self._max_bytes:
            raise ColorflowError(FULL)

    def _measure(self, folder: Path) -> None:
        """Measure anew, unless that would take too much of the time or another thread does it."""
        started = self._clock()
        if started < self._measure_at or not self._measuring.acquire(blocking=False):
            return
        try:
            self._stored = size_of(folder)
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
