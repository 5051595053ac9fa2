"""The page as a process of its own, with a Colorizer that needs no weights."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(__file__).with_name("fake_colorizer.py")
START_SECONDS = 180
PATIENCE = 60.0
"""Seconds that anything else may take on a busy machine."""


@dataclass(frozen=True)
class Page:
    """A running page."""

    address: str
    port: int
    process: subprocess.Popen[str]
    temporary: Path
    """All temporary files of the process are below this folder."""
    printed: list[str]
    """The lines that the process has printed."""
    reader: threading.Thread
    """Reads them as they come: a process that nobody reads waits once 64 KB are unread."""

    @property
    def log(self) -> str:
        """What the process has printed, for whoever asks why a test failed."""
        return "".join(self.printed)

    def end(self, number: signal.Signals) -> str:
        """Send a signal and wait for the end; what the process has printed."""
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        self.reader.join()
        return self.log


def start(
    temporary: Path,
    port: int,
    *arguments: str | Path,
    program: Sequence[str | Path] = (PROGRAM,),
) -> subprocess.Popen[str]:
    """Start the page's process and do not wait; arguments are those of ``colorflow app``."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(temporary),
        "OMP_NUM_THREADS": "1",
        "GRADIO_IS_E2E_TEST": "1",  # a closed page's state lives for a second, not an hour
    }
    return subprocess.Popen(
        [sys.executable, *program, "--port", str(port), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running_page(
    temporary: Path, *arguments: str | Path, program: Sequence[str | Path] = (PROGRAM,)
) -> Iterator[Page]:
    """A page that is ready to answer; it is ended if the caller has not done so."""
    port = _free_port()
    with start(temporary, port, *arguments, program=program) as process:
        printed: list[str] = []
        reader = threading.Thread(target=_read, args=(process, printed), daemon=True)
        try:
            address = _address_printed_by(process, printed)
            reader.start()
            page = Page(address, port, process, temporary, printed, reader)
            try:
                yield page
            except BaseException as error:
                error.add_note(f"The page printed:\n{page.log}")
                raise
        finally:
            process.kill()
            if reader.ident:
                reader.join()


def _read(process: subprocess.Popen[str], printed: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        printed.append(line)


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)


def _address_printed_by(process: subprocess.Popen[str], printed: list[str]) -> str:
    """Wait for the line that names the page's address; the lines before it are added to a list."""
    assert process.stdout is not None
    guard = threading.Timer(START_SECONDS, process.kill)
    guard.start()
    for line in process.stdout:
        if line.startswith("colorflow is at "):
            guard.cancel()
            return line.split()[3]
        printed.append(line)
    guard.cancel()
    raise AssertionError(f"the page did not start:\n{''.join(printed)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
