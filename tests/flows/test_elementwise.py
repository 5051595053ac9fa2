"""Affine maps, the soft clamp, and the bounds of exponential scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorflow.flows import Affine, MixtureLogisticCDF, MonotoneNetwork, soft_clamp

TRANSFORMS = {
    "affine": Affine(0.7),
    "bounded-affine": Affine(0.7, 3.0),
    "mixture": MixtureLogisticCDF(3, 0.7, 3.0),
    "monotone": MonotoneNetwork(3, 2, 0.7, 2.0),
}


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_affine_is_the_formula() -> None:
    x, parameters = normal(50, seed=1), 3 * normal(50, 2)
    z, ladj = Affine(0.7, 3.0).forward(x, parameters)
    shift, scale = parameters.numpy().T
    shift = 3.0 * 2 / np.pi * np.arctan(np.pi / 2 * shift / 3.0)
    scale = 0.7 * 2 / np.pi * np.arctan(np.pi / 2 * scale / 0.7)
    np.testing.assert_allclose(z, (x.numpy() - shift) / np.exp(scale), rtol=1e-13)
    np.testing.assert_allclose(ladj, -scale, rtol=1e-13)


def test_soft_clamp_has_slope_one_at_zero_and_never_reaches_its_limit() -> None:
    x = torch.tensor([0.0, 1e-6, -1e-6, 1e3, -1e3], dtype=torch.float64, requires_grad=True)
    y = soft_clamp(x, 2.0)
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
