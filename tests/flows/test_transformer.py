"""The causal transformer flow: what may depend on what, and that its cache changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from colorflow.flows import Affine, TransformerAutoregressive

CONTEXT = 3
CASES = {
    "raster": {"shape": (2, 2, 3), "patch": 1, "reverse": False},
    "reversed": {"shape": (2, 2, 3), "patch": 1, "reverse": True},
    "patches": {"shape": (1, 4, 6), "patch": 2, "reverse": False},
    "patches-reversed": {"shape": (1, 4, 6), "patch": 2, "reverse": True},
}


def build(case: dict[str, Any]) -> TransformerAutoregressive:
    rest = {key: case[key] for key in ("patch", "reverse")}
    return TransformerAutoregressive(case["shape"], CONTEXT, Affine(0.7, 3.0), width=8, **rest)


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


@pytest.fixture
def flow(case: dict[str, Any], randomize: Callable[..., Any]) -> TransformerAutoregressive:
    return randomize(build(case)).double()


@pytest.fixture
def x(case: dict[str, Any]) -> Tensor:
    return torch.randn(2, *case["shape"], dtype=torch.float64)


@pytest.fixture
def context(case: dict[str, Any]) -> Tensor:
    return torch.randn(2, CONTEXT, *case["shape"][1:], dtype=torch.float64)


def rank_of_token(case: dict[str, Any], channels: int) -> Tensor:
    """(channels, H, W) when each number's token comes, written out cell by cell."""
    _, height, width = case["shape"]
    patch = case["patch"]
    rank = torch.empty(channels, height, width, dtype=torch.long)
    for row in range(height):
        for column in range(width):
            token = (row // patch) * (width // patch) + column // patch
            rank[:, row, column] = 5 - token if case["reverse"] else token
    return rank


def derivative(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    result = torch.autograd.functional.jacobian(function, value, vectorize=True)
    return result.reshape(-1, value.numel())


def test_earlier_tokens_matter_and_no_later_one(
    case: dict[str, Any], flow: TransformerAutoregressive, x: Tensor, context: Tensor
) -> None:
    """Within a token a number moves by itself: its parameters do not see the token."""
    rank = rank_of_token(case, case["shape"][0]).flatten()
    itself = torch.eye(len(rank), dtype=torch.bool)
    for function in (flow.forward, flow.inverse):
        matrix = derivative(lambda v, f=function: f(v, context[:1])[0], x[:1])
        allowed = (rank[:, None] > rank) | itself
        assert (matrix[~allowed] == 0).all()
        assert (matrix[allowed].abs() > 1e-12).all()


def test_context_of_own_and_earlier_tokens_matters(
    case: dict[str, Any], flow: TransformerAutoregressive, x: Tensor, context: Tensor
) -> None:
    matrix = derivative(lambda v: flow(x[:1], v)[0], context[:1])
    of_x = rank_of_token(case, case["shape"][0]).flatten()
    of_context = rank_of_token(case, CONTEXT).flatten()
    allowed = of_x[:, None] >= of_context
    assert (matrix[~allowed] == 0).all()
    assert (matrix[allowed].abs() > 1e-12).all()


def test_cache_changes_nothing(
    case: dict[str, Any], flow: TransformerAutoregressive, x: Tensor, context: Tensor
) -> None:
    """Against a loop that finds each token's affine map by two whole forward passes."""
    z = torch.randn_like(x)
    rank = rank_of_token(case, case["shape"][0])
    expected, log_slope = torch.zeros_like(z), torch.zeros(len(z), dtype=z.dtype)
    for i in range(6):
        low, high = expected.clone(), expected.clone()
        high[:, rank == i] = 1
        start = flow(low, context)[0][:, rank == i]
        slope = flow(high, context)[0][:, rank == i] - start
        expected[:, rank == i] = (z[:, rank == i] - start) / slope
        log_slope = log_slope + slope.log().sum(1)
    back, ladj = flow.inverse(z, context)
    torch.testing.assert_close(back, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ladj, -log_slope, rtol=1e-10, atol=1e-10)
