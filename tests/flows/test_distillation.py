"""Distillation of a flow that scores fast into one that samples fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from colorflow.flows import (
    Affine,
    Autoregressive,
    Bijection,
    Composition,
    Flow,
    Inverse,
    MaskedNetwork,
    distillation_loss,
)

Randomize = Callable[..., Any]


def step(*, reverse: bool, context_channels: int = 0) -> Autoregressive:
    order = torch.arange(2).flip(0) if reverse else torch.arange(2)
    network = MaskedNetwork((2,), order, context_channels, 2, units=16)
    return Autoregressive(network, Affine(1.5, 4.0))


def masked(context_channels: int = 0) -> Flow:
    orders = (False, True)
    steps: list[Bijection] = [
        step(reverse=reverse, context_channels=context_channels) for reverse in orders
    ]
    return Flow(Composition(steps), (2,))


def inverse_masked(context_channels: int = 0) -> Flow:
    orders = (True, False, True)
    steps: list[Bijection] = [
        Inverse(step(reverse=reverse, context_channels=context_channels)) for reverse in orders
    ]
    return Flow(Composition(steps), (2,))


def noise(count: int, seed: int) -> Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))


def test_is_the_log_ratio_of_the_two_densities(randomize: Randomize) -> None:
    """The student's own score, in its slow direction, says the same."""
    student = randomize(inverse_masked(3)).double()
    teacher = randomize(masked(3)).double()
    z, context = noise(5, 0).double(), torch.randn(5, 3, dtype=torch.float64)
    x = student.bijection.inverse(z, context)[0]
    expected = student.log_prob(x, context) - teacher.log_prob(x, context)
    result = distillation_loss(student, teacher, z, context)
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)
    assert (result.abs() > 1e-3).any()


def test_student_learns_the_teacher(randomize: Randomize) -> None:
    """KL falls from above 10 nats to below 0.03, in both directions and on fresh samples."""
    teacher, student = randomize(masked(), 1.0), inverse_masked()
    fresh = noise(4000, 1)
    with torch.no_grad():
        assert distillation_loss(student, teacher, fresh).mean() > 10
    optimizer = torch.optim.Adam(student.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    for i in range(300):
        loss = distillation_loss(student, teacher, noise(256, 2 + i)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        assert distillation_loss(student, teacher, fresh).mean() < 0.03
        x = teacher.sample(4000, generator=torch.Generator().manual_seed(0))
        assert (teacher.log_prob(x) - student.log_prob(x)).mean() < 0.03
