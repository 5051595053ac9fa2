"""The size of the chosen coloring: pieces of its detail, the download, and what is refused."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge.enlarger import Enlarger
from colorflow.photo import read_photo, read_statements
from colorflow.ui.colorings import PhotoSession
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SUMMARY
from colorflow.ui.enlarge import AS_IT_IS, DRAWS, EnlargePane, Look, in_words
from colorflow.ui.limits import MemoryBudget, UploadSpace
from colorflow.ui.status import Updates
from tests.small_weights import save_small_enlarge_weights
from tests.ui.fake_colorizer import FakeColorizer
from tests.ui.handling import (
    click,
    colorize,
    drop,
    everything,
    is_problem,
    new,
    opened,
    pixels,
    text,
    value,
)


@pytest.fixture(scope="module")
def enlarger(tmp_path_factory: pytest.TempPathFactory) -> Enlarger:
    path = tmp_path_factory.mktemp("weights") / "enlarge.safetensors"
    return Enlarger.load(save_small_enlarge_weights(path))


@pytest.fixture
def tab(colorizer: FakeColorizer, root: Path, enlarger: Enlarger) -> ColorizeTab:
    with gr.Blocks(analytics_enabled=False):
        return ColorizeTab(colorizer, UploadSpace(root, budget=MemoryBudget(2_000_000)), enlarger)


@pytest.fixture
def pane(tab: ColorizeTab) -> EnlargePane:
    return tab.larger


@pytest.fixture
def session(tab: ColorizeTab, small: Path) -> PhotoSession:
    """A visitor with two colorings of a photo of 64 x 64 pixels."""
    session = opened(tab, small)
    colorize(tab, session)
    return session


def shown(
    pane: EnlargePane,
    session: PhotoSession,
    size: str,
    restore: bool = False,
    across: float | None = None,
    down: float | None = None,
) -> Updates:
    """Choose a size, and wait until the detail is there."""
    begun = pane.resize(session, size, restore, across, down)
    return everything(iter([begun, *pane.show(session)]))


def choose(
    pane: EnlargePane, session: PhotoSession, size: str, restore: bool, number: int
) -> Updates:
    """Choose a detail, also where none is shown."""
    session.look = session.look or Look(size, restore)
    event: Any = SimpleNamespace(index=number + 1)
    return pane.choose(session, size, restore, event)


def enlarging(
    pane: EnlargePane,
    session: PhotoSession,
    size: str,
    restore: bool = False,
    number: int = 0,
    format_: str = "PNG",
) -> Iterator[Updates]:
    """Choose a detail and press the button; the first update says that it waits for its turn."""
    choose(pane, session, size, restore, number)
    yield pane.runs.begin(pane.enlarge, session, size, restore, format_)
    if session.job:
        yield from pane.runs.work(pane.enlarge, session)


def enlarged(pane: EnlargePane, session: PhotoSession, size: str, *wishes: Any) -> Path:
    """The file."""
    return Path(value(everything(enlarging(pane, session, size, *wishes)), pane.download))


def pieces(updates: Updates, pane: EnlargePane) -> list[np.ndarray]:
    return [pixels(path) for path, _ in value(updates, pane.samples)]


def test_without_an_enlarger_there_is_no_choice(colorizer: FakeColorizer, root: Path) -> None:
    with gr.Blocks(analytics_enabled=False):
        tab = ColorizeTab(colorizer, UploadSpace(root))
    assert not tab.larger.size.visible


@pytest.mark.parametrize(("size", "scale"), [("×2", 2), ("×4", 4)])
def test_pieces_are_those_of_the_result(
    pane: EnlargePane, session: PhotoSession, small: Path, size: str, scale: int
) -> None:
    looked = shown(pane, session, size, False, -3, 5000)
    before, *samples = pieces(looked, pane)
    assert len(samples) == len(DRAWS)
    side = min(64, 320 // scale)
    assert before.shape == (scale * side, scale * side, 3)
    assert f"{64 * scale} × {64 * scale} pixels" in text(looked, pane.status)
    path = enlarged(pane, session, size, False, 1)
    large = read_photo(path)
    assert (large.width, large.height) == (64 * scale, 64 * scale)
    corner = large.pixels[-scale * side :, : scale * side].astype(int)
    assert np.abs(corner - samples[1]).mean() < 3
    assert np.abs(corner - samples[0]).mean() > np.abs(corner - samples[1]).mean()
    reduced = lightness_of(large.pixels).reshape(64, scale, 64, scale).mean((1, 3))
    assert np.abs(reduced - lightness_of(read_photo(small).pixels)).max() < 1
    said = read_statements(path)
    assert said.colors
    assert said.detail
    assert (said.detail.scale, said.detail.seed) == (scale, 1)


def test_an_old_photo_is_cleared_up(
    pane: EnlargePane, session: PhotoSession, enlarger: Enlarger
) -> None:
    _, mean, *_ = pieces(shown(pane, session, "×2", True), pane)
    path = enlarged(pane, session, "×2", True)
    assert path.name.endswith("_x2_restored_mean.png")
    large = read_photo(path)
    assert np.abs(large.pixels.astype(int) - mean).mean() < 3
    plain = enlarged(pane, session, "×2")
    assert not np.array_equal(read_photo(plain).pixels, large.pixels)
    for one, restored in ((path, True), (plain, False)):
        detail = read_statements(one).detail
        assert detail
        assert detail.restored is restored


def test_weights_that_cannot_clear_up_offer_none(
    colorizer: FakeColorizer, root: Path, monkeypatch: pytest.MonkeyPatch, enlarger: Enlarger
) -> None:
    monkeypatch.setattr(Enlarger, "can_restore", False)
    with gr.Blocks(analytics_enabled=False):
        tab = ColorizeTab(colorizer, UploadSpace(root), enlarger)
    assert tab.larger.size.visible
    assert not tab.larger.restore.visible


def test_a_click_on_the_picture_shows_that_spot(
    tab: ColorizeTab, pane: EnlargePane, gray: Path
) -> None:
    session = opened(tab, gray)
    with Image.open(session.require().photo.preview) as preview:
        width, height = preview.size
    event = SimpleNamespace(index=[width // 4, height - 1])
    spot = pane.point_at(session, "×2", False, event)  # type: ignore[arg-type]
    assert spot == pytest.approx((384, 1024), abs=2)


def test_a_detail_is_chosen_and_the_file_before_goes(
    pane: EnlargePane, session: PhotoSession
) -> None:
    shown(pane, session, "×2")
    for index, number in ((0, 0), (1, 0), (3, 2)):
        event: Any = SimpleNamespace(index=index)
        chosen = pane.choose(session, "×2", False, event)
        assert session.look.number == number
        assert chosen[pane.samples]["selected_index"] == index
        assert chosen[pane.download]["visible"] is False


@pytest.mark.parametrize("other", ["detail", "format", "coloring", "clearing up", "zip"])
def test_another_choice_ends_the_job(
    tab: ColorizeTab,
    pane: EnlargePane,
    session: PhotoSession,
    monkeypatch: pytest.MonkeyPatch,
    other: str,
) -> None:
    """It would bring the file of the choice before."""
    monkeypatch.setattr("colorflow.enlarge.enlarger.TILE", 16)
    steps = enlarging(pane, session, "×2")
    next(steps), next(steps), next(steps)
    rest: list[Updates] = []
    # The job ends when it is asked for more, as Gradio does meanwhile.
    going_on = threading.Thread(target=lambda: rest.extend(steps))
    going_on.start()
    if other == "detail":
        event: Any = SimpleNamespace(index=2)
        after = pane.choose(session, "×2", False, event)
    elif other == "format":
        after = pane.stopped(session, "×2", False)
    elif other == "coloring":
        after = click(tab, session, 1)
    elif other == "clearing up":
        after = pane.resize(session, "×2", True, None, None)
    else:
        after = tab.runs.begin(tab.zip, session, "PNG", False)
    going_on.join()
    assert after[pane.cancel]["visible"] is False
    assert all(pane.download not in updates for updates in rest)
    assert not list(session.require().require_chosen().folder.glob("*_x2_*"))


def test_a_full_disk_is_told(
    pane: EnlargePane, session: PhotoSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("colorflow.files.os.fsync", full)
    updates = everything(enlarging(pane, session, "×2"))
    assert is_problem(updates, pane.status)
    assert "No space left" in text(updates, pane.status)
    assert updates[pane.cancel]["visible"] is False
    assert not list(session.require().require_chosen().folder.glob("*_x2_*"))


def test_another_coloring_starts_anew(
    tab: ColorizeTab, pane: EnlargePane, session: PhotoSession
) -> None:
    shown(pane, session, "×2")
    chosen = click(tab, session, 1)
    assert value(chosen, pane.size) == AS_IT_IS
    assert chosen[pane.detail]["visible"] is False
    assert shown(pane, session, AS_IT_IS)[pane.samples] is None


def test_other_saturation_keeps_the_size_and_shows_its_detail(
    tab: ColorizeTab, pane: EnlargePane, session: PhotoSession
) -> None:
    """The file before has other colors, so it goes, and one that is made meanwhile, too."""
    before = pieces(shown(pane, session, "×2", False, 9, 9), pane)
    steps = enlarging(pane, session, "×2", False, 2)
    next(steps)
    changed = tab.saturation.change(session, 0.0, 1.0)
    assert changed.keys() & set(pane.components) == {pane.plain.button}
    follow = pane.recolored(session, "×2", False, 9, 9)
    assert (follow[pane.download]["visible"], follow[pane.cancel]["visible"]) == (False, False)
    assert not list(steps), "it is made no more"
    assert value(follow, pane.picture) == str(session.require().require_chosen().preview)
    looked = everything(pane.show(session))
    assert pane.size not in looked
    assert looked[pane.samples]["selected_index"] == 3
    for was, now in zip(before, pieces(looked, pane), strict=True):
        assert np.ptp(was.astype(int), axis=-1).max() > 20
        assert np.ptp(now.astype(int), axis=-1).max() < 4
    assert pane.recolored(session, AS_IT_IS, False, None, None)[pane.picture] is None


def test_a_result_beyond_the_limit_is_refused(
    tab: ColorizeTab, pane: EnlargePane, tmp_path: Path
) -> None:
    path = tmp_path / "wide.png"
    Image.new("L", (900, 900)).save(path)
    session = opened(tab, path)
    colorize(tab, session)
    for updates in (
        shown(pane, session, "×2"),
        everything(enlarging(pane, session, "×2")),
    ):
        assert is_problem(updates, pane.status)
        assert text(updates, pane.status) == (
            "The result would have 3 megapixels; this page makes at most 2. Choose a smaller size."
        )


def test_cancel_ends_it_and_leaves_no_file(
    pane: EnlargePane, session: PhotoSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorflow.enlarge.enlarger.TILE", 16)
    steps = enlarging(pane, session, "×2")
    first, _, second = next(steps), next(steps), next(steps)
    assert first[pane.cancel]["visible"] is True
    assert "6 % of the picture" in text(second, pane.status)
    session.cancel()
    last = everything(steps)
    assert "Cancelled" in text(last, pane.status)
    assert last[pane.cancel]["visible"] is False
    folder = session.require().require_chosen().folder
    assert not list(folder.glob("*_x2_*"))


def test_only_one_download_can_be_seen(tab: ColorizeTab, pane: EnlargePane, small: Path) -> None:
    """The plain one, until a size is chosen; then none, until the enlarged one is there."""
    session = opened(tab, small)
    colored = colorize(tab, session)
    larger = shown(pane, session, "×2")
    made = everything(enlarging(pane, session, "×2"))
    again = shown(pane, session, "×2", True)
    back = shown(pane, session, AS_IT_IS)
    buttons = pane.plain.button, pane.button, pane.download
    seen = [[one.get(button, {}).get("visible") for button in buttons] for one in (larger, again)]
    assert seen == [[False, True, False]] * 2
    assert (made[pane.button]["visible"], made[pane.download]["visible"]) == (False, True)
    assert pane.plain.button not in made
    for one in (colored, back):
        assert one[pane.plain.button]["visible"]
        assert value(one, pane.plain.button) == "Download, 64 × 64 pixels"
        assert not one[pane.download]["visible"]


@pytest.mark.parametrize("kind", ["colors", "gray"])
def test_a_photo_is_enlarged_as_it_is(
    tab: ColorizeTab, pane: EnlargePane, tmp_path: Path, kind: str
) -> None:
    """One that was left alone because it has colors, or one that shall stay gray."""
    pixels_before = data.astronaut()[40:200:2, 160:320:2]
    path = tmp_path / "mine.png"
    Image.fromarray(pixels_before if kind == "colors" else pixels_before[..., 0]).save(path)
    session = new(tab.session)
    seen = drop(tab, [path], session)
    assert seen[pane.column]["visible"]
    assert not seen[pane.row]["visible"]
    assert session.require().is_left_alone == (kind == "colors")
    looked = shown(pane, session, "×2")
    assert looked[pane.row]["visible"]
    assert not looked[pane.plain.button]["visible"]
    before, mean, *_ = pieces(looked, pane)
    assert before.shape == mean.shape == (160, 160, 3)
    made = enlarged(pane, session, "×2")
    assert made.name == "mine_x2_mean.png"
    large = read_photo(made)
    assert large.pixels.shape == ((160, 160, 3) if kind == "colors" else (160, 160))
    means = large.pixels.reshape(80, 2, 80, 2, -1).mean((1, 3)).squeeze()
    original = pixels_before if kind == "colors" else pixels_before[..., 0]
    assert np.abs(means - original).mean() < 3
    said = read_statements(made)
    assert said.colors is None
    assert said.detail


def test_a_spot_that_is_looked_at_does_not_end_an_enlargement(
    pane: EnlargePane, session: PhotoSession
) -> None:
    """Whether it was asked for before or after; nor does it take the file away."""
    shown(pane, session, "×2", False, 5, 5)
    pane.put(session, "×2", False, 60, 60)
    steps = enlarging(pane, session, "×2", False, 2)
    next(steps), next(steps)
    looked = everything(pane.show(session))
    assert set(looked) == {pane.across, pane.down, pane.samples}
    assert looked[pane.samples]["selected_index"] == 3
    last = everything(steps)
    assert last[pane.download]["visible"]
    pane.put(session, "×2", False, 5, 5)
    assert pane.download not in everything(pane.show(session))


def test_a_detail_chosen_before_its_turn_is_the_one_that_is_made(
    pane: EnlargePane, session: PhotoSession
) -> None:
    """Of two clicks in the same moment the server may see the second one first."""
    shown(pane, session, "×2")
    steps = enlarging(pane, session, "×2", False, 0)
    next(steps)
    assert set(choose(pane, session, "×2", False, 2)) == {pane.samples}
    last = everything(steps)
    assert last[pane.download]["visible"]
    assert Path(value(last, pane.download)).stem.endswith(f"_x2_{DRAWS[2].label}")


def test_pieces_that_come_later_keep_the_mark(pane: EnlargePane, session: PhotoSession) -> None:
    shown(pane, session, "×2", False, 5, 5)
    pane.put(session, "×2", False, 60, 60)
    looked = pane.show(session)
    next(looked), next(looked)
    choose(pane, session, "×2", False, 1)
    assert everything(looked)[pane.samples]["selected_index"] == 2


@pytest.mark.parametrize("seen", [0, 2], ids=["before it is shown", "while it is shown"])
def test_a_file_ordered_at_once_is_not_taken_away_by_the_detail(
    pane: EnlargePane, session: PhotoSession, seen: int
) -> None:
    """The detail may have to wait until the file has been made."""
    shown(pane, session, "×2")
    pane.resize(session, "×4", True, None, None)
    looked = pane.show(session)
    for _ in range(seen):
        next(looked)
    made = everything(enlarging(pane, session, "×4", True, 0))
    assert made[pane.download]["visible"]
    assert made[pane.button]["visible"] is False
    after = everything(looked)
    assert set(after) & {pane.download, pane.cancel, pane.status} == set()
    assert "visible" not in after.get(pane.button, {})
    assert len(pieces(after, pane)) == 1 + len(DRAWS)


def test_only_the_last_spot_is_shown(pane: EnlargePane, session: PhotoSession) -> None:
    pane.put(session, "×2", False, 5, 5)
    begun = pane.show(session)
    next(begun), next(begun)
    pane.put(session, "×2", False, 60, 60)
    assert list(begun) == []
    (first, *_), again = list(pane.show(session)), list(pane.show(session))
    assert first == {pane.across: 60, pane.down: 60}
    assert again == [{pane.status: gr.skip()}]


def test_the_time_is_estimated_by_what_was_measured(
    pane: EnlargePane, session: PhotoSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the pieces, which are all of this small photo and take 20 s of this clock, then the file.

    Other detail takes another time.
    """
    clock = itertools.count(0, 20)
    monkeypatch.setattr("colorflow.ui.enlarge.time.perf_counter", lambda: next(clock))
    looked = shown(pane, session, "×2")
    said = "The result will have 128 × 128 pixels, and takes about"
    assert text(looked, pane.status) == f"{said} 20 s."
    monkeypatch.setattr("colorflow.ui.enlarge.time.perf_counter", lambda: next(clock) * 12)
    enlarged(pane, session, "×2", False, 2)
    for index, unit in ((1, "20 s."), (3, "minutes.")):
        event: Any = SimpleNamespace(index=index)
        assert text(pane.choose(session, "×2", False, event), pane.status).endswith(unit)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.3, "a few seconds"), (41, "about 50 s"), (90, "about 90 s"), (121, "about 3 minutes")],
)
def test_times_are_said_in_round_numbers(seconds: float, said: str) -> None:
    assert in_words(seconds) == said


def test_a_run_waits_for_its_own_queue(
    tab: ColorizeTab, pane: EnlargePane, session: PhotoSession
) -> None:
    """The turn of a coloring that was replaced is not that of the enlargement."""
    tab.runs.begin(tab.one, session, 2, 1.0, 0, SUMMARY)
    steps = enlarging(pane, session, "×2")
    next(steps)
    assert everything(tab.runs.work(tab.one, session)) == {tab.status: gr.skip()}
    assert everything(steps)[pane.download]["visible"]
