"""Late blocks: trained copies of the network's blocks that make the coarse maps of all levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colorflow.model.condition import Condition, Conditioner, Features, LateBlocks
from colorflow.model.pyramid import ChromaPyramid
from tests.model.conftest import random_condition, small_config


@pytest.fixture(scope="module")
def features() -> Features:
    return Features()


@pytest.fixture
def lightness() -> Tensor:
    coarse = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return 100 * nn.functional.interpolate(coarse, (256, 256), mode="bilinear")


@pytest.fixture
def late_pyramid(make_pyramid: Callable[..., ChromaPyramid]) -> ChromaPyramid:
    """Random parameters everywhere, and late blocks between the frozen ones and chaos."""
    pyramid = make_pyramid(dataclasses.replace(small_config(), late_blocks=True))
    assert pyramid.late_blocks is not None
    pyramid.late_blocks.copy_from(Features())
    with torch.no_grad():
        for parameter in pyramid.late_blocks.parameters():
            parameter *= 1 + 0.2 * torch.randn_like(parameter)
    return pyramid.requires_grad_(False)


@pytest.fixture(params=[32, 16])
def late(request: pytest.FixtureRequest, features: Features) -> LateBlocks:
    """The pretrained blocks from the 32x32 map on, and those from the 16x16 map on."""
    blocks = LateBlocks(request.param)
    blocks.copy_from(features)
    return blocks


@pytest.mark.parametrize("scale", [1, 2])
def test_pretrained_blocks_make_the_frozen_maps_exactly(
    late: LateBlocks, features: Features, lightness: Tensor, scale: int
) -> None:
    """Those of photos of twice the side too."""
    frozen = features(nn.functional.interpolate(lightness, scale_factor=scale))
    side = late.input_grid
    own = late(frozen[side])
    assert list(own) == [grid for grid in (16, 8) if grid < side]
    for grid, made in own.items():
        assert torch.equal(made, frozen[grid])
        assert made.std() > 0.1


def test_the_conditioner_uses_the_models_own(
    late_pyramid: ChromaPyramid, lightness: Tensor
) -> None:
    made, frozen = Conditioner(late_pyramid.late_blocks)(lightness), Conditioner()(lightness)
    refined = late_pyramid.refine(frozen)
    assert made.refined
    assert refined.refined
    assert not frozen.refined
    assert late_pyramid.refine(made) is made
    assert made.map(lambda x: x[:1]).refined
    for grid, x in made.features.items():
        assert torch.equal(x, refined.features[grid])
        assert torch.equal(x, frozen.features[grid]) == (grid in (32, 64))


@torch.no_grad()
def test_the_pyramid_refines_what_it_is_given(late_pyramid: ChromaPyramid, ab: Tensor) -> None:
    """Whatever takes a condition gives the same for frozen maps and for the model's own."""
    frozen = random_condition(3)
    refined, chaos = late_pyramid.refine(frozen), dataclasses.replace(frozen, refined=True)
    latents = late_pyramid.encode(ab, refined)
    cases: list[Callable[[Condition], Tensor]] = [
        lambda c: late_pyramid.log_prob(ab, c),
        lambda c: torch.cat([z.flatten(1) for z in late_pyramid.encode(ab, c)], 1),
        lambda c: late_pyramid.decode(latents, c),
        lambda c: late_pyramid.sample(c, 2, [1.0] * 5, torch.Generator().manual_seed(0)),
    ]
    for case in cases:
        assert torch.equal(case(frozen), case(refined))
        assert not torch.allclose(case(frozen), case(chaos), rtol=1e-3)
