"""The page's own folder: what visitors send and get, for as long as they use it.

    colorflow-page-.../   for this user alone
        lock              held as long as the program runs
        files/            Gradio's: uploads as they come; the server gives files from here out
            api-.../      results of the API
            visitors/     what the tabs keep of each visitor

A visitor's folder goes with what the server remembers of the visitor, everything else an hour after
it was written. A program that was killed leaves its folder; the next one to start removes it.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.errors import ColorflowError

if TYPE_CHECKING:
    import gradio as gr
    from gradio.state_holder import SessionState

try:
    import fcntl
except ImportError:  # Windows, where a folder of a killed program stays
    fcntl = None  # type: ignore[assignment]

PREFIX = "colorflow-page-"
FILES, VISITORS, LOCK = "files", "visitors", "lock"


@contextmanager
def page_folder() -> Iterator[Path]:
    """Make the folder, remove those of programs that were killed, and this one at the end.

    Yields:
        Its part for Gradio, with that for visitors in it.

    Raises:
        ColorflowError: it cannot be made.
    """
    _remove_stale(Path(tempfile.gettempdir()))
    try:
        # A handler may still be writing at the end, which is no error to tell.
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise ColorflowError(
            f"{tempfile.gettempdir()}: no folder for uploads can be made ({error.strerror}); "
            "set TMPDIR to a folder with room"
        ) from error
    with folder as name, _locked(Path(name)):
        files = Path(name) / FILES
        (files / VISITORS).mkdir(parents=True)
        yield files


def sweep(files: Path, seconds: float) -> None:
    """Remove uploads and results to which nothing was added for some time; no visitor's folder.

    Args:
        files: what `page_folder` gave.
        seconds: from when on.
    """
    oldest = time.time() - seconds
    for path in files.iterdir():
        if path.name != VISITORS and _changed(path) < oldest:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


async def forget_idle(page: gr.Blocks, seconds: float) -> None:
    """Forget visitors who have done nothing for some time, though their page may be open.

    To be awaited in the server's event loop. The states of the tabs delete their folders, in a
    thread: others are answered meanwhile.

    Args:
        page: which is running.
        seconds: from when on.
    """
    holder, now = page.state_holder, datetime.datetime.now()
    jobs = [job for job in page._queue.active_jobs if job]
    at_work = {event.session_hash for job in jobs for event in job}
    forgotten = []
    for visitor, used in list(holder.time_last_used.items()):
        if (now - used).total_seconds() > seconds and visitor not in at_work:
            forgotten.append(holder.session_data.pop(visitor, None))
            holder.time_last_used.pop(visitor, None)
    await asyncio.to_thread(_delete, [state for state in forgotten if state])


def _delete(states: Sequence[SessionState]) -> None:
    """Delete what belongs to states that nobody can reach any more."""
    for state in states:
        for component, value, _ in state.state_components:
            component.delete_callback(value)


def _changed(path: Path) -> float:
    """When something in it was written last; now, if it has just gone."""
    try:
        return max(one.stat().st_mtime for one in (path, *path.rglob("*")))
    except OSError:
        return time.time()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock, which the system takes from a program that is killed."""
    new = folder / f"{LOCK}.new"
    with open(new, "x") as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
        new.rename(folder / LOCK)  # so that no other program finds it and can have it
        yield


def _remove_stale(parent: Path) -> None:
    """Remove our folders whose lock nobody holds."""
    if not fcntl:
        return
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            with open(folder / LOCK, "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)  # which does not follow links
        except OSError:  # held, without a lock, or gone
            continue
