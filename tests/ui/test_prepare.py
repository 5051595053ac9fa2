"""An old print is cut out, turned and repaired before it is colored, and all of it taken back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from colorflow.batch import Settings, make_plan, run_in_process
from colorflow.color.full_resolution import lightness_of
from colorflow.photo import read_photo, read_statements
from colorflow.ui.album import AlbumSession
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.limits import MemoryBudget, UploadSpace
from colorflow.ui.prepare import PreparePane
from colorflow.ui.prepared import MOST_MARKS, OldPrint
from colorflow.ui.status import Updates
from tests.ui.cracked_print import (
    CRACK,
    HEIGHT,
    SPOT,
    WIDTH,
    cracked_print,
    save_scan,
    whole_print,
)
from tests.ui.fake_colorizer import FakeColorizer, SmallRepairer
from tests.ui.handling import (
    IMAGE_DESCRIPTION,
    SUBJECT,
    colorize,
    download,
    everything,
    is_problem,
    look,
    opened,
    running,
    text,
    value,
)

SMALL, MEDIUM, LARGE = 1 / 400, 1 / 150, 1 / 50
"""Sizes of what is added."""


@pytest.fixture(scope="module")
def prepared_tab() -> ColorizeTab:
    with gr.Blocks(analytics_enabled=False):
        return ColorizeTab(FakeColorizer(), UploadSpace(Path()), repairer=SmallRepairer.load())


@pytest.fixture
def tab(prepared_tab: ColorizeTab, root: Path) -> ColorizeTab:
    prepared_tab.session.value = AlbumSession(root, MemoryBudget(1_000_000))
    return prepared_tab


@pytest.fixture
def pane(tab: ColorizeTab) -> PreparePane:
    return tab.prepare


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A cracked print that was scanned without anything around it."""
    path = tmp_path / "print.png"
    Image.fromarray(cracked_print()).save(path)
    return path


def scanned(tab: ColorizeTab, tmp_path: Path, *tilts: float) -> tuple[Any, list[np.ndarray]]:
    """A visitor with a scan, and the corners of its prints."""
    corners = save_scan(tmp_path / "scan.jpg", *tilts)
    return opened(tab, tmp_path / "scan.jpg"), corners


def old(session: Any) -> OldPrint:
    assert session.current
    assert session.current.old_print
    return session.current.old_print


def made(pane: PreparePane, session: Any, begun: Updates) -> Updates:
    """What is shown after a wish was made, if there is anything to make."""
    shown = [one for one in pane.work(session) if one != {pane.status: gr.skip()}]
    return everything(iter([begun, *shown]))


def press(pane: PreparePane, session: Any, act: str, corners: object = None) -> Updates:
    """Press a button beside the frame, by default with the corners as they are."""
    if corners is None:
        corners = [list(corner) for corner in old(session).turned_corners]
    event: Any = SimpleNamespace(index=act, value=corners)
    return made(pane, session, pane.wish_frame(session, event))


def switch(pane: PreparePane, session: Any, *, repairs: bool, fades: bool = False) -> Updates:
    return everything(iter([pane.wish_repair(session, repairs, fades), *pane.work(session)]))


def click(
    pane: PreparePane, session: Any, *points: Sequence[float], size: float = MEDIUM
) -> Updates:
    """Click or draw, in pixels of what is shown."""
    base = old(session).base
    shares = [[x / base.width, y / base.height] for x, y in points]
    event: Any = SimpleNamespace(index=0, value=shares)
    return pane.draw(session, size, event)


def colored_pixels(session: Any) -> np.ndarray:
    """Of the photo that is colored."""
    return read_photo(session.current.photo.path).full_depth


def is_repaired(session: Any, place: tuple[int, int]) -> bool:
    x, y = place
    return bool(colored_pixels(session)[y, x] < 250)


