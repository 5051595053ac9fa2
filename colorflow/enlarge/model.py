"""One doubling of a photo's lightness: a conditional flow over what a Haar step takes away.

A Haar step splits lightness into the means of 2x2 cells and three details. The means are the photo
at half the resolution (reduced by area averaging), so a flow p(details | means) makes samples whose
reduction is the given photo, exactly. Four times the resolution takes two such steps.

A model that restores is given a damaged photo (blur, noise, JPEG). It also models how the clean
means differ from the given ones, so its samples need not keep the damage.

Reference: Lugmayr et al. 2020 (SRFlow); Yu et al. 2020 (Wavelet Flow).

Dimensions: B photos, H and W the pixels of the low resolution, both even.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import Haar, Squeeze, Standardize
from colorflow.model.level import level_flow

DEQUANTIZATION_STD = 0.2
"""Std of the noise on details in training and evaluation, in L* units: half a step of 8 bits."""
_CELL = 4
"""Pixels of low resolution in one cell of the squeezed grid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepConfig:
    """Shape of one doubling.

    Attributes:
        restores: whether the means are modeled as well as the details.
        width: channels of the context network.
        blocks: residual blocks of the context network.
        couplings: of the flow.
        coupling_width: hidden channels of each coupling's network.
        bins: pieces of each spline.
    """

    restores: bool = False
    width: int = 64
    blocks: int = 8
    couplings: int = 4
    coupling_width: int = 48
    bins: int = 6

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "couplings", "coupling_width", "bins"):
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
        return 9 * (2 * self.blocks * self.width**2 + self.couplings * self.coupling_width**2)

    @property
    def reach(self) -> int:
        """Pixels of low resolution, in each direction, that one pixel of a sample depends on."""
        convolutions = 2 + 2 * self.blocks + 2 * (1 + self.couplings)
        return 2 * convolutions

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return asdict(self)


class DetailModel(nn.Module):
    """p(lightness of twice the resolution | lightness).

    Args:
        config: its shape.
    """

    def __init__(self, config: StepConfig) -> None:
        super().__init__()
        self.config = config
        self.haar, self.squeeze = Haar(), Squeeze()
        self.linear = LinearPrediction(config.channels)
        self.context = ContextNetwork(config.width, config.blocks)
        self.flow = level_flow(
            _CELL * config.channels,
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
        z, ladj = self.flow(self._residual(high, low), self.context(low))
        return ladj - 0.5 * (z**2 + math.log(2 * math.pi)).flatten(1).sum(1)

    def encode(self, high: Tensor, low: Tensor) -> Tensor:
        """Latents (B, 4C, H/2, W/2) of a photo; `decode` makes the photo again."""
        z: Tensor = self.flow(self._residual(high, low), self.context(low))[0]
        return z

    def decode(self, latents: Tensor, low: Tensor) -> Tensor:
        """The photo (B, 1, 2H, 2W) that latents stand for; it may leave [0, 100]."""
        x, _ = self.flow.inverse(latents, self.context(low))
        parts, _ = self.squeeze.inverse(x + self.linear(low))
        means, details = (
            (low + parts[:, :1], parts[:, 1:]) if self.config.restores else (low, parts)
        )
        high: Tensor = self.haar.inverse(torch.cat([means, details], 1))[0]
        return high

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Photos (B, 1, 2H, 2W) of a low resolution, which may leave [0, 100].

        Args:
            low: (B, 1, H, W) L* in [0, 100].
            temperature: std of the latents.
            generator: source of randomness, on the CPU.
        """
        batch, _, height, width = low.shape
        shape = batch, _CELL * self.config.channels, height // 2, width // 2
        return self.decode(temperature * torch.randn(shape, generator=generator).to(low), low)

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes the fixed statistics of the modeled numbers from training patches."""
        self.linear.fit(self._unknowns(high, low), low)
        standardize = self.flow.bijections[0]
        assert isinstance(standardize, Standardize)
        standardize.fit(self._residual(high, low))

    def _residual(self, high: Tensor, low: Tensor) -> Tensor:
        """What the linear prediction leaves of the modeled numbers, (B, 4C, H/2, W/2)."""
        return self._unknowns(high, low) - self.linear(low)

    def _unknowns(self, high: Tensor, low: Tensor) -> Tensor:
        """The modeled numbers, (B, 4C, H/2, W/2)."""
        parts, _ = self.haar(high)
        means, details = parts[:, :1], parts[:, 1:]
        parts = torch.cat([means - low, details], 1) if self.config.restores else details
        x: Tensor = self.squeeze(parts)[0]
        return x


class LinearPrediction(nn.Module):
    """The best linear prediction of the modeled numbers by the pixels around; it is not trained.

    The flow begins where a good interpolation ends, and learns the rest.

    Args:
        channels: modeled numbers per pixel of low resolution.
    """

    weight: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(_CELL * channels, _CELL, 3, 3))

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
        self.head = nn.Conv2d(_CELL, width, 3, padding=1)
        self.blocks = nn.ModuleList(_ResidualBlock(width) for _ in range(blocks))
        self.tail = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, low: Tensor) -> Tensor:
        """(B, 1, H, W) L* -> (B, width, H/2, W/2)."""
        first: Tensor = self.head(F.pixel_unshuffle(low / 50 - 1, 2))
        x = first
        for block in self.blocks:
            x = block(x)
        return first + self.tail(x)


class _ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


def in_range(high: Tensor, low: Tensor) -> Tensor:
    """Brings a sample into [0, 100] without moving the means of its 2x2 cells.

    Clipping would change the means. Instead the deviations of a cell that leaves the range are
    made smaller by one factor.

    Args:
        high: (B, 1, 2H, 2W).
        low: (B, 1, H, W), the means of `high`, within [0, 100].
    """
    means = F.interpolate(low, scale_factor=2, mode="nearest")
    deviation = high - means
    room = torch.where(deviation > 0, 100 - means, means)
    share = (room / deviation.abs().clamp_min(1e-6)).clamp(0, 1)
    smallest = -F.max_pool2d(-share, 2)
    inside = means + deviation * F.interpolate(smallest, scale_factor=2, mode="nearest")
    return inside.clamp(0, 100)  # of rounding
