"""A short tour of every tool in Chromium, on a desktop and on a phone, examined by axe-core."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from benchmarks.page_pictures import loaded
from colorflow.photo import read_statements
from tests.ui.cracked_print import CRACK, HEIGHT, WIDTH, save_scan
from tests.ui.fake_colorizer import HELD_WIDTH, HOLD
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP, PHONE = 1280, 390
_CONTROL = re.compile(
    r"- (?:button|checkbox|combobox|link|radio|slider|spinbutton|switch|tab|textbox)\b"
    r'(?: "(?P<name>(?:[^"\\]|\\.)*)")?'
)
"""A control in Playwright's snapshot of what screen readers are told."""
_KEY = re.compile(r"(?:common|errors|file|gallery|image|upload_text)\.\w+")
"""The name of a text that Gradio has not translated."""
_STILL = "*, ::before, ::after { transition: none !important; animation: none !important }"
"""So that colors are measured as they end, and not on their way."""
_ON_COLORS = ["color-contrast", "link-in-text-block"]
"""Rules of axe-core that judge colors."""
_NOTHING_PENDING = """
!document.querySelector(".pending") &&
[...document.querySelectorAll("[data-testid=status-tracker]")].every(one => !one.offsetParent ||
    one.matches(".hide") || one.offsetHeight === 0 || getComputedStyle(one).opacity === "0")
"""
"""Until then some texts are pale."""


class Examiner(Visitor):
    """A browser window that axe-core examines; remembers what it finds."""

    def __init__(self, browser: Browser, server: Page, width: int = DESKTOP) -> None:
        super().__init__(browser, server, width)
        self.found: list[str] = []
        self.page.add_style_tag(content=_STILL)
        self.page.evaluate(AXE_SCRIPT)

    def go_to(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab, exact=True).click()

    def examine(self, state: str) -> None:
        """Run all rules of axe-core on what can be seen now, and look at the controls' names.

        With dark colors the rules on colors are run again.
        """
        self.page.mouse.move(0, 0)  # so that no element shows its hover style
        self.settle()
        self.page.wait_for_function(_NOTHING_PENDING)
        assert self.width_of_content() <= self.page.viewport_size["width"]  # type: ignore[index]
        self._run_axe(state, {})
        with self.in_the_dark():
            self._run_axe(f"{state}, dark", {"runOnly": _ON_COLORS})
        for line in self.one("body").aria_snapshot().splitlines():
            control = _CONTROL.match(line.strip())
            if control and (
                not re.search(r"\w", control["name"] or "") or _KEY.match(control["name"])
            ):
                self.found.append(f"{state}: not named in words: {line.strip()}")

    @contextmanager
    def in_the_dark(self) -> Iterator[None]:
        self.page.emulate_media(color_scheme="dark")
        self.page.wait_for_function("document.body.matches('.dark')")
        yield
        self.page.emulate_media(color_scheme="light")
        self.page.wait_for_function("!document.body.matches('.dark')")

    def _run_axe(self, state: str, options: dict[str, list[str]]) -> None:
        result: dict[str, Any] = self.page.evaluate(
            "options => axe.run(document, { resultTypes: ['violations'], ...options })", options
        )
        for rule in result["violations"]:
            for node in rule["nodes"]:
                html = node["html"].replace("\n", " ")[:200]
                reason = " ".join(node["failureSummary"].split())
                self.found.append(f"{state}: {rule['id']}: {node['target']} {html}: {reason}")

    def close(self) -> None:
        """Close the window; nothing may have been found."""
        assert not self.found, "\n".join(dict.fromkeys(self.found))
        super().close()


