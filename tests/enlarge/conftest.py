"""Small models with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from colorflow.enlarge.model import DetailModel
from tests.enlarge.made_up_patches import write_patches
from tests.small_weights import small_step

ModelOf = Callable[..., DetailModel]


@pytest.fixture
def model_of(randomize: Callable[..., nn.Module]) -> ModelOf:
    """Makes a small model with random weights; `restores` is the only choice."""

    def make(*, restores: bool = False) -> DetailModel:
        model = DetailModel(small_step(restores=restores))
        randomize(model)
        return model

    return make


@pytest.fixture(scope="session")
def patches_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of patches. Read it only."""
    folder = tmp_path_factory.mktemp("patches")
    write_patches(folder)
    return folder
