"""Affine maps and the soft clamp, bounds of exponential scales, and bounded ranges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special

from colorflow import flows
from tests.flows.samples import normal

TRANSFORMS = {
    "affine": flows.Affine(0.7),
    "bounded-affine": flows.Affine(0.7, 3.0),
    "mixture": flows.MixtureLogisticCDF(3, 0.7, 3.0),
    "monotone": flows.MonotoneNetwork(3, 2, 0.7, 2.0),
}


def test_affine_is_the_formula() -> None:
    x, parameters = normal(50, seed=1), 3 * normal(50, 2)
    z, ladj = flows.Affine(0.7, 3.0).forward(x, parameters)
    shift, scale = parameters.numpy().T
    shift = 3.0 * 2 / np.pi * np.arctan(np.pi / 2 * shift / 3.0)
    scale = 0.7 * 2 / np.pi * np.arctan(np.pi / 2 * scale / 0.7)
    np.testing.assert_allclose(z, (x.numpy() - shift) / np.exp(scale), rtol=1e-13)
    np.testing.assert_allclose(ladj, -scale, rtol=1e-13)


def test_soft_clamp_has_slope_one_at_zero_and_never_reaches_its_limit() -> None:
    x = torch.tensor([0.0, 1e-6, -1e-6, 1e3, -1e3], dtype=torch.float64, requires_grad=True)
    y = flows.soft_clamp(x, 2.0)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope[:3], torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-10)
    torch.testing.assert_close(y[:3], x[:3], rtol=1e-10, atol=0)
    assert (y.abs() < 2).all()
    assert (slope > 0).all()


@pytest.mark.parametrize(
    ("name", "most"),
    [("affine", 0.7), ("bounded-affine", 0.7), ("mixture", 1.4), ("monotone", 1.4)],
)
@pytest.mark.parametrize("size", [1.0, 1e2, 1e4])
def test_exponential_scales_are_bounded(name: str, most: float, size: float) -> None:
    """Far out, a mixture and a network have straight tails whose slopes are their scales alone."""
    transform = TRANSFORMS[name]
    signs = torch.sign(normal(4000, transform.size))
    far = 1e6 * torch.sign(normal(4000, seed=1))
    for direction in (transform.forward, transform.inverse):
        _, ladj = direction(far, size * signs)
        assert ladj.abs().max() <= most + 1e-9
    if size == 1e4:
        assert ladj.min() < 0.99 * -most  # and the bounds are nearly reached
        assert ladj.max() > 0.99 * most


LIMIT, MARGIN = 128.0, 1e-4
INSIDE = LIMIT * (1 - MARGIN)


@pytest.fixture
def bounded() -> flows.BoundedRange:
    return flows.BoundedRange(LIMIT)


def test_is_the_formula(bounded: flows.BoundedRange) -> None:
    x = torch.linspace(-0.999 * LIMIT, 0.999 * LIMIT, 24, dtype=torch.float64).reshape(2, 3, 2, 2)
    z, ladj = bounded(x)
    ratio = x.numpy() / LIMIT
    np.testing.assert_allclose(z, LIMIT / 2 * np.log((1 + ratio) / (1 - ratio)), rtol=1e-12)
    slope = 1 / ((1 - ratio) * (1 + ratio))
    np.testing.assert_allclose(ladj, np.log(slope).reshape(2, -1).sum(1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_latent_leaves_the_box(bounded: flows.BoundedRange, dtype: torch.dtype) -> None:
    z = torch.tensor([[-math.inf, -1e30, -1e4, -700, 700, 1e4, 1e30, math.inf]], dtype=dtype)
    x, ladj = bounded.inverse(z)
    assert (x.abs() < LIMIT).all()
    assert ladj.isfinite().all()
    assert torch.equal(x.sign(), z.sign())


@pytest.mark.parametrize("beyond", [1.0, 1.5, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_x_beyond_the_limit_counts_as_the_last_value_inside(
    bounded: flows.BoundedRange, beyond: float, dtype: torch.dtype
) -> None:
    signs = torch.tensor([[1.0, -1.0]], dtype=dtype)
    z, ladj = bounded(signs * LIMIT * beyond)
    inside = bounded(signs * INSIDE)
    torch.testing.assert_close((z, ladj), inside, rtol=1e-3, atol=0)  # float32: 1 - ratio is 1e-4
    back, _ = bounded.inverse(z)
    torch.testing.assert_close(back, signs * INSIDE, rtol=1e-5, atol=0)


ALPHAS = [0.05, 1e-6]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_logit_is_the_formula(alpha: float) -> None:
    x = torch.linspace(0, 1, 24, dtype=torch.float64).reshape(2, 3, 2, 2)
    z, ladj = flows.Logit(alpha)(x)
    p = alpha + (1 - 2 * alpha) * x.numpy()
    np.testing.assert_allclose(z, special.logit(p), rtol=1e-9)
    slope = (1 - 2 * alpha) / (p * (1 - p))
    np.testing.assert_allclose(ladj, np.log(slope).reshape(2, -1).sum(1), rtol=1e-10)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_logit_in_float32_is_accurate_up_to_both_ends(alpha: float) -> None:
    x = torch.cat([torch.tensor([0, 1e-7, 1e-5]), torch.linspace(0.01, 0.99, 99)])
    x = torch.cat([x, 1 - x])[:, None]
    z, ladj = flows.Logit(alpha)(x)
    exact_z, exact_ladj = flows.Logit(alpha)(x.double())
    torch.testing.assert_close(z.double(), exact_z, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ladj.double(), exact_ladj, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(flows.Logit(alpha).inverse(z)[0], x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logit_beyond_the_ends_counts_as_the_last_value_inside(
    alpha: float, dtype: torch.dtype
) -> None:
    x = torch.tensor([[-1e30], [-5], [6], [1e30]], dtype=dtype).requires_grad_()
    z, ladj = flows.Logit(alpha)(x)
    end = -math.log(flows.Logit.MARGIN * alpha)
    expected = torch.tensor([[-end], [-end], [end], [end]], dtype=dtype)
    torch.testing.assert_close(z, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        ladj, torch.full((4,), math.log1p(-2 * alpha) + end, dtype=dtype), rtol=1e-6, atol=0
    )
    (gradient,) = torch.autograd.grad(z.sum() + ladj.sum(), x)
    assert torch.equal(gradient, torch.zeros_like(gradient))
