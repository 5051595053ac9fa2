"""The density: its mass by numerical integration, its samples, and a density that is taught."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from colorflow import flows

CONTEXT = (3, 1, 1)
DRAWS = 4000
SIDE = np.linspace(-8, 8, 321)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def context(n: int) -> Tensor:
    return torch.randn(n, *CONTEXT, generator=seeded(1), dtype=torch.float64)


def transform() -> flows.AffineSpline:
    return flows.AffineSpline(4, 2.5, 0.5, 1.0)


def coupling(*, keep_first: bool) -> flows.Coupling:
    network = flows.ConvolutionNetwork(1, CONTEXT[0], 8, transform().size)
    return flows.Coupling(flows.ChannelPartition(2, keep_first=keep_first), network, transform())


@pytest.fixture
def plane(randomize: Callable[..., flows.Flow]) -> flows.Flow:
    """A density of two numbers given a context, with flat latents."""
    layers = [coupling(keep_first=True), coupling(keep_first=False), flows.Flatten((2, 1, 1))]
    return randomize(
        flows.Flow(flows.Composition(layers), (2,)), 0.5
    ).double()  # more is thinner than the grid


@torch.no_grad()
def density_on(flow: flows.Flow, x: Tensor, row: Tensor) -> np.ndarray:
    return flow.log_prob(x, row.expand(len(x), -1, -1, -1)).exp().numpy()


def on_plane(flow: flows.Flow, row: Tensor) -> np.ndarray:
    grid = np.stack(np.meshgrid(SIDE, SIDE, indexing="ij"), -1)
    x = torch.from_numpy(grid).reshape(-1, 2, 1, 1)
    return density_on(flow, x, row).reshape(len(SIDE), len(SIDE))


def p_value(samples: Tensor, grid: np.ndarray, density: np.ndarray) -> float:
    """Of the samples under the distribution with this density on the grid."""
    cdf = integrate.cumulative_trapezoid(density, grid, initial=0)
    return stats.kstest(samples.numpy(), lambda x: np.interp(x, grid, cdf)).pvalue


def test_mass_on_a_plane_is_one(plane: flows.Flow) -> None:
    density = on_plane(plane, context(1))
    mass = integrate.trapezoid(integrate.trapezoid(density, SIDE), SIDE)
    assert mass == pytest.approx(1, abs=1e-3)


@torch.no_grad()
def test_samples_on_a_plane_follow_the_density(plane: flows.Flow) -> None:
    row = context(1)
    density = on_plane(plane, row)
    rows = row.expand(DRAWS, -1, -1, -1)
    first, second = plane.sample(DRAWS, rows, generator=seeded(3)).flatten(1).unbind(1)
    assert p_value(first, SIDE, integrate.trapezoid(density, SIDE, axis=1)) > 0.05
    assert p_value(second, SIDE, integrate.trapezoid(density, SIDE, axis=0)) > 0.05
    mean_product = integrate.trapezoid(
        integrate.trapezoid(density * SIDE[:, None] * SIDE, SIDE), SIDE
    )
    product = first * second
    assert abs(product.mean() - mean_product) < 3 * product.std() / math.sqrt(DRAWS)


@torch.no_grad()
def test_rows_of_samples_belong_to_rows_of_the_context(plane: flows.Flow) -> None:
    rows = context(4)
    samples = plane.sample(4, rows, generator=seeded(4))
    z, _ = plane.bijection(samples, rows)
    expected = torch.randn(4, 2, generator=seeded(4)).double()
    torch.testing.assert_close(z, expected, rtol=0, atol=1e-8)
    alone = torch.cat([plane.sample(1, row[None], temperature=0) for row in rows])
    together = plane.sample(4, rows, temperature=0)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    assert (together[0] - together[1]).abs().max() > 1e-2


@torch.no_grad()
def test_temperature_scales_the_latents(plane: flows.Flow) -> None:
    rows = context(4)
    image_of_zero, _ = plane.bijection.inverse(torch.zeros(4, 2, dtype=torch.float64), rows)
    assert torch.equal(plane.sample(4, rows, temperature=0), image_of_zero)
    hot, cold = (plane.sample(4, rows, temperature=t, generator=seeded(5)) for t in (1, 0.25))
    expected = plane.bijection(hot, rows)[0] / 4
    torch.testing.assert_close(plane.bijection(cold, rows)[0], expected, rtol=0, atol=1e-8)


def test_sample_with_log_prob_is_what_log_prob_says(plane: flows.Flow) -> None:
    rows = context(4)
    x, log_prob = plane.sample_with_log_prob(4, rows, generator=seeded(6))
    assert torch.equal(x, plane.sample(4, rows, generator=seeded(6)))
    torch.testing.assert_close(log_prob, plane.log_prob(x, rows), rtol=0, atol=1e-8)
    assert torch.equal(plane.log_prob(x, rows), plane(x, rows))
    for result in (x, log_prob):
        gradients = torch.autograd.grad(
            result.sum(), list(plane.parameters()), retain_graph=True, materialize_grads=True
        )
        assert any(gradient.abs().max() > 1e-3 for gradient in gradients)


@pytest.mark.peers
def test_agrees_with_nflows() -> None:
    transforms = pytest.importorskip("nflows.transforms")
    distributions = pytest.importorskip("nflows.distributions")
    theirs = pytest.importorskip("nflows.flows")
    peer = theirs.Flow(transforms.Tanh(), distributions.StandardNormal((2, 3))).double()
    ours = flows.Flow(flows.Inverse(flows.BoundedRange(1.0)), (2, 3))
    x = torch.randn(5, 2, 3, generator=seeded(8), dtype=torch.float64)
    torch.testing.assert_close(ours.log_prob(x), peer.log_prob(x), rtol=1e-12, atol=0)


Randomize = Callable[..., Any]


def step(*, reverse: bool, context_channels: int = 0) -> flows.Autoregressive:
    order = torch.arange(2).flip(0) if reverse else torch.arange(2)
    network = flows.MaskedNetwork((2,), order, context_channels, 2, units=16)
    return flows.Autoregressive(network, flows.Affine(1.5, 4.0))


def masked(context_channels: int = 0) -> flows.Flow:
    orders = (False, True)
    steps: list[flows.Bijection] = [
        step(reverse=reverse, context_channels=context_channels) for reverse in orders
    ]
    return flows.Flow(flows.Composition(steps), (2,))


def inverse_masked(context_channels: int = 0) -> flows.Flow:
    orders = (True, False, True)
    steps: list[flows.Bijection] = [
        flows.Inverse(step(reverse=reverse, context_channels=context_channels))
        for reverse in orders
    ]
    return flows.Flow(flows.Composition(steps), (2,))


def noise(count: int, seed: int) -> Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))


def test_is_the_log_ratio_of_the_two_densities(randomize: Randomize) -> None:
    """The student's own score, in its slow direction, says the same."""
    student = randomize(inverse_masked(3)).double()
    teacher = randomize(masked(3)).double()
    z, context = noise(5, 0).double(), torch.randn(5, 3, dtype=torch.float64)
    x = student.bijection.inverse(z, context)[0]
    expected = student.log_prob(x, context) - teacher.log_prob(x, context)
    result = flows.distillation_loss(student, teacher, z, context)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)
    assert (result.abs() > 1e-3).any()


def test_student_learns_the_teacher(randomize: Randomize) -> None:
    """KL falls from above 10 nats to below 0.03, in both directions and on fresh samples."""
    teacher, student = randomize(masked(), 1.0), inverse_masked()
    fresh = noise(4000, 1)
    with torch.no_grad():
        assert flows.distillation_loss(student, teacher, fresh).mean() > 10
    optimizer = torch.optim.Adam(student.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    for i in range(300):
        loss = flows.distillation_loss(student, teacher, noise(256, 2 + i)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        assert flows.distillation_loss(student, teacher, fresh).mean() < 0.03
        x = teacher.sample(4000, generator=torch.Generator().manual_seed(0))
        assert (teacher.log_prob(x) - student.log_prob(x)).mean() < 0.03
