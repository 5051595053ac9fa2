"""Autoregressive flows: what may depend on what, cost, peers, and the cache of the transformer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from colorflow import flows

GRID = (2, 3, 4)
CONTEXT = 3
SIZE = 2

Build = Callable[[], flows.AutoregressiveNetwork]
Randomize = Callable[..., Any]


def random_order(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(5))


def dense(shape: Sequence[int], order: Tensor, *, layers: int = 2) -> flows.MaskedNetwork:
    return flows.MaskedNetwork(shape, order, CONTEXT, SIZE, units=3, layers=layers)


def convolution(*, reverse: bool) -> flows.MaskedConvolutionNetwork:
    return flows.MaskedConvolutionNetwork(GRID, CONTEXT, SIZE, width=7, reverse=reverse)


def raster(*, reverse: bool = False) -> Tensor:
    """The order of the grid's elements, cell by cell, or its reverse."""
    order = flows.raster_order(GRID)
    return order.flip(0) if reverse else order


CASES: dict[str, tuple[Build, Tensor]] = {
    "dense-raster": (lambda: dense(GRID, raster()), raster()),
    "dense-reversed": (lambda: dense(GRID, raster(reverse=True), layers=3), raster(reverse=True)),
    "dense-random": (lambda: dense(GRID, random_order(24), layers=1), random_order(24)),
    "convolution": (lambda: convolution(reverse=False), raster()),
    "convolution-reversed": (lambda: convolution(reverse=True), raster(reverse=True)),
    "vector": (lambda: dense((5,), torch.arange(5)), torch.arange(5)),
    "vector-random": (lambda: dense((5,), random_order(5)), random_order(5)),
}
"""How to build a network, and its order."""


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network(name: str, randomize: Randomize) -> flows.AutoregressiveNetwork:
    return randomize(CASES[name][0]()).double()


@pytest.fixture
def x(name: str) -> Tensor:
    return torch.randn(4, *((5,) if "vector" in name else GRID), dtype=torch.float64)


@pytest.fixture
def context(name: str) -> Tensor:
    return torch.randn(4, CONTEXT, *(() if "vector" in name else GRID[1:]), dtype=torch.float64)


