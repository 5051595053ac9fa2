"""A small pyramid with random parameters, and conditions without the feature network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.model.condition import CONDITION_GRID, FEATURE_CHANNELS, PLANES_GRID, Condition
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from tests.small_weights import small_level


def small_config(extra_planes: int = 0) -> PyramidConfig:
    """A pyramid with every kind of layer on every kind of level, as small as can be."""
    return PyramidConfig(
        levels=(
            small_level(4, 8, 16, attention=True, couplings=5, dropout=0.3),
            small_level(4, 8, 32, attention=True, couplings=5, dropout=0.3),
            small_level(8, 8, 16, 32, attention=True, couplings=5, dropout=0.3),
            small_level(16, 16, 64, couplings=3, dropout=0.3),
            small_level(32, 32, couplings=3, dropout=0.3),
        ),
        extra_planes=extra_planes,
    )


def random_condition(batch: int, *, planes: int = 0, seed: int = 0) -> Condition:
    """A condition of random photos, with random hints in its planes."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    def hints() -> Tensor:
        values = normal(planes, PLANES_GRID, PLANES_GRID)
        mask = (values[:, :1] > 1.5).float()
        return torch.cat([mask, 20 * mask * values[:, 1:]], 1)

    return Condition(
        lightness=100 * torch.sigmoid(normal(1, CONDITION_GRID, CONDITION_GRID)),
        features={
            grid: normal(channels, grid, grid) for grid, channels in FEATURE_CHANNELS.items()
        },
        planes=hints() if planes else None,
    )


def _chroma(batch: int, seed: int) -> Tensor:
    """ab with structure on every scale, within 100 CIELAB units."""
    generator = torch.Generator().manual_seed(seed)
    ab = torch.zeros(batch, 2, 64, 64)
    for grid in (4, 8, 16, 32, 64):
        noise = 10 * torch.randn(batch, 2, grid, grid, generator=generator)
        ab += F.interpolate(noise, (64, 64), mode="nearest")
    return ab.clamp(-100, 100)


def analysis(pyramid: ChromaPyramid, ab: Tensor) -> list[Tensor]:
    """Means on the coarsest grid, then the details of every level, as the pyramid makes them."""
    return pyramid._split(pyramid.bounded(ab)[0])[0]


@pytest.fixture
def make_pyramid(randomize: Callable[..., nn.Module]) -> Callable[..., ChromaPyramid]:
    """A pyramid, given its configuration: statistics fitted, all parameters random.

    As far from the identity as a trained one.
    """

    def make(config: PyramidConfig) -> ChromaPyramid:
        pyramid = ChromaPyramid(config)
        randomize(pyramid, gain=0.35)
        condition = random_condition(8, planes=config.extra_planes, seed=8)
        for level, part in zip(pyramid.levels, analysis(pyramid, _chroma(8, seed=8)), strict=True):
            level.fit(part, condition)
        return pyramid

    return make


@pytest.fixture
def pyramid(make_pyramid: Callable[..., ChromaPyramid]) -> ChromaPyramid:
    """The small pyramid with random parameters."""
    return make_pyramid(small_config())


@pytest.fixture
def ab() -> Tensor:
    """Chroma of three photos, CIELAB units."""
    return _chroma(3, seed=7)
