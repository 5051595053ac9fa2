"""Colorings that come one by one, and what ends them, without a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from colorflow.errors import WeightsError
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SAMPLES
from colorflow.ui.session import Job, Session
from colorflow.ui.status import Updates
from tests.ui.fake_colorizer import FakeColorizer
from tests.ui.handling import (
    click,
    colorize,
    compared,
    download,
    drop,
    everything,
    is_problem,
    look,
    more,
    new,
    opened,
    running,
    text,
    value,
)


def started(
    tab: ColorizeTab, session: Session[ColoredPhoto], n: int, seed: int = 0, *, there: int
) -> Iterator[Updates]:
    """A run of n, stopped when so many are there."""
    run = running(tab, tab.one, session, n, 1.0, seed, SAMPLES)
    for _ in range(1 + there):
        next(run)
    return run


def captions(session: Session[ColoredPhoto]) -> list[str]:
    return [one.caption for one in session.require().colorings]


def folders(session: Session[ColoredPhoto]) -> list[Path]:
    return sorted(session.current.photo.folder.glob("run-*"))


def test_they_come_one_by_one(tab: ColorizeTab, colorizer: FakeColorizer, small: Path) -> None:
    session = opened(tab, small)
    run = running(tab, tab.one, session, 4, 0.7, 5, SAMPLES)
    at_once = next(run)
    assert text(at_once, tab.status) == "0 of 4 colorings are here."
    for number in range(1, 5):
        updates = next(run)
        assert colorizer.calls == [(1, 0.7, 5 + i, True) for i in range(number)]
        shown = [caption for _, caption in value(updates, tab.gallery)]
        assert shown == [f"Sample {1 + i}" for i in range(number)]
        assert text(updates, tab.status) == f"{number} of 4 colorings are here."
        assert f'value="{number}" max="4"' in value(updates, tab.status)
        assert (tab.result.compare in updates) == (number == 1), (
            "only the first one is shown by itself"
        )
    last = next(run)
    assert set(last) == {tab.status, tab.cancel_button}
    assert not last[tab.cancel_button]["visible"]
    assert next(run, None) is None


def test_a_click_while_they_come_is_not_undone(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    run = started(tab, session, 4, there=2)
    assert compared(click(tab, session, 1), tab.result)[1].name == "s1.jpg"
    rest = everything(run)
    assert tab.result.compare not in rest
    assert tab.result.download.button not in rest
    assert "selected_index" not in rest[tab.gallery]
    assert session.current.chosen is session.current.colorings[1]


def test_cancel_keeps_what_is_there_and_samples_no_more(
    tab: ColorizeTab, colorizer: FakeColorizer, small: Path
) -> None:
    session = opened(tab, small)
    run = started(tab, session, 8, there=3)
    session.cancel()
    rest = everything(run)
    assert text(rest, tab.status) == "Cancelled; 3 of 8 colorings are here."
    assert not rest[tab.cancel_button]["visible"]
    assert tab.gallery not in rest
    assert captions(session) == ["Sample 1", "Sample 2", "Sample 3"]
    assert len(colorizer.calls) == 3
    assert download(tab, session, 2).exists()
    session.cancel()  # once more, when nothing goes on
    new(tab.session).cancel()


def test_cancel_before_the_first_one_keeps_those_before(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    colorize(tab, session, n=2, samples=True)
    run = started(tab, session, 8, seed=20, there=0)
    session.cancel()
    assert text(everything(run), tab.status) == "Cancelled; 0 of 8 colorings are here."
    assert captions(session) == ["Sample 1", "Sample 2"]
    assert len(folders(session)) == 1
    assert download(tab, session, 1).exists()


class Handler(threading.Thread):
    """A handler that runs while a run is going on, as Gradio would have it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, handle: Any) -> None:
        super().__init__(daemon=True)
        self.asked = threading.Event()
        self.updates: Updates = {}
        replace = Job.replace

        def say_and_replace(job: Job) -> None:
            job.end = "replaced"
            self.asked.set()
            replace(job)

        monkeypatch.setattr(Job, "replace", say_and_replace)
        self._handler = handle
        self.start()

    def run(self) -> None:
        self.updates = self._handler()


@pytest.mark.parametrize("what", ["upload", "resample", "another photo", "vary"])
def test_what_comes_after_a_run_waits_for_its_end(
    tab: ColorizeTab, small: Path, gray: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    session = opened(tab, small, gray)
    run = started(tab, session, 8, there=3)
    handlers = {
        "upload": lambda: drop(tab, [gray], session),
        "resample": lambda: colorize(tab, session, n=2, seed=30, samples=True),
        "another photo": lambda: look(tab, session, 1),
        "vary": lambda: more(tab, session, 1, alike=True),
    }
    other = Handler(monkeypatch, handlers[what])
    assert other.asked.wait(30)
    other.join(0.2)
    assert other.is_alive(), "what it shows may be overtaken by what the run has sent"
    assert list(run) == [{tab.status: gr.skip()}], "Gradio sends the last one twice"
    other.join(30)
    assert other.updates
    expected = {
        "upload": [],
        "resample": ["Sample 1", "Sample 2"],
        "another photo": [],
        "vary": ["Sample 1", "Sample 1, variation 1"],
    }
    assert captions(session) == expected[what]
    assert len(folders(session)) == (1 if expected[what] else 0)


def test_another_list_of_photos_ends_the_run(
    tab: ColorizeTab, small: Path, gray: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(tab, small, gray)
    run = started(tab, session, 8, there=3)
    other = Handler(monkeypatch, lambda: drop(tab, [small], session))
    assert other.asked.wait(30)
    everything(run)
    other.join(30)
    assert not other.updates[tab.cancel_button]["visible"]
    assert len(value(other.updates, tab.gallery)) == 3, "what had come of this photo stays"
    assert value(other.updates, tab.status) == ""


def test_a_visitor_who_leaves_ends_the_run(
    tab: ColorizeTab, colorizer: FakeColorizer, small: Path
) -> None:
    session = opened(tab, small)
    run = started(tab, session, 8, there=2)
    run.close()  # type: ignore[attr-defined]
    assert len(colorizer.calls) == 2
    assert session.job is not None
    assert session.job.state == "ended"
    session.close()
    assert not session.items


def test_photos_taken_away_in_the_middle_are_no_error(
    tab: ColorizeTab, root: Path, small: Path
) -> None:
    session = opened(tab, small)
    run = started(tab, session, 8, there=1)
    session.close()
    assert list(run) == [{tab.status: gr.skip()}]
    assert not any(root.rglob("*.png"))


def test_an_error_in_the_middle_is_told_and_keeps_what_is_there(
    tab: ColorizeTab, colorizer: FakeColorizer, small: Path
) -> None:
    session = opened(tab, small)
    run = started(tab, session, 4, there=2)
    colorizer.error = WeightsError("w.safetensors: does not fit")
    rest = everything(run)
    assert is_problem(rest, tab.status)
    assert not rest[tab.cancel_button]["visible"]
    assert captions(session) == ["Sample 1", "Sample 2"]
    colorizer.error = None
    assert text(colorize(tab, session, n=1), tab.status).startswith("1 coloring in")


def test_what_else_is_asked_of_a_run(tab: ColorizeTab, small: Path) -> None:
    event = SimpleNamespace(index=0)
    assert "gone" in text(tab.look_at(new(tab.session), event), tab.about)  # type: ignore[arg-type]
    assert tab.compare_with(new(tab.session), "Its gray") == {tab.result.compare: gr.skip()}
    assert tab.compare_with(opened(tab, small), "Its gray") == {tab.result.compare: gr.skip()}
