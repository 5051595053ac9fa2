"""What a level learns from: the pyramid's numbers, with noise of the right size."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training import levels
from colorflow.training.levels import (
    SHARE_OF_LOSS,
    JointLoss,
    JointModule,
    LevelLoss,
    level_target,
)
from colorflow.training.pixels import PixelPack


@pytest.fixture(scope="module")
def pyramid(shape: PyramidConfig) -> ChromaPyramid:
    return ChromaPyramid(shape)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blocks(values: np.ndarray, side: int) -> np.ndarray:
    """Block means of (B, 2, 64, 64) on a side x side grid."""
    batch, channels, full, _ = values.shape
    cell = full // side
    return values.reshape(batch, channels, side, cell, side, cell).mean((3, 5))


@pytest.mark.parametrize("index", range(5))
def test_without_noise_it_is_what_the_pyramid_makes(
    index: int, pyramid: ChromaPyramid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "NOISE", 0.0)
    ab = 200 * torch.rand(3, 2, 64, 64, generator=generator()) - 100
    x, coarse = level_target(pyramid, 4 * 2**index, ab, generator())
    assert torch.allclose(x, pyramid._split(pyramid.bounded(ab)[0])[0][index], atol=1e-4)

    unbounded = 128 * np.arctanh(ab.double().numpy() / 128)
    if index == 0:
        assert coarse is None
        assert np.abs(x.numpy() - blocks(unbounded, 4)).max() < 1e-3
    else:
        assert coarse is not None
        assert np.abs(coarse.numpy() - blocks(unbounded, 2 ** (index + 1))).max() < 1e-3
        fine = blocks(unbounded, 2 ** (index + 2))
        left, right = fine[..., ::2, ::2], fine[..., ::2, 1::2]
        low_left, low_right = fine[..., 1::2, ::2], fine[..., 1::2, 1::2]
        across = (left - right + low_left - low_right) / 2
        assert np.abs(x[:, :2].numpy() - across).max() < 1e-3


def std_tolerance(values: Tensor) -> float:
    """Four standard errors of the std of so many independent normal numbers of std near 1."""
    return 4 * 1.2 / math.sqrt(2 * values.numel())


@pytest.mark.parametrize("index", range(5))
def test_noise_has_std_1_on_the_own_means_and_once_more_on_the_coarse_ones(
    index: int, pyramid: ChromaPyramid
) -> None:
    """Gray photos leave the noise alone. Orthonormal details keep its std, the mean of four own
    means has 1/2, and the noise of the coarser means comes on top: sqrt(1/4 + 1)."""
    count = [400, 200, 100, 50, 20][index]
    x, coarse = level_target(pyramid, 4 * 2**index, torch.zeros(count, 2, 64, 64), generator())
    assert abs(x.mean()) < 4 / math.sqrt(x.numel())
    assert abs(x.std() - 1) < std_tolerance(x)
    if coarse is not None:
        assert abs(coarse.mean()) < 4 * 1.2 / math.sqrt(coarse.numel())
        assert abs(coarse.std() - math.sqrt(1.25)) < std_tolerance(coarse)
        for kind in x.chunk(3, 1):  # and neither tells of the other
            assert abs((kind * coarse).mean()) < 4 * 1.2 / math.sqrt(coarse.numel())


# levels that learn together


def test_the_loss_is_the_weighted_sum_of_the_levels_own(
    pack_folder: Path, shape: PyramidConfig, randomize: Callable[..., nn.Module]
) -> None:
    pyramid, pack = ChromaPyramid(shape), PixelPack(pack_folder)
    randomize(pyramid, gain=0.2)
    ab, condition = pack.batch(pack.rows("dev"))
    module = JointModule(pyramid, (4, 8, 16)).eval()
    for points in (0, 4):
        noise = torch.Generator().manual_seed(1)
        found = JointLoss(pyramid, (4, 8, 16), points)(module, ab, condition, noise)
        noise = torch.Generator().manual_seed(1)
        own = [
            LevelLoss(pyramid, index, points)(level, ab, condition, noise)
            for index, level in enumerate(pyramid.levels[:3])
        ]
        wanted = own[0] + own[1] / 2 + own[2] / 4
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-2)
    assert list(SHARE_OF_LOSS.values()) == [1, 1 / 2, 1 / 4]
