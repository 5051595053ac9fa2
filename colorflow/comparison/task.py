"""The one task of all architectures: p(ab on a 16x16 grid | photo).

ab are the chroma means of the cells, in CIELAB units, with Gaussian noise of std 1 CIELAB unit on
each: in training and in evaluation. The context network is the same for every architecture and is
trained together with the flow.

Dimensions: B photos, n samples.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID, LevelConfig
from colorflow.model.context import LevelContext
from colorflow.model.density import ConditionalDensity
from colorflow.training.targets import with_noise
from colorflow.zoo import Architecture

GRID = 16
CHANNELS = 2
SHAPE = (CHANNELS, GRID, GRID)
DIMENSIONS = math.prod(SHAPE)

CONTEXT = LevelConfig(
    grid=GRID, width=64, context_layers=2, attention=False, maps=(8, 16), dropout=0.05,
    couplings=1, bins=2,
)  # fmt: skip
"""The context of every architecture; couplings and bins, which belong to a level's flow, are not
used."""

DRAWS = 4
"""Samples of a photo to look at."""


def density_of(architecture: Architecture) -> ConditionalDensity:
    """p(ab | photo) by one architecture, with its context network."""
    context = LevelContext(CONTEXT, coarse=False, extra_planes=0)
    return ConditionalDensity(architecture.build(SHAPE, CONTEXT.width), SHAPE, context)


class ChromaTask:
    """An architecture learns the task; a `Task` of the trainer.

    Args:
        name: key of the architecture in the zoo.
    """

    unit = "nats a photo"
    stream = 0  # the same for all: every architecture sees the same photos and noise
    maps = CONTEXT.maps
    small_photo_side = 0

    def __init__(self, name: str) -> None:
        self.name = self.folder = name

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Statistics of chroma and features."""
        cast(ConditionalDensity, module).fit(noisy_means(ab, noise), condition)

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Negative log-likelihood, nats a photo, (B,)."""
        log_prob: Tensor = module(noisy_means(ab, noise), condition)
        return -log_prob

    def draw(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Gray, truth on the 16x16 grid, and samples."""
        truth = means(ab)[:, None]
        samples = cast(ConditionalDensity, module).sample(condition, DRAWS, noise)
        return torch.cat([torch.zeros_like(truth), truth, samples], 1)


def means(ab: Tensor) -> Tensor:
    """(B, 2, 64, 64) -> means over the cells of the task's grid, (B, 2, 16, 16)."""
    return F.avg_pool2d(ab, FINEST_GRID // GRID)


def noisy_means(ab: Tensor, generator: torch.Generator) -> Tensor:
    """What is modeled: the means with noise."""
    return with_noise(means(ab), generator)


def bits_per_dim(nats: float) -> float:
    """Bits a dimension of a negative log-likelihood in nats a photo, density per CIELAB unit."""
    return nats / (DIMENSIONS * math.log(2))
