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
from torch import Tensor

from colorflow import flows
from colorflow.flows import (
    Affine,
    AffineSpline,
    AttentionNetwork,
    Bijection,
    BoundedRange,
    ChannelPartition,
    ChannelPermutation,
    Composition,
    ContextTransform,
    ConvolutionNetwork,
    Coupling,
    ElementwiseTransform,
    Haar,
    MaskPartition,
    Partition,
    RationalQuadraticSpline,
    Squeeze,
    Standardize,
    checkerboard,
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


def coupling(partition: Partition, transform: ElementwiseTransform, *, attention: bool) -> Coupling:
    network = AttentionNetwork if attention else ConvolutionNetwork
    out = partition.moved_channels * transform.size
    return Coupling(partition, network(partition.kept_channels, CONTEXT[0], 8, out), transform)


def centre(transform: ElementwiseTransform) -> ContextTransform:
    network = ConvolutionNetwork(0, CONTEXT[0], 8, SHAPE[0] * transform.size)
    return ContextTransform(SHAPE[0], network, transform)


def half(*, keep_first: bool) -> Partition:
    return ChannelPartition(SHAPE[0], keep_first=keep_first)


def board(*, keep_even: bool) -> Partition:
    return MaskPartition(checkerboard(*SHAPE, keep_even=keep_even))


def affine() -> Affine:
    return Affine(0.7, 3.0)


def spline() -> RationalQuadraticSpline:
    return RationalQuadraticSpline(4, LIMIT)


def affine_spline() -> AffineSpline:
    return AffineSpline(3, LIMIT, 0.7, 3.0)


def stack() -> Composition:
    return Composition(
        [
            Haar(),
            Standardize(SHAPE[0]),
            centre(Affine(3.0)),
            coupling(half(keep_first=True), affine_spline(), attention=False),
            ChannelPermutation([0, 2, 1, 3]),
            coupling(board(keep_even=False), spline(), attention=True),
        ]
    )


CASES = {
    "bounded": Case(build=lambda: BoundedRange(LIMIT), within=0.99 * LIMIT),
    "standardize": Case(build=lambda: Standardize(SHAPE[0])),
    "permutation": Case(build=lambda: ChannelPermutation([2, 0, 3, 1])),
    "squeeze": Case(build=Squeeze),
    "haar": Case(build=Haar),
    "centre-affine": Case(build=lambda: centre(Affine(3.0)), context=CONTEXT),
    "centre-spline": Case(build=lambda: centre(spline()), context=CONTEXT),
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
    "composition": Case(build=stack, shape=(1, 4, 8), context=CONTEXT),
}

DIRECTIONS = ("forward", "inverse")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def bijection(case: Case, randomise: Callable[..., Bijection]) -> Bijection:
    return randomise(case.build()).double()


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
    covered |= {type(part.transform) for part in built if hasattr(part, "transform")}
    bases = (Bijection, Partition, ElementwiseTransform)
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


def test_inverse_undoes_forward(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    z, _ = bijection(x, context)
    same(bijection.inverse(z, context)[0], x, 1e-10)


def test_forward_undoes_inverse(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    z = 1.3 * bijection(x, context)[0]  # not only where `forward` happens to land
    same(bijection(bijection.inverse(z, context)[0], context)[0], z, 1e-10)


def test_round_trip_in_float32(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    bijection, x = bijection.float(), x.float()
    context = None if context is None else context.float()
    z, _ = bijection(x, context)
    same(bijection.inverse(z, context)[0], x, 5e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ladj_is_that_of_the_jacobian(
    bijection: Bijection, x: Tensor, context: Tensor | None, direction: str
) -> None:
    value = start(bijection, x, context, direction)
    function = getattr(bijection, direction)
    _, ladj = function(value, context)
    for i in range(BATCH):
        row = slice(i, i + 1)
        matrix = jacobian(lambda v, row=row: function(v, rows(context, row))[0], value[row])
        same(ladj[i].detach(), torch.linalg.slogdet(matrix).logabsdet, 1e-9)


def test_ladj_changes_sign(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    z, ladj = bijection(x, context)
    same(bijection.inverse(z, context)[1], -ladj, 1e-9)


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


def test_randomised_parameters_all_matter(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None
) -> None:
    """Putting any one parameter or statistic back changes the function.

    Otherwise a layer hidden behind one that starts at zero would be tested as the identity.
    """
    z, ladj = bijection(x, context)
    fresh = case.build().double().state_dict()
    for name in fresh:
        partly = copy.deepcopy(bijection)
        partly.load_state_dict({**bijection.state_dict(), name: fresh[name]})
        other_z, other_ladj = partly(x, context)
        change = (other_z - z).abs().amax() + (other_ladj - ladj).abs().amax()
        assert change > 1e-3, name
