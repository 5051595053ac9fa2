"""The size of a coloring as a visitor chooses it, in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from tests.ui.fake_colorizer import HOLD
from tests.ui.page_process import Page
from tests.ui.visitor import PATIENCE, Visitor

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
    expect(samples).to_have_count(4, timeout=PATIENCE)
    visitor.expect_text("#enlarge-status", "256 × 256 pixels")
    size = samples.nth(1).locator("img").evaluate("x => [x.naturalWidth, x.width]")
    assert size[0] == size[1] == 256, "one pixel for one"
    visitor.one("#enlarge-picture img").click(position={"x": 5, "y": 5})
    expect(samples).to_have_count(4, timeout=PATIENCE)
    last = samples.nth(3).locator("img")
    before = str(last.get_attribute("src"))
    visitor.one("#enlarge-restore input").check()
    expect(last).not_to_have_attribute("src", before, timeout=PATIENCE)
    visitor.expect_text("#enlarge-status", "256 × 256 pixels")
    samples.nth(2).click()
    for _ in range(2):
        (server.temporary / HOLD).touch()
        visitor.one("#enlarge-go").click()
        visitor.expect_text("#enlarge-status", "% of the picture")
        visitor.one("#enlarge-cancel").click()
        (server.temporary / HOLD).unlink()
        visitor.expect_text("#enlarge-status", "Cancelled; nothing was made.")
        expect(visitor.one("#enlarge-cancel")).to_be_hidden()
        expect(visitor.one("#enlarge-download")).to_be_hidden()
    visitor.one("#enlarge-go").click()
    visitor.expect_text("#enlarge-status", "Enlarged in")
    with visitor.page.expect_download() as download:
        visitor.one("#enlarge-download").click()
    assert download.value.suggested_filename == "small_a_x2_restored_s1.png"
    download.value.save_as(tmp_path / "large.png")
    with Image.open(tmp_path / "large.png") as image:
        assert image.size == (256, 256)
    visitor.one("#gallery .thumbnail-item").nth(1).click()
    expect(visitor.one("#enlarge")).to_be_hidden(timeout=PATIENCE)
    visitor.close()
