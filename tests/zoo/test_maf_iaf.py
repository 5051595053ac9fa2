"""MAF and IAF are two complementary nets; NAF moves elements in the same orders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.flows import Autoregressive, Bijection
from colorflow.flows.masked_networks import AutoregressiveNetwork
from colorflow.zoo import iaf, maf, naf

CONTEXT_CHANNELS = 3
SHAPES = [(2, 1, 1), (2, 2, 4)]


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def networks(bijection: Bijection) -> list[AutoregressiveNetwork]:
    return [part.network for part in bijection.modules() if isinstance(part, Autoregressive)]


def with_same_parameters(teacher: Bijection, student: Bijection) -> Bijection:
    values = teacher.state_dict().values()
    names = student.state_dict().keys()
    student.load_state_dict(dict(zip(names, values, strict=True)), strict=True)
    return student.double().eval()


@pytest.fixture(params=SHAPES, ids=["cell", "grid"])
def shape(request: pytest.FixtureRequest) -> tuple[int, int, int]:
    return request.param


@pytest.fixture
def pair(
    shape: tuple[int, int, int], randomize: Callable[..., Bijection]
) -> tuple[Bijection, Bijection]:
    masked = randomize(maf(shape, CONTEXT_CHANNELS, depth=3, width=16), 0.35).double()
    return masked, with_same_parameters(masked, iaf(shape, CONTEXT_CHANNELS, depth=3, width=16))


def test_each_is_the_other_with_its_directions_exchanged(
    shape: tuple[int, int, int], pair: tuple[Bijection, Bijection]
) -> None:
    masked, inverse = pair
    x, context = normal(4, *shape, seed=1), normal(4, CONTEXT_CHANNELS, *shape[1:], seed=2)
    z, ladj = masked(x, context)
    sampled, sampled_ladj = inverse.inverse(x.flatten(1), context)
    assert (z - x.flatten(1)).abs().min() > 1e-4
    torch.testing.assert_close(sampled.flatten(1), z, rtol=0, atol=1e-12)
    torch.testing.assert_close(sampled_ladj, ladj, rtol=0, atol=1e-12)
    back, back_ladj = masked.inverse(z, context)
    scored, scored_ladj = inverse(z.reshape(x.shape), context)
    torch.testing.assert_close(scored, back.flatten(1), rtol=0, atol=1e-12)
    torch.testing.assert_close(scored_ladj, back_ladj, rtol=0, atol=1e-12)


@pytest.mark.parametrize("build", [maf, iaf, naf])
def test_orders_alternate(build: Callable[..., Bijection], shape: tuple[int, int, int]) -> None:
    """Raster order, channels innermost, and its reverse, written down apart."""
    channels, height, width = shape
    order = [
        (c * height + i) * width + j
        for i in range(height)
        for j in range(width)
        for c in range(channels)
    ]
    found = [n.order.tolist() for n in networks(build(shape, CONTEXT_CHANNELS, depth=3, width=16))]
    assert found == [order, order[::-1], order]
