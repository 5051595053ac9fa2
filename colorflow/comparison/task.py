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

from colorflow.flows import Composition, Flow, Standardize
from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID, LevelConfig
from colorflow.model.context import LevelContext
from colorflow.training.targets import NOISE
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

FIRST_ROWS = 128
"""Rows that layers with a start of their own (ActNorm) take it from."""

DRAWS = 4
"""Samples of a photo to look at."""


class ConditionalDensity(nn.Module):
    """p(ab | photo) by one architecture, with its context network.

    Args:
        architecture: of the zoo.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.context = LevelContext(CONTEXT, coarse=False, extra_planes=0)
        self.standardize = Standardize(CHANNELS)
        bijection = architecture.build(SHAPE, CONTEXT.width)
        self.flow = Flow(Composition([self.standardize, bijection]), (DIMENSIONS,))

    def fit(self, ab: Tensor, condition: Condition) -> None:
        """Takes fixed statistics, and the starts of the layers that have one, from training data.

        Args:
            ab: (B, 2, 16, 16) CIELAB units, with noise.
            condition: of the B photos.
        """
        self.standardize.fit(ab)
        self.context.fit(condition)
        self.train()
        self(ab[:FIRST_ROWS], condition.map(lambda x: x[:FIRST_ROWS]))

    def context_of(self, condition: Condition) -> Tensor:
        """What the flow sees of the photos: (B, 64, 16, 16)."""
        return self.context.of_sample(self.context.of_photo(condition), None)

    def forward(self, ab: Tensor, condition: Condition) -> Tensor:
        """`log_prob`."""
        return self.log_prob(ab, condition)

    def log_prob(self, ab: Tensor, condition: Condition) -> Tensor:
        """log p(ab | photo) in nats, per CIELAB unit, (B,).

        Args:
            ab: (B, 2, 16, 16) CIELAB units.
            condition: of the B photos.
        """
        return self.flow.log_prob(ab, self.context_of(condition))

    def sample(
        self, condition: Condition, n: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draws n colourings of each photo: (B, n, 2, 16, 16) CIELAB units."""
        context = self.context_of(condition).repeat_interleave(n, 0)
        drawn = self.flow.sample(len(context), context, generator=generator)
        return drawn.unflatten(0, (len(condition), n))


class ChromaTask:
    """An architecture learns the task; a `Task` of the trainer.

    Args:
        name: key of the architecture in the zoo.
    """

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
        """Grey, truth on the 16x16 grid, and samples."""
        truth = means(ab)[:, None]
        samples = cast(ConditionalDensity, module).sample(condition, DRAWS, noise)
        return torch.cat([torch.zeros_like(truth), truth, samples], 1)


def means(ab: Tensor) -> Tensor:
    """(B, 2, 64, 64) -> means over the cells of the task's grid, (B, 2, 16, 16)."""
    return F.avg_pool2d(ab, FINEST_GRID // GRID)


def noisy_means(ab: Tensor, generator: torch.Generator) -> Tensor:
    """What is modelled: the means with noise, drawn on the CPU so that all devices see the same."""
    x = means(ab)
    return x + NOISE * torch.randn(x.shape, generator=generator).to(x)


def bits_per_dim(nats: float) -> float:
    """Bits a dimension of a negative log-likelihood in nats a photo, density per CIELAB unit."""
    return nats / (DIMENSIONS * math.log(2))
