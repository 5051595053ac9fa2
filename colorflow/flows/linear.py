"""Linear maps of the channels, the same at every cell, with a cheap log-determinant."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from colorflow.flows.contract import Bijection
from colorflow.flows.elementwise import soft_clamp
from colorflow.flows.matrices import (
    MAX_LOG_SCALE,
    MatrixStructure,
    PLUMatrix,
    random_rotation,
    soft_clamp_inverse,
)


class Linear(Bijection):
    """z = W x over the channels; on a grid this is the invertible 1x1 convolution.

    The matrix is the layer's own, or one a sample that a network computes from the context. It
    is applied in the dtype of x, whatever autocast says of the network.

    Args:
        structure: how parameters become W.
        network: maps (None, context) to parameters (B, structure.size); None for an own matrix.

    Reference: Kingma & Dhariwal 2018 (Glow); Lu & Huang 2020 (c-Glow) for the network.
    """

    def __init__(self, structure: MatrixStructure, network: nn.Module | None = None) -> None:
        super().__init__()
        self.structure = structure
        self.network = network
        self.weight = nn.Parameter(torch.zeros(structure.size)) if network is None else None

    @classmethod
    def rotation(cls, channels: int, seed: int) -> Linear:
        """An own matrix P L U that starts as a random rotation, as in Glow.

        Args:
            channels: C.
            seed: decides which rotation.
        """
        structure, weight = PLUMatrix.factorize(random_rotation(channels, seed))
        linear = cls(structure)
        linear.weight = nn.Parameter(weight.float())
        return linear

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._apply_by_cell(self.structure.multiply, x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._apply_by_cell(self.structure.solve, z, context)

    def _apply_by_cell(
        self,
        operation: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        x: Tensor,
        context: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        raw = self._raw(context)
        columns = x.unsqueeze(-1).flatten(2)  # (B, C) has one column, (B, C, H, W) has H * W
        with torch.autocast(x.device.type, enabled=False):
            result, ladj = operation(raw.to(x.dtype), columns)
        return result.reshape(x.shape), (ladj * columns.shape[2]).expand(x.shape[0])

    def _raw(self, context: Tensor | None) -> Tensor:
        """Parameters of the structure, (size,) or (B, size)."""
        if self.weight is not None:
            return self.weight
        assert self.network is not None
        return self.network(None, context)


class Standardize(Bijection):
    """z = (x - mean) / std with fixed statistics of the training data, per channel.

    The buffers `mean` and `std`, (channels,), are set by `fit` or loaded; before, it is the
    identity.

    Args:
        channels: C of (B, C, H, W).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def fit(self, x: Tensor) -> None:
        """Takes mean and std of a sample of the training data, (B, C, H, W)."""
        std, mean = torch.std_mean(x, dim=(0, 2, 3))
        self.mean.copy_(mean)
        self.std.copy_(std.clamp_min(1e-3))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, std = self._statistics(x)
        return (x - mean) / std, -self._ladj(x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, std = self._statistics(z)
        return z * std + mean, self._ladj(z)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean.to(x.dtype)[:, None, None], self.std.to(x.dtype)[:, None, None]

    def _ladj(self, x: Tensor) -> Tensor:
        total = self.std.to(x.dtype).log().sum() * (x.shape[2] * x.shape[3])
        return total.expand(x.shape[0])


class ActNorm(Bijection):
    """z = (x - shift) * exp(-log_scale) per channel, learned from a start that standardizes x.

    The first forward call in training mode takes shift and log_scale from its batch and sets the
    buffer `initialized`; before, it is the identity. A channel whose standard deviation lies
    below `MIN_STD` (a constant, or a single number) tells no scale and starts with scale 1.
    Statistics and log-determinant are computed in float32 or wider.

    Args:
        channels: C of (B, C) or (B, C, H, W).

    Reference: Kingma & Dhariwal 2018 (Glow).
    """

    MIN_STD = 1e-3
    MAX_STD = 1e3

    initialized: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialized", torch.tensor(False))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.training and not self.initialized:
            self._initialize(x)
        widened, shift, log_scale = self._widen(x)
        return ((widened - shift) * torch.exp(-log_scale)).to(x.dtype), self._ladj(x, -log_scale)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        widened, shift, log_scale = self._widen(z)
        return (widened * torch.exp(log_scale) + shift).to(z.dtype), self._ladj(z, log_scale)

    @torch.no_grad()
    def _initialize(self, x: Tensor) -> None:
        values = self._widen(x)[0].movedim(1, 0).flatten(1)
        std, mean = torch.std_mean(values, 1, correction=0)
        std = torch.where(std < self.MIN_STD, torch.ones_like(std), std).clamp_max(self.MAX_STD)
        self.shift.copy_(mean)
        self.log_scale.copy_(soft_clamp_inverse(std.log(), MAX_LOG_SCALE))
        self.initialized.fill_(True)

    def _widen(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x, shift and log-scale in float32 or wider, the latter in a shape that fits to x."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        shape = (-1,) + (1,) * (x.ndim - 2)
        shift, log_scale = self.shift.to(dtype), self.log_scale.to(dtype)
        return x.to(dtype), shift.view(shape), soft_clamp(log_scale, MAX_LOG_SCALE).view(shape)

    def _ladj(self, x: Tensor, log_scale: Tensor) -> Tensor:
        return (log_scale.sum() * math.prod(x.shape[2:])).expand(x.shape[0])


class ChannelPermutation(Bijection):
    """Reorders the channels of (B, C, ...) in one fixed way.

    Args:
        order: the channels of the output, as a permutation of 0 .. C-1.
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        if sorted(order) != list(range(len(order))):
            raise ValueError(f"order: expected a permutation of 0..{len(order) - 1}, got {order}")
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.register_buffer("back", torch.argsort(torch.tensor(order)), persistent=False)

    @classmethod
    def random(cls, channels: int, seed: int) -> ChannelPermutation:
        """Of C channels, in an order that the seed decides; it is not part of the state dict."""
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.randperm(channels, generator=generator).tolist())

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z[:, self.back], z.new_zeros(z.shape[0])
