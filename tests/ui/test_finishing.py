"""What becomes of a coloring that was chosen: its saturation, being kept, and the way back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.photo import read_provenance
from colorflow.ui.colorings import MOST_KEPT
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SAMPLES, SUMMARY
from colorflow.ui.panes import OWN_FORMAT
from tests.ui.fake_colorizer import AB, FakeColorizer
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
    pixels,
    running,
    text,
    value,
)


def mean_ab(path: str | Path) -> np.ndarray:
    """Mean a and b of the middle tones, which can hold the chroma."""
    lab = color.rgb2lab(pixels(path)[..., :3])
    return lab[(lab[..., 0] > 45) & (lab[..., 0] < 55)][:, 1:].mean(axis=0)


def press(tab: ColorizeTab, session: Any, act: str, index: int) -> Any:
    event = SimpleNamespace(index=index, value=act)
    return tab.press_kept(session, event)  # type: ignore[arg-type]


def captions(updates: Any, tab: ColorizeTab) -> list[str]:
    return [caption for _, caption in value(updates, tab.gallery)]


# saturation


def test_saturation_acts_on_all_that_is_shown_and_saved_without_another_coloring(
    tab: ColorizeTab, colorizer: FakeColorizer, small: Path
) -> None:
    session = opened(tab, small)
    colorize(tab, session, n=3)
    click(tab, session, 2)
    calls = list(colorizer.calls)
    updates = tab.saturation.change(session, 0.5, 1.0)
    assert colorizer.calls == calls
    shown = str(compared(updates, tab.result)[1])
    assert shown == value(updates, tab.gallery)[2][0]
    assert updates[tab.gallery]["selected_index"] == 2
    want = np.array(AB[2]) / 2
    made = download(tab, session, 2)
    for path in (shown, made):
        assert np.abs(mean_ab(path) - want).max() < 1.5, path
    provenance = read_provenance(made)
    assert provenance is not None
    assert (provenance.saturation, provenance.pale) == (0.5, 1)
    assert np.abs(mean_ab(value(updates, tab.gallery)[1][0]) - AB[1]).max() < 4, "another one"

    assert value(click(tab, session, 0), tab.saturation.saturation) == 1
    assert value(click(tab, session, 2), tab.saturation.saturation) == 0.5
    tab.saturation.change(session, 0.6, 1.0)
    assert download(tab, session, 2) != made
    assert np.abs(mean_ab(download(tab, session, 2)) - 0.6 * np.array(AB[2])).max() < 1.5
    more(tab, session, 1, alike=True)
    updates = look(tab, session, 0)
    assert value(updates, tab.saturation.saturation) == 0.6, "of the one that is kept beside others"
    tab.saturation.change(session, 1.0, 1.0)
    assert np.abs(mean_ab(download(tab, session, 0)) - AB[2]).max() < 4, "nothing was lost"


def test_many_changes_of_saturation_leave_two_previews(
    tab: ColorizeTab, root: Path, small: Path
) -> None:
    """The one that is shown, and the one that a browser may still be loading."""
    session = opened(tab, small)
    colorize(tab, session, n=1)
    for step in range(6):
        tab.saturation.change(session, 1 + step / 10, 2.0)
    assert len(list(root.rglob("run-own-*"))) == 2
    colorize(tab, session, n=1)
    assert len(list(root.rglob("run-own-*"))) <= 1


def test_transparency_and_errors_of_saturation(
    tab: ColorizeTab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tab.saturation.change(new(tab.session), 2, 1) == {tab.status: gr.skip()}
    cut_out = np.dstack([data.camera()[::8, ::8], np.full((64, 64), 255, np.uint8)])
    cut_out[:20, :, 1] = 0
    Image.fromarray(cut_out).save(path := tmp_path / "cut-out.png")
    session = opened(tab, path)
    assert tab.saturation.change(session, 2, 1) == {tab.status: gr.skip()}
    colorize(tab, session, n=1)
    _, after = compared(tab.saturation.change(session, 2, 1), tab.result)
    assert np.array_equal(pixels(after)[..., 3], cut_out[..., 1])
    chosen = session.require().chosen

    def full(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("colorflow.ui.colorings.write_colored", full)
        assert is_problem(tab.saturation.change(session, 1.5, 1), tab.status)
    assert session.require().chosen is chosen


# kept colorings


def test_kept_colorings_stay_while_others_are_tried(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    assert is_problem(tab.keep(session), tab.status), "there is none yet"
    colorize(tab, session, n=3)
    click(tab, session, 1)
    tab.saturation.change(session, 0.5, 1)
    tab.keep(session)
    assert 'alt="Kept: B: 50 %"' in value(tab.keep(session), tab.kept), "once"
    photo = session.require()
    (kept,) = photo.kept
    tab.saturation.change(session, 1.5, 1)
    colorize(tab, session, n=2, seed=5, samples=True)
    updates = press(tab, session, "look", 0)
    assert compared(updates, tab.result)[1] == kept.preview
    assert value(updates, tab.saturation.saturation) == 0.5
    assert updates[tab.gallery]["selected_index"] is None
    assert 'aria-pressed="true"' in value(updates, tab.kept)
    assert np.abs(mean_ab(kept.preview) - np.array(AB[1]) / 2).max() < 1.5

    click(tab, session, 0)
    event = SimpleNamespace(index=0, value="save")
    saved = tab.save_kept(session, OWN_FORMAT, event)  # type: ignore[arg-type]
    assert np.abs(mean_ab(saved[tab.result.download.file]) - np.array(AB[1]) / 2).max() < 1.5
    event.value = "look"
    file = {tab.result.download.file: None}
    assert tab.save_kept(session, OWN_FORMAT, event) == file  # type: ignore[arg-type]

    press(tab, session, "look", 0)
    updates = press(tab, session, "drop", 0)
    assert value(updates, tab.kept) == ""
    assert photo.chosen is photo.colorings[0]
    assert not kept.folder.exists()
    for act in ("look", "drop", "save"):
        event.value = act
        handler = tab.press_kept(session, event)  # type: ignore[arg-type]
        if act == "save":
            handler = tab.save_kept(session, OWN_FORMAT, event)  # type: ignore[arg-type]
        assert "kept no longer" in text(handler, tab.status)


def test_kept_colorings_are_bounded_and_go_with_their_photo(
    tab: ColorizeTab, root: Path, small: Path, gray: Path
) -> None:
    session = opened(tab, small)
    colorize(tab, session, n=MOST_KEPT + 1)
    for index in range(MOST_KEPT + 1):
        click(tab, session, index)
        updates = tab.keep(session)
    assert text(updates, tab.status) == "8 colorings of a photo can be kept; remove one first."
    photo = session.require()
    assert len(photo.kept) == MOST_KEPT
    updates = drop(tab, [gray], session)
    assert not any(root.rglob("run-own-*"))
    colorize(tab, session, n=1)
    assert value(look(tab, session, 0), tab.kept) == ""


def test_kept_colorings_are_in_the_zip(tab: ColorizeTab, small: Path, gray: Path) -> None:
    session = opened(tab, small, gray)
    for index in (0, 1):
        look(tab, session, index)
        colorize(tab, session, n=2)
    tab.saturation.change(session, 0.5, 1)
    tab.keep(session)
    tab.saturation.change(session, 1, 1)
    for every, wanted in ((False, 3), (True, 5)):
        everything(running(tab, tab.zip, session, OWN_FORMAT, every))
        (archive,) = session.folder.glob("zip-*/*.zip")
        with ZipFile(archive) as content:
            names = [name for name in content.namelist() if name.startswith("colored/")]
        assert len(names) == wanted, names


# the way back


@pytest.mark.parametrize("by_switch", [False, True])
def test_the_summary_comes_back_without_another_run(
    tab: ColorizeTab, colorizer: FakeColorizer, root: Path, small: Path, by_switch: bool
) -> None:
    session = opened(tab, small)
    updates = colorize(tab, session, n=3)
    assert updates[tab.back_button]["visible"] is False
    summary = captions(updates, tab)
    click(tab, session, 1)
    tab.saturation.change(session, 0.5, 1)
    for alike in (False, True, False):
        updates = more(tab, session, 2, alike=alike)
        assert updates[tab.back_button]["visible"]
    if by_switch:
        assert value(colorize(tab, session, n=2, samples=True), tab.view) == SAMPLES
    calls = list(colorizer.calls)
    updates = colorize(tab, session, n=3) if by_switch else tab.bring_back(session)
    assert colorizer.calls == calls
    assert captions(updates, tab) == summary
    assert value(updates, tab.view) == SUMMARY
    assert updates[tab.back_button]["visible"] is False
    photo = session.require()
    assert photo.colorings[1].saturation == 0.5
    assert photo.options is not None
    assert (photo.options.n, photo.options.samples) == (3, False)
    assert all(one.preview.exists() for one in photo.colorings)
    if not by_switch:
        assert photo.chosen is photo.colorings[1], "the one that was chosen before"
        assert is_problem(tab.bring_back(session), tab.status)
    colorize(tab, session, n=2, seed=9)
    assert is_problem(tab.bring_back(session), tab.status), "new ones took their place"
    assert len([one for one in root.rglob("run-*") if any(one.iterdir())]) <= 2


def test_going_back_ends_the_run_that_brings_others(
    tab: ColorizeTab, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorflow.ui.session._PATIENCE_SECONDS", 0.01)
    session = opened(tab, small)
    colorize(tab, session, n=2)
    photo = session.require()
    summary = photo.colorings
    steps = running(tab, partial(tab.more, alike=False), session, 4)
    while len(photo.colorings) < 3:
        next(steps)
    updates = tab.bring_back(session)
    assert not updates[tab.cancel_button]["visible"]
    assert tab.gallery not in everything(steps)
    assert photo.colorings is summary
