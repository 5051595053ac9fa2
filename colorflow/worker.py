"""Worker processes of a batch, and one that starts before it is known what it is to do.

Importing this module loads nothing heavy, so a command starts its first worker at once: the worker
imports what it needs while the command imports what it needs itself, and plans.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ahead: list[subprocess.Popen[bytes]] = []
"""The process of `worker_ahead`, until a worker takes it."""


def worker_process() -> subprocess.Popen[bytes]:
    """That of `worker_ahead`, once, or a new one, see `colorflow.batch.processes.serve`."""
    try:
        return _ahead.pop()
    except IndexError:
        return _started()


@contextmanager
def worker_ahead() -> Iterator[None]:
    """Starts the process of the first worker; ends it if no worker has taken it inside."""
    with suppress(OSError):  # the worker will say so
        _ahead.append(_started())
    try:
        yield
    finally:
        while _ahead:
            with _ahead.pop() as process:
                process.kill()


def _started() -> subprocess.Popen[bytes]:
    """It has a session of its own, so that Ctrl-C in the terminal reaches the parent alone."""
    return subprocess.Popen(
        [sys.executable, "-c", "from colorflow.batch.processes import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        # Two threads of NumPy's small products wait for each other, busily.
        env={"OPENBLAS_NUM_THREADS": "1"} | os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
