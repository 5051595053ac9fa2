"""Linear maps with a log-determinant that costs nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from colorflow.flows.contract import Bijection


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

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z[:, self.back], z.new_zeros(z.shape[0])
