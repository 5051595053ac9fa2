"""What a trainer must know of the thing that it trains."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from colorflow.model.condition import Condition


class Task(Protocol):
    """What is trained: which rows, and what a module's loss on them is."""

    @property
    def name(self) -> str:
        """In messages, such as ``level 4``."""

    @property
    def folder(self) -> str:
        """Name of its folder in a run, such as ``level4``."""

    @property
    def stream(self) -> int:
        """Number of its random order and noise: tasks with the same one see the same."""

    @property
    def maps(self) -> tuple[int, ...]:
        """Sides of the feature maps to read."""

    @property
    def small_photo_side(self) -> int:
        """Photos whose short side is not above this are left out of training."""

    @property
    def unit(self) -> str:
        """Of the loss, such as ``nats a photo``."""

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        """Takes the module's fixed statistics from a sample of the training data."""

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """What is minimized, in the task's unit.

        Args:
            module: what is trained, its average, or a wrapper that calls it.
            ab: (B, 2, 64, 64) CIELAB units.
            condition: of the B photos.
            noise: source of the noise on the data, on the CPU.

        Returns:
            (B,), differentiable.
        """

    def draw(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Colorings to look at, the truth among them.

        Args:
            module: the averaged weights.
            ab: (B, 2, 64, 64) CIELAB units.
            condition: of the B photos.
            noise: source of randomness.

        Returns:
            (B, N, 2, g, g) CIELAB units.
        """
