"""One doubling of a photo's lightness: a conditional flow over what a Haar step takes away.

A Haar step splits lightness into the means of 2x2 cells and three details. The means are the photo
at half the resolution (reduced by area averaging), so a flow p(details | means) makes samples whose
reduction is the given photo, exactly. Four times the resolution takes two such steps.

The flow begins where a network that predicts the mean of the details ends (`MeanDoubling`). That
network learns first, and stays as it is while the flow learns.

A model that restores is given a damaged photo (blur, noise, JPEG). It also models how the clean
means differ from the given ones, so its samples need not keep the damage.

Reference: Lugmayr et al. 2020 (SRFlow); Yu et al. 2020 (Wavelet Flow).

Dimensions: B photos, H and W the pixels of the low resolution, both even.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.enlarge.mean import CELL, MeanDoubling, ResidualBlock, StepConfig
from colorflow.flows import Standardize
from colorflow.model.level import level_flow

DEQUANTIZATION_STD = 0.2
"""Std of the noise on details in training and evaluation, in L* units: half a step of 8 bits."""


class DetailModel(nn.Module):
    """p(lightness of twice the resolution | lightness).

    Args:
        config: its shape.
    """

    def __init__(self, config: StepConfig) -> None:
        super().__init__()
        self.config = config
        self.mean = MeanDoubling(config).requires_grad_(False)
        self.context = nn.Sequential(
            *(ResidualBlock(config.width) for _ in range(config.own_blocks))
        )
        self.flow = level_flow(
            CELL * config.channels,
            0,
            config.width,
            width=config.coupling_width,
            couplings=config.couplings,
            bins=config.bins,
            attention=False,
            dropout=0.0,
        )

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Log density of what the low resolution leaves open, nats per L* unit: (B,).

        Args:
            high: (B, 1, 2H, 2W) L* in [0, 100].
            low: (B, 1, H, W), the area average of `high`, or a damaged one for a model that
                restores.
        """
        z, ladj = self._flow(high, low)
        return ladj - 0.5 * (z**2 + math.log(2 * math.pi)).flatten(1).sum(1)

    def encode(self, high: Tensor, low: Tensor) -> Tensor:
        """Latents (B, 4C, H/2, W/2) of a photo; `decode` makes the photo again."""
        return self._flow(high, low)[0]

    def decode(self, latents: Tensor, low: Tensor, temperature: float = 1.0) -> Tensor:
        """The photo (B, 1, 2H, 2W) that latents stand for; it may leave [0, 100].

        Args:
            latents: (B, 4C, H/2, W/2).
            low: (B, 1, H, W) L* in [0, 100].
            temperature: factor on the difference from the mean; 0 is the mean itself.
        """
        mean, features = self.mean.predict(low)
        if temperature:
            rest, _ = self.flow.inverse(latents, self.context(features))
            mean = mean + temperature * rest
        return self.mean.photo(mean, low)

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Photos (B, 1, 2H, 2W) of a low resolution, which may leave [0, 100].

        Args:
            low: (B, 1, H, W) L* in [0, 100].
            temperature: as of `decode`.
            generator: source of randomness, on the CPU.
        """
        batch, _, height, width = low.shape
        shape = batch, CELL * self.config.channels, height // 2, width // 2
        return self.decode(torch.randn(shape, generator=generator).to(low), low, temperature)

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes the fixed statistics of what the mean leaves from training patches."""
        standardize = self.flow.bijections[0]
        assert isinstance(standardize, Standardize)
        standardize.fit(self.mean.unknowns(high, low) - self.mean.predict(low)[0])

    def _flow(self, high: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, 4C, H/2, W/2) and the log-determinant (B,)."""
        mean, features = self.mean.predict(low)
        z, ladj = self.flow(self.mean.unknowns(high, low) - mean, self.context(features))
        return z, ladj


def in_range(high: Tensor) -> Tensor:
    """Brings a sample into [0, 100] without moving the means of its 2x2 cells.

    Clipping would change the means. Instead the deviations of a cell that leaves the range are
    made smaller by one factor.

    Args:
        high: (B, 1, 2H, 2W); means of cells that are not in the range are clipped.
    """
    means = F.interpolate(F.avg_pool2d(high, 2).clamp(0, 100), scale_factor=2, mode="nearest")
    deviation = high - means
    room = torch.where(deviation > 0, 100 - means, means)
    share = (room / deviation.abs().clamp_min(1e-6)).clamp(0, 1)
    smallest = -F.max_pool2d(-share, 2)
    inside = means + deviation * F.interpolate(smallest, scale_factor=2, mode="nearest")
    return inside.clamp(0, 100)  # of rounding
