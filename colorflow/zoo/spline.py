"""The neural spline flow RQ-NSF (C): rational-quadratic spline couplings on several scales."""

from __future__ import annotations

from collections.abc import Iterator

from colorflow.flows import (
    ActNorm,
    Bijection,
    Coupling,
    Linear,
    RationalQuadraticSpline,
    ResidualNetwork,
)
from colorflow.zoo.scales import Shape, channel_partition, squeezed_scales

SPLINE_LIMIT = 3.0
"""Half-width of the splines' box, as published; ActNorm keeps nearly all numbers within it."""


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
    spline = RationalQuadraticSpline(bins, SPLINE_LIMIT)

    def steps(shape: Shape) -> Iterator[Bijection]:
        for index in range(depth):
            partition = channel_partition(shape, index)
            out = spline.size * partition.moved_channels
            network = ResidualNetwork(
                partition.kept_channels, context_channels, width, out, blocks=1
            )
            yield ActNorm(shape[0])
            yield Linear.rotation(shape[0], seed=index, plu=True)
            yield Coupling(partition, network, spline)

    return squeezed_scales(shape, context_channels, scales=scales, width=width, steps=steps)
