"""Linear maps of the channels: matrices, ActNorm, standardization and permutation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from colorflow.flows import (
    ChannelPermutation,
    Composition,
    Linear,
    PLUMatrix,
    Standardize,
    soft_clamp,
)
from tests.flows.batches import agree, photos


def test_standardize_gives_zero_mean_and_unit_variance_per_channel() -> None:
    standardize = Standardize(3)
    standardize.fit(photos())
    z, ladj = standardize(photos())
    by_channel = z.numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(by_channel.mean(1), 0, atol=1e-5)  # the buffers are float32
    np.testing.assert_allclose(by_channel.std(1, ddof=1), 1, atol=1e-5)
    std = photos().numpy().transpose(1, 0, 2, 3).reshape(3, -1).std(1, ddof=1)
    np.testing.assert_allclose(ladj, np.full(16, -24 * np.log(std).sum()), rtol=1e-6)


def test_standardize_survives_a_constant_channel() -> None:
    standardize = Standardize(3)
    constant = photos()
    constant[:, 1] = 4
    standardize.fit(constant)
    z, ladj = standardize(constant)
    assert z.isfinite().all()
    assert ladj.isfinite().all()
    torch.testing.assert_close(standardize.inverse(z)[0], constant, rtol=0, atol=1e-9)


def test_permutation_orders_channels_as_told() -> None:
    permutation = ChannelPermutation([2, 0, 1])
    z, ladj = permutation(photos())
    assert torch.equal(z, torch.stack([photos()[:, i] for i in (2, 0, 1)], 1))
    assert torch.equal(permutation.inverse(z)[0], photos())
    assert torch.equal(ladj, torch.zeros(16, dtype=torch.float64))


@pytest.mark.parametrize("order", [[0, 0, 1], [1, 2, 3], [-1, 0, 1]])
def test_permutation_refuses_other_lists(order: list[int]) -> None:
    with pytest.raises(ValueError, match=r"order: expected a permutation of 0\.\.2"):
        ChannelPermutation(order)


def weight(linear: Linear, channels: int) -> torch.Tensor:
    """W, as what becomes of the unit vectors."""
    return linear(torch.eye(channels, dtype=torch.float64))[0].T


def test_rotation_is_restored_from_its_state_dict() -> None:
    linear, other = Linear.rotation(7, 5), Linear.rotation(7, 6)
    other.load_state_dict(linear.state_dict())
    assert torch.equal(weight(other, 7), weight(linear, 7))


def fill_lu(peer: nn.Module, linear: Linear) -> None:
    """Gives the parameters of a PLU matrix to nflows' LULinear."""
    log_scale, below, above = linear.weight.detach().split(3)
    with torch.no_grad():
        peer.lower_entries.copy_(below)
        peer.upper_entries.copy_(above)
        scale = soft_clamp(log_scale, 10).exp()
        peer.unconstrained_upper_diag.copy_((scale - peer.eps).expm1().log())


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated:UserWarning")
def test_nflows_has_the_same_1x1_convolution(randomize: Callable[..., Linear]) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    linear = randomize(Linear(PLUMatrix(3))).double()
    peer = transforms.OneByOneConvolution(3).double()
    fill_lu(peer, linear)
    permutation = ChannelPermutation(peer.permutation._permutation.tolist())
    agree(Composition([permutation, linear]), photos(), peer.forward, peer.inverse)
