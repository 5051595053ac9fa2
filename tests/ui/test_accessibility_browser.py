"""Every tab in use, examined by axe-core in Chromium, as wide as a desktop and as a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from benchmarks.page_pictures import loaded
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

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

    def __init__(self, browser: Browser, server: Page) -> None:
        super().__init__(browser, server)
        self.found: list[str] = []
        self.page.add_style_tag(content=_STILL)
        self.page.evaluate(AXE_SCRIPT)

    def go_to(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab, exact=True).click()

    def choose_file(self, field: str, *paths: Path) -> None:
        self.one(f"{field} input[type=file]").set_input_files(list(paths))

    def examine(self, state: str) -> None:
        """Run all rules of axe-core on what can be seen now, and look at the controls' names.

        With dark colors the rules on colors are run again, and all rules with a phone's width.
        """
        self.page.mouse.move(0, 0)  # so that no element shows its hover style
        self.settle()
        self.page.wait_for_function(_NOTHING_PENDING)
        self._run_axe(state, {})
        self.page.emulate_media(color_scheme="dark")
        self.page.wait_for_function("document.body.matches('.dark')")
        self._run_axe(f"{state}, dark", {"runOnly": _ON_COLORS})
        self.page.emulate_media(color_scheme="light")
        self.page.wait_for_function("!document.body.matches('.dark')")
        with self.as_wide_as_a_phone():
            self._run_axe(f"{state}, phone", {})
        for line in self.one("body").aria_snapshot().splitlines():
            control = _CONTROL.match(line.strip())
            if control and (
                not re.search(r"\w", control["name"] or "") or _KEY.match(control["name"])
            ):
                self.found.append(f"{state}: not named in words: {line.strip()}")

    @contextmanager
    def as_wide_as_a_phone(self) -> Iterator[None]:
        self.page.set_viewport_size({"width": 390, "height": 844})
        yield
        self.page.set_viewport_size({"width": 1280, "height": 844})

    def _run_axe(self, state: str, options: dict[str, list[str]]) -> None:
        result: dict[str, Any] = self.page.evaluate(
            "options => axe.run(document, { resultTypes: ['violations'], ...options })", options
        )
        for rule in result["violations"]:
            for node in rule["nodes"]:
                html = node["html"].replace("\n", " ")[:200]
                reason = " ".join(node["failureSummary"].split())
                self.found.append(f"{state}: {rule['id']}: {node['target']} {html}: {reason}")


def test_axe_finds_nothing(browser: Browser, app: Page, album: list[Path], tmp_path: Path) -> None:
    """On a phone, a tab's result comes before its settings, in what screen readers read, too."""
    visitor = Examiner(browser, app)
    gray, other, broken = (tmp_path / f"{name}.jpg" for name in ("gray", "other", "broken"))
    for path in (gray, other):
        Image.fromarray(data.camera()[:200, :300]).save(path)
    broken.write_bytes(gray.read_bytes()[:3_000])
    for tab in (_colorize, _hints, _reference, _quiz, _how):
        tab(visitor, gray, other, broken, album[0])
        with visitor.as_wide_as_a_phone():
            for pair in product(*_RESULTS_AND_SETTINGS.get(tab, ((), ()))):
                assert visitor.page.evaluate(_COMES_FIRST, list(pair)), pair
    assert not visitor.found, "\n".join(dict.fromkeys(visitor.found))
    visitor.close()