def corners_in(updates: Updates, pane: PreparePane) -> np.ndarray:
    """The corners that are shown, (4, 2)."""
    numbers = re.findall(r'value="([\d.]+)"', value(updates, pane.frame))
    return np.array(numbers, float).reshape(4, 2)


def test_a_print_is_found_and_its_download_has_its_size(
    tab: ColorizeTab, pane: PreparePane, tmp_path: Path
) -> None:
    session, (corners,) = scanned(tab, tmp_path, 5.0)
    shown = tab._view(session)
    assert shown[pane.part]["open"]
    assert np.abs(corners_in(shown, pane) - corners).max() < 3
    press(pane, session, "cut", corners.tolist())
    assert np.abs(colored_pixels(session).astype(int) - cracked_print()).mean() < 4
    colorize(tab, session)
    path = download(tab, session)
    assert path.name == "scan_a.jpg"
    with Image.open(path) as image:
        assert image.size == (WIDTH, HEIGHT)
        assert image.info["dpi"] == (600, 600)
        assert str(image.getexif()[IMAGE_DESCRIPTION]).startswith(SUBJECT)


def test_another_print_of_the_bed_can_follow(
    tab: ColorizeTab, pane: PreparePane, tmp_path: Path
) -> None:
    session, corners = scanned(tab, tmp_path, 0.0, 3.0)
    for number in (1, 0):
        shown = press(pane, session, f"print{number}")
        assert np.abs(corners_in(shown, pane) - corners[number]).max() < 5
        assert session.current.photo.width != WIDTH, "nothing is cut out before it is said"
        press(pane, session, "cut", corners[number].tolist())
        assert np.abs(colored_pixels(session).astype(int) - cracked_print()).mean() < 4
        press(pane, session, "whole")
    assert len(list(session.current.folder.glob("prepared-*"))) == 0, (
        "what is not needed is deleted"
    )


def test_files_say_of_the_cut_what_the_command_says(
    tab: ColorizeTab, pane: PreparePane, tmp_path: Path
) -> None:
    session, corners = scanned(tab, tmp_path, 0.0, 3.0)
    plan = make_plan([tmp_path / "scan.jpg"], tmp_path, Settings(n=1, crop=True))
    (outcome,) = run_in_process(plan, FakeColorizer())
    for number, made in enumerate(outcome.colorings):
        said = read_statements(str(made.path)).prepared
        assert said
        press(pane, session, "cut", (corners[number] + 2).tolist())
        colorize(tab, session)
        assert read_statements(download(tab, session)).prepared == replace(said, photo=None)
        switch(pane, session, repairs=False, fades=True)
        faded = read_statements(session.current.photo.path).prepared
        assert faded == replace(said, photo=None, unfaded=True)
        switch(pane, session, repairs=False)
    press(pane, session, "whole")
    press(pane, session, "right")
    assert read_statements(session.current.photo.path).prepared is None, "only turned"


def test_the_whole_scan_comes_back(tab: ColorizeTab, pane: PreparePane, tmp_path: Path) -> None:
    session, _ = scanned(tab, tmp_path, 5.0)
    scan = session.current.photo
    press(pane, session, "cut")
    switch(pane, session, repairs=True, fades=True)
    shown = press(pane, session, "whole")
    assert value(shown, pane.repairs) is True, "the switches stay"
    switch(pane, session, repairs=False)
    assert session.current.photo is scan
    assert len(list(scan.folder.glob("prepared-*"))) == 0


def test_quarter_turns_lose_nothing(tab: ColorizeTab, pane: PreparePane, plain: Path) -> None:
    session = opened(tab, plain)
    pixels = colored_pixels(session)
    assert not tab._view(session)[pane.part]["open"], "nothing is found around it"
    shown = press(pane, session, "right")
    assert np.array_equal(colored_pixels(session), np.rot90(pixels, -1))
    assert corners_in(shown, pane).tolist() == [[0, 0], [HEIGHT, 0], [HEIGHT, WIDTH], [0, WIDTH]]
    corner = [[20, 10], [120, 10], [120, 210], [20, 210]]
    press(pane, session, "cut", corner)
    assert np.array_equal(colored_pixels(session), np.rot90(pixels, -1)[10:210, 20:120])
    press(pane, session, "left")
    press(pane, session, "left")
    assert np.array_equal(
        colored_pixels(session), np.rot90(np.rot90(pixels, -1)[10:210, 20:120], 2)
    )


