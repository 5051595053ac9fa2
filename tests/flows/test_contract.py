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
from colorflow.flows import Bijection, ElementwiseTransform, MatrixStructure, Partition
from tests.flows.bijections import BATCH, CASES, CONTEXT, LIMIT, Case
from tests.flows.samples import normal, same

DIRECTIONS = ("forward", "inverse")
NO_IDENTITY = {
    *("bounded", "kriging", "logit", "plu-rotation", "permutation", "squeeze", "reshape"),
    *("flatten", "split", "split-conditional", "multi-scale", "haar", "cdf53", "composition"),
}
"""What does not start as the identity; all others do."""


@dataclass
class Given:
    """A bijection in float64 with random parameters, and what it takes."""

    case: Case
    bijection: Bijection
    x: Tensor
    """Numbers on both sides of the splines' limit."""
    context: Tensor | None

    def start(self, direction: str) -> Tensor:
        """What the direction takes: x itself, or the z of x."""
        return self.x if direction == "forward" else self.z().detach()

    def z(self) -> Tensor:
        return self.bijection(self.x, self.context)[0]

    def moved(self, *to: torch.device | torch.dtype | str) -> Given:
        """On another device or in another dtype."""
        context = None if self.context is None else self.context.to(*to)
        return Given(self.case, self.bijection.to(*to), self.x.to(*to), context)


@pytest.fixture(params=CASES)
def given(request: pytest.FixtureRequest, randomize: Callable[..., Bijection]) -> Given:
    case = CASES[request.param]
    x, context = inputs(case, torch.float64)
    x = case.within * torch.tanh(1.5 * x) if math.isfinite(case.within) else 1.5 * x
    return Given(case, randomize(case.build()).double(), x, context)


def inputs(case: Case, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """Standard normal x and, where there is one, context."""
    x = normal(BATCH, *case.shape, seed=1, dtype=dtype)
    return x, case.context and normal(BATCH, *case.context, seed=2, dtype=dtype)


def jacobian(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """(n, n) derivative of all outputs by all inputs of one sample."""
    result = torch.autograd.functional.jacobian(function, value, vectorize=True)
    return result.reshape(value.numel(), value.numel())


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


def test_round_trip(given: Given) -> None:
    x, context, accuracy = given.x, given.context, given.case.accuracy
    z, ladj = given.bijection(x, context)
    assert z[0].numel() == x[0].numel()
    back, back_ladj = given.bijection.inverse(z, context)
    same(back, x, accuracy)
    assert ladj.shape == back_ladj.shape == (BATCH,)
    z = 1.3 * z  # not only where `forward` happens to land
    same(given.bijection(given.bijection.inverse(z, context)[0], context)[0], z, accuracy)


@pytest.mark.parametrize(
    ("device", "autocast", "tolerance"),
    [
        ("cpu", False, 5e-4),
        ("cpu", True, 1e-3),
        pytest.param("cuda", False, 5e-4, marks=pytest.mark.gpu),
    ],
)
def test_round_trip_in_float32(
    given: Given, device: str, *, autocast: bool, tolerance: float
) -> None:
    """Under autocast networks lose precision in bfloat16, bijections do not."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    given = given.moved(torch.float32).moved(device)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=autocast):
        z, ladj = given.bijection(given.x, given.context)
        back, back_ladj = given.bijection.inverse(z, given.context)
    assert {(y.dtype, y.device.type) for y in (z, ladj, back, back_ladj)} == {
        (torch.float32, device)
    }
    same(back, given.x, tolerance)
    same(back_ladj, -ladj, 5e-3)


@pytest.mark.parametrize("name", [name for name in CASES if name not in NO_IDENTITY])
def test_starts_as_the_identity(name: str) -> None:
    bijection = CASES[name].build().eval()
    x, context = inputs(CASES[name], torch.float32)
    for direction in DIRECTIONS:
        result, ladj = getattr(bijection, direction)(x, context)
        same(result, x, 1e-5)
        same(ladj, torch.zeros(BATCH), 1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_ladj_is_that_of_the_jacobian(given: Given, direction: str) -> None:
    value, context = given.start(direction), given.context
    function = getattr(given.bijection, direction)
    _, ladj = function(value, context)
    for i in range(BATCH):
        own = None if context is None else context[i : i + 1]
        matrix = jacobian(lambda v, own=own: function(v, own)[0], value[i : i + 1])
        expected = torch.linalg.slogdet(matrix).logabsdet
        same(ladj[i].detach(), expected, 10 * given.case.accuracy)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_samples_are_independent(given: Given, direction: str) -> None:
    value, context = given.start(direction), given.context
    function = getattr(given.bijection, direction)
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
def test_arguments_stay_and_a_context_matters(given: Given, direction: str) -> None:
    value, context = given.start(direction).clone(), given.context
    value_before, context_before = value.clone(), None if context is None else context.clone()
    result, _ = getattr(given.bijection, direction)(value, context)
    other = torch.ones(BATCH, *CONTEXT, dtype=torch.float64) if context is None else context + 1
    after = getattr(given.bijection, direction)(value, other)[0]
    assert torch.equal(result, after) == (context is None)
    with torch.no_grad():
        result.add_(1)  # nor is the result a view of them
    assert torch.equal(value, value_before)
    assert context is None or torch.equal(context, context_before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_extreme_input_has_finite_gradients(
    given: Given, dtype: torch.dtype, direction: str
) -> None:
    given = given.moved(dtype)
    given.x = torch.zeros_like(given.x)
    if given.context is not None:
        given.context = 1e3 * given.context
    like = given.start(direction)
    extremes = torch.tensor([0, LIMIT, -LIMIT, 1e4, -1e4, 1e-30, 0.999999 * LIMIT], dtype=dtype)
    value = extremes.repeat(like.numel())[: like.numel()].reshape(like.shape).requires_grad_()
    result, ladj = getattr(given.bijection, direction)(value, given.context)
    assert result.isfinite().all()
    assert ladj.isfinite().all()
    inputs = [value, *given.bijection.parameters()]
    for gradient in torch.autograd.grad(
        result.sum() + ladj.sum(), inputs, materialize_grads=True, allow_unused=True
    ):
        assert gradient.isfinite().all()


def test_randomized_parameters_all_matter(given: Given) -> None:
    """Putting any one parameter or statistic back changes the function.

    Otherwise a layer hidden behind one that starts at zero would be tested as the identity.
    """
    z, ladj = given.bijection(given.x, given.context)
    fresh = given.case.build().double().state_dict()
    for name in fresh:
        if not fresh[name].is_floating_point():
            continue  # a fixed order or a flag
        partly = copy.deepcopy(given.bijection)
        partly.load_state_dict({**given.bijection.state_dict(), name: fresh[name]})
        other_z, other_ladj = partly(given.x, given.context)
        change = (other_z - z).abs().amax() + (other_ladj - ladj).abs().amax()
        assert change > 1e-3, name
