"""Heads that read a photo in one pass: the mean of its colors, and where its skin is.

A small decoder reads the feature maps of a condition, coarse to fine. All of it but the position of
the coarsest cells is convolutions and attention, so a head that was trained on photos of 256x256
pixels also reads larger ones, on a larger grid, and finds smaller things.

The mean head learns the mean of ab by squared error, which is paler than photos; its gain makes up
for a part of that.

The skin head says how likely each cell is skin, and which chroma skin has there: the mean given
that it is skin. Skin has few colors, so that this mean is no gray, as the mean of all colors is
where they are open. How far the skin of one photo is from it, in strength and hue, is a latent of
the whole photo (`colorflow.model.skin`).

Reference: Ronneberger et al. 2015 (decoder with skip connections).

Dimensions: B photos; s = 1 for photos of 256x256 pixels, 1.5 for 384x384.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.networks import AttentionLayer, from_tokens, to_tokens, zero_initialized
from colorflow.model.condition import FEATURE_CHANNELS, PLANES_GRID, Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.context import CHROMA_UNIT, FeatureStandardize
from colorflow.model.segmentation import CLASSES

HEADS_SIZE = 384
"""Side in pixels of the large photo, which the heads and the spatial operator read."""
WIDTHS = {8: 128, 16: 96, 32: 48, 64: 24}
"""Channels of the decoder, by the grid's side for photos of 256x256 pixels."""
TYPICAL_SKIN = (13.0, 15.0)
"""Chroma that an untrained skin head predicts, about the mean of labeled skin; CIELAB units."""

_ATTENTION_LAYERS = 2
_RARE = -2.0
"""Log odds of skin in an untrained skin head."""
_FINEST_WIDTH = 16
"""Channels of the segmentation head's finest grid."""
_FASTEST: Any = {"memory_format": torch.channels_last}
"""The layout of the feature maps; with it a head takes three quarters of the time on a CPU."""


