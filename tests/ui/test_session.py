"""Uploaded photos, and what the server keeps of a visitor, without a tab."""

from __future__ import annotations

import threading
import tracemalloc
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorflow.errors import ColorflowError
from colorflow.photo import Provenance
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.panes import one_at_a_time
from colorflow.ui.session import Job, Session
from tests.ui.page_process import PATIENCE


@pytest.fixture
def session(root: Path) -> Session[ColoredPhoto]:
    return Session(root, MemoryBudget())


def add(session: Session[ColoredPhoto], upload: Path) -> ColoredPhoto:
    photo = ColoredPhoto(photo=session.read(upload), upload=upload)
    session.add(photo)
    return photo


def test_a_download_takes_no_float_plane_of_lightness(
    session: Session[ColoredPhoto], tmp_path: Path
) -> None:
    side = 2400  # so that the strips at work, a few megabytes, weigh little
    Image.new("L", (side, side), 120).save(tmp_path / "gray.png")
    photo = session.read(tmp_path / "gray.png")

    def write() -> None:
        ab = np.zeros((2, 64, 64), np.float32)
        photo.write_coloring(ab, photo.folder / "made.png", Provenance(0, 1.0, "fake"))

    write()  # what is loaded once does not count
    tracemalloc.start()
    try:
        write()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 9.5 * side**2, "bytes: about 8 a pixel, and 11.5 with a plane of float32"


def test_gradio_s_copy_of_a_session_is_a_new_one(
    session: Session[ColoredPhoto], root: Path, small: Path
) -> None:
    add(session, small)
    other = deepcopy(session)
    assert other.current is None
    assert other.budget is session.budget
    assert len(list(root.iterdir())) == 1, "a session makes its folder when it needs one"
    add(other, small)
    session.close()
    assert list(root.iterdir()) == [other.folder]
    assert other.require().photo.preview.exists()


def test_errors_matter_only_while_the_visitor_stays(
    session: Session[ColoredPhoto], small: Path
) -> None:
    first, second = add(session, small), add(session, small)
    with pytest.raises(ColorflowError), session.unless_left(first):
        raise ColorflowError("the file has gone")
    session.look_at(second)
    with session.unless_left(first):
        raise ColorflowError("the file has gone")


class WaitingJob(Job):
    def __init__(self) -> None:
        super().__init__()
        self.state = "waiting"


@pytest.mark.parametrize("begun", [False, True])
def test_a_job_is_awaited_only_if_it_has_begun(session: Session[Any], begun: bool) -> None:
    job = WaitingJob()
    session.start(job)
    if begun:
        job.__enter__()
    stop = threading.Thread(target=session.stop, daemon=True)
    stop.start()
    stop.join(0.3 if begun else PATIENCE)
    assert stop.is_alive() == begun
    assert job.end == "replaced"
    job.__exit__(None, None, None)
    stop.join(PATIENCE)
    assert not stop.is_alive()
    assert session.job is None


def test_a_turn_that_is_never_given_back_is_waited_for_once(
    session: Session[ColoredPhoto], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio asks a handler for no further update when the visitor has left."""
    monkeypatch.setattr("colorflow.ui.session._TURN_SECONDS", 0.05)
    session.turn.acquire()
    assert list(one_at_a_time(lambda session: {})(session)) == [{}, {}]
    session.catch_up()
    assert session.turn.locked(), "it is still that of who took it"
