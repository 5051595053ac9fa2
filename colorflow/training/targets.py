"""What a level learns from a photo: its numbers with noise, given noisier coarser chroma."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.model.config import FINEST_GRID
from colorflow.model.pyramid import MEAN_CHANNELS, ChromaPyramid

NOISE = 1.0
"""Std of the noise on a level's own chroma means, in CIELAB units."""

SMALL_PHOTO_SIDE = {32: 64, 64: 128}
"""Photos whose short side is not above this teach nothing at that chroma grid."""


def level_names(pyramid: ChromaPyramid) -> list[int]:
    """The chroma grid that each level completes, coarse to fine: 4, 8, 16, 32, 64."""
    first = pyramid.config.levels[0].grid
    return [first * 2**index for index in range(len(pyramid.levels))]


def level_target(
    pyramid: ChromaPyramid, index: int, ab: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Noisy numbers of one level and the coarser chroma that they are given.

    Noise of std `NOISE` falls on the chroma means of the level's own grid. The coarser means that
    condition the level get as much once more, so that it can bear what a coarser level draws
    (conditioning augmentation, Ho et al. 2022, cascaded diffusion).

    Args:
        pyramid: for its bounded range and its grids.
        index: of the level, coarse to fine.
        ab: (B, 2, 64, 64) CIELAB units.
        generator: source of the noise.

    Returns:
        x (B, C, g, g), and coarse (B, 2, g, g) or None for the first level.
    """
    side = level_names(pyramid)[index]
    means = F.avg_pool2d(pyramid.bounded(ab)[0], FINEST_GRID // side)
    means = means + NOISE * _noise(means, generator)
    if index == 0:
        return means, None
    coarse, details = pyramid.haar(means)[0].split([MEAN_CHANNELS, 3 * MEAN_CHANNELS], 1)
    return details, coarse + NOISE * _noise(coarse, generator)


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Drawn on the CPU, so that every device sees the same."""
    return torch.randn(like.shape, generator=generator).to(like)