@pytest.mark.parametrize("bits", [8, 16])
def test_depth_and_transparency_stay(
    tab: ColorizeTab, pane: PreparePane, tmp_path: Path, bits: int
) -> None:
    import imagecodecs

    values = np.random.default_rng(0).integers(0, 2**bits, (60, 80, 4))
    path = tmp_path / "print.png"
    path.write_bytes(imagecodecs.png_encode(values.astype(f"uint{bits}")))
    session = opened(tab, path)
    before = read_photo(path)
    press(pane, session, "cut", [[10, 20], [50, 20], [50, 50], [10, 50]])
    after = read_photo(session.current.photo.path)
    assert after.bits == bits
    assert np.array_equal(after.full_depth, before.full_depth[20:50, 10:50])
    assert before.alpha is not None
    assert after.alpha is not None
    assert np.array_equal(after.alpha, before.alpha[20:50, 10:50])


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        ([[10, 10], [100, 100], [100, 10], [10, 100]], "sides cross"),
        ([[10, 10], [100, 10], [40, 30], [10, 100]], "sides cross"),
        ([[10, 10], [301, 10], [301, 100], [10, 100]], "on the photo: from 0 to 300 across"),
        ([[-1, 10], [100, 10], [100, 100], [10, 100]], "on the photo"),
        ([[10, 10], [15, 10], [15, 100], [10, 100]], "too close together"),
        ([[10, 10], [100, 10], [100, 100]], "do not enclose"),
        ([[10, None], [100, 10], [100, 100], [10, 100]], "two numbers"),
        ([["10", "10"], [100, 10], [100, 100], [10, 100]], "two numbers"),
        ([[float("nan"), 0], [100, 10], [100, 100], [10, 100]], "two numbers"),
        ([[True, [1]], {}, [100, 100], [10, 100]], "two numbers"),
        ("corners", "two numbers"),
    ],
)
def test_corners_that_enclose_nothing_are_one_sentence(
    tab: ColorizeTab, pane: PreparePane, plain: Path, corners: object, said: str
) -> None:
    session = opened(tab, plain)
    colorize(tab, session)
    photo, chosen = session.current.photo, session.current.chosen
    updates = press(pane, session, "cut", corners)
    assert is_problem(updates, pane.status)
    assert said in text(updates, pane.status)
    assert (session.current.photo, session.current.chosen) == (photo, chosen)


def test_what_is_cut_out_has_no_more_pixels_than_a_photo_may_have(
    tab: ColorizeTab, pane: PreparePane, tmp_path: Path
) -> None:
    path = tmp_path / "long.png"
    Image.new("L", (4000, 200), 128).save(path)
    session = opened(tab, path)
    updates = press(pane, session, "cut", [[0, 0], [4000, 0], [17, 200], [0, 200]])
    assert "would have 16.0 megapixels; here it has at most 1.0" in text(updates, pane.status)


def test_repair_changes_the_damage_alone(tab: ColorizeTab, pane: PreparePane, plain: Path) -> None:
    session = opened(tab, plain)
    updates = switch(pane, session, repairs=True)
    assert "of which are repaired" in text(updates, pane.status)
    assert updates[pane.found]["visible"]
    assert 'alt="Your photo, prepared"' in value(updates, pane.compare)
    pixels, whole, cracked = colored_pixels(session), whole_print(), cracked_print()
    changed = pixels != cracked
    assert changed[cracked == 255].all()
    assert not changed[: CRACK[0][1] - 6].any()
    off = np.abs(pixels.astype(int) - whole)[cracked == 255].mean()
    assert off < 0.2 * np.abs(cracked.astype(int) - whole)[cracked == 255].mean()
    overlay = np.asarray(Image.open(_overlay(updates, pane)))
    assert ((overlay[..., 3] > 0) | ~changed).all(), "all that is changed is shown"
    assert (overlay[..., 3] > 0).mean() < 0.1
    assert switch(pane, session, repairs=False)[pane.found]["visible"] is False
    assert np.array_equal(colored_pixels(session), cracked)


