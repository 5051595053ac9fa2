"""Intervals against scipy: its Wilson interval, and distributions that resamples must have."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from colorflow.quiz.statistics import Tally, bootstrap_interval, total


@pytest.mark.parametrize(
    ("wrong", "answered"), [(0, 1), (1, 1), (0, 40), (40, 40), (1, 40), (13, 40), (37, 100), (5, 9)]
)
def test_wilson_is_scipys(wrong: int, answered: int) -> None:
    found = Tally(wrong, answered).interval
    theirs = scipy.stats.binomtest(wrong, answered).proportion_ci(0.95, method="wilson")
    assert found.low == pytest.approx(theirs.low, abs=1e-12)
    assert found.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= found.low <= wrong / answered <= found.high <= 1


def test_the_rate_is_that_of_all_answers() -> None:
    """A judge with more answers counts more."""
    assert total([Tally(1, 2), Tally(1, 8)]).fooling_rate == 0.2


def test_judges_alike_spread_like_one_binomial() -> None:
    """Whoever is sampled, each of the 100 answers is wrong with the same probability."""
    found = bootstrap_interval([Tally(10, 25)] * 4)
    low, high = scipy.stats.binom.ppf([0.025, 0.975], 100, 0.4) / 100
    assert found.low == pytest.approx(low, abs=0.0101)
    assert found.high == pytest.approx(high, abs=0.0101)


def test_both_levels_together_are_those_of_brute_force() -> None:
    """Judges of different diligence: answers sampled one by one."""
    judges = [Tally(2, 10), Tally(20, 40), Tally(9, 12), Tally(0, 6), Tally(15, 60)]
    sheets = [np.repeat([1, 0], [judge.wrong, judge.answered - judge.wrong]) for judge in judges]
    rng = np.random.default_rng(11)
    rates = []
    for _ in range(4000):
        sampled = [sheets[i] for i in rng.integers(5, size=5)]
        rates.append(np.concatenate([rng.choice(sheet, len(sheet)) for sheet in sampled]).mean())
    found = bootstrap_interval(judges)
    assert found.low == pytest.approx(np.quantile(rates, 0.025), abs=0.015)
    assert found.high == pytest.approx(np.quantile(rates, 0.975), abs=0.015)
