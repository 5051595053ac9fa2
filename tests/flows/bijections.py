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

from colorflow.flows import (
    CDF53,
    ActNorm,
    Additive,
    Affine,
    AffineSpline,
    AttentionNetwork,
    Autoregressive,
    Bijection,
    BlockDiagonalMatrix,
    BoundedRange,
    ChannelPartition,
    ChannelPermutation,
    Composition,
    ContextTransform,
    ConvolutionNetwork,
    Coupling,
    DiagonalMatrix,
    ElementwiseTransform,
    EmergingConvolution,
    ExactLogDet,
    Flatten,
    FullMatrix,
    Haar,
    Inverse,
    KrigingUpdate,
    Linear,
    LinearSpline,
    LipschitzDenseNetwork,
    LipschitzNetwork,
    Logit,
    MaskedConvolutionNetwork,
    MaskedNetwork,
    MaskPartition,
    MatrixStructure,
    MixtureLogisticCDF,
    MonotoneNetwork,
    Partition,
    PeriodicConvolution,
    Planar,
    PLUMatrix,
    PooledNetwork,
    QuadraticSpline,
    Radial,
    RationalQuadraticSpline,
    Reshape,
    Residual,
    RippelAdams,
    Split,
    Squeeze,
    Standardize,
    TabakTurner,
    TransformerAutoregressive,
    TriangularMatrix,
    WithContext,
    checkerboard,
    half_mask,
    raster_order,
)

BATCH = 3
SHAPE = (4, 2, 4)  # height and width differ, so that exchanging them shows
CONTEXT = (5, 2, 4)
LIMIT = 2.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """How to build a bijection, and what it takes."""

    build: Callable[[], Bijection]
    shape: tuple[int, ...] = SHAPE
    context: tuple[int, ...] | None = None
    within: float = math.inf
    """Half-width of the range on which it is a bijection."""
    accuracy: float = 1e-10
    """Stated accuracy of the inverse in float64, where it is a numerical one."""


def coupling(partition: Partition, transform: ElementwiseTransform, *, attention: bool) -> Coupling:
    network = AttentionNetwork if attention else ConvolutionNetwork
    out = partition.moved_channels * transform.size
    return Coupling(partition, network(partition.kept_channels, CONTEXT[0], 8, out), transform)


def center(transform: ElementwiseTransform) -> ContextTransform:
    network = ConvolutionNetwork(0, CONTEXT[0], 8, SHAPE[0] * transform.size)
    return ContextTransform(SHAPE[0], network, transform)


def half(*, keep_first: bool) -> Partition:
    return ChannelPartition(SHAPE[0], keep_first=keep_first)


def board(*, keep_even: bool) -> Partition:
    return MaskPartition(checkerboard(*SHAPE, keep_even=keep_even))


def side(keep: str) -> Partition:
    return MaskPartition(half_mask(*SHAPE, keep=keep))


def affine() -> Affine:
    return Affine(0.7, 3.0)


def spline() -> RationalQuadraticSpline:
    return RationalQuadraticSpline(4, LIMIT)


def affine_spline() -> AffineSpline:
    return AffineSpline(3, LIMIT, 0.7, 3.0)


def mixture() -> MixtureLogisticCDF:
    return MixtureLogisticCDF(3, 0.7, 3.0)


def monotone() -> MonotoneNetwork:
    return MonotoneNetwork(4, 2, 0.7, 2.0)


def coupled(
    partition: Callable[[], Partition],
    transform: Callable[[], ElementwiseTransform],
    *,
    attention: bool = False,
) -> Case:
    return Case(
        build=lambda: coupling(partition(), transform(), attention=attention), context=CONTEXT
    )


FEW = (2, 2, 3)  # for flows that are inverted number by number
FEW_CONTEXT = (5, 2, 3)


def masked(order: Tensor, transform: ElementwiseTransform) -> Autoregressive:
    network = MaskedNetwork(FEW, order, FEW_CONTEXT[0], transform.size, units=2)
    return Autoregressive(network, transform)


def masked_vector(transform: ElementwiseTransform) -> Autoregressive:
    order = torch.tensor([3, 0, 4, 1, 2])
    return Autoregressive(MaskedNetwork((5,), order, 4, transform.size, units=2), transform)


