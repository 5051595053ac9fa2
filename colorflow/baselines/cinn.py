"""The original cINN's architecture on the whole 64x64 grid, on our features and our pack.

Its feature network is ours, frozen; what follows it is a context network of ours, then everything
as in `colorflow.zoo.cinn2019`, narrower, so that the weights stay below 10 MB.

Dimensions: B photos.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID, LevelConfig
from colorflow.model.context import LevelContext
from colorflow.model.density import ConditionalDensity
from colorflow.training.targets import with_noise
from colorflow.zoo.cinn2019 import cinn2019

SHAPE = (2, FINEST_GRID, FINEST_GRID)
CONTEXT = LevelConfig(
    grid=32, width=64, context_layers=2, attention=False, maps=(8, 16, 32), dropout=0.05,
    couplings=1, bins=2,
)  # fmt: skip
"""The context network; couplings and bins, which belong to a level's flow, are not used."""
CONTEXT_CHANNELS = 16
DRAWS = 4
"""Samples of a photo to look at."""


def original_cinn() -> ConditionalDensity:
    """p(ab | photo) by the cINN of 2019: 4.5 million parameters instead of 56.7."""
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


class CinnTask:
    """The cINN learns ab with noise; a `Task` of the trainer."""

    name = folder = "cinn2019"
    unit = "nats a photo"
    stream = 0
    maps = CONTEXT.maps
    small_photo_side = 0

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Statistics of chroma and features."""
        cast(ConditionalDensity, module).fit(with_noise(ab, noise), condition)

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Negative log-likelihood, nats a photo, (B,)."""
        log_prob: Tensor = module(with_noise(ab, noise), condition)
        return -log_prob

    def draw(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Gray, truth and samples."""
        samples = cast(ConditionalDensity, module).sample(condition, DRAWS, noise)
        return torch.cat([torch.zeros_like(ab)[:, None], ab[:, None], samples], 1)
