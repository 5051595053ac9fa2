"""The large picture in Chromium, on a desktop and on a phone: what is in sight, and seen closer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Request, expect
from skimage import data

from tests.ui.cracked_print import save_scan
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = ((1280, 900), (390, 844))
WIDTH, HEIGHT = 2400, 1600
"""Of the photo: more than a preview has, and 100 % is more than both windows show."""


class Watcher(Visitor):
    """A browser window in which points and strokes that are sent are remembered."""

    def __init__(self, browser: Browser, server: Page, size: tuple[int, int]) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.server = server
        super().__init__(browser, server, size[0])
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.on("request", self._note_points)

    def _note_points(self, request: Request) -> None:
        if request.url.endswith("/queue/join?") or "/queue/join" in request.url:
            said = json.loads(request.post_data or "{}").get("event_data") or {}
            if said.get("points"):
                self.sent.append((said["value"], said["points"]))

    def box(self, selector: str, index: int = 0) -> dict[str, float]:
        box = self.one(selector).nth(index).bounding_box()
        assert box, f"{selector} is not there"
        return dict(box)

    def is_in_sight(self, selector: str) -> bool:
        """Whether all of it is in the window, and nothing lies over its middle."""
        return bool(
            self.one(selector).first.evaluate(
                "one => { const box = one.getBoundingClientRect();"
                "const top = document.elementFromPoint((box.left + box.right) / 2,"
                "(box.top + box.bottom) / 2);"
                "return box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight"
                "&& box.right <= innerWidth && (one.contains(top) || top?.contains(one)); }"
            )
        )

    def click_share(self, x: float, y: float) -> tuple[float, float]:
        """Click a place of the window on the picture; which share of the whole picture is there."""
        pane, sheet = self.box(".pane"), self.box(".sheet")
        at = pane["x"] + x * pane["width"], pane["y"] + y * pane["height"]
        self.page.mouse.click(*at)
        return (at[0] - sheet["x"]) / sheet["width"], (at[1] - sheet["y"]) / sheet["height"]

    @property
    def seen(self) -> tuple[float, float, float]:
        """How much larger the whole picture is than the window on it, and where that is on it."""
        sheet, stage = self.box(".sheet"), self.box(".stage")
        across = (stage["x"] - sheet["x"]) / sheet["width"]
        return (
            sheet["width"] / stage["width"],
            across,
            (stage["y"] - sheet["y"]) / sheet["height"],
        )

    @property
    def zoom(self) -> float:
        return self.seen[0]

    def close(self) -> None:
        super().close()
        assert "Traceback" not in self.server.log


@pytest.fixture(params=SIZES, ids=["desktop", "phone"])
def watcher(request: pytest.FixtureRequest, browser: Browser, app: Page) -> Iterator[Watcher]:
    watcher = Watcher(browser, app, request.param)
    yield watcher
    watcher.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gray photo in which each pixel differs from its neighbors."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    pixels = np.asarray(Image.fromarray(data.camera()).resize((WIDTH, HEIGHT))).copy()
    pixels[::2, ::2] ^= 31
    Image.fromarray(pixels).save(path)
    return path


def test_picture_and_colors_are_in_sight_together(watcher: Watcher, gray: Path) -> None:
    watcher.put(gray)
    watcher.open_tool("hints")
    watcher.one(".stage").click(position={"x": 60, "y": 60})
    watcher.settle()
    assert watcher.is_in_sight(".stage")
    assert watcher.is_in_sight(".swatch")
    assert watcher.is_in_sight(".swatches >> nth=1")
    watcher.one("#free").scroll_into_view_if_needed()
    assert watcher.is_in_sight(".stage"), "it stays where it is when the tools are scrolled"
    assert watcher.is_in_sight(".swatch")
    watcher.one(".swatch").last.scroll_into_view_if_needed()
    watcher.one(".swatch").last.click()
    watcher.expect_text("#points .points", "1.")


def test_buttons_lie_over_no_place_to_click(watcher: Watcher, small: Path) -> None:
    watcher.put(small)
    watcher.open_tool("prepare")
    watcher.one("#prepare-views [data-index=frame]").click()
    watcher.settle()
    stage = watcher.box(".stage")
    for index in range(watcher.one(".zooms button").count()):
        button = watcher.box(".zooms button", index)
        assert button["y"] + button["height"] <= stage["y"]
    for index in range(4):
        corner = watcher.one(".corner").nth(index)
        corner.scroll_into_view_if_needed()
        assert corner.evaluate(
            "one => { const box = one.getBoundingClientRect();"
            "return document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)"
            "=== one }"
        )


def test_labels_of_the_gallery_are_whole(watcher: Watcher, small: Path) -> None:
    watcher.put(small)
    watcher.one("#n input[type=number]").fill("8")
    watcher.one("#view").get_by_text("Single samples", exact=True).click()
    for _ in range(2):
        watcher.color()
    expect(watcher.one("#gallery button")).to_have_count(17)
    cut = watcher.one("#gallery span").evaluate_all(
        "all => all.filter(one => one.getBoundingClientRect().bottom >"
        "one.closest('.gallery').getBoundingClientRect().bottom)"
        ".map(one => one.innerText)"
    )
    assert not cut


def test_files_that_are_saved_again_are_of_the_photo_here(
    watcher: Watcher, small: Path, large: Path, tmp_path: Path
) -> None:
    watcher.put(small)
    watcher.color()
    watcher.saved("#download", tmp_path)
    watcher.expect_text("#file", "Save small_a.png again")
    watcher.put(large)
    expect(watcher.one("#file a:visible")).to_have_count(0)
    watcher.color()
    path = watcher.saved("#download", tmp_path)
    assert path.name == "large_a.png"
    expect(watcher.one("#file a:visible")).to_have_text(["Save large_a.png again"])
    watcher.one("#strip [data-act=look]").first.click()
    expect(watcher.one("#file a:visible")).to_have_text(["Save small_a.png again"])
    assert watcher.saved("#file a:visible", tmp_path).name == "small_a.png"


def test_all_pixels_are_seen(watcher: Watcher, large: Path) -> None:
    """At 100 % a pixel of the photo is one of the screen; keys, wheel and fingers zoom, too."""
    watcher.put(large)
    watcher.color()
    watcher.one("[data-zoom=pixels]").click()
    watcher.settle()
    assert watcher.box(".sheet")["width"] == pytest.approx(WIDTH, abs=2)
    sides = ".sheet img", "all => all.map(one => [one.naturalWidth, one.naturalHeight])"
    watcher.page.wait_for_function(
        f"[...document.querySelectorAll('.sheet img')].every(one => one.naturalWidth === {WIDTH})"
    )
    assert watcher.one(sides[0]).evaluate_all(sides[1]) == [[WIDTH, HEIGHT]] * 2
    assert watcher.width_of_content() <= watcher.page.viewport_size["width"]  # type: ignore[index]
    watcher.one(".pane").focus()
    for key, zooms in (("0", (1, 1)), ("+", (1.5, 1.5)), ("+", (2.25, 2.25)), ("-", (1.5, 1.5))):
        watcher.page.keyboard.press(key)
        assert zooms[0] == pytest.approx(watcher.zoom, rel=0.01)
    left = watcher.box(".sheet")["x"]
    watcher.page.keyboard.press("ArrowRight")
    watcher.page.wait_for_function(
        "left => document.querySelector('.sheet').getBoundingClientRect().left < left - 1", arg=left
    )
    watcher.page.keyboard.press("0")
    pane = watcher.box(".pane")
    at = pane["x"] + 0.25 * pane["width"], pane["y"] + 0.75 * pane["height"]
    if watcher.page.viewport_size["width"] < 600:  # type: ignore[index]
        spread_fingers(watcher, *at)
    else:
        watcher.page.mouse.move(*at)
        watcher.page.mouse.wheel(0, -400)
    watcher.page.wait_for_function(
        "document.querySelector('.sheet').clientWidth >"
        "1.5 * document.querySelector('.stage').clientWidth"
    )
    sheet = watcher.box(".sheet")
    assert (at[0] - sheet["x"]) / sheet["width"] == pytest.approx(0.25, abs=0.02)
    assert (at[1] - sheet["y"]) / sheet["height"] == pytest.approx(0.75, abs=0.02)
    before = watcher.seen
    watcher.one("#gallery button").nth(2).click()
    watcher.settle()
    assert watcher.seen == pytest.approx(before, abs=0.01), "other colors, the same place"


def spread_fingers(watcher: Watcher, x: float, y: float) -> None:
    """Put two fingers on a place, and double their distance."""
    session = watcher.page.context.new_cdp_session(watcher.page)

    def send(kind: str, apart: float) -> None:
        points = [{"x": x + to * apart, "y": y, "id": 1 + (to > 0)} for to in (-1, 1)]
        touches = [] if kind == "touchEnd" else points
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", 20)
    for apart in range(20, 44, 4):
        send("touchMove", apart)
    send("touchEnd", 0)


def test_what_a_point_would_color_is_outlined_under_the_pointer(
    watcher: Watcher, large: Path
) -> None:
    watcher.put(large)
    expect(watcher.one(".things")).to_have_count(0)
    watcher.open_tool("hints")
    paths = watcher.one(".things path")
    expect(paths.first).to_be_attached()
    watcher.settle()
    assert all(paths.locator("title").all_text_contents())
    if not watcher.page.evaluate("navigator.maxTouchPoints"):  # else no pointer is over anything
        sheet = watcher.box(".sheet")
        watcher.page.mouse.move(sheet["x"] + 0.3 * sheet["width"], sheet["y"] + 50)
        strokes = [one.evaluate("one => getComputedStyle(one).stroke") for one in paths.all()]
        assert strokes.count("rgb(255, 255, 255)") == 1
        assert set(strokes) <= {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    watcher.click_share(0.7, 0.3)
    watcher.settle()
    expect(watcher.one("#reach")).to_contain_text("The larger thing")
    expect(watcher.page.get_by_label("This thing")).to_be_checked()
    watcher.click_share(0.7, 0.3)
    expect(watcher.page.get_by_label("The larger thing")).to_be_checked()


_COLOR_AT = """([x, y]) => {
    const image = document.querySelector(".sheet > img");
    const [canvas, width, height] = [document.createElement("canvas"), 600, 400];
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, width, height);
    return [...context.getImageData(x * width, y * height, 1, 1).data].slice(0, 3);
}"""
"""Of the colored picture, whose sides are as those of `quarters`."""


def color_at(watcher: Watcher, x: float, y: float) -> np.ndarray:
    """sRGB, 0 to 255, at a place of the colored picture, in shares of its sides."""
    ready = "[...document.querySelectorAll('.sheet > img')].every(one => one.naturalWidth)"
    watcher.page.wait_for_function(ready)
    return np.array(watcher.page.evaluate(_COLOR_AT, [x, y]))


def expect_color(watcher: Watcher, x: float, y: float, color: np.ndarray, *, away: bool) -> None:
    """Wait until a place has a color, or is far from it: the picture of an answer loads late."""
    for _ in range(50):
        farthest = np.abs(color_at(watcher, x, y) - color).max()
        if farthest > 20 if away else farthest <= 2:
            return
        watcher.page.wait_for_timeout(200)
    raise AssertionError(f"{color_at(watcher, x, y)} at {x}, {y}, and {color} before")


def draw_line(watcher: Watcher, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw over the picture, in shares of its sides, and wait for the answer."""
    sheet = watcher.box(".sheet")
    places = [
        (sheet["x"] + x * sheet["width"], sheet["y"] + y * sheet["height"]) for x, y in (start, end)
    ]
    watcher.page.mouse.move(*places[0])
    watcher.page.mouse.down()
    watcher.page.mouse.move(*places[1], steps=4)
    watcher.page.mouse.up()
    watcher.settle()


