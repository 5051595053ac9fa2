"""Fooling rates, and intervals of shares.

A fooling rate of 0.5 is the best that a coloring can reach in a choice of two: judges then guess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95

_RESAMPLES = 10_000
_BOOTSTRAP_SEED = 0
_MAX_JUDGES_AT_ONCE = 2**20


@dataclass(frozen=True, slots=True)
class Interval:
    """Shares from `low` to `high`, in [0, 1]."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tally:
    """How many answers one judge gave, and how many of them were wrong."""

    wrong: int
    answered: int

    @property
    def fooling_rate(self) -> float:
        """Share of wrong answers; 0 without answers."""
        return self.wrong / max(1, self.answered)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the fooling rate (Wilson); there must be answers."""
        return wilson_interval(self.fooling_rate, self.answered)


def total(tallies: Sequence[Tally]) -> Tally:
    """The tally of all answers together."""
    return Tally(sum(one.wrong for one in tallies), sum(one.answered for one in tallies))


def wilson_interval(share: float, n: int) -> Interval:
    """The 95 % score interval of a share of n independent cases.

    It holds all shares p whose distance from the measured one is at most z of their own standard
    errors sqrt(p (1 - p) / n). Solved for p:

        (p^ + z^2 / 2n  ±  z sqrt(p^ (1 - p^) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Args:
        share: p^, in [0, 1].
        n: number of cases, at least 1.

    Reference: Wilson 1927 (Probable inference, the law of succession, and statistical inference).
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = share + z**2 / (2 * n)
    half_width = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    # Rounding must not exclude 0 or 1 where all answers agree.
    low = 0.0 if share == 0 else (middle - half_width) / scale
    high = 1.0 if share == 1 else (middle + half_width) / scale
    return Interval(low, high)


def bootstrap_interval(judges: Sequence[Tally]) -> Interval:
    """The 95 % percentile interval of the fooling rate of several judges.

    Judges are resampled with replacement, and within each the answers. So the interval holds the
    spread between judges and the spread within one judge. Answers of a judge with the rate p,
    resampled n times, are wrong Binomial(n, p) times. The interval is for these pairs of pictures:
    it does not hold their spread.

    Args:
        judges: at least two, who have a spread between them; each with at least one answer.

    Reference: Efron 1979 (bootstrap).
    """
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    answered = np.array([judge.answered for judge in judges])
    shares = np.array([judge.fooling_rate for judge in judges])
    rates: list[float] = []
    while len(rates) < _RESAMPLES:  # in parts, so that thousands of judges fit into memory
        part = min(_RESAMPLES - len(rates), max(1, _MAX_JUDGES_AT_ONCE // len(judges)))
        resampled = rng.integers(len(judges), size=(part, len(judges)))
        wrong = rng.binomial(answered[resampled], shares[resampled])
        rates.extend(wrong.sum(1) / answered[resampled].sum(1))
    low, high = np.quantile(rates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high))