@pytest.mark.parametrize("width", [DESKTOP, pytest.param(PHONE, marks=pytest.mark.long)])
def test_a_print_on_a_bed_is_taken_home_in_color(
    browser: Browser, app: Page, tmp_path: Path, width: int
) -> None:
    """Cut out, repaired, colored, with a hint, paler, twice as large: without changing a tab."""
    save_scan(tmp_path / "scan.jpg", 2.0)
    visitor = Examiner(browser, app, width)
    expect(visitor.one(".samples button")).to_have_count(3)
    visitor.examine("empty")
    visitor.put(tmp_path / "scan.jpg")
    expect(visitor.one(".corner")).to_have_count(4)
    visitor.open_tool("prepare")
    visitor.one("#stage summary").click()
    corner = visitor.one("#stage label").first.locator("input")
    before = float(corner.input_value())
    visitor.one(".corner").first.press("ArrowRight")
    assert float(corner.input_value()) > before
    visitor.examine("corners")
    visitor.one("#stage [data-act=cut]").click()
    visitor.expect_text("#stage", "29")
    visitor.one("#repairs input").check()
    expect(visitor.one(".stage[data-view=places] img")).to_have_count(2)
    visitor.expect_text("#prepare-views", "of the photo is repaired")
    visitor.settle()
    visitor.one("#radius").get_by_text("Large").click()
    repaired = visitor.one("#prepare-views .good").inner_text()
    visitor.one(".stage").click(position={"x": 30, "y": 60})
    expect(visitor.one("#prepare-views .good")).not_to_have_text(repaired)
    visitor.open_tool("mark-place")
    visitor.examine("damage")
    visitor.one("#n input[type=number]").fill("2")
    visitor.color()
    expect(visitor.one("#gallery button")).to_have_count(3)
    slider = visitor.one("#stage input[type=range]")
    slider.press("ArrowLeft")
    expect(slider).to_have_value("48")
    visitor.examine("colored")
    visitor.open_tool("hints")
    expect(visitor.one(".stage[data-view=points]")).to_be_visible()
    visitor.one(".stage").click(position={"x": 100, "y": 80})
    expect(visitor.one(".palette .swatch small").first).to_be_visible()
    visitor.one(".palette .swatch").nth(2).click()
    expect(visitor.one("#gallery button")).to_have_count(4)
    expect(visitor.one("button.mark")).to_have_count(1)
    visitor.open_tool("point-place")
    visitor.examine("hints")
    visitor.one("#picker button").first.click()
    visitor.examine("hints, the color picker open")
    visitor.one("#picker button").first.click()  # or it closes, and moves all, under the next click
    visitor.settle()  # or what comes would give the field another value
    saturation = visitor.one("#saturation input[type=number]")
    saturation.fill("0.5")
    saturation.blur()
    visitor.settle()
    visitor.one("#size").get_by_label("×2").check()
    path = visitor.saved("#download", tmp_path)
    with Image.open(path) as image:
        assert image.width == pytest.approx(2 * 298, abs=12)
    (made,) = read_statements(path)
    assert made.recipe.repair
    assert made.recipe.colors
    assert made.recipe.enlargement
    assert (made.recipe.colors.saturation, made.recipe.enlargement.scale) == (0.5, 2)
    visitor.examine("finished")
    visitor.close()


