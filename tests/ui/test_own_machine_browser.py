"""Visitors among each other and the world, in Chromium: what is whose, and what stays here."""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from tests.ui.page_process import Page, running_page, wait_until
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def visitor(browser: Browser, server: Page, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """One who has had a photo colored."""
    path = tmp_path_factory.mktemp("photo") / "small.png"
    Image.fromarray(data.camera()[::8, ::8]).save(path)
    visitor = Visitor(browser, server)
    visitor.put(path)
    visitor.color()
    return visitor


def test_no_request_leaves_the_machine_on_any_tab(visitor: Visitor) -> None:
    tabs = visitor.page.locator("#tabs > .tab-wrapper button[role=tab]")
    names = [tab for tab in tabs.all_inner_texts() if tab]
    assert {"Colorize", "Quiz", "How it works"} == set(names)
    for name in names:
        tab = visitor.page.get_by_role("tab", name=name, exact=True).first
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
    assert visitor.faults == []
    visitor.one("footer button").first.click()  # what it lists may be asked for in vain
    visitor.expect_text("body", "/colorize")
    assert {urlsplit(url).hostname for url in visitor.requests} <= {"127.0.0.1", None}


def test_names_of_files_cannot_be_guessed(
    visitor: Visitor, browser: Browser, server: Page, small: Path
) -> None:
    """Two visitors do the same; what one knows does not lead to the other's files."""
    second = Visitor(browser, server)
    second.put(small)
    second.color()
    own, other = (
        {url for url in one.requests if "gradio_api/file=" in url} for one in (visitor, second)
    )
    assert own
    assert other
    assert not own & other
    for url in other:
        assert re.search(r"/desk-[0-9a-f]{16}-\w{8}/photo-[0-9a-f]{16}-\w{8}/", url), url
    folders = [re.sub(r"/desk-.*", "/", url) for url in sorted(other)]
    for address in {*folders, f"{folders[0]}..", f"{folders[0]}../../lock"}:
        assert visitor.page.request.get(address, max_retries=2).status in (403, 404), address
    second.close()


def test_passwords_and_what_the_page_says_of_deletion(
    browser: Browser, tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With seconds in the place of the hour; the page stays open."""
    monkeypatch.setenv("KEEP_SECONDS", "30")
    accounts = tmp_path / "accounts.txt"
    accounts.write_text("ada:secret word\n")
    accounts.chmod(0o600)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    options = ("--auth", accounts, "--quiz-db", tmp_path / "quiz.sqlite")
    with running_page(temporary, *options) as server:
        visitor = Visitor(browser, server, logs_in=True)
        name, password = visitor.one("input[type=text]"), visitor.one("input[type=password]")
        expect(name).to_be_visible()
        assert visitor.one("#upload").count() == 0
        for word in ("wrong", "secret word"):
            name.fill("ada")
            password.fill(word)
            visitor.page.get_by_role("button").last.click()
            if word == "wrong":
                visitor.expect_text("body", "Incorrect Credentials")
        visitor.expect_text("#privacy", "deleted there an hour after you last did something here")
        visitor.put(small)
        visitor.color()
        files = [f"{temporary}/*/files/{own}" for own in ("visitors/desk-*", "*/small.png")]
        wait_until(lambda: all(map(glob, files)))
        wait_until(lambda: not any(map(glob, files)))
        visitor.one("#gallery button").nth(1).click()
        visitor.expect_text("#status .bad", "There is no photo here")
        visitor.put(small)
        visitor.color()
        assert {urlsplit(url).hostname for url in visitor.requests} <= {"127.0.0.1", None}
        visitor.one("#log-out a").click()
        expect(password).to_be_visible()
        assert visitor.one("#upload").count() == 0
        visitor.page.close()
