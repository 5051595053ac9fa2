"""A browser window on the page, for the tests in Chromium."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Request,
    expect,
)
from playwright.sync_api import Page as BrowserPage

from benchmarks.page_pictures import PATIENCE
from tests.ui.page_process import Page

_IDLE = """() => new Promise((done) => {
    requestAnimationFrame(() => requestIdleCallback(done));
    setTimeout(done, 10000);  // a window that Chromium does not paint has no frames
})"""
_QUIET_MS = 100
"""For which nothing is asked of the server once everything is answered and shown."""
_LONGEST = 240.0
"""Seconds in which everything is answered, on any machine; less than a test may hang."""


@cache
def _context(browser: Browser, width: int, scheme: str) -> BrowserContext:
    """Windows of one kind share it, and with it the page's scripts, which take long to load."""
    phone = width < 600
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
        is_mobile=phone,
        has_touch=phone,
    )
    context.set_default_timeout(PATIENCE)
    return context


_LEFT = ("signal is aborted", "Connection errored out")


class Visitor:
    """A browser window on the page; collects what must not happen."""

    present: ClassVar[list[Visitor]] = []
    """Those whose window is open, for whoever asks why a test failed."""

    def __init__(
        self,
        browser: Browser,
        server: Page,
        width: int = 1280,
        scheme: str = "light",
        *,
        logs_in: bool = False,
    ) -> None:
        context = _context(browser, width, scheme)
        if not any(one.page.context is context for one in Visitor.present):
            context.clear_cookies()  # or it would have the desk of the visitor before
        self.page: BrowserPage = context.new_page()
        Visitor.present.append(self)
        self.requests: list[str] = []
        self._events: list[str] = []
        self._begun = time.monotonic()
        self.faults: list[str] = []
        self._open: set[Request] = set()
        self.page.on("request", self._remember)
        self.page.on("requestfinished", lambda one: self._forget(one, "answered"))
        self.page.on("requestfailed", lambda one: self._forget(one, f"failed ({one.failure})"))
        self.page.on("pageerror", lambda error: self._blame(str(error)))
        self.page.on("console", self._listen)
        if logs_in:
            self.page.goto(server.address)
            return
        self.shown_after(lambda: self.page.goto(server.address))

    def shown_after(self, come: Callable[[], object]) -> None:
        """Come to the page; nobody clicks before it has shown its first message."""
        with self.page.expect_request(lambda one: "/queue/data" in one.url):
            come()
        self.settle()

    def _blame(self, fault: str) -> None:
        """Remember a fault, but not that Gradio's script is cut off when a page is left."""
        if not any(told in fault for told in _LEFT):
            self.faults.append(fault)

    def close(self) -> None:
        """Close the window, in which nothing may have failed."""
        assert not self.faults, self.faults
        Visitor.present.remove(self)
        self.page.close()

    def told(self) -> str:
        """What the window shows, and the last requests with when they began and ended."""
        text = self.one("body").inner_text(timeout=5000)
        return "\n".join([self.page.url, text, *self.faults, *self._events[-60:]])

    def _remember(self, request: Request) -> None:
        self.requests.append(request.url)
        if "/queue/" in request.url or "/upload" in request.url:
            self._open.add(request)
            self._note(request, "asked")

    def _forget(self, request: Request, how: str) -> None:
        if request in self._open:
            self._note(request, how)
        self._open.discard(request)

    def _note(self, request: Request, how: str) -> None:
        seconds, path = time.monotonic() - self._begun, urlsplit(request.url).path
        self._events.append(f"{seconds:8.2f} {how}: {request.method} {path}")

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self._blame(f"{said.text} ({said.location['url']})")

    def one(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def settle(self) -> None:
        """Wait until all that was asked of the server is answered, shown, and followed up."""
        asked, end = -1, time.monotonic() + _LONGEST
        while self._open or asked != len(self.requests):
            assert time.monotonic() < end, f"no answer:\n{self.told()}"
            asked = len(self.requests)
            self.page.wait_for_timeout(_QUIET_MS)
            self.page.evaluate(_IDLE)

    def upload(self, *paths: Path) -> None:
        self.one("#upload input[type=file]").set_input_files(list(paths))

    def put(self, *paths: Path) -> None:
        """Put photos on the desk, and wait until all are there."""
        before = self.one("#strip [data-act=look]").count()
        self.upload(*paths)
        expect(self.one("#strip [data-act=look]")).to_have_count(before + len(paths))
        self.settle()

    def open_tool(self, name: str) -> None:
        """Open one of the tools beside the picture, unless it is open."""
        closed = self.one(f"#{name} > button .icon[style*='90deg']")
        if closed.count():
            closed.click()
        self.settle()

    def color(self) -> None:
        """Color the photo once all that was clicked is answered, and wait for its colorings."""
        self.settle()
        self.one("#go").click()
        self.expect_text("#status", "coloring")
        expect(self.one("#status .wish")).to_have_count(0)
        expect(self.one("#gallery [data-act=choose]").nth(1)).to_be_visible()

    def saved(self, button: str, folder: Path) -> Path:
        """Press a button that brings a file; the file."""
        with self.page.expect_download() as download:
            self.one(button).click()
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def expect_text(self, selector: str, text: str) -> None:
        expect(self.one(selector)).to_contain_text(text)

    def width_of_content(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth"))