def test_a_line_adds_to_what_a_point_colors_and_takes_from_it(
    watcher: Watcher, tmp_path: Path
) -> None:
    """Quarters of different tones are things; the line lies in one of them."""
    quarters = np.array([[90, 140], [190, 240]], np.uint8).repeat(200, 0).repeat(300, 1)
    Image.fromarray(quarters).save(tmp_path / "quarters.png")
    watcher.put(tmp_path / "quarters.png")
    watcher.open_tool("hints")
    expect(watcher.one("#brush")).to_be_hidden()
    watcher.click_share(0.2, 0.3)
    watcher.settle()
    watcher.one(".palette .swatch").last.click()
    expect_color(watcher, 0.2, 0.3, np.full(3, 90), away=True)
    line = (0.7, 0.2), (0.9, 0.3)
    plain, other = color_at(watcher, 0.8, 0.4), color_at(watcher, 0.8, 0.8)
    draw_line(watcher, *line)
    assert [act for act, _ in watcher.sent] == ["point"], "a line is no click"

    watcher.one("#brush").get_by_text("Adds to the thing").click()
    expect(watcher.one(".stage[data-draws]")).to_have_css("touch-action", "none")
    watcher.sent.clear()
    draw_line(watcher, *line)
    assert [act for act, _ in watcher.sent] == ["stroke"], "and no click"
    expect_color(watcher, 0.8, 0.4, plain, away=True)
    expect_color(watcher, 0.8, 0.8, other, away=False)
    watcher.expect_text("#points .points", "changed by lines")

    watcher.one("#brush").get_by_text("Takes from the thing").click()
    watcher.settle()
    draw_line(watcher, (0.6, 0.4), (0.7, 0.4))
    expect_color(watcher, 0.8, 0.4, plain, away=False)
    watcher.one("#undo-point").click()
    watcher.settle()
    expect_color(watcher, 0.8, 0.4, plain, away=True)
    watcher.one("#undo-point").click()
    watcher.settle()
    expect_color(watcher, 0.8, 0.4, plain, away=False)
    expect(watcher.one("#points .points")).not_to_contain_text("changed by lines")

    watcher.sent.clear()
    watcher.click_share(0.8, 0.8)
    watcher.settle()
    assert [act for act, _ in watcher.sent] == ["point"], "a click is one with any brush"
    draw_line(watcher, *line)
    watcher.expect_text("#status", "Click a thing and choose its color first")
    watcher.one("#brush").get_by_text("Moves the picture").click()
    expect(watcher.one(".stage[data-draws]")).to_have_count(0)
    watcher.settle()


