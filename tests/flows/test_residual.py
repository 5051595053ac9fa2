"""Residual blocks: their inverses, and estimates of log |det(I + J)| against dense Jacobians."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard
from torch import Tensor, nn

from colorflow import flows
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


def times(*rows: list[float], dtype: torch.dtype = torch.float64) -> flows.Residual:
    return flows.Residual(Times(torch.tensor(rows, dtype=dtype)), flows.ExactLogDet())


@pytest.fixture
def residual(randomize: Callable[..., nn.Module]) -> flows.Residual:
    return randomize(
        flows.Residual(flows.LipschitzDenseNetwork(4, 3, 8), flows.ExactLogDet()), 3.0
    ).double()


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
    with pytest.raises(
        flows.InversionError, match=r"residual of .* after \d+ iterations, allowed is"
    ):
        times(*rows).inverse(torch.ones(3, 2, dtype=torch.float64))


def test_gradient_of_the_inverse(residual: flows.Residual, z: Tensor, context: Tensor) -> None:
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
    block = randomize(
        flows.Residual(flows.LipschitzDenseNetwork(2, 0, 6), flows.ExactLogDet()), 3.0
    ).double()
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


D = 4
SIGMAS = 4.0
"""Standard errors within which a mean must lie; the seeds are fixed."""


class CompletePowerSeries(flows.PowerSeries):
    """With d orthogonal probes of signs: the traces are exact, only the truncation is left."""

    def __init__(self, terms: int) -> None:
        super().__init__(terms, D, seeded())

    def sample_probes(self, like: Tensor) -> Tensor:
        return torch.tensor(hadamard(D)).to(like)[:, None].expand(D, *like.shape)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def network(randomize: Callable[..., nn.Module]) -> flows.LipschitzDenseNetwork:
    """Nearly -W^T W, so that the traces of all powers are large and alternate in sign."""
    network = randomize(flows.LipschitzDenseNetwork(D, 0, 8, 0.8), 3.0).double()
    with torch.no_grad():
        network.middle.weight.add_(6 * torch.eye(8))
        network.last.weight.add_(-4 * network.first.weight.T)
        network.first.bias.add_(3)  # where LipSwish is steep
        network.middle.bias.add_(3)
    return network


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, D, generator=seeded(5), dtype=torch.float64)


def jacobians(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """(B, d, d), keeping their graph."""
    rows = [
        torch.autograd.functional.jacobian(
            lambda v: function(v.reshape(1, *x.shape[1:])).flatten(), row, create_graph=True
        ).reshape(row.numel(), row.numel())
        for row in x
    ]
    return torch.stack(rows)


def exact(function: Callable[[Tensor], Tensor], x: Tensor) -> np.ndarray:
    matrices = jacobians(function, x).detach().numpy()
    return np.linalg.slogdet(np.eye(matrices.shape[1]) + matrices)[1]


def near(means: np.ndarray, expected: np.ndarray) -> None:
    """The mean over axis 0 within some standard errors, and these are small."""
    error = means.std(0, ddof=1) / np.sqrt(len(means))
    assert (np.abs(means.mean(0) - expected) <= SIGMAS * error + 1e-12).all()
    assert np.linalg.norm(error) < 0.2 * np.linalg.norm(expected)


def test_exact_log_det(network: flows.LipschitzDenseNetwork, x: Tensor) -> None:
    values, ladj = flows.ExactLogDet()(network, x)
    np.testing.assert_allclose(values.detach(), network(x).detach(), rtol=1e-14)
    np.testing.assert_allclose(ladj.detach(), exact(network, x), rtol=1e-12)
    assert np.abs(exact(network, x)).min() > 0.1  # or the tests below would show nothing


def test_power_series_converges_as_its_tail(
    network: flows.LipschitzDenseNetwork, x: Tensor
) -> None:
    expected = exact(network, x)
    constant = np.linalg.norm(jacobians(network, x).detach().numpy(), 2, (1, 2))
    assert constant.min() > 0.1
    for n in range(1, 25):
        ladj = CompletePowerSeries(n)(network, x)[1].detach().numpy()
        tail = D * constant ** (n + 1) / ((n + 1) * (1 - constant))
        assert (np.abs(ladj - expected) <= tail + 1e-14).all()
    assert np.abs(ladj - expected).max() < 1e-13


def test_gradient_of_power_series(network: flows.LipschitzDenseNetwork, x: Tensor) -> None:
    """That of the dense truncated series, by x and by every parameter."""
    x = x.requires_grad_()
    inputs = [x, *network.parameters()]
    ours = CompletePowerSeries(5)(network, x)[1]
    matrices = jacobians(network, x)
    power, series = torch.eye(D, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for k in range(1, 6):
        power = power @ matrices
        series = series + (-1) ** (k + 1) / k * power.diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(ours, series, rtol=1e-12, atol=1e-12)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    results = [
        torch.autograd.grad((weights * y).sum(), inputs, allow_unused=True, materialize_grads=True)
        for y in (ours, series)
    ]
    for our, their in zip(*results, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-9, atol=1e-11)
    assert results[0][0].abs().max() > 1e-3


@pytest.mark.parametrize("exact_terms", [0, 2])
def test_roulette_weights_have_mean_one(exact_terms: int) -> None:
    roulette = flows.RussianRoulette(exact_terms, 0.6, 1, seeded(1))
    weights_of_terms = np.zeros((20_000, exact_terms + 4))
    for row in weights_of_terms:
        weights = roulette.weights()[: len(row)]
        row[: len(weights)] = weights
    assert (weights_of_terms[:, :exact_terms] == 1).all()
    near(weights_of_terms[:, exact_terms:], np.ones(4))


def test_roulette_is_unbiased_and_so_is_its_gradient(network: flows.LipschitzDenseNetwork) -> None:
    """The last line shows that the bias of a truncated series would be seen."""
    x = torch.randn(1, D, generator=seeded(7), dtype=torch.float64)
    many = x.expand(64, D)
    parameter = network.middle.weight
    roulette = flows.RussianRoulette(1, 0.6, 1, seeded(3))
    values, gradients = [], []
    for _ in range(300):
        ladj = roulette(network, many)[1].mean()
        gradients.append(torch.autograd.grad(ladj, parameter)[0].flatten().numpy())
        values.append(ladj.item())
    ladj = flows.ExactLogDet()(network, x)[1]
    gradient = torch.autograd.grad(ladj.sum(), parameter)[0].flatten().numpy()
    near(np.array(values)[:, None], exact(network, x))
    near(np.array(gradients), gradient)
    error = np.std(values) / np.sqrt(len(values))
    truncated = CompletePowerSeries(1)(network, x)[1].item()
    assert abs(truncated - exact(network, x)[0]) > 2 * SIGMAS * error
