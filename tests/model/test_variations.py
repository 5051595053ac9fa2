"""What may vary in a photo, and how far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colorflow.model.segmentation import CLASSES
from colorflow.model.things import THINGS_GRID, Thing
from colorflow.model.variations import LARGEST_TINT, MOST, MOST_CHROMA, VISIBLE, Variations

Array = NDArray[np.float32]
NAMES = ("sky", "upper clothes", "lower clothes", "wall")
NO_REGIONS = np.zeros((THINGS_GRID, THINGS_GRID), np.int64)
BANDS = [np.s_[48 * i : 48 * i + 48] for i in range(4)]
"""Rows of the things' grid; a third as many on the grid of chroma."""


def bands(*clearness: float, skin: Any = None) -> Variations:
    """Four things one below the other, the first of which is sky."""
    classes = np.zeros((len(CLASSES), THINGS_GRID, THINGS_GRID), np.float32)
    things = []
    for name, clear, rows in zip(NAMES, clearness, BANDS, strict=True):
        mask = np.zeros((THINGS_GRID, THINGS_GRID), bool)
        mask[rows] = True
        classes[CLASSES.index(name), rows] = 1
        things.append(Thing(name, 1.0, clear, mask, NO_REGIONS))
    if skin is not None:
        classes[(slice(None), *skin)] = 0
        classes[(CLASSES.index("skin"), *skin)] = 1
    return Variations(things, classes)


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 5, shape).astype(np.float32)


def test_clear_things_vary_as_a_whole_and_unclear_ones_from_place_to_place() -> None:
    deviations = noise(5, 2, 64, 64)
    held = bands(1, 1, 0, 0.5).held(deviations)
    assert not held[:, :, :16].any(), "the sky stays"
    for rows in (np.s_[16:32], np.s_[48:64]):
        means = deviations[:, :, rows].mean((2, 3), keepdims=True)
        np.testing.assert_allclose(
            held[:, :, rows], np.broadcast_to(means, (5, 2, 16, 64)), atol=1e-4
        )
    np.testing.assert_allclose(held[:, :, 32:48], deviations[:, :, 32:48], atol=1e-4)
    half = bands(1, 0.3, 0, 0).held(deviations)[:, :, 16:32]
    means = deviations[:, :, 16:32].mean((2, 3), keepdims=True)
    np.testing.assert_allclose(half, (means + deviations[:, :, 16:32]) / 2, atol=1e-4)


def test_skin_stays_and_does_not_tell_the_color_of_what_it_lies_in() -> None:
    deviations = noise(3, 2, 64, 64)
    deviations[:, :, 16:32, :32] = 90
    held = bands(1, 1, 1, 1, skin=np.s_[48:96, :96]).held(deviations)
    assert not held[:, :, 16:32, :32].any()
    means = deviations[:, :, 16:32, 32:].mean((2, 3))
    np.testing.assert_allclose(held[:, :, 20, 50], means, atol=1e-4)


def test_what_varies_is_seen_to_and_is_not_loud() -> None:
    deviation = np.zeros((2, 64, 64), np.float32)
    deviation[0, 16:32], deviation[1, 32:48], deviation[0, 48:64] = 3, 40, -0.9
    first = np.zeros((2, 64, 64), np.float32)
    moved = bands(1, 1, 1, 1).visible(deviation, first)
    lengths = np.linalg.norm(moved, axis=0)
    assert not moved[:, :16].any()
    np.testing.assert_allclose(lengths[16:32], VISIBLE, atol=0.01)
    np.testing.assert_allclose(lengths[32:48], MOST, atol=0.01)
    np.testing.assert_allclose(lengths[48:], 0.9, atol=0.01)
    faint = bands(1, 0.2, 1, 1).visible(deviation, first)
    np.testing.assert_allclose(faint[0, 16:32], 3, atol=0.01)


@pytest.mark.parametrize(("before", "after"), [(20, MOST_CHROMA), (50, 50)])
def test_no_color_gets_stronger_than_clothes_are_but_for_one_that_is(
    before: float, after: float
) -> None:
    deviation = np.zeros((2, 64, 64), np.float32)
    first = np.zeros((2, 64, 64), np.float32)
    deviation[0, 16:32], first[0, 16:32] = 12, before
    moved = first + bands(1, 1, 1, 1).visible(deviation, first)
    assert np.linalg.norm(moved[:, 24, 20]) == pytest.approx(after, abs=0.01)


def test_a_cast_does_not_become_one_that_is_seen() -> None:
    cast = np.full((2, 64, 64), 8, np.float32)
    moved = bands(1, 1, 1, 1).visible(bands(1, 1, 1, 1).held(cast[None])[0], 0 * cast)
    assert np.linalg.norm(moved, axis=0).max() == pytest.approx(LARGEST_TINT, abs=0.01)
    assert not moved[:, :16].any()
