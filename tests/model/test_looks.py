"""Several looks: crops of a photo, and their colors in their places."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from colorflow.model.looks import CROPS, PART, crops_of, joined, small_scale_of_crops

Array = NDArray[np.float32]


def smooth(seed: int, scale: float = 5) -> Array:
    """Random chroma (2, 64, 64) without detail."""
    noise = np.random.default_rng(seed).normal(size=(2, 64, 64)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(plane, (0, 0), scale) for plane in noise]) * 20 * scale


def on_crops(ab: Array) -> Array:
    """The chroma that each crop of a photo with this chroma has on its own grid."""
    size = (320, 320)
    large = [cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC) for plane in ab]
    crops = crops_of(np.stack(large, 2))
    return np.stack(
        [
            np.moveaxis(cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA), 2, 0)
            for crop in crops
        ]
    )


@pytest.mark.parametrize("shape", [(100, 60), (481, 321, 3), (7, 3), (1, 1), (1, 900)])
def test_crops_cover_the_photo_and_overlap(shape: tuple[int, ...]) -> None:
    numbers = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    crops = crops_of(numbers)
    assert len(crops) == CROPS**2
    assert set(np.concatenate([crop.ravel() for crop in crops])) == set(numbers.ravel())
    for crop in crops:
        for own, whole in zip(crop.shape[:2], shape[:2], strict=True):
            assert own == max(1, round(PART * whole))
    assert crops[0].flat[0] == 0
    assert crops[-1].flat[-1] == numbers.flat[-1]
    assert crops[1].ravel()[0] < crops[2].ravel()[0] or shape[0] == 1  # row by row


def test_chroma_of_crops_comes_to_its_place() -> None:
    ab = smooth(1)
    got = joined(on_crops(ab))
    assert np.abs(got - ab).max() < 0.05 * ab.std()


def test_joined_crops_have_no_seam() -> None:
    """Crops of different colors meet in a slope: no step is above a quarter of the difference."""
    crops = np.zeros((4, 2, 64, 64), np.float32)
    crops[1:3] = 40
    step = np.abs(np.diff(joined(crops), axis=2)).max()
    assert 0 < step < 10
    np.testing.assert_allclose(joined(np.full_like(crops, -7)), -7, rtol=1e-5)


def test_only_the_small_scale_of_crops_counts() -> None:
    whole = smooth(1, 3)
    np.testing.assert_allclose(small_scale_of_crops(whole, on_crops(whole)), 0, atol=0.6)
    np.testing.assert_allclose(
        small_scale_of_crops(whole, on_crops(whole) + 30), 0, atol=0.6
    )  # a cast of all crops is no small scale
    detail = np.zeros((2, 64, 64), np.float32)
    detail[0, 30:33, 20:23] = 25
    added = small_scale_of_crops(whole, on_crops(whole + detail))
    assert added[0, 31, 21] > 15
    assert abs(added[0, 5, 50]) < 1
