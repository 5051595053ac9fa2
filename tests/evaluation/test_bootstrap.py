"""Standard errors against formulae, scipy and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from colorflow.evaluation.bootstrap import (
    Bootstrap,
    mean_of,
    mean_of_pairs,
    ratio_of,
    root_mean_of,
    shared_of_pairs,
)

RNG = np.random.default_rng(0)
VALUES = RNG.gamma(2.0, size=150)
OTHERS = VALUES + RNG.normal(size=150) + 5


def test_the_errors_of_a_mean_and_of_pairs_are_those_of_the_formula() -> None:
    """The bootstrap's is s / sqrt(n) with the variance divided by n; 1,000 resamples know it to
    2 %. The mean over pairs of x_i + x_j is twice the mean of x."""
    pairs = VALUES[:, None] + VALUES[None]
    for times, statistic in ((1, mean_of(VALUES)), (2, mean_of_pairs(pairs))):
        found = Bootstrap(150, seed=1).estimate(statistic)
        assert found.value == pytest.approx(times * VALUES.mean(), rel=1e-12)
        assert found.stderr == pytest.approx(times * VALUES.std() / np.sqrt(150), rel=0.08)


def test_the_errors_of_a_root_and_of_a_ratio_are_scipys() -> None:
    def root(x: np.ndarray, axis: int) -> np.ndarray:
        return np.sqrt(x.mean(axis))

    def ratio(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return x.mean(axis) / y.mean(axis)

    for statistic, data, theirs in (
        (root_mean_of(VALUES), (VALUES,), root),
        (ratio_of(mean_of(VALUES), mean_of(OTHERS)), (VALUES, OTHERS), ratio),
    ):
        found = Bootstrap(150, seed=1).estimate(statistic)
        assert found.value == pytest.approx(theirs(*data, axis=0), rel=1e-12)
        want = scipy.stats.bootstrap(
            data, theirs, paired=True, n_resamples=3000, method="percentile", vectorized=True,
            rng=np.random.default_rng(5),
        )  # fmt: skip
        assert found.stderr == pytest.approx(want.standard_error, rel=0.1)


def test_resamples_without_a_denominator_have_no_ratio() -> None:
    """Only photo 0 has one: the ratio is the same wherever it was sampled."""
    only_first = np.array([2.0, 0, 0])
    found = Bootstrap(3, seed=1).estimate(ratio_of(mean_of(3 * only_first), mean_of(only_first)))
    assert (found.value, found.stderr) == (3, 0)
    nowhere = ratio_of(mean_of(only_first), mean_of(np.zeros(3)))
    for statistic in (nowhere, mean_of(only_first * np.nan), mean_of(only_first + np.inf)):
        with pytest.raises(ValueError, match="expected a finite value"):
            Bootstrap(3, seed=1).estimate(statistic)


def test_pairs_are_of_different_photos() -> None:
    """Photo 0 twice, photo 1 once, photo 3 three times: brute force over who was sampled."""
    values = RNG.normal(size=(4, 4))
    sampled = [0, 0, 1, 3, 3, 3]
    pairs = [values[i, j] for i, j in itertools.product(sampled, sampled) if i != j]
    (found,) = mean_of_pairs(values)(np.array([[2.0, 1.0, 0.0, 3.0]]))
    assert found == pytest.approx(np.mean(pairs), rel=1e-12)


def test_one_photo_has_no_error() -> None:
    found = Bootstrap(1, seed=0).estimate(mean_of(np.array([3.5])))
    assert (found.value, found.stderr) == (3.5, None)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_shared_part_of_a_two_way_layout_has_no_bias(share: float) -> None:
    """Few rows, so that chance alone would explain 1/6 of the variance."""
    found = []
    for _ in range(400):
        common = np.sqrt(share) * RNG.normal(size=(1, 8))
        deviations = common + np.sqrt(1 - share) * RNG.normal(size=(6, 8))
        products = deviations @ deviations.T
        (value,) = shared_of_pairs(products)(np.ones((1, 6)))
        found.append((value, np.trace(products)))
    values, weights = np.array(found).T
    assert np.average(values, weights=weights) == pytest.approx(share, abs=0.04)
