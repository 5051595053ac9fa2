"""The photos to try: where they come from, what is shown of them, and what a click does."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import skimage.data
from PIL import Image

from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.samples import EXAMPLES, SAMPLE_PHOTOS
from tests.ui.handling import (
    drop,
    is_problem,
    new,
    text,
    value,
)

SOURCES = {
    "portrait.jpg": skimage.data.astronaut,
    "cat.jpg": skimage.data.chelsea,
    "coffee.jpg": skimage.data.coffee,
}


def event(index: int) -> Any:
    return SimpleNamespace(index=index, value="try")


def test_the_files_are_gray_versions_of_what_scikit_image_ships() -> None:
    assert set(EXAMPLES) == set(SOURCES) == {path.name for path in SAMPLE_PHOTOS.glob("*.jpg")}
    for name, source in SOURCES.items():
        with Image.open(SAMPLE_PHOTOS / name) as image:
            assert image.mode == "L"
            pixels = np.asarray(image).astype(int)
        assert np.abs(pixels - cv2.cvtColor(source(), cv2.COLOR_RGB2GRAY)).mean() < 3
        assert (SAMPLE_PHOTOS / name).stat().st_size < 60_000


def test_their_pictures_are_gray_on_the_left_and_colored_on_the_right(tab: ColorizeTab) -> None:
    page = str(tab.result.welcome.value)
    found = re.findall('src="data:image/jpeg;base64,([^"]*)"', page)
    assert len(found) == len(EXAMPLES)
    for one in found:
        picture = np.asarray(Image.open(BytesIO(base64.b64decode(one)))).astype(int)
        middle = picture.shape[1] // 2
        assert max(picture.shape) == 320
        assert np.ptp(picture[:, : middle - 16], axis=2).max() < 12, "gray, but for JPEG's rounding"
        assert np.ptp(picture[:, middle + 16 :], axis=2).mean() > 20
    assert 'alt=""' not in page


def test_a_click_opens_one_as_if_it_had_been_uploaded(tab: ColorizeTab, root: Path) -> None:
    session = new(tab.session)
    updates = tab.open_sample(session, event(1))
    (upload,) = value(updates, tab.photos.upload)
    assert Path(upload).name == list(EXAMPLES)[1]
    assert Path(upload).is_relative_to(root)
    assert session.require().upload == Path(upload)
    assert text(updates, tab.about).startswith("A gray photo. ")
    assert updates[tab.button]["interactive"]
    again = drop(tab, [Path(upload)], session)
    assert session.require().upload == Path(upload)
    assert not is_problem(again, tab.about)
    session.close()
    assert not any(root.iterdir())


def test_there_are_no_others(tab: ColorizeTab) -> None:
    for index in (-1, 3):
        updates = tab.open_sample(new(tab.session), event(index))
        assert text(updates, tab.about) == "There is no such photo here."


def test_a_server_without_room_is_told(tab: ColorizeTab, root: Path) -> None:
    root.rmdir()
    updates = tab.open_sample(new(tab.session), event(0))
    assert text(updates, tab.about).startswith("Nothing can be stored on the server (")
