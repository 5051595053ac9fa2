"""More like this, something else, and where the colors are open, without a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colorflow.photo import Principal, read_provenance
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SAMPLES, SUMMARY
from colorflow.ui.uncertainty_map import STOPS
from tests.ui.fake_colorizer import FakeColorizer
from tests.ui.handling import (
    click,
    colorize,
    download,
    drop,
    is_problem,
    look,
    more,
    new,
    opened,
    pixels,
    text,
    value,
)


def captions(updates: dict, tab: ColorizeTab) -> list[str]:  # type: ignore[type-arg]
    return [caption for _, caption in value(updates, tab.gallery)]


def test_more_like_this_keeps_the_colors_of_the_chosen_coloring(
    tab: ColorizeTab, small: Path
) -> None:
    session = opened(tab, small)
    colorize(tab, session, n=3)
    click(tab, session, 1)
    kept = session.current.chosen
    updates = more(tab, session, 2, alike=True)
    assert captions(updates, tab) == ["B: 50 %", "B, variation 1", "B, variation 2"]
    assert updates[tab.gallery]["selected_index"] == 0
    assert value(updates, tab.view) == SUMMARY, "these still are principal colorings"
    assert np.array_equal(session.current.colorings[0].ab, kept.ab)
    spec = session.current.colorings[1].spec
    assert spec.seeds == (None, None, 1, 1, 1)
    assert spec.principal == kept.spec.principal
    assert session.current.chosen is session.current.colorings[0]
    assert text(updates, tab.status).startswith("3 colorings in ")
    assert all(one.preview.exists() for one in session.current.colorings)
    click(tab, session, 2)
    updates = more(tab, session, 1, alike=True)
    assert captions(updates, tab) == ["B, variation 2", "B, variation 3"], "no seed comes twice"
    assert download(tab, session, 1).name == "small_b-3.png"
    provenance = read_provenance(download(tab, session, 1))
    assert provenance is not None
    assert provenance.principal == Principal("b", 3), "its share is that of another picture"


def test_something_else_is_samples_beside_the_chosen_coloring(
    tab: ColorizeTab, colorizer: FakeColorizer, small: Path
) -> None:
    session = opened(tab, small)
    colorize(tab, session, n=4, temperature=0.6, seed=10)
    click(tab, session, 2)
    updates = more(tab, session, 2, alike=False)
    assert captions(updates, tab) == ["C: 25 %", "Sample 1", "Sample 2"]
    assert value(updates, tab.view) == SAMPLES
    assert colorizer.calls[1:] == [(1, 0.6, 11, True), (1, 0.6, 12, True)]
    updates = more(tab, session, 1, alike=False)
    assert captions(updates, tab) == ["C: 25 %", "Sample 3"], "no sample comes twice"
    assert value(look(tab, session, 0), tab.view) == SAMPLES
    updates = colorize(tab, session, n=2, seed=10)
    assert captions(updates, tab) == ["A: average of all", "B: 100 %"]
    assert value(look(tab, session, 0), tab.view) == SUMMARY


def test_without_a_coloring_there_is_nothing_to_vary(tab: ColorizeTab, small: Path) -> None:
    for session in (new(tab.session), opened(tab, small)):
        for alike in (True, False):
            assert is_problem(more(tab, session, 2, alike=alike), tab.status)


def test_the_map_glows_where_colors_are_open(
    tab: ColorizeTab, colorizer: FakeColorizer, gray: Path
) -> None:
    session = opened(tab, gray)
    updates = tab.map.show(session)
    shown = pixels(value(updates, tab.map.picture)).astype(float)
    assert shown.shape == (683, 1024, 3)
    assert updates[tab.map.column]["visible"]
    under = pixels(session.current.photo.gray).astype(float)  # type: ignore[union-attr]
    glow = (shown - 0.4 * under) / 0.6
    assert np.abs(glow[:, 2].mean(axis=0) - STOPS[0]).max() < 4
    assert np.abs(glow[:, -1].mean(axis=0) - STOPS[-1]).max() < 2
    assert np.abs(glow[:, 512].mean(axis=0) - STOPS[2]).max() < 4
    colorizer.error = AssertionError("made twice")
    assert value(tab.map.show(session), tab.map.picture)


@pytest.mark.parametrize("known", [True, False])
def test_errors_of_the_map_are_told(
    tab: ColorizeTab, colorizer: FakeColorizer, small: Path, known: bool
) -> None:
    colorizer.error = MemoryError()
    updates = tab.map.show(opened(tab, small) if known else new(tab.session))
    assert is_problem(updates, tab.status)


def test_another_photo_takes_the_map_away(tab: ColorizeTab, gray: Path, small: Path) -> None:
    session = opened(tab, gray)
    first = Path(value(tab.map.show(session), tab.map.picture))
    updates = drop(tab, [small], session)
    assert not first.exists()
    assert not updates[tab.map.column]["visible"]
    assert updates[tab.map.button]["visible"]
