"""Uploading a photo, without a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.photos import PREVIEW_SIDE
from tests.ui.handling import (
    colorize,
    everything,
    is_problem,
    new,
    opened,
    pixels,
    text,
    value,
)


def test_a_gray_photo_is_shown_and_can_be_colored(tab: ColorizeTab, gray: Path) -> None:
    updates = everything(tab.open_photos([str(gray)], new(tab.session)))
    shown = pixels(value(updates, tab.photos.preview))
    assert shown.shape == (PREVIEW_SIDE * 2 // 3 + 1, PREVIEW_SIDE, 3)
    assert updates[tab.photos.preview]["visible"]
    assert updates[tab.button]["interactive"]
    assert text(updates, tab.about) == "A gray photo. 1536 × 1024 pixels."
    assert not is_problem(updates, tab.about)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (data.camera()[..., None] * np.array([1, 0.85, 0.65]), "A toned photo (sepia or the like)"),
        (
            data.astronaut(),
            "This photo already has colors. It can be colored anew from its lightness",
        ),
    ],
)
def test_tint_and_colors_are_stated(
    tab: ColorizeTab, tmp_path: Path, picture: np.ndarray, words: str
) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(picture.astype(np.uint8)).save(path)
    updates = everything(tab.open_photos([str(path)], new(tab.session)))
    assert text(updates, tab.about).startswith(words)
    assert updates[tab.button]["interactive"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.jpg", b"", "the file is empty"),
        ("notes.png", b"not a picture", "not a JPEG, PNG, TIFF, WebP, GIF"),
        ("half.jpg", None, "damaged or incomplete"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(
    tab: ColorizeTab, root: Path, gray: Path, name: str, content: bytes | None, words: str
) -> None:
    bad = root / name
    bad.write_bytes(gray.read_bytes()[:20_000] if content is None else content)
    session = opened(tab, gray)
    before = session.current.photo
    updates = everything(tab.open_photos([str(bad)], session))
    assert is_problem(updates, tab.about)
    assert text(updates, tab.about).startswith(f"{name}: ")
    assert words in text(updates, tab.about)
    assert str(root) not in value(updates, tab.about)
    assert "Traceback" not in value(updates, tab.about)
    assert not updates[tab.button]["interactive"]
    assert not updates[tab.photos.preview]["visible"]
    assert session.current is None
    assert not before.folder.exists()


def test_a_server_without_room_is_told(tab: ColorizeTab, root: Path, small: Path) -> None:
    root.rmdir()
    updates = everything(tab.open_photos([str(small)], new(tab.session)))
    assert text(updates, tab.about).startswith("Nothing can be stored on the server (")
    assert not updates[tab.button]["interactive"]


def test_a_file_name_is_never_markup(tab: ColorizeTab, root: Path) -> None:
    (root / "<img src=x>.jpg").touch()
    shown = value(
        everything(tab.open_photos([str(root / "<img src=x>.jpg")], new(tab.session))), tab.about
    )
    assert "<img" not in shown
    assert "&lt;img src=x&gt;.jpg: the file is empty" in shown


def test_taking_the_photo_away_empties_the_page(tab: ColorizeTab, small: Path) -> None:
    session = opened(tab, small)
    colorize(tab, session)
    folder = session.current.folder
    updates = everything(tab.open_photos(None, session))
    assert not folder.exists()
    assert session.current is None
    assert not updates[tab.result.column]["visible"]
    assert updates[tab.result.welcome]["visible"]
    assert not updates[tab.button]["interactive"]
    assert [
        value(updates, each) for each in (tab.gallery, tab.result.compare, tab.result.download)
    ] == [None] * 3
    assert text(updates, tab.about) == "JPEG, PNG, WebP, TIFF or BMP, up to 200 MB."
