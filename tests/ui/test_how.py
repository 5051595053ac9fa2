"""The tab that shows how it works, without a server and with a Colorizer that needs no weights."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color

from colorflow.errors import WeightsError
from colorflow.limits import LARGEST_SEED
from colorflow.ui import flow_pictures
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.flow_pictures import STEPS, TEMPERATURES, Shown, noise_picture, player
from colorflow.ui.how import HowTab
from colorflow.ui.limits import UploadSpace
from colorflow.ui.session import Session
from colorflow.ui.status import Updates
from tests.ui.fake_colorizer import AB, LEVELS, FakeColorizer
from tests.ui.handling import (
    click,
    colorize,
    everything,
    is_problem,
    new,
    opened,
    pixels,
    text,
    value,
)

SIDE = 150
"""Longest side of the large pictures here, in pixels."""


@pytest.fixture
def how(colorizer: FakeColorizer, root: Path, monkeypatch: pytest.MonkeyPatch) -> HowTab:
    monkeypatch.setattr(flow_pictures, "SIDE", SIDE)
    with gr.Blocks(analytics_enabled=False):
        return HowTab(colorizer, UploadSpace(root))


def show(
    how: HowTab, photos: Session[ColoredPhoto] | None = None, seed: int = 0, other: int = 1
) -> Updates:
    """Show the pictures to a visitor who has just come."""
    session = new(how.session)
    return everything(how.show(photos or new(how.session), session, seed, other))


def pictures(updates: Updates, part: gr.HTML, kind: str = "how-large") -> list[Path]:
    found = re.findall(rf'class="{kind}" src="gradio_api/file=([^"]*)"', value(updates, part))
    return [Path(unquote(one)) for one in found]


def mean_ab(path: Path) -> np.ndarray:
    lab = color.rgb2lab(pixels(path))
    return lab[(lab[..., 0] > 40) & (lab[..., 0] < 60)][:, 1:].mean(axis=0)


def frames(updates: Updates, part: gr.HTML) -> list[str]:
    return re.findall(r"<figure.*?</figure>", value(updates, part))


def test_there_is_a_picture_a_level_and_noise_and_sentence_with_each(
    how: HowTab, tab: ColorizeTab, gray: Path
) -> None:
    updates = show(how, opened(tab, gray), seed=1)
    large = pictures(updates, how.levels)
    assert len(large) == len(LEVELS) + 2
    assert [pixels(one).shape for one in large] == [(100, SIDE, 3)] * len(large)
    assert np.ptp(pixels(large[0]).astype(int), axis=2).max() == 0, "the first one is gray"
    for number, path in enumerate(large[1:-1], 1):
        expected = np.array(AB[1]) * number / len(LEVELS)
        assert np.abs(mean_ab(path) - expected).max() < 3, "what the levels so far determine"
    assert np.abs(mean_ab(large[-1]) - AB[1]).max() < 3, "the finished photo"
    every = frames(updates, how.levels)
    assert [" hidden" in one for one in every] == [False] + [True] * (len(every) - 1)
    for number, side in enumerate(LEVELS, 1):
        assert f"{side} × {side}" in every[number]
        assert re.search(r"<figcaption>[A-Z][^<]*\.</figcaption>", every[number])
    smalls = pictures(updates, how.levels, "how-small")
    assert len(smalls) == len(LEVELS) + 2 * len(LEVELS) + 2
    assert f'max="{len(every) - 1}"' in value(updates, how.levels)


def test_a_sheet_of_noise_has_all_its_channels() -> None:
    latents = np.zeros((6, 4, 4), np.float32)
    for channel in range(6):
        latents[channel, 1, 2] = -3 + channel
    sheet = noise_picture(latents)
    assert sheet.shape == (8, 12, 3)
    for channel in range(6):
        row, column = divmod(channel, 3)
        assert sheet[4 * row + 1, 4 * column + 2, 0] == 128 + 42 * (channel - 3)
    assert (sheet == 128).sum() == 3 * (96 - 5), "the one at 0 is gray, too"


def test_temperatures_and_the_walk(
    how: HowTab, tab: ColorizeTab, colorizer: FakeColorizer, small: Path
) -> None:
    updates = show(how, opened(tab, small), seed=2, other=3)
    asked = [1.0, *TEMPERATURES]  # first the finished photo
    assert colorizer.calls == [(1, temperature, 2, True) for temperature in asked]
    assert len(pictures(updates, how.temperatures, "how-small")) == len(TEMPERATURES)
    way = pictures(updates, how.walk)
    assert len(way) == STEPS
    shares = np.linspace(0, 1, STEPS)[:, None]
    expected = (1 - shares) * np.array(AB[2]) + shares * np.array(AB[3])
    assert np.abs(np.array([mean_ab(one) for one in way]) - expected).max() < 4
    every = frames(updates, how.walk)
    assert "Seed 2." in every[0]
    assert "50 % of the way from seed 2 to seed 3." in every[STEPS // 2]
    assert "Seed 3." in every[-1]


def test_the_sections_come_one_after_the_other(how: HowTab) -> None:
    steps = list(how.show(new(how.session), new(how.session), 0, 1))
    assert text(steps[0], how.status) == "Looking into the flow ..."
    for part, step in zip((how.levels, how.temperatures, how.walk), steps[1:], strict=False):
        assert "<img" in value(step, part)
    assert steps[1][how.column]["visible"]


def test_without_a_photo_an_example_is_shown(how: HowTab) -> None:
    updates = show(how)
    assert text(updates, how.status).startswith("This is an example")
    assert len(pictures(updates, how.levels)) == len(LEVELS) + 2


def test_the_visitor_s_photo_and_chosen_seed_are_taken(
    how: HowTab, tab: ColorizeTab, gray: Path
) -> None:
    photos = opened(tab, gray)
    colorize(tab, photos, n=4, seed=5, samples=True)
    click(tab, photos, 2)
    updates = everything(how.arrive(photos, new(how.session)))
    assert (value(updates, how.seed), value(updates, how.other)) == (7, 8)
    assert "that you look at in Colorize" in text(updates, how.status)
    assert "Seed 7." in frames(updates, how.walk)[0]
    session = updates[how.session]
    assert list(how.arrive(photos, session)) == [{how.status: gr.skip()}], "it is shown already"
    click(tab, photos, 0)
    assert value(everything(how.arrive(photos, session)), how.seed) == 5


@pytest.mark.parametrize(("seed", "other"), [(None, 1), (0, LARGEST_SEED + 1)])
def test_seeds_out_of_range_are_told(how: HowTab, seed: int | None, other: int | None) -> None:
    updates = show(how, seed=seed, other=other)
    assert set(updates) == {how.session, how.status}
    assert is_problem(updates, how.status)


@pytest.mark.parametrize(
    ("error", "words"),
    [(WeightsError("w: does not fit"), "w: does not fit"), (MemoryError(), "not enough memory")],
)
def test_errors_are_told(
    how: HowTab, colorizer: FakeColorizer, error: BaseException, words: str
) -> None:
    colorizer.error = error
    updates = show(how)
    assert is_problem(updates, how.status)
    assert words in text(updates, how.status)
    session = updates[how.session]
    colorizer.error = None
    assert not is_problem(everything(how.arrive(new(how.session), session)), how.status)


def test_a_photo_that_has_gone_is_told(how: HowTab, tab: ColorizeTab, small: Path) -> None:
    photos = opened(tab, small)
    photos.current.photo.path.unlink()
    assert "small.png: there is no such file" in text(show(how, photos), how.status)


def test_a_visitor_who_leaves_leaves_nothing(how: HowTab, root: Path) -> None:
    session = new(how.session)
    run = how.show(new(how.session), session, 0, 1)
    next(run)
    next(run)
    how.session.delete_callback(session)
    assert list(run) == [{how.status: gr.skip()}]
    assert not any(root.rglob("*.jpg"))


def test_new_pictures_replace_the_ones_before(how: HowTab, root: Path) -> None:
    none, session = new(how.session), new(how.session)
    first = everything(how.show(none, session, 0, 1))
    second = everything(how.show(none, session, 3, 4))
    assert all(one.exists() for one in pictures(first, how.levels)), "a browser may still load them"
    third = everything(how.show(none, session, 5, 6))
    assert not any(one.exists() for one in pictures(first, how.levels))
    for updates in (second, third):
        assert all(one.exists() for one in pictures(updates, how.walk))


def test_sentences_are_never_markup(tmp_path: Path) -> None:
    frame = Shown(tmp_path / '"><i>.png', '"<b>', "<script>")
    made = player([frame, frame], label="<u>", ratio=1.5, pace=100)
    assert not re.search("<(i|b|script|u)>", made)


def test_transparency_and_tiny_photos(how: HowTab, tab: ColorizeTab, tmp_path: Path) -> None:
    Image.new("LA", (1, 3), (120, 50)).save(tmp_path / "dot.png")
    updates = show(how, opened(tab, tmp_path / "dot.png"))
    assert pixels(pictures(updates, how.walk)[0]).shape == (3, 1, 4)
