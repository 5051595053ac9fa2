"""A conditional flow of a whole grid: what its context, temperature and fit do.

Exactness of densities, and samples of photos in order, are tested with the zoo's architectures in
tests/evaluation/zoo.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colorflow.evaluation.baselines import ConditionalDensity
from colorflow.flows import (
    Affine,
    ChannelPartition,
    Composition,
    ConvolutionNetwork,
    Coupling,
    Flatten,
)
from colorflow.model.condition import Condition
from colorflow.model.config import LevelConfig
from colorflow.model.context import LevelContext
from tests.model.conftest import random_condition

SHAPE = (2, 16, 16)
LEVEL = LevelConfig(
    grid=8, width=8, couplings=1, context_layers=1, bins=4, attention=False, maps=(8,), dropout=0.3
)


def density(randomize: Callable[..., nn.Module], gain: float = 0.5) -> ConditionalDensity:
    """Affine couplings on 16x16 with the context of an 8x8 grid, brought to theirs."""
    couplings = [
        Coupling(
            ChannelPartition(2, keep_first=keep_first), ConvolutionNetwork(1, 2, 4, 2), Affine(2.0)
        )
        for keep_first in (True, False)
    ]
    to_grid = nn.Sequential(nn.Conv2d(8, 8, 1), nn.PixelShuffle(2))
    context = LevelContext(LEVEL, coarse=False, extra_planes=0)
    bijection = Composition([*couplings, Flatten(SHAPE)])
    return randomize(ConditionalDensity(bijection, SHAPE, context, to_grid), gain=gain)


@pytest.fixture
def condition() -> Condition:
    return random_condition(3)


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_context_is_brought_to_the_grid(
    randomize: Callable[..., nn.Module], condition: Condition
) -> None:
    model = density(randomize)
    with torch.no_grad():
        context = model.context_of(condition)
        inner = model.context.of_sample(model.context.of_photo(condition), None)
        expected = model.to_grid[0](inner)
    assert context.shape == (3, 2, 16, 16)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        own = context[:, :, row::2, column::2]
        torch.testing.assert_close(own, expected[:, 2 * row + column :: 4], rtol=0, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, 0.4, 1.0])
def test_the_temperature_is_the_std_of_the_latents(
    temperature: float, randomize: Callable[..., nn.Module], condition: Condition
) -> None:
    model = density(randomize)
    with torch.no_grad():
        samples = model.sample(condition, 4, generator(), temperature)
        context = model.context_of(condition).repeat_interleave(4, 0)
        z, _ = model.flow.bijection(samples.flatten(0, 1), context)
    assert samples.shape == (3, 4, *SHAPE)
    assert z.std().item() == pytest.approx(
        temperature, abs=4 * temperature / math.sqrt(2 * z.numel()) + 1e-4
    )


def test_a_call_is_the_log_density(
    randomize: Callable[..., nn.Module], condition: Condition
) -> None:
    """So that a wrapper around the module, which only calls it, trains the same thing."""
    model = density(randomize)
    x = torch.randn(3, *SHAPE, generator=generator())
    with torch.no_grad():
        log_prob = model.log_prob(x, condition)
        assert torch.equal(model(x, condition), log_prob)
        z, ladj = model.flow.bijection(x, model.context_of(condition))
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    torch.testing.assert_close(log_prob, normal + ladj, rtol=1e-5, atol=1e-3)


def test_fit_takes_statistics_and_leaves_training_mode_on(
    randomize: Callable[..., nn.Module], condition: Condition
) -> None:
    model = density(randomize)
    x = 7 * torch.randn(3, *SHAPE, generator=generator()) + 30
    with torch.no_grad():
        model.fit(x, condition)
        standard, _ = model.standardize(x)
    assert model.training
    zero, one = torch.zeros(2), torch.ones(2)
    torch.testing.assert_close(standard.mean((0, 2, 3)), zero, rtol=0, atol=1e-4)
    torch.testing.assert_close(standard.std((0, 2, 3)), one, rtol=0, atol=1e-3)
    mean: Tensor = model.context.standardize["8"].mean.flatten()
    expected = condition.features[8].mean((0, 2, 3))
    torch.testing.assert_close(mean, expected, rtol=0, atol=1e-5)
