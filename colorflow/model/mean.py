"""The mean head: the mean of a photo's colors in one pass.

A small decoder reads the same feature maps as the levels of the pyramid, coarse to fine. It learns
the mean of ab on the 64x64 grid by squared error. The mean of samples of the flow is better and
costs many passes; the head is cheap enough to look at several crops of a photo.

Reference: Ronneberger et al. 2015 (decoder with skip connections).

Dimensions: B photos, g the grid of a map.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.networks import AttentionLayer, from_tokens, to_tokens, zero_initialized
from colorflow.model.condition import Condition
from colorflow.model.context import FeatureStandardize
from colorflow.model.features import FEATURE_CHANNELS

WIDTHS = {8: 128, 16: 96, 32: 48, 64: 24}
"""Channels of the decoder, by the grid's side."""
CHROMA_UNIT = 20.0
"""Unit of the network's outputs, in CIELAB units: about the std of chroma over photos."""
_ATTENTION_LAYERS = 2


class MeanHead(nn.Module):
    """Predicts the mean of a photo's colors.

    Args:
        dropout: share of channels dropped in training.
    """

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.standardize = nn.ModuleDict(
            {str(g): FeatureStandardize(FEATURE_CHANNELS[g]) for g in WIDTHS}
        )
        self.from_map = nn.ModuleDict(
            {str(g): nn.Conv2d(FEATURE_CHANNELS[g], width, 1) for g, width in WIDTHS.items()}
        )
        self.from_coarser = nn.ModuleDict(
            {
                str(2 * g): nn.Conv2d(width, WIDTHS[2 * g], 1)
                for g, width in list(WIDTHS.items())[:-1]
            }
        )
        self.from_lightness = nn.ModuleDict(
            {"32": nn.Conv2d(16, WIDTHS[32], 1), "64": nn.Conv2d(4, WIDTHS[64], 1)}
        )
        self.position = nn.Parameter(0.02 * torch.randn(1, WIDTHS[8], 8, 8))
        self.attention = nn.ModuleList(
            AttentionLayer(WIDTHS[8], dropout) for _ in range(_ATTENTION_LAYERS)
        )
        self.blocks = nn.ModuleDict(
            {str(g): DecoderBlock(WIDTHS[g], dropout if g < 64 else 0.0) for g in (16, 32, 64)}
        )
        self.dropout = nn.Dropout2d(dropout)
        self.coarse_ab = nn.Conv2d(WIDTHS[32], 2, 1)
        self.fine_ab = zero_initialized(nn.Conv2d(WIDTHS[64], 2, 3, padding=1))

    def fit(self, condition: Condition) -> None:
        """Takes the statistics of the features from training data."""
        for grid, standardize in self.standardize.items():
            cast(FeatureStandardize, standardize).fit(condition.features[int(grid)])

    def forward(self, condition: Condition) -> Tensor:
        """The mean (B, 2, 64, 64), CIELAB units, of photos whose condition has all maps."""
        lightness = (condition.lightness - 50) / 25  # (B, 1, 128, 128)
        maps = {g: self.standardize[str(g)](condition.features[g]) for g in WIDTHS}
        h = self.from_map["8"](maps[8]) + self.position
        tokens = to_tokens(self.dropout(h))
        for layer in self.attention:
            tokens = layer(tokens)
        h = from_tokens(tokens, h)
        for grid in (16, 32, 64):
            name = str(grid)
            x = self.from_map[name](maps[grid])
            if name in self.from_lightness:
                x = x + self.from_lightness[name](F.pixel_unshuffle(lightness, 128 // grid))
            h = _resized(self.from_coarser[name](h), grid) + self.dropout(x)
            h = self.blocks[name](h)
            if grid == 32:
                coarse = _resized(self.coarse_ab(F.gelu(h)), 64)
        mean: Tensor = CHROMA_UNIT * (self.fine_ab(F.gelu(h)) + coarse).float()
        return mean


class DecoderBlock(nn.Module):
    """Two 3x3 convolutions, added to what they are given; a new block changes nothing."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = zero_initialized(nn.Conv2d(width, width, 3, padding=1))
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, g, g) -> the same."""
        result: Tensor = x + self.second(self.dropout(F.gelu(self.first(F.gelu(x)))))
        return result


def _resized(x: Tensor, grid: int) -> Tensor:
    return F.interpolate(x, (grid, grid), mode="bilinear", align_corners=False)