def masked_convolution(transform: ElementwiseTransform, *, reverse: bool) -> Autoregressive:
    network = MaskedConvolutionNetwork(
        FEW, FEW_CONTEXT[0], transform.size, width=6, reverse=reverse
    )
    return Autoregressive(network, transform)


def transformer(
    transform: ElementwiseTransform, *, patch: int = 1, reverse: bool = False
) -> TransformerAutoregressive:
    return TransformerAutoregressive(
        SHAPE, CONTEXT[0], transform, width=8, patch=patch, reverse=reverse
    )


def stack() -> Composition:
    return Composition(
        [
            Haar(),
            Standardize(SHAPE[0]),
            center(Affine(3.0)),
            coupling(half(keep_first=True), affine_spline(), attention=False),
            ChannelPermutation([0, 2, 1, 3]),
            coupling(board(keep_even=False), spline(), attention=True),
        ]
    )


class KeptAndContext(nn.Module):
    """What conditions the dropped part of a split: the kept channels beside the context."""

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        return torch.cat([kept, context], 1)


def split(shape: tuple[int, int, int], kept_channels: int, kept: Bijection) -> Split:
    """A split whose dropped channels are moved given the kept ones."""
    dropped_channels = shape[0] - kept_channels
    network = ConvolutionNetwork(0, kept_channels + CONTEXT[0], 8, dropped_channels * 2)
    dropped = ContextTransform(dropped_channels, network, affine())
    return Split(shape, kept_channels, kept, dropped, KeptAndContext())


def conditional_split() -> Split:
    moved = coupling(ChannelPartition(2, keep_first=True), affine(), attention=False)
    return split(SHAPE, 2, Composition([moved, Flatten((2, 2, 4))]))


def multi_scale() -> Composition:
    """(1, 4, 8) -> latents of a grid of 2 x 4 and two of 1 x 2, given a context of 2 x 4."""
    quarter = [
        Squeeze(),
        coupling(half(keep_first=True), affine(), attention=False),
        split((4, 1, 2), 2, Flatten((2, 1, 2))),
    ]
    coarser = WithContext(nn.AvgPool2d(2), Composition(quarter))
    fine = coupling(half(keep_first=False), affine(), attention=False)
    return Composition([Haar(), fine, split(SHAPE, 1, coarser)])


def pooled(structure: MatrixStructure) -> Linear:
    return Linear(structure, PooledNetwork(CONTEXT[0], 8, structure.size))


def residual() -> Residual:
    network = LipschitzNetwork(SHAPE[0], CONTEXT[0], 6, SHAPE[1:])
    return Residual(network, ExactLogDet())


def dense_residual(context_size: int) -> Residual:
    return Residual(LipschitzDenseNetwork(4, context_size, 6), ExactLogDet())


def numbers(size: int) -> PooledNetwork:
    return PooledNetwork(CONTEXT[0], 8, size)


