"""Planar and radial flows: each layer has a say; residual flow: which estimator counts when."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from colorflow.flows import Bijection, ExactLogDet, Planar, Radial, Residual, RussianRoulette
from colorflow.zoo import ARCHITECTURES, planar, radial, residual
from colorflow.zoo.residual import CONTINUING, TERMS_IN_TRAINING

CONTEXT_CHANNELS = 3


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


@pytest.mark.parametrize(("build", "kind"), [(planar, Planar), (radial, Radial)])
def test_layers_differ_and_all_see_the_context(
    build: Callable[..., Bijection], kind: type[Bijection], randomize: Callable[..., Bijection]
) -> None:
    flow = randomize(build((2, 1, 1), CONTEXT_CHANNELS, depth=5), 0.35).double()
    layers = [part for part in flow.modules() if isinstance(part, kind)]
    assert len(layers) == 5
    x = torch.ones(1, 2, 1, 1, dtype=torch.float64)
    context = torch.ones(1, CONTEXT_CHANNELS, 1, 1, dtype=torch.float64)
    moved = torch.stack([layer(x, context)[0].flatten() for layer in layers])
    assert torch.cdist(moved, moved)[~torch.eye(5, dtype=torch.bool)].min() > 1e-4
    other = torch.stack([layer(x, -context)[0].flatten() for layer in layers])
    assert (moved - other).abs().amax(1).min() > 1e-4


def test_they_are_for_the_plane_alone() -> None:
    in_the_plane = {name for name, architecture in ARCHITECTURES.items() if not architecture.images}
    assert in_the_plane == {"planar", "radial"}
