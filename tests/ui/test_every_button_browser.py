"""Every button of every tab is pressed in Chromium; none of them may end in an error."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, FileChooser, Locator
from skimage import data

from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long]

_LAST = (
    *("Clear", "Remove", "Cancel", "Delete", "Upload", "Drop"),
    *("remove", "cancel", "delete", "unrefer"),
)
"""How labels of buttons begin that are pressed last: others go with what these take away."""
_NOT_HERE = {"quiz-folder", "treat-all"}
"""The quiz's folder is on pages with few photos; the other one comes with two photos in color."""
_NAMES = """
all => all.map(one => {
    const own = one.dataset.act || one.getAttribute("aria-label");
    const label = own || one.getAttribute("title") || one.innerText;
    const place = one.dataset.choice ?? "";
    const component = one.closest("[id]:not([id^=html-])")?.id ?? "";
    return component + "|" + label.trim().split("\\n")[0] + place;
})
"""
"""What tells buttons apart: the component that they stand in, and what they say."""


class Presser(Visitor):
    """A browser window in which buttons are pressed one after the other.

    Args:
        browser: opens the window.
        server: runs the page.
        photo: what is chosen wherever a photo may be.
        hints: the same for hints.
    """

    def __init__(self, browser: Browser, server: Page, photo: Path, hints: Path) -> None:
        self.pressed: set[str] = set()
        self._files = {".json": hints}, photo
        self._folder = photo.parent / "whole folder"
        self._folder.mkdir()
        shutil.copy(photo, self._folder)
        super().__init__(browser, server)
        self.page.on("filechooser", self._choose)

    def _choose(self, chooser: FileChooser) -> None:
        by_kind, photo = self._files
        kind = chooser.element.get_attribute("accept") or ""
        is_folder = chooser.element.evaluate("one => one.webkitdirectory")
        chooser.set_files(self._folder if is_folder else by_kind.get(kind, photo))

    def succeed(self, after: str) -> None:
        """Wait for the answer, and for what follows from it; an error fails the test."""
        self.settle()
        if after.endswith("remove"):  # pictures on their way are gone then
            self.faults = [one for one in self.faults if "403 (Forbidden)" not in one]
        toasts = self.one("[data-testid=toast-body]").all_inner_texts()
        assert (toasts, self.faults) == ([], []), f"after {after}"

    def press_all(self, tab: str, most: int = 100) -> None:
        """Press what can be pressed in a tab, with what comes up meanwhile."""
        for _ in range(most):
            head = self.page.get_by_role("tab", name=tab, exact=True).first
            if head.get_attribute("aria-selected") != "true":
                head.click()
            found = self._next()
            if found is None:
                return
            button, name = found
            self.pressed.add(name)
            button.click()
            self.succeed(f"{tab}: {name}")
        raise AssertionError(f"{tab}: new buttons come without end")

    def _next(self) -> tuple[Locator, str] | None:
        """One that has not been pressed, and its name; those that take others away come last."""
        panel = "#tabs > [role=tabpanel]:visible"
        buttons = self.one(
            f"{panel} button:enabled:visible:not([role=tab], [inert]), {panel} a:visible"
        )
        names = list(enumerate(buttons.evaluate_all(_NAMES)))
        names.sort(key=lambda one: _turn(one[1].partition("|")[2]))
        for index, name in names:
            if name not in self.pressed:
                return buttons.nth(index), name
        return None


def _turn(label: str) -> int:
    """When a button is pressed: what leaves full screen at once, what takes others away last."""
    if label.startswith("Exit"):
        return 0
    return 3 if label == "remove" else 2 if label.startswith(_LAST) else 1


def test_every_button_of_every_tab(
    browser: Browser, app: Page, album: list[Path], gray: Path, tmp_path: Path
) -> None:
    hints = tmp_path / "hints.json"
    hints.write_text(json.dumps({gray.name: [{"row": 30, "column": 30, "a": 20, "b": 10}]}))
    visitor = Presser(browser, app, gray, hints)
    other = tmp_path / "other.jpg"
    Image.fromarray(data.camera()[::4, ::4]).save(other)

    visitor.put(other, gray, album[0])
    visitor.one("#strip [data-act=look]").nth(2).click()
    visitor.one("#treat").click()
    visitor.succeed("treat")
    visitor.pressed.add("treat|Treat as gray")
    visitor.one("#strip [data-act=look]").first.click()
    visitor.succeed("look")
    visitor.one("#n input[type=number]").fill("1")
    visitor.open_tool("prepare")
    visitor.one("#repairs input").check()
    visitor.succeed("repairs")
    visitor.open_tool("reference")
    by_kind, _ = visitor._files
    visitor._files = by_kind, album[0]
    visitor.one("#refer").click()
    visitor.succeed("refer")
    visitor._files = by_kind, gray
    visitor.one("#refer-go").click()
    visitor.succeed("refer-go")
    visitor.open_tool("hints")
    visitor.one(".stage").click(position={"x": 30, "y": 30})
    visitor.succeed("point")
    # Closing a tool would hide its buttons.
    visitor.pressed |= set(visitor.one(".label-wrap.open").evaluate_all(_NAMES))
    visitor.press_all("Colorize")
    visitor.press_all("Quiz")
    visitor.page.get_by_label("Test", exact=True).check()
    visitor.succeed("Test")
    visitor.pressed = {name for name in visitor.pressed if not name.startswith("quiz-stage")}
    visitor.press_all("Quiz")
    visitor.press_all("How it works")

    places = {name.partition("|")[0] for name in visitor.pressed}
    assert buttons_of(app) - places <= _NOT_HERE, "these could not be pressed"
    assert {"strip", "stage", "gallery", "points", "references", "prepare-views"} <= places
    visitor.close()
    assert "Traceback" not in app.log


def buttons_of(server: Page) -> set[str]:
    """Names of all buttons that the page is made of."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{server.address}config", timeout=60) as answer:
        components = json.load(answer)["components"]
    kinds = ("button", "downloadbutton", "uploadbutton")
    return {one["props"]["elem_id"] for one in components if one["type"] in kinds}
