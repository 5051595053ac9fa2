"""Residual flow: which estimator counts when, and that it estimates the right number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.flows import Bijection, ExactLogDet, Residual, RussianRoulette
from colorflow.zoo import residual
from colorflow.zoo.residual import CONTINUING, TERMS_IN_TRAINING

CONTEXT_CHANNELS = 3


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def blocks(bijection: Bijection) -> list[Residual]:
    return [part for part in bijection.modules() if isinstance(part, Residual)]


def test_training_takes_a_short_roulette_and_evaluation_an_exact_number() -> None:
    flow = residual((2, 4, 4), CONTEXT_CHANNELS, width=8)
    for block in blocks(flow.train()):
        assert isinstance(block.estimator, RussianRoulette)
        assert block.estimator.exact_terms == TERMS_IN_TRAINING
    for block in blocks(flow.eval()):
        assert isinstance(block.estimator, ExactLogDet)
    assert all(isinstance(block.estimator, RussianRoulette) for block in blocks(flow.train()))


@pytest.mark.parametrize("coefficient", [0.5, 0.9])
def test_the_variance_is_finite(coefficient: float) -> None:
    assert coefficient**2 < CONTINUING


def test_the_estimate_in_training_has_the_exact_mean(
    randomize: Callable[..., Bijection],
) -> None:
    """Copies of one photo, each with probes of its own, and many lengths of the series.

    The tolerance is five standard errors, of the means of the calls.
    """
    flow = randomize(residual((2, 4, 4), CONTEXT_CHANNELS, width=8, depth=1), 0.7).double()
    x, context = normal(1, 2, 4, 4, seed=1), normal(1, CONTEXT_CHANNELS, 4, 4, seed=2)
    with torch.no_grad():
        exact = flow(x, context)[1].item()
        for block in blocks(flow):
            block.estimator = block.in_training
        copies = x.expand(128, -1, -1, -1), context.expand(128, -1, -1, -1)
        means = torch.stack([flow(*copies)[1].mean() for _ in range(60)])
    error = means.std().item() / len(means) ** 0.5
    assert abs(means.mean().item() - exact) < 5 * error
    assert error < 0.05
    assert means.std() > 1e-4


@pytest.mark.parametrize("coefficient", [0.5, 0.9])
def test_every_block_contracts_by_its_coefficient(
    randomize: Callable[..., Bijection], coefficient: float
) -> None:
    """Largest singular value of the Jacobian of g; parameters large enough for the bound to act."""
    built = residual((2, 4, 4), CONTEXT_CHANNELS, depth=1, width=8, coefficient=coefficient)
    flow = randomize(built, 5.0).double()
    for block in blocks(flow):
        grid = block.network.first.grid
        x = normal(1, block.network.first.weight.shape[1], *grid, seed=1)
        context = normal(1, CONTEXT_CHANNELS, *grid, seed=2)
        function = block.network.given(context)
        matrix = torch.autograd.functional.jacobian(function, x, vectorize=True)
        largest = torch.linalg.matrix_norm(matrix.reshape(x.numel(), x.numel()), 2).item()
        assert 0.05 * coefficient < largest <= coefficient
