"""The cINN that colored photos in 2019, in the shape of its authors' research code.

Dimensions: B samples, C channels, H the grid of x and context, k the stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import count, pairwise

import torch
from torch import Tensor, nn

from colorflow import flows
from colorflow.flows.matrices import random_rotation
from colorflow.flows.networks import check_context_channels, zero_initialized
from colorflow.zoo.scales import Shape

SOFT_CLAMP = 1.5
"""Of every log-scale, as published."""
DENSE_GRID = 4
"""Grids are halved down to this one, whose numbers the dense couplings take all at once."""

_Subnet = Callable[[int, int], nn.Module]
"""Makes the network of a coupling, given its kept channels and its parameters a cell."""


def cinn2019(
    shape: Shape = (2, 64, 64),
    context_channels: int = 256,
    *,
    couplings: Sequence[int] = (4, 6, 6, 6),
    widths: Sequence[int] = (32, 64, 128, 256),
    condition_widths: Sequence[int] = (128, 128, 256),
    dense: int = 8,
    dense_width: int = 512,
    dense_condition_widths: Sequence[int] = (128, 256, 256, 512),
) -> flows.Bijection:
    """Conditional convolutional couplings on four grids, then dense ones: the original cINN.

    Published, and the defaults: 4, 6, 6 and 6 couplings on 64, 32, 16 and 8, each with a
    conditioning network of its own and a fixed random rotation of the channels; two couplings
    without context after each halving; half of the channels leaves at 16 and at 8, three quarters
    at 4; 8 dense couplings of the last 512 numbers; every coupling moves both halves, its
    log-scales softly clamped at 1.5. That is 56.7 M parameters: 16.4 M in conditioning networks,
    21.4 M in convolutional couplings and 18.9 M in dense ones.

    Other than published: layer instead of batch normalization of the conditions, since a sample's
    density may not depend on the batch; the atan clamp has slope 1 at zero where theirs has 0.64;
    Haar means are in the unit of x; orthogonal matrices are rotations; only the last layers start
    at zero, the others as PyTorch's; the features come as context from outside. Smaller grids have
    the first stages alone, as many as it takes down to 4.

    Published bits/dim: none.
    Here: 3.56 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample, C even.
        context_channels: of the context (B, context_channels, H, W).
        couplings: of each stage.
        widths: hidden channels of each stage's couplings.
        condition_widths: channels of the strided convolutions from the context to stages 2, 3...
        dense: couplings at the end.
        dense_width: their hidden units.
        dense_condition_widths: channels of the convolutions from the context to their condition.

    Raises:
        ValueError: if there are fewer stages than halvings of the grid, or there is no context.

    Reference: Ardizzone, Lüth, Kruse, Rother & Köthe 2019, "Guided image generation with
    conditional invertible neural networks", and its public code.
    """
    check_context_channels(context_channels)
    stages = _halvings(shape)
    if stages > min(len(couplings), len(widths), len(condition_widths) + 1):
        raise ValueError(
            f"couplings, widths, condition_widths: expected {stages} stages, got {couplings}, "
            f"{widths} and {condition_widths}"
        )
    seeds = count()
    chosen = dense_condition_widths[: max(stages - 1, 0)]

    def stage(k: int, shape: Shape) -> flows.Bijection:
        if k == stages:
            pooled = [*chosen, dense_condition_widths[-1]]
            return _dense_section(shape, context_channels, dense, dense_width, pooled)
        channels, height, width = shape
        bijections: list[flows.Bijection] = []
        for _ in range(couplings[k]):
            condition = _condition_network(context_channels, condition_widths[:k], widths[k])
            bijections.append(
                flows.WithContext(condition, _pair(channels, _convolutions(widths[k])))
            )
            bijections.append(_rotation(channels, next(seeds)))
        bijections.append(flows.Haar() if k == stages - 1 else flows.Squeeze())
        mixing = _mixing_convolutions(widths[min(k + 1, len(widths) - 1)])
        for _ in range(2):
            bijections += [_rotation(4 * channels, next(seeds)), _pair(4 * channels, mixing)]
        kept = channels if k == stages - 1 else 4 * channels if k == 0 else 2 * channels
        rest = stage(k + 1, (kept, height // 2, width // 2))
        if kept < 4 * channels:
            rest = flows.Split((4 * channels, height // 2, width // 2), kept, rest)
        return flows.Composition([*bijections, rest])

    return stage(0, shape)


def _halvings(shape: Shape) -> int:
    """How often the grid is halved: down to `DENSE_GRID`, or while it is even."""
    halvings, (_, height, width) = 0, shape
    while min(height, width) > DENSE_GRID and height % 2 == width % 2 == 0:
        halvings, height, width = halvings + 1, height // 2, width // 2
    return halvings


def _pair(channels: int, subnet: _Subnet) -> flows.Bijection:
    """One published coupling: x exp(s) + t for the first half, then for the second."""
    half = channels // 2
    second, first = (
        flows.Coupling(
            flows.ChannelPartition(channels, keep_first=keep_first),
            subnet(half, 2 * half),
            flows.Affine(SOFT_CLAMP),
        )
        for keep_first in (True, False)
    )
    return flows.Inverse(flows.Composition([second, first]))


def _dense_section(
    shape: Shape, context_channels: int, couplings: int, width: int, condition_widths: Sequence[int]
) -> flows.Bijection:
    """All numbers of the last grid as channels of one cell, permuted and coupled in turn."""
    numbers = math.prod(shape)
    condition = condition_widths[-1]
    bijections: list[flows.Bijection] = []
    for seed in range(couplings):
        bijections.append(flows.ChannelPermutation.random(numbers, seed))
        bijections.append(_pair(numbers, _dense(condition, width)))
    pooled = _pooled_condition_network(context_channels, condition_widths)
    coupled = flows.WithContext(pooled, flows.Composition(bijections))
    cell = (numbers, 1, 1)
    return flows.Composition([flows.Reshape(shape, cell), coupled, flows.Flatten(cell)])


def _rotation(channels: int, seed: int) -> flows.Bijection:
    """A fixed random rotation of the channels."""
    matrix = random_rotation(channels, seed)
    return flows.Linear(
        flows.FullMatrix(channels), _Fixed(matrix - torch.eye(channels, dtype=matrix.dtype))
    )


def _convolutions(width: int) -> _Subnet:
    """The published network of the conditioned couplings."""
    return lambda kept, out: _Layers(kept, width, [width] * 2, out, kernel=3, slope=5e-2)


def _mixing_convolutions(width: int) -> _Subnet:
    """The published network of the couplings after each halving."""
    return lambda kept, out: _Layers(kept, 0, [width] * 2, out, kernel=1, slope=1e-2)


def _dense(condition: int, width: int) -> _Subnet:
    """The published network of the dense couplings, with plain ReLUs."""
    return lambda kept, out: _Layers(kept, condition, [width] * 3, out, kernel=1, slope=0.0)


def _condition_network(context_channels: int, widths: Sequence[int], out: int) -> nn.Module:
    """Strided convolutions from the context to the grid of a stage."""
    return nn.Sequential(
        *_strided([context_channels, *widths]),
        nn.Conv2d([context_channels, *widths][-1], out, 3, padding=1),
        nn.GroupNorm(1, out),
    )


def _pooled_condition_network(context_channels: int, widths: Sequence[int]) -> nn.Module:
    """Strided convolutions from the context, then its mean: one vector a sample."""
    *layers, _ = _strided([context_channels, *widths])
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.GroupNorm(1, widths[-1]))


def _strided(channels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.LeakyReLU()]
    return layers


class _Layers(nn.Module):
    """Convolutions with leaky ReLUs between; the last starts at zero.

    Args:
        kept: channels of the kept part.
        condition: channels of the condition that is put beside it, 0 to ignore the condition.
        hidden: channels of the hidden layers.
        out: parameters a cell.
        kernel: side of all kernels, odd.
        slope: of the leaky ReLUs below zero.
    """

    def __init__(
        self,
        kept: int,
        condition: int,
        hidden: Sequence[int],
        out: int,
        *,
        kernel: int,
        slope: float,
    ) -> None:
        super().__init__()
        self.conditional = condition > 0
        channels = [kept + condition, *hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.LeakyReLU(slope)]
        last = zero_initialized(nn.Conv2d(channels[-1], out, kernel, padding=kernel // 2))
        self.layers = nn.Sequential(*layers, last)

    def forward(self, kept: Tensor, condition: Tensor) -> Tensor:
        """kept (B, K, h, w), condition (B, C, h, w) -> (B, out, h, w)."""
        return self.layers(torch.cat([kept, condition], 1) if self.conditional else kept)


class _Fixed(nn.Module):
    """Parameters of a matrix that are not learned."""

    matrix: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix.flatten().float(), persistent=False)

    def forward(self, kept: None, context: Tensor | None) -> Tensor:
        return self.matrix
