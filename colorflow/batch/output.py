"""The folder for the results: made, writable, and ours alone while a batch runs."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from colorflow.batch.store import check_url_writable
from colorflow.batch.url import Place, Url
from colorflow.errors import BatchError, WritePhotoError
from colorflow.lock import locked

STALE_SECONDS = 60
"""A temporary file that nobody has written to for so long is that of a run that was killed."""


@contextmanager
def place_for_results(output: Place, folders: Iterable[Place]) -> Iterator[None]:
    """Keeps other runs out of a folder, which is made if need be.

    Two runs would color everything twice. Where the file system knows no locks, and in stores that
    are reached by URL, they may; files appear whole in any case. What killed runs have left
    half-written in a folder of this machine is removed.

    Args:
        output: the folder of the run.
        folders: all folders, inside it, that results go to.

    Raises:
        BatchError: if another run is writing there.
        WritePhotoError: if the folder cannot be made or written to.
    """
    if isinstance(output, Url):
        check_url_writable(output)
        yield
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(output, f"the folder cannot be made ({error.strerror})") from error
    check_writable(output)
    busy = BatchError(
        f"{output}: another run of colorflow is writing to this folder; "
        "wait until it has ended, or choose another folder with -o"
    )
    with locked(output, busy):
        for folder in {output, *folders}:
            assert isinstance(folder, Path)
            _remove_stale_files(folder)
        yield


def check_writable(folder: Path) -> None:
    """Raises `WritePhotoError` unless a file can be made in a folder."""
    probe = folder / f".colorflow-{secrets.token_hex(8)}.tmp"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except FileNotFoundError as error:
        raise WritePhotoError(folder, "there is no such folder to write to") from error
    except OSError as error:
        raise WritePhotoError(
            folder, f"nothing can be written here ({error.strerror}); choose another folder"
        ) from error


def _remove_stale_files(folder: Path) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".colorflow-") and entry.name.endswith(".tmp"):
                with suppress(OSError):
                    if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                        os.unlink(entry.path)
