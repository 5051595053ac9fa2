"""Invertible convolutions against `conv2d`, shifted sums and dense matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.flows import Bijection, EmergingConvolution, InversionError, PeriodicConvolution
from tests.flows.samples import normal

SIZES = [(1, 1), (1, 4), (4, 1), (2, 3), (3, 2), (4, 5), (5, 4)]


def dense(bijection: Callable[[Tensor], tuple[Tensor, Tensor]], shape: tuple[int, ...]) -> Tensor:
    """The matrix of a linear map of (C, H, W), as what becomes of the unit vectors."""
    size = int(np.prod(shape))
    units = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
    return bijection(units)[0].detach().flatten(1).T


def masked_kernel(weight: Tensor, log_scale: Tensor, *, opposite: bool) -> Tensor:
    """Keeps what precedes (channel, row, column) in reading order, cell by cell, or succeeds it."""
    kernel, radius = torch.zeros_like(weight), weight.shape[-1] // 2
    for out, channel, row, column in np.ndindex(*weight.shape):
        here = (row, column, channel) == (radius, radius, out)
        if here:
            kernel[out, channel, row, column] = (20 / np.pi) * (log_scale[out] * np.pi / 20).atan()
            kernel[out, channel, row, column].exp_()
        elif (row, column, channel) < (radius, radius, out):
            kernel[out, channel, row, column] = weight[out, channel, row, column]
    return kernel.flip(0, 1, 2, 3) if opposite else kernel


def kernels(layer: EmergingConvolution) -> list[Tensor]:
    return [
        masked_kernel(part.weight.detach(), part.log_scale.detach(), opposite=opposite)
        for part, opposite in ((layer.first, False), (layer.second, True))
    ]


@pytest.fixture(params=[3, 5])
def emerging(request: pytest.FixtureRequest, randomize: Callable[..., Bijection]) -> Bijection:
    return randomize(EmergingConvolution(2, request.param)).double()


@pytest.mark.parametrize("size", SIZES)
def test_emerging_is_two_convolutions(emerging: EmergingConvolution, size: tuple[int, int]) -> None:
    x = normal(3, 2, *size)
    z, ladj = emerging(x)
    expected = x
    for kernel in kernels(emerging):
        expected = F.conv2d(expected, kernel, padding="same")
    torch.testing.assert_close(z, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(emerging.inverse(z)[0], x, rtol=1e-10, atol=1e-10)
    logabsdet = torch.linalg.slogdet(dense(emerging, (2, *size))).logabsdet
    torch.testing.assert_close(ladj, logabsdet.expand(3), rtol=1e-10, atol=1e-10)


def shifted_sum(x: Tensor, kernel: Tensor) -> Tensor:
    """Circular correlation of x with a kernel, one offset after the other."""
    radius = kernel.shape[-1] // 2
    result = torch.zeros_like(x)
    for row, column in np.ndindex(*kernel.shape[2:]):
        shifted = torch.roll(x, (radius - row, radius - column), (2, 3))
        result += torch.einsum("oi,bihw->bohw", kernel[:, :, row, column], shifted)
    return result


def full_kernel(layer: PeriodicConvolution) -> Tensor:
    kernel = layer.weight.detach().clone()
    kernel[:, :, layer.radius, layer.radius] += torch.eye(len(kernel), dtype=kernel.dtype)
    return kernel


@pytest.fixture(params=[1, 3, 5])
def periodic(request: pytest.FixtureRequest, randomize: Callable[..., Bijection]) -> Bijection:
    return randomize(PeriodicConvolution(2, request.param)).double()


@pytest.mark.parametrize("size", SIZES)
def test_periodic_is_a_sum_of_shifted_grids(
    periodic: PeriodicConvolution, size: tuple[int, int]
) -> None:
    x = normal(3, 2, *size)
    z, ladj = periodic(x)
    torch.testing.assert_close(z, shifted_sum(x, full_kernel(periodic)), rtol=1e-12, atol=1e-12)
    matrix = dense(periodic, (2, *size))
    logabsdet = torch.linalg.slogdet(matrix).logabsdet
    torch.testing.assert_close(ladj, logabsdet.expand(3), rtol=1e-10, atol=1e-10)
    back, back_ladj = periodic.inverse(z)
    torch.testing.assert_close(back, x, rtol=1e-10, atol=1e-10)
    assert torch.equal(back_ladj, -ladj)
    solved = torch.linalg.solve(matrix, x.flatten(1).T).T.reshape(x.shape)
    torch.testing.assert_close(periodic.inverse(x)[0], solved, rtol=1e-10, atol=1e-10)


def difference(smallest: float, *, down: bool) -> PeriodicConvolution:
    """One channel: x minus nearly all of its next neighbor; a constant is all but lost."""
    layer = PeriodicConvolution(1, 3).double()
    with torch.no_grad():
        layer.weight[(0, 0, 2, 1) if down else (0, 0, 1, 2)] = smallest - 1
    return layer


@pytest.mark.parametrize("down", [False, True])
def test_periodic_reports_a_singular_frequency(down: bool) -> None:
    layer = difference(0, down=down)
    assert layer(normal(1, 1, 4, 4))[1].isneginf()
    with pytest.raises(InversionError, match="singular to the precision"):
        layer.inverse(normal(1, 1, 4, 4))
