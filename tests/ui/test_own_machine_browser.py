"""Visitors among each other and the world, in Chromium: what is whose, and what stays here."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from colorflow.ui.limits import WORKED_ON
from tests.ui.fake_colorizer import HELD_WIDTH, HOLD
from tests.ui.page_process import Page, running_page
from tests.ui.visitor import PATIENCE, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "temporary").mkdir()
    quiz = ("--quiz-db", folder / "quiz.sqlite")
    with running_page(folder / "temporary", *quiz) as page:
        yield page


@pytest.fixture
def held_photo(tmp_path: Path) -> Path:
    """A photo whose coloring can be held up."""
    path = tmp_path / "held.png"
    Image.fromarray(data.camera()[:HELD_WIDTH, :HELD_WIDTH]).save(path)
    return path


def wait_for_files(folder: Path, pattern: str, *, there: bool) -> None:
    deadline = time.monotonic() + 3 * PATIENCE / 1000
    while any(folder.glob(pattern)) != there:
        assert time.monotonic() < deadline, pattern
        threading.Event().wait(0.1)


def test_no_request_leaves_the_machine_on_any_tab(
    browser: Browser, server: Page, small: Path
) -> None:
    visitor = Visitor(browser, server)
    visitor.colorize(small)
    tabs = visitor.page.locator("#tabs > .tab-wrapper button[role=tab]")
    names = [tab for tab in tabs.all_inner_texts() if tab]
    assert {"Colorize", "Hints", "Reference", "Quiz"} <= set(names)
    for name in names:
        visitor.page.get_by_role("tab", name=name, exact=True).first.click()
        expect(visitor.page.get_by_role("tab", name=name, exact=True).first).to_have_attribute(
            "aria-selected", "true", timeout=PATIENCE
        )
    assert visitor.faults == []
    visitor.one("footer button").first.click()  # what it lists may be asked for in vain
    visitor.expect_text("body", "/quiz_round")
    assert {urlsplit(url).hostname for url in visitor.requests} <= {"127.0.0.1", None}
    visitor.context.close()


def test_reload_in_the_middle_of_coloring(
    browser: Browser, server: Page, held_photo: Path, small: Path
) -> None:
    visitor = Visitor(browser, server)
    (server.temporary / HOLD).touch()
    visitor.upload(held_photo)
    expect(visitor.one("#go")).to_be_enabled(timeout=PATIENCE)
    visitor.one("#go").click()
    visitor.expect_text("#status", "0 of 4 colorings are here.")
    visitor.page.reload()
    expect(visitor.one("#go")).to_be_disabled(timeout=PATIENCE)
    expect(visitor.one("#welcome")).to_be_visible(timeout=PATIENCE)
    (server.temporary / HOLD).unlink()
    visitor.colorize(small)
    expect(visitor.one("#gallery .thumbnail-item")).to_have_count(4)
    assert "Traceback" not in visitor.page.content()
    visitor.context.close()


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Page]:
    """A page with room for one request that waits.

    It is this test's alone: on a busy machine the requests of two visitors meet there by chance,
    such as one's opening of the page and the other's click, and one of them is refused.
    """
    (tmp_path / "temporary").mkdir()
    quiz = ("--quiz-db", tmp_path / "quiz.sqlite")
    with running_page(tmp_path / "temporary", "--queue", "1", *quiz) as page:
        yield page


def test_a_full_queue_is_one_sentence(browser: Browser, crowded: Page, held_photo: Path) -> None:
    visitors = []
    for _ in range(WORKED_ON + 2):  # in turn: the queue has room for one that has not begun
        visitor = Visitor(browser, crowded)
        visitor.upload(held_photo)
        expect(visitor.one("#go")).to_be_enabled(timeout=PATIENCE)
        visitors.append(visitor)
    *others, last = visitors
    (crowded.temporary / HOLD).touch()
    for visitor in others:
        with visitor.page.expect_response(re.compile("queue/join")) as joined:
            visitor.one("#go").click()
        assert joined.value.status == 200
        visitor.page.wait_for_timeout(500)  # until it is taken from the queue
    last.one("#go").click()
    toast = last.one("[data-testid=toast-body]")
    expect(toast).to_contain_text("currently busy. Please try again", timeout=PATIENCE)
    (crowded.temporary / HOLD).unlink()
    for visitor in others:
        visitor.expect_text("#status", "coloring")
    last.one("#go").click()
    last.expect_text("#status", "coloring")
    for visitor in visitors:
        visitor.context.close()


class Watched(Visitor):
    """A visitor of whom we keep what the page asked for."""

    def files(self) -> list[str]:
        """Addresses of files that the page was given."""
        return [url for url in self.requests if "gradio_api/file=" in url]


def test_names_of_files_cannot_be_guessed(
    browser: Browser, server: Page, small: Path, tmp_path: Path
) -> None:
    """Two visitors do the same with the same photo; what one knows does not lead to the other's."""
    visitors = [Watched(browser, server) for _ in range(2)]
    for visitor in visitors:
        visitor.colorize(small)
    own, other = (set(visitor.files()) for visitor in visitors)
    assert own
    assert other
    assert not own & other
    for url in other:
        assert re.search(r"/(session|hints|reference|quiz)-\w{8}/photo-\w{8}/", url), url
    folders = [re.sub(r"/session-.*", "/", url) for url in sorted(other)]
    for address in {*folders, f"{folders[0]}..", f"{folders[0]}../../lock"}:
        assert visitors[0].page.request.get(address, max_retries=2).status in (403, 404), address
    for visitor in visitors:
        visitor.context.close()


