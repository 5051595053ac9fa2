"""Small models with random weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from colorflow.enlarge.model import DetailModel, StepConfig

ModelOf = Callable[..., DetailModel]


@pytest.fixture
def model_of(randomize: Callable[..., nn.Module]) -> ModelOf:
    """Makes a small model with random weights; `restores` is the only choice."""

    def make(*, restores: bool = False) -> DetailModel:
        config = StepConfig(
            restores=restores, width=12, blocks=1, couplings=2, coupling_width=8, bins=4
        )
        model = DetailModel(config)
        randomize(model)
        return model

    return make