def _colorize(visitor: Examiner, gray: Path, other: Path, broken: Path, colored: Path) -> None:
    expect(visitor.one("#go")).to_be_disabled()
    visitor.examine("Colorize")
    visitor.choose_file("#upload", gray, other, broken, colored)
    visitor.expect_text("#about", "300 × 200 pixels.")
    expect(visitor.one("#strip button")).to_have_count(3)
    expect(visitor.one("#all-gray").get_by_label(colored.name)).to_be_visible()
    visitor.one("#prepare > button").click()
    visitor.one("#prepare-frame summary").click()
    visitor.one("#prepare-repair input").check()
    visitor.one("#prepare-place > button").click()
    expect(visitor.one("#prepare-compare img")).to_have_count(2)
    visitor.examine("Colorize, a print")
    visitor.one("#go").click()
    visitor.expect_text("#status", "colorings in")
    expect(visitor.one("#compare img")).to_have_count(2)
    visitor.expect_text("#download", "pixels")
    visitor.one("#advanced > button").click()
    visitor.one("#keep-this").click()
    expect(visitor.one("#kept img")).to_be_visible()
    visitor.expect_text("#gallery-heading", "Choose the one you like best")
    visitor.expect_text("#show-open", "Show where the model is unsure")
    visitor.one("#show-open").click()
    expect(visitor.one("#open-picture img")).to_be_visible()
    visitor.one("#size").get_by_text("×2").click()
    expect(visitor.one("#enlarge-samples .thumbnail-item")).to_have_count(4)
    visitor.expect_text("#enlarge-status", "pixels")
    visitor.examine("Colorize, colored")
    visitor.one("#size").get_by_text("As it is").click()
    expect(visitor.one("#download")).to_be_visible()


def _hints(visitor: Examiner, gray: Path, other: Path, broken: Path, colored: Path) -> None:
    visitor.go_to("Hints")
    visitor.examine("Hints")
    visitor.choose_file("#hints-upload", colored)
    expect(visitor.one("#hints-gray")).to_be_visible()
    visitor.examine("Hints, a photo with colors")
    visitor.one("#hints-upload [aria-label=Clear]").click()
    expect(visitor.one("#hints-gray")).to_be_hidden()
    visitor.choose_file("#hints-upload", gray)
    visitor.expect_text("#hints-status", "Click a point")
    for place in (150, 90):
        picture = loaded(visitor.one("#hints-picture img"))
        picture.click(position={"x": place, "y": 100})
        visitor.expect_text("#hints-status", "Now choose the color")
        visitor.one("#hints-swatches button").first.click()
        visitor.expect_text("#hints-status", "Colored in")
    visitor.one("#hints-points .point").first.click()
    expect(visitor.one("#hints-swatches button").first).to_be_visible()
    visitor.one("#hints-place > button").click()
    visitor.examine("Hints, with points")
    visitor.one("#hints-picker button").first.click()
    visitor.examine("Hints, the color picker open")


def _reference(visitor: Examiner, gray: Path, other: Path, broken: Path, colored: Path) -> None:
    visitor.go_to("Reference")
    visitor.examine("Reference")
    for role, path in (("photo", gray), ("reference", colored)):
        visitor.choose_file(f"#reference-{role}", path)
    expect(visitor.one("#reference-go")).to_be_enabled()
    visitor.one("#reference-go").click()
    visitor.expect_text("#reference-status", "Colored in")
    visitor.expect_text("#reference-download", "pixels")
    visitor.one("#reference-advanced > button").click()
    expect(visitor.one("#reference-seed input")).to_be_visible()
    visitor.examine("Reference, colored")


def _quiz(visitor: Examiner, gray: Path, other: Path, broken: Path, colored: Path) -> None:
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
    visitor.one("#quiz-stage button[data-next]").click()
    expect(choice.first).to_be_visible()
    visitor.examine("Quiz, a trial")
    visitor.one("#quiz-results-part > button").click()
    visitor.expect_text("#quiz-results", "play")  # an answer that took too long does not count
    visitor.examine("Quiz, results")


def _how(visitor: Examiner, gray: Path, other: Path, broken: Path, colored: Path) -> None:
    visitor.go_to("How it works")
    expect(visitor.one("#how-walk figure").first).to_be_attached()
    visitor.examine("How it works")


_RESULTS_AND_SETTINGS = {
    _colorize: (("#gallery", "#compare", "#download"), ("#n", "#advanced", "#format")),
    _reference: (
        ("#reference-compare", "#reference-download"),
        ("#reference-strength", "#reference-advanced"),
    ),
    _hints: (("#hints-picture", "#hints-download"), ("#hints-undo", "#hints-place")),
}
_COMES_FIRST = """
selectors => {
    const [first, second] = selectors.map(one => document.querySelector(one));
    const follows = first.compareDocumentPosition(second) & Node.DOCUMENT_POSITION_FOLLOWING;
    return follows && first.getBoundingClientRect().bottom <= second.getBoundingClientRect().top;
}
"""
