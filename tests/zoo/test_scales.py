"""The multi-scale skeletons: grids, scales and context of the coupling architectures."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.flows import Bijection, Coupling, MaskPartition, Split, Squeeze
from colorflow.zoo import flow_plus_plus, glow, neural_spline_flow, nice, realnvp
from colorflow.zoo.scales import Shape

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


def count(bijection: Bijection, kind: type) -> int:
    return sum(isinstance(part, kind) for part in bijection.modules())


def round_trip(bijection: Bijection, shape: Shape) -> None:
    x, context = normal(1, *shape, seed=1), normal(1, CONTEXT_CHANNELS, *shape[1:], seed=2)
    with torch.no_grad():
        z, ladj = bijection(x, context)
        back, back_ladj = bijection.inverse(z, context)
    assert z.shape == (1, math.prod(shape))
    torch.testing.assert_close(back, x, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(back_ladj, -ladj, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", MULTI_SCALE)
@pytest.mark.parametrize(
    ("shape", "scales", "squeezes"),
    [
        ((2, 1, 1), 3, {"realnvp": 0, "glow": 0, "flow++": 0, "nsf": 0}),
        ((2, 4, 8), 2, {"realnvp": 1, "glow": 2, "flow++": 1, "nsf": 2}),
        ((2, 4, 8), 4, {"realnvp": 2, "glow": 2, "flow++": 2, "nsf": 2}),
        ((1, 6, 6), 2, {"realnvp": 1, "glow": 1, "flow++": 1, "nsf": 1}),
        ((2, 3, 5), 2, {"realnvp": 0, "glow": 0, "flow++": 0, "nsf": 0}),
    ],
    ids=str,
)
def test_grid_and_scales_decide_the_squeezes(
    name: str,
    shape: Shape,
    scales: int,
    squeezes: dict[str, int],
    randomize: Callable[..., Bijection],
) -> None:
    bijection = MULTI_SCALE[name](shape, CONTEXT_CHANNELS, scales=scales, depth=2, width=8)
    assert count(bijection, Squeeze) == squeezes[name]
    squeezed = squeezes[name]
    splits = {"realnvp": squeezed, "flow++": 0}.get(name, max(squeezed - 1, 0))
    assert count(bijection, Split) == splits
    alternates = name in ("realnvp", "flow++")  # between masks and halves
    couplings = 2 * squeezed + 1 if alternates else max(squeezed, 1)
    assert count(bijection, Coupling) == 2 * couplings
    cell = (shape[1] >> squeezed) * (shape[2] >> squeezed) == 1
    masked = squeezed + (not cell) if alternates else 0
    assert count(bijection, MaskPartition) == 2 * masked
    round_trip(randomize(bijection, 0.1).double(), shape)


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
