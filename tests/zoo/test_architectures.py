"""What every architecture of the registry must do; a new one is added there and gets all tests.

Dimensions: B samples, n = C * H * W numbers a sample.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from colorflow.flows import ActNorm, Bijection, Flow, Inverse
from colorflow.zoo import ARCHITECTURES, Architecture, srflow
from tests.flows.samples import normal, same

BATCH = 3
CONTEXT_CHANNELS = 3
GAIN = 0.1
"""Of the random parameters: deep stacks of random matrices soon cannot be inverted in any dtype."""
FLOAT32_GAIN = 0.05
AB_STD = 15.0
"""CIELAB units that one unit of x stands for: x is ab, standardized."""
CELL, SMALL, LARGE = (2, 1, 1), (2, 4, 4), (2, 8, 8)
SRFLOW = Architecture(name="SRFlow", build=srflow, reduced="")
"""Compared on enlarging, not on chroma, so that the registry lacks it."""

SMALLER: dict[str, dict[str, object]] = {
    **{key: {"width": 8} for key in ("nice", "flow++", "naf")},
    **{key: {"width": 8, "depth": 2} for key in ("glow", "nsf", "srflow", "residual")},
    **{key: {"width": 64, "depth": 2} for key in ("maf", "iaf")},
    **{key: {"width": 8, "depth": 6} for key in ("planar", "radial")},
    "realnvp": {"width": 8, "blocks": 1},
    "tarflow": {"width": 16, "depth": 2, "layers": 1},
    "cinn2019": {
        "couplings": (2,) * 4, "widths": (8,) * 4, "condition_widths": (8,) * 3,
        "dense": 2, "dense_width": 16, "dense_condition_widths": (8,) * 4,
    },
    "pyramid": {"width": 8, "couplings": 4, "bins": 4},
}  # fmt: skip
"""Sizes that compute the same for less than those of the comparison."""

SLOW_INVERSE = ("maf", "iaf", "naf")
"""Number by number, in one direction."""

Shape = tuple[int, int, int]
ALL = ARCHITECTURES | {"srflow": SRFLOW}


def image_shape(key: str) -> Shape | None:
    """The smallest with two scales: two squeezes, or a halving down to a grid of 4x4."""
    if not ALL[key].images:
        return None
    return LARGE if key in ("cinn2019", "pyramid") else SMALL


CASES = [(key, one) for key in ALL for one in (CELL, image_shape(key)) if one is not None]


def smaller(key: str) -> Architecture:
    return replace(ALL[key], build=partial(ALL[key].build, **SMALLER[key]))


@pytest.fixture(params=ALL)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return smaller(request.param)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1][1]}")
def case(request: pytest.FixtureRequest) -> tuple[str, Shape]:
    return request.param


@pytest.fixture
def bijection(case: tuple[str, Shape], randomize: Callable[..., Bijection]) -> Bijection:
    return randomize(smaller(case[0]).build(case[1], CONTEXT_CHANNELS), GAIN).double()


@pytest.fixture
def x(case: tuple[str, Shape]) -> Tensor:
    return normal(BATCH, *case[1], seed=1)


@pytest.fixture
def context(case: tuple[str, Shape]) -> Tensor:
    return normal(BATCH, CONTEXT_CHANNELS, *case[1][1:], seed=2)


def test_both_directions_undo_each_other(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    z, ladj = bijection(x, context)
    assert z.shape == (BATCH, x[0].numel())
    back, back_ladj = bijection.inverse(z, context)
    same(back, x, 1e-8)
    assert ladj.shape == (BATCH,)
    same(back_ladj, -ladj, 1e-7)
    other = normal(*z.shape, seed=3)
    same(bijection(bijection.inverse(other, context)[0], context)[0], other, 1e-7)


def test_ladj_is_that_of_the_jacobian(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    _, ladj = bijection(x, context)
    row = slice(1, 2)
    matrix = torch.autograd.functional.jacobian(
        lambda v: bijection(v, context[row])[0], x[row], vectorize=True
    )
    n = x[0].numel()
    same(ladj[1].detach(), torch.linalg.slogdet(matrix.reshape(n, n)).logabsdet, 1e-8)


def test_every_latent_depends_on_the_context(
    bijection: Bijection, x: Tensor, context: Tensor
) -> None:
    """On every scale and in every part that leaves, for each sample."""
    change = (bijection(x, context + 1)[0] - bijection(x, context)[0]).abs()
    assert (change > 1e-9).all()  # where there is no path it is exactly zero


def test_every_parameter_gets_a_gradient(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    flow = Flow(bijection, (x[0].numel(),))
    (-flow.log_prob(x, context)).mean().backward()
    for name, parameter in bijection.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().amax() > 1e-9, name


def test_samples_are_independent(bijection: Bijection, x: Tensor, context: Tensor) -> None:
    other_context = 1 - 2 * context
    other_context[1] = context[1]
    for function, value in (
        (bijection.forward, x),
        (bijection.inverse, bijection(x, context)[0].detach()),
    ):
        result, ladj = function(value, context)
        changed = 0.3 - 0.5 * value
        changed[1] = value[1]
        other_result, other_ladj = function(changed, other_context)
        same(other_result[1], result[1], 1e-9)
        same(other_ladj[1], ladj[1], 1e-8)


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_float32_round_trip(key: str, randomize: Callable[..., Bijection]) -> None:
    """With every parameter moved; at the size of the comparison, where no inverse is slow."""
    architecture = ARCHITECTURES[key]
    shape = LARGE if key in SLOW_INVERSE else (2, 16, 16) if architecture.images else CELL
    bijection = randomize(architecture.build(shape, CONTEXT_CHANNELS), FLOAT32_GAIN)
    x = normal(2, *shape, seed=1, dtype=torch.float32)
    context = normal(2, CONTEXT_CHANNELS, *shape[1:], seed=2, dtype=torch.float32)
    with torch.no_grad():
        back, _ = bijection.inverse(bijection(x, context)[0], context)
    assert AB_STD * (back - x).abs().amax().item() <= 1e-3


def test_loss_falls(architecture: Architecture) -> None:
    """A few steps of plain training on numbers that the context half determines."""
    shape = SMALL if architecture.images else CELL
    flow = Flow(architecture.build(shape, CONTEXT_CHANNELS), (math.prod(shape),))
    context = normal(16, CONTEXT_CHANNELS, *shape[1:], seed=2, dtype=torch.float32)
    noise = normal(16, *shape, seed=1, dtype=torch.float32)
    x = torch.tanh(context[:, :2]) + 0.3 * noise
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)
    losses = []
    for _ in range(5):
        loss = -flow.log_prob(x, context).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0] - 0.05


def test_first_batch_of_training_initializes(architecture: Architecture) -> None:
    shape = SMALL if architecture.images else CELL
    bijection = architecture.build(shape, CONTEXT_CHANNELS)
    parts = list(bijection.modules())  # in an `Inverse`, samples are what layers see first
    inverted = {id(p) for part in parts if isinstance(part, Inverse) for p in part.modules()}
    layers = [part for part in parts if isinstance(part, ActNorm) and id(part) not in inverted]
    if not layers:
        pytest.skip("no ActNorm sees data first")
    x = 3 + 5 * normal(64, *shape, seed=1, dtype=torch.float32)
    context = normal(64, CONTEXT_CHANNELS, *shape[1:], seed=2, dtype=torch.float32)
    with torch.no_grad():
        bijection.eval()(x, context)
        assert not any(layer.initialized for layer in layers)
        z, _ = bijection.train()(x, context)
        assert all(layer.initialized for layer in layers)
        assert abs(z.mean().item()) < 0.1
        assert abs(z.std().item() - 1) < 0.1
        frozen = copy.deepcopy(bijection.state_dict())
        bijection(-x, context)
    assert all(torch.equal(frozen[name], value) for name, value in bijection.state_dict().items())


def test_without_a_context_it_works_or_is_told(case: tuple[str, Shape]) -> None:
    architecture, shape = ALL[case[0]], case[1]
    if architecture.name in ("MAF", "IAF", "NAF", "TarFlow"):
        z, ladj = architecture.build(shape, 0).forward(torch.randn(BATCH, *shape), None)
        assert (z.shape, ladj.shape) == ((BATCH, math.prod(shape)), (BATCH,))
        return
    with pytest.raises(ValueError, match="context_channels: expected at least 1, got 0"):
        architecture.build(shape, 0)
