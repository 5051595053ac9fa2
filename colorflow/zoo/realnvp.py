"""RealNVP: affine couplings on several scales."""

from __future__ import annotations

from collections.abc import Iterator

from colorflow.flows import ActNorm, Affine, Bijection, Coupling, ResidualNetwork
from colorflow.zoo.scales import (
    COUPLING_LOG_SCALE,
    Parting,
    Shape,
    channel_partition,
    masked_partition,
    masked_scales,
)


def realnvp(
    shape: Shape,
    context_channels: int,
    *,
    scales: int = 2,
    depth: int = 3,
    width: int = 32,
    blocks: int = 2,
) -> Bijection:
    """Affine couplings over checkerboards and then over channels, half of which leaves a scale.

    Published: `depth` 3 and 4 on the last grid, which has 4x4 cells, networks of 2 `blocks` (64x64
    photos) to 8 (CIFAR-10) whose 32 or 64 channels double at every scale, and batch normalization
    between and inside couplings. Here ActNorm takes its place, since a sample's density may not
    depend on its batch, there are 3 couplings on the last grid too, and `width` does not grow.

    Published bits/dim: CIFAR-10 3.49, ImageNet 32x32 4.28, ImageNet 64x64 3.98.
    Here: 3.74 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        scales: grids, each half as wide as the one before.
        depth: couplings before and after each squeeze.
        width: hidden channels.
        blocks: residual blocks a network.

    Reference: Dinh, Sohl-Dickstein & Bengio 2017, "Density estimation using Real NVP".
    """

    def steps(shape: Shape, part: Parting) -> Iterator[Bijection]:
        for index in range(depth):
            partition = part(shape, index)
            out = 2 * partition.moved_channels
            network = ResidualNetwork(
                partition.kept_channels, context_channels, width, out, blocks=blocks
            )
            yield ActNorm(shape[0])
            yield Coupling(partition, network, Affine(COUPLING_LOG_SCALE))

    return masked_scales(
        shape,
        context_channels,
        scales=scales,
        masked=lambda shape: steps(shape, masked_partition),
        channelwise=lambda shape: steps(shape, channel_partition),
        split=True,
    )
