"""Coupling bijections: one part of x is kept and decides how the other part is moved.

A partition says which part is which, a network computes the parameters of the moved part from
the kept part and the context, an elementwise transform applies them.

Reference: Dinh et al. 2015 (NICE); conditional as in Ardizzone et al. 2019 (cINN).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from colorflow.flows.contract import Bijection, sum_by_sample
from colorflow.flows.elementwise import ElementwiseTransform


class Partition(nn.Module, ABC):
    """Splits x into a kept and a moved part.

    Attributes:
        kept_channels: channels of the kept part, as the network sees it.
        moved_channels: channels for which the network computes parameters.
    """

    kept_channels: int
    moved_channels: int

    @abstractmethod
    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> kept (B, kept_channels, H, W), and moved, of any shape (B, ...)."""

    @abstractmethod
    def merge(self, x: Tensor, moved: Tensor) -> Tensor:
        """x with its moved part replaced."""

    @abstractmethod
    def select(self, parameters: Tensor) -> Tensor:
        """Parameters (B, moved_channels, H, W, size) -> those of the moved part, (B, ..., size)."""


class ChannelPartition(Partition):
    """Keeps one half of the channels.

    Args:
        channels: C, even.
        keep_first: whether the first half is the kept one.
    """

    def __init__(self, channels: int, *, keep_first: bool) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"channels: expected an even number, got {channels}")
        self.kept_channels = self.moved_channels = channels // 2
        self.keep_first = keep_first

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x.chunk(2, 1)
        return (first, second) if self.keep_first else (second, first)

    def merge(self, x: Tensor, moved: Tensor) -> Tensor:
        kept, _ = self.split(x)
        return torch.cat([kept, moved] if self.keep_first else [moved, kept], 1)

    def select(self, parameters: Tensor) -> Tensor:
        return parameters


class MaskPartition(Partition):
    """Keeps the elements where a fixed mask is true; they are zero where it is false.

    Args:
        keep: (C, H, W) bool.
    """

    keep: Tensor

    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        if keep.ndim != 3 or keep.dtype != torch.bool or keep.all() or not keep.any():
            raise ValueError("keep: expected a (C, H, W) bool mask with both values")
        self.kept_channels = self.moved_channels = keep.shape[0]
        self.register_buffer("keep", keep, persistent=False)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(self.keep, x, torch.zeros_like(x)), x[:, ~self.keep]

    def merge(self, x: Tensor, moved: Tensor) -> Tensor:
        result = x.clone()
        result[:, ~self.keep] = moved
        return result

    def select(self, parameters: Tensor) -> Tensor:
        return parameters[:, ~self.keep]


def checkerboard(channels: int, height: int, width: int, *, keep_even: bool) -> Tensor:
    """(C, H, W) mask that keeps the cells whose row + column is even (or odd)."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    even = (rows + columns) % 2 == 0
    return (even if keep_even else ~even).expand(channels, -1, -1).clone()


def half_mask(channels: int, height: int, width: int, *, keep: str) -> Tensor:
    """(C, H, W) mask that keeps one half of the grid.

    Args:
        channels: C.
        height: H, at least 2 for the upper and lower halves.
        width: W, at least 2 for the left and right halves.
        keep: "left", "right", "top" or "bottom"; of an odd number of rows or columns, the
            middle one belongs to the bottom or right half.

    Raises:
        ValueError: if keep is none of these, or a half would be empty.
    """
    halves = {"top": (height, 0), "bottom": (height, 0), "left": (width, 1), "right": (width, 1)}
    if keep not in halves:
        raise ValueError(f"keep: expected one of {', '.join(halves)}, got {keep!r}")
    length, axis = halves[keep]
    if length < 2:
        name = ("height", "width")[axis]
        raise ValueError(f"{name}: expected at least 2 to keep the {keep} half, got {length}")
    first = torch.arange(length) < length // 2
    half = first if keep in ("top", "left") else ~first
    return (half if axis else half[:, None]).expand(channels, height, width).clone()


class Coupling(Bijection):
    """Moves one part of (B, C, H, W), given the other part and the context.

    Parameters and log-determinant are computed in float32 or wider, whatever autocast says of
    the network.

    Args:
        partition: which part is kept.
        network: maps (kept, context) to (B, moved_channels * transform.size, H, W).
        transform: what happens to each moved number.
    """

    def __init__(
        self, partition: Partition, network: nn.Module, transform: ElementwiseTransform
    ) -> None:
        super().__init__()
        self.partition = partition
        self.network = network
        self.transform = transform

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, moved = self.partition.split(x)
        z, ladj = self.transform.forward(moved, self._elementwise(kept, context))
        return self.partition.merge(x, z), sum_by_sample(ladj)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, moved = self.partition.split(z)
        x, ladj = self.transform.inverse(moved, self._elementwise(kept, context))
        return self.partition.merge(z, x), sum_by_sample(ladj)

    def _elementwise(self, kept: Tensor, context: Tensor | None) -> Tensor:
        raw = self.network(kept, context).to(kept.dtype)
        batch, _, height, width = raw.shape
        raw = raw.reshape(batch, self.partition.moved_channels, -1, height, width)
        return self.partition.select(raw.movedim(2, -1))


class ContextTransform(Bijection):
    """An elementwise transform of (B, C, H, W) whose parameters depend on the context alone.

    Args:
        channels: C.
        network: maps (None, context) to (B, C * transform.size, H, W).
        transform: what happens to each number.
    """

    def __init__(self, channels: int, network: nn.Module, transform: ElementwiseTransform) -> None:
        super().__init__()
        self.channels = channels
        self.network = network
        self.transform = transform

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, ladj = self.transform.forward(x, self._elementwise(x, context))
        return z, sum_by_sample(ladj)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, ladj = self.transform.inverse(z, self._elementwise(z, context))
        return x, sum_by_sample(ladj)

    def _elementwise(self, like: Tensor, context: Tensor | None) -> Tensor:
        raw = self.network(None, context).to(like.dtype)
        batch, _, height, width = raw.shape
        return raw.reshape(batch, self.channels, -1, height, width).movedim(2, -1)
