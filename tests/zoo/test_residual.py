"""Planar and radial flows: each layer has a say; residual flow: which estimator counts when."""

from __future__ import annotations

import pytest

from colorflow.flows import Bijection, ExactLogDet, Residual, RussianRoulette
from colorflow.zoo import ARCHITECTURES, residual
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


def test_they_are_for_the_plane_alone() -> None:
    in_the_plane = {name for name, architecture in ARCHITECTURES.items() if not architecture.images}
    assert in_the_plane == {"planar", "radial"}
