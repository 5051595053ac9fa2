"""The cINN of 2019 on the whole 64x64 grid, with our feature network and training pack.

A small context network follows the frozen features. The rest is `colorflow.zoo.cinn2019`, narrower,
so that the weights stay below 10 MB.
"""

from __future__ import annotations

from torch import nn

from colorflow.evaluation.densities import ConditionalDensity, DensityObjective
from colorflow.model.config import FINEST_GRID, LevelConfig
from colorflow.model.context import LevelContext
from colorflow.zoo.cinn2019 import cinn2019

SHAPE = (2, FINEST_GRID, FINEST_GRID)
CONTEXT = LevelConfig(
    grid=32, width=64, context_layers=2, attention=False, maps=(8, 16, 32), dropout=0.05,
    couplings=1, bins=2,
)  # fmt: skip
"""The context network; `couplings` and `bins` describe a level's flow and are not used."""
CONTEXT_CHANNELS = 16


def original_cinn() -> ConditionalDensity:
    """p(ab | photo) by the cINN of 2019, with 4.5 million parameters instead of 56.7."""
    to_grid = nn.Sequential(
        nn.Conv2d(CONTEXT.width, 4 * CONTEXT_CHANNELS, 1), nn.PixelShuffle(2), nn.GELU()
    )
    bijection = cinn2019(
        SHAPE,
        CONTEXT_CHANNELS,
        couplings=(2, 4, 4, 4),
        widths=(16, 32, 64, 80),
        condition_widths=(32, 64, 80),
        dense=4,
        dense_width=128,
        dense_condition_widths=(32, 48, 64, 96),
    )
    return ConditionalDensity(
        bijection, SHAPE, LevelContext(CONTEXT, coarse=False, extra_planes=0), to_grid
    )


def cinn_objective() -> DensityObjective:
    """Maximum likelihood of ab with noise on every pixel."""
    return DensityObjective("cinn2019", FINEST_GRID, CONTEXT.maps)
