"""Coupling flows on one scale and several: NICE, RealNVP, Glow, spline flows, SRFlow.

Additive couplings and one diagonal scaling; affine ones over checkerboards and channels; learned
channel permutations between them; splines in their place; and the context in every step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn

from colorflow import flows
from colorflow.zoo.scales import (
    COUPLING_LOG_SCALE,
    Parting,
    Shape,
    channel_partition,
    coupling_steps,
    masked_partition,
    masked_scales,
    squeezed_scales,
)

SPLINE_LIMIT = 3.0
"""Half-width of the splines' box, as published; ActNorm keeps nearly all numbers within it."""
TRANSITION_STEPS = 2
"""Steps without a coupling after each squeeze of SRFlow (the paper's transition steps)."""


def nice(
    shape: Shape, context_channels: int, *, depth: int = 6, width: int = 64
) -> flows.Bijection:
    """Additive couplings, which keep volume, and then one learned scale for every dimension.

    Published: `depth` 4 between the odd and the even dimensions, dense networks of 5 hidden layers
    of 1,000 units (MNIST) or 4 of 2,000 (SVHN, CIFAR-10), logistic latents but for TFD. Here the
    dimensions are parted by a checkerboard and the networks are convolutions, so that size does
    not grow with the grid; the latents are Gaussian. Only the couplings see the context.

    Published log-likelihood in nats: MNIST 1980.50; of whitened data, and so not comparable with
    others, TFD 5514.71, SVHN 11496.55, CIFAR-10 5371.78.
    Here: 4.83 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        depth: couplings.
        width: hidden channels.

    Reference: Dinh, Krueger & Bengio 2015, "NICE: Non-linear Independent Components Estimation".
    """

    def couplings() -> Iterator[flows.Bijection]:
        for index in range(depth):
            partition = masked_partition(shape, index)
            kept, moved = partition.kept_channels, partition.moved_channels
            network = flows.ConvolutionNetwork(kept, context_channels, width, moved)
            yield flows.Coupling(partition, network, flows.Additive())

    scaling = flows.Linear(flows.DiagonalMatrix(math.prod(shape)))
    return flows.Composition([*couplings(), flows.Flatten(shape), scaling])


def realnvp(
    shape: Shape,
    context_channels: int,
    *,
    scales: int = 2,
    depth: int = 3,
    width: int = 32,
    blocks: int = 2,
) -> flows.Bijection:
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

    def steps(shape: Shape, part: Parting) -> Iterator[flows.Bijection]:
        def network(kept: int, out: int) -> nn.Module:
            return flows.ResidualNetwork(kept, context_channels, width, out, blocks=blocks)

        affine = flows.Affine(COUPLING_LOG_SCALE)
        return coupling_steps(shape, part, depth, affine, network, rotated=False)

    return masked_scales(shape, context_channels, scales=scales, steps=steps, split=True)


def glow(
    shape: Shape, context_channels: int, *, scales: int = 2, depth: int = 6, width: int = 64
) -> flows.Bijection:
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
        return flows.ConvolutionNetwork(kept, context_channels, width, out)

    return squeezed_scales(
        shape,
        context_channels,
        scales=scales,
        width=width,
        steps=lambda shape: coupling_steps(
            shape, channel_partition, depth, flows.Affine(COUPLING_LOG_SCALE), network
        ),
    )


def neural_spline_flow(
    shape: Shape,
    context_channels: int,
    *,
    scales: int = 2,
    depth: int = 4,
    width: int = 48,
    bins: int = 8,
) -> flows.Bijection:
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
        return flows.ResidualNetwork(kept, context_channels, width, out, blocks=1)

    spline = flows.RationalQuadraticSpline(bins, SPLINE_LIMIT)
    return squeezed_scales(
        shape,
        context_channels,
        scales=scales,
        width=width,
        steps=lambda shape: coupling_steps(shape, channel_partition, depth, spline, network),
    )


def srflow(
    shape: Shape, context_channels: int, *, scales: int = 2, depth: int = 4, width: int = 64
) -> flows.Bijection:
    """ActNorm, 1x1 convolution, affine injector and conditional affine coupling, over and over.

    The affine injector scales and shifts all channels by what the context alone says, so the
    condition acts on every channel of every step. After each squeeze two transition steps
    (ActNorm and 1x1 convolution) mix the channels that the squeeze made.

    Published: x4 super-resolution with `scales` 3, `depth` 16 and `width` 64 on the features of an
    RRDB network of 23 blocks: on DIV2K PSNR 27.09, SSIM 0.756, LR-PSNR 49.96.

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        scales: how often it is squeezed.
        depth: steps a scale.
        width: hidden channels.

    Returns:
        Bijection from (B, C, H, W) to (B, C * H * W).

    Reference: Lugmayr et al. 2020, "SRFlow: Learning the Super-Resolution Space with Normalizing
    Flow".
    """

    def steps(shape: Shape) -> Iterator[flows.Bijection]:
        channels = shape[0]
        for index in range(TRANSITION_STEPS):
            yield flows.ActNorm(channels)
            yield flows.Linear.rotation(channels, seed=index)
        for index in range(depth):
            partition = channel_partition(shape, index)
            coupling = flows.ConvolutionNetwork(
                partition.kept_channels, context_channels, width, 2 * partition.moved_channels
            )
            injector = flows.ConvolutionNetwork(0, context_channels, width, 2 * channels)
            yield flows.ActNorm(channels)
            yield flows.Linear.rotation(channels, seed=TRANSITION_STEPS + index)
            yield flows.ContextTransform(channels, injector, flows.Affine(COUPLING_LOG_SCALE))
            yield flows.Coupling(partition, coupling, flows.Affine(COUPLING_LOG_SCALE))

    return squeezed_scales(shape, context_channels, scales=scales, width=width, steps=steps)
