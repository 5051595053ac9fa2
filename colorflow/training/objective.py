"""The interfaces between the trainer, what it trains, and the data that it trains on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn


class OnDevice(Protocol):
    """What a density is conditioned on: a tensor, or several with a method `to`."""

    def to(self, device: torch.device, /) -> Self:
        """The same on another device."""


ConditionT = TypeVar("ConditionT", bound=OnDevice)
_ConditionT_co = TypeVar("_ConditionT_co", bound=OnDevice, covariant=True)
ModuleT = TypeVar("ModuleT", bound=nn.Module)


class TrainingData(Protocol[_ConditionT_co]):
    """A pack as the trainer sees it: rows of what is learned, each with its condition."""

    @property
    def folder(self) -> Path:
        """Where it is, for messages."""

    @property
    def digest(self) -> str:
        """Digest of its rows and their split."""

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, ascending, none for a variant that there is not.

        Args:
            split: ``train`` or ``dev``.
            variant: ``whole``, ``whole_degraded``, or None for all.
            larger_than: keep photos whose short side in pixels exceeds this.
        """

    def batch(self, rows: NDArray[np.int64], maps: Sequence[int]) -> tuple[Tensor, _ConditionT_co]:
        """Reads the given rows, in the given order: the target (B, ...), and the condition.

        Args:
            rows: (B,) row numbers.
            maps: sides of the feature maps to read.
        """


class Objective(ABC, Generic[ModuleT, ConditionT]):
    """What a module learns: which rows of the pack it reads, and its loss on them.

    Attributes:
        name: in messages, such as ``level 4``.
        folder: name of its folder in a run, such as ``level4``.
        unit: of the loss, such as ``nats a photo``.
        stream: part of the seed of order and noise: objectives of one stream see the same data.
        maps: sides of the feature maps to read.
        small_photo_side: training leaves out photos whose short side is not above this, in pixels.
    """

    name: str
    folder: str
    unit: str
    stream: int
    maps: tuple[int, ...] = ()
    small_photo_side: int = 0

    @abstractmethod
    def fit(
        self, module: ModuleT, target: Tensor, condition: ConditionT, noise: Generator, /
    ) -> None:
        """Sets the module's fixed statistics from a sample of the training data."""

    @abstractmethod
    def loss(
        self, module: ModuleT, target: Tensor, condition: ConditionT, noise: Generator, /
    ) -> Tensor:
        """Computes the loss of each row.

        Args:
            module: the trained module, or its average.
            target: (B, ...), such as chroma (B, 2, 64, 64) in CIELAB units.
            condition: of the B rows.
            noise: source of the noise on the data, on the CPU.

        Returns:
            (B,), differentiable, in the objective's unit.
        """
