"""What single architectures promise: orders, priors, estimators, and who sees what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.flows import (
    Autoregressive,
    Bijection,
    ExactLogDet,
    Residual,
    RussianRoulette,
    Split,
    TransformerAutoregressive,
)
from colorflow.zoo import (
    glow,
    iaf,
    maf,
    naf,
    neural_spline_flow,
    nice,
    pyramid,
    residual,
    tarflow,
)
from colorflow.zoo.residual import CONTINUING, TERMS_IN_TRAINING
from tests.flows.samples import normal

Randomize = Callable[..., Bijection]
Shape = tuple[int, int, int]
CONTEXT_CHANNELS = 3
CELL, GRID = (2, 1, 1), (2, 2, 4)


def inputs(batch: int, shape: Shape) -> tuple[Tensor, Tensor]:
    """x and a context."""
    return normal(batch, *shape, seed=1), normal(batch, CONTEXT_CHANNELS, *shape[1:], seed=2)


@pytest.mark.parametrize("shape", [CELL, GRID], ids=["cell", "grid"])
def test_maf_is_iaf_with_its_directions_exchanged(shape: Shape, randomize: Randomize) -> None:
    masked = randomize(maf(shape, CONTEXT_CHANNELS, depth=3, width=16), 0.35).double()
    inverse = iaf(shape, CONTEXT_CHANNELS, depth=3, width=16)
    values = masked.state_dict().values()
    inverse.load_state_dict(dict(zip(inverse.state_dict(), values, strict=True)), strict=True)
    inverse = inverse.double().eval()
    x, context = inputs(4, shape)
    z, ladj = masked(x, context)
    assert (z - x.flatten(1)).abs().min() > 1e-4
    back, back_ladj = masked.inverse(z, context)
    for own, other in (
        ((z, ladj), inverse.inverse(x.flatten(1), context)),
        ((back, back_ladj), inverse(z.reshape(x.shape), context)),
    ):
        torch.testing.assert_close(other[0].flatten(1), own[0].flatten(1), rtol=0, atol=1e-12)
        torch.testing.assert_close(other[1], own[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [CELL, GRID], ids=["cell", "grid"])
@pytest.mark.parametrize("build", [maf, iaf, naf])
def test_orders_alternate(build: Callable[..., Bijection], shape: Shape) -> None:
    """Raster order, channels innermost, and its reverse, written down apart."""
    channels, height, width = shape
    order = [
        (c * height + i) * width + j
        for i in range(height)
        for j in range(width)
        for c in range(channels)
    ]
    parts = build(shape, CONTEXT_CHANNELS, depth=3, width=16).modules()
    found = [part.network.order.tolist() for part in parts if isinstance(part, Autoregressive)]
    assert found == [order, order[::-1], order]


@pytest.mark.parametrize("patch", [1, 2])
def test_orders_of_patches_alternate(randomize: Randomize, patch: int) -> None:
    """The first transformer's last token, and the second's first, are moved by all others."""
    flow = tarflow((2, 4, 4), CONTEXT_CHANNELS, depth=3, width=8, patch=patch)
    randomize(flow, 0.7).double()
    x, context = inputs(1, (2, 4, 4))
    token = (torch.arange(4) // patch)[:, None] * (4 // patch) + torch.arange(4) // patch
    token = token.expand(2, -1, -1).flatten()
    transformers = [part for part in flow.modules() if isinstance(part, TransformerAutoregressive)]
    for index, transformer in enumerate(transformers):
        matrix = torch.autograd.functional.jacobian(
            lambda v, own=transformer: own(v, context)[0], x, vectorize=True
        ).reshape(32, 32)
        rank = -token if index % 2 else token
        earlier = rank[:, None] > rank
        other = torch.eye(32, dtype=torch.bool).logical_not() & ~earlier
        assert (matrix[earlier] != 0).all()
        assert (matrix[other] == 0).all()
    with pytest.raises(ValueError, match="patch: expected a divisor"):
        tarflow((2, 4, 6), CONTEXT_CHANNELS, patch=4)


def test_nice_scales_all_samples_alike(randomize: Randomize) -> None:
    """Only the diagonal changes volume."""
    bijection = randomize(nice((2, 4, 4), CONTEXT_CHANNELS, width=8)).double()
    _, ladj = bijection(*inputs(5, (2, 4, 4)))
    assert ladj[0].abs() > 1e-3
    torch.testing.assert_close(ladj, ladj[:1].expand(5), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("build", [glow, neural_spline_flow])
def test_what_leaves_depends_on_what_goes_on(
    build: Callable[..., Bijection], randomize: Randomize
) -> None:
    """The learned prior: with one step a scale, nothing else joins the two parts again."""
    bijection = build((2, 4, 4), CONTEXT_CHANNELS, scales=2, depth=1, width=8)
    split = next(part for part in randomize(bijection).double().modules() if type(part) is Split)
    x, context = inputs(1, (8, 2, 2))
    goes_on, leaves = x.clone(), x.clone()
    goes_on[:, :4] += 1
    leaves[:, 4:] += 1
    before, after, other = (split(one, context)[0] for one in (x, goes_on, leaves))
    assert (before[:, 16:] != after[:, 16:]).all()
    assert torch.equal(other[:, :16], before[:, :16])


def test_residual_flows_train_by_a_short_roulette_and_evaluate_by_an_exact_number() -> None:
    flow = residual((2, 4, 4), CONTEXT_CHANNELS, width=8)
    blocks = [part for part in flow.modules() if isinstance(part, Residual)]
    for estimator, is_training in ((RussianRoulette, True), (ExactLogDet, False)) * 2:
        flow.train(is_training)
        assert all(isinstance(block.estimator, estimator) for block in blocks)
    assert {block.in_training.exact_terms for block in blocks} == {TERMS_IN_TRAINING}
    assert CONTINUING > 0.9**2, "the variance is finite"


def test_the_pyramid_needs_a_square_grid() -> None:
    with pytest.raises(ValueError, match="shape: expected a square grid"):
        pyramid((2, 4, 8), CONTEXT_CHANNELS)
