"""The context network of a level, which reads a photo's condition.

Each level of the pyramid has its own context network. It works on twice the level's grid g: every
feature map passes a 1x1 convolution and is resized to 2g x 2g; lightness is added after
space-to-depth, and extra planes such as color hints as masked means. The sum is squeezed to g x g,
and the coarser chroma, if any, is added. Attention layers mix small grids, so that a hint acts far
away; residual convolutions mix the larger grids.

Dimensions: B photos, g the grid of a level or map, W a level's width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.networks import AttentionLayer, from_tokens, to_tokens, zero_initialized
from colorflow.model.condition import CONDITION_GRID, FEATURE_CHANNELS, Condition
from colorflow.model.config import LevelConfig

CHROMA_UNIT = 20.0
"""CIELAB units; about the std of chroma over photos."""
FEATURE_CLAMP = 6.0
"""Standardized features are clipped here; ReLU6 features have long tails."""

_MAX_FINE_CHANNELS = 64
_PLANES_WIDTH = 64


class LevelContext(nn.Module):
    """Context of one level.

    Args:
        config: the level.
        coarse: whether the level is conditioned on coarser chroma.
        extra_planes: E of the condition's planes; missing planes count as zeros.
    """

    def __init__(self, config: LevelConfig, *, coarse: bool, extra_planes: int) -> None:
        super().__init__()
        self.grid, self.side = config.grid, 2 * config.grid
        width = config.width
        fine = min(width, _MAX_FINE_CHANNELS)
        self.standardize = nn.ModuleDict(
            {str(g): FeatureStandardize(FEATURE_CHANNELS[g]) for g in config.maps}
        )
        self.from_map = nn.ModuleDict(
            {str(g): nn.Conv2d(FEATURE_CHANNELS[g], fine, 1) for g in config.maps}
        )
        self.lightness_factor = min(4, CONDITION_GRID // self.side)
        self.from_lightness = nn.Conv2d(self.lightness_factor**2, fine, 1)
        self.from_planes = _FromPlanes(extra_planes, fine) if extra_planes else None
        self.input_dropout = nn.Dropout2d(config.dropout)
        self.squeeze = nn.Conv2d(4 * fine, width, 1)
        self.from_coarse = nn.Conv2d(2, width, 3, padding=1) if coarse else None
        self.position = nn.Parameter(torch.randn(1, width, self.grid, self.grid) * 0.02)
        if config.attention:
            layers: list[nn.Module] = [
                AttentionLayer(width, config.dropout) for _ in range(config.context_layers)
            ]
            self.trunk: nn.Module = _Tokens(layers)
        else:
            blocks = [_ResidualBlock(width, config.dropout) for _ in range(config.context_layers)]
            self.trunk = nn.Sequential(*blocks)

    def fit(self, condition: Condition) -> None:
        """Takes the statistics of the features from a sample of the training data."""
        for grid, standardize in self.standardize.items():
            assert isinstance(standardize, FeatureStandardize)
            standardize.fit(condition.features[int(grid)])

    def of_photo(self, condition: Condition) -> Tensor:
        """The part of the context that depends on the photo only: (B, W, g, g)."""
        side = self.side
        h = self.from_lightness(self._lightness(condition.lightness))
        for grid, convolution in self.from_map.items():
            x = self.standardize[grid](condition.features[int(grid)])
            if x.shape[-1] > side:  # pooling and a 1x1 convolution commute: pool first
                x = F.avg_pool2d(x, x.shape[-1] // side)
            x = convolution(x)
            if x.shape[-1] < side:
                x = F.interpolate(x, (side, side), mode="bilinear", align_corners=False)
            h = h + x
        if condition.planes is not None:
            if self.from_planes is None:
                raise ValueError("condition: this model takes no extra planes")
            h = h + self.from_planes(_pool_planes(condition.planes, side))
        h = F.gelu(self.input_dropout(h))
        return self.squeeze(F.pixel_unshuffle(h, 2)) + self.position

    def of_sample(self, photo: Tensor, coarse: Tensor | None) -> Tensor:
        """The context of a coloring: (B, W, g, g).

        Args:
            photo: (B, W, g, g), the result of `of_photo`.
            coarse: (B, 2, g, g) chroma in CIELAB units, or None for the coarsest level.
        """
        if self.from_coarse is not None:
            if coarse is None:
                raise ValueError("coarse: this level is conditioned on coarser chroma, got none")
            photo = photo + self.from_coarse(coarse / CHROMA_UNIT)
        return self.trunk(photo)

    def _lightness(self, lightness: Tensor) -> Tensor:
        side = self.side * self.lightness_factor
        x = F.adaptive_avg_pool2d(lightness, side)
        return F.pixel_unshuffle(x / 50 - 1, self.lightness_factor)


def _pool_planes(planes: Tensor, side: int) -> Tensor:
    """(B, E, 64, 64) -> (B, E, side, side): maximum of the mask, masked means of the others."""
    factor = planes.shape[-1] // side
    mask, values = planes[:, :1], planes[:, 1:]
    share = F.avg_pool2d(mask, factor)
    known = F.max_pool2d(mask, factor)
    means = F.avg_pool2d(mask * values, factor) / torch.where(share > 0, share, 1)
    return torch.cat([known, means / CHROMA_UNIT], 1)


class _FromPlanes(nn.Module):
    """Embeds extra planes: zero where the mask is 0, and zero everywhere at initialization.

    With the hidden layer a trained model learns the use of hints much faster than with a single
    layer that starts at zero (docs/experiments.md).
    """

    def __init__(self, planes: int, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(planes, _PLANES_WIDTH, 1)
        self.out = zero_initialized(nn.Conv2d(_PLANES_WIDTH, channels, 1, bias=False))

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, E, g, g), mask first -> (B, channels, g, g)."""
        return pooled[:, :1] * self.out(F.gelu(self.hidden(2 * pooled)))


class FeatureStandardize(nn.Module):
    """Zero mean and unit variance per channel, then clipping at `FEATURE_CLAMP`."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("std", torch.ones(channels, 1, 1))

    def fit(self, x: Tensor) -> None:
        """Takes the statistics of (B, C, g, g)."""
        std, mean = torch.std_mean(x, dim=(0, 2, 3), keepdim=True)
        self.mean.copy_(mean[0])
        self.std.copy_(std[0].clamp_min(1e-3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, g, g) -> the same."""
        return ((x - self.mean) / self.std).clamp(-FEATURE_CLAMP, FEATURE_CLAMP)


class _Tokens(nn.Module):
    """Attention layers over the cells of a grid."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return from_tokens(self.layers(to_tokens(x)), x)


class _ResidualBlock(nn.Module):
    """x plus a small convolutional network of x."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.second(F.gelu(self.first(F.gelu(x)))))
