"""Haar and squeeze against matrices written down from their definition, and against peers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.flows import Haar, Squeeze

HEIGHT, WIDTH, CHANNELS = 4, 6, 3


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def haar_matrices() -> list[np.ndarray]:
    """Means, horizontal, vertical and diagonal details of one channel, rows first."""

    def pairs(size: int, second: int) -> np.ndarray:
        return np.kron(np.eye(size // 2), [[1, second]])

    return [
        np.kron(pairs(HEIGHT, 1), pairs(WIDTH, 1)) / 4,
        np.kron(pairs(HEIGHT, 1), pairs(WIDTH, -1)) / 2,
        np.kron(pairs(HEIGHT, -1), pairs(WIDTH, 1)) / 2,
        np.kron(pairs(HEIGHT, -1), pairs(WIDTH, -1)) / 2,
    ]


def test_haar_is_its_matrix() -> None:
    x = draw(2, CHANNELS, HEIGHT, WIDTH)
    z, _ = Haar()(x)
    flat = x.numpy().reshape(2, CHANNELS, -1)
    parts = [flat @ matrix.T for matrix in haar_matrices()]
    expected = np.concatenate(parts, 1).reshape(2, 4 * CHANNELS, HEIGHT // 2, WIDTH // 2)
    np.testing.assert_allclose(z, expected, rtol=0, atol=1e-14)


def test_haar_ladj_is_that_of_its_matrix() -> None:
    by_channel = np.linalg.slogdet(np.concatenate(haar_matrices())).logabsdet
    z, ladj = Haar()(draw(2, CHANNELS, HEIGHT, WIDTH))
    _, back = Haar().inverse(z)
    np.testing.assert_allclose(ladj, np.full(2, CHANNELS * by_channel), rtol=1e-13)
    np.testing.assert_allclose(back, np.full(2, -CHANNELS * by_channel), rtol=1e-13)


def test_haar_inverse_is_the_inverse_matrix() -> None:
    z = draw(2, 4 * CHANNELS, HEIGHT // 2, WIDTH // 2)
    x, _ = Haar().inverse(z)
    inverse = np.linalg.inv(np.concatenate(haar_matrices()))
    by_channel = (
        z.numpy().reshape(2, 4, CHANNELS, -1).transpose(0, 2, 1, 3).reshape(2, CHANNELS, -1)
    )
    np.testing.assert_allclose(
        x.numpy().reshape(2, CHANNELS, -1), by_channel @ inverse.T, rtol=0, atol=1e-13
    )


def test_haar_scales_noise_as_it_says() -> None:
    """Covariance of z for unit noise, exactly: the matrix times its transpose."""
    matrix = np.concatenate(haar_matrices())
    covariance = matrix @ matrix.T
    cells = HEIGHT * WIDTH // 4
    std = np.repeat([0.5, 1, 1, 1], cells)
    np.testing.assert_allclose(covariance, np.diag(std**2), rtol=0, atol=1e-15)
    unit = torch.eye(HEIGHT * WIDTH, dtype=torch.float64).reshape(-1, 1, HEIGHT, WIDTH)
    rows = Haar()(unit)[0].flatten(1)  # column i of the code's own matrix
    np.testing.assert_allclose(rows.T @ rows, covariance, rtol=0, atol=1e-15)


def test_haar_means_of_a_grey_image_are_its_value() -> None:
    z, _ = Haar()(torch.full((1, 2, 4, 4), 7.0))
    assert torch.equal(z[:, :2], torch.full((1, 2, 2, 2), 7.0))
    assert torch.equal(z[:, 2:], torch.zeros(1, 6, 2, 2))


@pytest.mark.peers
def test_haar_agrees_with_pywavelets() -> None:
    import pywt

    x = draw(2, CHANNELS, HEIGHT, WIDTH)
    means, horizontal, vertical, diagonal = Haar()(x)[0].chunk(4, 1)
    # PyWavelets names details by the edges that they find, we by the direction of the difference.
    approximation, (rows, columns, corners) = pywt.dwt2(x.numpy(), "haar")
    np.testing.assert_allclose(2 * means, approximation, rtol=0, atol=1e-13)
    np.testing.assert_allclose(horizontal, columns, rtol=0, atol=1e-13)
    np.testing.assert_allclose(vertical, rows, rtol=0, atol=1e-13)
    np.testing.assert_allclose(diagonal, corners, rtol=0, atol=1e-13)


@pytest.mark.peers
def test_haar_agrees_with_freia() -> None:
    from FrEIA.modules import HaarDownsampling

    x = draw(2, CHANNELS, HEIGHT, WIDTH)
    peer = HaarDownsampling([(CHANNELS, HEIGHT, WIDTH)], order_by_wavelet=True).double()
    (expected,), expected_ladj = peer([x])
    z, ladj = Haar()(x)
    scale = torch.ones(4 * CHANNELS, 1, 1, dtype=torch.float64)
    scale[:CHANNELS] = 2  # FrEIA's means are orthonormal
    torch.testing.assert_close(scale * z, expected, rtol=0, atol=1e-13)
    numbers = CHANNELS * HEIGHT * WIDTH / 4
    np.testing.assert_allclose(ladj + numbers * math.log(2), expected_ladj, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (2, 3, 4, 5), (3, 4, 4)])
def test_haar_refuses_what_it_cannot_halve(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"x: expected .* got \("):
        Haar()(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 6, 4, 4), (8, 4, 4)])
def test_haar_inverse_refuses_other_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"z: expected .* got \("):
        Haar().inverse(torch.zeros(shape))


def test_squeeze_puts_each_cell_into_four_channels() -> None:
    x = draw(2, CHANNELS, HEIGHT, WIDTH)
    z, ladj = Squeeze()(x)
    assert z.shape == (2, 4 * CHANNELS, HEIGHT // 2, WIDTH // 2)
    for c in range(CHANNELS):
        for row in range(2):
            for column in range(2):
                cells = x[:, c, row::2, column::2]
                assert torch.equal(z[:, 4 * c + 2 * row + column], cells)
    assert torch.equal(ladj, torch.zeros(2, dtype=torch.float64))
    assert torch.equal(Squeeze().inverse(z)[0], x)
