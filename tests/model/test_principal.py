"""Principal colorings: vivid means, and modes that differ in things."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from colorflow.model.principal import (
    LARGEST_GAIN,
    LARGEST_TINT,
    VIVIDNESS,
    modes_of,
    vivid_mean,
)
from colorflow.model.spatial import SpatialOperator, contrast_of

Array = NDArray[np.float32]


def normal(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


THINGS = np.repeat(np.repeat(np.arange(16).reshape(4, 4), 2, 0), 2, 1)
"""The number of the thing in each cell of an 8x8 grid."""


@pytest.fixture(scope="module")
def operator() -> SpatialOperator:
    """Of sixteen things, 16 x 16 cells each, in tones and features of their own."""
    order = np.random.default_rng(0).permutation(16)
    lightness = (10 + 5 * order[THINGS]).astype(np.float32).repeat(8, 0).repeat(8, 1)
    features = normal(16, 30, seed=1)[THINGS].repeat(2, 0).repeat(2, 1)
    return SpatialOperator(lightness, np.moveaxis(features, 2, 0).copy())


def thing(number: int, a: float, b: float) -> Array:
    """One thing in a color of its own, (2, 8, 8)."""
    return np.stack([color * (number == THINGS) for color in (a, b)]).astype(np.float32)


@pytest.mark.parametrize("spread", [0.0, 0.5, 3, 12, 30, 90])
def test_the_mean_is_as_vivid_as_its_samples(spread: float) -> None:
    """A gain on the deviations from the tint, towards the samples' contrast, which exceeds the
    mean's only where samples disagree."""
    tint = np.array([[[7]], [[-4]]], np.float32)
    samples = tint + 15 * normal(1, 2, 16, 16, seed=1) + spread * normal(31, 2, 16, 16, seed=2)
    got, mean = vivid_mean(samples), samples.mean(0)
    own = np.sort(contrast_of(samples))
    wanted = min(VIVIDNESS * own[15], own[27])  # 0.9 of the way from the first of 31 to the last
    gain = min(max(wanted / float(contrast_of(mean)), 1), LARGEST_GAIN)
    want = mean.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(got, want + gain * (mean - want), atol=1e-3)
    if spread == 0:
        assert gain == pytest.approx(1, abs=1e-5)
    if spread == 90:
        assert gain == LARGEST_GAIN


@pytest.mark.parametrize("counts", [(33, 20, 11), (5, 40, 12, 7)])
def test_modes_are_things_in_the_order_of_their_shares(
    operator: SpatialOperator, counts: tuple[int, ...]
) -> None:
    """Each kind of sample has one thing in a color of its own; casts and patches do not count."""
    rng = np.random.default_rng(1)
    kinds = [thing(2 * i + 1, *(30 * np.array([np.cos(i), np.sin(i)]))) for i in range(len(counts))]
    of = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    samples = np.stack([kinds[i] for i in of])
    samples += rng.normal(0, 3, (len(of), 2, 1, 1)).astype(np.float32)  # a cast
    samples += normal(*samples.shape, seed=3)
    modes, shares = modes_of(samples, operator, len(counts))
    np.testing.assert_allclose(shares, sorted(np.array(counts) / len(of), reverse=True))
    assert modes.shape == (len(counts), 2, 64, 64)
    cells = THINGS.repeat(8, 0).repeat(8, 1)
    for mode, i in zip(modes, sorted(range(len(counts)), key=lambda i: -counts[i]), strict=True):
        own = mode[:, cells == 2 * i + 1].mean(1)
        wanted = np.array([np.cos(i), np.sin(i)])
        assert own @ wanted > 5  # its thing has its color
        assert own @ wanted > 0.9 * np.linalg.norm(own)
        rest = mode[:, ~np.isin(cells, [2 * j + 1 for j in range(len(counts))])]
        assert (
            np.linalg.norm(rest.mean(1)) < LARGEST_TINT + 0.5
        )  # and what all samples agree on stays


@pytest.mark.parametrize("size", [1, 20, 60])
def test_a_mode_is_hardly_a_cast(operator: SpatialOperator, size: float) -> None:
    """Samples that differ by a cast alone make modes that are a slight one, alike everywhere."""
    casts = normal(20, 2, 1, 1, seed=2) * size * np.ones((1, 1, 8, 8), np.float32)
    modes, _ = modes_of(casts + 15 * normal(1, 2, 8, 8, seed=3), operator, 3)
    tints = modes.mean((2, 3))
    assert 0.01 * size < np.linalg.norm(tints, axis=1).max() <= LARGEST_TINT + 1e-4
    assert np.abs(modes - tints[..., None, None]).max() < 0.1


@pytest.mark.parametrize("k", [1, 3, 15])
def test_equal_samples_have_no_modes(operator: SpatialOperator, k: int) -> None:
    modes, shares = modes_of(20 * normal(1, 2, 8, 8, seed=1).repeat(20, 0), operator, k)
    np.testing.assert_array_equal(modes, np.zeros((k, 2, 64, 64)))
    assert shares.sum() == pytest.approx(1)


def test_modes_repeat_in_every_thread_and_after_other_random_numbers(
    operator: SpatialOperator,
) -> None:
    """Of samples without modes, where the result hangs on k-means' own random start."""
    samples = 10 * normal(64, 2, 8, 8, seed=0)
    given = samples.copy()
    want, shares = modes_of(samples, operator, 6)

    def again(seed: int) -> tuple[Array, NDArray[np.float64]]:
        cv2.setRNGSeed(seed)
        cv2.randu(np.zeros(seed, np.float32), 0, 1)
        torch.manual_seed(seed)
        np.random.seed(seed)
        return modes_of(samples, operator, 6)

    with ThreadPoolExecutor(4) as threads:
        results = [again(5), *threads.map(again, range(1, 9))]
    for modes, own in results:
        np.testing.assert_array_equal(modes, want)
        np.testing.assert_array_equal(own, shares)
    np.testing.assert_array_equal(samples, given)
