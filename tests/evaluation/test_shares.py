"""Calibration of shares on modes and truths whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colorflow.evaluation.metrics import nearest_mode, share_differences

PHOTOS, MODES = 2000, 4


def sampled() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the modes of photos, and the nearest modes of truths sampled with them."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([2.0] * MODES, PHOTOS)
    nearest = (rng.uniform(size=(PHOTOS, 1)) > probabilities.cumsum(1)).sum(1)
    return probabilities, nearest


def test_true_shares_are_calibrated() -> None:
    found = share_differences(*sampled())
    assert np.abs(found).max() < 4  # about 1.2 points of standard error a bin


@pytest.mark.parametrize("power", [2.0, 0.5])
def test_shares_that_say_too_much_or_too_little(power: float) -> None:
    """The frequency in a bin is the mean of the true probabilities there."""
    probabilities, nearest = sampled()
    shares = probabilities**power
    shares /= shares.sum(1, keepdims=True)
    want = [
        100 * (probabilities.flat[part].mean() - shares.flat[part].mean())
        for part in np.array_split(np.argsort(shares, axis=None), 5)
    ]
    found = share_differences(shares, nearest)
    np.testing.assert_allclose(found, want, atol=4)
    assert found[-1] < -8 if power > 1 else found[-1] > 8, (
        "large shares say too much, or too little"
    )


def test_few_photos_have_bins_too() -> None:
    """Six modes in five bins: 0.1 and 0.3 (no hit), 0.4 (hit), 0.6, 0.7 and 0.9."""
    shares = np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]])
    found = share_differences(shares, np.array([0, 1, 0]))
    assert found == pytest.approx([-20, 60, -60, 30, 10])


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