def test_clicks_land_on_their_pixel_when_zoomed(watcher: Watcher, large: Path) -> None:
    """Points, places and corners; and a press that moves the picture is no click."""
    watcher.put(large)
    watcher.open_tool("hints")
    watcher.one("[data-zoom=in]").click(click_count=3)
    assert watcher.zoom == pytest.approx(1.5**3, rel=0.01)
    across, down = watcher.click_share(0.2, 0.3)
    watcher.settle()
    ((act, ((x, y),)),) = watcher.sent
    assert (act, x, y) == ("point", pytest.approx(across, abs=1e-3), pytest.approx(down, abs=1e-3))
    mark, sheet = watcher.box(".mark"), watcher.box(".sheet")
    middle = (mark["x"] + mark["width"] / 2 - sheet["x"]) / sheet["width"]
    assert middle == pytest.approx(across, abs=2e-3), "the mark is where the click was"
    pane = watcher.box(".pane")
    if not watcher.page.evaluate("navigator.maxTouchPoints"):
        watcher.page.mouse.move(pane["x"] + 100, pane["y"] + 100)
        watcher.page.mouse.down()
        watcher.page.mouse.move(pane["x"] + 160, pane["y"] + 130, steps=5)
        watcher.page.mouse.up()
        moved = watcher.box(".sheet")
        assert moved["x"] - sheet["x"] == pytest.approx(60, abs=2)
        assert moved["y"] - sheet["y"] == pytest.approx(30, abs=2)
        watcher.settle()
        assert len(watcher.sent) == 1

    watcher.open_tool("prepare")
    watcher.one("#prepare-views [data-index=frame]").click()
    watcher.settle()
    assert watcher.zoom > 3, "the same photo is seen as closely"
    across, down = watcher.click_share(0.5, 0.5)
    numbers = watcher.one("#stage input[type=number]").evaluate_all(
        "all => all.map(one => +one.value)"
    )
    assert any(
        (x, y) == (pytest.approx(WIDTH * across, abs=3), pytest.approx(HEIGHT * down, abs=3))
        for x, y in zip(numbers[::2], numbers[1::2], strict=True)
    )


