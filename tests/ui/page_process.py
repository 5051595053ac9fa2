"""The page as a process of its own, with a Colorizer that needs no weights.

It is forked from a process that has imported what pages import, which takes most of a start.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from gradio_client import Client

from benchmarks.page_server import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(__file__).with_name("fake_colorizer.py")
_IMPORTED = ["gradio", "colorflow.colorizer", "colorflow.enlarge.enlarger", "colorflow.quiz.game"]
_IMPORTED += ["colorflow.ui.server", "colorflow.ui.guard", "colorflow.ui.page"]
_READY = "colorflow is at "
"""How the line begins that names the address."""
START_SECONDS = 180
PATIENCE = 60.0
"""Seconds that anything else may take on a busy machine."""
WAITING = {"timeout": PATIENCE}
"""The same for the requests of a Gradio client, which else may take five seconds."""


@dataclass(frozen=True)
class Page:
    """A running page."""

    address: str
    port: int
    process: BaseProcess
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

    def client(self, downloads: Path | None = None) -> Client:
        """A program that asks the page, and waits for its answers as long as they take."""
        return Client(
            self.address, httpx_kwargs=WAITING, verbose=False, download_files=downloads or False
        )

    def end(self, number: signal.Signals) -> str:
        """Send a signal and wait for the end; what the process has printed."""
        assert self.process.pid
        os.kill(self.process.pid, number)
        self.process.join(30)
        self.reader.join()
        return self.log


def start(temporary: Path, port: int, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start the page as a program and do not wait; arguments are those of ``colorflow app``."""
    return subprocess.Popen(
        [sys.executable, PROGRAM, "--port", str(port), *arguments],
        env={**os.environ, **_environment(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running_page(temporary: Path, *arguments: str | Path) -> Iterator[Page]:
    """A page that is ready to answer; it is ended if the caller has not done so."""
    port = free_port()
    output, own_end = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    environment = {**os.environ, **_environment(temporary)}
    options = ["--port", str(port), *map(str, arguments)]
    process = context.Process(target=_run_page, args=(own_end, environment, options))
    process.start()
    own_end.close()
    printed: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(output, printed, ready), daemon=True)
    reader.start()
    try:
        assert ready.wait(START_SECONDS), f"the page did not start:\n{''.join(printed)}"
        address = next((line.split()[3] for line in printed if line.startswith(_READY)), None)
        assert address, f"the page ended:\n{''.join(printed)}"
        page = Page(address, port, process, temporary, printed, reader)
        try:
            yield page
        except BaseException as error:
            error.add_note(f"The page printed:\n{page.log}")
            raise
    finally:
        process.kill()
        process.join()
        reader.join()


def _run_page(output: Connection, environment: Mapping[str, str], options: list[str]) -> None:
    """Be the program, in a process that has been forked."""
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    torch.set_num_threads(1)
    sys.argv = [str(PROGRAM), *options]
    runpy.run_path(str(PROGRAM), run_name="__main__")


def _environment(temporary: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(temporary),
        "OMP_NUM_THREADS": "1",
        "GRADIO_IS_E2E_TEST": "1",  # a closed page's state lives for a second, not an hour
    }


def _read(output: Connection, printed: list[str], ready: threading.Event) -> None:
    """Keep the lines that come; the event is set once one names the address, or all have come."""
    with open(os.dup(output.fileno()), encoding="utf-8") as lines:
        for line in lines:
            printed.append(line)
            if line.startswith(_READY):
                ready.set()
    ready.set()


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
