"""Colorings that come one by one, and several photos, as a visitor sees them in Chromium."""

from __future__ import annotations

import time
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from skimage import data

from tests.ui.fake_colorizer import GO, STEPPED_WIDTH
from tests.ui.page_process import Page, wait_until
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def stepped(tmp_path: Path, server: Page) -> Iterator[Path]:
    """A photo whose colorings come when the test lets them."""
    path = tmp_path / "stepped.jpg"
    image = Image.fromarray(data.camera()).resize((STEPPED_WIDTH, STEPPED_WIDTH))
    image.save(path, quality=95)
    yield path
    for file in server.temporary.glob(f"{GO}*"):
        file.unlink(missing_ok=True)


HELD_UP = """
window.arrived = "";
window.holdUp = false;
let passed = Promise.resolve();
const ask = window.fetch;
window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (!answer.url.includes("queue/data")) return answer;
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let before = Promise.resolve();
    const passOn = (act) => { before = before.then(() => passed).then(act); };
    const read = async (controller) => {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return passOn(() => controller.close());
            const text = decoder.decode(value, { stream: true });
            window.arrived += text;
            if (window.holdUp && text.includes("process_generating")) {
                window.holdUp = false;
                passed = new Promise((pass) => { window.goOn = pass; });
            }
            passOn(() => controller.enqueue(value));
        }
    };
    const start = (controller) => { read(controller).catch((error) => controller.error(error)); };
    return new Response(new ReadableStream({ start }), answer);
};
"""
"""Lets the updates of the next run wait until all are there, as they do in a busy browser."""


class Streamer(Visitor):
    """A browser window, and what lets colorings come."""

    def __init__(
        self, browser: Browser, server: Page, width: int = 1280, scheme: str = "light"
    ) -> None:
        super().__init__(browser, server, width, scheme)
        self._folder = server.temporary

    def let(self, count: int) -> None:
        """Let so many colorings be made, one after the other."""
        for _ in range(count):
            self._let_one()

    def _let_one(self) -> bool:
        (self._folder / f"{GO}{time.monotonic_ns():020}").touch()
        return True

    def let_until(self, selector: str, text: str) -> None:
        """Let what is being made be made, until something is said."""
        element = self.one(selector)
        wait_until(lambda: self._let_one() and text in element.inner_text())
        for file in self._folder.glob(f"{GO}*"):
            file.unlink()

    def begin(self, photo: Path, n: int, there: int) -> None:
        """Upload a photo, ask for n samples, and let some come."""
        self.upload(photo)
        expect(self.one("#go")).to_be_enabled()
        self.one("#n input[type=number]").fill(str(n))
        self.one("#go").click()
        self.let(1)
        self.expect_text("#status", f"{n} colorings in")
        self.one("#view").get_by_label("Single samples").check()
        self.expect_text("#status", f"0 of {n} colorings are here.")
        self.let(there)
        self.expect_there(there)
        self.expect_text("#status", f"{there} of {n} colorings are here.")

    def expect_there(self, count: int) -> None:
        expect(self.one("#gallery .thumbnail-item")).to_have_count(count)


def test_they_come_one_by_one_and_cancel_keeps_them(
    browser: Browser, server: Page, stepped: Path
) -> None:
    visitor = Streamer(browser, server)
    expect(visitor.one("#cancel")).to_be_hidden()
    visitor.begin(stepped, 8, there=1)
    expect(visitor.one("#gallery .selected")).to_have_text("Sample 1")
    expect(visitor.one("#compare img")).to_have_count(2)
    expect(visitor.one("#status progress")).to_be_visible()
    visitor.let(1)
    visitor.expect_text("#status", "2 of 8")
    visitor.choose(1)
    visitor.let(1)
    visitor.expect_there(3)
    visitor.expect_text("#status", "3 of 8")
    expect(visitor.one("#gallery .selected")).to_have_text("Sample 2")
    chosen = visitor.one("#gallery .thumbnail-item img").nth(1).get_attribute("src")
    expect(visitor.one("#compare img").first).to_have_js_property("src", str(chosen))

    visitor.one("#cancel").click()
    expect(visitor.one("#cancel")).to_be_disabled()
    visitor.let(1)  # the one that was being made
    visitor.expect_text("#status", "Cancelled; 3 of 8 colorings are here.")
    expect(visitor.one("#cancel")).to_be_hidden()
    visitor.expect_there(3)

    assert visitor.download().suggested_filename == "stepped_s1.jpg"
    visitor.close()


