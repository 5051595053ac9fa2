"""Several photos that are colored by one button and kept in one zip, without a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.ui.all_photos import AllColorings
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.controls import SAMPLES, SUMMARY
from colorflow.ui.session import Session
from colorflow.ui.status import Updates
from colorflow.ui.storage import FULL, DiskQuota
from tests.ui.fake_colorizer import AB, FakeColorizer
from tests.ui.handling import (
    click,
    colorize,
    everything,
    is_problem,
    look,
    new,
    opened,
    text,
    value,
)


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Two photos of one name, and a JPEG."""
    paths = [tmp_path / name for name in ("a.png", "other/a.png", "b.jpg")]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (30, 20), 100 + 20 * number).save(path)
    return paths


@pytest.fixture
def session(tab: ColorizeTab, three: list[Path]) -> Session[ColoredPhoto]:
    return opened(tab, *three)


def begun(
    tab: ColorizeTab, session: Session[ColoredPhoto], *, n: int = 2, seed: int = 0, view: str = ""
) -> Iterator[Updates]:
    """A run that has said that it begins."""
    updates = tab.all.begin(session, n, 1.0, seed, view or SUMMARY)
    assert updates[tab.all.cancel_button]["visible"]
    run = tab.all.color(session)
    next(run)
    return run


def ticks(updates: Updates, tab: ColorizeTab) -> list[bool]:
    return ["✓" in one for one in value(updates, tab.all.strip).split("</button>")[:-1]]


def counts(session: Session[ColoredPhoto]) -> list[int]:
    return [len(one.colorings) for one in session.items]


def packed(tab: ColorizeTab, session: Session[ColoredPhoto]) -> Path:
    return Path(value(everything(tab.all.pack(session)), tab.all.file))


def test_one_photo_needs_no_button(tab: ColorizeTab, three: list[Path]) -> None:
    updates = everything(tab.open_photos([str(three[0])], new(tab.session)))
    assert not updates[tab.all.row]["visible"]
    updates = everything(tab.open_photos([str(path) for path in three], new(tab.session)))
    assert updates[tab.all.row]["visible"]
    assert value(updates, tab.all.button) == "Colorize all 3"
    assert not updates[tab.all.zip_button]["visible"]


def test_they_are_colored_one_after_the_other(
    tab: ColorizeTab, colorizer: FakeColorizer, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session, n=2, seed=5)
    assert colorizer.calls == []
    seen = []
    for updates in run:
        if tab.all.strip in updates:
            seen.append((ticks(updates, tab), text(updates, tab.all.status)))
        last = updates
    assert seen == [
        ([number < done for number in range(3)], f"{done} of 3 photos are colored.")
        for done in (1, 2, 3)
    ]
    assert colorizer.calls == [(2, 1.0, 5, False)] * 3
    assert text(last, tab.all.status).startswith("3 photos colored in ")
    assert not last[tab.all.cancel_button]["visible"]
    assert counts(session) == [2, 2, 2]


def test_photos_with_colors_are_left_alone_until_they_are_treated_as_gray(
    tab: ColorizeTab, colorizer: FakeColorizer, three: list[Path], tmp_path: Path
) -> None:
    painted = tmp_path / "<b>painted.png"
    Image.fromarray(data.astronaut()[::8, ::8]).save(painted)
    session = opened(tab, *three[:2], painted)
    assert value(tab.all.shown(session), tab.all.button) == "Colorize all 2"
    last = everything(begun(tab, session))
    assert counts(session) == [2, 2, 0]
    assert text(last, tab.all.status).startswith("2 photos colored in ")
    assert "&lt;b&gt;painted.png: has colors and was left alone" in text(last, tab.all.status)
    again = tab.all.begin(session, 2, 1.0, 0, SUMMARY)
    assert "painted.png: has colors and was left alone" in text(again, tab.all.status)

    look(tab, session, 2)
    colorize(tab, session)
    assert counts(session) == [2, 2, 2]
    assert value(tab.all.shown(session), tab.all.button) == "Colorize all 3"
    last = everything(begun(tab, session, seed=9))
    assert [one.require_chosen().seed for one in session.items] == [9, 9, 9]
    assert "left alone" not in text(last, tab.all.status)


