"""The page's server: what it answers, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorflow.ui.server import _ended_by_signals, _listening
from tests.ui.page_process import ROOT, START_SECONDS, Page, running_page, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with running_page(tmp_path_factory.mktemp("page")) as page:
        yield page


def test_a_port_in_use_is_one_line(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    temporary = tmp_path_factory.mktemp("second")
    with start(temporary, page.port) as second:
        output, _ = second.communicate(timeout=START_SECONDS)
    assert second.returncode == 1
    (line,) = [line for line in output.splitlines() if line.startswith("colorflow: ")]
    assert f"port {page.port}" in line
    assert "--port" in line
    assert "Traceback" not in output
    assert list(temporary.iterdir()) == []


def test_app_py_starts_the_page_with_the_real_colorizer(tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    done = subprocess.run(
        [sys.executable, ROOT / "app.py", "--weights", missing],
        env={**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert f"Invalid value for '--weights': Path '{missing}' does not exist" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_connections_do_not_hold_back_what_they_send() -> None:
    with (
        _listening("127.0.0.1", 0) as server,
        socket.create_connection(server.getsockname()),
        server.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), _ended_by_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_it_ends_well_and_leaves_nothing(page: Page) -> None:
    (folder,) = page.temporary.iterdir()
    assert folder.stat().st_mode & 0o077 == 0, "other users of the machine may look into it"
    output = page.end(signal.SIGTERM)
    assert page.process.exitcode == 0
    assert list(page.temporary.iterdir()) == []
    assert "Traceback" not in output
    assert "LEFT THE MACHINE" not in output
