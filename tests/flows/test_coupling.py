"""Partitions, what couplings keep and move, precision under autocast, and FrEIA's couplings."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colorflow import flows
from tests.flows.samples import normal

SHAPE = (4, 2, 4)
CONTEXT = 5


def kept_mask(partition: str) -> Tensor:
    """Which numbers of one sample are kept, written down apart from the partitions' own code."""
    keep = torch.zeros(SHAPE, dtype=torch.bool)
    if partition == "first":
        keep[:2] = True
    elif partition == "second":
        keep[2:] = True
    elif partition == "top":
        keep[:, :1] = True
    elif partition == "right":
        keep[:, :, 2:] = True
    else:
        for row in range(SHAPE[1]):
            for column in range(SHAPE[2]):
                keep[:, row, column] = ((row + column) % 2 == 0) == (partition == "even")
    return keep


PARTITIONS: dict[str, Callable[[], flows.Partition]] = {
    "first": lambda: flows.ChannelPartition(4, keep_first=True),
    "second": lambda: flows.ChannelPartition(4, keep_first=False),
    "even": lambda: flows.MaskPartition(flows.checkerboard(*SHAPE, keep_even=True)),
    "odd": lambda: flows.MaskPartition(flows.checkerboard(*SHAPE, keep_even=False)),
    "top": lambda: flows.MaskPartition(flows.half_mask(*SHAPE, keep="top")),
    "right": lambda: flows.MaskPartition(flows.half_mask(*SHAPE, keep="right")),
}


@pytest.fixture(params=PARTITIONS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def partition(name: str) -> flows.Partition:
    return PARTITIONS[name]()


@pytest.fixture
def coupling(
    partition: flows.Partition, randomize: Callable[..., flows.Coupling]
) -> flows.Coupling:
    transform = flows.AffineSpline(4, 2.0, 0.7, 3.0)
    out = partition.moved_channels * transform.size
    network = flows.AttentionNetwork(partition.kept_channels, CONTEXT, 8, out)
    return randomize(flows.Coupling(partition, network, transform))


def test_parameters_of_a_number_come_from_its_own_cell_and_channel(
    name: str, partition: flows.Partition
) -> None:
    """A network that gives every output its own shift; only the right layout puts it back."""
    cells = SHAPE[1] * SHAPE[2]

    class Numbered(nn.Module):
        def forward(self, kept: Tensor, context: Tensor) -> Tensor:
            channels = torch.arange(partition.moved_channels, dtype=kept.dtype)
            shift = 100 * channels[:, None] + torch.arange(cells, dtype=kept.dtype)
            raw = torch.stack([shift, torch.zeros_like(shift)], 1)  # shift, log_scale
            return raw.reshape(1, -1, *SHAPE[1:]).expand(len(kept), -1, -1, -1)

    z, _ = flows.Coupling(partition, Numbered(), flows.Affine(1.0))(torch.zeros(2, *SHAPE), None)
    channels = torch.arange(4) % partition.moved_channels
    shift = 100 * channels[:, None, None] + torch.arange(cells).reshape(SHAPE[1:])
    expected = torch.where(kept_mask(name), 0, -shift).float()
    assert torch.equal(z, expected.expand(2, -1, -1, -1))


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_kept_numbers_stay_and_moved_ones_move_one_by_one(
    name: str, coupling: flows.Coupling, direction: str
) -> None:
    coupling, x, context = (
        coupling.double(),
        normal(1, *SHAPE),
        normal(1, CONTEXT, *SHAPE[1:], seed=1),
    )
    keep = kept_mask(name)
    function = getattr(coupling, direction)
    result, _ = function(x, context)
    assert torch.equal(result[:, keep], x[:, keep])
    assert (result[:, ~keep] != x[:, ~keep]).all()
    matrix = torch.autograd.functional.jacobian(lambda v: function(v, context)[0], x)
    matrix = matrix.reshape(x.numel(), x.numel())
    kept = keep.flatten()
    among_moved = matrix[~kept][:, ~kept]
    assert torch.equal(among_moved, among_moved.diag().diag())
    assert (matrix[~kept][:, kept].abs().sum(1) > 0).all()  # all moved numbers see kept ones


@pytest.mark.peers
def test_two_couplings_are_freias_conditional_glow_block(
    randomize: Callable[..., flows.Composition],
) -> None:
    """FrEIA's block in reverse: each half is moved by (x - t) exp(-s), the second half first."""
    from FrEIA.modules import GLOWCouplingBlock

    bound = 0.7
    ours = flows.Composition(
        flows.Coupling(
            flows.ChannelPartition(4, keep_first=keep_first),
            flows.ConvolutionNetwork(2, CONTEXT, 8, 4),
            flows.Affine(bound),
        )
        for keep_first in (True, False)
    )
    randomize(ours).double()
    networks = [coupling.network for coupling in ours.bijections]

    class Subnet(nn.Module):
        """Our network, with FrEIA's layout of inputs and outputs."""

        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            raw = self.network(x[:, :2], x[:, 2:])
            return torch.cat([raw[:, 1::2], raw[:, 0::2]], 1)  # log-scales, then shifts

    remaining = iter(networks)
    block = GLOWCouplingBlock(
        [SHAPE],
        [(CONTEXT, *SHAPE[1:])],
        subnet_constructor=lambda dims_in, dims_out: Subnet(next(remaining)),
        clamp=bound,
        clamp_activation=lambda u: 2 / math.pi * torch.atan(u * math.pi / 2 / bound),
    ).double()
    x, context = normal(3, *SHAPE), normal(3, CONTEXT, *SHAPE[1:], seed=1)
    for direction, reverse in ((ours.forward, True), (ours.inverse, False)):
        (expected,), expected_ladj = block([x], [context], rev=reverse)
        result, ladj = direction(x, context)
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(ladj, expected_ladj, rtol=1e-12, atol=1e-12)


def test_half_mask() -> None:
    """The middle of an odd number belongs to the second half."""
    top = [[True, True], [False, False], [False, False]]
    assert flows.half_mask(2, 3, 2, keep="top").tolist() == [top, top]
    assert flows.half_mask(1, 2, 3, keep="left").tolist() == [[[True, False, False]] * 2]
    for first, second in (("top", "bottom"), ("left", "right")):
        assert torch.equal(
            flows.half_mask(2, 3, 5, keep=second), ~flows.half_mask(2, 3, 5, keep=first)
        )
