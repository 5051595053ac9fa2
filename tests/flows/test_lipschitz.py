"""Lipschitz constants measured from outside: dense matrices of the layers, and their SVD."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.linalg import svdvals
from torch import Tensor, nn

from colorflow.flows import LipschitzDenseNetwork, LipschitzNetwork
from colorflow.flows.lipschitz import NORM_ACCURACY, LipschitzConvolution, LipschitzLinear

COEFFICIENT = 0.8


def dense(function: Callable[[Tensor], Tensor], shape: tuple[int, ...], at: Tensor) -> np.ndarray:
    """The Jacobian of one sample as a matrix."""
    matrix = torch.autograd.functional.jacobian(lambda x: function(x[None])[0], at, vectorize=True)
    return matrix.reshape(-1, at.numel()).numpy()


def norm(layer: nn.Module, shape: tuple[int, ...]) -> float:
    return svdvals(dense(layer, shape, torch.zeros(shape, dtype=torch.float64)))[0]


def convolution(
    channels: tuple[int, int], grid: tuple[int, int], kernel: int = 3
) -> LipschitzConvolution:
    return LipschitzConvolution(*channels, kernel, grid, COEFFICIENT).double().eval()


@pytest.mark.parametrize("kind", ["noise", "smooth", "edges"])
@pytest.mark.parametrize(
    ("channels", "grid", "kernel"),
    [((1, 1), (14, 14), 3), ((4, 6), (2, 4), 3), ((3, 2), (9, 7), 5), ((6, 6), (8, 8), 3)],
)
def test_convolution_has_its_coefficient(
    channels: tuple[int, int], grid: tuple[int, int], kernel: int, kind: str
) -> None:
    layer = convolution(channels, grid, kernel)
    with torch.no_grad():
        layer.weight.mul_(0.1 if kind == "smooth" else 3)
        if kind == "smooth":
            layer.weight.add_(1)  # the largest stretches lie close together
        elif kind == "edges":
            layer.weight.sub_(layer.weight.mean((2, 3), keepdim=True))
    measured = norm(layer, (channels[0], *grid))
    assert COEFFICIENT * (1 - NORM_ACCURACY) <= measured <= COEFFICIENT * (1 + 1e-9)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (40, 40)])
def test_linear_has_its_coefficient(shape: tuple[int, int]) -> None:
    layer = LipschitzLinear(*shape, COEFFICIENT).double()
    with torch.no_grad():
        layer.weight.mul_(5)
    assert norm(layer, (shape[0],)) == pytest.approx(COEFFICIENT, rel=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_zero_weights_have_gradients(training: bool) -> None:
    layer = convolution((2, 2), (4, 4)).train(training)
    nn.init.zeros_(layer.weight)
    for _ in range(2):
        layer(torch.ones(1, 2, 4, 4, dtype=torch.float64)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()
    assert layer.weight.grad.abs().min() > 0
    with torch.no_grad():
        layer.weight.add_(1)
    assert norm(layer.eval(), (2, 4, 4)) <= COEFFICIENT * (1 + 1e-9)


def test_gradient_knows_of_the_norm() -> None:
    """Of a scaled layer's output by its weight, against central differences."""
    layer = convolution((1, 2), (4, 5))
    x = torch.randn(1, 1, 4, 5, dtype=torch.float64)
    direction = torch.randn_like(layer.weight)
    with torch.no_grad():
        layer.weight.mul_(5)
    gradient = torch.autograd.grad((layer(x) ** 3).sum(), layer.weight)[0]
    step, values = 1e-2, []
    for sign in (1, -1):
        with torch.no_grad():
            layer.weight.add_(sign * step * direction)
            matrix = dense(
                lambda v: nn.functional.conv2d(v, layer.weight, padding=1), (1, 4, 5), x[0]
            )
            scale = COEFFICIENT / svdvals(matrix)[0]
            y = nn.functional.conv2d(x, layer.weight * scale, layer.bias, padding=1)
            values.append((y**3).sum().item())
            layer.weight.sub_(sign * step * direction)
    expected = (values[0] - values[1]) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("gain", [0.7, 20.0])
@pytest.mark.parametrize("image", [True, False])
def test_networks_contract(randomize: Callable[..., nn.Module], gain: float, image: bool) -> None:
    shape, context_shape = ((3, 4, 5), (2, 4, 5)) if image else ((4,), (2,))
    network = (
        LipschitzNetwork(3, 2, 6, (4, 5), COEFFICIENT)
        if image
        else LipschitzDenseNetwork(4, 2, 6, COEFFICIENT)
    )
    network = randomize(network, gain).double()
    for scale in (0.1, 1, 30):
        x = scale * torch.randn(shape, dtype=torch.float64)
        context = torch.randn(1, *context_shape, dtype=torch.float64)
        matrix = dense(network.given(context), shape, x)
        assert svdvals(matrix)[0] <= COEFFICIENT
