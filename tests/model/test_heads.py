"""The heads: shapes, statistics, independence of photos, photos of twice the side, learning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.model.condition import FEATURE_CHANNELS, Condition
from colorflow.model.heads import Decoder, MeanHead, SegmentationHead, SkinHead

Head = MeanHead | SkinHead | SegmentationHead
HEADS: dict[str, Callable[..., Head]] = {
    "mean": MeanHead,
    "skin": SkinHead,
    "segmentation": SegmentationHead,
    "segmentation in color": lambda: SegmentationHead(sees_color=True),
}


def condition(photos: int, seed: int = 0, scale: int = 1) -> Condition:
    """Of photos of 256 pixels, or `scale` times as many, with planes for those who read them."""
    source = torch.Generator().manual_seed(seed)

    def normal(channels: int, side: int) -> Tensor:
        return torch.randn(photos, channels, scale * side, scale * side, generator=source)

    return Condition(
        lightness=100 * normal(1, 128).sigmoid(),
        features={grid: 3 + 2 * normal(n, grid) for grid, n in FEATURE_CHANNELS.items()},
        planes=F.pad(20 * normal(2, 64), (0, 0, 0, 0, 1, 0), value=1.0),
    )


def planes_of(head: Decoder, photos: Condition) -> Tensor:
    """All that a head says, (B, 2, 3 or 19, 64s or 128s, 64s or 128s)."""
    said = head(photos)
    return said if isinstance(said, Tensor) else torch.cat(said, 1)


@pytest.fixture(params=HEADS)
def head(request: pytest.FixtureRequest) -> Head:
    """With random parameters."""
    torch.manual_seed(1)
    made = HEADS[request.param]()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    made.fit(condition(8, seed=5))
    return made.eval()


@pytest.mark.parametrize("scale", [1, 2])
def test_every_input_counts_and_every_parameter_gets_a_gradient(head: Head, scale: int) -> None:
    photos = condition(2, scale=scale).map(lambda x: x.requires_grad_())
    planes_of(head, photos).square().mean().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    for x in (photos.lightness, *photos.features.values()):
        assert x.grad is not None
        assert (x.grad.abs().amax((1, 2, 3)) > 0).all()
    assert photos.planes is not None
    if head.from_planes is None:
        assert photos.planes.grad is None
    else:
        assert photos.planes.grad is not None
        assert (photos.planes.grad.abs().amax((2, 3)) > 0).tolist() == [[False, True, True]] * 2


@torch.no_grad()
def test_photos_do_not_depend_on_each_other(head: Head) -> None:
    photos = condition(3)
    together = planes_of(head, photos)
    for i in range(3):
        alone = planes_of(head, photos.map(lambda x, i=i: x[i : i + 1]))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-2)
    assert (together[0] - together[1]).abs().mean() > 1


@torch.no_grad()
def test_a_photo_of_twice_the_side_is_read_like_its_parts(head: Head) -> None:
    """In a photo of four equal parts, far from their borders, where all places are equal.

    The mean is on a grid of the same side for all photos.
    """
    torch.nn.init.zeros_(head.position)
    photo = condition(1)
    small, large = planes_of(head, photo), planes_of(head, photo.map(lambda x: x.tile(2, 2)))
    if isinstance(head, MeanHead):
        small = F.avg_pool2d(small, 2)
    g = small.shape[-1]
    assert large.shape[-1] == 2 * g
    for part in (large[..., i : i + g, j : j + g] for i in (0, g) for j in (0, g)):
        middle = (..., slice(g // 2 - 1, g // 2 + 1), slice(g // 2 - 1, g // 2 + 1))
        torch.testing.assert_close(part[middle], small[middle], rtol=1e-4, atol=1e-2)
    assert (large[..., g - 2 : g + 2, :g] - small[..., [g - 2, g - 1, 0, 1], :]).abs().max() > 0.1


def test_features_are_standardized_by_the_training_data(head: Head) -> None:
    photos = condition(8, seed=5)
    for grid, x in photos.features.items():
        standard = head.standardize[str(grid)](x)
        assert standard.mean((0, 2, 3)).abs().max() < 0.05
        assert (standard.std((0, 2, 3)) - 1).abs().max() < 0.05
        assert head.standardize[str(grid)](1e6 * x).abs().max() <= 6


def test_the_tones_of_training_photos_are_kept() -> None:
    rng = np.random.default_rng(3)
    tones = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 2)) + rng.normal(size=2)
    head = SkinHead()
    head.fit_tones(torch.from_numpy(tones).float())
    factor = head.tone_factor.numpy()
    np.testing.assert_allclose(head.tone_mean, tones.mean(0), atol=1e-5)
    np.testing.assert_allclose(factor @ factor.T, np.cov(tones.T), rtol=1e-4, atol=1e-5)
    assert factor[0, 1] == 0
    assert {"tone_mean", "tone_factor"} <= head.state_dict().keys()
