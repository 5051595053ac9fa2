"""What each column draws, and the likelihood beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from colorflow.evaluation.columns import (
    COLOURS_OF_FIRST_PACK,
    Column,
    columns_of,
    constant,
    training_colours_of,
)
from colorflow.model.condition import CONDITION_GRID, Condition
from colorflow.model.features import FEATURE_CHANNELS
from colorflow.model.weights import LoadedWeights, load_weights
from tests.small_weights import TEMPERATURES


@pytest.fixture(scope="module")
def loaded(weights: Path) -> LoadedWeights:
    return load_weights(weights)


@pytest.fixture(scope="module")
def columns(loaded: LoadedWeights) -> dict[str, Column]:
    return {column.name: column for column in columns_of(loaded)}


def draw(column: Column, condition: Condition, n: int, seed: int = 3) -> Tensor:
    with torch.no_grad():
        return column.draw(condition, n, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def condition() -> Condition:
    generator = torch.Generator().manual_seed(0)
    side = CONDITION_GRID
    return Condition(
        lightness=100 * torch.rand(2, 1, side, side, generator=generator),
        features={
            grid: torch.randn(2, channels, grid, grid, generator=generator)
            for grid, channels in FEATURE_CHANNELS.items()
        },
    )


def test_names_and_kinds(columns: dict[str, Column]) -> None:
    assert {name: column.draws for name, column in columns.items()} == {
        "colorflow": "independent",
        "colorflow_std1": "independent",
        "colorflow_diverse": "chosen",
        "mean_colour": "one",
    }
    with_density = [name for name, column in columns.items() if column.bits_per_dim]
    assert with_density == ["colorflow", "colorflow_std1"]


@pytest.mark.parametrize(
    ("name", "temperatures"), [("colorflow", TEMPERATURES), ("colorflow_std1", [1.0] * 5)]
)
def test_draws_are_the_models_at_their_temperatures(
    name: str,
    temperatures: tuple[float, ...],
    columns: dict[str, Column],
    loaded: LoadedWeights,
    condition: Condition,
) -> None:
    ab = draw(columns[name], condition, 2)
    assert ab.shape == (2, 2, 2, 64, 64)
    pyramid = loaded.pyramid
    latents = pyramid.encode(ab.flatten(0, 1), condition.map(lambda x: x.repeat_interleave(2, 0)))
    for latent, temperature in zip(latents, temperatures, strict=True):
        assert abs(latent.std() - temperature) < 4 * temperature / math.sqrt(latent.numel()) + 1e-3


def test_diverse_draws_are_the_farthest_of_the_pool(
    columns: dict[str, Column], condition: Condition
) -> None:
    """Chroma on 8x8 decides; the finer levels go on from there."""
    n = 3
    chosen = draw(columns["colorflow_diverse"], condition, n)
    assert chosen.shape == (2, n, 2, 64, 64)
    # One generator fills the pool level by level, as it does for a sampler that draws 8n at once.
    pool = draw(columns["colorflow"], condition, 8 * n)
    for photo in range(2):
        own = torch.cdist(chosen[photo].flatten(1), pool[photo].flatten(1))
        assert own.min(1).values.max() < 0.5, "not of the pool"
        indices = own.argmin(1).tolist()
        assert indices[0] == 0
        coarse = torch.nn.functional.avg_pool2d(pool[photo], 8).flatten(1)
        among = torch.cdist(coarse, coarse)
        for count in range(1, n):  # each one is the farthest from those before it
            nearest = among[:, indices[:count]].min(1).values
            assert nearest[indices[count]] > nearest.max() - 2


def test_constant_colours(condition: Condition) -> None:
    ab = draw(constant("warm", (3.0, 4.0)), condition, 2)
    assert ab.shape == (2, 2, 2, 64, 64)
    assert (ab[:, :, 0] == 3).all()
    assert (ab[:, :, 1] == 4).all()


def test_bits_per_dim_are_those_of_log_prob(
    columns: dict[str, Column], loaded: LoadedWeights, condition: Condition
) -> None:
    ab = 10 * torch.randn(2, 2, 64, 64)
    column = columns["colorflow"]
    assert column.bits_per_dim is not None
    bits = column.bits_per_dim(ab, condition)
    want = -loaded.pyramid.log_prob(ab, condition) / 8192 / math.log(2)
    assert torch.allclose(bits["all"], want, rtol=1e-5)
    dims = {"4": 32, "8": 96, "16": 384, "32": 1536, "64": 6144}
    assert bits.keys() == {*dims, "all"}
    total = sum(bits[name] * count for name, count in dims.items()) / 8192
    assert torch.allclose(total, want, rtol=1e-5)


def test_the_round_trip_comes_back(columns: dict[str, Column], condition: Condition) -> None:
    ab = 10 * torch.randn(2, 2, 64, 64)
    column = columns["colorflow"]
    assert column.round_trip is not None
    back = column.round_trip(ab, condition)
    assert (back - ab).abs().max() < 0.01
    assert back.data_ptr() != ab.data_ptr()


def test_the_colours_of_the_training_photos(loaded: LoadedWeights) -> None:
    """From the header; for older weights those of the first pack."""
    assert training_colours_of(loaded) == COLOURS_OF_FIRST_PACK
    stored = {"colours": {"mean_ab": [2.0, -3.0], "largest_chroma": 50.0}}
    newer = replace(loaded, training=stored)
    assert training_colours_of(newer).largest_chroma == 50
    (mean,) = [column for column in columns_of(newer) if column.name == "mean_colour"]
    one = Condition(lightness=torch.zeros(1, 1, CONDITION_GRID, CONDITION_GRID), features={})
    assert draw(mean, one, 1)[0, 0, :, 5, 9].tolist() == [2.0, -3.0]
