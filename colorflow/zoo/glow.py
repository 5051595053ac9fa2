"""Glow: learned channel permutations and couplings on several scales; also with splines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import nn

from colorflow.flows import (
    ActNorm,
    Affine,
    Bijection,
    ConvolutionNetwork,
    Coupling,
    ElementwiseTransform,
    Linear,
    RationalQuadraticSpline,
    ResidualNetwork,
)
from colorflow.zoo.scales import COUPLING_LOG_SCALE, Shape, channel_partition, squeezed_scales

SPLINE_LIMIT = 3.0
"""Half-width of the splines' box, as published; ActNorm keeps nearly all numbers within it."""


def glow(
    shape: Shape, context_channels: int, *, scales: int = 2, depth: int = 6, width: int = 64
) -> Bijection:
    """ActNorm, an invertible 1x1 convolution and an affine coupling, over and over.

    Published: ImageNet 64x64 with `scales` 4, `depth` 48 and `width` 512; CIFAR-10 with 3, 32 and
    512. The 1x1 convolution is the factorized one, the priors of what leaves a scale and of the
    last one are learned.

    Published bits/dim: CIFAR-10 3.35, ImageNet 32x32 4.09, ImageNet 64x64 3.81.
    Here: 3.47 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        scales: how often it is squeezed.
        depth: steps a scale.
        width: hidden channels.

    Reference: Kingma & Dhariwal 2018, "Glow: Generative Flow with Invertible 1x1 Convolutions".
    """

    def network(kept: int, out: int) -> nn.Module:
        return ConvolutionNetwork(kept, context_channels, width, out)

    return squeezed_scales(
        shape,
        context_channels,
        scales=scales,
        width=width,
        steps=lambda shape: _steps(shape, depth, Affine(COUPLING_LOG_SCALE), network),
    )


def neural_spline_flow(
    shape: Shape,
    context_channels: int,
    *,
    scales: int = 2,
    depth: int = 4,
    width: int = 48,
    bins: int = 8,
) -> Bijection:
    """Glow with rational-quadratic splines in its couplings.

    Published: ImageNet 64x64 with `scales` 4, `depth` 7, networks of 3 residual blocks and `width`
    96, and 8 `bins`; CIFAR-10 with 3 scales. Here the networks have 1 block and the splines' inputs
    are given by ActNorm alone.

    Published bits/dim: CIFAR-10 3.38, ImageNet 64x64 3.82.
    Here: 3.53 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        scales: how often it is squeezed.
        depth: steps a scale: ActNorm, 1x1 convolution, coupling.
        width: hidden channels.
        bins: pieces of a spline.

    Reference: Durkan, Bekasov, Murray & Papamakarios 2019, "Neural Spline Flows".
    """

    def network(kept: int, out: int) -> nn.Module:
        return ResidualNetwork(kept, context_channels, width, out, blocks=1)

    spline = RationalQuadraticSpline(bins, SPLINE_LIMIT)
    return squeezed_scales(
        shape,
        context_channels,
        scales=scales,
        width=width,
        steps=lambda shape: _steps(shape, depth, spline, network),
    )


def _steps(
    shape: Shape,
    depth: int,
    transform: ElementwiseTransform,
    network: Callable[[int, int], nn.Module],
) -> Iterator[Bijection]:
    """ActNorm, 1x1 convolution and coupling, `depth` times; kept channels, out -> a network."""
    for index in range(depth):
        partition = channel_partition(shape, index)
        out = transform.size * partition.moved_channels
        coupling = Coupling(partition, network(partition.kept_channels, out), transform)
        yield ActNorm(shape[0])
        yield Linear.rotation(shape[0], seed=index, plu=True)
        yield coupling
