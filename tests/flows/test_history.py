"""Planar and radial flows, Tabak-Turner steps and Rippel-Adams layers, against scipy and numpy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import erf
from torch import Tensor, nn

from colorflow.flows import Planar, Radial, RippelAdams, TabakTurner
from colorflow.flows.planar import MIN_SLOPE, MIN_WIDTH, VectorBijection


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def above_minus_one(x: float) -> float:
    return MIN_SLOPE - 1 + (1 - MIN_SLOPE) * softplus(x + math.log(math.e - 1))


def filled(bijection: VectorBijection, *values: float) -> VectorBijection:
    """With its own parameters set one by one."""
    bijection = bijection.double()
    with torch.no_grad():
        bijection.start.copy_(torch.tensor(values, dtype=torch.float64))
    return bijection


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_planar_solves_along_its_direction() -> None:
    """w = 2, and u so far below -1/2 that only the constraint keeps the map increasing."""
    planar = filled(Planar((1,)), 2.0, -3.0, 0.7)
    along = above_minus_one(-6.0)
    x = column(-1.5, -0.35, 0.1, 4.0)
    z, _ = planar(x)
    u = along / 2
    torch.testing.assert_close(z, x + u * torch.tanh(2 * x + 0.7), rtol=1e-12, atol=1e-12)
    targets = np.linspace(-3, 3, 13)
    expected = [brentq(lambda v, t=t: v + u * np.tanh(2 * v + 0.7) - t, -9, 9) for t in targets]
    found, _ = planar.inverse(column(*targets))
    np.testing.assert_allclose(found[:, 0].detach(), expected, rtol=1e-9, atol=1e-9)


def test_radial_moves_along_the_radius() -> None:
    radial = filled(Radial((2,)), 1.0, -1.0, 0.3, -2.0)
    alpha = MIN_WIDTH + softplus(0.3)
    beta = alpha * above_minus_one(-2.0)
    x = torch.tensor([[1.0, 2.0], [1.01, -1.0]], dtype=torch.float64)
    z, ladj = radial(x)
    for i, r in enumerate((3.0, 0.01)):
        moved = (z[i] - torch.tensor([1.0, -1.0])).norm().item()
        assert moved == pytest.approx(r + beta * r / (alpha + r), rel=1e-12)
        slope = 1 + beta / (alpha + r) - beta * r / (alpha + r) ** 2
        expected = math.log(1 + beta / (alpha + r)) + math.log(slope)
        assert ladj[i].item() == pytest.approx(expected, rel=1e-10)
    for target in (1e-9, 0.3, 1.0, 40.0):
        back, _ = radial.inverse(torch.tensor([[1.0 + target, -1.0]], dtype=torch.float64))
        r = brentq(lambda r, t=target: r + beta * r / (alpha + r) - t, 0, 99, xtol=1e-14)
        assert back[0, 0].item() - 1 == pytest.approx(r, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("bend", [-3.0, 2.0])
def test_tabak_turner_steps(bend: float) -> None:
    step = filled(TabakTurner((2,), 1), 0.5, 0.0, -0.2, bend)
    alpha = MIN_WIDTH + softplus(-0.2)
    beta = above_minus_one(bend) * alpha * math.sqrt(math.pi) / 2
    for r in (0.02, 0.4, 3.0, 500.0):
        x = torch.tensor([[0.5, -r]], dtype=torch.float64)
        z, ladj = step(x)
        moved = r + beta * erf(r / alpha)
        assert z[0].tolist() == pytest.approx([0.5, -moved], rel=1e-12)
        slope = 1 + above_minus_one(bend) * math.exp(-((r / alpha) ** 2))
        assert ladj.item() == pytest.approx(math.log(moved / r) + math.log(slope), rel=1e-9)
    target = 1.7
    r = brentq(lambda r: r + beta * erf(r / alpha) - target, 0, 99, xtol=1e-14)
    back, _ = step.inverse(torch.tensor([[0.5, target]], dtype=torch.float64))
    assert back[0].tolist() == pytest.approx([0.5, r], rel=1e-12)


@pytest.mark.parametrize("distance", [0.0, 1e-13, 1e-9])
@pytest.mark.parametrize("build", [lambda: Radial((3,)), lambda: TabakTurner((3,), 1)])
def test_center_is_no_hole(build: Callable[[], VectorBijection], distance: float) -> None:
    """At the center the map is a scaling: D log(slope), with finite gradients."""
    bijection = filled(build(), 0.0, 0.0, 0.0, 0.5, 1.5)
    x = torch.zeros(1, 3, dtype=torch.float64)
    x[0, 1] = distance
    x.requires_grad_()
    z, ladj = bijection(x)
    slope = 1 + above_minus_one(1.5)
    assert ladj.item() == pytest.approx(3 * math.log(slope), rel=1e-6)
    assert z[0].tolist() == pytest.approx([0, slope * distance, 0], rel=1e-6)
    back, back_ladj = bijection.inverse(z)
    assert back[0].tolist() == pytest.approx([0, distance, 0], rel=1e-9)
    assert torch.autograd.grad(ladj.sum() + back_ladj.sum() + z.sum(), x)[0].isfinite().all()


def test_rippel_adams_is_a_matrix_and_a_squash(randomize: Callable[..., nn.Module]) -> None:
    layer = randomize(RippelAdams((3,))).double()
    log_scale, b, bend = (v.numpy() for v in layer.start.detach().chunk(3))
    below, above = layer.triangles.detach().numpy()
    lower, upper = np.eye(3), np.diag(np.exp(10 * 2 / np.pi * np.arctan(log_scale * np.pi / 20)))
    lower[[1, 2, 2], [0, 0, 1]] = below
    upper[[0, 0, 1], [1, 2, 2]] = above
    x = torch.randn(6, 3, dtype=torch.float64)
    y = x.numpy() @ (lower @ upper).T + b
    beta = np.array([above_minus_one(v) for v in bend])
    np.testing.assert_allclose(layer(x)[0].detach(), y + beta * y / (1 + np.abs(y)), rtol=1e-12)


@pytest.mark.peers
def test_planar_is_that_of_normflows() -> None:
    peers = pytest.importorskip("normflows.flows.planar")
    w, u, b = torch.randn(1, 3), torch.randn(1, 3), torch.randn(1)
    theirs = peers.Planar((3,), u=u, w=w, b=b).double()
    # Their w . u is above -1, ours above -1 + MIN_SLOPE, and both are reached from another u.
    along = softplus((w * u).sum().item()) - 1
    free = brentq(lambda a: above_minus_one(a) - along, -9, 9, xtol=1e-15)
    moved = u.double() + (free - (w * u).sum().double()) * w.double() / (w**2).sum().double()
    ours = filled(Planar((3,)), *w[0].tolist(), *moved[0].tolist(), b.item())
    x = torch.randn(6, 3, dtype=torch.float64)
    for mine, other in zip(ours(x), theirs(x), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)
