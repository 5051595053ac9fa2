"""This project's model: a Haar pyramid with a conditional spline flow at each level.

`pyramid` joins the level flows of the shipped model (`colorflow.model.level`) into one bijection.

Reference: Ardizzone et al. 2019 (cINN); Yu et al. 2020 (Wavelet Flow).

Dimensions: B samples, C channels, H the finest grid, g a level's grid, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow import flows
from colorflow.flows.networks import check_context_channels, from_tokens, to_tokens
from colorflow.model.level import level_flow
from colorflow.zoo.scales import Shape

COARSEST_GRID = 4
ATTENTION_GRIDS = (2, 8)
"""Smallest and largest grid on which every cell attends to every other."""


def pyramid(
    shape: Shape,
    context_channels: int,
    *,
    width: int = 64,
    couplings: int = 6,
    bins: int = 8,
) -> flows.Bijection:
    """Means on a 4x4 grid and the details of each doubling, conditioned on the coarser means.

    Published, with the shipped weights: a grid of 64x64, five levels, each with a context network
    of its own over EfficientNet-Lite0's features, `width` 96, 96, 96, 64, 32 and `couplings` 12, 8,
    6, 4, 4 from coarse to fine, a bounded range of ab before them. Here all levels share one
    context and one width, and the first batch, in ActNorm, stands in for the statistics of the
    training data.

    Published bits/dim: 2.84 for the shipped weights, ab at 64x64.
    Here: 3.56 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, H) of a sample, C even. H is halved down to 4, or as often as it is even.
        context_channels: of the context, (B, context_channels, H, H).
        width: channels of contexts and networks, a multiple of 4.
        couplings: of each level.
        bins: pieces of each spline.

    Returns:
        Bijection from (B, C, H, H) to (B, C * H * H).

    Raises:
        ValueError: if the grid is not square, or there is no context.

    Reference: this project; conditioning on the coarser means as in Yu et al. 2020, "Wavelet
    Flow".
    """
    check_context_channels(context_channels)
    channels, side, _ = shape
    if shape[1] != shape[2]:
        raise ValueError(f"shape: expected a square grid, got {shape}")
    grid = side
    while grid > COARSEST_GRID and grid % 2 == 0:
        grid //= 2

    def level(level_channels: int) -> flows.Composition:
        flow = level_flow(
            level_channels, grid, width,
            width=width, couplings=couplings, bins=bins, attention=_attends(grid), dropout=0.0,
        )  # fmt: skip
        return flows.Composition([flows.ActNorm(level_channels), flow])

    context = _LevelContext(context_channels, side, grid, width)
    flow: flows.Bijection = flows.Composition(
        [flows.WithContext(context, level(channels)), flows.Flatten((channels, grid, grid))]
    )
    while grid < side:
        details = _LevelContext(context_channels, side, grid, width, means=channels)
        split = flows.Split(
            (4 * channels, grid, grid), channels, flow, level(3 * channels), details
        )
        flow = flows.Composition([flows.Haar(), split])
        grid *= 2
    return flow


def _attends(grid: int) -> bool:
    smallest, largest = ATTENTION_GRIDS
    return smallest <= grid <= largest


class _LevelContext(nn.Module):
    """A level's context: the shared one pooled to twice the grid, squeezed, with the means, mixed.

    Args:
        context_channels: of the shared context.
        side: of the shared context's grid.
        grid: of the level.
        width: channels of the result.
        means: channels of the coarser means, for a level of details.
    """

    def __init__(
        self, context_channels: int, side: int, grid: int, width: int, means: int = 0
    ) -> None:
        super().__init__()
        self.grid, self.factor = grid, min(2, side // grid)
        self.fine = nn.Conv2d(context_channels, width, 1)
        self.squeeze = nn.Conv2d(self.factor**2 * width, width, 1)
        self.position = nn.Parameter(0.02 * torch.randn(width, grid, grid))
        self.mix = (
            flows.AttentionLayer(width, 0.0)
            if _attends(grid)
            else flows.ConvolutionNetwork(0, width, width, width)
        )
        self.from_means = nn.Conv2d(means, width, 3, padding=1) if means else None

    def forward(self, *given: Tensor) -> Tensor:
        """(B, context_channels, H, H), after means (B, C, g, g) if any -> (B, width, g, g)."""
        *means, context = given
        pooled = F.adaptive_avg_pool2d(context, self.factor * self.grid)
        fine = F.pixel_unshuffle(F.gelu(self.fine(pooled)), self.factor)
        h = self.squeeze(fine) + self.position
        if self.from_means is not None:
            h = h + self.from_means(*means)
        if isinstance(self.mix, flows.AttentionLayer):  # over all cells
            return from_tokens(self.mix(to_tokens(h)), h)
        return h + self.mix(None, h)
