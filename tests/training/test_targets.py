"""What a level learns from: the pyramid's numbers, with noise of the right size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training import targets
from colorflow.training.targets import level_target
from tests.model.pyramids import filter_bank, split, unbounded


@pytest.fixture(scope="module")
def pyramid(shape: PyramidConfig) -> ChromaPyramid:
    return ChromaPyramid(shape)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_chroma_grids(pyramid: ChromaPyramid) -> None:
    assert pyramid.config.chroma_grids == (4, 8, 16, 32, 64)


@pytest.mark.parametrize("index", range(5))
def test_without_noise_it_is_what_the_pyramid_makes(
    index: int, pyramid: ChromaPyramid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "NOISE", 0.0)
    ab = 200 * torch.rand(3, 2, 64, 64, generator=generator()) - 100
    x, coarse = level_target(pyramid, index, ab, generator())
    assert torch.allclose(x, pyramid.analyze(ab)[index], atol=1e-4)

    parts, bands, _ = split(unbounded(ab.double().numpy(), 128))
    assert np.abs(x.numpy() - parts[index]).max() < 1e-3
    if index == 0:
        assert coarse is None
    else:
        assert coarse is not None
        assert np.abs(coarse.numpy() - bands[index - 1]).max() < 1e-3


def std_tolerance(values: Tensor) -> float:
    """Four standard errors of the std of so many independent normal numbers of std near 1."""
    return 4 * 1.2 / math.sqrt(2 * values.numel())


@pytest.mark.parametrize("index", range(5))
def test_noise_has_std_1_on_the_own_band_and_once_more_on_the_coarser_one(
    index: int, pyramid: ChromaPyramid
) -> None:
    """Gray photos leave the noise alone. The filters of the wavelet say how strong it is on the
    details and on the coarser band; there, new noise of std 1 comes on top."""
    count = [400, 200, 100, 50, 20][index]
    x, coarse = level_target(pyramid, index, torch.zeros(count, 2, 64, 64), generator())
    assert abs(x.mean()) < 4 / math.sqrt(x.numel())
    if coarse is None:
        assert abs(x.std() - 1) < std_tolerance(x)
        return
    side = coarse.shape[-1]
    low, high = (filter_bank(2 * side) ** 2).sum(1).reshape(2, side).mean(1)
    variances = low * high, high * low, high * high / 4
    for kind, variance in zip(x.chunk(3, 1), variances, strict=True):
        assert abs(kind.std() - math.sqrt(variance)) < std_tolerance(kind)
    assert abs(coarse.mean()) < 4 * 1.3 / math.sqrt(coarse.numel())
    assert abs(coarse.std() - math.sqrt(low * low + 1)) < std_tolerance(coarse)


def test_noise_comes_from_the_generator(pyramid: ChromaPyramid) -> None:
    ab = torch.zeros(2, 2, 64, 64)
    before = torch.random.get_rng_state()
    first, again = (level_target(pyramid, 1, ab, generator(7)) for _ in range(2))
    other = level_target(pyramid, 1, ab, generator(8))
    for a, b, c in zip(first, again, other, strict=True):
        assert a is not None
        assert b is not None
        assert c is not None
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not ab.any(), "its argument is left alone"
