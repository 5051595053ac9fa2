"""The splines and elementwise maps beside nflows, normflows and zuko, with the same parameters."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from colorflow.flows import (
    Additive,
    Affine,
    ChannelPartition,
    Coupling,
    ElementwiseTransform,
    RationalQuadraticSpline,
    soft_clamp,
)

pytestmark = pytest.mark.peers

BINS, LIMIT, COUNT = 6, 3.0, 500
MIN_BIN = MIN_SLOPE = 0.01


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def compare(
    ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor], tolerance: float = 1e-10
) -> None:
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(
    "module", ["nflows.transforms.splines.rational_quadratic", "normflows.utils.splines"]
)
def test_rational_quadratic_spline_is_that_of_nflows_and_normflows(
    module: str, inverse: bool
) -> None:
    peer = pytest.importorskip(module)
    spline, value = RationalQuadraticSpline(BINS, LIMIT), 2 * normal(COUNT)
    raw = normal(COUNT, spline.size, seed=1)
    ours = (spline.inverse if inverse else spline.forward)(value, raw)
    widths, heights, slopes = raw.split([BINS, BINS, BINS - 1], -1)
    theirs = peer.unconstrained_rational_quadratic_spline(
        value,
        widths,
        heights,
        slopes + math.log(math.expm1(1 - MIN_SLOPE)),
        inverse=inverse,
        tail_bound=LIMIT,
        min_bin_width=MIN_BIN,
        min_bin_height=MIN_BIN,
        min_derivative=MIN_SLOPE,
    )
    compare(ours, theirs)


class Linear(torch.nn.Module):
    """A linear network over channels; shift and, where there are two numbers, log-scale below 0."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = normal(2, size, 2, seed=1)

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        raw = torch.einsum("osc,bchw->boshw", self.weight, kept)
        return torch.cat([raw[:, :, :1], -0.1 - raw[:, :, 1:].abs()], 2).flatten(1, 2)


class ForNflows(Linear):
    """The same, as nflows reads it: shifts, then what its scale, sigmoid(raw + 2) + 1e-3, needs."""

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        shift, *rest = super().forward(kept).unflatten(1, (2, -1)).unbind(2)
        scales = [torch.exp(soft_clamp(log_scale, 0.7)) for log_scale in rest]
        return torch.cat([shift, *[torch.logit(scale - 1e-3) - 2 for scale in scales]], 1)


@pytest.mark.parametrize("transform", [Additive(), Affine(0.7)], ids=["additive", "affine"])
def test_couplings_are_those_of_nflows(transform: ElementwiseTransform) -> None:
    peer = pytest.importorskip("nflows.transforms.coupling")
    ours = Coupling(ChannelPartition(4, keep_first=True), Linear(transform.size), transform)
    kinds = {1: peer.AdditiveCouplingTransform, 2: peer.AffineCouplingTransform}
    theirs = kinds[transform.size]([0, 0, 1, 1], lambda *sizes: ForNflows(transform.size))
    x = normal(3, 4, 2, 3)
    compare(ours.inverse(x), theirs.forward(x))  # nflows adds the shift
    compare(ours(x), theirs.inverse(x))