def test_every_print_of_a_bed_is_a_photo(browser: Browser, server: Page, tmp_path: Path) -> None:
    """Colored; a click on a crack takes all of it back, and adds it; one goes, the other stays."""
    save_scan(tmp_path / "bed.jpg", 1.0, -2.0)
    visitor = Visitor(browser, server)
    visitor.upload(tmp_path / "bed.jpg")
    look = visitor.one("#strip [data-act=look]")
    expect(look).to_have_count(2)
    visitor.one("#all").click()
    expect(visitor.one("#strip .tick")).to_have_count(2)
    visitor.settle()
    look.nth(1).click()
    visitor.expect_text("#stage", "bed.jpg, print 2")
    visitor.open_tool("prepare")
    visitor.one("#repairs input").check()
    said = visitor.one("#prepare-views .good").first
    expect(said).to_contain_text("of the photo is repaired")
    repaired = said.inner_text()
    for is_full in (True, False):
        visitor.one("#stage .full").click()
        full = "full => full === Boolean(document.fullscreenElement)"
        visitor.page.wait_for_function(full, arg=is_full)
    visitor.settle()
    assert said.inner_text() == repaired, "a button on the picture marks nothing"
    box = visitor.one(".stage").bounding_box()
    assert box
    x, y = CRACK[1]
    crack = {"x": x / WIDTH * box["width"], "y": y / HEIGHT * box["height"]}
    visitor.one(".stage").click(position=crack)
    expect(said).not_to_have_text(repaired)
    left = said.inner_text()
    visitor.settle()
    visitor.one(".stage").click(position=crack)
    expect(said).not_to_have_text(left)
    share, rest, again = (float(text.split()[0]) for text in (repaired, left, said.inner_text()))
    assert rest < share / 3, "the spot is left"
    assert again == pytest.approx(share, rel=0.2)
    look.first.click()
    expect(look.first).to_have_attribute("aria-pressed", "true")
    visitor.one("#strip [data-act=remove]").click()
    expect(look).to_have_count(1)
    expect(look).to_have_attribute("title", "bed.jpg, print 2")
    visitor.close()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_prints_that_were_not_found_are_marked_by_hand(
    browser: Browser, server: Page, tmp_path: Path, width: int
) -> None:
    """By keys and by dragging: two prints that overlap on a table."""
    table = np.full((480, 400, 3), (120, 85, 60), np.uint8)
    for tone, points in (
        (90, [(60, 200), (250, 40), (350, 170), (200, 260)]),
        (180, [(80, 250), (330, 220), (340, 440), (60, 430)]),
    ):
        cv2.fillConvexPoly(table, np.array(points), (tone, tone, tone))
    Image.fromarray(table).save(tmp_path / "heap.png")
    visitor = Examiner(browser, server, width)
    visitor.put(tmp_path / "heap.png")
    visitor.expect_text("#stage", "No print was found here")
    visitor.examine("a print that was not found")
    visitor.one("#stage [data-act=view]").press("Enter")
    corners = visitor.one(".corner")
    expect(corners).to_have_count(4)
    expect(corners.first).to_be_focused()
    visitor.one("#stage summary").click()
    numbers = visitor.one("#stage .corners input")
    before = [float(one.input_value()) for one in numbers.all()]
    corners.first.press("Shift+ArrowRight")
    corners.nth(2).scroll_into_view_if_needed()
    lower, stage = corners.nth(2).bounding_box(), visitor.one(".stage").bounding_box()
    assert lower
    assert stage
    x, y = lower["x"] + lower["width"] / 2, lower["y"] + lower["height"] / 2
    mouse = visitor.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x - stage["width"] / 10, y - stage["height"] / 4, steps=5)
    mouse.up()
    moved = np.subtract([float(one.input_value()) for one in numbers.all()], before)
    assert moved[0] > 0
    assert moved[4:6] == pytest.approx([-40, -120], abs=4)
    assert not moved[[1, 2, 3, 6, 7]].any()
    visitor.one("#stage [data-act=another]").click()
    expect(visitor.one("#strip [data-act=look]")).to_have_count(2)
    expect(visitor.one("#strip [aria-pressed=true]")).to_have_attribute(
        "title", "heap.png, print 2"
    )
    expect(visitor.one(".stage .other")).to_have_count(1)
    visitor.examine("another frame")
    visitor.one("#stage [data-act=cut]").click()
    visitor.expect_text("#status", "It overlaps heap.png")
    visitor.expect_text("#stage", "heap.png, print 2: 320 × 384 pixels")
    visitor.one("#strip [data-act=look]").first.click()
    visitor.expect_text("#stage", "heap.png: ")
    expect(visitor.one("#stage [data-act=view]")).to_have_count(0)
    visitor.close()


