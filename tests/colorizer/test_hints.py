"""A hint for a thing colors that thing, and nothing else: with the shipped weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import gradio
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from colorflow.colorizer import Colorizer
from colorflow.photo import Photo, photo_from_image, read_photo
from colorflow.recipe import ColoringSpec, Hint

SAMPLE = ColoringSpec(seeds=(0,) * 5)
BORDER = np.ones((5, 5), np.uint8)
"""Two cells on each side, in which a color may end."""
LEAST = 3.0
"""CIELAB units that count as a change."""


@pytest.fixture(scope="module")
def shipped() -> Colorizer:
    return Colorizer.load()


def photos() -> Iterator[Photo]:
    """Ten photos, and a crop of each."""
    assets = Path(gradio.__file__).parent
    names = ["media_assets/images/cheetah.jpg", "media_assets/images/tower.jpg"]
    given = [read_photo(assets / name).pixels for name in [*names, "test_data/cheetah2.jpg"]]
    data = skimage.data
    given += [data.astronaut(), data.camera(), data.chelsea(), data.coffee(), data.rocket()]
    given += [data.stereo_motorcycle()[0], data.coins()]
    for pixels in given:
        yield photo_from_image(pixels)
        height, width = pixels.shape[:2]
        yield photo_from_image(np.ascontiguousarray(pixels[height // 3 :, : 2 * width // 3]))


def chroma(colorizer: Colorizer, photo: Photo, *hints: Hint) -> NDArray[np.float32]:
    return colorizer.open(photo, hints=hints).reproduce([SAMPLE])[0].ab


@pytest.mark.slow
def test_40_hints_on_20_photos_change_one_thing_each(shipped: Colorizer) -> None:
    """What changes is in one piece with the hint, and no more than the thing with its border."""
    rng, count = np.random.default_rng(0), 0
    for photo in photos():
        plain, found = chroma(shipped, photo), shipped.things(photo)
        for _ in range(2):
            row, column = rng.integers(64, size=2)
            a, b = rng.uniform(-45, 45, 2)
            y, x = (row + 0.5) * photo.height / 64, (column + 0.5) * photo.width / 64
            got = chroma(shipped, photo, Hint(y - 0.5, x - 0.5, a, b))
            assert np.hypot(*(got[:, row, column] - (a, b))) < 0.5
            changed = (np.hypot(*(got - plain)) > LEAST).astype(np.uint8)
            _, piece_of = cv2.connectedComponents(changed)
            own = changed * (piece_of == piece_of[row, column])
            assert own.sum() >= 0.99 * changed.sum()
            things = [thing.mask for thing in found if thing.mask[3 * row + 1, 3 * column + 1]]
            thing = things[0].reshape(64, 3, 64, 3).any((1, 3)).astype(np.uint8)
            assert not changed[cv2.dilate(thing, BORDER[1:4, 1:4]) == 0].any()
            count += 1
    assert count == 40


def test_a_hint_changes_no_other_part_of_a_drawing(shipped: Colorizer) -> None:
    """Two people in like coats stand apart before a wall: one coat, whole, gets the color."""
    gray = 185 + np.random.default_rng(0).normal(0, 4, (256, 256))
    gray[200:] -= 65  # the ground
    coats = np.zeros((2, 256, 256), np.uint8)
    for coat, middle in zip(coats, (70, 186), strict=True):
        cv2.ellipse(coat, (middle, 150), (34, 70), 0, 0, 360, 1, -1)
        cv2.circle(gray, (middle, 55), 22, 145, -1)  # the face
    gray[coats.any(0)] = 65
    photo = photo_from_image(np.rint(gray).clip(0, 255).astype(np.uint8))
    plain, hint = chroma(shipped, photo), Hint(150, 70, 40.0, 30.0)
    coat = cv2.resize(coats[0], (64, 64), interpolation=cv2.INTER_NEAREST)
    change = np.hypot(*(chroma(shipped, photo, hint) - plain))
    assert change[cv2.dilate(coat, BORDER) == 0].max() < LEAST
    assert change[cv2.erode(coat, BORDER) == 1].min() > LEAST
