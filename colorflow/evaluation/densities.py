"""Densities of chroma that the model is compared with: one conditional flow with its context.

Dimensions: B photos, n samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from colorflow.flows import Bijection, Composition, Flow, Standardize
from colorflow.model.condition import Condition
from colorflow.model.context import LevelContext

FIRST_ROWS = 128
"""Rows that initialize layers with data-dependent initialization (ActNorm)."""


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
