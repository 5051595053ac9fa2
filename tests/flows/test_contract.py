"""The contract of every bijection; a new one is added to `CASES` and gets all tests for nothing.

Dimensions: B samples, n numbers a sample.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from colorflow import flows
from colorflow.flows import (
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
        Squeeze(checkerboard=True),
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
    "lower-triangular": Case(build=lambda: Linear(TriangularMatrix(4, lower=True))),
    "upper-triangular": Case(build=lambda: Linear(TriangularMatrix(4, lower=False))),
    "block-diagonal": Case(build=lambda: Linear(BlockDiagonalMatrix(4, 2))),
    "full": Case(build=lambda: Linear(FullMatrix(4))),
    "plu": Case(build=lambda: Linear(PLUMatrix(4))),
    "rotation": Case(build=lambda: Linear.rotation(4, 1, plu=False)),
    "plu-rotation": Case(build=lambda: Linear.rotation(4, 1, plu=True), shape=(4,)),
    "conditional-diagonal": Case(build=lambda: pooled(DiagonalMatrix(4)), context=CONTEXT),
    "conditional-triangular": Case(
        build=lambda: pooled(TriangularMatrix(4, lower=True)), context=CONTEXT
    ),
    "conditional-block": Case(build=lambda: pooled(BlockDiagonalMatrix(4, 2)), context=CONTEXT),
    "conditional-full": Case(build=lambda: pooled(FullMatrix(4)), context=CONTEXT),
    "conditional-plu": Case(build=lambda: pooled(PLUMatrix(4)), context=CONTEXT),
    "actnorm": Case(build=lambda: ActNorm(4)),
    "actnorm-vector": Case(build=lambda: ActNorm(4), shape=(4,)),
    "emerging": Case(build=lambda: EmergingConvolution(4, 3)),
    "emerging-wide": Case(build=lambda: EmergingConvolution(2, 5), shape=(2, 3, 4)),
    "periodic": Case(build=lambda: PeriodicConvolution(4, 3)),
    "periodic-odd": Case(build=lambda: PeriodicConvolution(2, 5), shape=(2, 4, 3)),
    "permutation": Case(build=lambda: ChannelPermutation([2, 0, 3, 1])),
    "squeeze": Case(build=Squeeze),
    "squeeze-checkerboard": Case(build=lambda: Squeeze(checkerboard=True)),
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
    "center-affine": Case(build=lambda: center(Affine(3.0)), context=CONTEXT),
    "center-spline": Case(build=lambda: center(spline()), context=CONTEXT),
    "first-affine": Case(
        build=lambda: coupling(half(keep_first=True), affine(), attention=False), context=CONTEXT
    ),
    "second-affine": Case(
        build=lambda: coupling(half(keep_first=False), affine(), attention=True), context=CONTEXT
    ),
    "first-spline": Case(
        build=lambda: coupling(half(keep_first=True), spline(), attention=True), context=CONTEXT
    ),
    "second-spline": Case(
        build=lambda: coupling(half(keep_first=False), spline(), attention=False), context=CONTEXT
    ),
    "second-affine-spline": Case(
        build=lambda: coupling(half(keep_first=False), affine_spline(), attention=False),
        context=CONTEXT,
    ),
    "even-affine-spline": Case(
        build=lambda: coupling(board(keep_even=True), affine_spline(), attention=True),
        context=CONTEXT,
    ),
    "odd-spline": Case(
        build=lambda: coupling(board(keep_even=False), spline(), attention=False), context=CONTEXT
    ),
    "first-additive": Case(
        build=lambda: coupling(half(keep_first=True), Additive(), attention=False), context=CONTEXT
    ),
    "even-additive": Case(
        build=lambda: coupling(board(keep_even=True), Additive(), attention=True), context=CONTEXT
    ),
    "left-additive": Case(
        build=lambda: coupling(side("left"), Additive(), attention=True), context=CONTEXT
    ),
    "odd-affine": Case(
        build=lambda: coupling(board(keep_even=False), affine(), attention=False), context=CONTEXT
    ),
    "top-affine": Case(
        build=lambda: coupling(side("top"), affine(), attention=False), context=CONTEXT
    ),
    "second-linear-spline": Case(
        build=lambda: coupling(half(keep_first=False), LinearSpline(4, LIMIT), attention=False),
        context=CONTEXT,
    ),
    "even-linear-spline": Case(
        build=lambda: coupling(board(keep_even=True), LinearSpline(4, LIMIT), attention=True),
        context=CONTEXT,
    ),
    "first-quadratic-spline": Case(
        build=lambda: coupling(half(keep_first=True), QuadraticSpline(4, LIMIT), attention=False),
        context=CONTEXT,
    ),
    "right-quadratic-spline": Case(
        build=lambda: coupling(side("right"), QuadraticSpline(4, LIMIT), attention=True),
        context=CONTEXT,
    ),
    "bottom-spline": Case(
        build=lambda: coupling(side("bottom"), spline(), attention=True), context=CONTEXT
    ),
    "first-mixture": Case(
        build=lambda: coupling(half(keep_first=True), mixture(), attention=False), context=CONTEXT
    ),
    "odd-mixture": Case(
        build=lambda: coupling(board(keep_even=False), mixture(), attention=True), context=CONTEXT
    ),
    "second-monotone": Case(
        build=lambda: coupling(half(keep_first=False), monotone(), attention=False), context=CONTEXT
    ),
    "left-monotone": Case(
        build=lambda: coupling(side("left"), monotone(), attention=True), context=CONTEXT
    ),
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
        build=lambda: Planar(4, numbers(2 * 4 + 1)), shape=(4,), context=CONTEXT
    ),
    "radial": Case(build=lambda: Radial(4), shape=(4,)),
    "radial-conditional": Case(build=lambda: Radial(SHAPE, numbers(32 + 2)), context=CONTEXT),
    "tabak-turner": Case(build=lambda: TabakTurner(4, 3), shape=(4,)),
    "tabak-turner-conditional": Case(
        build=lambda: TabakTurner(SHAPE, 2, numbers(2 * (32 + 2))), context=CONTEXT
    ),
    "rippel-adams": Case(build=lambda: RippelAdams(SHAPE)),
    "rippel-adams-conditional": Case(
        build=lambda: RippelAdams(4, numbers(3 * 4)), shape=(4,), context=CONTEXT
    ),
    "nothing": Case(build=lambda: Composition([])),
    "composition": Case(build=stack, shape=(1, 4, 8), context=CONTEXT),
}

DIRECTIONS = ("forward", "inverse")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def bijection(case: Case, randomize: Callable[..., Bijection]) -> Bijection:
    return randomize(case.build()).double()


@pytest.fixture
def x(case: Case) -> Tensor:
    """Numbers on both sides of the splines' limit."""
    x = 1.5 * torch.randn(BATCH, *case.shape, generator=seeded(1), dtype=torch.float64)
    return case.within * torch.tanh(x) if math.isfinite(case.within) else x


