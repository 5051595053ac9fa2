"""The tab that shows how it works, without a server and with a Colorizer that needs no weights."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color

from colorflow.errors import WeightsError
from colorflow.ui import page as page_module
from colorflow.ui.colorize import Desks
from colorflow.ui.limits import UploadSpace
from colorflow.ui.page import STEPS, HowTab, noise_picture
from colorflow.ui.render import Updates
from colorflow.ui.work import DeskWorker
from tests.ui.fake_colorizer import AB, LEVELS, FakeColorizer
from tests.ui.handling import is_problem, text, value

SIDE = 150
"""Longest side of the pictures of the photo, in pixels."""


@pytest.fixture
def how(worker: DeskWorker, root: Path, monkeypatch: pytest.MonkeyPatch) -> HowTab:
    monkeypatch.setattr(page_module, "SIDE", SIDE)
    with gr.Blocks(analytics_enabled=False):
        return HowTab(worker, Desks(UploadSpace(root)), gr.Tab())


def pictures(updates: Updates, part: gr.HTML, kind: str = "how-large") -> list[np.ndarray]:
    found = re.findall(rf'class="{kind}" src="data:image/\w+;base64,([^"]*)"', value(updates, part))
    return [np.asarray(Image.open(BytesIO(base64.b64decode(one)))) for one in found]


def captions(updates: Updates, part: gr.HTML) -> list[str]:
    return re.findall("<figcaption>(.*?)</figcaption>", value(updates, part))


def mean_ab(picture: np.ndarray) -> np.ndarray:
    lab = color.rgb2lab(picture)
    return lab[(lab[..., 0] > 40) & (lab[..., 0] < 60)][:, 1:].mean(axis=0)


def test_there_is_a_picture_a_level_and_noise_with_each(how: HowTab, gray: Path) -> None:
    updates = how.show(gray, 1)
    large = pictures(updates, how.levels)
    assert [one.shape for one in large] == [(100, SIDE, 3)] * (len(LEVELS) + 1)
    assert np.ptp(large[0].astype(int), axis=2).max() == 0, "the first one is gray"
    for number, picture in enumerate(large[1:], 1):
        expected = np.array(AB[1]) * number / len(LEVELS)
        assert np.abs(mean_ab(picture) - expected).max() < 4
    noise = pictures(updates, how.levels, "how-small")
    assert [one.ndim for one in noise] == [2] * len(LEVELS)
    said = captions(updates, how.levels)
    assert len(said) == len(LEVELS) + 1
    for one, side in zip(said[1:], LEVELS, strict=True):
        assert f"{side} × {side}" in one
    assert updates[how.shown] == (gray, 1)
    assert "your photo" in text(updates, how.status)


def test_a_walk_leads_from_a_seed_to_the_next(how: HowTab, gray: Path) -> None:
    updates = how.show(gray, 1)
    way = [mean_ab(one) for one in pictures(updates, how.walk)]
    assert len(way) == STEPS
    ends = [np.array(AB[seed % len(AB)]) for seed in (1, 2)]
    for step, found in enumerate(way):
        share = step / (STEPS - 1)
        assert np.abs(found - (ends[0] * (1 - share) + ends[1] * share)).max() < 6
    said = captions(updates, how.walk)
    assert (said[0], said[-1]) == (
        "0% of the way from seed 1 to seed 2.",
        "100% of the way from seed 1 to seed 2.",
    )


def test_noise_is_gray_around_zero_and_each_channel_is_a_square() -> None:
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((6, 5, 5)).astype(np.float32)
    picture = noise_picture(latents)
    assert picture.shape == (10, 15)
    assert np.array_equal(picture[5:, 10:], np.rint(128 + 42 * latents[5]).clip(0, 255))
    assert (noise_picture(np.zeros((2, 3, 3), np.float32)) == 128).all()


def test_problems_are_sentences(how: HowTab, colorizer: FakeColorizer, gray: Path) -> None:
    assert is_problem(how.show(gray.with_name("missing.jpg"), 0), how.status)
    colorizer.error = WeightsError("weights.safetensors: has no walk")
    updates = how.show(gray, 0)
    assert is_problem(updates, how.status)
    assert "has no walk" in text(updates, how.status)
    assert how.shown not in updates
