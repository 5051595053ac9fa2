"""Clicks in any order, on handlers that go on and end in any order: the page shows the desk."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import gradio as gr
import pytest

from colorflow.ui.coloring import Options
from colorflow.ui.colorize import QUEUES, Act, ColorizeTab
from colorflow.ui.desk import Desk, WishKind
from colorflow.ui.render import render
from colorflow.ui.work import DeskWorker
from tests.ui.cracked_print import save_scan
from tests.ui.handling import asks

SESSION = "ada"


class BrowserPage:
    """What a browser shows: each message replaces what it is about, in the order of sending.

    Gradio asks a handler for its next message only after it has sent the one before, sends the last
    one again when the handler has ended, and then calls what follows it.
    """

    def __init__(self, tab: ColorizeTab) -> None:
        self.tab = tab
        self.shown: dict[Any, Any] = {}
        self.running: list[tuple[Iterator[Any], bool, list[Any]]] = []

    def click(self, act: Act) -> None:
        """Begin a handler."""
        self.running.append((self.tab.acted(self.tab.desks.of(asks(SESSION)), act), True, []))

    def break_off(self) -> None:
        """Lose the stream: handlers are closed, and none follows them."""
        for handler, _, _ in self.running:
            handler.close()  # type: ignore[attr-defined]
        self.running.clear()

    def go_on(self, index: int) -> None:
        """Let one of the handlers send its next message."""
        handler, is_followed, last = self.running[index]
        message = next(handler, None)
        if message is None:
            self._show(last[-1])
            del self.running[index]
            for kinds, _ in QUEUES.values() if is_followed else ():
                self.running.append((self.tab._worker_of(kinds)(asks(SESSION)), False, []))
            return
        last.append(message)
        self._show(message)

    def _show(self, message: dict[Any, Any]) -> None:
        for component, value in message.items():
            if value != gr.skip():
                self.shown[component] = value


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A cracked print on a bed, two of them, and a small photo."""
    folder = tmp_path_factory.mktemp("photos")
    for name, tilts in (("one.jpg", (3.0,)), ("two.jpg", (1.0, -2.0)), ("three.jpg", (0.0,))):
        save_scan(folder / name, *tilts)
    return sorted(map(str, folder.iterdir()))


@pytest.fixture
def tab(worker: DeskWorker, root: Path, monkeypatch: pytest.MonkeyPatch) -> ColorizeTab:
    monkeypatch.setattr("colorflow.ui.work._SHOW_SECONDS", 0.0)
    worker.budget.computing = threading.Semaphore(10**9)  # one thread goes on with all handlers
    with gr.Blocks(analytics_enabled=False):
        return ColorizeTab(worker)


def acts_of(work: DeskWorker, photos: list[str], random_: random.Random) -> list[Act]:
    """Everything that can be clicked, with values by chance, some of which are wrong."""
    index, share = random_.randrange(4), random_.random()
    options = Options(n=1 + index, samples=share < 0.5)
    view = random_.choice(("photo", "frame", "places", "points"))
    kind, cuts = random_.choice(get_args(WishKind)), random_.random() < 0.5

    def slide(desk: Desk) -> None:
        desk.page_has({"saturation": round(2 * share, 2)})
        desk.saturate(round(2 * share, 2))

    return [
        partial(work.open, uploads=photos[: 1 + index % 3]),
        lambda desk: desk.look_at(index),
        lambda desk: desk.remove(index),
        partial(work.add_references, uploads=photos[:1]),
        lambda desk: desk.choose(index - 1),
        slide,
        lambda desk: desk.look_for(view),
        lambda desk: desk.cut_out(list(desk.photo.corners) if cuts else None),
        lambda desk: desk.add_frame(list(desk.photo.corners)),
        lambda desk: desk.turn(1 + index % 3),
        lambda desk: desk.replan(repairs=share < 0.7, fades=share > 0.5),
        lambda desk: desk.mark([(100 * share, 50)], 1 / 50),
        lambda desk: desk.replan(sensitivity=index - 2),
        partial(work.color, options=options),
        partial(work.more, n=2),
        lambda desk: desk.click(share, 1 - share),
        lambda desk: desk.pick_swatch(index),
        lambda desk: desk.photo.points.delete(0),
        lambda desk: desk.photo.points.undo(),
        work.unsure,
        work.detail,
        partial(work.color_all, options=options),
        partial(work.same_colors, options=options),
        lambda desk: work.zip(desk, "JPEG", every=False),
        lambda desk: work.finish(desk, 1 + index % 2, False, "PNG"),
        lambda desk: desk.cancel(kind),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_the_page_shows_the_last_state_of_the_desk(
    tab: ColorizeTab, photos: list[str], seed: int
) -> None:
    """And nothing of a photo is lost by what is done to another, or later."""
    random_, page, desk = random.Random(seed), BrowserPage(tab), tab.desks.of(asks(SESSION))
    page.click(Desk.begin_page)
    page.click(partial(tab.worker.open, uploads=photos))
    while len(desk.photos) < 4:
        page.go_on(0)
    before: dict[Any, tuple[Any, ...]] = {}
    for _ in range(40):
        page.click(random_.choice(acts_of(tab.worker, photos, random_)))
        if random_.random() < 0.1:
            page.break_off()
        for _ in range(random_.randrange(6)):
            if page.running:
                page.go_on(random_.randrange(len(page.running)))
            for photo in desk.photos:
                kept = tuple(photo.colorings)
                assert set(before.get(photo.upload, ())) <= set(kept)
                before[photo.upload] = kept
    page.click(lambda desk: (tab.worker.open(desk, ()), tab.worker.prepare(desk)))
    while page.running:
        page.go_on(random_.randrange(len(page.running)))
    assert desk.wishes == {}
    assert not any(one.is_unprepared for one in desk.photos)
    shown = {name: page.shown[part] for name, part in tab.parts.items()}
    assert shown == render(desk)
    fields = {name: page.shown.get(tab.fields[name]) for name in desk.fields}
    fields["saturation"] = desk.photo.saturation  # may be what the visitor's own hand has set
    assert fields == desk.fields
