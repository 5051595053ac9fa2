"""The size of a coloring as a visitor chooses it, in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Route, expect
from skimage import data

from benchmarks.page_pictures import loaded
from colorflow.ui.enlarge import DRAWS
from tests.ui.fake_colorizer import HOLD
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

_CHOOSE_AND_ENLARGE = """
index => {
    document.querySelectorAll("#enlarge-samples .thumbnail-item")[index].click();
    document.querySelector("#enlarge-go").click();
}
"""

_CHOOSE_AND_DOWNLOAD = """
index => {
    document.querySelectorAll("#gallery .thumbnail-item")[index].click();
    document.querySelector("#download").click();
}
"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_visitor_enlarges_a_coloring(browser: Browser, server: Page, tmp_path: Path) -> None:
    """After two that are cancelled, each when its first tile is done."""
    photo = tmp_path / "small.png"
    Image.fromarray(data.camera()[::4, ::4]).save(photo)
    visitor = Visitor(browser, server)
    visitor.colorize(photo)
    visitor.expect_text("#download", "128 × 128")
    expect(visitor.one("#enlarge")).to_be_hidden()
    visitor.one("#size").get_by_text("×2").click()
    samples = visitor.one("#enlarge-samples .thumbnail-item")
    expect(samples).to_have_count(4)
    visitor.expect_text("#enlarge-status", "256 × 256 pixels, and takes")
    expect(visitor.one("#download")).to_be_hidden()
    for size in ("naturalWidth", "width"):  # one pixel for one
        expect(samples.nth(1).locator("img")).to_have_js_property(size, 256)
    last = samples.nth(3).locator("img")
    with visitor.renewed(last):
        visitor.one("#enlarge-restore input").check()
    visitor.expect_text("#enlarge-status", "256 × 256 pixels")
    samples.nth(2).click()
    expect(samples.nth(2)).to_have_attribute("aria-pressed", "true")
    for _ in range(2):
        (server.temporary / HOLD).touch()
        visitor.one("#enlarge-go").click()
        visitor.expect_text("#enlarge-status", "% of the picture")
        visitor.one("#enlarge-cancel").click()
        expect(visitor.one("#enlarge-cancel")).to_be_disabled()
        (server.temporary / HOLD).unlink()
        visitor.expect_text("#enlarge-status", "Cancelled; nothing was made.")
        expect(visitor.one("#enlarge-cancel")).to_be_hidden()
        expect(visitor.one("#enlarge-download")).to_be_hidden()
    with visitor.renewed(last):
        picture = loaded(visitor.one("#enlarge-picture img"))
        picture.click()  # its middle: the corners may be empty
        visitor.one("#enlarge-go").click()
        visitor.expect_text("#enlarge-status", "Enlarged in")
    expect(samples).to_have_count(4)
    expect(samples.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(visitor.one("#enlarge-go")).to_be_hidden()
    assert visitor.saved("#enlarge-download", tmp_path) == ("small_a_x2_restored_s1.png", 256, 256)
    with visitor.renewed(last):
        visitor.one("#saturation input[type=range]").fill("0.5")
        expect(visitor.one("#enlarge-download")).to_be_hidden()
    expect(visitor.one("#size").get_by_label("×2")).to_be_checked()
    expect(visitor.one("#enlarge-go")).to_be_visible()
    visitor.one("#gallery .thumbnail-item").nth(1).click()
    expect(visitor.one("#enlarge")).to_be_hidden()
    expect(visitor.one("#download")).to_be_visible()
    visitor.close()
    assert "Traceback" not in server.log


def test_what_was_chosen_a_moment_before_is_saved_and_enlarged(
    browser: Browser, server: Page, tmp_path: Path
) -> None:
    """Both requests reach the server before it has looked at one of them."""
    photo = tmp_path / "quick.png"
    Image.fromarray(data.camera()[::8, ::8]).save(photo)
    visitor = Visitor(browser, server)
    visitor.colorize(photo)
    for index in (2, 1, 3, 0):
        with visitor.page.expect_download() as download:
            visitor.page.evaluate(_CHOOSE_AND_DOWNLOAD, index)
        assert download.value.suggested_filename == f"quick_{'abcd'[index]}.png"
    visitor.one("#size").get_by_text("×2").click()
    expect(visitor.one("#enlarge-samples .thumbnail-item")).to_have_count(4)
    visitor.expect_text("#enlarge-status", "128 × 128 pixels")
    for index in (3, 2, 1, 2, 3, 1, 2, 3):
        visitor.one("#enlarge-samples .thumbnail-item").first.click()
        expect(visitor.one("#enlarge-go")).to_be_visible()
        expect(visitor.one("#enlarge-download")).to_be_hidden()
        visitor.page.evaluate(_CHOOSE_AND_ENLARGE, index)
        expect(visitor.one("#enlarge-download")).to_be_visible()
        label = DRAWS[index - 1].label
        assert visitor.saved("#enlarge-download", tmp_path)[0] == f"quick_a_x2_{label}.png"
    visitor.close()
    assert "Traceback" not in server.log


def test_a_visitor_enlarges_a_photo_as_it_is(
    browser: Browser, server: Page, tmp_path: Path
) -> None:
    """One with colors, which is left alone. A busy page refuses it first."""
    photo = tmp_path / "mine.png"
    Image.fromarray(data.astronaut()[::4, ::4]).save(photo)
    visitor = Visitor(browser, server, 390)
    visitor.upload(photo)
    visitor.expect_text("#about", "already has colors")
    expect(visitor.one("#download")).to_be_hidden()
    visitor.one("#size").get_by_text("×2").click()
    expect(visitor.one("#enlarge-samples .thumbnail-item")).to_have_count(4)
    joined = []

    def busy(route: Route) -> None:
        joined.append(route)
        if len(joined) >= 2:  # the first says that it waits for its turn
            route.fulfill(status=503, json={"detail": "Queue is full.", "error": "Queue is full."})
        else:
            route.continue_()

    visitor.page.route("**/queue/join*", busy)
    visitor.one("#enlarge-go").click()
    visitor.expect_text("#enlarge-status", "The page is busy, and nothing was begun")
    expect(visitor.one("#enlarge-cancel")).to_be_hidden()
    assert all("503" in fault for fault in visitor.faults)
    visitor.faults.clear()
    visitor.page.unroute("**/queue/join*")
    visitor.one("#enlarge-go").click()
    visitor.expect_text("#enlarge-status", "Enlarged in")
    assert visitor.saved("#enlarge-download", tmp_path) == ("mine_x2_mean.png", 256, 256)
    visitor.one("#size").get_by_text("As it is").click()
    expect(visitor.one("#enlarge")).to_be_hidden()
    expect(visitor.one("#download")).to_be_hidden()
    visitor.close()
    assert "Traceback" not in server.log
