"""The color of skin: its tones against SciPy and complex numbers, and where it is painted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import kstest

from colorflow.model.level import sample_latents
from colorflow.model.skin import (
    FROM,
    MOST,
    TO,
    Skin,
    ToneDistribution,
    as_light_as_skin,
    tone_latents,
)

Array = NDArray[np.float32]


@pytest.fixture(params=range(3))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


@pytest.fixture
def distribution(rng: np.random.Generator) -> ToneDistribution:
    factor = np.tril(rng.normal(size=(2, 2))).astype(np.float32)
    np.fill_diagonal(factor, rng.uniform(0.2, 1.5, 2))
    return ToneDistribution(rng.normal(size=2).astype(np.float32), factor)


def skin_of(probability: Array, chroma: Array, distribution: ToneDistribution) -> Skin:
    """Skin on a photo of one lightness; the probability is that of (64, 64) cells."""
    finer = probability.repeat(2, 0).repeat(2, 1)
    return Skin(finer, np.full_like(finer, 60.0), chroma, distribution)


def some_skin(rng: np.random.Generator, distribution: ToneDistribution) -> tuple[Skin, Array]:
    """Skin of every probability, and its chroma a + ib."""
    probability = rng.uniform(size=(64, 64)).astype(np.float32)
    probability[:2] = [[0.0], [1.0]]
    chroma = 10 * rng.normal(size=(2, 64, 64)).astype(np.float32)
    return skin_of(probability, chroma, distribution), probability


def test_tones_are_the_linear_map_of_latents(
    rng: np.random.Generator, distribution: ToneDistribution
) -> None:
    z = rng.normal(size=(7, 2)).astype(np.float32)
    tones = distribution.tones(z)
    assert tones.dtype == np.float32
    for own, one in zip(tones, z, strict=True):
        want = [distribution.mean[i] + distribution.factor[i] @ one for i in range(2)]
        np.testing.assert_allclose(own, want, atol=1e-5)


def test_latents_of_tones_are_standard_normal() -> None:
    """Those of samples: the tints of coarsest latents, with the std of these."""
    shape = (2, 4, 4)
    z = tone_latents([sample_latents([shape], [seed])[0] for seed in range(4000)])
    assert z.shape == (4000, 2)
    assert z.dtype == np.float32
    for one in z.T:
        assert kstest(one, "norm").pvalue > 0.01
        assert abs(one.std() - 1) < 0.035
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.05
    doubled = tone_latents([2 * sample_latents([shape], [seed])[0] for seed in range(5)])
    np.testing.assert_allclose(doubled, 2 * z[:5], rtol=1e-5)
    even = torch.stack([torch.full((8, 8), 0.5), torch.full((8, 8), -0.25)])
    np.testing.assert_allclose(tone_latents([even]), [[4.0, -2.0]])


def test_where_skin_is_painted(rng: np.random.Generator, distribution: ToneDistribution) -> None:
    """Not below one probability, wholly above another, and in a rising curve between."""
    skin, probability = some_skin(rng, distribution)
    assert (skin.weight[probability <= FROM] == 0).all()
    np.testing.assert_allclose(skin.weight[probability >= TO], MOST, rtol=1e-6)
    assert skin.weight.max() <= np.float32(MOST) < 1
    order = np.argsort(probability, axis=None)
    assert (np.diff(skin.weight.ravel()[order]) >= -1e-6).all()
    middle = np.abs(probability - (FROM + TO) / 2).argmin()
    assert abs(skin.weight.ravel()[middle] - MOST / 2) < 0.02
    steps = np.diff(skin.weight.ravel()[order]) / np.diff(probability.ravel()[order]).clip(1e-9)
    assert steps[np.diff(probability.ravel()[order]) > 1e-5].max() < 1.6 * MOST / (TO - FROM)


@pytest.mark.parametrize("step", [-45.0, -20.0, -8.0, 8.0, 20.0, 45.0])
def test_a_hat_is_no_skin(step: float, distribution: ToneDistribution) -> None:
    """What lies beside a face does not count where it is much darker or lighter."""
    probability = np.zeros((128, 128), np.float32)
    probability[40:80, 40:80], probability[34:40, 40:80] = 0.9, 0.5  # a face below, a hat above
    lightness = np.full((128, 128), 55.0, np.float32)
    lightness[34:40, 40:80] += step
    counts = as_light_as_skin(probability, lightness)
    np.testing.assert_allclose(counts[50:80, 40:80], 1, atol=0.02)
    hat = float(counts[34:38, 45:75].mean())
    least, most = {45: (0, 0.15), 20: (0.85, 1), 8: (0.99, 1)}[int(abs(step))]
    assert least <= hat <= most
    skin = Skin(probability, lightness, np.zeros((2, 64, 64), np.float32), distribution)
    assert skin.weight.shape == (64, 64)
    np.testing.assert_allclose(skin.weight[25:40, 20:40], MOST, atol=0.02)


def test_skin_is_turned_and_made_stronger_like_complex_numbers(
    rng: np.random.Generator, distribution: ToneDistribution
) -> None:
    probability = rng.uniform(size=(64, 64)).astype(np.float32)
    chroma = 10 * rng.normal(size=(2, 64, 64)).astype(np.float32)
    skin = skin_of(probability, chroma, distribution)
    ab = 20 * rng.normal(size=(3, 2, 64, 64)).astype(np.float32)
    z = 0.5 * rng.normal(size=(3, 2)).astype(np.float32)
    painted = skin.painted(ab, z)
    assert painted.dtype == np.float32
    for one, before, (strength, turn) in zip(painted, ab, distribution.tones(z), strict=True):
        own = np.exp(strength + 1j * turn) * (chroma[0] + 1j * chroma[1])
        want = (1 - skin.weight) * (before[0] + 1j * before[1]) + skin.weight * own
        np.testing.assert_allclose(one, [want.real, want.imag], rtol=1e-4, atol=1e-3)
