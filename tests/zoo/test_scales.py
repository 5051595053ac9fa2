"""The multi-scale skeletons: grids, scales and context of the coupling architectures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.flows import Bijection, Split
from colorflow.zoo import flow_plus_plus, glow, neural_spline_flow, nice, realnvp

MULTI_SCALE = {
    "realnvp": realnvp,
    "glow": glow,
    "flow++": flow_plus_plus,
    "nsf": neural_spline_flow,
}
CONTEXT_CHANNELS = 3


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_nice_scales_all_samples_alike(randomize: Callable[..., Bijection]) -> None:
    """Only the diagonal changes volume."""
    shape = (2, 4, 4)
    bijection = randomize(nice(shape, CONTEXT_CHANNELS, width=8)).double()
    _, ladj = bijection(normal(5, *shape, seed=1), normal(5, CONTEXT_CHANNELS, 4, 4, seed=2))
    assert ladj[0].abs() > 1e-3
    torch.testing.assert_close(ladj, ladj[:1].expand(5), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["glow", "nsf"])
def test_what_leaves_depends_on_what_goes_on(
    name: str, randomize: Callable[..., Bijection]
) -> None:
    """The learned prior: with one step a scale, nothing else joins the two parts again."""
    shape = (2, 4, 4)
    bijection = MULTI_SCALE[name](shape, CONTEXT_CHANNELS, scales=2, depth=1, width=8)
    split = next(part for part in randomize(bijection).double().modules() if type(part) is Split)
    x, context = normal(1, 8, 2, 2, seed=1), normal(1, CONTEXT_CHANNELS, 2, 2, seed=2)
    other = torch.cat([x[:, :4] + 1, x[:, 4:]], 1)
    before, after = split(x, context)[0], split(other, context)[0]
    assert (before[:, 16:] != after[:, 16:]).all()
    other = torch.cat([x[:, :4], x[:, 4:] + 1], 1)
    assert torch.equal(split(other, context)[0][:, :16], before[:, :16])
