"""How it works, as a visitor sees it in Chromium, against a server process."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from colorflow.ui.page import STEPS
from tests.ui.fake_colorizer import LEVELS
from tests.ui.page_process import Page
from tests.ui.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAST = len(LEVELS)
"""Step at which the picture is done."""


def expect_step(section: Locator, step: int, said: str) -> None:
    """One picture is seen, and the slider says the same."""
    shown = section.locator("figure:visible")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-frame", str(step))
    expect(shown.locator("figcaption")).to_contain_text(said)
    slider = section.locator("input[type=range]")
    expect(slider).to_have_value(str(step))
    assert said in str(slider.get_attribute("aria-valuetext"))


def test_step_by_step_played_and_with_other_noise(
    browser: Browser, server: Page, gray: Path
) -> None:
    """On a phone; who wants nothing to move has the slider alone."""
    visitor = Visitor(browser, server, 390, "dark")
    visitor.page.get_by_role("tab", name="How it works").click()
    expect(visitor.one("#how-walk figure")).to_have_count(STEPS)
    visitor.expect_text("#how-status", "This is an example")
    levels, walk = visitor.one("#how-levels"), visitor.one("#how-walk")
    expect(levels.locator("figure")).to_have_count(LAST + 1)
    expect_step(levels, 0, "Nothing is decided yet")
    slider = levels.get_by_label("Step")
    slider.press("ArrowRight")
    expect_step(levels, 1, "4 × 4")
    slider.press("End")
    expect_step(levels, LAST, f"{LEVELS[-1]} ×")

    slider.evaluate("one => { one.dataset.pace = 30; }")
    levels.get_by_role("button").click()  # from the end it starts anew
    expect(levels.get_by_role("button")).to_have_text("Play")
    expect_step(levels, LAST, f"{LEVELS[-1]} ×")
    slider.evaluate("one => { one.dataset.pace = 600000; }")
    levels.get_by_role("button").click()
    expect(levels.get_by_role("button")).to_have_text("Pause")
    expect_step(levels, 0, "Nothing is decided yet")
    slider.press("ArrowRight")
    expect(levels.get_by_role("button")).to_have_text("Play")

    expect_step(walk, 0, "of the way from seed 0 to seed 1")
    visitor.page.wait_for_function("[...document.images].every(one => one.alt !== '')")
    assert visitor.width_of_content() == 390
    visitor.page.emulate_media(reduced_motion="reduce")
    expect(levels.locator("button")).to_be_hidden()

    visitor.one("#how-other").click()
    visitor.expect_text("#how-status", "that of seed 1")
    walk.get_by_label("Way").press("End")
    expect_step(walk, STEPS - 1, "100% of the way from seed 1 to seed 2.")
    visitor.page.get_by_role("tab", name="Colorize").click()
    visitor.put(gray)
    visitor.page.get_by_role("tab", name="How it works").click()
    visitor.expect_text("#how-status", "This is your photo")
    visitor.close()
