"""The contract of every bijection; a new one is added to `CASES` and gets all tests for nothing.

Dimensions: B samples, n numbers a sample.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow import flows
from colorflow.flows import Bijection, ElementwiseTransform, MatrixStructure, Partition
from tests.flows.bijections import BATCH, CASES, CONTEXT, LIMIT, Case

DIRECTIONS = ("forward", "inverse")
NO_IDENTITY = {
    *("bounded", "kriging", "logit", "plu-rotation", "permutation", "squeeze", "reshape"),
    *("flatten", "split", "split-conditional", "multi-scale", "haar", "cdf53", "composition"),
}
"""What does not start as the identity; all others do."""


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


def test_inverse_undoes_forward(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None
) -> None:
    z, ladj = bijection(x, context)
    assert z[0].numel() == x[0].numel()
    assert ladj.shape == (BATCH,)
    back, ladj = bijection.inverse(z, context)
    same(back, x, case.accuracy)
    assert ladj.shape == (BATCH,)


def test_forward_undoes_inverse(
    case: Case, bijection: Bijection, x: Tensor, context: Tensor | None
) -> None:
    z = 1.3 * bijection(x, context)[0]  # not only where `forward` happens to land
    same(bijection(bijection.inverse(z, context)[0], context)[0], z, case.accuracy)


def test_round_trip_in_float32(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    bijection, x = bijection.float(), x.float()
    context = None if context is None else context.float()
    z, ladj = bijection(x, context)
    back, back_ladj = bijection.inverse(z, context)
    same(back, x, 5e-4)
    assert {z.dtype, ladj.dtype, back.dtype, back_ladj.dtype} == {torch.float32}


def test_round_trip_under_autocast(bijection: Bijection, x: Tensor, context: Tensor | None) -> None:
    """Networks lose precision in bfloat16, bijections do not."""
    bijection, x = bijection.float(), x.float()
    context = None if context is None else context.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, ladj = bijection(x, context)
        back, back_ladj = bijection.inverse(z, context)
    assert {z.dtype, ladj.dtype, back.dtype, back_ladj.dtype} == {torch.float32}
    same(back, x, 1e-3)
    same(back_ladj, -ladj, 5e-3)


@pytest.mark.parametrize("name", [name for name in CASES if name not in NO_IDENTITY])
def test_starts_as_the_identity(name: str) -> None:
    case = CASES[name]
    bijection = case.build().eval()
    x = torch.randn(BATCH, *case.shape, generator=seeded(1))
    context = None
    if case.context is not None:
        context = torch.randn(BATCH, *case.context, generator=seeded(2))
    for direction in DIRECTIONS:
        result, ladj = getattr(bijection, direction)(x, context)
        same(result, x, 1e-5)
        same(ladj, torch.zeros(BATCH), 1e-5)


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
