"""The multi-scale skeletons that the coupling architectures share.

Every skeleton takes x (B, C, H, W) to flat latents (B, C * H * W). The context, given on the grid
of x, goes to every coarser grid through a strided convolution of its own, so that each scale is
conditioned. `scales` is an upper bound: a grid with an odd side is not squeezed, so a single cell
(data in the plane) has one scale.

Reference: Dinh et al. 2017 (RealNVP), section 3.6; Kingma & Dhariwal 2018 (Glow).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from colorflow import flows

Shape = tuple[int, int, int]
"""(C, H, W) of one sample."""

Steps = Callable[[Shape], Iterable[flows.Bijection]]
"""The bijections of one scale, given the shape that they keep."""

Parting = Callable[[Shape, int], flows.Partition]
"""The partition of the coupling of an index, given the shape."""

CouplingNetwork = Callable[[int, int], nn.Module]
"""The network of a coupling, given its kept channels and its parameters a cell."""

COUPLING_LOG_SCALE = 1.0
"""Bound of an affine coupling's log-scale: a product of a dozen stays invertible in float32."""

PRIOR_LOG_SCALE = 3.0
"""Bound of a learned prior's log-scale."""


def squeezed_scales(
    shape: Shape, context_channels: int, *, scales: int, width: int, steps: Steps
) -> flows.Bijection:
    """Squeeze, steps, half of the channels leaves: the skeleton of Glow and of the spline flow.

    What leaves has a Gaussian prior that is learned, given what goes on and the context; what is
    left at the end has one given the context.

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context.
        scales: how often it is squeezed, where the grid allows.
        width: hidden channels of the priors.
        steps: the bijections after each squeeze.
    """
    if not can_squeeze(shape):
        prior = learned_prior(shape[0], context_channels, width)
        return flows.Composition([*steps(shape), prior, flows.Flatten(shape)])
    coarse = squeezed(shape)
    last: flows.Bijection
    if scales == 1 or not can_squeeze(coarse):
        prior = learned_prior(coarse[0], context_channels, width)
        last = flows.Composition([prior, flows.Flatten(coarse)])
    else:
        kept = _half(coarse)
        rest = squeezed_scales(kept, context_channels, scales=scales - 1, width=width, steps=steps)
        prior = learned_prior(kept[0], context_channels + kept[0], width)
        last = flows.Split(coarse, kept[0], rest, prior, JoinedContext())
    return after_squeeze(context_channels, [*steps(coarse), last])


def masked_scales(
    shape: Shape,
    context_channels: int,
    *,
    scales: int,
    steps: Callable[[Shape, Parting], Iterable[flows.Bijection]],
    split: bool,
) -> flows.Bijection:
    """Masked steps, squeeze, channelwise steps: the skeleton of RealNVP and of Flow++.

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context.
        scales: how many grids there are, where the sides allow.
        steps: the bijections with couplings over masks, on each grid before its squeeze, and all
            those of the last grid; and those over channels, after each squeeze.
        split: whether half of the channels leaves after those.
    """
    masked = steps(shape, masked_partition)
    if scales == 1 or not can_squeeze(shape):
        return flows.Composition([*masked, flows.Flatten(shape)])
    coarse = squeezed(shape)
    finer = _half(coarse) if split else coarse
    rest = masked_scales(finer, context_channels, scales=scales - 1, steps=steps, split=split)
    last = flows.Split(coarse, coarse[0] // 2, rest) if split else rest
    after = after_squeeze(context_channels, [*steps(coarse, channel_partition), last])
    return flows.Composition([*masked, after])


def coupling_steps(
    shape: Shape,
    part: Parting,
    depth: int,
    transform: flows.ElementwiseTransform,
    network: CouplingNetwork,
    *,
    rotated: bool = True,
) -> Iterator[flows.Bijection]:
    """ActNorm, 1x1 convolution (if `rotated`) and coupling, `depth` times."""
    for index in range(depth):
        partition = part(shape, index)
        out = transform.size * partition.moved_channels
        coupling = flows.Coupling(partition, network(partition.kept_channels, out), transform)
        yield flows.ActNorm(shape[0])
        if rotated:
            yield flows.Linear.rotation(shape[0], seed=index)
        yield coupling


def masked_partition(shape: Shape, index: int) -> flows.Partition:
    """A checkerboard whose color alternates with `index`; halves of the channels in one cell."""
    if shape[1] * shape[2] == 1:
        return channel_partition(shape, index)
    return flows.MaskPartition(flows.checkerboard(*shape, keep_even=index % 2 == 0))


def channel_partition(shape: Shape, index: int) -> flows.Partition:
    """Halves of the channels that alternate with `index`."""
    return flows.ChannelPartition(shape[0], keep_first=index % 2 == 0)


def learned_prior(channels: int, context_channels: int, width: int) -> flows.Bijection:
    """N(mean(context), std(context)) made N(0, 1).

    Args:
        channels: C of (B, C, H, W).
        context_channels: of the context that it sees.
        width: hidden channels.
    """
    network = flows.ConvolutionNetwork(0, context_channels, width, 2 * channels)
    return flows.ContextTransform(channels, network, flows.Affine(PRIOR_LOG_SCALE))


class JoinedContext(nn.Module):
    """The context of a part that leaves: what goes on, beside the context of the scale."""

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        """kept (B, K, H, W), context (B, C, H, W) -> (B, K + C, H, W)."""
        return torch.cat([kept.to(context.dtype), context], 1)


def after_squeeze(context_channels: int, bijections: Iterable[flows.Bijection]) -> flows.Bijection:
    """Squeeze, and then bijections whose context is on the coarser grid as well."""
    coarser = nn.Conv2d(context_channels, context_channels, 2, stride=2)
    return flows.Composition(
        [flows.Squeeze(), flows.WithContext(coarser, flows.Composition(bijections))]
    )


def can_squeeze(shape: Shape) -> bool:
    """Whether both sides of the grid are even."""
    return shape[1] % 2 == 0 and shape[2] % 2 == 0


def squeezed(shape: Shape) -> Shape:
    """The shape after a squeeze."""
    return 4 * shape[0], shape[1] // 2, shape[2] // 2


def _half(shape: Shape) -> Shape:
    return shape[0] // 2, shape[1], shape[2]
