"""Clicks of one visitor that follow each other within a second, as Gradio would handle them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from inspect import isgeneratorfunction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from colorflow.color.full_resolution import render
from colorflow.quiz.game import Quiz
from colorflow.quiz.store import AnswerStore
from colorflow.quiz.trials import PhotoPool
from colorflow.ui.colorings import ShownColoring
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SAMPLES, SUMMARY
from colorflow.ui.hints import HintsTab
from colorflow.ui.limits import MemoryBudget, UploadSpace
from colorflow.ui.panes import one_at_a_time
from colorflow.ui.prepared import OldPrint
from colorflow.ui.quiz import QuizTab
from colorflow.ui.reference import ReferenceTab
from colorflow.ui.session import Session
from colorflow.ui.status import Updates
from tests.ui.cracked_print import cracked_print
from tests.ui.fake_colorizer import FakeColorizer, SmallEnlarger, SmallRepairer
from tests.ui.handling import (
    click,
    colorize,
    everything,
    new,
    opened,
    running,
    text,
    value,
)

_MOMENT = 0.3
"""Seconds for which something waits that must not come."""


@pytest.fixture
def page(root: Path) -> tuple[gr.Blocks, ColorizeTab]:
    space = UploadSpace(root, budget=MemoryBudget(1_000_000))
    with gr.Blocks(analytics_enabled=False) as blocks:
        tab = ColorizeTab(FakeColorizer(), space, SmallEnlarger.load(), SmallRepairer.load())
    return blocks, tab


class HintPainter(FakeColorizer):
    takes_hints = True


def connected(blocks: gr.Blocks, name: str) -> Callable[..., Updates]:
    """A handler as Gradio calls it; what it shows."""
    handlers = {one.fn for one in blocks.fns.values() if getattr(one.fn, "__name__", "") == name}
    (handler,) = handlers
    return lambda *values: everything(handler(*values))


def quiz_tab(root: Path) -> QuizTab:
    store = AnswerStore(root / "quiz.sqlite")
    quiz = Quiz(pool=PhotoPool([], ""), colorizer=FakeColorizer(), store=store)  # type: ignore[arg-type]
    return QuizTab(quiz, UploadSpace(root))


class Thread(threading.Thread):
    """A handler that is at work beside others."""

    def __init__(self, handler: Callable[..., Any], *values: Any) -> None:
        super().__init__(daemon=True)
        self.handler, self.values, self.updates = handler, values, {}
        self.start()

    def run(self) -> None:
        self.updates = self.handler(*self.values)

    def is_done(self, seconds: float = 30) -> bool:
        self.join(seconds)
        return not self.is_alive()


def test_a_handler_begins_after_the_one_before_has_been_shown(root: Path) -> None:
    session, said = Session[Any](root, MemoryBudget()), gr.HTML(render=False)
    begun: list[str] = []

    def handler(name: str, session: Session[Any]) -> Updates:
        begun.append(name)
        return {said: name}

    first, second = (one_at_a_time(handler)(name, session) for name in ("first", "second"))
    assert next(first) == {said: "first"}
    other = Thread(list, second)
    assert not other.is_done(_MOMENT)
    assert begun == ["first"]
    assert list(first) == [{said: gr.skip()}], "Gradio sends the last one twice"
    assert other.is_done()
    assert other.updates == [{said: "second"}, {said: gr.skip()}]


# Colorize


def test_what_changes_something_waits_for_what_was_clicked_before(
    page: tuple[gr.Blocks, ColorizeTab], root: Path
) -> None:
    blocks, _ = page
    with gr.Blocks(analytics_enabled=False) as others:
        HintsTab(HintPainter(), UploadSpace(root))  # type: ignore[arg-type]
        ReferenceTab(FakeColorizer(), UploadSpace(root))  # type: ignore[arg-type]
        quiz_tab(root)
    handlers = {one.fn for one in (*blocks.fns.values(), *others.fns.values()) if one.fn}
    waiting = {
        one.__name__
        for one in handlers
        if getattr(one, "__name__", "") and isgeneratorfunction(one)
    }
    assert waiting >= {
        "look_at", "choose", "bring_back", "keep", "press_kept", "treat_as_gray", "change",
        "wish_frame", "wish_repair", "begin", "find", "draw", "put", "undo",
        "click", "magnify", "press", "spread", "pick_freely", "other_colors", "load_hints", "carry",
        "handler",
    }  # fmt: skip


def test_of_two_changes_of_saturation_the_last_one_stays(
    page: tuple[gr.Blocks, ColorizeTab], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, tab = page
    session = opened(tab, small)
    colorize(tab, session)
    painted, is_first_done = ShownColoring.painted, threading.Event()

    def slowly(coloring: ShownColoring, *arguments: Any) -> ShownColoring:
        if coloring.saturation == 0.5:
            is_first_done.wait(_MOMENT)
        return painted(coloring, *arguments)

    monkeypatch.setattr(ShownColoring, "painted", slowly)
    change = connected(blocks, "change")

    def first() -> None:
        change(session, 1.5, 1.0)
        is_first_done.set()

    one = Thread(first)
    one.is_done(0.02)
    two = Thread(change, session, 0.5, 1.0)
    assert one.is_done()
    assert two.is_done()
    assert session.require().chosen.saturation == 0.5


@pytest.mark.parametrize("what", ["keep", "download", "enlarge", "colorize"])
def test_what_is_pressed_after_a_change_of_saturation_has_it(
    page: tuple[gr.Blocks, ColorizeTab],
    small: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    blocks, tab = page
    session = opened(tab, small)
    colorize(tab, session)
    painted, go_on, is_begun = ShownColoring.painted, threading.Event(), threading.Event()

    def slowly(coloring: ShownColoring, *arguments: Any) -> ShownColoring:
        is_begun.set()
        go_on.wait(30)
        return painted(coloring, *arguments)

    monkeypatch.setattr(ShownColoring, "painted", slowly)
    changed = Thread(connected(blocks, "change"), session, 0.0, 1.0)
    assert is_begun.wait(30)
    larger = tab.larger
    pressed = {
        "keep": lambda: connected(blocks, "keep")(session),
        "download": lambda: tab.result.download.save(session, "PNG"),
        "enlarge": lambda: larger.runs.begin(larger.enlarge, session, "×2", False, "PNG"),
        "colorize": lambda: tab.runs.begin(tab.one, session, 2, 1.0, 0, SUMMARY),
    }
    other = Thread(pressed[what])
    assert not other.is_done(_MOMENT)
    go_on.set()
    assert changed.is_done()
    assert other.is_done()
    if what == "keep":
        assert [one.saturation for one in session.current.kept] == [0.0]
    if what == "download":
        with Image.open(value(other.updates, tab.result.download.file)) as image:
            assert np.ptp(np.asarray(image).astype(int), axis=-1).max() < 4
    if what == "enlarge":
        # What follows the change on the page comes after this, and ends it no more.
        shown = larger.recolored(session, "×2", False, 9, 9)
        assert set(shown) == {larger.picture}
        assert session.job.shown.coloring is session.current.chosen
        made = everything(larger.runs.work(larger.enlarge, session))
        assert made[larger.download]["visible"]


def test_a_choice_leaves_sliders_alone_that_are_as_they_should_be(
    tab: ColorizeTab, small: Path
) -> None:
    """They may be moved before the choice is answered."""
    session = opened(tab, small)
    colorize(tab, session, n=3)
    sliders = set(tab.saturation.components)
    assert not sliders & set(click(tab, session, 1))
    tab.saturation.change(session, 1.5, 1.0)
    assert sliders <= set(click(tab, session, 0))
    assert not sliders & set(click(tab, session, 2))
    assert click(tab, session, 1)[tab.saturation.saturation] == 1.5


def test_a_first_picture_that_was_changed_is_replaced_by_one_like_it(
    tab: ColorizeTab, small: Path
) -> None:
    session = opened(tab, small)
    run = running(tab, tab.one, session, 2, 1.0, 0, SUMMARY)
    next(run), next(run)
    assert session.require().chosen.spec.quick
    tab.saturation.change(session, 1.5, 2.0)
    everything(run)
    first, second = session.require().colorings
    assert not first.spec.quick
    assert not second.spec.quick
    assert [(one.saturation, one.pale) for one in (first, second)] == [(1.5, 2.0), (1.0, 1.0)]


def test_another_choice_is_not_saved_in_the_place_of_the_one_whose_download_was_pressed(
    tab: ColorizeTab, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, download = opened(tab, small), tab.result.download
    colorize(tab, session)

    def meanwhile(what: Callable[[], object]) -> Updates:
        def interrupted(*arguments: Any, **options: Any) -> np.ndarray:
            what()
            return render(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr("colorflow.ui.photos.render", interrupted)
            return download.save(session, "PNG")

    saved = meanwhile(lambda: click(tab, session, 1))
    assert Path(value(saved, download.file)).name == "small_a.png"
    assert meanwhile(lambda: session.current.replace_photo(session.current.photo)) == {
        download.file: None
    }


def test_a_run_that_is_cancelled_while_the_one_before_ends_is_not_begun(
    tab: ColorizeTab, small: Path
) -> None:
    session = opened(tab, small)
    run = running(tab, tab.one, session, 4, 1.0, 0, SAMPLES)
    next(run), next(run)
    begun = Thread(tab.runs.begin, tab.one, session, 4, 1.0, 9, SAMPLES)
    assert not begun.is_done(_MOMENT)
    tab.runs.cancel(session)
    everything(run)
    assert begun.is_done()
    assert text(begun.updates, tab.status) == "Cancelled; nothing was made."
    assert not begun.updates[tab.cancel_button]["visible"]
    assert list(tab.runs.work(tab.one, session)) == [{tab.status: gr.skip()}]


def test_of_two_runs_begun_at_once_the_last_one_is_made(tab: ColorizeTab, small: Path) -> None:
    """And not before the end of what goes on."""
    session = opened(tab, small)
    run = running(tab, tab.one, session, 4, 1.0, 0, SAMPLES)
    next(run), next(run)
    for_seeds = []
    for seed in (8, 9):
        for_seeds.append(Thread(tab.runs.begin, tab.one, session, 1, 1.0, seed, SAMPLES))
        assert not for_seeds[-1].is_done(_MOMENT)
    everything(run)
    assert all(one.is_done() for one in for_seeds)
    everything(tab.runs.work(tab.one, session))
    assert [one.spec.seed for one in session.require().colorings] == [9]


# an old print


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "print.png"
    Image.fromarray(cracked_print()).save(path)
    return path


def test_of_two_places_drawn_at_once_none_is_lost(
    page: tuple[gr.Blocks, ColorizeTab], plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is pressed then has both: the button below them, and Colorize."""
    blocks, tab = page
    session = opened(tab, plain)
    pane = tab.prepare
    everything(iter([pane.wish_repair(session, True, False), *pane.work(session)]))
    old = session.current.old_print
    load, together = OldPrint._load, threading.Barrier(2)

    def slowly(*arguments: Any) -> Any:
        loaded = load(*arguments)
        try:
            together.wait(_MOMENT)
        except threading.BrokenBarrierError:
            together.reset()
        return loaded

    monkeypatch.setattr(OldPrint, "_load", slowly)
    events = [SimpleNamespace(index=0, value=[[x, 0.5]]) for x in (0.3, 0.7)]
    draw, begin = connected(blocks, "draw"), connected(blocks, "begin")
    drawn = [Thread(draw, session, 1 / 50, one) for one in events]
    drawn[1].is_done(0.05)
    begun = Thread(begin, session)
    coloring = Thread(lambda: everything(running(tab, tab.one, session, 1, 1.0, 0, SUMMARY)))
    for one in (*drawn, begun):
        assert one.is_done()
    monkeypatch.undo()
    assert coloring.is_done()
    assert len(old.made.marks) == 2
    mask = load(old, old._mask)
    height, width = mask.shape
    assert all(mask[height // 2, int(x * width)] for x in (0.3, 0.7))


def test_two_quick_turns_are_two(page: tuple[gr.Blocks, ColorizeTab], tmp_path: Path) -> None:
    """The second one sends the corners as the page still has them, of a photo on its side."""
    _, tab = page
    wide = tmp_path / "wide.png"
    Image.fromarray(cracked_print()[:100]).save(wide)
    session = opened(tab, wide)
    old = session.current.old_print
    corners = [list(corner) for corner in old.turned_corners]
    event = SimpleNamespace(index="right", value=corners, turns=0)
    for _ in range(2):
        tab.prepare.wish_frame(session, event)  # type: ignore[arg-type]
    assert old.wish.turns == 2
    assert np.allclose(old.corners, old.whole)


# the quiz


def test_events_before_the_first_round_is_there_are_of_one_game(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gr.Blocks(analytics_enabled=False):
        tab = quiz_tab(root)
    new_game, games = tab._new_game, []

    def slowly(request: Any) -> Any:
        threading.Event().wait(_MOMENT)
        games.append(new_game(request))
        return games[-1]

    monkeypatch.setattr(tab, "_new_game", slowly)
    session, request = new(tab.session), SimpleNamespace(username=None, client=None)
    handler = one_at_a_time(tab.handled(lambda game: {}, tab.status))
    threads = [Thread(lambda: list(handler(request, session))) for _ in range(2)]
    assert all(one.is_done() for one in threads)
    assert games == [session.game]
