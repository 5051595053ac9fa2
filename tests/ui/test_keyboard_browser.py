"""Every task of the page with the keyboard alone, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


_MOST_TABS = 60
"""Presses of Tab that a visitor may need to come to anything."""


class Typist(Visitor):
    """A browser window that no pointer touches."""

    def go_to(self, selector: str) -> None:
        """Press Tab until an element has the focus, which has to be seen."""
        expect(self.one(selector).first).to_be_visible()
        for _ in range(_MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(_HAS_FOCUS, selector):
                return
        raise AssertionError(f"{selector}: not reached in {_MOST_TABS} presses of Tab")

    def press(self, selector: str, key: str = "Enter") -> None:
        expect(self.one(selector).first).to_be_enabled()
        self.go_to(selector)
        self.page.keyboard.press(key)

    def type(self, selector: str, text: str) -> None:
        """Type into a field once nothing comes that would give it its first value once more."""
        expect(self.one(selector)).to_be_visible()
        self.settle()
        self.go_to(selector)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        expect(self.one(selector)).to_have_value(text)

    def choose_file(self, field: str, *paths: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.press(f"{field} button.upload-container")
        chooser.value.set_files(paths)

    def open_tab(self, name: str) -> None:
        self.press(f"button[role=tab]:text-is('{name}')")

    def save(self, button: str) -> str:
        """Press a button that gives a file; its name."""
        with self.page.expect_download() as download:
            self.press(button)
        return download.value.suggested_filename


_HAS_FOCUS = """
selector => {
    const one = document.activeElement;
    const text = selector.match(/:text-is\\('(.*)'\\)$/)?.[1];
    return one.matches(selector.replace(/:text-is.*/, "")) &&
        (text === undefined || one.textContent.trim() === text);
}
"""


@pytest.fixture(scope="module")
def visitor(browser: Browser, app: Page) -> Iterator[Typist]:
    """One window for all tests: each has a tab of its own, or begins with other photos."""
    visitor = Typist(browser, app)
    yield visitor
    visitor.close()


def test_colorize_and_hints(visitor: Typist, gray: Path) -> None:
    visitor.choose_file("#upload", gray)
    visitor.press("#go")
    visitor.expect_text("#status", "colorings in")
    with visitor.renewed(visitor.one("#compare img").first):
        visitor.press("#gallery .thumbnail-item[aria-label^='Coloring B']")
    expect(visitor.one("#gallery .selected")).to_contain_text("B: ")
    expect(visitor.one("#gallery .selected")).to_have_attribute("aria-pressed", "true")
    visitor.expect_text("#download", "pixels")
    assert visitor.save("#download") == "grandma (1931)_b.jpg"

    visitor.press("#to-hints")
    visitor.expect_text("#hints-status", "Click a point")
    visitor.press("#hints-place > button")
    for field, number in (("across", "300"), ("down", "200")):
        visitor.type(f"#hints-{field} input", number)
    visitor.press("#hints-put")
    visitor.expect_text("#hints-status", "Now choose the color")
    visitor.press("#hints-swatches .swatch")
    visitor.expect_text("#hints-points", "300 across, 200 down")
    visitor.expect_text("#hints-status", "Colored in")
    assert visitor.save("#hints-download") == "grandma (1931)_hints.jpg"

    visitor.press("#hints-points .point")
    visitor.expect_text("#hints-status", "Point 1: click its new place")
    expect(visitor.one("#hints-points .point")).to_be_focused()
    visitor.type("#hints-across input", "100")
    visitor.press("#hints-put")
    visitor.expect_text("#hints-points", "100 across, 200 down")
    visitor.press("#hints-points .delete")
    expect(visitor.one("#hints-points .point")).to_have_count(0)


def test_reference(visitor: Typist, gray: Path, album: list[Path]) -> None:
    visitor.open_tab("Reference")
    visitor.choose_file("#reference-photo", gray)
    visitor.choose_file("#reference-reference", album[0])
    visitor.press("#reference-go")
    visitor.expect_text("#reference-download", "pixels")
    assert visitor.save("#reference-download") == "grandma (1931)_like_000.jpg"


def test_quiz_and_how_it_works(visitor: Typist) -> None:
    visitor.open_tab("Quiz")
    visitor.press("#quiz-stage button[data-next]")
    for key in "ab":
        expect(visitor.one("#quiz-stage button[data-choice]")).to_have_count(3)
        expect(visitor.one("#quiz-stage [data-token]")).to_be_focused()
        visitor.page.keyboard.press(key)
        expect(visitor.one("#quiz-stage button[data-next]")).to_be_focused()
        visitor.page.keyboard.press("Enter")
    visitor.expect_text("#quiz-score", "of 2")
    expect(visitor.one("#quiz-stage button[data-choice]")).to_have_count(3)

    visitor.press("#quiz-mode label:first-of-type input", "ArrowRight")
    visitor.expect_text("#quiz-stage", "40 times two pictures")
    visitor.press("#quiz-stage button[data-next]")
    for number in (1, 2):
        visitor.expect_text("#quiz-status", f"{number} of 40")
        expect(visitor.one("#quiz-stage [data-token]")).to_be_focused()
        visitor.page.keyboard.press("a")

    visitor.open_tab("How it works")
    expect(visitor.one("#how-walk figure").first).to_be_attached()
    visitor.press("#how-levels input[type=range]", "ArrowRight")
    expect(visitor.one("#how-levels input[type=range]")).to_have_value("1")


@pytest.mark.long
def test_all_photos_single_samples_and_size(
    browser: Browser, app: Page, gray: Path, small: Path
) -> None:
    visitor = Typist(browser, app)
    visitor.choose_file("#upload", gray, small)
    visitor.press("#all-go")
    expect(visitor.one("#strip .tick")).to_have_count(2)
    assert visitor.save("#all-download").endswith(".zip")
    visitor.press("#strip button:last-child")
    visitor.expect_text("#about", "64 × 64 pixels")

    as_it_is, twice, four_times = (f"#size label:nth-of-type({i}) input" for i in (1, 2, 3))
    visitor.press(as_it_is, "ArrowLeft")
    expect(visitor.one("#enlarge-go")).to_have_text("Enlarge ×4")
    expect(visitor.one(four_times)).to_be_focused()
    visitor.page.keyboard.press("ArrowRight")
    expect(visitor.one("#enlarge")).to_be_hidden()
    visitor.page.keyboard.press("ArrowRight")
    expect(visitor.one("#enlarge-go")).to_have_text("Enlarge ×2")
    expect(visitor.one(twice)).to_be_focused()
    visitor.expect_text("#enlarge-status", "The result will have")
    last = visitor.one("#enlarge-samples img").nth(3)
    visitor.press("#enlarge-place > button")
    for field, number in (("across", "60"), ("down", "40")):
        visitor.type(f"#enlarge-{field} input", number)
    with visitor.renewed(last):
        visitor.press("#enlarge-put")
    visitor.press("#enlarge-samples .thumbnail-item[aria-label$='Sample 1']")
    visitor.press("#enlarge-go")
    visitor.expect_text("#enlarge-status", "Enlarged in")
    assert visitor.save("#enlarge-download") == "small_a_x2_s1.png"

    visitor.press("#view label:first-of-type input", "ArrowRight")
    visitor.expect_text("#gallery", "Sample 4")
    visitor.press("#more")
    visitor.expect_text("#gallery", "Sample 1, variation 4")
    visitor.expect_text("#status", "colorings in")
    visitor.press("#advanced > button")
    visitor.type("#seed input", "7")
    with visitor.renewed(visitor.one("#compare img").first):
        visitor.press("#go")
    visitor.expect_text("#status", "colorings in")
    assert visitor.save("#download") == "small_s7.png"
    visitor.close()
