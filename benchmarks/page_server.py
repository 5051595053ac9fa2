"""Runs the page as its own process for benchmarks."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MOST_SECONDS = 600.0
"""Limit for the start of the page on a busy machine."""
_PATIENCE = 20.0
"""Limit for the end of the process after SIGTERM."""


@contextmanager
def page_server(
    folder: Path,
    weights: Path | None = None,
    photos: Path | None = None,
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Starts a page; yields its address and its process, which ends with the context.

    Args:
        folder: folder for everything that the page writes, including the quiz's answers.
        weights: weights file; None for the shipped one.
        photos: folder with the quiz's photos; None for those that come with the page.

    Raises:
        AssertionError: if the page does not start.
    """
    port = free_port()
    command = [sys.executable, "-m", "colorflow.cli", "app", "--port", str(port)]
    command += ["--quiz-db", str(folder / "quiz.sqlite")]
    command += ["--weights", str(weights)] if weights else []
    command += ["--photos", str(photos)] if photos else []
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield _address_printed_by(process), process
        finally:
            _end(process)


def free_port() -> int:
    """A port of this machine that is free, and stays so: systems give connections higher ones."""
    while True:
        port = secrets.choice(range(10_000, 32_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _address_printed_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    guard = threading.Timer(_MOST_SECONDS, process.kill)
    guard.start()
    try:
        line = next((one for one in process.stdout if one.startswith("colorflow is at")), None)
    finally:
        guard.cancel()
    assert line is not None, "the page does not start"
    return line.split()[3]


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
