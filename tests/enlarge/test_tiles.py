"""A whole photo: no seams, nothing that depends on the tiling, bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge import tiles
from colorflow.enlarge.model import DetailModel
from colorflow.enlarge.tiles import Doubling, noise_at
from tests.enlarge.conftest import ModelOf

LIGHTNESS = lightness_of(data.camera()[100:173, 180:281])


def doubled(
    model: DetailModel,
    tile: int = tiles.TILE,
    temperature: float = 1.0,
    seed: int = 0,
    lightness: NDArray[np.float32] = LIGHTNESS,
) -> NDArray[np.float32]:
    doubling = Doubling(model, lightness, seed=seed, stream=0, temperature=temperature, tile=tile)
    assert list(doubling.run()) == list(range(1, doubling.tiles + 1))
    return doubling.lightness


def test_noise_depends_on_the_place_alone() -> None:
    whole = noise_at(3, 1, 2, slice(-70, 130), slice(-5, 70))
    part = noise_at(3, 1, 2, slice(-3, 66), slice(60, 68))
    assert torch.equal(part, whole[..., 67:136, 65:73])
    assert abs(float(whole.mean())) < 0.02
    assert abs(float(whole.std()) - 1) < 0.02


@pytest.mark.parametrize(("seed", "stream"), [(4, 1), (3, 2)])
def test_seeds_and_streams_have_their_own_noise(seed: int, stream: int) -> None:
    rows = columns = slice(0, 64)
    one, other = noise_at(3, 1, 1, rows, columns), noise_at(seed, stream, 1, rows, columns)
    assert abs(float((one * other).mean())) < 0.05


@pytest.mark.parametrize("restores", [False, True])
def test_the_result_does_not_depend_on_the_tiling(model_of: ModelOf, *, restores: bool) -> None:
    model = model_of(restores=restores)
    one = doubled(model)
    for tile in (16, 38):
        assert np.abs(doubled(model, tile) - one).max() < 1e-3
    assert one.std() > 1


def test_temperature_0_needs_no_seed_and_others_differ_by_it(model_of: ModelOf) -> None:
    model = model_of()
    assert np.array_equal(doubled(model, temperature=0), doubled(model, temperature=0, seed=1))
    assert np.abs(doubled(model) - doubled(model, seed=1)).max() > 1


@pytest.mark.parametrize("shape", [(8, 8), (9, 8), (8, 9), (11, 13)])
def test_odd_sides(model_of: ModelOf, shape: tuple[int, int]) -> None:
    lightness = LIGHTNESS[: shape[0], : shape[1]]
    result = doubled(model_of(), tile=4, lightness=lightness)
    assert result.shape == (2 * shape[0], 2 * shape[1])
    means = result.reshape(shape[0], 2, shape[1], 2).mean((1, 3))
    assert np.abs(means - lightness).max() < 1e-3
