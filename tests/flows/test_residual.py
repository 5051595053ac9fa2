"""Inverses of residual blocks: found, found out to be none, and differentiated."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colorflow.flows import (
    ExactLogDet,
    InversionError,
    LipschitzDenseNetwork,
    Residual,
)
from colorflow.flows.lipschitz import Contraction, Function
from colorflow.flows.residual import TOLERANCE


class Times(Contraction):
    """g(x) = x A^T, contracting or not, whatever it says."""

    coefficient = 0.9

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = matrix

    def given(self, context: Tensor | None) -> Function:
        return lambda x: x @ self.matrix.T


def times(*rows: list[float], dtype: torch.dtype = torch.float64) -> Residual:
    return Residual(Times(torch.tensor(rows, dtype=dtype)), ExactLogDet())


@pytest.fixture
def residual(randomize: Callable[..., nn.Module]) -> Residual:
    return randomize(Residual(LipschitzDenseNetwork(4, 3, 8), ExactLogDet()), 3.0).double()


@pytest.fixture
def z() -> Tensor:
    return torch.randn(2, 4, dtype=torch.float64)


@pytest.fixture
def context() -> Tensor:
    return torch.randn(2, 3, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slow_convergence_is_as_accurate_as_stated(dtype: torch.dtype) -> None:
    """z = 0.03 x in one direction: the iteration needs hundreds of steps."""
    block = times([-0.97, 0.0], [0.0, 0.97], dtype=dtype)
    z = torch.tensor([[0.3, -2.0], [1e-6, 5.0]], dtype=dtype)
    x, ladj = block.inverse(z)
    bound = TOLERANCE * torch.finfo(dtype).eps * 20 / 0.03
    expected = z / torch.tensor([0.03, 1.97], dtype=dtype)
    assert (x - expected).abs().max() <= bound
    logs = torch.tensor([0.03, 1.97], dtype=torch.float64).log().sum()
    torch.testing.assert_close(ladj.double(), -logs.expand(2), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(([1.5, 0.0], [0.0, 0.2]), id="expands"),
        pytest.param(([0.0, 1.0], [-1.0, 0.0]), id="turns"),
        pytest.param(([1.0, 0.0], [0.0, 1.0]), id="swings"),
    ],
)
def test_no_contraction_raises(rows: tuple[list[float], list[float]]) -> None:
    with pytest.raises(InversionError, match=r"residual of .* after \d+ iterations, allowed is"):
        times(*rows).inverse(torch.ones(3, 2, dtype=torch.float64))


def test_gradient_of_the_inverse(residual: Residual, z: Tensor, context: Tensor) -> None:
    """By z, context and every parameter, of x and of ladj, against central differences."""
    inputs = [z.requires_grad_(), context.requires_grad_(), *residual.parameters()]

    def value() -> Tensor:
        x, ladj = residual.inverse(z, context)
        return (x**3).sum() + (ladj * torch.tensor([1.0, -2.0])).sum()

    gradients = torch.autograd.grad(value(), inputs)
    for tensor, gradient in zip(inputs, gradients, strict=True):
        direction = torch.randn_like(tensor)
        ends = []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                tensor.add_(step * direction)
                ends.append(value().item())
        with torch.no_grad():
            tensor.add_(1e-5 * direction)
        expected = (ends[0] - ends[1]) / 2e-5
        assert (gradient * direction).sum().item() == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.peers
def test_block_is_that_of_normflows(randomize: Callable[..., nn.Module]) -> None:
    peers = pytest.importorskip("normflows.flows.residual")
    block = randomize(Residual(LipschitzDenseNetwork(2, 0, 6), ExactLogDet()), 3.0).double()
    theirs = peers.iResBlock(block.network, brute_force=True).double()
    x = torch.randn(5, 2, dtype=torch.float64)
    z, ladj = block(x)
    their_z, their_ladj = theirs(x.clone(), 0)
    torch.testing.assert_close(z, their_z, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ladj, -their_ladj.flatten(), rtol=1e-12, atol=1e-12)
    back, ladj = block.inverse(z)
    their_back, their_ladj = theirs.inverse(z.detach(), 0)
    # theirs stops at a squared step of 1e-5, and adds the forward direction's ladj
    torch.testing.assert_close(back, their_back, rtol=0, atol=2e-2)
    torch.testing.assert_close(ladj, -their_ladj.flatten(), rtol=0, atol=2e-2)
