"""The list of bad inputs on the page, in Chromium: one visitor uploads one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.bad_inputs import BAD_INPUTS, OPTIONS, BadInput
from tests.ui.page_process import Page, running_page
from tests.ui.visitor import PATIENCE, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with running_page(tmp_path_factory.mktemp("server"), *OPTIONS) as page:
        yield page


@pytest.fixture(scope="module")
def visitor(browser: Browser, server: Page) -> Iterator[Visitor]:
    visitor = Visitor(browser, server)
    yield visitor
    visitor.context.close()


@pytest.mark.parametrize(
    "bad",
    [bad for bad in BAD_INPUTS if bad.name in ("half.png", "bomb.png", "heavy.png")],
    ids=lambda bad: bad.label,
)
def test_it_is_told_or_works_and_the_page_goes_on(
    visitor: Visitor, bad: BadInput, tmp_path: Path
) -> None:
    visitor.expect_text("#about", "up to 1 MB")
    path = tmp_path / bad.name
    path.write_bytes(bad.content)
    visitor.upload(path)
    if bad.by_browser:
        toast = visitor.one("[data-testid=toast-body]")
        expect(toast).to_contain_text("exceed the maximum allowed size of 1", timeout=PATIENCE)
        toast.locator("button").click()
        expect(toast).to_have_count(0, timeout=PATIENCE)
    else:
        visitor.expect_text(".bad" if bad.says else ".good >> nth=0", bad.says or "pixels.")
    if bad.says is None:
        expect(visitor.one("#go")).to_be_enabled(timeout=PATIENCE)
    else:
        expect(visitor.one("#go")).to_be_disabled()
    assert "Traceback" not in visitor.page.content()
    if not bad.by_browser:
        visitor.one("#upload button[aria-label=Clear]").click()


def test_afterwards_a_photo_is_colored(visitor: Visitor, small: Path) -> None:
    visitor.colorize(small)
    alerts = visitor.page.evaluate("document.querySelectorAll('#about script, #about b').length")
    assert alerts == 0