def test_places_to_repair_land_on_their_pixel_when_zoomed(watcher: Watcher, tmp_path: Path) -> None:
    save_scan(tmp_path / "scan.jpg", 2.0)
    watcher.put(tmp_path / "scan.jpg")
    watcher.open_tool("prepare")
    watcher.one("#stage [data-act=cut]").click()
    watcher.settle()
    watcher.one("#repairs input").check()
    watcher.expect_text("#prepare-views", "of the photo is repaired")
    watcher.settle()
    watcher.one("[data-zoom=in]").click(click_count=3)
    watcher.sent.clear()
    across, down = watcher.click_share(0.3, 0.6)
    watcher.settle()
    ((act, ((x, y),)),) = watcher.sent
    size = watcher.one(".stage").evaluate(
        "one => [one.dataset.width, one.dataset.height].map(Number)"
    )
    assert act == "stroke"
    assert (x, y) == pytest.approx((across * size[0], down * size[1]), abs=1)


def test_a_reload_brings_the_desk_back(
    watcher: Watcher, browser: Browser, small: Path, gray: Path, tmp_path: Path
) -> None:
    """To the browser that had it, once; another tab has a desk of its own."""
    watcher.put(small, gray)
    watcher.color()
    watcher.saved("#download", tmp_path)
    watcher.one("#gallery button").nth(2).click()
    saturation = watcher.one("#saturation input[type=number]")
    saturation.fill("0.5")
    saturation.blur()
    watcher.settle()
    downloads: list[object] = []
    watcher.page.on("download", lambda one: downloads.append(one))
    watcher.page.on("dialog", lambda dialog: dialog.accept())
    watcher.shown_after(watcher.page.reload)
    expect(watcher.one("#strip [data-act=look]")).to_have_count(2)
    expect(watcher.one("#gallery button")).to_have_count(5)
    expect(watcher.one("#gallery button").nth(2)).to_have_attribute("aria-pressed", "true")
    expect(saturation).to_have_value("0.5")
    watcher.page.wait_for_function(
        "[...document.querySelectorAll('#desk img')]"
        ".every(one => one.loading === 'lazy' || one.naturalWidth)"
    )
    watcher.color()
    assert not downloads, "a file is saved once"
    other = Watcher(browser, watcher.server, tuple(watcher.page.viewport_size.values()))  # type: ignore
    expect(other.one(".samples button")).to_have_count(3)
    other.put(gray)
    other.shown_after(other.page.reload)
    expect(other.one("#strip [data-act=look]")).to_have_count(1)
    other.close()
    expect(watcher.one("#strip [data-act=look]")).to_have_count(2)
    watcher.one("#strip [data-act=look]").last.click()
    watcher.expect_text("#stage", gray.name)
