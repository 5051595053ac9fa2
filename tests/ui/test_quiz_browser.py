"""The quiz as players see it, in Chromium, against a server process; and players who cheat."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from benchmarks.page_pictures import loaded
from colorflow.quiz.trials import MARGIN, MIN_PICTURES
from tests.quiz.album import save_album, stored_answers
from tests.ui.page_process import Page, running_page
from tests.ui.visitor import Visitor

TRIALS = 5
_BOXES = """
all => all.map(one => one.getBoundingClientRect()).map(box => [box.x, box.y, box.width, box.height])
"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("quiz")
    save_album(folder / "album", 20)
    arguments = ("--photos", folder / "album", "--quiz-db", folder / "quiz.sqlite")
    (folder / "temporary").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIZ_TRIALS", str(TRIALS))
        with running_page(folder / "temporary", *arguments) as page:
            yield page


class Player(Visitor):
    """A browser window on the quiz; remembers what it has asked of the server."""

    def __init__(self, browser: Browser, server: Page, *window: Any) -> None:
        super().__init__(browser, server, *window)
        files = (server.temporary.parent / "album").iterdir()
        self.album = [np.asarray(Image.open(path), np.float32) for path in files]
        self.page.get_by_role("tab", name="Quiz").click()

    def next(self) -> None:
        self.one("#quiz-stage button[data-next]").click()
        expect(self.one("#quiz-stage [data-token]")).to_be_focused()  # keys count from now on

    def pictures(self) -> list[np.ndarray]:
        """Pixels of the pictures of the round, in their order."""
        images = self.one("#quiz-stage [data-token] img")
        expect(images.first).to_be_visible()
        k = images.count()
        address = images.first.evaluate("one => one.src")
        sheet = np.asarray(
            Image.open(BytesIO(self.page.request.get(address, max_retries=2).body()))
        )
        step = sheet.shape[0] // k
        pictures = [sheet[i * step + MARGIN : (i + 1) * step - MARGIN] for i in range(k)]
        return [picture.astype(np.float32) for picture in pictures]

    def truth(self) -> int:
        """Only whoever has the photos knows it: the picture that is closest to a part of one."""
        distances = [
            min(cv2.matchTemplate(photo, picture, cv2.TM_SQDIFF).min() for photo in self.album)
            for picture in self.pictures()
        ]
        return int(np.argmin(distances))

    def boxes(self) -> list[list[float]]:
        """Left, top, width and height of each picture in the window."""
        images = self.one("#quiz-stage img")
        expect(images.first).to_be_visible()
        boxes: list[list[float]] = images.evaluate_all(_BOXES)
        return boxes

    def choose(self, index: int) -> None:
        self.one(f"#quiz-stage button[data-choice='{index}']").click()

    def verdict(self) -> str:
        expect(self.one("#quiz-stage figure").first).to_be_visible()
        self.expect_text("#quiz-status", "it is picture")
        return self.one("#quiz-status").inner_text()


def rows(server: Page) -> list[dict[str, object]]:
    return stored_answers(server.temporary.parent / "quiz.sqlite")


def test_rounds_with_the_score_right(browser: Browser, server: Page) -> None:
    before = len(rows(server))
    player = Player(browser, server, 390, "dark")
    for number in (1, 2):
        player.next()
        expect(player.one("#quiz-stage button[data-choice]")).to_have_count(3)
        player.page.wait_for_function("[...document.images].every(one => one.alt !== '')")
        assert player.width_of_content() == 390
        truth = player.truth()
        letter = "ABC"[truth]
        if number == 1:
            player.choose((truth + 1) % 3)
            assert player.verdict() == f"No, it is picture {letter}."
        else:
            player.page.keyboard.press(letter.lower())
            assert player.verdict() == f"Right, it is picture {letter}."
        player.expect_text("#quiz-score", f"{number - 1} of {number} right")
        expect(player.one("#quiz-stage figure.true img")).to_have_attribute(
            "alt", f"Picture {letter}, the photo as it was taken"
        )
        expect(player.one("#quiz-stage button[data-next]")).to_be_focused()
    new = rows(server)[before:]
    assert [row["chosen"] == row["truth"] for row in new] == [False, True]
    assert len({row["player"] for row in new}) == 1

    player.one("#quiz-results-part > button").click()
    own = r"\s*1 of 2 \(50 %\)\s*9 to 91 %\s*67 %" if not before else ""
    expect(player.one("#quiz-results tbody tr").first).to_have_text(re.compile(rf"3\s*You{own}"))
    assert player.width_of_content() == 390
    player.close()


