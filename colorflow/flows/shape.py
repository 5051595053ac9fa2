"""Rearrangements of an image that a multi-scale flow is made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.flows.contract import Bijection


class Squeeze(Bijection):
    """Space to depth: (B, C, H, W) -> (B, 4C, H/2, W/2), volume-preserving.

    Reference: Dinh et al. 2017 (RealNVP), section 3.6.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return F.pixel_unshuffle(x, 2), x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return F.pixel_shuffle(z, 2), z.new_zeros(z.shape[0])


class Haar(Bijection):
    """One step of the Haar pyramid: (B, C, H, W) -> (B, 4C, H/2, W/2).

    The first C channels are the means of the 2x2 cells, in the unit of x; the other 3C are the
    orthonormal horizontal, vertical and diagonal details, grouped by kind: independent noise of
    std s on x is independent noise of std s on every detail and of std s/2 on every mean.

    Reference: Yu et al. 2020 (Wavelet Flow).
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if x.ndim != 4 or x.shape[2] % 2 or x.shape[3] % 2:
            raise ValueError(f"x: expected (B, C, even H, even W), got {tuple(x.shape)}")
        a, b = x[..., 0::2, 0::2], x[..., 0::2, 1::2]
        c, d = x[..., 1::2, 0::2], x[..., 1::2, 1::2]
        parts = [(a + b + c + d) / 4, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2]
        return torch.cat(parts, 1), self._ladj(x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if z.ndim != 4 or z.shape[1] % 4:
            raise ValueError(f"z: expected (B, 4C, H, W), got {tuple(z.shape)}")
        mean, h, v, d = z.chunk(4, 1)
        parts = [mean + (h + v + d) / 2, mean + (v - h - d) / 2]
        parts += [mean + (h - v - d) / 2, mean + (d - h - v) / 2]
        batch, channels, height, width = mean.shape
        cells = torch.stack(parts, -1).reshape(batch, channels, height, width, 2, 2)
        x = cells.permute(0, 1, 2, 4, 3, 5).reshape(batch, channels, 2 * height, 2 * width)
        return x, -self._ladj(x)

    @staticmethod
    def _ladj(x: Tensor) -> Tensor:
        """Each mean is half of its orthonormal coefficient."""
        return x.new_full((x.shape[0],), -math.log(2) * x[0].numel() / 4)
