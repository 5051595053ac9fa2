"""Samples of the pyramid: temperatures, gain, and what they depend on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid
from tests.model.conftest import random_condition
from tests.model.pyramids import BATCH, LEVELS, ROUND_TRIP_BUDGET, sample, sample_latents, unbounded


@pytest.fixture
def condition() -> Condition:
    return random_condition(BATCH)


def test_a_gain_multiplies_the_coarsest_chroma(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    latents = sample_latents(pyramid, BATCH)[:1]
    with torch.no_grad():
        plain, vivid = (pyramid.decode(latents, condition, gain) for gain in (1.0, 1.5))
    limit = pyramid.config.chroma_limit
    want = 1.5 * unbounded(plain.double().numpy(), limit)
    np.testing.assert_allclose(unbounded(vivid.double().numpy(), limit), want, rtol=1e-4)


@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_latents_with_a_gain_are_those_that_it_decodes(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition, gain: float
) -> None:
    with torch.no_grad():
        back = pyramid.decode(pyramid.encode(ab, condition, gain), condition, gain)
        other = pyramid.decode(pyramid.encode(ab, condition), condition, gain)
    assert (back - ab).abs().max() < ROUND_TRIP_BUDGET
    assert (other - ab).abs().max() > 1


def test_temperatures_are_the_std_of_each_level(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    """Encoding a sample gives its latents back: coarse to fine, each with its own std."""
    schedule = [0.9, 0.5, 0.0, 0.25, 0.1]
    ab = sample(pyramid, condition, 8, schedule).flatten(0, 1)
    repeated = condition.map(lambda x: x.repeat_interleave(8, 0))
    with torch.no_grad():
        latents = pyramid.encode(ab, repeated)
    for latent, temperature in zip(latents, schedule, strict=True):
        assert latent.std().item() == pytest.approx(temperature, rel=0.1, abs=0.01)
        assert abs(latent.mean().item()) < 0.15 * temperature + 0.01


def test_samples_depend_on_lightness_and_features_of_their_photo_alone(
    pyramid: ChromaPyramid, condition: Condition
) -> None:
    before = sample(pyramid, condition, 2, [0.5] * LEVELS)

    def change(x: Tensor) -> Tensor:
        changed = x.clone()
        changed[1] = x[1].flip(-1)
        return changed

    lightness = dataclasses.replace(condition, lightness=change(condition.lightness))
    features = dataclasses.replace(
        condition, features={grid: change(x) for grid, x in condition.features.items()}
    )
    for changed in (lightness, features):
        after = sample(pyramid, changed, 2, [0.5] * LEVELS)
        difference = (after - before).abs().amax((1, 2, 3, 4))
        assert difference[1] > 1
        assert torch.equal(difference[[0, 2]], torch.zeros(2))
