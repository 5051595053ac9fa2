"""Where the detail of a photo is looked at first."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from colorflow.photo import Photo
from colorflow.ui.spots import best_spot


def test_a_face_is_found() -> None:
    x, y = best_spot(Photo(pixels=data.astronaut()), 160)
    assert x == pytest.approx(223, abs=10), "the middle of her face"
    assert y == pytest.approx(106, abs=15), "the height of her eyes"


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
