"""Small models with random weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from colorflow.repair.model import FillConfig, FillModel, RepairWeights
from colorflow.repair.network import Finder, UNetConfig
from colorflow.repair.repairer import Repairer

SHAPE = UNetConfig(widths=(6, 8))
FILL_SHAPE = FillConfig(mean=SHAPE, coupling_width=8, bins=4)


@pytest.fixture
def fill_model(randomize: Callable[..., nn.Module]) -> FillModel:
    model = FillModel(FILL_SHAPE)
    randomize(model)
    return model


@pytest.fixture
def repairer(randomize: Callable[..., nn.Module], fill_model: FillModel) -> Repairer:
    finder = Finder(SHAPE)
    randomize(finder)
    return Repairer(RepairWeights(finder=finder, fill=fill_model, training={}, digest="0" * 16))