def test_another_upload_in_the_middle_shows_nothing_stale(
    browser: Browser, server: Page, stepped: Path, gray: Path
) -> None:
    visitor = Streamer(browser, server)
    visitor.begin(stepped, 8, there=2)
    visitor.upload(gray)
    visitor.expect_text("#upload", gray.name[:7])
    visitor.let_until("#about", "1536 × 1024 pixels")
    expect(visitor.one("#results")).to_be_hidden()
    expect(visitor.one("#cancel")).to_be_hidden()
    expect(visitor.one("#status p")).to_have_count(0)
    visitor.one("#n input[type=number]").fill("2")
    visitor.one("#go").click()
    visitor.expect_text("#status", "2 colorings in")
    expect(visitor.one("#view").get_by_label("Summary")).to_be_checked()
    visitor.expect_there(2)
    visitor.one("#strip button").first.click()
    visitor.expect_text("#about", f"{STEPPED_WIDTH} × {STEPPED_WIDTH} pixels")
    expect(visitor.one("#gallery .caption-label").nth(1)).to_have_text("Sample 2")
    sources = visitor.one("#gallery img").evaluate_all("all => all.map(one => one.src)")
    visitor.one("#strip button").nth(1).click()
    expect(visitor.one("#gallery .caption-label").nth(1)).to_contain_text("B: ")
    others = visitor.one("#gallery img").evaluate_all("all => all.map(one => one.src)")
    assert not set(sources) & set(others)
    visitor.close()


def test_updates_that_come_all_at_once_are_all_shown(
    browser: Browser, server: Page, stepped: Path
) -> None:
    visitor = Streamer(browser, server)
    visitor.page.evaluate(f"() => {{{HELD_UP}}}")  # or it would be called
    visitor.begin(stepped, 2, there=1)
    visitor.let(1)
    visitor.expect_text("#status", "2 colorings in")
    for seed, n in ((0, 3), (10, 2)):
        expect(visitor.one("#go")).to_be_enabled()
        visitor.set_advanced(seed=seed)
        visitor.one("#n input[type=number]").fill(str(n))
        visitor.page.evaluate("window.arrived = ''; window.holdUp = true")
        visitor.one("#go").click()
        visitor.let(n)
        visitor.page.wait_for_function(f"window.arrived.includes('{n} colorings in')")
        visitor.page.evaluate("window.goOn()")
        visitor.expect_text("#status", f"{n} colorings in")
        captions = [f"Sample {1 + i}" for i in range(n)]
        expect(visitor.one("#gallery .caption-label")).to_have_text(captions)
        first = visitor.one("#gallery .thumbnail-item img").first.get_attribute("src")
        compared = visitor.one("#compare img").first
        expect(compared).to_have_js_property("src", str(first))
        expect(visitor.one("#cancel")).to_be_hidden()
        expect(visitor.one("#welcome")).to_be_hidden()
    visitor.close()


