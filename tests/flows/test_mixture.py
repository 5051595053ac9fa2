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

from colorflow.flows import ElementwiseTransform, MixtureLogisticCDF, MonotoneNetwork
from tests.flows.samples import normal

K, BOUND, SHIFT = 3, 0.8, 4.0
LAYERS = 2
TRANSFORMS: dict[str, ElementwiseTransform] = {
    "mixture": MixtureLogisticCDF(K, BOUND, SHIFT),
    "network": MonotoneNetwork(K, LAYERS, BOUND, SHIFT),
}
Sigmoids = tuple[np.ndarray, np.ndarray, np.ndarray]
"""w, a and b of logit(sum w sigmoid(a x + b)), (K,) each."""


def clamp(x: np.ndarray, limit: float) -> np.ndarray:
    return limit * 2 / np.pi * np.arctan(x * np.pi / 2 / limit)


def read(name: str, parameters: Tensor) -> tuple[list[Sigmoids], float, float]:
    """The layers of sigmoids, and shift and scale of the map after them, for one number."""
    raw = parameters.detach().numpy()
    gain = 4 ** ((2 * np.arange(K) + 1) / K - 1)
    layers = []
    for weights, first, second in raw[: len(raw) // (3 * K) * 3 * K].reshape(-1, 3, K):
        if name == "mixture":
            slopes = np.exp(-clamp(gain * second, BOUND))
            offsets = -clamp(gain * first, SHIFT) * slopes
        else:
            slopes, offsets = np.exp(clamp(gain * first, BOUND)), clamp(gain * second, SHIFT)
        layers.append((np.exp(weights) / np.exp(weights).sum(), slopes, offsets))
    if name == "network":
        return layers, 0.0, 1.0
    return layers, clamp(raw[-2], SHIFT), np.exp(clamp(raw[-1], BOUND))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_is_the_formula_of_the_paper_with_the_slope_of_autograd(name: str) -> None:
    transform, x = TRANSFORMS[name], (2 * normal(40)).requires_grad_()
    parameters = 2 * normal(40, transform.size, seed=1)
    z, ladj = transform.forward(x, parameters)
    for i in range(40):
        layers, shift, scale = read(name, parameters[i])
        expected = x[i].item()
        for w, a, b in layers:
            expected = logit((w * expit(a * expected + b)).sum())
        assert z[i].item() == pytest.approx((expected - shift) / scale, rel=1e-10, abs=1e-10)
        if name == "mixture":  # the same as scipy has it
            below = (w * logistic.cdf(x[i].item(), -b / a, 1 / a)).sum()
            assert logit(below) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    (slope,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(ladj, slope.log(), rtol=0, atol=1e-11)


@pytest.mark.parametrize("x", [-1e4, -300.0, -40.0, 0.0, 40.0, 300.0, 1e4])
@pytest.mark.parametrize("size", [0.5, 3.0])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_tails_are_those_of_exact_arithmetic(name: str, size: float, x: float) -> None:
    """mpmath, whose exponents have no end; each tail is a sum of its own, without cancellation."""
    parameters = size * normal(5, TRANSFORMS[name].size, seed=2)
    z, ladj = TRANSFORMS[name].forward(torch.full((5,), x, dtype=torch.float64), parameters)
    for i in range(5):
        layers, shift, scale = read(name, parameters[i])
        with mpmath.workdps(50):
            value, slope = mpmath.mpf(x), mpmath.mpf(1)
            for layer in layers:
                low = high = bend = 0
                for w, a, b in zip(*layer, strict=True):
                    up, down = mpmath.exp(a * value + b), mpmath.exp(-a * value - b)
                    low, high = low + w / (1 + down), high + w / (1 + up)
                    bend += w * a / (1 + down) / (1 + up)
                value = mpmath.log(low / high)
                slope *= bend * (low + high) / (low * high)
            expected = float((value - shift) / scale)
            expected_ladj = float(mpmath.log(slope / scale))
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
