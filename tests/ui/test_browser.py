"""The page as a visitor sees it, in Chromium, against a server process."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect
from skimage import color

from tests.ui.fake_colorizer import AB
from tests.ui.handling import IMAGE_DESCRIPTION, SUBJECT
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_from_upload_to_download_on_a_phone(
    browser: Browser, server: Page, gray: Path, tmp_path: Path
) -> None:
    visitor = Visitor(browser, server, 390, "dark")
    expect(visitor.one("#go")).to_be_disabled()
    assert visitor.width_of_content() == 390
    background = visitor.lightness_of("body", "backgroundColor")
    assert background < 0.2 < 0.8 < visitor.lightness_of("#welcome h2 >> nth=0", "color")

    visitor.colorize(gray)
    visitor.expect_text("#about", "A gray photo. 1536 × 1024 pixels.")
    thumbnails = visitor.one("#gallery .thumbnail-item")
    expect(thumbnails).to_have_count(4)
    expect(visitor.one("#gallery .caption-label")).to_have_text(
        ["A: average of all", "B: 50 %", "C: 25 %", "D: 25 %"]
    )
    expect(visitor.one("#gallery .selected")).to_have_text("A: average of all")
    expect(visitor.one("#compare")).to_be_in_viewport()
    assert visitor.width_of_content() == 390
    visitor.page.wait_for_function("[...document.images].every(one => one.alt !== '')")

    visitor.choose(2)
    expect(visitor.one("#gallery .selected")).to_have_text("C: 25 %")
    download = visitor.download()
    assert download.suggested_filename == "grandma (1931)_c.jpg"
    saved = tmp_path / "saved.jpg"
    download.save_as(saved)
    with Image.open(saved) as image:
        assert image.size == (1536, 1024)
        assert image.getexif()[IMAGE_DESCRIPTION] == SUBJECT
        lab = color.rgb2lab(np.asarray(image)[::8, ::8])
    middle = (lab[..., 0] > 40) & (lab[..., 0] < 60)
    assert np.abs(lab[middle][:, 1:].mean(axis=0) - AB[2]).max() < 4

    visitor.close()


def test_a_photo_to_try_is_colored_by_one_click(browser: Browser, server: Page) -> None:
    visitor = Visitor(browser, server)
    samples = visitor.one("#welcome .samples button")
    expect(samples).to_have_text(["Portrait", "Cat", "Coffee"])
    letters = visitor.lightness_of("#welcome h2 >> nth=0", "color")
    assert letters < 0.2 < visitor.lightness_of("body", "backgroundColor")
    pictures = visitor.one("#welcome .samples img")
    visitor.page.wait_for_function(
        "[...document.querySelectorAll('.samples img')].every(one => one.naturalWidth === 320)"
    )
    assert len(set(pictures.evaluate_all("all => all.map(one => one.src)"))) == 3
    samples.nth(1).press("Enter")
    visitor.expect_text("#status", "4 colorings in")
    visitor.expect_text("#upload", "cat")
    visitor.expect_text("#about", "A gray photo. 451 × 300 pixels.")
    expect(visitor.one("#compare img")).to_have_count(2)
    expect(visitor.one("#gallery .thumbnail-item").first).to_be_in_viewport()
    assert visitor.download().suggested_filename == "cat_a.jpg"
    assert visitor.width_of_content() == 1280

    visitor.one("#upload button[aria-label=Clear]").click()
    expect(samples.first).to_be_visible()
    visitor.close()


def test_the_slider_the_switch_and_what_varies_a_principal_coloring(
    browser: Browser, server: Page, gray: Path
) -> None:
    visitor = Visitor(browser, server)
    expect(visitor.one("#view")).to_be_hidden()
    visitor.colorize(gray)
    captions = visitor.one("#gallery .caption-label")
    single = visitor.one("#view").get_by_label("Single samples")
    expect(single).not_to_be_checked()

    visitor.one("#else").focus()
    focused = "document.activeElement.closest('#compare') !== null"
    for _ in range(5):
        visitor.page.keyboard.press("Tab")
        if visitor.page.evaluate(focused):
            break
    handle = visitor.one("#compare input")
    expect(handle).to_be_focused()
    before, seen = visitor.one("#compare .before"), []
    for key in ("Tab", "Shift+Tab", "ArrowLeft", "ArrowLeft", "ArrowRight", "Home", "End"):
        visitor.page.keyboard.press(key)
        clip = before.evaluate("one => getComputedStyle(one).clipPath")
        seen.append([*re.findall(r"[\d.]+", clip), "0"][1])
    assert seen == ["50", "50", "52", "54", "52", "100", "0"], "percent cut off at its right"
    handle.hover()  # which may scroll
    box = handle.bounding_box()
    assert box is not None
    visitor.page.mouse.down()
    middle = box["y"] + box["height"] / 2
    visitor.page.mouse.move(box["x"] + box["width"] / 4, middle + 50, steps=4)
    visitor.page.mouse.up()
    expect(handle).to_have_value(re.compile("2[3-7]"))
    visitor.choose(1)
    expect(visitor.one("#gallery .selected")).to_have_text("B: 50 %")
    expect(handle).to_have_value(re.compile("2[3-7]"))

    visitor.one("#more").click()
    expect(captions).to_have_text(["B: 50 %", *(f"B, variation {i}" for i in (1, 2, 3, 4))])
    visitor.choose(1)
    expect(visitor.one("#gallery .selected")).to_have_text("B, variation 1")
    assert visitor.download().suggested_filename == "grandma (1931)_b-1.jpg"

    visitor.one("#else").click()
    expect(captions).to_have_text(["B, variation 1", *(f"Sample {i}" for i in (1, 2, 3, 4))])
    expect(single).to_be_checked()
    visitor.expect_text("#status", "5 colorings in")

    visitor.one("#view").get_by_label("Summary").check()
    expect(captions).to_have_text(["A: average of all", "B: 50 %", "C: 25 %", "D: 25 %"])
    single.check()
    expect(captions).to_have_text([f"Sample {i}" for i in (1, 2, 3, 4)])
    assert visitor.download().suggested_filename == "grandma (1931)_s0.jpg"
    visitor.close()


def test_a_coloring_is_finished_and_kept(
    browser: Browser, server: Page, gray: Path, tmp_path: Path
) -> None:
    visitor = Visitor(browser, server)
    visitor.colorize(gray)
    after = visitor.one("#compare img").first
    tiles = visitor.one("#gallery .thumbnail-item")
    tiles.nth(1).hover()
    assert tiles.nth(1).evaluate("one => getComputedStyle(one).filter") == "none"

    kept = visitor.one("#kept [data-act=look]")
    tiles.nth(1).click()
    expect(tiles.nth(1)).to_have_class(re.compile("selected"))
    visitor.one("#keep-this").click()
    expect(kept).to_have_count(1)
    tiles.first.click()
    expect(after).to_have_attribute("src", re.compile(r"a\.jpg$"))
    for half in ("0.5", "0.55", "0.5"):
        with visitor.renewed(after):
            visitor.one("#saturation input[type=range]").fill(half)
    expect(tiles.first.locator("img")).to_have_js_property("src", _src(after))
    visitor.one("#keep-this").click()
    expect(kept).to_have_count(2)
    visitor.one("#kept [data-act=drop]").first.dblclick()
    expect(kept).to_have_count(1)
    visitor.one("#else").click()
    visitor.expect_text("#gallery", "Sample 4")
    visitor.expect_text("#status", "5 colorings in")
    visitor.one("#back").click()
    visitor.expect_text("#gallery", "A: average of all")
    expect(visitor.one("#back")).to_be_hidden()
    kept.click()
    expect(kept).to_have_attribute("aria-pressed", "true")
    expect(visitor.one("#saturation input[type=range]")).to_have_value("0.5")

    visitor.one("#compare .full").click()
    handle = visitor.one("#compare input")
    expect(visitor.one("#compare .full")).to_have_attribute("aria-label", "Exit full screen")
    handle.click(position={"x": 400, "y": 100})
    expect(handle).to_have_value("50")
    whole = visitor.one("#compare .whole")
    image = whole.locator("img")
    expect(image).to_have_attribute("src", re.compile(r"_a\.jpg$"))
    visitor.page.wait_for_function("document.querySelector('.whole img').naturalWidth === 1536")
    assert image.evaluate("one => one.clientWidth * devicePixelRatio") == 1536
    start = whole.evaluate("one => one.scrollLeft")
    visitor.page.mouse.move(600, 400)
    visitor.page.mouse.down()
    visitor.page.mouse.move(560, 400, steps=4)
    visitor.page.mouse.up()
    expect(whole).to_be_visible()
    assert whole.evaluate("one => one.scrollLeft") == start + 40
    visitor.page.mouse.click(600, 400)
    expect(whole).to_be_hidden()
    visitor.one("#compare .zoom").click()
    expect(whole).to_be_visible()
    visitor.one("#compare .full").click()
    expect(whole).to_be_hidden()

    asked: list[str] = []
    visitor.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    with visitor.page.expect_event("dialog"):
        visitor.page.evaluate("setTimeout(() => location.reload())")
    with visitor.page.expect_download() as download:
        visitor.one("#kept [data-act=save]").click()
    download.value.save_as(saved := tmp_path / "kept.jpg")
    with Image.open(saved) as picture:
        lab = color.rgb2lab(np.asarray(picture)[::8, ::8])
    middle = (lab[..., 0] > 40) & (lab[..., 0] < 60)
    assert np.abs(lab[middle][:, 1:].mean(axis=0) - np.array(AB[0]) / 2).max() < 2

    visitor.page.get_by_role("tab", name="Reference", exact=True).click()
    visitor.one("#reference-take").click()
    visitor.expect_text("#reference-photo", "grandma (1931)")
    expect(visitor.one("#reference-photo-preview img")).to_be_visible()
    visitor.page.reload()
    assert asked == ["beforeunload"], "nothing is lost that was not saved"
    visitor.close()
    assert "Traceback" not in server.log


def _src(image: Locator) -> str:
    return str(image.evaluate("one => one.src"))


def test_bad_files_are_told_and_the_next_photo_works(
    browser: Browser, server: Page, gray: Path, tmp_path: Path
) -> None:
    visitor = Visitor(browser, server)
    half = tmp_path / "half.jpg"
    half.write_bytes(gray.read_bytes()[:30_000])
    visitor.upload(half)
    visitor.expect_text("#about .bad", "half.jpg: the picture is damaged, incomplete")
    expect(visitor.one("#go")).to_be_disabled()
    visitor.one("#upload button[aria-label=Clear]").click()
    visitor.expect_text("#about", "up to 200 MB")
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(201 * 1024**2)
    visitor.upload(huge)
    toast = visitor.one("[data-testid=toast-body]")
    expect(toast).to_contain_text("200")
    toast.locator("button").click()  # at once: it goes by itself after some seconds
    expect(visitor.one("#go")).to_be_disabled()

    visitor.colorize(gray)
    assert "Traceback" not in visitor.page.content()
    visitor.close()
