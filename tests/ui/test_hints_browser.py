"""The tab of hints as a visitor sees it, in Chromium, with small weights that take hints."""

from __future__ import annotations

import colorsys
import json
import math
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Position, expect
from skimage import color, data

from benchmarks.page_pictures import loaded
from colorflow.ui.swatches import MATERIALS
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

POSITION = (450, 300)
"""Across and down, in pixels of the photo, of a point that is neither black nor white."""
_ZOOM_AND_CLICK = """
({ x, y }) => {
    document.querySelectorAll("#hints-zoom input")[3].click();
    const picture = document.querySelector("#hints-picture img");
    const { left, top } = picture.getBoundingClientRect();
    const place = { clientX: left + x, clientY: top + y, bubbles: true };
    picture.dispatchEvent(new MouseEvent("click", place));
}
"""
WANTED = "#4a6fa5"
"""What the picker offers before anything is picked."""
_BOXES = "one => [one, one.parentElement].map(each => each.getBoundingClientRect().toJSON())"


class Hinter(Visitor):
    """A browser window on the tab of hints."""

    def __init__(
        self, browser: Browser, app: Page, width: int = 1280, scheme: str = "light"
    ) -> None:
        super().__init__(browser, app, width, scheme)
        self.go_to_tab()

    def go_to_tab(self) -> None:
        self.page.get_by_role("tab", name="Hints").click()

    def begin(self, photo: Path) -> None:
        self.one("#hints-upload input[type=file]").set_input_files(photo)
        self.expect_text("#hints-status", "Click a point")
        expect(self.one("#hints-picture img")).to_be_visible()

    def click_photo(self, across: float, down: float, width: int = 1536) -> None:
        """Click a place that is given in pixels of the photo."""
        place = self.place_of(across, down, width)
        self.one("#hints-picture img").click(position=place)

    def place_of(self, across: float, down: float, width: int = 1536) -> Position:
        """Where the picture of the whole has it, from its upper left corner."""
        picture = loaded(self.one("#hints-picture img"))
        box = picture.bounding_box()
        assert box is not None
        natural = picture.evaluate("one => [one.naturalWidth, one.naturalHeight]")
        scale = min(box["width"] / natural[0], box["height"] / natural[1])
        margin = [
            (box[side] - scale * n) / 2
            for side, n in zip(("width", "height"), natural, strict=True)
        ]
        factor = scale * natural[0] / width
        return {"x": margin[0] + factor * across, "y": margin[1] + factor * down}

    def load(self, path: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.one("#hints-load").click()
        chooser.value.set_files(path)

    def points(self, count: int) -> None:
        expect(self.one("#hints-points .point")).to_have_count(count)

    def shown(self) -> np.ndarray:
        address = self.one("#hints-picture img").evaluate("one => one.src")
        data = self.page.request.get(address, max_retries=2).body()
        return np.asarray(Image.open(BytesIO(data)).convert("RGB"))

    def ab_beside(self, across: float, down: float) -> np.ndarray:
        """Mean a and b between the marks' radius and twice that around a place of the photo."""
        picture = self.shown()
        scale = picture.shape[1] / 1536
        rows, columns = np.indices(picture.shape[:2])
        away = np.hypot(rows - scale * down, columns - scale * across)
        lab = color.rgb2lab(picture)
        ring = (away > 30) & (away < 45) & (lab[..., 0] > 20) & (lab[..., 0] < 90)
        return lab[ring][:, 1:].mean(axis=0)


def ab_of(hex_color: str) -> np.ndarray:
    rgb = [int(hex_color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return color.rgb2lab([[rgb]])[0, 0, 1:]


def test_a_hint_changes_the_color_there_and_undo_takes_it_back(
    browser: Browser, app: Page, gray: Path
) -> None:
    """On a phone; afterwards the first click on the button counts while the picker is open."""
    width = 390
    visitor = Hinter(browser, app, width, "dark")
    visitor.begin(gray)
    before, first = visitor.ab_beside(*POSITION), visitor.shown()
    visitor.click_photo(*POSITION)
    visitor.expect_text("#hints-status", "Now choose the color")
    expect(visitor.one("#hints-swatches .swatch")).not_to_have_count(0)
    visitor.one("#hints-use").click()
    visitor.points(1)
    visitor.expect_text("#hints-status", "Colored in")
    wanted = ab_of(WANTED)
    after = visitor.ab_beside(*POSITION)
    assert np.linalg.norm(after - wanted) < 0.8 * np.linalg.norm(before - wanted)
    place = visitor.one("#hints-points .point small").inner_text()
    across, down = map(int, re.findall(r"\d+", place))
    assert math.hypot(across - POSITION[0], down - POSITION[1]) < 8, "a pixel of the phone is four"
    assert visitor.width_of_content() == width
    visitor.page.wait_for_function("[...document.images].every(one => one.alt !== '')")

    picture = visitor.one("#hints-picture img")
    with visitor.renewed(picture):
        visitor.one("#hints-undo").click()
    visitor.points(0)
    assert np.array_equal(visitor.shown(), first)
    expect(visitor.one("#hints-undo")).to_be_disabled()

    visitor.click_photo(*POSITION)
    expect(visitor.one("#hints-swatches .swatch")).not_to_have_count(0)
    button = visitor.one("#hints-use")
    visitor.one("#hints-picker .dialog-button").click()
    marker = visitor.one("#hints-picker .color-gradient .marker")
    expect(marker).not_to_have_attribute("style", re.compile(r"translate\(0px, 0px\)"))
    button.hover()  # which may scroll
    place, field = marker.evaluate(_BOXES)
    _, saturation, value = colorsys.rgb_to_hsv(*(int(WANTED[i : i + 2], 16) for i in (1, 3, 5)))
    across = (place["x"] + place["width"] / 2 - field["x"]) / field["width"]
    down = (place["y"] + place["height"] / 2 - field["y"]) / field["height"]
    assert abs(across - saturation) < 0.05
    assert abs(down - (1 - value / 255)) < 0.05
    visitor.page.mouse.down()
    expect(visitor.one("#hints-picker .color-picker")).to_have_count(0)  # it closes at once
    visitor.page.mouse.up()
    visitor.points(1)
    visitor.expect_text("#hints-status", "Colored in")
    visitor.close()


def test_the_colors_stand_beside_the_photo(browser: Browser, app: Page, tmp_path: Path) -> None:
    path = tmp_path / "portrait.png"  # higher than wide
    Image.fromarray(data.camera()[:, 100:400]).resize((900, 1536)).save(path)
    visitor = Hinter(browser, app)
    visitor.page.set_viewport_size({"width": 1280, "height": 800})
    visitor.begin(path)
    visitor.click_photo(450, 400, width=900)
    likely = visitor.one("#hints-swatches [data-act=pick]")
    expect(likely).not_to_have_count(0)
    materials = visitor.one("#hints-materials .swatch")
    expect(materials).to_have_count(len(MATERIALS))
    picture = visitor.one("#hints-picture img")
    for one in (picture, likely.first, materials.first, materials.last):
        expect(one).to_be_in_viewport(ratio=0.95)
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    with visitor.renewed(picture):
        loaded(picture).click(position={"x": 100, "y": 100})
    for one in (picture, likely.first):
        expect(one).to_be_in_viewport(ratio=0.95)
    expect(materials.first).to_be_in_viewport()
    materials.nth(list(MATERIALS).index("Foliage")).press("Enter")
    visitor.points(1)
    visitor.expect_text("#hints-status", "Colored in")
    visitor.close()


def test_saved_hints_are_there_again_after_a_reload(
    browser: Browser, app: Page, gray: Path, tmp_path: Path
) -> None:
    """The point is placed on a part that is shown larger, and reaches around itself alone.

    The zoom is changed and the whole photo clicked in the same moment.
    """
    visitor = Hinter(browser, app)
    visitor.begin(gray)
    visitor.page.evaluate(_ZOOM_AND_CLICK, visitor.place_of(*POSITION))
    visitor.expect_text("#hints-status", "Now choose the color")
    overview, picture = visitor.one("#hints-overview img"), visitor.one("#hints-picture img")
    for act in (
        visitor.one("#hints-reach").get_by_text("Around it").click,
        visitor.one("#hints-use").click,
        lambda: loaded(overview).click(position={"x": 40, "y": 20}),
        visitor.one("#hints-zoom").get_by_text("Whole photo").click,
    ):
        with visitor.renewed(picture):
            act()
    visitor.points(1)
    visitor.expect_text("#hints-points", "around it")
    expect(overview).to_be_hidden()
    before = visitor.shown()
    expect(visitor.one("#hints-save")).to_be_enabled()
    with visitor.page.expect_download() as download:
        visitor.one("#hints-save").click()
    assert download.value.suggested_filename == "grandma (1931)_hints.json"
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    (given,) = json.loads(saved.read_text()).values()
    (hint,) = given["hints"]
    assert math.hypot(hint["column"] - POSITION[0], hint["row"] - POSITION[1]) < 4
    assert hint["reach"] == "around"
    assert given["coloring"]["principal"]["number"] == 0

    visitor.page.reload()
    visitor.go_to_tab()
    expect(visitor.one("#hints-welcome")).to_be_visible()
    visitor.begin(gray)
    visitor.load(saved)
    visitor.points(1)
    again = visitor.shown().astype(int)
    assert np.abs(again - before).mean() < 1, "but for the mark, which is no longer the chosen one"
    assert "Traceback" not in visitor.page.content()
    visitor.page.close()
