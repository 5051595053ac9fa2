"""The running server: what it keeps and for how long, and how many requests it takes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import handle_file
from gradio_client.utils import QueueError, Status
from PIL import Image
from skimage import data

from benchmarks.hostile_kinds import jpeg_of_many_scans
from benchmarks.measuring import family_of
from colorflow.ui.limits import BEGUN, WORKED_ON
from tests.quiz.album import save_album
from tests.ui.fake_colorizer import HELD_WIDTH, HOLD
from tests.ui.page_process import PATIENCE, Page, running_page, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def quiz(tmp_path: Path) -> tuple[str | Path, ...]:
    save_album(tmp_path / "album", 3)
    return ("--photos", tmp_path / "album", "--quiz-db", tmp_path / "quiz.sqlite")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo that is colored when nothing holds it."""
    path = tmp_path / "photo.png"
    Image.fromarray(data.camera()[:HELD_WIDTH, :HELD_WIDTH]).save(path)
    return path


@pytest.fixture
def held(temporary: Path, quiz: tuple[str | Path, ...]) -> Iterator[Page]:
    """A page with room for one that waits, whose coloring is held up."""
    with running_page(temporary, "--queue", "1", *quiz) as page:
        (temporary / HOLD).touch()
        yield page


def test_a_full_queue_is_told_and_the_others_are_answered(
    held: Page, photo: Path, tmp_path: Path
) -> None:
    clients = [held.client(tmp_path / "downloads") for _ in range(BEGUN + 2)]
    running = []
    for one in clients[2:]:  # in turn: the queue has room for one that has not begun
        running.append(one.submit(handle_file(photo), 1, api_name="/colorize"))
        wait_until(lambda: running[-1].status().code == Status.PROCESSING)
    waiting = clients[1].submit(handle_file(photo), 2, api_name="/colorize")
    wait_until(lambda: waiting.status().code == Status.IN_QUEUE)
    with pytest.raises(QueueError, match="Queue is full! Please try again"):
        clients[0].predict(handle_file(photo), 3, api_name="/colorize")
    answer = httpx.post(
        f"{held.address}gradio_api/call/colorize",
        json={"data": [None, 1, 1, 0, "same", False, []]},
        trust_env=False,
        timeout=PATIENCE,
    )
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("Queue is full.")
    (held.temporary / HOLD).unlink()
    assert [len(one.result(PATIENCE)[0]) for one in running] == BEGUN * [1]
    assert len(waiting.result(PATIENCE)[0]) == 2
    assert len(clients[0].predict(handle_file(photo), 3, api_name="/colorize")[0]) == 3


def test_reading_keeps_nobody_waiting_and_no_page_from_its_end(
    temporary: Path, quiz: tuple[str | Path, ...], photo: Path, tmp_path: Path
) -> None:
    large = tmp_path / "scans.jpg"
    large.write_bytes(jpeg_of_many_scans(5500, 8000))  # takes its 26 s of the processor
    with running_page(temporary, *quiz) as page:
        client = page.client(tmp_path / "downloads")
        given = handle_file(large)
        running = [client.submit(given, 1, api_name="/colorize") for _ in range(WORKED_ON + 2)]
        wait_until(lambda: all(one.status().code == Status.PROCESSING for one in running))
        files, _ = client.predict(handle_file(photo), 1, api_name="/colorize")
        assert len(files) == 1
        assert not any(one.done() for one in running)
        assert page.process.pid
        family = family_of(page.process.pid)
        began = time.monotonic()
        output = page.end(signal.SIGTERM)
        assert time.monotonic() - began < 15, "5 s on a machine without other work"
        assert page.process.exitcode == 0
        assert "Traceback" not in output
        wait_until(lambda: not any(family_of(one) for one in family))
