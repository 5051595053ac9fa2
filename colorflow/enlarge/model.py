"""One doubling of a photo's lightness: a conditional flow over what a Haar step takes away.

A Haar step splits lightness into the means of 2x2 cells and three details. The means are the photo
at half the resolution (reduced by area averaging), so a flow p(details | means) makes samples whose
reduction is the given photo, exactly. Four times the resolution takes two such steps.

The flow begins where a network that predicts the mean of the details ends (`MeanDoubling`). That
network learns first, and stays as it is while the flow learns.

A model that restores is given a damaged photo (blur, noise, JPEG). It also models how the clean
means differ from the given ones, so its samples need not keep the damage.

Reference: Lugmayr et al. 2020 (SRFlow); Yu et al. 2020 (Wavelet Flow).

Dimensions: B photos, H and W the pixels of the low resolution, both even, C modeled numbers per
pixel of low resolution.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import ConvolutionNetwork, Haar, Squeeze, Standardize
from colorflow.model.level import level_flow

CELL = 4
"""Pixels of low resolution in one cell of the squeezed grid."""
DEQUANTIZATION_STD = 0.2
"""Std of the noise on details in training and evaluation, in L* units: half a step of 8 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepConfig:
    """Shape of one doubling.

    Attributes:
        restores: whether the means are modeled as well as the details.
        width: channels of the features.
        blocks: residual blocks of the network that predicts the mean.
        own_blocks: residual blocks that the flow's context has after them.
        couplings: of the flow.
        coupling_width: hidden channels of each coupling's network.
        bins: pieces of each spline.
    """

    restores: bool = False
    width: int = 64
    blocks: int = 8
    own_blocks: int = 3
    couplings: int = 4
    coupling_width: int = 48
    bins: int = 6

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "own_blocks", "couplings", "coupling_width", "bins"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 512:
                raise ValueError(f"{name}: expected a whole number in [1, 512], got {value!r}")

    @property
    def channels(self) -> int:
        """Modeled numbers per pixel of low resolution."""
        return 4 if self.restores else 3

    @property
    def least_weights(self) -> int:
        """Number of weights of the 3x3 convolutions, known before any is made."""
        blocks = self.blocks + self.own_blocks
        return 9 * (2 * blocks * self.width**2 + self.couplings * self.coupling_width**2)

    @property
    def reach(self) -> int:
        """Pixels of low resolution, in each direction, that one pixel of a sample depends on."""
        convolutions = 2 + 2 * (self.blocks + self.own_blocks) + 2 * (1 + self.couplings)
        return 2 * convolutions

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return asdict(self)


class MeanDoubling(nn.Module):
    """Predicts the numbers that a Haar step takes away, by their mean.

    A linear prediction by the pixels around comes first; a network adds what it misses.

    Args:
        config: its shape.
    """

    def __init__(self, config: StepConfig) -> None:
        super().__init__()
        self.config = config
        self.haar, self.squeeze = Haar(), Squeeze()
        self.linear = LinearPrediction(config.channels)
        self.context = ContextNetwork(config.width, config.blocks)
        numbers = CELL * config.channels
        self.out = ConvolutionNetwork(0, config.width, config.coupling_width, numbers)

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes the linear prediction from training patches."""
        self.linear.fit(self.unknowns(high, low), low)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Mean squared error of the modeled numbers, squared L* units, (B,)."""
        return (self.predict(low)[0] - self.unknowns(high, low)).square().flatten(1).mean(1)

    def predict(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """The mean (B, 4C, H/2, W/2) and the features behind it (B, width, H/2, W/2)."""
        features = self.context(low)
        return self.linear(low) + self.out(None, features), features

    def unknowns(self, high: Tensor, low: Tensor) -> Tensor:
        """The modeled numbers of a photo (B, 1, 2H, 2W), as (B, 4C, H/2, W/2)."""
        parts, _ = self.haar(high)
        means, details = parts[:, :1], parts[:, 1:]
        parts = torch.cat([means - low, details], 1) if self.config.restores else details
        return self.squeeze(parts)[0]

    def photo(self, unknowns: Tensor, low: Tensor) -> Tensor:
        """The inverse of `unknowns`: (B, 1, 2H, 2W)."""
        parts, _ = self.squeeze.inverse(unknowns)
        means, details = (
            (low + parts[:, :1], parts[:, 1:]) if self.config.restores else (low, parts)
        )
        return self.haar.inverse(torch.cat([means, details], 1))[0]


class LinearPrediction(nn.Module):
    """The best linear prediction of the modeled numbers by the pixels around; it is not trained.

    Args:
        channels: modeled numbers per pixel of low resolution.
    """

    weight: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(CELL * channels, CELL, 3, 3))

    def forward(self, low: Tensor) -> Tensor:
        """(B, 1, H, W) L* -> (B, 4C, H/2, W/2)."""
        with torch.autocast(low.device.type, enabled=False):
            return F.conv2d(self._cells(low), self.weight)

    def fit(self, unknowns: Tensor, low: Tensor) -> None:
        """Takes the weights of least squares from training patches."""
        windows = F.unfold(self._cells(low).double(), 3)  # (B, 36, cells)
        squares = torch.einsum("bic,bjc->ij", windows, windows)
        products = torch.einsum("bic,boc->io", windows, unknowns.double().flatten(2))
        ridge = 1e-6 * squares.diagonal().mean() * torch.eye(len(squares)).to(squares)
        self.weight.copy_(torch.linalg.solve(squares + ridge, products).T.view_as(self.weight))

    @staticmethod
    def _cells(low: Tensor) -> Tensor:
        """Cells of 2x2 pixels as channels, with one cell around the photo, (B, 4, H/2+2, W/2+2)."""
        return F.pad(F.pixel_unshuffle(low - 50, 2), (1, 1, 1, 1), mode="replicate")


class ContextNetwork(nn.Module):
    """Features of the low resolution on the squeezed grid, by residual blocks (Lim et al. 2017)."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(CELL, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.tail = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, low: Tensor) -> Tensor:
        """(B, 1, H, W) L* -> (B, width, H/2, W/2)."""
        first: Tensor = self.head(F.pixel_unshuffle(low / 50 - 1, 2))
        x = first
        for block in self.blocks:
            x = block(x)
        return first + self.tail(x)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added to what they are given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) -> the same."""
        return x + self.second(F.relu(self.first(x)))


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
