"""The compared densities of chroma, and what they learn.

A density is one conditional flow for all chroma of a grid, with its context network. It learns by
maximum likelihood, or the density of a teacher.

Dimensions: B photos, n samples, g the side of the grid.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import Bijection, Composition, Flow, Standardize, distillation_loss
from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.context import LevelContext
from colorflow.training.pictures import PaintsChroma
from colorflow.training.targets import with_noise

FIRST_ROWS = 128
"""Rows that initialize layers with data-dependent initialization (ActNorm)."""
PREVIEW_SAMPLES = 4
"""Samples of a photo in the picture of an evaluation."""


class ConditionalDensity(nn.Module):
    """p(x | photo) by one bijection.

    Args:
        bijection: from (B, C, H, W) to (B, C * H * W).
        shape: (C, H, W).
        context: of the photo.
        to_grid: from the context's grid to H x W, where they differ.
    """

    def __init__(
        self,
        bijection: Bijection,
        shape: tuple[int, int, int],
        context: LevelContext,
        to_grid: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.context = context
        self.to_grid = nn.Identity() if to_grid is None else to_grid
        self.standardize = Standardize(shape[0])
        self.flow = Flow(Composition([self.standardize, bijection]), (math.prod(shape),))

    def fit(self, x: Tensor, condition: Condition) -> None:
        """Takes fixed statistics and data-dependent initial values from training data.

        Args:
            x: (B, C, H, W).
            condition: of the B photos.
        """
        self.standardize.fit(x)
        self.context.fit(condition)
        self.train()
        self(x[:FIRST_ROWS], condition.map(lambda y: y[:FIRST_ROWS]))

    def context_of(self, condition: Condition) -> Tensor:
        """The flow's context of the photos: (B, context channels, H, W)."""
        context: Tensor = self.to_grid(
            self.context.of_sample(self.context.of_photo(condition), None)
        )
        return context

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """`log_prob`."""
        return self.log_prob(x, condition)

    def log_prob(self, x: Tensor, condition: Condition) -> Tensor:
        """log p(x | photo) in nats, per unit of x, (B,).

        Args:
            x: (B, C, H, W).
            condition: of the B photos.
        """
        return self.flow.log_prob(x, self.context_of(condition))

    def sample(
        self,
        condition: Condition,
        n: int,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """n samples for each photo, from latents with the given std: (B, n, C, H, W)."""
        context = self.context_of(condition).repeat_interleave(n, 0)
        samples = self.flow.sample(
            len(context), context, temperature=temperature, generator=generator
        )
        return samples.unflatten(0, (len(condition), n))


class DensityObjective(PaintsChroma):
    """Maximum likelihood of a photo's noisy chroma means on one grid.

    The means are in CIELAB units; each gets Gaussian noise of std 1 in training and in evaluation.

    Args:
        name: of the density, in messages and as the folder's name.
        grid: side of the grid.
        maps: sides of the feature maps that the context network reads.
    """

    unit = "nats a photo"
    stream = 0  # Every density sees the same photos and noise.
    small_photo_side = 0

    def __init__(self, name: str, grid: int, maps: tuple[int, ...]) -> None:
        self.name = self.folder = name
        self.grid, self.maps = grid, maps

    def means(self, ab: Tensor) -> Tensor:
        """Averages chroma over the cells of the grid: (B, 2, 64, 64) to (B, 2, g, g)."""
        return F.avg_pool2d(ab, FINEST_GRID // self.grid)

    def target(self, ab: Tensor, noise: torch.Generator) -> Tensor:
        """The numbers whose density is learned: means with noise, (B, 2, g, g)."""
        return with_noise(self.means(ab), noise)

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Sets the statistics of chroma and features."""
        cast(ConditionalDensity, module).fit(self.target(ab, noise), condition)

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Negative log-likelihood, nats a photo, (B,)."""
        log_prob: Tensor = module(self.target(ab, noise), condition)
        return -log_prob

    def preview(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Gray, the truth on the grid, and samples."""
        truth = self.means(ab)[:, None]
        samples = cast(ConditionalDensity, module).sample(condition, PREVIEW_SAMPLES, noise)
        return torch.cat([torch.zeros_like(truth), truth, samples], 1)


class DistillationObjective(DensityObjective):
    """The density of a trained teacher, for a student that is slow to score and fast to sample.

    An inverse-autoregressive flow samples in one evaluation and needs one evaluation per dimension
    to score a picture, too many for maximum likelihood. It learns from its own samples, which the
    teacher scores: the loss is KL(student || teacher). The student gets a frozen copy of the
    teacher's context network, so both see the same, and the student needs no teacher later.

    Args:
        name: as in `DensityObjective`.
        grid: as in `DensityObjective`.
        maps: as in `DensityObjective`.
        teacher: trained; stays unchanged.

    Reference: van den Oord et al. 2018 (Parallel WaveNet).
    """

    def __init__(
        self, name: str, grid: int, maps: tuple[int, ...], teacher: ConditionalDensity
    ) -> None:
        super().__init__(name, grid, maps)
        self.teacher = teacher.eval().requires_grad_(False)

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Gives the student the teacher's context network and statistics."""
        student = cast(ConditionalDensity, module)
        student.context.load_state_dict(self.teacher.context.state_dict())
        student.context.requires_grad_(False)
        student.standardize.load_state_dict(self.teacher.standardize.state_dict())

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """log q(x) - log p(x) of the student's samples, whose mean is the KL, nats, (B,)."""
        student = cast(ConditionalDensity, module)
        with torch.no_grad():
            context = self.teacher.context_of(condition)
        z = torch.randn(len(ab), 2 * self.grid**2, generator=noise).to(ab)
        return distillation_loss(student.flow, self.teacher.flow, z, context)

    def is_teacher_of(self, student: dict[str, Tensor]) -> bool:
        """Tells whether a student's weights hold this teacher's context network."""
        own = self.teacher.context.state_dict()
        return all(
            torch.equal(student[f"context.{name}"], value.cpu()) for name, value in own.items()
        )


def bits_per_dim(nats: float, dimensions: int) -> float:
    """Converts a negative log-likelihood, nats a photo, to bits a dimension."""
    return nats / (dimensions * math.log(2))
