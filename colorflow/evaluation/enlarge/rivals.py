"""What our doubling is compared with: a deterministic network, and SRFlow's architecture.

Both have the context network and the linear prediction of ours, and learn from the same patches.

Dimensions: B patches, H and W the pixels of the low resolution.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.enlarge.model import ContextNetwork, LinearPrediction, StepConfig
from colorflow.enlarge.objective import DetailObjective, gray_pictures, preview
from colorflow.enlarge.patches import SIDE
from colorflow.enlarge.train import Trainee
from colorflow.flows import (
    ConvolutionNetwork,
    Flow,
    Haar,
    Squeeze,
    Standardize,
)
from colorflow.zoo import srflow

CONFIG = StepConfig()
_SRFLOW_SCALES, _SRFLOW_DEPTH, _SRFLOW_WIDTH = 2, 6, 48
_NUMBERS_OF_PHOTO = 4
"""Numbers of high resolution per pixel of low resolution."""


class DeterministicDoubling(nn.Module):
    """Predicts the mean of the details; everything else is as in `DetailModel`."""

    def __init__(self) -> None:
        super().__init__()
        self.haar, self.squeeze = Haar(), Squeeze()
        self.linear = LinearPrediction(CONFIG.channels)
        self.context = ContextNetwork(CONFIG.width, CONFIG.blocks)
        numbers = 4 * CONFIG.channels
        self.out = ConvolutionNetwork(0, CONFIG.width, CONFIG.coupling_width, numbers)

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes the linear prediction from training patches."""
        self.linear.fit(self._details(high), low)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Mean squared error of the details, squared L* units, (B,)."""
        return (self._predicted(low) - self._details(high)).square().flatten(1).mean(1)

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """The one result, (B, 1, 2H, 2W), whatever the temperature."""
        details, _ = self.squeeze.inverse(self._predicted(low))
        high: Tensor = self.haar.inverse(torch.cat([low, details], 1))[0]
        return high

    def _predicted(self, low: Tensor) -> Tensor:
        correction: Tensor = self.out(None, self.context(low))
        return self.linear(low) + correction

    def _details(self, high: Tensor) -> Tensor:
        parts, _ = self.haar(high)
        details: Tensor = self.squeeze(parts[:, 1:])[0]
        return details


class DetailRegression:
    """Squared error of the details; an `Objective` of the trainer."""

    name = folder = "deterministic"
    unit = "squared L* units"
    stream = DetailObjective.stream
    maps = ()
    small_photo_side = 0

    def fit(self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /) -> None:
        """Takes the linear prediction."""
        cast(DeterministicDoubling, module).fit(high, low)

    def loss(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Mean squared error of the details, (B,)."""
        error: Tensor = module(high, low)
        return error

    def preview(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Low resolution, truth, and the result."""
        return preview(module, high, low, noise)[:, :3]

    def paint(self, low: Tensor, shown: Tensor, /) -> Tensor:
        """(B, N, 1, H, W) L* -> (B * N, 3, H, W) sRGB in [0, 1]."""
        return gray_pictures(shown)


class SRFlowDoubling(nn.Module):
    """SRFlow: the flow makes the whole photo, not its details, so nothing keeps the low resolution.

    It learns what an interpolation leaves: the photo minus the linear prediction of ours.

    Args:
        side: of the photos, in pixels; the weights do not depend on it.
    """

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        self.haar, self.squeeze = Haar(), Squeeze()
        self.linear = LinearPrediction(CONFIG.channels)
        self.context = ContextNetwork(CONFIG.width, CONFIG.blocks)
        self.standardize = Standardize(1)
        shape = (1, side, side)
        self.flow = Flow(
            srflow(
                shape,
                CONFIG.width,
                scales=_SRFLOW_SCALES,
                depth=_SRFLOW_DEPTH,
                width=_SRFLOW_WIDTH,
            ),
            (math.prod(shape),),
        )

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes fixed statistics, and the start of ActNorm, from training patches."""
        parts, _ = self.haar(high)
        self.linear.fit(self.squeeze(parts[:, 1:])[0], low)
        self.standardize.fit(high - self._interpolated(low))
        self.train()
        self(high[:32], low[:32])

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Log density of the whole photo, nats per L* unit, (B,)."""
        x, ladj = self.standardize(high - self._interpolated(low))
        log_prob: Tensor = self.flow(x, self._context(low))
        return log_prob + ladj

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Samples (B, 1, 2H, 2W); their side must be that of the constructor."""
        context = self._context(low)
        x = self.flow.sample(len(low), context, temperature=temperature, generator=generator)
        high: Tensor = self.standardize.inverse(x)[0] + self._interpolated(low)
        return high

    def _context(self, low: Tensor) -> Tensor:
        """On the grid of the photo, (B, width, 2H, 2W)."""
        return F.interpolate(self.context(low), scale_factor=4)

    def _interpolated(self, low: Tensor) -> Tensor:
        details, _ = self.squeeze.inverse(self.linear(low))
        high: Tensor = self.haar.inverse(torch.cat([low, details], 1))[0]
        return high


RIVALS = {
    "deterministic": Trainee(build=DeterministicDoubling, objective=DetailRegression),
    "srflow": Trainee(
        build=SRFlowDoubling, objective=lambda: DetailObjective("srflow", _NUMBERS_OF_PHOTO)
    ),
}
"""By name; they learn from the patches of the last doubling."""