def test_all_photos_by_one_button_and_in_one_zip(
    browser: Browser, server: Page, stepped: Path, tmp_path: Path
) -> None:
    photo, painted = tmp_path / "photo.png", tmp_path / "painted.png"
    Image.fromarray(data.camera()).resize((STEPPED_WIDTH, 60)).save(photo)
    Image.fromarray(data.astronaut()[::8, ::8]).save(painted)
    with ZipFile(tmp_path / "album.zip", "w") as archive:
        archive.write(photo, "1931/second.png")
        archive.write(photo, "1931/third.png")
        archive.write(painted, "painted.png")
        archive.writestr("bad.jpg", b"no picture")
    visitor = Streamer(browser, server)
    visitor.one("#upload input[type=file]").set_input_files([stepped, tmp_path / "album.zip"])
    visitor.expect_text("#about .bad", "album/bad.jpg: the file is not a JPEG")
    images = visitor.one("#strip img")
    expect(images).to_have_count(4)
    assert images.nth(1).get_attribute("alt") == "album/1931/second.png"
    button, ticks = visitor.one("#all-go"), visitor.one("#strip .tick")
    expect(button).to_have_text("Colorize all 3")
    visitor.one("#n input[type=number]").fill("2")
    button.click()
    visitor.expect_text("#status", "0 of 3 photos are colored.")
    visitor.let(1)
    expect(ticks).to_have_count(1)
    visitor.expect_there(2)
    visitor.expect_text("#download", "Download")
    visitor.one("#strip button").nth(2).press("Enter")
    visitor.expect_text("#about", f"{STEPPED_WIDTH} × 60 pixels")
    expect(visitor.one("#results")).to_be_hidden()
    visitor.expect_text("#status", "1 of 3 photos are colored.")

    visitor.one("#cancel").click()
    expect(visitor.one("#cancel")).to_be_disabled()
    visitor.let(1)  # the one that was being colored
    visitor.expect_text("#status", "Cancelled; 1 of 3 photos are colored.")
    expect(visitor.one("#cancel")).to_be_hidden()
    button.click()
    visitor.expect_text("#status", "0 of 2 photos are colored.")
    visitor.let(2)
    visitor.expect_text("#status", "2 photos colored in")
    expect(ticks).to_have_count(3)
    visitor.expect_there(2)
    assert visitor.width_of_content() == 1280

    visitor.one("#all-gray").get_by_label("album/painted.png").check()
    expect(button).to_have_text("Colorize all 4")
    button.click()
    visitor.expect_text("#status", "1 photo colored in")
    expect(ticks).to_have_count(4)

    visitor.choose(1)
    expect(visitor.one("#gallery .selected")).to_contain_text("B: ")
    expect(visitor.one("#all-download")).to_have_text("Download 4 photos in a zip")
    with visitor.page.expect_download() as download:
        visitor.one("#all-download").click()
    assert download.value.suggested_filename == "photos-colored.zip"
    saved = tmp_path / "saved.zip"
    download.value.save_as(saved)
    with ZipFile(saved) as archive:
        assert sorted(archive.namelist()) == [
            "colored/album/1931/second_a.png", "colored/album/1931/third_b.png",
            "colored/album/painted_a.png", "colored/stepped_a.jpg", "contact-sheet.html",
        ]  # fmt: skip
        assert archive.testzip() is None
    visitor.expect_text("#status", "A zip of ")
    visitor.close()


def test_a_closed_page_ends_its_run(
    browser: Browser, server: Page, stepped: Path, small: Path
) -> None:
    before = _sessions(server)
    visitor = Streamer(browser, server)
    visitor.begin(stepped, 8, there=1)
    (session,) = (Path(one) for one in _sessions(server) - before)
    visitor.page.close()
    wait_until(lambda: not session.exists())
    visitor.let(4)
    wait_until(lambda: len(list(server.temporary.glob(f"{GO}*"))) < 4)
    other = Streamer(browser, server)  # who would see the server hang or go on
    other.colorize(small)
    assert len(list(server.temporary.glob(f"{GO}*"))) == 3
    assert not session.exists()
    other.close()


def _sessions(server: Page) -> set[str]:
    """Folders of visitors; unlike `Path.rglob` this bears that some go meanwhile."""
    return set(glob(f"{server.temporary}/**/session-*", recursive=True))
