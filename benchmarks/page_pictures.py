"""Takes the pictures of docs/page.md: every tab in use, on a desktop and on a phone.

    python -m benchmarks.page_pictures -o docs/page

Starts the page with the shipped weights and drives it in Chromium, with pictures that scikit-image
ships. Screenshots are scaled down to `MOST_WIDTH` and written as WebP.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import skimage.data
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from benchmarks.page_server import page_server

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
PATIENCE = 120_000
"""Most milliseconds that a step on the page may take on a busy machine."""
MOST_WIDTH = 900
"""Largest width of a picture in docs/, in pixels."""
_QUALITY = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One picture of the page.

    Attributes:
        tab: key of `SCENES`.
        width: width of the window, in pixels.
        scheme: light or dark mode.
    """

    tab: str
    width: int
    scheme: Literal["light", "dark"] = "light"

    @property
    def name(self) -> str:
        """Name of the file."""
        words = [self.tab, "phone" if self.is_phone else "", self.scheme.replace("light", "")]
        return "_".join(filter(None, words)) + ".webp"

    @property
    def is_phone(self) -> bool:
        """Whether the window has the width of a phone."""
        return self.width < 600


class Photos(NamedTuple):
    """The files that are uploaded: gray photos, one in color of the same garage, and an album.

    The album is a zip archive of three gray photos and a damaged file.
    """

    portrait: Path
    still: Path
    garage: Path
    garage_in_color: Path
    album: Path


def take_pictures(
    output: Path, views: Sequence[View], weights: Path | None = None
) -> dict[str, int]:
    """Writes pictures of the page.

    Args:
        output: folder, created if it does not exist.
        views: the pictures to take.
        weights: weights file; None for the shipped one.

    Returns:
        How many pixels the page was wider than its window, by file name.

    Raises:
        AssertionError: if the page does not start or does not respond as expected.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = make_photos(folder)
        quiz = _quiz_photos(folder / "quiz")
        with page_server(folder, weights, quiz) as (address, _), chromium() as browser:
            return {view.name: _take(browser, address, view, photos, output) for view in views}


def make_photos(folder: Path) -> Photos:
    """Writes the files to upload into a folder."""
    left, right, _ = skimage.data.stereo_motorcycle()
    garage = folder / "garage-2024.jpg"
    Image.fromarray(right).save(garage, quality=95)
    portrait = _save_gray(folder / "portrait.jpg", skimage.data.astronaut())
    still = _save_gray(folder / "breakfast.jpg", skimage.data.coffee())
    others = [
        _save_gray(folder / "cat.jpg", skimage.data.chelsea()),
        _save_gray(folder / "launch.jpg", skimage.data.rocket()),
    ]
    album = folder / "album.zip"
    with zipfile.ZipFile(album, "w") as archive:
        for path in (portrait, *others):
            archive.write(path, f"1962/{path.name}")
        archive.writestr("1962/damaged.jpg", still.read_bytes()[:9000])
    return Photos(portrait, still, _save_gray(folder / "garage-1971.jpg", left), garage, album)


def _quiz_photos(folder: Path) -> Path:
    """Photos for the quiz's picture, which gives none of those away that come with the page."""
    folder.mkdir()
    for name in ("astronaut", "coffee", "rocket"):
        Image.fromarray(getattr(skimage.data, name)()).save(folder / f"{name}.png")
    return folder


def _save_gray(path: Path, picture: np.ndarray) -> Path:
    Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)).save(path, quality=95)
    return path


