"""Dequantization against densities whose mass in each cell is known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from colorflow import flows

LEVELS = 4
A, B = 4.0, 1.0
"""Of the beta distribution that is the density of u in most tests."""


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def log_density(u: Tensor) -> Tensor:
    """Independent beta variables, (B,)."""
    return flows.sum_by_sample(torch.distributions.Beta(A, B).log_prob(u))


def log_mass(x: Tensor) -> Tensor:
    """Exact log P(x): the mass of the cells, (B,)."""
    left = x.numpy() / LEVELS
    mass = stats.beta.cdf(left + 1 / LEVELS, A, B) - stats.beta.cdf(left, A, B)
    return flows.sum_by_sample(torch.from_numpy(np.log(mass)))


def noise_transform() -> flows.AffineSpline:
    return flows.AffineSpline(4, 3.0, 1.0, 3.0)


def noise_flow() -> flows.Flow:
    transform = noise_transform()
    network = flows.ConvolutionNetwork(0, 1, 8, transform.size)
    return flows.Flow(flows.ContextTransform(1, network, transform), (1, 1, 2))


@pytest.fixture
def variational(randomize: Callable[..., nn.Module]) -> flows.VariationalDequantization:
    return randomize(flows.VariationalDequantization(noise_flow(), LEVELS)).double()


def every_pair() -> Tensor:
    """All values of two numbers, (LEVELS^2, 1, 1, 2)."""
    values = torch.arange(LEVELS, dtype=torch.float64)
    return torch.cartesian_prod(values, values).reshape(-1, 1, 1, 2)


@torch.no_grad()
def log_weights(dequantization: flows.Dequantization, samples: int) -> Tensor:
    """log p(u) + bound of every pair, (LEVELS^2, samples)."""
    x = every_pair().repeat_interleave(samples, 0)
    u, bound = dequantization(x, generator=seeded(1))
    assert torch.equal(dequantization.inverse(u).double(), x)
    return (log_density(u) + bound).reshape(-1, samples)


class Always(flows.Dequantization):
    """The same noise in every cell."""

    def __init__(self, levels: int, value: float) -> None:
        super().__init__(levels)
        self.value = value

    def noise(
        self, x: Tensor, context: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        return torch.full_like(x, self.value), x.new_zeros(len(x))


@pytest.mark.parametrize("levels", [1, 2, 3, 49, 100, 255, 256, 1000, 65536])
@pytest.mark.parametrize("noise", [0, 1e-9, 0.5, 1 - 1e-7, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_quantizing_undoes_it_at_the_walls_of_every_cell(
    levels: int, noise: float, dtype: torch.dtype
) -> None:
    x = torch.arange(levels, dtype=dtype)[None]
    if dtype == torch.float32 and levels > 1000:
        with pytest.raises(ValueError, match="x: expected a finer dtype for 65536 levels"):
            Always(levels, noise)(x * 0)
        return
    u, _ = Always(levels, noise)(x)
    assert u.dtype == dtype
    assert (u > 0).all()
    assert (u < 1).all()
    back = Always(levels, noise).inverse(u)
    assert back.dtype == torch.int64
    assert torch.equal(back, x.long())
    cell = np.floor(u.numpy().astype(np.float64) * levels)
    np.testing.assert_array_equal(cell, x)


def test_bound_of_uniform_noise_is_one_and_no_more_than_the_mass() -> None:
    weights = log_weights(flows.UniformDequantization(LEVELS), 20_000)
    exact = log_mass(every_pair())
    gap = exact - weights.mean(1)
    error = weights.std(1) / math.sqrt(weights.shape[1])
    assert (gap > 4 * error).all()  # the density bends in every cell
    # What it is for: the weights themselves are unbiased.
    ratio = (weights - exact[:, None]).exp()
    error = ratio.std(1) / math.sqrt(weights.shape[1])
    assert ((ratio.mean(1) - 1).abs() < 4 * error).all()
    assert error.max() < 0.02


def test_trained_noise_is_tighter_than_uniform() -> None:
    torch.manual_seed(0)
    variational = flows.VariationalDequantization(noise_flow(), LEVELS).double()
    optimizer = torch.optim.Adam(variational.parameters(), 2e-2)
    generator = seeded(4)
    x = every_pair().repeat(4, 1, 1, 1)
    for _ in range(80):
        u, bound = variational(x, generator=generator)
        optimizer.zero_grad()
        (-(log_density(u) + bound).mean()).backward()
        optimizer.step()
    trained = log_weights(variational, 1000)
    uniform = log_weights(flows.UniformDequantization(LEVELS), 1000)
    exact = log_mass(every_pair())
    uniform_gap, trained_gap = (exact - w.mean(1) for w in (uniform, trained))
    error = trained.std(1) / math.sqrt(1000)
    assert (trained_gap > -4 * error).all()
    assert trained_gap.mean() < 0.2 * uniform_gap.mean()


class IdealNoise(flows.Bijection):
    """Noise proportional to the density 2u in each cell, in closed form; the CDF of u is u^2."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert context is not None
        x = ((context + 1) * LEVELS - 1) / 2  # as it is scaled for the flow
        share = torch.special.ndtr(z)
        noise = torch.sqrt(x**2 + share * (2 * x + 1)) - x
        log_slope_of_share = -(z**2) / 2 - math.log(2 * math.pi) / 2
        log_slope = log_slope_of_share + torch.log((2 * x + 1) / (2 * (x + noise)))
        y = torch.logit(noise)
        return y, flows.sum_by_sample(log_slope - torch.log(noise * (1 - noise)))


def test_bound_of_the_ideal_noise_is_the_mass_at_every_sample() -> None:
    dequantization = flows.VariationalDequantization(
        flows.Flow(IdealNoise(), (3,)).double(), LEVELS
    )
    x = torch.randint(LEVELS, (500, 3), generator=seeded(5)).double()
    u, bound = dequantization(x, generator=seeded(6))
    weights = flows.sum_by_sample(torch.log(2 * u)) + bound
    exact = flows.sum_by_sample(torch.log((2 * x + 1) / LEVELS**2))
    torch.testing.assert_close(weights, exact, rtol=0, atol=1e-9)
