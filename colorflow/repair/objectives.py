"""What the three parts of repair learn; each an `Objective` of the trainer.

The condition is that of `WornPatches`: planes (B, 4, H, W).
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from colorflow.repair.model import DEQUANTIZATION_STD, FillModel
from colorflow.repair.network import Finder, MeanFill
from colorflow.training.objective import ModuleT, Objective

FINDER, MEAN, FILL = "finder", "mean", "fill"
PREVIEW_TEMPERATURE = 0.8


class PartObjective(Objective[ModuleT, Tensor]):
    """What the objectives have in common."""

    stream = 300

    def fit(self, module: ModuleT, target: Tensor, planes: Tensor, noise: Generator) -> None:
        """Nothing is taken from the data before training."""


class FinderObjective(PartObjective[Finder]):
    """Cross-entropy of damage, pixel by pixel."""

    name = folder = FINDER
    unit = "bits a pixel"

    def loss(self, module: Finder, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """Mean over the pixels of a patch, (B,)."""
        logits = module(planes[:, :1]).float()
        error = F.binary_cross_entropy_with_logits(logits, planes[:, 1:2], reduction="none")
        return error.flatten(1).mean(1) / math.log(2)

    def preview(self, module: Finder, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """With damage, without it, where it is, and where it is found."""
        found = module(planes[:, :1]).sigmoid()
        return _shown(planes[:, :1] / 100, target / 100, planes[:, 1:2], found)


class FillMeanObjective(PartObjective[MeanFill]):
    """Squared error of the mean inside the mask."""

    name = folder = MEAN
    unit = "squared L* units"

    def loss(self, module: MeanFill, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """Mean over the masked pixels of a patch, 0 where there are none, (B,)."""
        mask = planes[:, 2:3]
        mean, _ = module(planes[:, 3:], mask)
        return _per_pixel((mask * (mean - target).square()).flatten(1).sum(1), mask)

    def preview(self, module: MeanFill, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """With damage, without it, the first guess, and the mean."""
        mean, _ = module(planes[:, 3:], planes[:, 2:3])
        return _shown(*(x / 100 for x in (planes[:, :1], target, planes[:, 3:], mean)))


class FillObjective(PartObjective[FillModel]):
    """Maximum likelihood of what the mask hides, with noise."""

    name = folder = FILL
    unit = "bits/dim"

    def loss(self, module: FillModel, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """Negative log-likelihood in bits per masked pixel, density per L* unit, (B,)."""
        mask = planes[:, 2:3]
        noisy = target + DEQUANTIZATION_STD * torch.randn(target.shape, generator=noise).to(target)
        log_prob = module(noisy, planes[:, 3:], mask)
        return _per_pixel(-log_prob / math.log(2), mask)

    def preview(
        self, module: FillModel, target: Tensor, planes: Tensor, noise: Generator
    ) -> Tensor:
        """With damage, without it, the mean, and two samples."""
        b, _, h, w = planes.shape
        made = [module.decode(planes, planes[:, 3:], planes[:, 2:3], 0.0)]
        for temperature in (PREVIEW_TEMPERATURE, 1.0):
            latents = torch.randn((b, 4, h // 2, w // 2), generator=noise).to(planes)
            made.append(module.decode(latents, planes[:, 3:], planes[:, 2:3], temperature))
        return _shown(*(x / 100 for x in (planes[:, :1], target, *made)))


def _per_pixel(total: Tensor, mask: Tensor) -> Tensor:
    return total / mask.flatten(1).sum(1).clamp_min(1.0)


def _shown(*planes: Tensor) -> Tensor:
    """Planes (B, 1, H, W) in [0, 1] side by side, as (B, N, 3, H, W)."""
    return torch.stack(planes, 1).clamp(0, 1).expand(-1, -1, 3, -1, -1)
