"""The context of a level: what reaches it, and what it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.model.condition import Condition
from colorflow.model.config import LevelConfig
from colorflow.model.context import FEATURE_CLAMP, LevelContext
from tests.model.conftest import random_condition, small_config

PLANES = 3
LEVELS = range(5)


@pytest.fixture(params=LEVELS)
def config(request: pytest.FixtureRequest) -> LevelConfig:
    return small_config().levels[request.param]


@pytest.fixture
def context(config: LevelConfig, randomize: Callable[..., LevelContext]) -> LevelContext:
    return randomize(LevelContext(config, coarse=True, extra_planes=PLANES))


@pytest.fixture
def condition() -> Condition:
    return random_condition(2, planes=PLANES)


def chroma(config: LevelConfig) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return 20 * torch.randn(2, 2, config.grid, config.grid, generator=generator)


def both_parts(context: LevelContext, condition: Condition, coarse: Tensor) -> Tensor:
    with torch.no_grad():
        return context.of_sample(context.of_photo(condition), coarse)


def test_everything_reaches_every_photos_context(
    context: LevelContext, condition: Condition, config: LevelConfig
) -> None:
    """Lightness, planes, the coarser chroma, and the configured feature maps but no other."""
    coarse = chroma(config)
    before = both_parts(context, condition, coarse)

    def moves(changed: Condition, chroma: Tensor = coarse) -> bool:
        difference = (both_parts(context, changed, chroma) - before).flatten(1).abs().amax(1)
        assert (difference > 1e-3).all() or (difference == 0).all()
        return bool((difference > 1e-3).all())

    assert not moves(condition)
    assert moves(dataclasses.replace(condition, lightness=100 - condition.lightness))
    assert moves(dataclasses.replace(condition, planes=condition.planes.flip(-1)))
    assert moves(condition, coarse + 10)
    for grid, feature_map in condition.features.items():
        features = {**condition.features, grid: feature_map + 1}
        assert moves(dataclasses.replace(condition, features=features)) == (grid in config.maps)


def test_planes_are_pooled_to_masked_means(
    context: LevelContext, condition: Condition, config: LevelConfig
) -> None:
    """Against a loop over cells: whether any of a cell is known, and the mean of what is, / 20."""
    seen: list[Tensor] = []
    assert context.from_planes is not None
    context.from_planes.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    context.of_photo(condition)
    side = 2 * config.grid
    factor = 64 // side
    planes = condition.planes.double().numpy()
    expected = np.zeros((2, PLANES, side, side))
    for photo, row, column in np.ndindex(2, side, side):
        cell = planes[
            photo, :, row * factor : (row + 1) * factor, column * factor : (column + 1) * factor
        ]
        known = cell[0] == 1
        if known.any():
            expected[photo, 0, row, column] = 1
            expected[photo, 1:, row, column] = cell[1:, known].mean(1) / 20
    assert 0 < expected[:, 0].mean() <= 1
    np.testing.assert_allclose(seen[0].numpy(), expected, rtol=0, atol=1e-5)


def test_fit_standardizes_features_and_cuts_their_tails(config: LevelConfig) -> None:
    """The scale and offset of the features do not matter after `fit`; outliers are cut."""
    plain = LevelContext(config, coarse=False, extra_planes=0).eval()
    moved = LevelContext(config, coarse=False, extra_planes=0).eval()
    moved.load_state_dict(plain.state_dict())
    condition = random_condition(4)
    scaled = dataclasses.replace(
        condition, features={grid: 30 * x - 7 for grid, x in condition.features.items()}
    )
    plain.fit(condition)
    moved.fit(scaled)
    expected, result = plain.of_photo(condition), moved.of_photo(scaled)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)
    grid = config.maps[0]
    std, mean = torch.std_mean(condition.features[grid], dim=(0, 2, 3))
    cut, far = (
        plain.of_photo(
            dataclasses.replace(
                condition,
                features={
                    **condition.features,
                    grid: (mean + size * std)[:, None, None].expand(4, -1, grid, grid),
                },
            )
        )
        for size in (FEATURE_CLAMP * 1.001, 1e4)
    )
    torch.testing.assert_close(far, cut, rtol=0, atol=1e-5)
