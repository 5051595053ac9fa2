"""Where the detail of a photo is looked at first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data
from skimage.feature import Cascade

from colorflow.photo import Photo
from colorflow.ui import spots
from colorflow.ui.spots import best_spot


def test_the_cascade_is_that_of_scikit_image() -> None:
    """Which ships the same file, and finds the same face with it."""
    own = Path(spots.__file__).with_name("lbpcascade_frontalface.xml")
    assert own.read_bytes() == Path(data.lbp_frontal_face_cascade_filename()).read_bytes()
    picture = data.astronaut()
    (face,) = Cascade(str(own)).detect_multi_scale(
        img=picture, scale_factor=1.2, step_ratio=1, min_size=(60, 60), max_size=(200, 200)
    )
    x, y = best_spot(Photo(pixels=picture), 160)
    assert x == pytest.approx(face["c"] + face["width"] / 2, abs=6)
    assert y == pytest.approx(face["r"] + 0.4 * face["height"], abs=10)


def test_without_a_face_it_is_the_place_with_most_detail() -> None:
    picture = np.full((300, 500), 128, np.uint8)
    picture[180:240, 390:450] += np.random.default_rng(0).integers(0, 90, (60, 60), np.uint8)
    assert best_spot(Photo(pixels=picture), 60) == pytest.approx((420, 210), abs=3)


def test_it_is_found_at_any_size_and_each_time() -> None:
    picture = data.astronaut()
    large = Photo(pixels=picture.repeat(2, 0).repeat(2, 1))
    assert best_spot(large, 320) == best_spot(large, 320)
    small = np.array(best_spot(Photo(pixels=picture), 160))
    assert best_spot(large, 320) == pytest.approx(2 * small, abs=6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (700, 3), (24, 24)])
def test_narrow_and_empty_pictures_have_one(shape: tuple[int, int]) -> None:
    x, y = best_spot(Photo(pixels=np.zeros(shape, np.uint8)), 160)
    assert 0 <= x <= shape[1]
    assert 0 <= y <= shape[0]
