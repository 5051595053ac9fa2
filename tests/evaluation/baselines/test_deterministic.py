"""The deterministic network: its arithmetic by hand, and that it learns the mean."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from scipy.special import erf
from torch import Tensor

from colorflow.evaluation.baselines.deterministic import (
    CHROMA_UNIT,
    DeterministicNetwork,
    RegressionObjective,
)
from colorflow.model.condition import CONDITION_GRID, Condition
from colorflow.model.config import PyramidConfig
from colorflow.training.pack import Pack
from tests.evaluation.small_baselines import CONFIG
from tests.small_weights import small_level


@pytest.fixture
def batch(pack_folder: Path) -> tuple[Tensor, Condition]:
    return Pack(pack_folder).batch(np.arange(3), RegressionObjective(CONFIG).maps)


def convolution(h: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(C, g, g) -> (D, g, g) by kernels of 3x3, zeros around."""
    return np.stack(
        [
            b + sum(correlate2d(x, k, mode="same") for x, k in zip(h, kernels, strict=True))
            for kernels, b in zip(weight, bias, strict=True)
        ]
    )


def finer(means: np.ndarray, details: np.ndarray) -> np.ndarray:
    """(2, g, g) means and (6, g, g) orthonormal details by kind and channel -> (2, 2g, 2g)."""
    across, down, diagonal = details.reshape(3, 2, *details.shape[1:])
    result = np.empty((2, 2 * means.shape[1], 2 * means.shape[2]))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        signs = (-1) ** column, (-1) ** row, (-1) ** (row + column)
        detail = signs[0] * across + signs[1] * down + signs[2] * diagonal
        result[:, row::2, column::2] = means + detail / 2
    return result


def test_a_new_network_says_gray(batch: tuple[Tensor, Condition]) -> None:
    network = DeterministicNetwork(CONFIG).eval()
    with torch.no_grad():
        ab = network(batch[1])
    assert ab.shape == (3, 2, 64, 64)
    assert not ab.any()


def test_the_output_is_what_heads_and_haar_steps_say(
    batch: tuple[Tensor, Condition], randomize: Any
) -> None:
    """Each head on its context's GELU, in units of 20; the context sees the chroma so far."""
    network = randomize(DeterministicNetwork(CONFIG), gain=0.35)
    condition = batch[1].map(lambda x: x[:1])
    details = 0.0
    with torch.no_grad():
        found = network(condition)[0].numpy()
        chroma: np.ndarray | None = None
        for context, head in zip(network.contexts, network.heads, strict=True):
            coarse = None if chroma is None else torch.from_numpy(chroma).float()[None]
            h = context.of_sample(context.of_photo(condition), coarse)[0].double().numpy()
            h = h * (1 + erf(h / math.sqrt(2))) / 2
            out = 20 * convolution(h, *(x.double().numpy() for x in (head.weight, head.bias)))
            if chroma is None:
                chroma = out
            else:
                details = max(details, float(np.abs(out).min(0).max()))
                chroma = finer(chroma, out)
    assert chroma is not None
    assert CHROMA_UNIT == 20
    assert details > 1
    np.testing.assert_allclose(found, chroma, rtol=0, atol=2e-3)
    assert np.ptp(found) > 10


def test_the_loss_is_in_squared_cielab_units(batch: tuple[Tensor, Condition]) -> None:
    ab, condition = batch
    objective, noise = RegressionObjective(CONFIG), torch.Generator()
    with torch.no_grad():
        loss = objective.loss(DeterministicNetwork(CONFIG).eval(), ab, condition, noise)
    expected = (ab.double().numpy() ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert objective.unit == "squared CIELAB units"
    assert objective.maps == (8, 16, 32)


def test_statistics_of_the_features_are_taken_on_every_level(pack_folder: Path) -> None:
    network = DeterministicNetwork(CONFIG)
    pack, objective = Pack(pack_folder), RegressionObjective(CONFIG)
    ab, condition = pack.batch(pack.rows("train"), objective.maps)
    objective.fit(network, ab, condition, torch.Generator())
    for context, level in zip(network.contexts, CONFIG.levels, strict=True):
        for side in level.maps:
            mean = condition.features[side].double().mean((0, 2, 3))
            found = context.standardize[str(side)].mean.flatten().double()
            torch.testing.assert_close(found, mean, rtol=0, atol=1e-4)


def test_what_is_sampled_to_look_at(batch: tuple[Tensor, Condition]) -> None:
    network = DeterministicNetwork(CONFIG).eval()
    network.heads[0].bias.data[:] = torch.tensor([1.0, -0.5])
    with torch.no_grad():
        sampled = RegressionObjective(CONFIG).preview(network, *batch, torch.Generator())
    assert sampled.shape == (3, 3, 2, 64, 64)
    assert not sampled[:, 0].any()
    assert torch.equal(sampled[:, 1], batch[0])
    torch.testing.assert_close(sampled[:, 2, 0], torch.full((3, 64, 64), 20.0))
    torch.testing.assert_close(sampled[:, 2, 1], torch.full((3, 64, 64), -10.0))


def test_it_learns_the_mean_of_what_a_photo_may_have_been() -> None:
    """b follows lightness; a does too, but for a sign that nothing tells: its mean is the answer,
    which is none of the colors that there are."""
    generator = torch.Generator().manual_seed(0)
    levels = [small_level(grid, couplings=1, dropout=0.0) for grid in (4, 4, 8, 16, 32)]
    config = PyramidConfig(levels=tuple(levels))  # they see lightness alone
    network, objective = DeterministicNetwork(config), RegressionObjective(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)

    def batch(count: int) -> tuple[Tensor, Tensor, Condition]:
        lightness = 20 + 60 * torch.rand(count, 1, 1, 1, generator=generator)
        planes = lightness.expand(-1, 1, CONDITION_GRID, CONDITION_GRID)
        sign = torch.randint(0, 2, (count, 1, 1, 1), generator=generator) * 2.0 - 1
        mean = torch.cat([10 + 0.4 * (lightness - 50), -0.6 * (lightness - 50)], 1)
        truth = mean + torch.cat([12 * sign, 0 * sign], 1)
        grid = (-1, -1, 64, 64)
        return mean.expand(grid), truth.expand(grid), Condition(lightness=planes, features={})

    for _ in range(50):
        _, truth, condition = batch(8)
        optimizer.zero_grad()
        objective.loss(network, truth, condition, generator).mean().backward()
        optimizer.step()
    mean, truth, condition = batch(32)
    with torch.no_grad():
        network.eval()
        found = network(condition)
        loss = objective.loss(network, truth, condition, generator).mean()
    off = (found - mean).square().mean((0, 2, 3)).sqrt()
    assert off[0] < 6, "half of the way to either color"
    assert off[1] < 4
    best = 12**2 / 2
    variance = truth.var((0, 2, 3)).mean()
    assert best * 0.9 < loss < best + 0.25 * (variance - best) + 10
