"""Calibration of shares on modes and truths whose calibration is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from colorflow.evaluation.bootstrap import Bootstrap
from colorflow.evaluation.shares import BINS, ShareCalibration, nearest_mode, share_calibration

PHOTOS, MODES = 2000, 4


def sampled(seed: int = 0, photos: int = PHOTOS) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the modes of photos, and the nearest modes of truths sampled with them."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([2.0] * MODES, photos)
    nearest = (rng.uniform(size=(photos, 1)) > probabilities.cumsum(1)).sum(1)
    return probabilities, nearest


bootstrap_of = cache(lambda photos: Bootstrap(photos, seed=0))


def calibration(shares: np.ndarray, nearest: np.ndarray) -> ShareCalibration:
    return share_calibration(shares, nearest, bootstrap_of(len(shares)))


def test_true_shares_are_calibrated() -> None:
    shares, nearest = sampled()
    found = calibration(shares, nearest)
    assert len(found.bins) == BINS
    assert sum(one.modes for one in found.bins) == PHOTOS * MODES
    for one in found.bins:
        assert one.nearest.stderr is not None
        assert abs(one.difference) < 4 * 100 * one.nearest.stderr
    assert found.largest_difference < 4
    total = sum(one.modes * one.nearest.value for one in found.bins)
    assert total == pytest.approx(PHOTOS), "every photo has one nearest mode"


def test_bins_go_from_small_shares_to_large_ones() -> None:
    shares, nearest = sampled()
    bins = calibration(shares, nearest).bins
    edges = [number for one in bins for number in (one.lowest, one.highest)]
    assert edges == sorted(edges)
    assert edges[0] == shares.min()
    assert edges[-1] == shares.max()
    assert all(one.lowest <= one.share <= one.highest for one in bins)


def test_the_error_is_the_spread_over_other_photos() -> None:
    found = [calibration(*sampled(seed, 100)) for seed in range(150)]
    for index in range(BINS):
        values, errors = np.array(
            [(one.bins[index].nearest.value, one.bins[index].nearest.stderr) for one in found]
        ).T
        assert errors.mean() == pytest.approx(values.std(), rel=0.25)  # 4 standard errors


@pytest.mark.parametrize("power", [2.0, 0.5])
def test_shares_that_say_too_much_or_too_little(power: float) -> None:
    """The frequency in a bin is the mean of the true probabilities there."""
    probabilities, nearest = sampled()
    shares = probabilities**power
    shares /= shares.sum(1, keepdims=True)
    found = calibration(shares, nearest)
    want = []
    for one in found.bins:
        inside = (shares >= one.lowest) & (shares <= one.highest)
        want.append(100 * (probabilities[inside].mean() - one.share))
        assert one.difference == pytest.approx(want[-1], abs=4)
    assert found.largest_difference == pytest.approx(np.abs(want).max(), abs=4)
    assert found.largest_difference > 8
    last = found.bins[-1].difference
    assert last < -8 if power > 1 else last > 8, "large shares promise too much, or too little"


def test_shares_that_know_nothing() -> None:
    """Cards in any order under equal shares: a quarter each; always the first: the truth knows."""
    _, nearest = sampled()
    equal = np.full((PHOTOS, MODES), 1 / MODES)
    assert calibration(equal, nearest).largest_difference < 4
    sure = np.tile([1.0, 0, 0, 0], (PHOTOS, 1))
    never = calibration(sure, np.full(PHOTOS, 3))
    assert never.bins[-1].difference == pytest.approx(-100)


def test_few_photos_have_bins_too() -> None:
    """A resample may leave a bin without modes."""
    shares = np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]])
    found = calibration(shares, np.array([0, 1, 0]))
    assert [one.modes for one in found.bins] == [2, 1, 1, 1, 1]
    assert [one.nearest.value for one in found.bins] == [0, 1, 0, 1, 1]
    assert found.largest_difference == pytest.approx(60)


def test_the_nearest_mode_by_hand() -> None:
    modes = torch.zeros(3, 2, 64, 64)
    modes[1, 0] = 10
    modes[2, 1, :32] = 8
    truth = torch.zeros(2, 64, 64)
    assert nearest_mode(modes, truth) == 0
    truth[0] = 5.1
    assert nearest_mode(modes, truth) == 1
    truth[0], truth[1, :32] = 0, 4.1
    assert nearest_mode(modes, truth) == 2


def test_from_modes_to_the_table() -> None:
    """Truths scattered about a mode that was chosen with its share."""
    rng, generator = np.random.default_rng(1), torch.Generator().manual_seed(1)
    shares = rng.dirichlet([1.0] * 3, 600)
    nearest = np.empty(600, int)
    for photo, own in enumerate(shares):
        modes = 20 * torch.randn(3, 2, 1, 1, generator=generator).expand(3, 2, 8, 8)
        truth = modes[rng.choice(3, p=own)] + torch.randn(2, 8, 8, generator=generator)
        nearest[photo] = nearest_mode(modes, truth)
    assert calibration(shares, nearest).largest_difference < 8


def test_arguments_that_do_not_fit() -> None:
    shares, nearest = sampled()
    with pytest.raises(ValueError, match=r"expected \(N, k\) and \(N,\), got \(2000, 4\) and \(3"):
        calibration(shares, nearest[:3])
    with pytest.raises(ValueError, match="expected those of each photo to sum to 1"):
        calibration(100 * shares, nearest)
    with pytest.raises(ValueError, match=r"expected \(k, 2, 64, 64\), got \(2, 64, 64\)"):
        nearest_mode(torch.zeros(2, 64, 64), torch.zeros(2, 64, 64))
