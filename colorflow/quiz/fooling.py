"""Shares of wrong answers with their intervals.

A share of 0.5 is the best that a coloring can reach: judges then only guess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000
BOOTSTRAP_SEED = 0

_DRAWS_AT_ONCE = 2**20


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, shares in [0, 1]."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Answers:
    """How many answers a judge gave, and how many of them were wrong.

    Raises:
        ValueError: unless 0 <= wrong <= answered.
    """

    wrong: int
    answered: int

    def __post_init__(self) -> None:
        if not 0 <= self.wrong <= self.answered:
            raise ValueError(f"wrong: expected 0 to {self.answered}, got {self.wrong}")

    @property
    def fooling_rate(self) -> float | None:
        """Share of wrong answers; None without answers."""
        return self.wrong / self.answered if self.answered else None


def wilson(answers: Answers) -> Interval:
    """The 95 % score interval of one judge's fooling rate, as `wilson_interval` gives it.

    Raises:
        ValueError: without answers.
    """
    if answers.fooling_rate is None:
        raise ValueError("answers: expected at least 1, got 0")
    return wilson_interval(answers.fooling_rate, answers.answered)


def wilson_interval(share: float, n: int) -> Interval:
    """The 95 % score interval of a share of n independent cases.

    All shares p whose distance from the measured one is at most z of their own standard errors
    sqrt(p (1 - p) / n); solved for p:

        (p^ + z^2 / 2n  ±  z sqrt(p^ (1 - p^) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Args:
        share: p^, in [0, 1].
        n: cases, at least 1.

    Reference: Wilson 1927 (Probable inference, the law of succession, and statistical inference).
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = share + z**2 / (2 * n)
    half_width = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    # Rounding must not leave 0 or 1 outside where all answers agree.
    low = 0.0 if share == 0 else (middle - half_width) / scale
    high = 1.0 if share == 1 else (middle + half_width) / scale
    return Interval(low, high)


def fooling_rate(judges: Sequence[Answers]) -> float:
    """Share of wrong answers among all answers of all judges.

    Raises:
        ValueError: without answers.
    """
    rate = Answers(sum(j.wrong for j in judges), sum(j.answered for j in judges)).fooling_rate
    if rate is None:
        raise ValueError("judges: expected at least one answer, got none")
    return rate


def two_level_bootstrap(judges: Sequence[Answers], seed: int) -> Interval:
    """The 95 % percentile interval of the fooling rate of several judges.

    Judges are drawn with replacement, and of each drawn judge the answers, so that both the spread
    between judges and that between one judge's answers count. Answers of a judge who was wrong in
    the share p, drawn n times with replacement, are wrong Binomial(n, p) times. That all judges see
    the same pairs does not count: the interval is for these pairs.

    Args:
        judges: those without answers play no part.
        seed: of the resamples.

    Raises:
        ValueError: if fewer than two judges answered, which have no spread between them.

    Reference: Efron 1979 (bootstrap).
    """
    those = [judge for judge in judges if judge.answered]
    if len(those) < 2:
        raise ValueError(f"judges: expected answers of at least 2, got {len(those)}")
    rng = np.random.default_rng(seed)
    answered = np.array([judge.answered for judge in those])
    shares = np.array([judge.wrong for judge in those]) / answered
    rates: list[float] = []
    while len(rates) < RESAMPLES:  # in parts, so that thousands of judges fit into memory
        part = min(RESAMPLES - len(rates), max(1, _DRAWS_AT_ONCE // len(those)))
        drawn = rng.integers(len(those), size=(part, len(those)))
        wrong = rng.binomial(answered[drawn], shares[drawn])
        rates.extend(wrong.sum(1) / answered[drawn].sum(1))
    low, high = np.quantile(rates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high))