CASES = {
    "bounded": Case(build=lambda: BoundedRange(LIMIT), within=0.99 * LIMIT),
    "kriging": Case(
        build=lambda: KrigingUpdate(2.0, 1.5, 0.15), context=(SHAPE[0] + 2, *SHAPE[1:])
    ),
    "logit": Case(build=lambda: Logit(0.2), within=0.3),
    "standardize": Case(build=lambda: Standardize(SHAPE[0])),
    "diagonal": Case(build=lambda: Linear(DiagonalMatrix(4))),
    "full": Case(build=lambda: Linear(FullMatrix(4))),
    "plu-rotation": Case(build=lambda: Linear.rotation(4, 1), shape=(4,)),
    "conditional-triangular": Case(
        build=lambda: pooled(TriangularMatrix(4, lower=True)), context=CONTEXT
    ),
    "conditional-block": Case(build=lambda: pooled(BlockDiagonalMatrix(4, 2)), context=CONTEXT),
    "conditional-plu": Case(build=lambda: pooled(PLUMatrix(4)), context=CONTEXT),
    "actnorm": Case(build=lambda: ActNorm(4)),
    "emerging": Case(build=lambda: EmergingConvolution(4, 3)),
    "emerging-wide": Case(build=lambda: EmergingConvolution(2, 5), shape=(2, 3, 4)),
    "periodic": Case(build=lambda: PeriodicConvolution(4, 3)),
    "periodic-odd": Case(build=lambda: PeriodicConvolution(2, 5), shape=(2, 4, 3)),
    "permutation": Case(build=lambda: ChannelPermutation([2, 0, 3, 1])),
    "squeeze": Case(build=Squeeze),
    "reshape": Case(build=lambda: Reshape(SHAPE, (2, 16))),
    "flatten": Case(build=lambda: Flatten(SHAPE)),
    "split": Case(build=lambda: Split(SHAPE, 1, Flatten((1, 2, 4)))),
    "split-conditional": Case(build=conditional_split, context=CONTEXT),
    "multi-scale": Case(build=multi_scale, shape=(1, 4, 8), context=CONTEXT),
    "inverse": Case(
        build=lambda: Inverse(coupling(half(keep_first=True), affine_spline(), attention=False)),
        context=CONTEXT,
    ),
    "haar": Case(build=Haar),
    "cdf53": Case(build=CDF53, shape=(1, 8, 8)),
    "center-affine": Case(build=lambda: center(Affine(3.0)), context=CONTEXT),
    "center-spline": Case(build=lambda: center(spline()), context=CONTEXT),
    "first-affine": coupled(partial(half, keep_first=True), affine),
    "second-monotone": coupled(partial(half, keep_first=False), monotone),
    "even-affine-spline": coupled(partial(board, keep_even=True), affine_spline, attention=True),
    "odd-mixture": coupled(partial(board, keep_even=False), mixture, attention=True),
    "left-additive": coupled(partial(side, "left"), Additive, attention=True),
    "right-quadratic-spline": coupled(partial(side, "right"), partial(QuadraticSpline, 4, LIMIT)),
    "top-linear-spline": coupled(partial(side, "top"), partial(LinearSpline, 4, LIMIT)),
    "bottom-spline": coupled(partial(side, "bottom"), spline, attention=True),
    "masked-affine": Case(
        build=lambda: masked(raster_order(FEW), affine()), shape=FEW, context=FEW_CONTEXT
    ),
    "masked-spline": Case(
        build=lambda: masked(raster_order(FEW).flip(0), affine_spline()),
        shape=FEW,
        context=FEW_CONTEXT,
    ),
    "masked-vector-mixture": Case(build=lambda: masked_vector(mixture()), shape=(5,), context=(4,)),
    "masked-vector-monotone": Case(
        build=lambda: masked_vector(monotone()), shape=(5,), context=(4,)
    ),
    "masked-convolution-affine": Case(
        build=lambda: masked_convolution(affine(), reverse=False), shape=FEW, context=FEW_CONTEXT
    ),
    "masked-convolution-spline": Case(
        build=lambda: masked_convolution(spline(), reverse=True), shape=FEW, context=FEW_CONTEXT
    ),
    "inverse-masked": Case(
        build=lambda: Inverse(masked(raster_order(FEW), affine())), shape=FEW, context=FEW_CONTEXT
    ),
    "transformer-affine": Case(build=lambda: transformer(affine()), context=CONTEXT),
    "transformer-spline": Case(
        build=lambda: transformer(spline(), patch=2, reverse=True), context=CONTEXT
    ),
    "residual": Case(build=residual, context=CONTEXT),
    "residual-vector": Case(build=lambda: dense_residual(5), shape=(4,), context=(5,)),
    "residual-unconditional": Case(build=lambda: dense_residual(0), shape=(4,)),
    "planar": Case(build=lambda: Planar(SHAPE)),
    "planar-conditional": Case(
        build=lambda: Planar((4,), numbers(2 * 4 + 1)), shape=(4,), context=CONTEXT
    ),
    "radial": Case(build=lambda: Radial((4,)), shape=(4,)),
    "radial-conditional": Case(build=lambda: Radial(SHAPE, numbers(32 + 2)), context=CONTEXT),
    "tabak-turner": Case(build=lambda: TabakTurner((4,), 3), shape=(4,)),
    "tabak-turner-conditional": Case(
        build=lambda: TabakTurner(SHAPE, 2, numbers(2 * (32 + 2))), context=CONTEXT
    ),
    "rippel-adams": Case(build=lambda: RippelAdams(SHAPE)),
    "rippel-adams-conditional": Case(
        build=lambda: RippelAdams((4,), numbers(3 * 4)), shape=(4,), context=CONTEXT
    ),
    "nothing": Case(build=lambda: Composition([])),
    "composition": Case(build=stack, shape=(1, 4, 8), context=CONTEXT),
}