class Decoder(nn.Module):
    """Reads feature maps and lightness, coarse to fine.

    Args:
        dropout: share of channels dropped in training.
        planes: channels of the condition's extra planes that it reads too, without their mask.
    """

    def __init__(self, dropout: float = 0.1, planes: int = 0) -> None:
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
        self.from_planes = nn.Conv2d(planes, WIDTHS[64], 1) if planes else None
        self.position = nn.Parameter(0.02 * torch.randn(1, WIDTHS[8], 8, 8))
        self.attention = nn.ModuleList(
            AttentionLayer(WIDTHS[8], dropout) for _ in range(_ATTENTION_LAYERS)
        )
        self.blocks = nn.ModuleDict(
            {str(g): DecoderBlock(WIDTHS[g], dropout if g < 64 else 0.0) for g in (16, 32, 64)}
        )
        self.dropout = nn.Dropout2d(dropout)

    def fit(self, condition: Condition) -> None:
        """Takes the statistics of the features from training data."""
        for grid, standardize in self.standardize.items():
            cast(FeatureStandardize, standardize).fit(condition.features[int(grid)])

    def decoded(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """(B, 48, 32s, 32s) and (B, 24, 64s, 64s), of photos whose condition has all maps."""
        lightness = (condition.lightness - 50) / 25  # (B, 1, 128s, 128s)
        maps = {g: self.standardize[str(g)](condition.features[g]) for g in WIDTHS}
        h = self.from_map["8"](maps[8])
        h = h + _resized(self.position, h.shape[-1])
        tokens = to_tokens(self.dropout(h))
        for layer in self.attention:
            tokens = layer(tokens)
        h, steps = from_tokens(tokens, h), []
        for grid in (16, 32, 64):
            name = str(grid)
            x = self.from_map[name](maps[grid])
            if name in self.from_lightness:
                x = x + self.from_lightness[name](F.pixel_unshuffle(lightness, 128 // grid))
            if grid == PLANES_GRID and self.from_planes is not None:
                assert condition.planes is not None
                ab = _resized(condition.planes[:, 1:], x.shape[-1])
                x = x + self.from_planes(ab / CHROMA_UNIT)
            h = _resized(self.from_coarser[name](h), x.shape[-1]) + self.dropout(x)
            h = self.blocks[name](h)
            steps.append(h)
        return steps[1], steps[2]


class MeanHead(Decoder):
    """Predicts the mean of a photo's colors.

    Args:
        dropout: share of channels dropped in training.

    Attributes:
        gain: factor of the contrast of what is predicted, for a picture that is less pale.
    """

    gain: Tensor

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__(dropout)
        self.register_buffer("gain", torch.ones(()))
        self.coarse_ab = nn.Conv2d(WIDTHS[32], 2, 1)
        self.fine_ab = zero_initialized(nn.Conv2d(WIDTHS[64], 2, 3, padding=1))
        self.to(**_FASTEST)

    def forward(self, condition: Condition) -> Tensor:
        """The mean (B, 2, 64, 64), CIELAB units, of photos whose condition has all maps."""
        half, full = self.decoded(condition)
        coarse = _resized(self.coarse_ab(F.gelu(half)), full.shape[-1])
        ab = CHROMA_UNIT * (self.fine_ab(F.gelu(full)) + coarse).float()
        return F.adaptive_avg_pool2d(ab, FINEST_GRID)


class SkinHead(Decoder):
    """Says where skin is, and which chroma it has there.

    Args:
        dropout: share of channels dropped in training.
    """

    tone_mean: Tensor
    tone_factor: Tensor

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__(dropout)
        self.register_buffer("tone_mean", torch.zeros(2))
        self.register_buffer("tone_factor", torch.eye(2))
        self.out = zero_initialized(nn.Conv2d(WIDTHS[64], 3, 3, padding=1))
        self.to(**_FASTEST)

    def forward(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """Log odds of skin (B, 1, 64s, 64s), and its mean chroma (B, 2, 64s, 64s)."""
        _, full = self.decoded(condition)
        x = self.out(F.gelu(full)).float()
        typical = x.new_tensor(TYPICAL_SKIN)[:, None, None]
        return 5 * x[:, :1] + _RARE, CHROMA_UNIT * x[:, 1:] + typical

    def fit_tones(self, tones: Tensor) -> None:
        """Takes mean and covariance of the tones of training photos, (N, 2)."""
        self.tone_mean.copy_(tones.mean(0))
        self.tone_factor.copy_(torch.linalg.cholesky(torch.cov(tones.T)))


class SegmentationHead(Decoder):
    """Says which class of things each cell belongs to, and where things end.

    Args:
        dropout: share of channels dropped in training.
        sees_color: whether it also reads the photo's own chroma, as extra planes; such a head marks
            the things in color photos for another one that learns from lightness.
    """

    def __init__(self, dropout: float = 0.1, *, sees_color: bool = False) -> None:
        super().__init__(dropout, planes=2 if sees_color else 0)
        count = len(CLASSES) + 1
        self.coarse = nn.Conv2d(WIDTHS[32], count, 1)
        self.fine = zero_initialized(nn.Conv2d(WIDTHS[64], count, 3, padding=1))
        self.to_finest = nn.Conv2d(WIDTHS[64], _FINEST_WIDTH, 1)
        self.light_finest = nn.Conv2d(1, _FINEST_WIDTH, 3, padding=1)
        self.finest = nn.Conv2d(_FINEST_WIDTH, _FINEST_WIDTH, 3, padding=1)
        self.out = zero_initialized(nn.Conv2d(_FINEST_WIDTH, count, 1))
        self.to(**_FASTEST)

    def forward(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """Log odds of the classes, up to a constant of each cell, and of an outline.

        Returns:
            (B, 18, 128s, 128s) and (B, 1, 128s, 128s).
        """
        half, full = self.decoded(condition)
        coarse = _resized(self.coarse(F.gelu(half)), full.shape[-1])
        lightness = (condition.lightness - 50) / 25
        side = lightness.shape[-1]
        added = _resized(self.to_finest(full), side) + self.light_finest(lightness)
        added = 5 * self.out(F.gelu(self.finest(F.gelu(added))))
        x = (_resized(5 * self.fine(F.gelu(full)) + 2 * coarse, side) + added).float()
        return x[:, :-1], x[:, -1:]


class DecoderBlock(nn.Module):
    """Two 3x3 convolutions, added to what they are given; a new block changes nothing."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = zero_initialized(nn.Conv2d(width, width, 3, padding=1))
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, g, g) -> the same."""
        return x + self.second(self.dropout(F.gelu(self.first(F.gelu(x)))))


def _resized(x: Tensor, side: int) -> Tensor:
    if x.shape[-1] == side:
        return x
    return F.interpolate(x, (side, side), mode="bilinear", align_corners=False)
