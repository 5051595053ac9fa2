"""ActNorm: its initialization, its bounds, and other implementations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from colorflow.flows import ActNorm, soft_clamp
from tests.flows.batches import agree, photos


def vectors_and_grids() -> list[torch.Tensor]:
    return [photos().permute(0, 2, 3, 1).reshape(-1, 3), photos()]


@pytest.mark.parametrize("x", vectors_and_grids(), ids=["vectors", "grids"])
def test_actnorm_standardizes_its_first_batch(x: torch.Tensor) -> None:
    norm = ActNorm(3)
    z, ladj = norm(x)
    values = x.numpy().swapaxes(0, 1).reshape(3, -1)
    by_channel = z.detach().numpy().swapaxes(0, 1).reshape(3, -1)
    np.testing.assert_allclose(by_channel.mean(1), 0, atol=1e-5)  # the parameters are float32
    np.testing.assert_allclose(by_channel.std(1), 1, atol=1e-5)
    cells = x[0, 0].numel()
    expected = np.full(len(x), -cells * np.log(values.std(1)).sum())
    np.testing.assert_allclose(ladj.detach(), expected, rtol=1e-5)
    assert norm.initialized
    torch.testing.assert_close(norm.inverse(z)[0], x, rtol=0, atol=1e-5)


def test_actnorm_is_initialized_only_once() -> None:
    norm = ActNorm(3)
    first, _ = norm(photos())
    norm(100 + 7 * photos())
    assert torch.equal(norm(photos())[0], first)


def test_actnorm_from_a_checkpoint_is_not_initialized_again() -> None:
    norm, other = ActNorm(3), ActNorm(3)
    norm(photos())
    other.load_state_dict(norm.state_dict())
    assert torch.equal(other.train()(100 + photos())[0], norm(100 + photos())[0])


@pytest.mark.parametrize(
    ("x", "scale"),
    [
        (torch.full((8, 2, 3, 3), 7.0), 1.0),
        (torch.full((8, 2), -1e4), 1.0),
        (torch.tensor([[5.0, -3.0]]), 1.0),  # a batch of one, and one number a channel
        (torch.tensor([[5.0, -3.0]])[:, :, None, None], 1.0),
        (7 + 2e-3 * torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), 500.0),
        (1e6 * torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), 1e-3),
    ],
    ids=["constant-grid", "constant-vector", "one-vector", "one-cell", "narrow", "wide"],
)
def test_actnorm_of_little_data_has_a_bounded_scale(x: torch.Tensor, scale: float) -> None:
    norm = ActNorm(2)
    z, ladj = norm(x)
    assert z.isfinite().all()
    torch.testing.assert_close(z.mean((0, *range(2, x.ndim))), torch.zeros(2), rtol=0, atol=2e-4)
    expected = 2 * x[0, 0].numel() * np.log(scale)
    np.testing.assert_allclose(ladj.detach(), np.full(len(x), expected), rtol=1e-3, atol=1e-6)
    slope = norm(x + 1e-2)[0] - z
    torch.testing.assert_close(slope, torch.full_like(z, 1e-2 * scale), rtol=0.1, atol=1e-3)


def learned_norm(randomize: Callable[..., ActNorm]) -> tuple[ActNorm, torch.Tensor, torch.Tensor]:
    """An ActNorm, and the scale and offset of z = exp(log_scale) * x + offset."""
    norm = randomize(ActNorm(3)).double()
    log_scale = -soft_clamp(norm.log_scale.detach(), 10)
    return norm, log_scale, -norm.shift.detach() * log_scale.exp()


@pytest.mark.peers
@pytest.mark.parametrize("x", vectors_and_grids(), ids=["vectors", "grids"])
def test_nflows_has_the_same_actnorm(randomize: Callable[..., ActNorm], x: torch.Tensor) -> None:
    norm, log_scale, offset = learned_norm(randomize)
    peer = pytest.importorskip("nflows.transforms").ActNorm(3).double().eval()
    peer.load_state_dict(
        {"log_scale": log_scale, "shift": offset, "initialized": torch.tensor(True)}
    )
    agree(norm, x, peer.forward, peer.inverse)
