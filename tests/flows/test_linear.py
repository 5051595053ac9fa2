"""Standardisation and channel permutation."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from colorflow.flows import ChannelPermutation, Standardize


def photos(count: int = 16) -> torch.Tensor:
    """Three channels of means 5, -20 and 0 and stds 2, 10 and 0.5."""
    noise = torch.randn(
        count, 3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    mean = torch.tensor([5.0, -20.0, 0.0], dtype=torch.float64)[:, None, None]
    std = torch.tensor([2.0, 10.0, 0.5], dtype=torch.float64)[:, None, None]
    return std * noise + mean


def test_standardize_is_the_identity_before_fit() -> None:
    x = photos()
    z, ladj = Standardize(3)(x)
    assert torch.equal(z, x)
    assert torch.equal(ladj, torch.zeros(16, dtype=torch.float64))


def test_standardize_gives_zero_mean_and_unit_variance_per_channel() -> None:
    standardize = Standardize(3)
    standardize.fit(photos())
    z, ladj = standardize(photos())
    by_channel = z.numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(by_channel.mean(1), 0, atol=1e-5)  # the buffers are float32
    np.testing.assert_allclose(by_channel.std(1, ddof=1), 1, atol=1e-5)
    std = photos().numpy().transpose(1, 0, 2, 3).reshape(3, -1).std(1, ddof=1)
    np.testing.assert_allclose(ladj, np.full(16, -24 * np.log(std).sum()), rtol=1e-6)


def test_standardize_keeps_its_statistics() -> None:
    standardize, other = Standardize(3), Standardize(3)
    standardize.fit(photos())
    other.load_state_dict(copy.deepcopy(standardize.state_dict()))
    shifted = photos() + 100  # the statistics are those of `fit`, not of the batch
    assert torch.equal(standardize(shifted)[0], other(shifted)[0])
    assert standardize(shifted)[0].mean() > 10


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