def test_places_are_taken_back_and_added(tab: ColorizeTab, pane: PreparePane, plain: Path) -> None:
    """Coloring begins with what was changed and not repaired yet."""
    session = opened(tab, plain)
    switch(pane, session, repairs=True)
    nothing = (30, 180)
    updates = click(pane, session, SPOT)
    assert updates[pane.button]["visible"]
    assert updates[pane.undo_button]["interactive"]
    click(pane, session, nothing, size=LARGE)
    click(pane, session, (200, 150), (250, 150), (250, 200), size=SMALL)
    assert is_repaired(session, SPOT), "it is as it was until it is asked for"
    shown = colorize(tab, session)
    assert "2 colorings" in text(shown, tab.status)
    assert not shown[pane.part]["open"]
    assert not is_repaired(session, SPOT)
    assert is_repaired(session, CRACK[1])
    said = read_statements(download(tab, session)).prepared
    assert said
    assert said.model == SmallRepairer.load().digest
    assert said.share == pytest.approx(old(session).share)
    changed = colored_pixels(session) != cracked_print()
    for x, y in (nothing, (225, 150), (250, 180)):
        assert changed[y - 1 : y + 2, x - 1 : x + 2].any()
    for _ in range(3):
        updates = pane.undo(session)
    assert not updates[pane.undo_button]["interactive"]
    made(pane, session, pane.begin(session))
    assert is_repaired(session, SPOT)
    assert session.current.chosen is None, "colorings of another picture are gone"


def test_less_and_more(tab: ColorizeTab, pane: PreparePane, plain: Path) -> None:
    session = opened(tab, plain)
    switch(pane, session, repairs=True)
    click(pane, session, (30, 180))
    shares = []
    for sensitivity in range(-2, 3):
        pane.find(session, sensitivity)
        shares.append(old(session).share)
    assert shares == sorted(shares)
    assert shares[0] > 0, "what the visitor has added stays"


def test_a_place_in_numbers(tab: ColorizeTab, pane: PreparePane, plain: Path) -> None:
    session = opened(tab, plain)
    switch(pane, session, repairs=True)
    before = old(session).share
    assert "Say how far" in text(pane.put(session, SMALL, None, 3), pane.status)
    for x, y in ((WIDTH + 1, 3), (-1, 3), (float("nan"), 3)):
        assert "has 300 × 220 pixels" in text(pane.put(session, SMALL, x, y), pane.status)
    assert old(session).share == before
    pane.put(session, SMALL, *SPOT)
    assert old(session).share < before
    old(session).wish = old(session).wish.__class__(
        repairs=True, marks=old(session).wish.marks * MOST_MARKS
    )
    assert "undo some first" in text(pane.put(session, SMALL, 3, 3), pane.status)


def test_nothing_found_is_said(tab: ColorizeTab, pane: PreparePane, tmp_path: Path) -> None:
    path = tmp_path / "whole.png"
    Image.fromarray(whole_print()).save(path)
    session = opened(tab, path)
    updates = switch(pane, session, repairs=True)
    assert "No damage was found" in text(updates, pane.status)
    assert np.array_equal(colored_pixels(session), whole_print())


