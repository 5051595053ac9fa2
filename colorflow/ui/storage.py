"""The page's folder: what visitors upload and receive, for as long as they use it.

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
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from colorflow.errors import ColorflowError

try:
    import fcntl
except ImportError:  # Windows, where the folder of a killed program stays
    fcntl = None  # type: ignore[assignment]

PREFIX = "colorflow-page-"
FILES, VISITORS, LOCK = "files", "visitors", "lock"
API_PREFIX = "api-"
"""Of the folders with results of the API."""
_EMPTY_SECONDS = 300.0
"""How long an empty file stays, which may be the begin of an upload."""


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


def folder_of(root: Path, visitor: str) -> Path:
    """The folder of a visitor, which need not exist, within the folder for visitors."""
    return root / hashlib.sha256(visitor.encode()).hexdigest()[:16]


def sweep(files: Path, seconds: float) -> None:
    """Delete uploads and results of the API that have not changed for some time.

    Folders of sessions and games stay, those of visitors unless they are empty. Empty files go
    sooner: Gradio 6.31 makes one for each file that an event brings, and deletes none.

    Args:
        files: Gradio's folder, as `page_folder` yields it.
        seconds: age from which files are deleted.
    """
    now = time.time()
    visitors = files / VISITORS
    for path in (*files.iterdir(), *visitors.glob(f"*/{API_PREFIX}*")):
        keep = min(seconds, _EMPTY_SECONDS) if _is_empty(path) else seconds
        if path != visitors and _last_change(path) < now - keep:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    for path in visitors.glob("*"):
        with suppress(OSError):  # gone, or not empty
            if path.stat().st_mtime < now - seconds:
                path.rmdir()


def _is_empty(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size == 0
    except OSError:  # just deleted
        return False


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
    with open(new, "x") as file:
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
            if folder.stat().st_uid != os.getuid():
                continue
            with open(folder / LOCK, "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)  # does not follow links
        except OSError:  # locked, without a lock, or gone
            continue
