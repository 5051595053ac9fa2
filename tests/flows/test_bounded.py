"""The bounded range: what it is inside, and what it does at and beyond its limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from colorflow.flows import BoundedRange

LIMIT, MARGIN = 128.0, 1e-4
INSIDE = LIMIT * (1 - MARGIN)


@pytest.fixture
def bounded() -> BoundedRange:
    return BoundedRange(LIMIT, MARGIN)


def test_is_the_formula(bounded: BoundedRange) -> None:
    x = torch.linspace(-0.999 * LIMIT, 0.999 * LIMIT, 24, dtype=torch.float64).reshape(2, 3, 2, 2)
    z, ladj = bounded(x)
    ratio = x.numpy() / LIMIT
    np.testing.assert_allclose(z, LIMIT / 2 * np.log((1 + ratio) / (1 - ratio)), rtol=1e-12)
    slope = 1 / ((1 - ratio) * (1 + ratio))
    np.testing.assert_allclose(ladj, np.log(slope).reshape(2, -1).sum(1), rtol=1e-12)


def test_is_near_the_identity_for_small_x(bounded: BoundedRange) -> None:
    x = torch.linspace(-10, 10, 201, dtype=torch.float64)[None]
    z, ladj = bounded(x)
    assert (z - x).abs().max() < 0.03  # x^3 / 3 limit^2
    assert ladj.abs() / x.numel() < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_latent_leaves_the_box(bounded: BoundedRange, dtype: torch.dtype) -> None:
    z = torch.tensor([[-math.inf, -1e30, -1e4, -700, 700, 1e4, 1e30, math.inf]], dtype=dtype)
    x, ladj = bounded.inverse(z)
    assert (x.abs() < LIMIT).all()
    assert ladj.isfinite().all()
    assert torch.equal(x.sign(), z.sign())


@pytest.mark.parametrize("beyond", [1.0, 1.5, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_x_beyond_the_limit_counts_as_the_last_value_inside(
    bounded: BoundedRange, beyond: float, dtype: torch.dtype
) -> None:
    signs = torch.tensor([[1.0, -1.0]], dtype=dtype)
    z, ladj = bounded(signs * LIMIT * beyond)
    inside = bounded(signs * INSIDE)
    torch.testing.assert_close((z, ladj), inside, rtol=1e-3, atol=0)  # float32: 1 - ratio is 1e-4
    back, _ = bounded.inverse(z)
    torch.testing.assert_close(back, signs * INSIDE, rtol=1e-5, atol=0)


def test_gradient_is_finite_at_and_beyond_the_limit(bounded: BoundedRange) -> None:
    x = torch.tensor([[0.0, INSIDE, -INSIDE, LIMIT, -LIMIT, 1e6, -1e6]], requires_grad=True)
    z, ladj = bounded(x)
    (gradient,) = torch.autograd.grad(z.sum() + ladj.sum(), x)
    assert gradient.isfinite().all()
    assert torch.equal(gradient[0, 3:], torch.zeros(4))


def test_float32_round_trip_of_chroma(bounded: BoundedRange) -> None:
    x = torch.linspace(-110, 110, 10001)[None]  # sRGB reaches 108
    back, _ = bounded.inverse(bounded(x)[0])
    torch.testing.assert_close(back, x, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("limit", "margin"), [(0, 1e-4), (-1, 1e-4), (1, 0), (1, 1), (1, -0.1)])
def test_refuses(limit: float, margin: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        BoundedRange(limit, margin)
