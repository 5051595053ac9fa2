"""A person's way in Chromium from the scan of a cracked print to a large picture in color."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, expect

from tests.ui.cracked_print import CRACK, HEIGHT, SIDE, SPOT, WIDTH, save_scan, whole_print
from tests.ui.fake_colorizer import HOLD
from tests.ui.page_process import Page, wait_until
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

_TWICE = "selector => [1, 2].forEach(() => document.querySelector(selector).click())"
_AWAY = 40
"""Pixels of the scan by which a corner is wrong, and is corrected."""


def test_a_cracked_print_is_cut_out_repaired_colored_and_enlarged(
    browser: Browser, server: Page, tmp_path: Path
) -> None:
    scan = tmp_path / "grandma.jpg"
    (corners,) = save_scan(scan, 5.0)
    visitor = Visitor(browser, server)
    visitor.upload(scan)
    handles = visitor.one("#prepare-frame .corner")
    expect(handles).to_have_count(4)
    expect(handles.first).to_have_attribute("style", re.compile("left"))  # its script has begun

    # A click puts the nearest corner in a wrong place, from which it is dragged, and moved by keys.
    picture = visitor.one("#prepare-frame .prepare-stage")
    x, y = (float(value) for value in corners[0])
    _click(picture, (x - _AWAY, y - _AWAY), SIDE)
    across = visitor.one("#prepare-frame").get_by_label("Upper left, across")
    down = visitor.one("#prepare-frame").get_by_label("Upper left, down")
    assert abs(float(across.input_value()) - (x - _AWAY)) < 2
    assert abs(float(down.input_value()) - (y - _AWAY)) < 2
    handles.nth(0).hover()  # which may scroll
    box = _box(picture)
    scale = box["width"] / SIDE
    visitor.page.mouse.down()
    visitor.page.mouse.move(box["x"] + (x - 10) * scale, box["y"] + y * scale, steps=3)
    visitor.page.mouse.up()
    for _ in range(round(10 * scale)):
        visitor.page.keyboard.press("ArrowRight")
    assert abs(float(across.input_value()) - x) < 2
    assert abs(float(down.input_value()) - y) < 2
    visitor.one("#prepare-frame [data-act=cut]").click()
    visitor.expect_text("#prepare-status", "Done in")
    width, height = _size_in(visitor.one("#about").inner_text())
    assert abs(width - WIDTH) < 6
    assert abs(height - HEIGHT) < 6

    for _ in range(2):
        (server.temporary / HOLD).touch()
        visitor.one("#prepare-repair input").check()
        visitor.expect_text("#prepare-status", "% of the photo is prepared")
        visitor.one("#prepare-cancel").click()
        expect(visitor.one("#prepare-cancel")).to_be_disabled()
        (server.temporary / HOLD).unlink()
        visitor.expect_text("#prepare-status", "Cancelled.")
        expect(visitor.one("#prepare-repair input")).not_to_be_checked()
    visitor.one("#prepare-repair input").check()
    visitor.expect_text("#prepare-status", "of which are repaired")
    expect(visitor.one("#prepare-compare img")).to_have_count(2)
    places = visitor.one("#prepare-places img").nth(1)
    stage = visitor.one("#prepare-places .prepare-stage")
    visitor.one("#prepare-place > button").click()
    visitor.fill("#prepare-across input", 200)
    visitor.fill("#prepare-down input", 150)
    for act in (
        lambda: _click(stage, (30, 180), width),
        visitor.one("#prepare-put").click,
        visitor.one("#prepare-undo").click,
        lambda: visitor.one("#prepare-sensitivity").get_by_text("Most", exact=True).click(),
    ):
        with visitor.renewed(places):
            act()
    visitor.one("#prepare-go").click()
    visitor.expect_text("#prepare-status", "Done in")
    expect(visitor.one("#prepare-go")).to_be_hidden()
    visitor.settle()  # the end of the work comes twice
    _click(stage, SPOT, width)
    visitor.expect_text("#prepare-status", "Colorize repairs them, too")

    visitor.one("#go").click()
    visitor.expect_text("#status", "colorings in")
    expect(visitor.one("#prepare-frame")).to_be_hidden()
    visitor.expect_text("#download", f"{width} × {height}")
    download = visitor.download()
    assert download.suggested_filename == "grandma_a.jpg"
    download.save_as(tmp_path / "colored.jpg")
    with Image.open(tmp_path / "colored.jpg") as image:
        assert image.size == (width, height)
        assert image.info["dpi"] == (600, 600)
        gray = np.asarray(image.convert("L").resize((WIDTH, HEIGHT))).astype(int)
    (x, y), spot = CRACK[1], SPOT
    whole = whole_print().astype(int)
    assert abs(gray[y, x] - whole[y, x]) < 60, "the crack has gone"
    assert gray[spot[1], spot[0]] > whole[spot[1], spot[0]] + 60, "the spot stays"

    visitor.one("#size").get_by_text("×2").click()
    visitor.expect_text("#enlarge-status", f"{2 * width} × {2 * height} pixels, and takes")
    visitor.one("#enlarge-go").click()
    visitor.expect_text("#enlarge-status", "Enlarged in")
    assert visitor.saved("#enlarge-download", tmp_path)[1:] == (2 * width, 2 * height)
    visitor.close()
    assert "Traceback" not in server.log


def test_a_finger_draws_and_drags_on_the_picture_and_scrolls_beside_it(
    browser: Browser, server: Page, tmp_path: Path
) -> None:
    scan = tmp_path / "grandma.jpg"
    (corners,) = save_scan(scan, 5.0)
    visitor = Visitor(browser, server, 390)
    visitor.upload(scan)
    across = visitor.one("#prepare-frame").get_by_label("Upper left, across")
    corner = visitor.one("#prepare-frame .corner").first
    expect(corner).to_be_visible()
    expect(corner).to_have_attribute("style", re.compile("left"))  # its script has begun
    before = across.input_value()
    _swipe(visitor, corner, (14, 14), (30, 60))
    wait_until(lambda: float(across.input_value()) > float(before) + 20)

    for act, turns, left in (("right", 2, SIDE - corners[2][0]), ("left", 0, None)):
        visitor.page.evaluate(_TWICE, f"#prepare-frame [data-act={act}]")
        expect(visitor.one(f"#prepare-frame [data-turns='{turns}']")).to_be_visible()
        assert left is None or abs(float(across.input_value()) - left) < 3

    visitor.one("#prepare-repair input").check()
    visitor.expect_text("#prepare-status", "of which are repaired")
    places = visitor.one("#prepare-places img").nth(1)
    stage = visitor.one("#prepare-places .prepare-stage")
    visitor.settle()  # the end of the work comes twice
    with visitor.renewed(places):
        start = _swipe(visitor, stage, (60, 40), (10, 150))
    assert visitor.page.evaluate("scrollY") == start
    start = _swipe(visitor, visitor.one("#prepare-places p"), (60, 10), (0, -150))
    visitor.page.wait_for_function(f"scrollY > {start + 50}")
    visitor.close()
    assert "Traceback" not in server.log


def _swipe(
    visitor: Visitor, where: Locator, start: tuple[float, float], by: tuple[float, float]
) -> float:
    """Move a finger that was put down on an element; returns how far the page was scrolled then."""
    where.scroll_into_view_if_needed()
    where.click(trial=True, position={"x": start[0], "y": start[1]})  # it rests, and is uncovered
    box, page = _box(where), visitor.page
    before = float(page.evaluate("scrollY"))
    finger = page.context.new_cdp_session(page)
    for step in range(12):
        x, y = (
            origin + at + share * step / 11
            for origin, at, share in zip((box["x"], box["y"]), start, by, strict=True)
        )
        touch = {"type": "touchMove" if step else "touchStart", "touchPoints": [{"x": x, "y": y}]}
        finger.send("Input.dispatchTouchEvent", touch)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    finger.detach()
    return before


def _click(picture: Locator, place: tuple[float, float], width: int) -> None:
    """Click a picture at a place in pixels of the photo, which has that width."""
    picture.click(trial=True)  # it rests
    scale = _box(picture)["width"] / width
    picture.click(position={"x": place[0] * scale, "y": place[1] * scale})


def _box(picture: Locator) -> FloatRect:
    box = picture.bounding_box()
    assert box
    return box


def _size_in(text: str) -> tuple[int, int]:
    """Width and height in a line such as "A gray photo. 300 × 200 pixels."."""
    numbers = text.rpartition(". ")[2].split()
    return int(numbers[0]), int(numbers[2])