def test_cancelled_repair_leaves_the_photo_as_it_was(
    tab: ColorizeTab, pane: PreparePane, plain: Path
) -> None:
    session = opened(tab, plain)
    colorize(tab, session)
    photo, chosen = session.current.photo, session.current.chosen
    pane.wish_repair(session, True, False)
    working = pane.work(session)
    next(working), next(working)
    session.cancel()
    updates = everything(working)
    assert "Cancelled." in text(updates, pane.status)
    assert value(updates, pane.repairs) is False
    assert (session.current.photo, session.current.chosen) == (photo, chosen)
    assert not list(photo.folder.glob("prepared-*"))
    pane.wish_repair(session, True, False)
    assert next(pane.work(session))[pane.cancel]["interactive"], "so can the next one"


def test_an_album_that_is_being_colored_is_not_ended_by_a_wish(
    tab: ColorizeTab, pane: PreparePane, plain: Path
) -> None:
    session = opened(tab, plain)
    next(running(tab, tab.all, session, 1, 1.0, 0, "Summary"))
    job = session.job
    assert "Waiting" in text(pane.wish_repair(session, True, False), pane.status)
    assert job
    assert (session.job, job.end) == (job, None)


def test_who_leaves_meanwhile_leaves_nothing(
    tab: ColorizeTab, pane: PreparePane, plain: Path, root: Path
) -> None:
    session = opened(tab, plain)
    pane.wish_repair(session, True, False)
    working = pane.work(session)
    next(working), next(working)
    session.close()
    assert everything(working)[pane.status] == gr.skip()
    assert not list(root.iterdir())


def test_without_weights_the_switch_says_why(root: Path, plain: Path) -> None:
    with gr.Blocks(analytics_enabled=False):
        tab = ColorizeTab(FakeColorizer(), UploadSpace(root))
    pane = tab.prepare
    assert pane.repairs.interactive is False
    assert "weights for it are not installed" in str(pane.repairs.info)
    Image.fromarray(cracked_print() // 2 + 60).save(plain)
    session = opened(tab, plain)
    before = colored_pixels(session)
    updates = switch(pane, session, repairs=True, fades=True)
    assert value(updates, pane.repairs) is False
    assert not np.array_equal(colored_pixels(session), before), "tones need no weights"


def test_faded_tones_come_back(tab: ColorizeTab, pane: PreparePane, tmp_path: Path) -> None:
    path = tmp_path / "pale.png"
    pale = np.round(120 + 60 * (whole_print() / 255.0)).astype(np.uint8)
    Image.fromarray(pale).save(path)
    session = opened(tab, path)
    switch(pane, session, repairs=False, fades=True)
    before, after = (np.ptp(lightness_of(one)) for one in (pale, colored_pixels(session)))
    assert after > 1.5 * before


def test_it_is_the_photo_that_is_open(
    tab: ColorizeTab, pane: PreparePane, plain: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.png"
    Image.fromarray(cracked_print()).save(other)
    session = opened(tab, plain, other)
    switch(pane, session, repairs=True)
    shown = look(tab, session, 1)
    assert value(shown, pane.repairs) is False
    assert not is_repaired(session, SPOT)
    shown = look(tab, session, 0)
    assert value(shown, pane.repairs) is True
    assert is_repaired(session, SPOT)
    everything(running(tab, tab.all, session, 1, 1.0, 0, "Summary"))
    assert [one.photo.path.name for one in session.items if one.chosen] == [
        "print.png",
        "other.png",
    ]


def test_what_is_lost_is_said(tab: ColorizeTab, pane: PreparePane, plain: Path) -> None:
    session = opened(tab, plain)
    switch(pane, session, repairs=True)
    session.current.photo.path.unlink()
    old(session)._mask.unlink()
    updates = click(pane, session, SPOT)
    assert "What was found is gone" in text(updates, pane.status)
    old(session).scan.path.unlink()
    updates = press(pane, session, "right")
    assert is_problem(updates, pane.status)
    assert "print.png" in text(updates, pane.status)


def _overlay(updates: Updates, pane: PreparePane) -> str:
    return re.findall(r'src="[^"]*file=([^"]*)"', value(updates, pane.places))[1]
