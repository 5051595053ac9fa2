"""The condition c of p(ab | c), computed once a photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.model.features import (
    LATE_BLOCKS_INPUT,
    LATE_BLOCKS_OUTPUTS,
    LIGHTNESS_SIZE,
    Features,
    LateBlocks,
)

CONDITION_GRID = 128
"""Side of the lightness that the flow's context sees directly."""

PLANES_GRID = 64
"""Side of the extra planes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Lightness, its features, and extra planes of a batch of photos.

    Attributes:
        lightness: (B, 1, 128, 128) CIE L* in [0, 100].
        features: maps by grid side, (B, C, g, g).
        planes: (B, E, 64, 64) extra planes, or None: the first is a mask in {0, 1}, the others
            are CIELAB units where it is 1 and 0 elsewhere. Color hints are mask, a and b.
        refined: whether a model's own late blocks computed the coarse maps; otherwise the frozen
            network did.
    """

    lightness: Tensor
    features: dict[int, Tensor]
    planes: Tensor | None = None
    refined: bool = False

    def __len__(self) -> int:
        return len(self.lightness)

    def map(self, function: Callable[[Tensor], Tensor]) -> Condition:
        """The condition with `function` applied to each of its tensors."""
        return replace(
            self,
            lightness=function(self.lightness),
            features={grid: function(x) for grid, x in self.features.items()},
            planes=None if self.planes is None else function(self.planes),
        )

    def joined(self, other: Condition) -> Condition:
        """The conditions of both batches in one, of models that have the same maps."""
        planes = None
        if self.planes is not None and other.planes is not None:
            planes = torch.cat([self.planes, other.planes])
        return replace(
            self,
            lightness=torch.cat([self.lightness, other.lightness]),
            features={g: torch.cat([x, other.features[g]]) for g, x in self.features.items()},
            planes=planes,
        )

    def to(self, device: torch.device | str) -> Condition:
        """The same condition on another device."""
        return self.map(lambda x: x.to(device))

    def refined_by(self, late_blocks: LateBlocks) -> Condition:
        """The condition with the maps that a model's own late blocks compute from the 32x32 map."""
        own = late_blocks(self.features[LATE_BLOCKS_INPUT])
        return replace(self, features={**self.features, **own}, refined=True)


def coarse_lightness(lightness: Tensor) -> Tensor:
    """(B, 1, 256, 256) -> (B, 1, 128, 128)."""
    return F.avg_pool2d(lightness, LIGHTNESS_SIZE // CONDITION_GRID)


class Conditioner(nn.Module):
    """Computes the `Condition` of a batch of squashed photos with the feature network.

    Args:
        late_blocks: the model's own late blocks, which replace the frozen ones; None for none.
    """

    def __init__(self, late_blocks: LateBlocks | None = None) -> None:
        super().__init__()
        self.features = Features()
        self.late_blocks = late_blocks

    @torch.no_grad()
    def forward(self, lightness: Tensor, planes: Tensor | None = None) -> Condition:
        """
        Args:
            lightness: (B, 1, 256, 256) CIE L* in [0, 100].
            planes: (B, E, 64, 64) extra planes, or None.

        Returns:
            The condition of each photo.
        """
        own = self.late_blocks
        coarsest = min(LATE_BLOCKS_OUTPUTS) if own is None else LATE_BLOCKS_INPUT
        condition = Condition(
            lightness=coarse_lightness(lightness),
            features=self.features(lightness, coarsest=coarsest),
            planes=planes,
        )
        return condition if own is None else condition.refined_by(own)
