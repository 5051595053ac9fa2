"""The size of the chosen coloring: pieces of its detail, the download, and what is refused."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge.enlarger import Enlarger
from colorflow.photo import read_photo, read_statements
from colorflow.ui.colorings import PhotoSession
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.enlarge import AS_IT_IS, DRAWS, EnlargePane
from colorflow.ui.limits import MemoryBudget, UploadSpace
from colorflow.ui.status import Updates
from tests.small_weights import save_small_enlarge_weights
from tests.ui.fake_colorizer import FakeColorizer
from tests.ui.handling import click, colorize, everything, is_problem, opened, pixels, text, value


@pytest.fixture(scope="module")
def enlarger(tmp_path_factory: pytest.TempPathFactory) -> Enlarger:
    path = tmp_path_factory.mktemp("weights") / "enlarge.safetensors"
    return Enlarger.load(save_small_enlarge_weights(path))


@pytest.fixture
def tab(colorizer: FakeColorizer, root: Path, enlarger: Enlarger) -> ColorizeTab:
    with gr.Blocks(analytics_enabled=False):
        return ColorizeTab(colorizer, UploadSpace(root, budget=MemoryBudget(2_000_000)), enlarger)


@pytest.fixture
def pane(tab: ColorizeTab) -> EnlargePane:
    return tab.larger


@pytest.fixture
def session(tab: ColorizeTab, small: Path) -> PhotoSession:
    """A visitor with two colorings of a photo of 64 x 64 pixels."""
    session = opened(tab, small)
    colorize(tab, session)
    return session


def pieces(updates: Updates, pane: EnlargePane) -> list[np.ndarray]:
    return [pixels(path) for path, _ in value(updates, pane.samples)]


def test_without_an_enlarger_there_is_no_choice(colorizer: FakeColorizer, root: Path) -> None:
    with gr.Blocks(analytics_enabled=False):
        tab = ColorizeTab(colorizer, UploadSpace(root))
    assert not tab.larger.size.visible


@pytest.mark.parametrize(("size", "scale"), [("×2", 2), ("×4", 4)])
def test_pieces_are_those_of_the_result(
    pane: EnlargePane, session: PhotoSession, small: Path, size: str, scale: int
) -> None:
    shown = everything(pane.show(session, size, False, -3, 5000))
    before, *samples = pieces(shown, pane)
    assert len(samples) == len(DRAWS)
    side = min(64, 320 // scale)
    assert before.shape == (scale * side, scale * side, 3)
    assert f"{64 * scale} × {64 * scale} pixels" in text(shown, pane.status)
    made = everything(pane.enlarge(session, size, False, 1, "PNG"))
    path = Path(value(made, pane.download))
    large = read_photo(path)
    assert (large.width, large.height) == (64 * scale, 64 * scale)
    corner = large.pixels[-scale * side :, : scale * side].astype(int)
    assert np.abs(corner - samples[1]).mean() < 3
    assert np.abs(corner - samples[0]).mean() > np.abs(corner - samples[1]).mean()
    reduced = lightness_of(large.pixels).reshape(64, scale, 64, scale).mean((1, 3))
    assert np.abs(reduced - lightness_of(read_photo(small).pixels)).max() < 1
    said = read_statements(path)
    assert said.colors
    assert said.detail
    assert (said.detail.scale, said.detail.seed) == (scale, 1)


def test_an_old_photo_is_cleared_up(
    pane: EnlargePane, session: PhotoSession, enlarger: Enlarger
) -> None:
    shown = everything(pane.show(session, "×2", True, None, None))
    _, mean, *_ = pieces(shown, pane)
    path = Path(value(everything(pane.enlarge(session, "×2", True, 0, "PNG")), pane.download))
    assert path.name.endswith("_x2_restored_mean.png")
    large = read_photo(path)
    assert np.abs(large.pixels.astype(int) - mean).mean() < 3
    plain = Path(value(everything(pane.enlarge(session, "×2", False, 0, "PNG")), pane.download))
    assert not np.array_equal(read_photo(plain).pixels, large.pixels)
    for one, restored in ((path, True), (plain, False)):
        detail = read_statements(one).detail
        assert detail
        assert detail.restored is restored


def test_weights_that_cannot_clear_up_offer_none(
    colorizer: FakeColorizer, root: Path, monkeypatch: pytest.MonkeyPatch, enlarger: Enlarger
) -> None:
    monkeypatch.setattr(Enlarger, "can_restore", False)
    with gr.Blocks(analytics_enabled=False):
        tab = ColorizeTab(colorizer, UploadSpace(root), enlarger)
    assert tab.larger.size.visible
    assert not tab.larger.restore.visible


def test_a_click_on_the_picture_shows_that_spot(
    tab: ColorizeTab, pane: EnlargePane, gray: Path
) -> None:
    session = opened(tab, gray)
    with Image.open(session.require().photo.preview) as preview:
        width, height = preview.size
    event = SimpleNamespace(index=[width // 4, height - 1])
    spot = pane.point_at(session, event)  # type: ignore[arg-type]
    assert spot == pytest.approx((384, 1024), abs=2)


def test_a_detail_is_chosen_and_the_file_before_goes(
    pane: EnlargePane, session: PhotoSession
) -> None:
    for index, number in ((0, 0), (1, 0), (3, 2)):
        chosen = pane.choose(session, SimpleNamespace(index=index))  # type: ignore[arg-type]
        assert chosen[pane.number] == number
        assert chosen[pane.download]["visible"] is False


@pytest.mark.parametrize("other", ["detail", "format", "coloring", "spot"])
def test_another_choice_ends_the_job(
    tab: ColorizeTab,
    pane: EnlargePane,
    session: PhotoSession,
    monkeypatch: pytest.MonkeyPatch,
    other: str,
) -> None:
    """It would bring the file of the choice before."""
    monkeypatch.setattr("colorflow.enlarge.enlarger.TILE", 16)
    steps = pane.enlarge(session, "×2", False, 0, "PNG")
    next(steps), next(steps)
    rest: list[Updates] = []
    # The job ends when it is asked for more, as Gradio does meanwhile.
    going_on = threading.Thread(target=lambda: rest.extend(steps))
    going_on.start()
    if other == "detail":
        after = pane.choose(session, SimpleNamespace(index=2))  # type: ignore[arg-type]
    elif other == "format":
        after = pane.stopped(session)
    elif other == "coloring":
        after = click(tab, session, 1)
    else:
        after = next(pane.show(session, "×2", False, None, None))
    going_on.join()
    assert after[pane.cancel]["visible"] is False
    assert all(pane.download not in updates for updates in rest)
    assert not list(session.require().require_chosen().folder.glob("*_x2_*"))


def test_a_full_disk_is_told(
    pane: EnlargePane, session: PhotoSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("colorflow.files.os.fsync", full)
    updates = everything(pane.enlarge(session, "×2", False, 0, "PNG"))
    assert is_problem(updates, pane.status)
    assert "No space left" in text(updates, pane.status)
    assert updates[pane.cancel]["visible"] is False
    assert not list(session.require().require_chosen().folder.glob("*_x2_*"))


def test_another_coloring_starts_anew(
    tab: ColorizeTab, pane: EnlargePane, session: PhotoSession
) -> None:
    everything(pane.show(session, "×2", False, None, None))
    chosen = click(tab, session, 1)
    assert chosen[pane.size] == AS_IT_IS
    assert chosen[pane.column]["visible"] is False
    assert everything(pane.show(session, AS_IT_IS, False, None, None))[pane.samples] is None


def test_a_result_beyond_the_limit_is_refused(
    tab: ColorizeTab, pane: EnlargePane, tmp_path: Path
) -> None:
    path = tmp_path / "wide.png"
    Image.new("L", (900, 900)).save(path)
    session = opened(tab, path)
    colorize(tab, session)
    for updates in (
        everything(pane.show(session, "×2", False, None, None)),
        everything(pane.enlarge(session, "×2", False, 0, "JPEG")),
    ):
        assert is_problem(updates, pane.status)
        assert text(updates, pane.status) == (
            "The result would have 3 megapixels; this page makes at most 2. Choose a smaller size."
        )


def test_cancel_ends_it_and_leaves_no_file(
    pane: EnlargePane, session: PhotoSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorflow.enlarge.enlarger.TILE", 16)
    steps = pane.enlarge(session, "×2", False, 0, "PNG")
    first, second = next(steps), next(steps)
    assert first[pane.cancel]["visible"] is True
    assert "6 % of the picture" in text(second, pane.status)
    session.cancel()
    last = everything(steps)
    assert "Cancelled" in text(last, pane.status)
    assert last[pane.cancel]["visible"] is False
    folder = session.require().require_chosen().folder
    assert not list(folder.glob("*_x2_*"))
