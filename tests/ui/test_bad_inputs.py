"""The list of bad inputs without a server: each is a sentence that names the file, or works."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.limits import Limits, MemoryBudget, UploadSpace
from tests.ui.bad_inputs import BAD_INPUTS, MEGABYTES, MEGAPIXELS, BadInput
from tests.ui.fake_colorizer import FakeColorizer
from tests.ui.handling import drop, is_problem, text, value

LIMITS = Limits(megabytes=MEGABYTES, megapixels=MEGAPIXELS)


def test_the_list_is_long_enough_and_says_what_it_claims() -> None:
    assert len(BAD_INPUTS) >= 15
    assert len({bad.name for bad in BAD_INPUTS}) == len(BAD_INPUTS)
    heavy = [bad.name for bad in BAD_INPUTS if len(bad.content) > MEGABYTES * 1024**2]
    assert heavy == ["heavy.png"]


@pytest.fixture
def limited(colorizer: FakeColorizer, root: Path) -> ColorizeTab:
    with gr.Blocks(analytics_enabled=False):
        return ColorizeTab(
            colorizer, UploadSpace(root, LIMITS.megabytes, MemoryBudget(LIMITS.pixels))
        )


@pytest.mark.parametrize(
    "bad", [bad for bad in BAD_INPUTS if bad.says != "size"], ids=lambda bad: bad.label
)
def test_it_is_told_or_works(
    limited: ColorizeTab, bad: BadInput, tmp_path: Path, root: Path
) -> None:
    path = tmp_path / bad.name
    path.write_bytes(bad.content)
    updates = drop(limited, [path])
    said = text(updates, limited.about)
    assert is_problem(updates, limited.about) == (bad.says is not None)
    assert updates[limited.button]["interactive"] == (bad.says is None)
    assert (bad.says or "pixels.") in said
    if bad.says:
        assert said.startswith(f"{bad.name}: ")
        assert str(tmp_path) not in value(updates, limited.about)
        assert not list(root.glob("session-*/photo-*")), "what could not be read leaves nothing"