def loaded(picture: Locator) -> Locator:
    """Wait for the pixels of a picture, without which clicks on it are lost."""
    expect(picture).to_have_js_property("complete", True)
    expect(picture).not_to_have_js_property("naturalWidth", 0)
    return picture


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that the system has, without a window."""
    path = shutil.which("chromium")
    assert path, "no chromium on this machine (Debian's package of that name)"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _take(browser: Browser, address: str, view: View, photos: Photos, output: Path) -> int:
    context = browser.new_context(
        viewport={"width": view.width, "height": 844 if view.is_phone else 900},
        color_scheme=view.scheme,
        is_mobile=view.is_phone,
        has_touch=view.is_phone,
    )
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        with page.expect_request(lambda one: "/queue/data" in one.url):
            page.goto(address)  # clicks before the page's first message are lost
        SCENES[view.tab](page, photos)
        page.mouse.move(0, 0)  # so that no element shows its hover style
        page.evaluate("scrollTo(0, 0)")  # the large picture is where it is when nobody scrolls
        _settle(page)
        _write(output / view.name, page.screenshot(full_page=True, animations="disabled"))
        return int(page.evaluate("document.documentElement.scrollWidth")) - view.width
    finally:
        context.close()


def _settle(page: Page) -> None:
    """Wait until all visible pictures are loaded, and no progress bar is left."""
    page.wait_for_function(
        "[...document.images].every(one => !one.offsetParent || one.naturalWidth > 0"
        " || one.getBoundingClientRect().left > innerWidth)"
    )
    page.wait_for_function(
        "[...document.querySelectorAll('[data-testid=status-tracker]')]"
        ".every(one => !one.offsetParent || one.matches('.hide') || one.offsetHeight === 0"
        " || getComputedStyle(one).opacity === '0')"
    )


def _write(path: Path, screenshot: bytes) -> None:
    picture = Image.open(BytesIO(screenshot)).convert("RGB")
    if picture.width > MOST_WIDTH:
        height = round(picture.height * MOST_WIDTH / picture.width)
        picture = picture.resize((MOST_WIDTH, height), Image.Resampling.LANCZOS)
    picture.save(path, "WEBP", quality=_QUALITY, method=6)


def _upload(page: Page, selector: str, *paths: Path) -> None:
    page.locator(f"{selector} input[type=file]").set_input_files(list(paths))


def _press(page: Page, button: str) -> None:
    expect(page.locator(button)).to_be_enabled()
    page.locator(button).click()


def _colorize(page: Page, photos: Photos) -> None:
    _upload(page, "#upload", photos.portrait)
    _color(page)
    page.locator("#gallery button").nth(3).click()
    expect(page.locator("#gallery [aria-pressed=true]")).to_contain_text("C: ")


def _color(page: Page) -> None:
    """Color the photo four times."""
    _press(page, "#go")
    expect(page.locator("#gallery button")).to_have_count(5)
    expect(page.locator("#status .wish")).to_have_count(0)


def _landing(page: Page, photos: Photos) -> None:
    expect(page.locator(".samples button")).to_have_count(3)


def _several(page: Page, photos: Photos) -> None:
    _upload(page, "#upload", photos.album)
    expect(page.locator("#strip [data-act=look]")).to_have_count(3)
    _press(page, "#all")
    expect(page.locator("#strip .tick")).to_have_count(3)
    expect(page.locator("#status .wish")).to_have_count(0)


def _hints(page: Page, photos: Photos) -> None:
    _upload(page, "#upload", photos.still)
    _color(page)
    page.locator("#color > button").click()
    page.locator("#hints > button").click()
    picture = page.locator("#stage .stage")
    for number, (across, down, swatch) in enumerate(((0.47, 0.6, -1), (0.12, 0.85, 0)), 1):
        expect(page.locator(".stage[data-view=points]")).to_be_visible()
        _click(picture, across, down)
        expect(page.locator("span.mark")).to_be_visible()  # or the colors are of the point before
        expect(page.locator(".palette .swatch small").first).to_be_visible()
        page.locator(".palette [data-act=pick]").nth(swatch).click()
        expect(page.locator("button.mark")).to_have_count(number)
        expect(page.locator("#status")).to_contain_text("1 coloring in")


def _click(picture: Locator, across: float, down: float) -> None:
    """Click a point, given as fractions of the picture's width and height."""
    box = loaded(picture.locator("img").first).bounding_box()
    assert box is not None
    picture.click(position={"x": across * box["width"], "y": down * box["height"]})


def _reference(page: Page, photos: Photos) -> None:
    _upload(page, "#upload", photos.garage)
    page.locator("#color > button").click()
    page.locator("#reference > button").click()
    with page.expect_file_chooser() as chooser:
        page.locator("#refer").click()
    chooser.value.set_files(photos.garage_in_color)
    expect(page.locator("#references img")).to_have_count(1)
    _press(page, "#refer-go")
    expect(page.locator("#gallery button")).to_have_count(5)
    expect(page.locator("#status .wish")).to_have_count(0)


def _quiz(page: Page, photos: Photos) -> None:
    page.get_by_role("tab", name="Quiz", exact=True).click()
    _press(page, "#quiz-stage button[data-next]")
    expect(page.locator("#quiz-stage [data-choice]").first).to_be_visible()


def _quiz_reveal(page: Page, photos: Photos) -> None:
    _quiz(page, photos)
    page.locator("#quiz-stage [data-choice='0']").click()
    expect(page.locator("#quiz-stage button[data-next]")).to_be_visible()


def _how(page: Page, photos: Photos) -> None:
    page.get_by_role("tab", name="How it works", exact=True).click()
    expect(page.locator("#how-status")).to_contain_text("This is an example")
    slider = page.locator("#how-levels input[type=range]")
    steps = int(slider.get_attribute("max") or 0)
    for _ in range(steps // 2):
        slider.press("ArrowRight")
    expect(slider).to_have_value(str(steps // 2))
    expect(page.locator("#how-walk figure").first).to_be_attached()
    slider.blur()


SCENES: dict[str, Callable[[Page, Photos], None]] = {
    "colorize": _colorize,
    "hints": _hints,
    "reference": _reference,
    "quiz": _quiz,
    "how": _how,
    "landing": _landing,
    "several": _several,
    "quiz_reveal": _quiz_reveal,
}
"""What a visitor does."""
ON_PHONES = ("colorize", "hints", "reference", "quiz", "how")
VIEWS = [
    *(View(tab=name, width=1280) for name in SCENES),
    *(View(tab=name, width=390) for name in ON_PHONES),
    View(tab="colorize", width=1280, scheme="dark"),
]


def main() -> None:
    """Writes all pictures and prints their sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # the page ends first
    for name, excess in take_pictures(options.output, VIEWS).items():
        size = (options.output / name).stat().st_size
        print(f"{name}: {size / 1024:.0f} KB" + (f", {excess} pixels too wide" if excess else ""))


if __name__ == "__main__":
    main()
