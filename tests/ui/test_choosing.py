"""Choosing among colorings, several visitors, and the page as a whole, without a server."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.components.api_component import Api
from PIL import Image

from colorflow.color.full_resolution import render
from colorflow.quiz.game import Quiz
from colorflow.quiz.store import AnswerStore
from colorflow.quiz.trials import PhotoPool
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.limits import Limits, MemoryBudget
from colorflow.ui.page import build_page
from tests.ui.fake_colorizer import FakeColorizer
from tests.ui.handling import (
    click,
    colorize,
    compared,
    download,
    is_problem,
    new,
    opened,
    pixels,
    text,
    value,
)

# choosing


def test_a_click_shows_that_coloring(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    first = colorize(tab, session, n=3)
    updates = click(tab, session, 2)
    assert compared(updates, tab.result)[0] == compared(first, tab.result)[0]
    assert str(compared(updates, tab.result)[1]) == value(first, tab.gallery)[2][0]
    assert value(tab.result.download.prepare(session, "PNG"), tab.result.download.file).endswith(
        "small_c.png"
    )


def test_only_what_is_chosen_is_painted_in_full_size_and_once(
    tab: ColorizeTab, root: Path, gray: Path
) -> None:
    session = opened(tab, gray)
    colorize(tab, session, n=4)
    assert not any(root.rglob(f"run-*/{gray.stem}*"))
    first = download(tab, session, 1)
    written = first.stat().st_mtime_ns
    assert list(root.rglob(f"run-*/{gray.stem}*")) == [first]
    assert download(tab, session, 1) == first
    assert first.stat().st_mtime_ns == written


def test_a_later_click_wins_over_a_download_in_the_making(
    tab: ColorizeTab, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(tab, small)
    colorize(tab, session)

    def interrupted_render(*arguments: Any, **options: Any) -> np.ndarray:
        click(tab, session, 1)
        return render(*arguments, **options)

    monkeypatch.setattr("colorflow.ui.photos.render", interrupted_render)
    assert tab.result.download.prepare(session, "PNG") == {tab.result.download.file: None}
    assert value(tab.result.download.prepare(session, "PNG"), tab.result.download.file).endswith(
        "small_b.png"
    )


def test_a_download_that_cannot_be_made_is_told(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    session.current.photo.path.unlink()
    updates = tab.result.download.prepare(session, "PNG")
    assert updates[tab.result.download.file] is None
    assert text(updates, tab.status).startswith("small.png: there is no such file")


def test_without_colorings_there_is_no_download(tab: ColorizeTab, small: Path) -> None:
    for session in (new(tab.session), opened(tab, small)):
        assert tab.result.download.prepare(session, "PNG") == {tab.result.download.file: None}


def test_a_click_on_what_has_gone_is_told(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    for updates in (click(tab, new(tab.session), 0), click(tab, session, 2)):
        assert is_problem(updates, tab.status)
        assert "are gone" in text(updates, tab.status)
    session.close()
    assert "are gone" in text(click(tab, session, 0), tab.status)


# visitors


def test_visitors_with_files_of_one_name_do_not_mix(tab: ColorizeTab, tmp_path: Path) -> None:
    sessions = []
    for name, tone in (("a", 90), ("b", 170)):
        path = tmp_path / name / "photo.png"
        path.parent.mkdir()
        Image.new("L", (16, 16), tone).save(path)
        sessions.append(opened(tab, path))
    for session in sessions:
        colorize(tab, session, seed=4)
    dark, light = (pixels(download(tab, session)).mean() for session in sessions)
    assert dark + 50 < light
    sessions[0].close()
    assert download(tab, sessions[1]).exists()


def test_a_session_keeps_files_and_no_pixels(tab: ColorizeTab, gray: Path) -> None:
    session = opened(tab, gray)
    colorize(tab, session, n=8)
    (one,) = session.items
    kept = one.colorings, replace(one.photo, budget=None)  # type: ignore[arg-type]
    assert len(pickle.dumps(kept)) < 10_000


def test_a_closed_session_leaves_nothing(tab: ColorizeTab, root: Path, small: Path) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    assert any(root.rglob("*.png"))
    tab.session.delete_callback(session)
    assert not any(root.rglob("*.png"))
    tab.session.delete_callback(new(tab.session))  # a visitor who never uploaded anything


def test_a_download_that_is_written_while_the_visitor_leaves_is_deleted(
    tab: ColorizeTab, root: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(tab, small)
    colorize(tab, session)

    def write_late(path: Path, *_: Any, **__: Any) -> None:
        session.close()
        path.parent.mkdir(parents=True)
        path.touch()

    monkeypatch.setattr("colorflow.ui.photos.write_image", write_late)
    assert tab.result.download.prepare(session, "PNG") == {tab.result.download.file: None}
    assert not any(root.iterdir())


# the page


def test_everything_has_a_name_controls_say_what_they_do_and_only_the_api_is_public(
    colorizer: FakeColorizer, root: Path
) -> None:
    quiz = Quiz(
        pool=PhotoPool([], ""),
        colorizer=colorizer,
        store=AnswerStore(root / "quiz.sqlite"),
    )
    page = build_page(colorizer, root, Limits(), MemoryBudget(), quiz)
    names = [
        block.elem_id
        for block in page.blocks.values()
        if isinstance(block, gr.components.Component) and not isinstance(block, gr.State | Api)
    ]
    assert len(names) > 10
    assert None not in names
    assert len(set(names)) == len(names)
    public = [one.api_name for one in page.fns.values() if one.api_visibility != "private"]
    assert public == ["colorize", "hints"]
    controls = (gr.Slider, gr.Radio, gr.Number, gr.Checkbox, gr.CheckboxGroup, gr.ColorPicker)
    found = [one for one in page.blocks.values() if isinstance(one, controls)]
    assert len(found) > 15
    assert all(one.label and one.info for one in found if not str(one.elem_id).startswith("quiz-"))
