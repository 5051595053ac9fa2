"""The tab of the reference, without a server and with a Colorizer that needs no weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorflow.photo import read_provenance
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.limits import MemoryBudget, UploadSpace
from colorflow.ui.photos import write_colored
from colorflow.ui.reference import ReferenceTab
from colorflow.ui.session import Session
from tests.ui.fake_colorizer import AB, FakeColorizer
from tests.ui.handling import (
    IMAGE_DESCRIPTION,
    SUBJECT,
    compared,
    is_problem,
    new,
    pixels,
    text,
    value,
)

BLUE = (60, 90, 200)


@pytest.fixture
def reference(colorizer: FakeColorizer, root: Path) -> ReferenceTab:
    with gr.Blocks(analytics_enabled=False):
        return ReferenceTab(colorizer, UploadSpace(root))


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    path = tmp_path / "sea.png"
    Image.new("RGB", (40, 30), BLUE).save(path)
    return path


Sessions = tuple[Any]


def nothing(tab: ReferenceTab) -> Sessions:
    """The session of a visitor who has just come."""
    return (new(tab.session),)


def both(tab: ReferenceTab, photo: Path, other: Path) -> Sessions:
    sessions = nothing(tab)
    tab.open_photo(str(photo), *sessions)
    tab.open_reference(str(other), *sessions)
    return sessions


def mean_ab(path: str | Path) -> np.ndarray:
    lab = color.rgb2lab(pixels(path)[::4, ::4])
    return lab[(lab[..., 0] > 40) & (lab[..., 0] < 60)][:, 1:].mean(axis=0)


def test_the_button_waits_for_both_photos(reference: ReferenceTab, small: Path, blue: Path) -> None:
    sessions = nothing(reference)
    updates = reference.open_photo(str(small), *sessions)
    assert updates[reference.photo.preview]["visible"]
    assert not updates[reference.button]["interactive"]
    assert "Two photos are needed" in text(reference.carry(*sessions, 0.5, 0), reference.status)
    updates = reference.open_reference(str(blue), *sessions)
    assert updates[reference.reference.preview]["visible"]
    assert updates[reference.button]["interactive"]
    updates = reference.open_reference(None, *sessions)
    assert not updates[reference.button]["interactive"]
    assert not updates[reference.reference.preview]["visible"]


def test_a_photo_with_colors_waits_until_it_is_treated_as_gray(
    reference: ReferenceTab, small: Path, blue: Path, tmp_path: Path
) -> None:
    painted = tmp_path / "painted.png"
    Image.fromarray(data.astronaut()[::8, ::8]).save(painted)
    sessions = nothing(reference)
    for updates in (
        reference.open_photo(str(painted), *sessions),
        reference.open_reference(str(blue), *sessions),
    ):
        assert text(updates, reference.about).startswith("This photo already has colors.")
        assert updates[reference.gray]["visible"]
        assert not updates[reference.button]["interactive"]
    assert is_problem(reference.carry(*sessions, 0.5, 0), reference.status)
    updates = reference.treat_as_gray(*sessions)
    assert not updates[reference.gray]["visible"]
    assert updates[reference.button]["interactive"]
    assert not is_problem(reference.carry(*sessions, 0.5, 0), reference.status)
    updates = reference.open_photo(str(small), *sessions)
    assert not updates[reference.gray]["visible"]
    assert updates[reference.button]["interactive"]


def test_colors_go_as_far_as_the_strength_says(
    reference: ReferenceTab, gray: Path, blue: Path
) -> None:
    sessions = both(reference, gray, blue)
    own = np.array(AB[2])
    theirs = color.rgb2lab(np.array([[BLUE]]) / 255)[0, 0, 1:]
    for strength in (0, 0.5):
        updates = reference.carry(*sessions, strength, 2)
        before, after = compared(updates, reference.result)
        assert np.abs(mean_ab(before)).max() < 1
        assert np.abs(mean_ab(after) - (own + strength * (theirs - own))).max() < 5
        assert updates[reference.result.column]["visible"]
        assert value(updates, reference.result.download.button) == "Download, 1536 × 1024 pixels"
        assert text(updates, reference.status).startswith("Colored in ")


def test_saturation_changes_the_result_and_the_next_one(
    reference: ReferenceTab, gray: Path, blue: Path
) -> None:
    sessions = both(reference, gray, blue)
    assert reference.saturation.change(sessions[0], 0.5, 1) == {reference.status: gr.skip()}
    _, before = compared(reference.carry(*sessions, 0.5, 2), reference.result)
    plain = mean_ab(before)
    _, after = compared(reference.saturation.change(sessions[0], 0.5, 1), reference.result)
    assert np.abs(mean_ab(after) - plain / 2).max() < 1
    _, after = compared(reference.carry(*sessions, 0.5, 2), reference.result)
    assert np.abs(mean_ab(after) - plain / 2).max() < 1
    updates = reference.open_photo(str(gray), *sessions)
    assert value(updates, reference.saturation.saturation) == 1


def test_the_photo_comes_from_colorize(
    reference: ReferenceTab, root: Path, small: Path, blue: Path, tmp_path: Path
) -> None:
    other: Session[ColoredPhoto] = Session(root, MemoryBudget())
    sessions = nothing(reference)
    assert is_problem(reference.take(other, *sessions), reference.about)
    painted = tmp_path / "painted.png"
    Image.fromarray(data.astronaut()[::8, ::8]).save(painted)
    for path, treated_as_gray in ((small, False), (painted, True)):
        other.close_all()
        other.add(
            ColoredPhoto(photo=other.read(path), upload=path, treated_as_gray=treated_as_gray)
        )
        updates = reference.take(other, *sessions)
        assert Path(updates[reference.photo.upload]).name == path.name
        assert updates[reference.photo.preview]["visible"]
        assert not updates[reference.gray]["visible"]
    other.close()
    reference.open_reference(str(blue), *sessions)
    assert not is_problem(reference.carry(*sessions, 0.5, 0), reference.status)
    taken = sessions[0].require()
    reference.open_photo(None, *sessions)
    assert not taken.folder.exists()


def test_the_download_has_full_size_and_metadata(
    reference: ReferenceTab, gray: Path, blue: Path
) -> None:
    sessions = both(reference, gray, blue)
    reference.carry(*sessions, 0.5, 7)
    updates = reference.result.download.prepare(sessions[0])
    path = Path(value(updates, reference.result.download.file))
    assert path.name == "grandma (1931)_like_sea.jpg"
    with Image.open(path) as image:
        assert image.size == (1536, 1024)
        assert image.getexif()[IMAGE_DESCRIPTION] == SUBJECT
    provenance = read_provenance(path)
    assert provenance is not None
    assert (provenance.seed, provenance.model) == (7, "fake")
    reference.carry(*sessions, 0.6, 7)
    assert not path.exists()


def test_a_gray_reference_is_told_at_once(
    reference: ReferenceTab, small: Path, gray: Path, root: Path
) -> None:
    sessions = nothing(reference)
    reference.open_photo(str(small), *sessions)
    made = set(root.rglob("*.png"))
    updates = reference.open_reference(str(gray), *sessions)
    assert is_problem(updates, reference.about)
    assert text(updates, reference.about).startswith("grandma (1931).jpg: has no colors")
    assert not updates[reference.button]["interactive"]
    assert set(root.rglob("*.png")) == made


def test_errors_are_sentences(
    reference: ReferenceTab, colorizer: FakeColorizer, root: Path, small: Path, blue: Path
) -> None:
    sessions = both(reference, small, blue)
    colorizer.error = MemoryError()
    assert "not enough memory" in text(reference.carry(*sessions, 0.5, 0), reference.status)
    assert is_problem(reference.carry(*nothing(reference), 0.5, 0), reference.status)
    bad = root / "bad.jpg"
    bad.write_bytes(b"no picture")
    updates = reference.open_photo(str(bad), *sessions)
    assert text(updates, reference.about).startswith("bad.jpg: ")
    assert not updates[reference.button]["interactive"]
    for session in (nothing(reference)[0], sessions[0]):
        assert reference.result.download.prepare(session) == {reference.result.download.file: None}


def test_another_photo_at_the_last_moment_wins(
    reference: ReferenceTab, small: Path, gray: Path, blue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = both(reference, small, blue)

    def interrupted_write(*arguments: Any) -> Path:
        path = write_colored(*arguments)
        reference.open_photo(str(gray), *sessions)
        return path

    monkeypatch.setattr("colorflow.ui.colorings.write_colored", interrupted_write)
    assert reference.carry(*sessions, 0.5, 0) == {reference.status: gr.skip()}
    assert sessions[0].require().chosen is None


def test_another_photo_empties_the_result_and_closing_leaves_nothing(
    reference: ReferenceTab, root: Path, small: Path, blue: Path
) -> None:
    sessions = both(reference, small, blue)
    reference.carry(*sessions, 0.5, 0)
    other = root / "other.png"
    Image.fromarray(data.camera()[::16, ::16]).save(other)
    updates = reference.open_photo(str(other), *sessions)
    assert not updates[reference.result.column]["visible"]
    assert value(updates, reference.result.compare) == ""
    reference.session.delete_callback(*sessions)
    assert set(root.rglob("*.png")) == {other}
