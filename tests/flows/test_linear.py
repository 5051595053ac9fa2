"""Linear maps of the channels: matrices, ActNorm, standardization and permutation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colorflow import flows


def photos(count: int = 16) -> Tensor:
    """Three channels of means 5, -20 and 0 and stds 2, 10 and 0.5."""
    noise = torch.randn(
        count, 3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    mean = torch.tensor([5.0, -20.0, 0.0], dtype=torch.float64)[:, None, None]
    std = torch.tensor([2.0, 10.0, 0.5], dtype=torch.float64)[:, None, None]
    return std * noise + mean


def agree(
    ours: flows.Bijection, x: Tensor, peer: Callable[..., tuple], peer_inverse: Callable[..., tuple]
) -> None:
    """Value and ladj, in both directions, are those of another implementation."""
    z, ladj = ours(x)
    expected = peer(x)
    torch.testing.assert_close(z, expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ladj, expected[1].expand(len(x)), rtol=1e-10, atol=1e-10)
    back, ladj = ours.inverse(z)
    expected = peer_inverse(z)
    torch.testing.assert_close(back, expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ladj, expected[1].expand(len(x)), rtol=1e-10, atol=1e-10)


def test_standardize_gives_zero_mean_and_unit_variance_per_channel() -> None:
    standardize = flows.Standardize(3)
    standardize.fit(photos())
    z, ladj = standardize(photos())
    by_channel = z.numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(by_channel.mean(1), 0, atol=1e-5)  # the buffers are float32
    np.testing.assert_allclose(by_channel.std(1, ddof=1), 1, atol=1e-5)
    std = photos().numpy().transpose(1, 0, 2, 3).reshape(3, -1).std(1, ddof=1)
    np.testing.assert_allclose(ladj, np.full(16, -24 * np.log(std).sum()), rtol=1e-6)


def test_standardize_survives_a_constant_channel() -> None:
    standardize = flows.Standardize(3)
    constant = photos()
    constant[:, 1] = 4
    standardize.fit(constant)
    z, ladj = standardize(constant)
    assert z.isfinite().all()
    assert ladj.isfinite().all()
    torch.testing.assert_close(standardize.inverse(z)[0], constant, rtol=0, atol=1e-9)


def test_permutation_orders_channels_as_told() -> None:
    permutation = flows.ChannelPermutation([2, 0, 1])
    z, ladj = permutation(photos())
    assert torch.equal(z, torch.stack([photos()[:, i] for i in (2, 0, 1)], 1))
    assert torch.equal(permutation.inverse(z)[0], photos())
    assert torch.equal(ladj, torch.zeros(16, dtype=torch.float64))


def weight(linear: flows.Linear, channels: int) -> Tensor:
    """W, as what becomes of the unit vectors."""
    return linear(torch.eye(channels, dtype=torch.float64))[0].T


def test_rotation_is_restored_from_its_state_dict() -> None:
    linear, other = flows.Linear.rotation(7, 5), flows.Linear.rotation(7, 6)
    other.load_state_dict(linear.state_dict())
    assert torch.equal(weight(other, 7), weight(linear, 7))


def fill_lu(peer: nn.Module, linear: flows.Linear) -> None:
    """Gives the parameters of a PLU matrix to nflows' LULinear."""
    log_scale, below, above = linear.weight.detach().split(3)
    with torch.no_grad():
        peer.lower_entries.copy_(below)
        peer.upper_entries.copy_(above)
        scale = flows.soft_clamp(log_scale, 10).exp()
        peer.unconstrained_upper_diag.copy_((scale - peer.eps).expm1().log())


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated:UserWarning")
def test_nflows_has_the_same_1x1_convolution(randomize: Callable[..., flows.Linear]) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    linear = randomize(flows.Linear(flows.PLUMatrix(3))).double()
    peer = transforms.OneByOneConvolution(3).double()
    fill_lu(peer, linear)
    permutation = flows.ChannelPermutation(peer.permutation._permutation.tolist())
    agree(flows.Composition([permutation, linear]), photos(), peer.forward, peer.inverse)


# ActNorm


def vectors_and_grids() -> list[Tensor]:
    return [photos().permute(0, 2, 3, 1).reshape(-1, 3), photos()]


@pytest.mark.parametrize("x", vectors_and_grids(), ids=["vectors", "grids"])
def test_actnorm_standardizes_its_first_batch(x: Tensor) -> None:
    norm = flows.ActNorm(3)
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
    """Nor is one from a checkpoint."""
    norm, other = flows.ActNorm(3), flows.ActNorm(3)
    first, _ = norm(photos())
    other.load_state_dict(norm.state_dict())
    for one in (norm, other):
        one.train()(100 + 7 * photos())
        assert torch.equal(one(photos())[0], first)


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
def test_actnorm_of_little_data_has_a_bounded_scale(x: Tensor, scale: float) -> None:
    norm = flows.ActNorm(2)
    z, ladj = norm(x)
    assert z.isfinite().all()
    torch.testing.assert_close(z.mean((0, *range(2, x.ndim))), torch.zeros(2), rtol=0, atol=2e-4)
    expected = 2 * x[0, 0].numel() * np.log(scale)
    np.testing.assert_allclose(ladj.detach(), np.full(len(x), expected), rtol=1e-3, atol=1e-6)
    slope = norm(x + 1e-2)[0] - z
    torch.testing.assert_close(slope, torch.full_like(z, 1e-2 * scale), rtol=0.1, atol=1e-3)


def learned_norm(randomize: Callable[..., flows.ActNorm]) -> tuple[flows.ActNorm, Tensor, Tensor]:
    """An ActNorm, and the scale and offset of z = exp(log_scale) * x + offset."""
    norm = randomize(flows.ActNorm(3)).double()
    log_scale = -flows.soft_clamp(norm.log_scale.detach(), 10)
    return norm, log_scale, -norm.shift.detach() * log_scale.exp()


@pytest.mark.peers
@pytest.mark.parametrize("x", vectors_and_grids(), ids=["vectors", "grids"])
def test_nflows_has_the_same_actnorm(randomize: Callable[..., flows.ActNorm], x: Tensor) -> None:
    norm, log_scale, offset = learned_norm(randomize)
    peer = pytest.importorskip("nflows.transforms").ActNorm(3).double().eval()
    peer.load_state_dict(
        {"log_scale": log_scale, "shift": offset, "initialized": torch.tensor(True)}
    )
    agree(norm, x, peer.forward, peer.inverse)
