"""What our doubling is compared with: SRFlow's architecture.

It has the context network and the linear prediction of ours, and learns from the same patches.

Dimensions: B patches, H and W the pixels of the low resolution.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.enlarge.mean import ContextNetwork, LinearPrediction, StepConfig
from colorflow.enlarge.objective import DetailObjective
from colorflow.enlarge.patches import SIDE
from colorflow.enlarge.train import Trainee
from colorflow.flows import Flow, Haar, Squeeze, Standardize
from colorflow.zoo import srflow

CONFIG = StepConfig()
_SRFLOW_SCALES, _SRFLOW_DEPTH, _SRFLOW_WIDTH = 2, 6, 48
_NUMBERS_OF_PHOTO = 4
"""Numbers of high resolution per pixel of low resolution."""


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

    def encode(self, high: Tensor, low: Tensor) -> Tensor:
        """Latents (B, 4HW) of a photo; `decode` makes the photo again."""
        x, _ = self.standardize(high - self._interpolated(low))
        latents: Tensor = self.flow.bijection(x, self._context(low))[0]
        return latents

    def decode(self, latents: Tensor, low: Tensor) -> Tensor:
        """The photo (B, 1, 2H, 2W) that latents stand for."""
        return self._photo(self.flow.bijection.inverse(latents, self._context(low))[0], low)

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Samples (B, 1, 2H, 2W); their side must be that of the constructor."""
        context = self._context(low)
        x = self.flow.sample(len(low), context, temperature=temperature, generator=generator)
        return self._photo(x, low)

    def _photo(self, x: Tensor, low: Tensor) -> Tensor:
        high: Tensor = self.standardize.inverse(x)[0] + self._interpolated(low)
        return high

    def _context(self, low: Tensor) -> Tensor:
        """On the grid of the photo, (B, width, 2H, 2W)."""
        return F.interpolate(self.context(low), scale_factor=4)

    def _interpolated(self, low: Tensor) -> Tensor:
        details, _ = self.squeeze.inverse(self.linear(low))
        high: Tensor = self.haar.inverse(torch.cat([low, details], 1))[0]
        return high


SRFLOW = "srflow"
COMPARED = {
    SRFLOW: Trainee(
        build=SRFlowDoubling, objective=lambda: DetailObjective(SRFLOW, _NUMBERS_OF_PHOTO)
    ),
}
"""By name; it learns from the patches of the last doubling."""
