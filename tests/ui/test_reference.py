"""The tab of the reference, without a server and with a Colorizer that needs no weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.limits import LARGEST_SEED
from colorflow.photo import read_provenance
from colorflow.ui.opened import write
from colorflow.ui.reference import ReferenceTab
from colorflow.ui.reference_session import ReferenceSession
from tests.ui.fake_colorizer import AB, FakeColorizer
from tests.ui.handling import IMAGE_DESCRIPTION, SUBJECT, is_problem, pixels, text, value

BLUE = (60, 90, 200)


@pytest.fixture
def reference(colorizer: FakeColorizer, root: Path) -> ReferenceTab:
    with gr.Blocks(analytics_enabled=False):
        return ReferenceTab(colorizer, root, 200)


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    path = tmp_path / "sea.png"
    Image.new("RGB", (40, 30), BLUE).save(path)
    return path


def both(tab: ReferenceTab, photo: Path, other: Path) -> ReferenceSession:
    session: ReferenceSession = tab.open_photo(str(photo), None)[tab.session]
    tab.open_reference(str(other), session)
    return session


def mean_ab(path: str | Path) -> np.ndarray:
    lab = color.rgb2lab(pixels(path)[::4, ::4])
    return lab[(lab[..., 0] > 40) & (lab[..., 0] < 60)][:, 1:].mean(axis=0)


def test_the_button_waits_for_both_photos(reference: ReferenceTab, small: Path, blue: Path) -> None:
    updates = reference.open_photo(str(small), None)
    assert updates[reference.previews["photo"]]["visible"]
    assert not updates[reference.button]["interactive"]
    session = updates[reference.session]
    assert "Two photos are needed" in text(reference.carry(session, 0.5, 0), reference.status)
    updates = reference.open_reference(str(blue), session)
    assert updates[reference.previews["reference"]]["visible"]
    assert updates[reference.button]["interactive"]
    updates = reference.open_reference(None, session)
    assert not updates[reference.button]["interactive"]
    assert not updates[reference.previews["reference"]]["visible"]


def test_colors_go_as_far_as_the_strength_says(
    reference: ReferenceTab, gray: Path, blue: Path
) -> None:
    session = both(reference, gray, blue)
    own = np.array(AB[2])
    theirs = color.rgb2lab(np.array([[BLUE]]) / 255)[0, 0, 1:]
    for strength in (0, 0.5):
        updates = reference.carry(session, strength, 2)
        before, after = value(updates, reference.compare)
        assert np.abs(mean_ab(before)).max() < 1
        assert np.abs(mean_ab(after) - (own + strength * (theirs - own))).max() < 5
        assert updates[reference.results]["visible"]
        assert not updates[reference.download]["interactive"]
        assert text(updates, reference.status).startswith("Colored in ")


def test_the_download_has_full_size_and_metadata(
    reference: ReferenceTab, gray: Path, blue: Path
) -> None:
    session = both(reference, gray, blue)
    reference.carry(session, 0.5, 7)
    updates = reference.prepare_download(session)
    path = Path(value(updates, reference.download))
    assert path.name == "grandma (1931)_like_sea.jpg"
    assert updates[reference.download]["label"] == "Download, 1536 × 1024 pixels"
    with Image.open(path) as image:
        assert image.size == (1536, 1024)
        assert image.getexif()[IMAGE_DESCRIPTION] == SUBJECT
    provenance = read_provenance(path)
    assert provenance is not None
    assert (provenance.seed, provenance.model) == (7, "fake")
    reference.carry(session, 0.6, 7)
    assert not path.exists()


def test_a_gray_reference_is_told_at_once(
    reference: ReferenceTab, small: Path, gray: Path, root: Path
) -> None:
    session = reference.open_photo(str(small), None)[reference.session]
    made = set(root.rglob("*.png"))
    updates = reference.open_reference(str(gray), session)
    assert is_problem(updates, reference.about)
    assert text(updates, reference.about).startswith("grandma (1931).jpg: has no colors")
    assert not updates[reference.button]["interactive"]
    assert set(root.rglob("*.png")) == made


@pytest.mark.parametrize("seed", [None, -1, LARGEST_SEED + 1])
def test_a_seed_out_of_range_is_told(
    reference: ReferenceTab, small: Path, blue: Path, seed: int | None
) -> None:
    updates = reference.carry(both(reference, small, blue), 0.5, seed)
    assert text(updates, reference.status) == "Seed: a whole number from 0 to 4294967295."


def test_errors_are_sentences(
    reference: ReferenceTab, colorizer: FakeColorizer, root: Path, small: Path, blue: Path
) -> None:
    session = both(reference, small, blue)
    colorizer.error = MemoryError()
    assert "not enough memory" in text(reference.carry(session, 0.5, 0), reference.status)
    assert is_problem(reference.carry(None, 0.5, 0), reference.status)
    bad = root / "bad.jpg"
    bad.write_bytes(b"no picture")
    updates = reference.open_photo(str(bad), session)
    assert text(updates, reference.about).startswith("bad.jpg: ")
    assert not updates[reference.button]["interactive"]
    for nothing in (None, session):
        assert reference.prepare_download(nothing) == {reference.status: gr.skip()}


def test_another_photo_during_the_work_wins(
    reference: ReferenceTab, colorizer: FakeColorizer, small: Path, gray: Path, blue: Path
) -> None:
    session = both(reference, small, blue)
    draw = colorizer.draw

    def interrupted_draw(*arguments: Any, **options: Any) -> Any:
        session.open("photo", gray)
        return draw(*arguments, **options)

    colorizer.draw = interrupted_draw  # type: ignore[method-assign]
    assert reference.carry(session, 0.5, 0) == {reference.status: gr.skip()}
    assert session.result is None


def test_another_photo_at_the_last_moment_wins(
    reference: ReferenceTab, small: Path, gray: Path, blue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = both(reference, small, blue)

    def interrupted_write(*arguments: Any) -> Path:
        path = write(*arguments)
        session.open("photo", gray)
        return path

    monkeypatch.setattr("colorflow.ui.reference_session.write", interrupted_write)
    assert reference.carry(session, 0.5, 0) == {reference.status: gr.skip()}
    assert session.result is None


def test_another_photo_empties_the_result_and_closing_leaves_nothing(
    reference: ReferenceTab, root: Path, small: Path, blue: Path
) -> None:
    session = both(reference, small, blue)
    reference.carry(session, 0.5, 0)
    other = root / "other.png"
    Image.fromarray(data.camera()[::16, ::16]).save(other)
    updates = reference.open_photo(str(other), session)
    assert not updates[reference.results]["visible"]
    assert value(updates, reference.compare) is None
    reference.session.delete_callback(session)
    reference.session.delete_callback(None)
    assert set(root.rglob("*.png")) == {other}


def test_every_control_says_what_it_does(reference: ReferenceTab) -> None:
    for control in (reference.strength, reference.seed):
        assert control.label
        assert control.info