def test_an_album(browser: Browser, app: Page, album: list[Path], tmp_path: Path) -> None:
    """Colored as a whole, all like one of them, and taken home in a zip."""
    folder = tmp_path / "1962"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(data.camera()[::2, number::2]).save(folder / f"{number}.png")
    broken = folder / "broken.jpg"
    broken.write_bytes(b"nothing")
    visitor = Examiner(browser, app)
    with visitor.page.expect_file_chooser() as chooser:
        visitor.one("#upload-all").click()
    chooser.value.set_files(folder)
    expect(visitor.one("#strip [data-act=look]")).to_have_count(4)
    visitor.expect_text("#status", "broken.jpg")
    visitor.put(album[0])
    visitor.one("#strip [data-act=look]").nth(4).click()
    visitor.expect_text("#status", "already has colors")
    visitor.examine("a photo with colors")
    visitor.one("#n input[type=number]").fill("1")
    visitor.one("#all").click()
    expect(visitor.one("#strip .tick")).to_have_count(4)
    visitor.settle()
    visitor.one("#strip [data-act=look]").first.click()
    visitor.one("#gallery button").nth(1).click()
    visitor.open_tool("reference")
    with visitor.page.expect_file_chooser() as chooser:
        visitor.one("#refer").click()
    chooser.value.set_files(album[0])
    expect(visitor.one("#references img")).to_have_count(1)
    visitor.one("#show-unsure").click()
    expect(visitor.one("#unsure img")).to_be_visible()
    visitor.examine("an album, with a reference")
    path = visitor.saved("#zip", tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert sum(name.endswith(".png") for name in names) == 4
    assert "contact-sheet.html" in names
    visitor.one("#strip [data-act=remove]").click()
    expect(visitor.one("#strip [data-act=look]")).to_have_count(4)
    visitor.close()


def test_quick_clicks_end_in_the_last_state(browser: Browser, server: Page, tmp_path: Path) -> None:
    """Without waiting between them: photos, colorings, colors, cancels."""
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(data.camera()[::4, number::4]).save(paths[-1])
    visitor = Visitor(browser, server)
    visitor.put(*paths)
    for index in range(3):
        visitor.one("#strip [data-act=look]").nth(index).click()
        visitor.color()
    for index in (0, 1, 2, 1, 0, 2):
        visitor.one("#strip [data-act=look]").nth(index).click()
        visitor.one("#go").click()
        visitor.one("#gallery button").nth(1 + index).click(no_wait_after=True)
    visitor.settle()
    looked = visitor.one("#strip [data-act=look]").nth(2)
    expect(looked).to_have_attribute("aria-pressed", "true")
    visitor.expect_text("#stage", "2.png")
    chosen = visitor.one("#gallery [aria-pressed=true]")
    expect(chosen).to_have_count(1)
    preview = chosen.locator("img").get_attribute("src")
    shown = visitor.one("#stage .sheet > img").first.get_attribute("src")
    assert preview == shown
    expect(visitor.one("#status .wish")).to_have_count(0)
    visitor.close()


def test_cancel_ends_the_work_and_who_stays_has_lost_nothing(
    browser: Browser, server: Page, tmp_path: Path
) -> None:
    path = tmp_path / "held.png"
    Image.fromarray(data.camera()[:HELD_WIDTH, :HELD_WIDTH]).save(path)
    visitor = Visitor(browser, server)
    visitor.put(path)
    visitor.color()
    (server.temporary / HOLD).touch()
    visitor.one("#view").get_by_text("Single samples", exact=True).click()
    visitor.one("#go").click()
    visitor.one("#status [data-act=cancel]").click()
    visitor.expect_text("#status", "Cancelled")
    (server.temporary / HOLD).unlink()
    visitor.settle()
    expect(visitor.one("#gallery button")).to_have_count(5)
    visitor.page.once("dialog", lambda dialog: dialog.dismiss())
    visitor.page.evaluate("location.reload()")
    streams: list[str] = []
    visitor.page.on("request", lambda one: streams.append(urlsplit(one.url).path))
    visitor.one("#gallery button").nth(3).click()
    expect(visitor.one("#gallery button").nth(3)).to_have_attribute("aria-pressed", "true")
    assert sum(path.endswith("/queue/data") for path in streams) == 1
    visitor.saved("#download", tmp_path)
    expect(visitor.one("#state .has-unsaved")).to_have_count(0)
    visitor.page.reload()
    expect(visitor.one("#gallery button")).to_have_count(5)
    visitor.close()


def test_the_other_tabs(browser: Browser, app: Page) -> None:
    visitor = Examiner(browser, app)
    visitor.go_to("Quiz")
    visitor.examine("Quiz")
    visitor.one("#quiz-stage button[data-next]").click()
    choice = visitor.one("#quiz-stage button[data-choice]")
    expect(choice.first).to_be_visible()
    visitor.examine("Quiz, a round")
    choice.first.click()
    expect(visitor.one("#quiz-stage figure").first).to_be_visible()
    visitor.examine("Quiz, an outcome")
    visitor.page.get_by_label("Test", exact=True).check()
    visitor.expect_text("#quiz-stage", "40 times two pictures")
    visitor.examine("Quiz, the test")
    visitor.one("#quiz-results-part > button").click()
    visitor.expect_text("#quiz-results", "play")  # an answer that took too long does not count
    visitor.examine("Quiz, results")
    visitor.go_to("How it works")
    expect(visitor.one("#how-walk figure").first).to_be_attached()
    loaded(visitor.one("#how-levels img").first)
    visitor.examine("How it works")
    visitor.close()
