"""Flow++: mixture-CDF couplings with attention, and variational dequantization."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from colorflow import flows
from colorflow.zoo.scales import Parting, Shape, coupling_steps, masked_partition, masked_scales

MAX_LOG_SCALE = 2.0
"""Bound of the log-scales of a coupling's components, and of its affine part."""
MAX_SHIFT = 4.0
"""Bound of the means of a coupling's components, and of its affine part."""
ATTENTION_CELLS = 64
"""Largest grid with attention: its cost grows with the square of the cells."""


def flow_plus_plus(
    shape: Shape,
    context_channels: int,
    *,
    scales: int = 2,
    depth: int = 2,
    width: int = 64,
    blocks: int = 1,
    components: int = 4,
) -> flows.Bijection:
    """Couplings that move a number through a mixture of logistic distributions; nothing leaves.

    Published: ImageNet 64x64 squeezed at once, then 3 grids with 4, 2 + 2 and 2 + 2 couplings,
    networks of 16 `blocks` and `width` 96, 4 `components`, 73 M parameters; CIFAR-10 with 2 grids,
    10 blocks and 32 components. Every block has attention there, here those of grids of up to 64
    cells. The variational dequantization of the paper, `flow_plus_plus_dequantization`, is for
    data of whole numbers and no part of this.

    Published bits/dim: CIFAR-10 3.08, ImageNet 32x32 3.86, ImageNet 64x64 3.69.
    Here: 3.42 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        scales: grids, each half as wide as the one before.
        depth: couplings before and after each squeeze.
        width: hidden channels, a multiple of 4.
        blocks: gated convolutions a network.
        components: logistic distributions of a mixture.

    Reference: Ho, Chen, Srinivas, Duan & Abbeel 2019, "Flow++".
    """

    def steps(shape: Shape, part: Parting) -> Iterator[flows.Bijection]:
        return _steps(shape, part, context_channels, depth, width, blocks, components)

    return masked_scales(shape, context_channels, scales=scales, steps=steps, split=False)


def flow_plus_plus_dequantization(
    shape: Shape,
    context_channels: int,
    *,
    levels: int,
    depth: int = 2,
    width: int = 32,
    blocks: int = 1,
    components: int = 4,
) -> flows.VariationalDequantization:
    """Noise for whole numbers from the same couplings, conditioned on the numbers themselves.

    Published: `depth` 4 over checkerboards, CIFAR-10 with networks of 2 `blocks`, `width` 96 and 32
    components, ImageNet 64x64 with 5 blocks and 4 components; 3 to 5 gated convolutions see the
    numbers first, here as many as `blocks`.

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W), which the noise sees too.
        levels: how many values a number may have, such as 256.
        depth: couplings.
        width: hidden channels, a multiple of 4.
        blocks: gated convolutions a network.
        components: logistic distributions of a mixture.

    Reference: Ho et al. 2019 (Flow++), section 3.1.
    """
    steps = _steps(shape, masked_partition, width, depth, width, blocks, components)
    # Noise is sampled, never scored alone, so the fast direction is sampling.
    noise = flows.Flow(flows.Inverse(flows.Composition(steps)), shape)
    seen = flows.GatedNetwork(
        shape[0], context_channels, width, width, blocks=blocks, attention=_has_attention(shape)
    )
    return flows.VariationalDequantization(noise, levels, seen)


def _steps(
    shape: Shape,
    part: Parting,
    context_channels: int,
    depth: int,
    width: int,
    blocks: int,
    components: int,
) -> Iterator[flows.Bijection]:
    """ActNorm, 1x1 convolution and coupling, `depth` times."""

    def network(kept: int, out: int) -> nn.Module:
        return flows.GatedNetwork(
            kept, context_channels, width, out, blocks=blocks, attention=_has_attention(shape)
        )

    mixture = flows.MixtureLogisticCDF(components, MAX_LOG_SCALE, MAX_SHIFT)
    return coupling_steps(shape, part, depth, mixture, network)


def _has_attention(shape: Shape) -> bool:
    return shape[1] * shape[2] <= ATTENTION_CELLS
