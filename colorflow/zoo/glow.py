"""Glow: learned channel permutations and affine couplings on several scales."""

from __future__ import annotations

from collections.abc import Iterator

from colorflow.flows import (
    ActNorm,
    Affine,
    Bijection,
    ConvolutionNetwork,
    Coupling,
    Linear,
)
from colorflow.zoo.scales import COUPLING_LOG_SCALE, Shape, channel_partition, squeezed_scales


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

    def steps(shape: Shape) -> Iterator[Bijection]:
        for index in range(depth):
            partition = channel_partition(shape, index)
            out = 2 * partition.moved_channels
            network = ConvolutionNetwork(partition.kept_channels, context_channels, width, out)
            yield ActNorm(shape[0])
            yield Linear.rotation(shape[0], seed=index, plu=True)
            yield Coupling(partition, network, Affine(COUPLING_LOG_SCALE))

    return squeezed_scales(shape, context_channels, scales=scales, width=width, steps=steps)
