"""Mixtures of logistics and monotone networks against scipy, mpmath, autograd and differences."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from scipy.stats import logistic
from torch import Tensor

from colorflow.flows import MixtureLogisticCDF, MonotoneNetwork

K, BOUND, SHIFT = 3, 1.0, 4.0
UNITS, LAYERS, NETWORK_BOUND, NETWORK_SHIFT = 3, 2, 0.8, 3.0
COUNT = 40


@pytest.fixture
def mixture() -> MixtureLogisticCDF:
    return MixtureLogisticCDF(K, BOUND, SHIFT)


@pytest.fixture
def network() -> MonotoneNetwork:
    return MonotoneNetwork(UNITS, LAYERS, NETWORK_BOUND, NETWORK_SHIFT)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def clamp(x: np.ndarray, limit: float) -> np.ndarray:
    return limit * 2 / np.pi * np.arctan(x * np.pi / 2 / limit)


def read(parameters: Tensor) -> tuple[np.ndarray, ...]:
    """Weights, means and scales (..., K), shift and scale (...) of the affine map."""
    raw = parameters.detach().double().numpy()
    gain = 4 ** ((2 * np.arange(K) + 1) / K - 1)
    weights = np.exp(raw[..., :K] - raw[..., :K].max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    means = clamp(gain * raw[..., K : 2 * K], SHIFT)
    scales = np.exp(clamp(gain * raw[..., 2 * K : 3 * K], BOUND))
    return weights, means, scales, clamp(raw[..., -2], SHIFT), np.exp(clamp(raw[..., -1], BOUND))


def layers_of(parameters: Tensor) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """w, a and b (UNITS,) of each layer, for the parameters (size,) of one number."""
    gain = 4 ** ((2 * np.arange(UNITS) + 1) / UNITS - 1)
    return [
        (
            np.exp(raw) / np.exp(raw).sum(),
            np.exp(clamp(gain * slopes, NETWORK_BOUND)),
            clamp(gain * shifts, NETWORK_SHIFT),
        )
        for raw, slopes, shifts in parameters.detach().numpy().reshape(LAYERS, 3, UNITS)
    ]


def formula(x: float, layers: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    for weights, slopes, shifts in layers:
        x = logit((weights * expit(slopes * x + shifts)).sum())
    return x


def test_is_the_logit_of_scipys_distribution_function(mixture: MixtureLogisticCDF) -> None:
    x, parameters = 3 * normal(COUNT), 2 * normal(COUNT, mixture.size, seed=1)
    weights, means, scales, shift, scale = read(parameters)
    at = x.numpy()[:, None]
    below = (weights * logistic.cdf(at, means, scales)).sum(-1)
    density = (weights * logistic.pdf(at, means, scales)).sum(-1)
    z, ladj = mixture.forward(x, parameters)
    np.testing.assert_allclose(z, (logit(below) - shift) / scale, rtol=1e-10, atol=1e-10)
    slope = density / (below * (1 - below)) / scale
    np.testing.assert_allclose(ladj, np.log(slope), rtol=0, atol=1e-10)


def test_is_the_formula_of_the_paper_with_the_slope_of_autograd(network: MonotoneNetwork) -> None:
    x, parameters = (2 * normal(COUNT)).requires_grad_(), 2 * normal(COUNT, network.size, seed=1)
    z, ladj = network.forward(x, parameters)
    for i in range(COUNT):
        expected = formula(x[i].item(), layers_of(parameters[i]))
        assert z[i].item() == pytest.approx(expected, rel=1e-10, abs=1e-10)
    (slope,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(ladj, slope.log(), rtol=0, atol=1e-11)


@pytest.mark.parametrize("x", [-1e4, -300.0, -40.0, 0.0, 40.0, 300.0, 1e4])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_tails_of_the_mixture_are_those_of_exact_arithmetic(
    mixture: MixtureLogisticCDF, x: float, scale: float
) -> None:
    """mpmath, whose exponents have no end; each tail is a sum of its own, without cancellation."""
    parameters = scale * normal(5, mixture.size, seed=2)
    value = torch.full((5,), x, dtype=torch.float64)
    z, ladj = mixture.forward(value, parameters)
    for i, (weights, means, scales, shift, outer) in enumerate(zip(*read(parameters), strict=True)):
        with mpmath.workdps(50):
            centered = [mpmath.mpf(x) - mean for mean in means]
            parts = [mpmath.exp(-u / scale) for u, scale in zip(centered, scales, strict=True)]
            w = [mpmath.mpf(v) for v in weights]
            w = [v / sum(w) for v in w]
            below = sum(v / (1 + e) for v, e in zip(w, parts, strict=True))
            above = sum(v * e / (1 + e) for v, e in zip(w, parts, strict=True))
            density = sum(
                v * e / (1 + e) ** 2 / s for v, e, s in zip(w, parts, scales, strict=True)
            )
            expected = float((mpmath.log(below / above) - shift) / outer)
            slope = float(mpmath.log(density / (below * above) / outer))
        assert z[i].item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert ladj[i].item() == pytest.approx(slope, abs=1e-11)


@pytest.mark.parametrize("x", [-1e4, -300.0, 40.0, 1e4])
def test_tails_of_the_network_are_those_of_exact_arithmetic(
    network: MonotoneNetwork, x: float
) -> None:
    """mpmath, whose exponents have no end; each tail is a sum of its own, without cancellation."""
    parameters = normal(5, network.size, seed=2)
    z, ladj = network.forward(torch.full((5,), x, dtype=torch.float64), parameters)
    for i in range(5):
        with mpmath.workdps(50):
            value, slope = mpmath.mpf(x), mpmath.mpf(1)
            for layer in layers_of(parameters[i]):
                low = high = bend = 0
                for w, a, b in zip(*layer, strict=True):
                    up, down = mpmath.exp(a * value + b), mpmath.exp(-a * value - b)
                    low, high = low + w / (1 + down), high + w / (1 + up)
                    bend += w * a / (1 + down) / (1 + up)
                value = mpmath.log(low / high)
                slope *= bend * (low + high) / (low * high)
            expected, expected_ladj = float(value), float(mpmath.log(slope))
        assert z[i].item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert ladj[i].item() == pytest.approx(expected_ladj, abs=1e-11)


@pytest.mark.parametrize(
    ("transform", "rate", "steps"),
    [(MixtureLogisticCDF(4, 2.0, 5.0), 0.05, 200), (MonotoneNetwork(2, 1, 2.0, 6.0), 0.1, 120)],
)
def test_gradient_descent_from_zero_separates_the_components(
    transform: MixtureLogisticCDF | MonotoneNetwork, rate: float, steps: int
) -> None:
    """Data with two modes: components that stayed equal could not give it more than one."""
    x = torch.cat([normal(140) - 4, normal(60, seed=1) + 4]) * 0.5
    parameters = torch.zeros(transform.size, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([parameters], lr=rate)
    for _ in range(steps):
        z, ladj = transform.forward(x, parameters.expand(len(x), -1))
        loss = (z**2 / 2 - ladj).mean() + math.log(2 * math.pi) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    one_normal = 0.5 * math.log(2 * math.pi * math.e * x.var().item())
    assert loss.item() < one_normal - 0.3


@pytest.mark.parametrize("name", ["components", "max_log_scale", "max_shift"])
def test_the_mixture_refuses(name: str) -> None:
    arguments = {"components": 2, "max_log_scale": 1.0, "max_shift": 1.0, name: 0}
    with pytest.raises(ValueError, match=f"{name}: expected a positive number, got 0"):
        MixtureLogisticCDF(**arguments)