@pytest.fixture
def context(case: Case) -> Tensor | None:
    if case.context is None:
        return None
    return torch.randn(BATCH, *case.context, generator=seeded(2), dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def start(bijection: Bijection, x: Tensor, context: Tensor | None, direction: str) -> Tensor:
    """What the direction takes: x itself, or the z of x."""
    return x if direction == "forward" else bijection(x, context)[0].detach()


def rows(context: Tensor | None, index: slice) -> Tensor | None:
    return None if context is None else context[index]


def jacobian(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """(n, n) derivative of all outputs by all inputs of one sample."""
    result = torch.autograd.functional.jacobian(function, value, vectorize=True)
    return result.reshape(value.numel(), value.numel())


def same(left: Tensor, right: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


def test_every_class_has_a_case() -> None:
    built = [part for case in CASES.values() for part in case.build().modules()]
    covered = {type(part) for part in built}
    for name in ("transform", "structure"):
        covered |= {type(getattr(part, name)) for part in built if hasattr(part, name)}
    bases = (Bijection, Partition, ElementwiseTransform, MatrixStructure)
    classes = {
        value
        for value in vars(flows).values()
        if inspect.isclass(value) and issubclass(value, bases) and not inspect.isabstract(value)
    }
    assert classes - covered == set()


def test_shapes(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    z, ladj = bijection(x, context)
    assert z.shape[0] == BATCH
    assert z[0].numel() == x[0].numel()
    assert ladj.shape == (BATCH,)
    back, ladj = bijection.inverse(z, context)
    assert back.shape == x.shape
    assert ladj.shape == (BATCH,)


def test_inverse_undoes_forward(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None
) -> None:
    z, _ = bijection(x, context)
    same(bijection.inverse(z, context)[0], x, case.accuracy)


def test_forward_undoes_inverse(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None
) -> None:
    z = 1.3 * bijection(x, context)[0]  # not only where `forward` happens to land
    same(bijection(bijection.inverse(z, context)[0], context)[0], z, case.accuracy)


def test_round_trip_in_float32(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    bijection, x = bijection.float(), x.float()
    context = None if context is None else context.float()
    z, _ = bijection(x, context)
    same(bijection.inverse(z, context)[0], x, 5e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ladj_is_that_of_the_jacobian(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None, direction: str
) -> None:
    value = start(bijection, x, context, direction)
    function = getattr(bijection, direction)
    _, ladj = function(value, context)
    for i in range(BATCH):
        row = slice(i, i + 1)
        matrix = jacobian(lambda v, row=row: function(v, rows(context, row))[0], value[row])
        same(ladj[i].detach(), torch.linalg.slogdet(matrix).logabsdet, 10 * case.accuracy)


def test_ladj_changes_sign(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None
) -> None:
    z, ladj = bijection(x, context)
    same(bijection.inverse(z, context)[1], -ladj, 10 * case.accuracy)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_samples_are_independent(
    bijection: Bijection, x: Tensor, context: Tensor | None, direction: str
) -> None:
    value = start(bijection, x, context, direction)
    function = getattr(bijection, direction)
    result, ladj = function(value, context)
    for i in range(BATCH):
        others = torch.arange(BATCH) != i
        changed, other_context = value.clone(), None if context is None else context.clone()
        changed[others] = 0.3 - 0.5 * value[others]
        if other_context is not None:
            other_context[others] = 1 - 2 * other_context[others]
        other_result, other_ladj = function(changed, other_context)
        same(other_result[i], result[i], 1e-12)
        same(other_ladj[i], ladj[i], 1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_arguments_stay(
    bijection: Bijection, x: Tensor, context: Tensor | None, direction: str
) -> None:
    value = start(bijection, x, context, direction).clone()
    value_before = value.clone()
    context_before = None if context is None else context.clone()
    result, _ = getattr(bijection, direction)(value, context)
    with torch.no_grad():
        result.add_(1)  # nor is the result a view of them
    assert torch.equal(value, value_before)
    assert context is None or torch.equal(context, context_before)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_context_matters_where_there_is_one(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None, direction: str
) -> None:
    value = start(bijection, x, context, direction)
    other = torch.ones(BATCH, *CONTEXT, dtype=torch.float64) if context is None else context + 1
    before = getattr(bijection, direction)(value, context)[0]
    after = getattr(bijection, direction)(value, other)[0]
    assert torch.equal(before, after) == (case.context is None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_output_keeps_dtype(
    bijection: Bijection, x: Tensor, context: Tensor | None, dtype: torch.dtype, direction: str
) -> None:
    value = start(bijection, x, context, direction).to(dtype)
    context = None if context is None else context.to(dtype)
    for output in getattr(bijection.to(dtype), direction)(value, context):
        assert output.dtype == dtype


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_output_keeps_device(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    bijection, x = bijection.cuda(), x.cuda()
    context = None if context is None else context.cuda()
    z, ladj = bijection(x, context)
    back, back_ladj = bijection.inverse(z, context)
    assert {output.device for output in (z, ladj, back, back_ladj)} == {x.device}
    same(back, x, 1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_extreme_input_has_finite_gradients(
    case: Case, bijection: Bijection, dtype: torch.dtype, direction: str
) -> None:
    bijection.to(dtype)
    context = None
    if case.context is not None:
        context = 1e3 * torch.randn(BATCH, *case.context, generator=seeded(3), dtype=dtype)
    like = start(bijection, torch.zeros(BATCH, *case.shape, dtype=dtype), context, direction)
    extremes = torch.tensor([0, LIMIT, -LIMIT, 1e4, -1e4, 1e-30, 0.999999 * LIMIT], dtype=dtype)
    value = extremes.repeat(like.numel())[: like.numel()].reshape(like.shape).requires_grad_()
    result, ladj = getattr(bijection, direction)(value, context)
    assert result.isfinite().all()
    assert ladj.isfinite().all()
    inputs = [value, *bijection.parameters()]
    for gradient in torch.autograd.grad(
        result.sum() + ladj.sum(), inputs, materialize_grads=True, allow_unused=True
    ):
        assert gradient.isfinite().all()


def test_randomized_parameters_all_matter(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None
) -> None:
    """Putting any one parameter or statistic back changes the function.

    Otherwise a layer hidden behind one that starts at zero would be tested as the identity.
    """
    z, ladj = bijection(x, context)
    fresh = case.build().double().state_dict()
    for name in fresh:
        if not fresh[name].is_floating_point():
            continue  # a fixed order or a flag
        partly = copy.deepcopy(bijection)
        partly.load_state_dict({**bijection.state_dict(), name: fresh[name]})
        other_z, other_ladj = partly(x, context)
        change = (other_z - z).abs().amax() + (other_ladj - ladj).abs().amax()
        assert change > 1e-3, name
