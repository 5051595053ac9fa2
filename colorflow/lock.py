"""A lock on a folder, so that one process at a time writes to it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colorflow.errors import ColorflowError

if sys.platform != "win32":
    import fcntl


@contextmanager
def locked(folder: Path, busy: ColorflowError) -> Iterator[None]:
    """Holds a lock on a folder; the system releases it when the process ends.

    Without locks in the system or the file system, it does nothing.

    Args:
        folder: an existing folder.
        busy: raised if another process holds the lock.
    """
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise busy from error
        yield
    finally:
        os.close(handle)