def test_what_the_page_says_of_deletion_is_true(
    browser: Browser, tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a minute in the place of the hour; the page stays open."""
    monkeypatch.setenv("KEEP_SECONDS", "60")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with running_page(temporary, "--quiz-db", tmp_path / "quiz.sqlite") as server:
        visitor = Visitor(browser, server)
        visitor.expect_text("#privacy", "deleted there an hour after you last did something here")
        visitor.colorize(small)
        wait_for_files(temporary, "*/files/*/small.png", there=True)
        wait_for_files(temporary, "*/files/visitors/*/session-*", there=True)
        wait_for_files(temporary, "*/files/visitors/*/session-*", there=False)
        wait_for_files(temporary, "*/files/*/small.png", there=False)
        visitor.one("#gallery .thumbnail-item").nth(1).click()
        visitor.expect_text("#status .bad", "choose the photo again")
        visitor.colorize(small)
        visitor.context.close()


def test_the_login_page(browser: Browser, tmp_path: Path, small: Path) -> None:
    accounts = tmp_path / "accounts.txt"
    accounts.write_text("ada:secret word\n")
    accounts.chmod(0o600)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    options = ("--auth", accounts, "--quiz-db", tmp_path / "quiz.sqlite")
    with running_page(temporary, *options) as server:
        visitor = Visitor(browser, server)
        name, password = visitor.one("input[type=text]"), visitor.one("input[type=password]")
        expect(name).to_be_visible(timeout=PATIENCE)
        assert visitor.one("#upload").count() == 0
        for word in ("wrong", "secret word"):
            name.fill("ada")
            password.fill(word)
            visitor.page.get_by_role("button").last.click()
            if word == "wrong":
                visitor.expect_text("body", "Incorrect Credentials")
        expect(visitor.one("#upload")).to_be_visible(timeout=PATIENCE)
        visitor.colorize(small)
        assert {urlsplit(url).hostname for url in visitor.requests} <= {"127.0.0.1", None}
        visitor.one("#log-out button").click()
        expect(password).to_be_visible(timeout=PATIENCE)
        assert visitor.one("#upload").count() == 0
        visitor.context.close()
