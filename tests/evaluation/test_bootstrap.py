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


def test_the_error_of_a_mean_is_that_of_the_formula() -> None:
    """The bootstrap's is s / sqrt(n) with the variance divided by n; 1,000 resamples know it to
    2 %."""
    found = Bootstrap(150, seed=1).estimate(mean_of(VALUES))
    assert found.value == pytest.approx(VALUES.mean(), rel=1e-12)
    assert found.stderr == pytest.approx(VALUES.std() / np.sqrt(150), rel=0.08)


def test_the_error_of_a_root_and_of_a_ratio_are_scipys() -> None:
    bootstrap = Bootstrap(150, seed=1)
    root = bootstrap.estimate(root_mean_of(VALUES))
    assert root.value == pytest.approx(np.sqrt(VALUES.mean()), rel=1e-12)
    theirs = scipy.stats.bootstrap(
        (VALUES,), lambda x, axis: np.sqrt(x.mean(axis)), n_resamples=3000, method="percentile",
        rng=np.random.default_rng(5),
    )  # fmt: skip
    assert root.stderr == pytest.approx(theirs.standard_error, rel=0.1)

    ratio = bootstrap.estimate(ratio_of(mean_of(VALUES), mean_of(OTHERS)))
    assert ratio.value == pytest.approx(VALUES.mean() / OTHERS.mean(), rel=1e-12)
    theirs = scipy.stats.bootstrap(
        (VALUES, OTHERS), lambda x, y, axis: x.mean(axis) / y.mean(axis), paired=True,
        n_resamples=3000, method="percentile", vectorized=True, rng=np.random.default_rng(5),
    )  # fmt: skip
    assert ratio.stderr == pytest.approx(theirs.standard_error, rel=0.1)


def test_resamples_without_a_denominator_have_no_ratio() -> None:
    """Only photo 0 has one: the ratio is the same wherever it was sampled."""
    only_first = np.array([2.0, 0, 0])
    found = Bootstrap(3, seed=1).estimate(ratio_of(mean_of(3 * only_first), mean_of(only_first)))
    assert (found.value, found.stderr) == (3, 0)
    with pytest.raises(ValueError, match="expected a finite value"):
        Bootstrap(3, seed=1).estimate(ratio_of(mean_of(only_first), mean_of(np.zeros(3))))


def test_pairs_are_of_different_photos() -> None:
    """Photo 0 twice, photo 1 once, photo 3 three times: brute force over who was sampled."""
    values = RNG.normal(size=(4, 4))
    sampled = [0, 0, 1, 3, 3, 3]
    pairs = [values[i, j] for i, j in itertools.product(sampled, sampled) if i != j]
    (found,) = mean_of_pairs(values)(np.array([[2.0, 1.0, 0.0, 3.0]]))
    assert found == pytest.approx(np.mean(pairs), rel=1e-12)


def test_the_error_of_pairs_is_the_spread_of_the_value() -> None:
    """The mean over pairs of x_i + x_j is twice the mean of x."""
    values = VALUES[:, None] + VALUES[None]
    found = Bootstrap(150, seed=1).estimate(mean_of_pairs(values))
    assert found.value == pytest.approx(2 * VALUES.mean(), rel=1e-12)
    assert found.stderr == pytest.approx(2 * VALUES.std() / np.sqrt(150), rel=0.08)


def test_one_photo_has_no_error() -> None:
    found = Bootstrap(1, seed=0).estimate(mean_of(np.array([3.5])))
    assert (found.value, found.stderr) == (3.5, None)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected a finite value"):
        Bootstrap(3, seed=0).estimate(mean_of(np.array([1.0, bad, 2.0])))


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
