"""Baselines that cost nothing, for tests of what is done with baselines."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from colorflow.evaluation.baselines import (
    CINN_SHAPE,
    FORMAT,
    ConditionalDensity,
    DeterministicNetwork,
)
from colorflow.model.config import PyramidConfig
from colorflow.model.context import LevelContext
from colorflow.model.weights import write_tensors
from colorflow.zoo.cinn2019 import cinn2019
from tests.small_weights import small_level

CONFIG = PyramidConfig(
    levels=(
        small_level(4, 8, couplings=1, attention=True),
        small_level(4, 8, couplings=1, attention=True),
        small_level(8, 16, couplings=1),
        small_level(16, 16, couplings=1),
        small_level(32, 32, couplings=1),
    )
)


def small_cinn() -> ConditionalDensity:
    """The published stages with next to nothing in each."""
    bijection = cinn2019(
        CINN_SHAPE, 2, couplings=(1, 1, 1, 1), widths=(2, 2, 2, 2), condition_widths=(2, 2, 2),
        dense=1, dense_width=4, dense_condition_widths=(2, 2, 2, 2),
    )  # fmt: skip
    to_grid = nn.Sequential(nn.Conv2d(8, 8, 1), nn.PixelShuffle(2))
    context = LevelContext(small_level(32, 8, 16, 32, couplings=1), coarse=False, extra_planes=0)
    return ConditionalDensity(bijection, CINN_SHAPE, context, to_grid)


SMALL_BASELINES = {"deterministic": lambda: DeterministicNetwork(CONFIG), "cinn2019": small_cinn}
"""Small modules under the names of the baselines."""


def save_baseline(path: Path, name: str, module: nn.Module, temperature: float) -> None:
    """Writes a file as those that are shipped, in float16."""
    header = {"baseline": name, "temperature": temperature, "training": {"note": "größer"}}
    write_tensors(path, module, FORMAT, header)