def test_the_photo_that_is_looked_at_is_shown(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    assert value(look(tab, session, 2), tab.gallery) is None
    for _ in range(2):
        assert tab.gallery not in next(run)
    third = next(run)
    assert len(value(third, tab.gallery)) == 2
    assert third[tab.result.column]["visible"]
    assert value(third, tab.format) == "JPEG"
    next(run)  # what was shown has been sent
    assert value(tab.result.prepare_download(session), tab.result.file).endswith("/b_a.jpg")
    assert len(value(look(tab, session, 0), tab.gallery)) == 2


def test_looking_waits_until_what_was_shown_has_been_sent(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    next(run)  # sent when Gradio asks for the next one
    looking = threading.Thread(target=look, args=(tab, session, 1), daemon=True)
    looking.start()
    looking.join(0.2)
    assert session.current is session.items[0]
    everything(run)
    looking.join(10)
    assert session.current is session.items[1]


def test_cancel_keeps_what_is_done_and_the_next_run_goes_on(
    tab: ColorizeTab, colorizer: FakeColorizer, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    next(run)
    tab.all.cancel(session)
    rest = everything(run)
    assert text(rest, tab.all.status) == "Cancelled; 1 of 3 photos are colored."
    assert not rest[tab.all.cancel_button]["visible"]
    assert counts(session) == [2, 0, 0]
    kept = session.items[0].colorings
    assert not tab.all.shown(session)[tab.all.zip_button]["visible"], "one has its own download"
    rest = everything(begun(tab, session))
    assert text(rest, tab.all.status).startswith("2 photos colored in ")
    assert session.items[0].colorings is kept
    assert len(colorizer.calls) == 3
    updates = tab.all.begin(session, 2, 1.0, 0, SUMMARY)
    assert text(updates, tab.all.status) == "All of them have these colorings already."
    everything(begun(tab, session, seed=9))
    assert [one.require_chosen().seed for one in session.items] == [9, 9, 9]


def test_cancel_in_the_middle_of_a_photo(tab: ColorizeTab, session: Session[ColoredPhoto]) -> None:
    colorize = tab.all._colorizer.colorize

    def cancelling(*arguments: Any, **options: Any) -> Any:
        tab.all.cancel(session)
        return colorize(*arguments, **options)

    tab.all._colorizer.colorize = cancelling  # type: ignore[method-assign]
    rest = everything(begun(tab, session, view=SAMPLES))
    assert text(rest, tab.all.status) == "Cancelled; 0 of 3 photos are colored."
    assert counts(session) == [0, 0, 0]
    assert session.items[0].options is None


def test_cancel_before_its_turn(tab: ColorizeTab, session: Session[ColoredPhoto]) -> None:
    tab.all.begin(session, 2, 1.0, 0, SUMMARY)
    updates = tab.all.cancel(session)
    assert text(updates, tab.all.status) == "Cancelled; nothing was colored."
    assert not updates[tab.all.cancel_button]["visible"]
    assert everything(tab.all.color(session))[tab.all.status] == gr.skip()
    assert counts(session) == [0, 0, 0]


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_other_work_ends_it(tab: ColorizeTab, session: Session[ColoredPhoto], state: str) -> None:
    tab.all.begin(session, 2, 1.0, 0, SUMMARY)
    run = tab.all.color(session)
    job = session.job
    assert isinstance(job, AllColorings)
    if state == "running":
        next(run)
        next(run)
    job.end = "replaced"  # as the start of another does
    rest = everything(run)
    assert not rest[tab.all.cancel_button]["visible"]
    colorize(tab, session, n=1)
    assert counts(session) == [1, 0, 0]


def test_a_photo_that_fails_is_named_and_the_others_go_on(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    session.items[1].photo.path.unlink()
    run = begun(tab, session)
    said = [text(one, tab.all.status) for one in run if tab.all.strip in one]
    assert said == [f"{done} of 3 photos are colored." for done in (1, 1, 2)]
    rest = everything(begun(tab, session, seed=1))
    assert ticks(rest, tab) == [True, False, True]
    said = text(rest, tab.all.status)
    assert said.startswith("2 photos colored in ")
    assert "a.png: there is no such file" in said
    assert is_problem(rest, tab.all.status)


def test_a_bad_seed_is_told(tab: ColorizeTab, session: Session[ColoredPhoto]) -> None:
    updates = tab.all.begin(session, 2, 1.0, None, SUMMARY)
    assert text(updates, tab.all.status).startswith("Seed: a whole number")
    assert session.job is None


def test_a_tick_also_for_what_is_colored_alone(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    assert ticks(colorize(tab, session), tab) == [True, False, False]


def test_the_zip_has_the_chosen_coloring_of_each_in_full_size(
    tab: ColorizeTab, session: Session[ColoredPhoto]
) -> None:
    everything(begun(tab, session))
    look(tab, session, 2)
    click(tab, session, 1)
    updates = everything(tab.all.pack(session))
    assert text(updates, tab.all.status).startswith("3 photos, ")
    archive = Path(value(updates, tab.all.file))
    assert archive.name == "colored-photos.zip"
    with ZipFile(archive) as content:
        assert sorted(content.namelist()) == ["a_a (2).png", "a_a.png", "b_b.jpg"]
        for name, seed in (("a_a.png", 0), ("b_b.jpg", 1)):
            with content.open(name) as file, Image.open(file) as image:
                assert image.size == (30, 20)
                lab = color.rgb2lab(np.asarray(image))
            assert np.abs(lab[..., 1:].mean(axis=(0, 1)) - AB[seed]).max() < 4
    assert [one.name for one in archive.parent.iterdir()] == [archive.name]
    click(tab, session, 0)
    again = packed(tab, session)
    with ZipFile(again) as content:
        assert "b_a.jpg" in content.namelist()
    assert not archive.exists()


def test_what_hinders_the_zip_is_told(
    tab: ColorizeTab, session: Session[ColoredPhoto], tmp_path: Path
) -> None:
    updates = everything(tab.all.pack(session))
    assert "color the photos first" in text(updates, tab.all.status)
    everything(begun(tab, session))
    session.budget.disk = DiskQuota(tmp_path, max_bytes=1)
    updates = everything(tab.all.pack(session))
    assert text(updates, tab.all.status) == FULL
    assert value(updates, tab.all.file) is None
    session.budget.disk = DiskQuota()
    session.items[1].photo.path.unlink()
    assert is_problem(everything(tab.all.pack(session)), tab.all.status)


def test_a_visitor_who_leaves_ends_it_and_leaves_nothing(
    tab: ColorizeTab, root: Path, session: Session[ColoredPhoto]
) -> None:
    run = begun(tab, session)
    next(run)
    session.close()
    run.close()  # type: ignore[attr-defined]
    assert not any(root.iterdir())
