"""The interface between the trainer and what it trains."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from colorflow.model.condition import Condition


class Objective(Protocol):
    """What a module learns: which rows of the pack it reads, and its loss on them."""

    @property
    def name(self) -> str:
        """Name in messages, such as ``level 4``."""

    @property
    def folder(self) -> str:
        """Name of its folder in a run, such as ``level4``."""

    @property
    def stream(self) -> int:
        """Part of the seed of order and noise: objectives of one stream see the same data."""

    @property
    def maps(self) -> tuple[int, ...]:
        """Sides of the feature maps to read."""

    @property
    def small_photo_side(self) -> int:
        """Training leaves out photos whose short side is not above this, in pixels."""

    @property
    def unit(self) -> str:
        """Unit of the loss, such as ``nats a photo``."""

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Sets the module's fixed statistics from a sample of the training data."""

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Computes the loss of each photo.

        Args:
            module: the trained module, its average, or a wrapper that calls it.
            ab: (B, 2, 64, 64) CIELAB units.
            condition: of the B photos.
            noise: source of the noise on the data, on the CPU.

        Returns:
            (B,), differentiable, in the objective's unit.
        """

    def preview(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Makes colorings for the picture of an evaluation, the truth among them.

        Args:
            module: the averaged weights.
            ab: (B, 2, 64, 64) CIELAB units.
            condition: of the B photos.
            noise: source of randomness.

        Returns:
            (B, N, 2, g, g) CIELAB units.
        """
