"""Rearrangements against what their definitions say, written down anew, and against peers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from colorflow import flows
from tests.flows.samples import normal

HEIGHT, WIDTH, CHANNELS = 4, 6, 3


@pytest.mark.peers
def test_haar_agrees_with_pywavelets() -> None:
    import pywt

    x = normal(2, CHANNELS, HEIGHT, WIDTH)
    means, horizontal, vertical, diagonal = flows.Haar()(x)[0].chunk(4, 1)
    # PyWavelets names details by the edges that they find, we by the direction of the difference.
    approximation, (rows, columns, corners) = pywt.dwt2(x.numpy(), "haar")
    np.testing.assert_allclose(2 * means, approximation, rtol=0, atol=1e-13)
    np.testing.assert_allclose(horizontal, columns, rtol=0, atol=1e-13)
    np.testing.assert_allclose(vertical, rows, rtol=0, atol=1e-13)
    np.testing.assert_allclose(diagonal, corners, rtol=0, atol=1e-13)


def test_squeeze_puts_each_cell_into_four_channels() -> None:
    x = normal(2, CHANNELS, HEIGHT, WIDTH)
    z, ladj = flows.Squeeze()(x)
    assert torch.equal(z, pixel_unshuffle(x, 2))
    assert torch.equal(ladj, torch.zeros(2, dtype=torch.float64))
    assert torch.equal(flows.Squeeze().inverse(z)[0], x)


@pytest.mark.peers
def test_lifting_agrees_with_pywavelets() -> None:
    import pywt

    x = normal(2, 3, 16, 12)
    means, horizontal, vertical, diagonal = flows.CDF53()(x)[0].chunk(4, 1)
    approximation, (rows, columns, corners) = pywt.dwt2(x.numpy(), "bior2.2", mode="reflect")
    expected = [part[..., 1:9, 1:7] for part in (approximation, columns, rows, corners)]
    np.testing.assert_allclose(2 * means, expected[0], rtol=0, atol=1e-13)
    for ours, theirs in zip((horizontal, vertical, diagonal), expected[1:], strict=True):
        sign = np.sign((ours.numpy() * theirs).sum())
        np.testing.assert_allclose(sign * ours, theirs, rtol=0, atol=1e-13)


def test_reshape_keeps_the_order() -> None:
    x = normal(2, 3, 4, 5)
    z, _ = flows.Reshape((3, 4, 5), (6, 10))(x)
    np.testing.assert_array_equal(z, x.numpy().reshape(2, 6, 10))
    flat, _ = flows.Flatten((3, 4, 5))(x)
    np.testing.assert_array_equal(flat, x.numpy().reshape(2, 60))
    assert torch.equal(flows.Flatten((3, 4, 5)).inverse(flat)[0], x)


class ShiftBy(nn.Module):
    """Parameters of an affine transform of two channels: the first channel and the context."""

    def forward(self, kept: Tensor | None, context: Tensor) -> Tensor:
        assert kept is None
        return torch.cat([context, 0.1 * context], 1).repeat(1, 2, 1, 1)


class FirstOfBoth(nn.Module):
    """(kept, context) -> one channel that needs both."""

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        return kept[:, :1] * context[:, :1]


def dropped_given_kept() -> flows.ContextTransform:
    return flows.ContextTransform(2, ShiftBy(), flows.Affine(1.0))


def test_split_is_the_chain_rule() -> None:
    """log p(x) = log p(kept) + log p(dropped | kept), the context of the second being both."""
    kept = flows.Composition([flows.Haar(), flows.Flatten((12, 2, 2))])
    split = flows.Split((5, 4, 4), 3, kept, dropped_given_kept(), FirstOfBoth())
    x, context = normal(2, 5, 4, 4), normal(2, 1, 4, 4) + 1
    z, ladj = split(x, context)
    z_kept, ladj_kept = kept(x[:, :3])
    z_dropped, ladj_dropped = dropped_given_kept()(x[:, 3:], x[:, :1] * context)
    assert torch.equal(z, torch.cat([z_kept, z_dropped.flatten(1)], 1))
    assert torch.equal(ladj, ladj_kept + ladj_dropped)
    assert ladj_dropped.abs().min() > 0.1
    torch.testing.assert_close(split.inverse(z, context)[0], x, rtol=0, atol=1e-13)


def scaled(channels: int, shift: float, scale: float) -> flows.Standardize:
    """z = scale * x + shift."""
    layer = flows.Standardize(channels)
    layer.mean.fill_(-shift / scale)
    layer.std.fill_(1 / scale)
    return layer


@pytest.mark.peers
def test_nested_splits_agree_with_nflows() -> None:
    nflows = pytest.importorskip("nflows.transforms")
    peer = nflows.MultiscaleCompositeTransform(3)
    for scale, squeezed in [(0.5, (16, 4, 4)), (2.0, (32, 2, 2)), (3.0, (64, 1, 1))]:
        steps = [nflows.SqueezeTransform(), nflows.PointwiseAffineTransform(0.3, scale)]
        peer.add_transform(nflows.CompositeTransform(steps), squeezed)
    ours = flows.Composition([flows.Squeeze(), scaled(64, 0.3, 3.0), flows.Flatten((64, 1, 1))])
    for scale, channels, size in [(2.0, 32, 2), (0.5, 16, 4)]:
        half = channels // 2
        swap = flows.ChannelPermutation(
            [*range(half, channels), *range(half)]
        )  # nflows drops the first
        split = flows.Split((channels, size, size), half, ours)
        ours = flows.Composition([flows.Squeeze(), scaled(channels, 0.3, scale), swap, split])
    x = normal(2, 4, 8, 8)
    z, ladj = ours(x)
    expected, expected_ladj = peer(x)
    coarse, middle, fine = z.split([64, 64, 128], 1)  # nflows puts the finest first
    latents = torch.cat([fine, middle, coarse], 1)
    torch.testing.assert_close(latents, expected, rtol=1e-6, atol=1e-6)  # its scale is float32
    torch.testing.assert_close(ladj, expected_ladj, rtol=1e-6, atol=0)
    back, back_ladj = peer.inverse(expected)
    torch.testing.assert_close(ours.inverse(z)[0], back, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.inverse(z)[1], back_ladj, rtol=1e-6, atol=0)
