"""The size of a coloring as a visitor chooses it, in Chromium, with the shipped weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from colorflow.photo import read_statements
from tests.ui.page_process import Page
from tests.ui.visitor import PATIENCE, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_visitor_enlarges_a_coloring(
    browser: Browser,
    server: Page,
    tmp_path: Path,
) -> None:
    photo = tmp_path / "small.png"
    Image.fromarray(data.camera()[::4, ::4]).save(photo)
    visitor = Visitor(browser, server)
    page = visitor.page
    page.goto(server.address)
    page.set_input_files("#upload input[type=file]", photo)
    page.locator("#go:not([disabled])").click()
    expect(page.locator("#download")).to_contain_text("128 × 128", timeout=PATIENCE)
    expect(page.locator("#enlarge")).to_be_hidden()
    page.locator("#size").get_by_text("×2").click()
    samples = page.locator("#enlarge-samples .thumbnail-item")
    expect(samples).to_have_count(4, timeout=PATIENCE)
    expect(page.locator("#enlarge-status")).to_contain_text("256 × 256 pixels", timeout=PATIENCE)
    size = samples.nth(1).locator("img").evaluate("x => [x.naturalWidth, x.width]")
    assert size[0] == size[1] == 256, "one pixel for one"
    page.locator("#enlarge-picture img").click(position={"x": 5, "y": 5})
    expect(samples).to_have_count(4, timeout=PATIENCE)
    samples.nth(2).click()
    page.locator("#enlarge-go").click()
    expect(page.locator("#enlarge-status")).to_contain_text("Enlarged in", timeout=PATIENCE)
    with page.expect_download() as download:
        page.locator("#enlarge-download").click()
    assert download.value.suggested_filename == "small_a_x2_s1.png"
    download.value.save_as(tmp_path / "large.png")
    said = read_statements(tmp_path / "large.png")
    assert said.colors
    assert said.detail
    assert said.detail.seed == 1
    with Image.open(tmp_path / "large.png") as image:
        assert image.size == (256, 256)
    page.locator("#gallery .thumbnail-item").nth(1).click()
    expect(page.locator("#enlarge")).to_be_hidden(timeout=PATIENCE)
    assert visitor.faults == []
    visitor.context.close()


def test_cancel_ends_an_enlargement(
    browser: Browser,
    server: Page,
    gray: Path,
) -> None:
    visitor = Visitor(browser, server)
    visitor.one("#upload input[type=file]").set_input_files(gray)
    visitor.one("#go:not([disabled])").click()
    visitor.expect_text("#status", "colorings in")
    expect(visitor.one("#download")).to_contain_text("pixels", timeout=PATIENCE)
    visitor.one("#size").get_by_text("×2").click()
    visitor.expect_text("#enlarge-status", "The result will have")
    for _ in range(2):  # the part can be used again after Cancel
        visitor.one("#enlarge-go").click()
        visitor.expect_text("#enlarge-status", "% of the picture")
        visitor.one("#enlarge-cancel").click()
        visitor.expect_text("#enlarge-status", "Cancelled; nothing was made.")
        expect(visitor.one("#enlarge-cancel")).to_be_hidden()
        expect(visitor.one("#enlarge-download")).to_be_hidden()
    assert visitor.faults == []
    visitor.context.close()
