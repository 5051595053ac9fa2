"""A case of every bijection: how to build it, and what it takes.

Dimensions: B samples, n numbers a sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from colorflow import flows

BATCH = 3
SHAPE = (4, 2, 4)  # height and width differ, so that exchanging them shows
CONTEXT = (5, 2, 4)
LIMIT = 2.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """How to build a bijection, and what it takes."""

    build: Callable[[], flows.Bijection]
    shape: tuple[int, ...] = SHAPE
    context: tuple[int, ...] | None = None
    within: float = math.inf
    """Half-width of the range on which it is a bijection."""
    accuracy: float = 1e-10
    """Stated accuracy of the inverse in float64, where it is a numerical one."""


def coupling(
    partition: flows.Partition, transform: flows.ElementwiseTransform, *, attention: bool
) -> flows.Coupling:
    network = flows.AttentionNetwork if attention else flows.ConvolutionNetwork
    out = partition.moved_channels * transform.size
    return flows.Coupling(
        partition, network(partition.kept_channels, CONTEXT[0], 8, out), transform
    )


def center(transform: flows.ElementwiseTransform) -> flows.ContextTransform:
    network = flows.ConvolutionNetwork(0, CONTEXT[0], 8, SHAPE[0] * transform.size)
    return flows.ContextTransform(SHAPE[0], network, transform)


def half(*, keep_first: bool) -> flows.Partition:
    return flows.ChannelPartition(SHAPE[0], keep_first=keep_first)


def board(*, keep_even: bool) -> flows.Partition:
    return flows.MaskPartition(flows.checkerboard(*SHAPE, keep_even=keep_even))


def side(keep: str) -> flows.Partition:
    return flows.MaskPartition(flows.half_mask(*SHAPE, keep=keep))


def affine() -> flows.Affine:
    return flows.Affine(0.7, 3.0)


def spline() -> flows.RationalQuadraticSpline:
    return flows.RationalQuadraticSpline(4, LIMIT)


def affine_spline() -> flows.AffineSpline:
    return flows.AffineSpline(3, LIMIT, 0.7, 3.0)


def mixture() -> flows.MixtureLogisticCDF:
    return flows.MixtureLogisticCDF(3, 0.7, 3.0)


def monotone() -> flows.MonotoneNetwork:
    return flows.MonotoneNetwork(4, 2, 0.7, 2.0)


def coupled(
    partition: Callable[[], flows.Partition],
    transform: Callable[[], flows.ElementwiseTransform],
    *,
    attention: bool = False,
) -> Case:
    return Case(
        build=lambda: coupling(partition(), transform(), attention=attention), context=CONTEXT
    )


FEW = (2, 2, 3)  # for flows that are inverted number by number
FEW_CONTEXT = (5, 2, 3)


def masked(order: Tensor, transform: flows.ElementwiseTransform) -> flows.Autoregressive:
    network = flows.MaskedNetwork(FEW, order, FEW_CONTEXT[0], transform.size, units=2)
    return flows.Autoregressive(network, transform)


def masked_vector(transform: flows.ElementwiseTransform) -> flows.Autoregressive:
    order = torch.tensor([3, 0, 4, 1, 2])
    return flows.Autoregressive(
        flows.MaskedNetwork((5,), order, 4, transform.size, units=2), transform
    )


def masked_convolution(
    transform: flows.ElementwiseTransform, *, reverse: bool
) -> flows.Autoregressive:
    network = flows.MaskedConvolutionNetwork(
        FEW, FEW_CONTEXT[0], transform.size, width=6, reverse=reverse
    )
    return flows.Autoregressive(network, transform)


def transformer(
    transform: flows.ElementwiseTransform, *, patch: int = 1, reverse: bool = False
) -> flows.TransformerAutoregressive:
    return flows.TransformerAutoregressive(
        SHAPE, CONTEXT[0], transform, width=8, patch=patch, reverse=reverse
    )


def stack() -> flows.Composition:
    return flows.Composition(
        [
            flows.Haar(),
            flows.Standardize(SHAPE[0]),
            center(flows.Affine(3.0)),
            coupling(half(keep_first=True), affine_spline(), attention=False),
            flows.ChannelPermutation([0, 2, 1, 3]),
            coupling(board(keep_even=False), spline(), attention=True),
        ]
    )


def few(build: Callable[[], flows.Bijection]) -> Case:
    return Case(build=build, shape=FEW, context=FEW_CONTEXT)


class KeptAndContext(nn.Module):
    """What conditions the dropped part of a split: the kept channels beside the context."""

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        return torch.cat([kept, context], 1)


def split(shape: tuple[int, int, int], kept_channels: int, kept: flows.Bijection) -> flows.Split:
    """A split whose dropped channels are moved given the kept ones."""
    dropped_channels = shape[0] - kept_channels
    network = flows.ConvolutionNetwork(0, kept_channels + CONTEXT[0], 8, dropped_channels * 2)
    dropped = flows.ContextTransform(dropped_channels, network, affine())
    return flows.Split(shape, kept_channels, kept, dropped, KeptAndContext())


def conditional_split() -> flows.Split:
    moved = coupling(flows.ChannelPartition(2, keep_first=True), affine(), attention=False)
    return split(SHAPE, 2, flows.Composition([moved, flows.Flatten((2, 2, 4))]))


def multi_scale() -> flows.Composition:
    """(1, 4, 8) -> latents of a grid of 2 x 4 and two of 1 x 2, given a context of 2 x 4."""
    quarter = [
        flows.Squeeze(),
        coupling(half(keep_first=True), affine(), attention=False),
        split((4, 1, 2), 2, flows.Flatten((2, 1, 2))),
    ]
    coarser = flows.WithContext(nn.AvgPool2d(2), flows.Composition(quarter))
    fine = coupling(half(keep_first=False), affine(), attention=False)
    return flows.Composition([flows.Haar(), fine, split(SHAPE, 1, coarser)])


def pooled(structure: flows.MatrixStructure) -> flows.Linear:
    return flows.Linear(structure, flows.PooledNetwork(CONTEXT[0], 8, structure.size))


def residual() -> flows.Residual:
    network = flows.LipschitzNetwork(SHAPE[0], CONTEXT[0], 6, SHAPE[1:])
    return flows.Residual(network, flows.ExactLogDet())


def dense_residual(context_size: int) -> flows.Residual:
    return flows.Residual(flows.LipschitzDenseNetwork(4, context_size, 6), flows.ExactLogDet())


def numbers(size: int) -> flows.PooledNetwork:
    return flows.PooledNetwork(CONTEXT[0], 8, size)


CASES = {
    "bounded": Case(build=lambda: flows.BoundedRange(LIMIT), within=0.99 * LIMIT),
    "kriging": Case(
        build=lambda: flows.KrigingUpdate(2.0, 1.5, 0.15), context=(SHAPE[0] + 2, *SHAPE[1:])
    ),
    "logit": Case(build=lambda: flows.Logit(0.2), within=0.3),
    "standardize": Case(build=lambda: flows.Standardize(SHAPE[0])),
    "diagonal": Case(build=lambda: flows.Linear(flows.DiagonalMatrix(4))),
    "full": Case(build=lambda: flows.Linear(flows.FullMatrix(4))),
    "plu-rotation": Case(build=lambda: flows.Linear.rotation(4, 1), shape=(4,)),
    "conditional-triangular": Case(
        build=lambda: pooled(flows.TriangularMatrix(4, lower=True)), context=CONTEXT
    ),
    "conditional-block": Case(
        build=lambda: pooled(flows.BlockDiagonalMatrix(4, 2)), context=CONTEXT
    ),
    "conditional-plu": Case(build=lambda: pooled(flows.PLUMatrix(4)), context=CONTEXT),
    "actnorm": Case(build=lambda: flows.ActNorm(4)),
    "emerging": Case(build=lambda: flows.EmergingConvolution(4, 3)),
    "emerging-wide": Case(build=lambda: flows.EmergingConvolution(2, 5), shape=(2, 3, 4)),
    "periodic": Case(build=lambda: flows.PeriodicConvolution(4, 3)),
    "periodic-odd": Case(build=lambda: flows.PeriodicConvolution(2, 5), shape=(2, 4, 3)),
    "permutation": Case(build=lambda: flows.ChannelPermutation([2, 0, 3, 1])),
    "squeeze": Case(build=flows.Squeeze),
    "reshape": Case(build=lambda: flows.Reshape(SHAPE, (2, 16))),
    "flatten": Case(build=lambda: flows.Flatten(SHAPE)),
    "split": Case(build=lambda: flows.Split(SHAPE, 1, flows.Flatten((1, 2, 4)))),
    "split-conditional": Case(build=conditional_split, context=CONTEXT),
    "multi-scale": Case(build=multi_scale, shape=(1, 4, 8), context=CONTEXT),
    "inverse": Case(
        build=lambda: flows.Inverse(
            coupling(half(keep_first=True), affine_spline(), attention=False)
        ),
        context=CONTEXT,
    ),
    "haar": Case(build=flows.Haar),
    "cdf53": Case(build=flows.CDF53, shape=(1, 8, 8)),
    "center-affine": Case(build=lambda: center(flows.Affine(3.0)), context=CONTEXT),
    "center-spline": Case(build=lambda: center(spline()), context=CONTEXT),
    "first-affine": coupled(partial(half, keep_first=True), affine),
    "second-monotone": coupled(partial(half, keep_first=False), monotone),
    "even-affine-spline": coupled(partial(board, keep_even=True), affine_spline, attention=True),
    "odd-mixture": coupled(partial(board, keep_even=False), mixture, attention=True),
    "left-additive": coupled(partial(side, "left"), flows.Additive, attention=True),
    "right-quadratic-spline": coupled(
        partial(side, "right"), partial(flows.QuadraticSpline, 4, LIMIT)
    ),
    "top-linear-spline": coupled(partial(side, "top"), partial(flows.LinearSpline, 4, LIMIT)),
    "bottom-spline": coupled(partial(side, "bottom"), spline, attention=True),
    "masked-affine": few(lambda: masked(flows.raster_order(FEW), affine())),
    "masked-spline": few(lambda: masked(flows.raster_order(FEW).flip(0), affine_spline())),
    "masked-vector-mixture": Case(build=lambda: masked_vector(mixture()), shape=(5,), context=(4,)),
    "masked-vector-monotone": Case(
        build=lambda: masked_vector(monotone()), shape=(5,), context=(4,)
    ),
    "masked-convolution-affine": few(lambda: masked_convolution(affine(), reverse=False)),
    "masked-convolution-spline": few(lambda: masked_convolution(spline(), reverse=True)),
    "inverse-masked": few(lambda: flows.Inverse(masked(flows.raster_order(FEW), affine()))),
    "transformer-affine": Case(build=lambda: transformer(affine()), context=CONTEXT),
    "transformer-spline": Case(
        build=lambda: transformer(spline(), patch=2, reverse=True), context=CONTEXT
    ),
    "residual": Case(build=residual, context=CONTEXT),
    "residual-vector": Case(build=lambda: dense_residual(5), shape=(4,), context=(5,)),
    "residual-unconditional": Case(build=lambda: dense_residual(0), shape=(4,)),
    "planar": Case(build=lambda: flows.Planar(SHAPE)),
    "planar-conditional": Case(
        build=lambda: flows.Planar((4,), numbers(2 * 4 + 1)), shape=(4,), context=CONTEXT
    ),
    "radial": Case(build=lambda: flows.Radial((4,)), shape=(4,)),
    "radial-conditional": Case(build=lambda: flows.Radial(SHAPE, numbers(32 + 2)), context=CONTEXT),
    "tabak-turner": Case(build=lambda: flows.TabakTurner((4,), 3), shape=(4,)),
    "tabak-turner-conditional": Case(
        build=lambda: flows.TabakTurner(SHAPE, 2, numbers(2 * (32 + 2))), context=CONTEXT
    ),
    "rippel-adams": Case(build=lambda: flows.RippelAdams(SHAPE)),
    "rippel-adams-conditional": Case(
        build=lambda: flows.RippelAdams((4,), numbers(3 * 4)), shape=(4,), context=CONTEXT
    ),
    "nothing": Case(build=lambda: flows.Composition([])),
    "composition": Case(build=stack, shape=(1, 4, 8), context=CONTEXT),
}