def derivative(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """(out, in) of one sample, (1, ...)."""
    result = torch.autograd.functional.jacobian(function, value, vectorize=True)
    return result.reshape(-1, value.numel())


def by_element(parameters: Tensor, channels: int) -> Tensor:
    """(B, C * size, ...) -> (B, D, size)."""
    return parameters.unflatten(1, (channels, -1)).movedim(2, -1).flatten(1, -2)


def test_raster_order_goes_cell_by_cell() -> None:
    assert flows.raster_order((2, 2, 2)).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert flows.raster_order((1, 2, 3)).tolist() == [0, 1, 2, 3, 4, 5]
    assert flows.raster_order((3,)).tolist() == [0, 1, 2]


def test_every_earlier_element_matters_and_no_other(
    name: str, network: flows.AutoregressiveNetwork, x: Tensor, context: Tensor
) -> None:
    """The derivative of parameters by elements is strictly triangular, without a hole."""
    order = CASES[name][1]
    matrix = derivative(
        lambda v: by_element(network(v, context[:1]), v.shape[1]).transpose(1, 2), x[:1]
    )
    for part in matrix.reshape(SIZE, len(order), len(order)):
        ordered = part[order][:, order]
        allowed = torch.ones_like(ordered, dtype=torch.bool).tril(-1)
        assert (ordered[~allowed] == 0).all()
        assert (ordered[allowed].abs() > 1e-12).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_window_of_the_convolutions(randomize: Randomize, *, reverse: bool) -> None:
    """4 rows up, 4 columns to either side with one layer, as the docstring says; no blind spot."""
    network = flows.MaskedConvolutionNetwork((1, 9, 11), 0, 1, width=4, layers=1, reverse=reverse)
    network = randomize(network).double()
    x = torch.randn(1, 1, 9, 11, dtype=torch.float64)
    row, column = (3, 5) if reverse else (5, 5)
    seen = derivative(lambda v: network(v)[:, 0, row, column], x).reshape(9, 11) != 0
    expected = torch.zeros(9, 11, dtype=torch.bool)
    expected[1:5, 1:10] = True
    expected[5, 1:5] = True
    assert torch.equal(seen, expected.flip(0, 1) if reverse else expected)


def test_cost_in_evaluations(
    network: flows.AutoregressiveNetwork, x: Tensor, context: Tensor
) -> None:
    """One in the fast direction, one an element in the slow one; the twin exchanges them."""
    calls: list[int] = []
    network.register_forward_hook(lambda *_: calls.append(1))
    flow = flows.Autoregressive(network, flows.Affine(0.7, 3.0))
    twin = flows.Inverse(flow)
    fast, slow = (flow.forward, twin.inverse), (twin.forward, flow.inverse)
    for functions, expected in ((fast, 1), (slow, x[0].numel())):
        for function in functions:
            calls.clear()
            function(x, context)
            assert len(calls) == expected


def assert_same_flow(
    ours: flows.Autoregressive,
    forward: Callable[..., Any],
    inverse: Callable[..., Any],
    context: Any,
) -> None:
    x = torch.randn(6, 5, dtype=torch.float64)
    for mine, theirs in ((ours.forward, forward), (ours.inverse, inverse)):
        value, ladj = mine(x, context)
        other_value, other_ladj = theirs(x)
        torch.testing.assert_close(value, other_value, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(ladj, other_ladj, rtol=1e-10, atol=1e-10)


@pytest.mark.peers
@pytest.mark.parametrize("order", [torch.arange(5), random_order(5)], ids=["given", "random"])
def test_zuko_with_the_same_weights(randomize: Randomize, order: Tensor) -> None:
    """zuko's hidden units go by rank, ours by element; its context is columns of the first layer.

    Its scale is bounded otherwise, so it is given the number that its bound turns into ours.
    """
    zuko = pytest.importorskip("zuko")
    affine = flows.Affine(0.7, 3.0)

    def univariate(shift: Tensor, log_scale: Tensor) -> Any:
        shift, log_scale = affine._read(torch.stack([shift, log_scale], -1))
        bound = -torch.log(torch.tensor(1e-3, dtype=torch.float64))
        raw = -log_scale / (1 - log_scale.abs() / bound)
        return zuko.transforms.MonotonicAffineTransform(-shift * torch.exp(-log_scale), raw)

    rank = torch.argsort(order)
    theirs = zuko.flows.MaskedAutoregressiveTransform(
        5,
        CONTEXT,
        order=rank,
        univariate=univariate,
        hidden_features=(15, 15),
        activation=nn.GELU,
    ).double()
    network = randomize(dense((5,), order)).double()
    unit = torch.cat([order + 5 * i for i in range(3)])  # ours, in zuko's order
    first, middle, last = (layer for layer in theirs.hyper if hasattr(layer, "mask"))
    with torch.no_grad():
        first.weight.copy_(torch.cat([network.first.weight, network.from_context.weight], 1)[unit])
        first.bias.copy_(network.first.bias[unit])
        middle.weight.copy_(network.hidden[0].weight[unit][:, unit])
        middle.bias.copy_(network.hidden[0].bias[unit])
        last.weight.copy_(network.out.weight[:, unit])
        last.bias.copy_(network.out.bias)
    context = torch.randn(6, CONTEXT, dtype=torch.float64)
    transform = theirs(context)
    ours = flows.Autoregressive(network, affine)
    assert_same_flow(ours, transform.call_and_ladj, transform.inv.call_and_ladj, context)


TOKENS = {
    "raster": {"shape": (2, 2, 3), "patch": 1, "reverse": False},
    "reversed": {"shape": (2, 2, 3), "patch": 1, "reverse": True},
    "patches": {"shape": (1, 4, 6), "patch": 2, "reverse": False},
    "patches-reversed": {"shape": (1, 4, 6), "patch": 2, "reverse": True},
}


def build(case: dict[str, Any]) -> flows.TransformerAutoregressive:
    rest = {key: case[key] for key in ("patch", "reverse")}
    return flows.TransformerAutoregressive(
        case["shape"], CONTEXT, flows.Affine(0.7, 3.0), width=8, **rest
    )


@pytest.fixture(params=TOKENS.values(), ids=TOKENS)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


@pytest.fixture
def flow(case: dict[str, Any], randomize: Callable[..., Any]) -> flows.TransformerAutoregressive:
    return randomize(build(case)).double()


@pytest.fixture
def samples(case: dict[str, Any]) -> Tensor:
    return torch.randn(2, *case["shape"], dtype=torch.float64)


@pytest.fixture
def beside(case: dict[str, Any]) -> Tensor:
    """The context of the samples."""
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


def test_earlier_tokens_matter_and_no_later_one(
    case: dict[str, Any], flow: flows.TransformerAutoregressive, samples: Tensor, beside: Tensor
) -> None:
    """Within a token a number moves by itself: its parameters do not see the token."""
    rank = rank_of_token(case, case["shape"][0]).flatten()
    itself = torch.eye(len(rank), dtype=torch.bool)
    for function in (flow.forward, flow.inverse):
        matrix = derivative(lambda v, f=function: f(v, beside[:1])[0], samples[:1])
        allowed = (rank[:, None] > rank) | itself
        assert (matrix[~allowed] == 0).all()
        assert (matrix[allowed].abs() > 1e-12).all()


def test_context_of_own_and_earlier_tokens_matters(
    case: dict[str, Any], flow: flows.TransformerAutoregressive, samples: Tensor, beside: Tensor
) -> None:
    matrix = derivative(lambda v: flow(samples[:1], v)[0], beside[:1])
    of_x = rank_of_token(case, case["shape"][0]).flatten()
    of_context = rank_of_token(case, CONTEXT).flatten()
    allowed = of_x[:, None] >= of_context
    assert (matrix[~allowed] == 0).all()
    assert (matrix[allowed].abs() > 1e-12).all()


def test_cache_changes_nothing(
    case: dict[str, Any], flow: flows.TransformerAutoregressive, samples: Tensor, beside: Tensor
) -> None:
    """Against a loop that finds each token's affine map by two whole forward passes."""
    z = torch.randn_like(samples)
    rank = rank_of_token(case, case["shape"][0])
    expected, log_slope = torch.zeros_like(z), torch.zeros(len(z), dtype=z.dtype)
    for i in range(6):
        low, high = expected.clone(), expected.clone()
        high[:, rank == i] = 1
        start = flow(low, beside)[0][:, rank == i]
        slope = flow(high, beside)[0][:, rank == i] - start
        expected[:, rank == i] = (z[:, rank == i] - start) / slope
        log_slope = log_slope + slope.log().sum(1)
    back, ladj = flow.inverse(z, beside)
    torch.testing.assert_close(back, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ladj, -log_slope, rtol=1e-10, atol=1e-10)