def test_pictures_fill_the_window_and_stay_as_they_are_in_the_reveal(
    browser: Browser, server: Page
) -> None:
    player = Player(browser, server)
    for k, width in ((2, 1280), (5, 1280), (3, 390), (5, 390)):
        player.page.set_viewport_size({"width": width, "height": 844})
        player.one("#quiz-k label").nth(k - MIN_PICTURES).click()
        player.next()
        boxes, window = player.boxes(), (width, 844)
        assert len(boxes) == k
        for axis in (0, 1):
            assert all(
                box[axis] >= 0 and box[axis] + box[axis + 2] <= window[axis] for box in boxes
            )
        filled = [
            max(box[axis] + box[axis + 2] for box in boxes) - min(box[axis] for box in boxes)
            for axis in (0, 1)
        ]
        assert filled[0] > 0.85 * (width - 64) or filled[1] > 0.6 * 844, (k, boxes)
        player.choose(0)
        player.verdict()
        assert np.abs(np.subtract(player.boxes(), boxes)).max() <= 1, (k, boxes)
        assert player.width_of_content() == width
    player.close()


_HELD = """
const ask = fetch;
window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (!String(asked[0]?.url ?? asked[0]).includes("/queue/data")) return answer;
    const late = new TransformStream({
        async transform(part, to) {
            window.ending ||= new TextDecoder().decode(part).includes("close_stream");
            while (window.ending && !window.released) await new Promise((on) => setTimeout(on, 50));
            to.enqueue(part);
        },
    });
    return new Response(answer.body.pipeThrough(late), answer);
};
"""


def test_an_answer_comes_that_was_promised_as_the_stream_ended(
    browser: Browser, server: Page
) -> None:
    """The promise overtakes the word that the stream ends: Gradio's own script never reads it."""
    page = browser.new_page()
    page.add_init_script(_HELD)
    page.goto(server.address)
    page.get_by_role("tab", name="Quiz").click()
    page.wait_for_function("window.ending")
    with page.expect_response(lambda one: "/queue/join" in one.url):
        page.locator("#quiz-stage button[data-next]").click()
    page.evaluate("window.released = true")
    expect(page.locator("#quiz-stage [data-token]")).to_be_visible()
    page.close()


def test_nothing_that_is_sent_tells(browser: Browser, server: Page) -> None:
    """Everything that came before the answer, the page's configuration among it."""
    player = Player(browser, server)
    player.next()
    truth = player.truth()
    photos = {path.stem for path in (server.temporary.parent / "album").iterdir()}
    sheet = player.one("#quiz-stage img").first.get_attribute("src")
    assert sheet is not None
    folder, name = unquote(sheet.removeprefix("gradio_api/file=")).rsplit("/", 1)
    assert re.fullmatch(r"[0-9a-f]{32}\.png", name)
    assert not photos & set(folder.split("/"))
    assert [one.name for one in Path(folder).glob("*")] == [name], "one file, and no other to ask"

    config = player.page.request.get(f"{server.address}config", max_retries=2).text()
    info = player.page.request.get(f"{server.address}gradio_api/info", max_retries=2).json()
    assert not [name for name in info["named_endpoints"] if "quiz" in name]
    assert info["unnamed_endpoints"] == {}
    token = player.one("#quiz-stage [data-token]").get_attribute("data-token")
    assert token
    assert token not in config
    answer = player.page.request.get(f"{server.address}{sheet}", max_retries=2)
    assert not {"set-cookie", "x-seed"} & set(answer.headers)

    player.choose(truth)
    player.verdict()
    (row,) = [row for row in rows(server) if row["truth"] == truth][-1:]
    sent = config + json.dumps(info) + json.dumps(answer.headers)
    for secret in (str(row["seed"]), str(row["picture"]), str(row["player"])):
        assert secret not in sent
    player.close()


def test_a_test_goes_on_until_its_end(browser: Browser, server: Page) -> None:
    player = Player(browser, server, 390)
    player.page.locator("#quiz-mode label").nth(1).click()
    player.expect_text("#quiz-stage", f"{TRIALS} times two pictures")
    player.next()
    for number in range(1, TRIALS + 1):
        player.expect_text("#quiz-status", f"{number} of {TRIALS}: which one is the photo?")
        expect(player.one("#quiz-stage button[data-choice]")).to_have_count(2)
        expect(player.one("#quiz-stage [data-token]")).to_be_focused()
        for picture in player.one("#quiz-stage [data-token] img").all():
            loaded(picture)  # whoever answers sees both; with the answer their files go
        assert player.width_of_content() == 390
        player.page.keyboard.press("a")
    player.expect_text("#quiz-stage", f"of {TRIALS} trials you took the computer's colors")
    player.expect_text("#quiz-score", f"of {TRIALS} right; guessing gives 2.5.")
    assert {row["mode"] for row in rows(server)[-TRIALS:]} == {"test"}
    player.close()


def test_visitors_are_told_apart_by_their_address(browser: Browser, server: Page) -> None:
    """A proxy of this machine says it."""
    names = []
    player = Player(browser, server)
    for address in ("203.0.113.1", "203.0.113.2", "203.0.113.1"):
        player.page.set_extra_http_headers({"X-Forwarded-For": address})
        player.page.reload()
        player.page.get_by_role("tab", name="Quiz").click()
        player.next()
        player.choose(0)
        player.verdict()
        names.append(rows(server)[-1]["player"])
    player.close()
    assert names[0] == names[2] != names[1]
