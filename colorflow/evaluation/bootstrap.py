"""Values over photos with bootstrap standard errors.

Every value is a statistic of weights on the photos. Weights of 1 give the value; weights that
count how often each photo was sampled with replacement give its spread. All values of a table share
the same resamples, so variation that is common to all columns cancels in ratios.

Dimensions: R resamples, N photos.

Reference: Efron 1979 (bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""From weights (R, N) to values (R,); fewer where a resample has no value."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its standard error over photos; None for a single photo, which has no spread."""

    value: float
    stderr: float | None


Table = dict[str, dict[str, Estimate]]
"""Values by column and metric."""


class Bootstrap:
    """The resamples that all values of a table share.

    Args:
        photos: their number N.
        seed: of the resamples.
    """

    def __init__(self, photos: int, seed: int) -> None:
        if photos < 1:
            raise ValueError(f"photos: expected at least 1, got {photos}")
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(photos, np.full(photos, 1 / photos), size=RESAMPLES)
        self._counts: Array = counts.astype(np.float64)

    def estimate(self, statistic: Statistic) -> Estimate:
        """Estimates a statistic and its standard deviation over the resamples.

        Raises:
            ValueError: if the value is not finite.
        """
        photos = self._counts.shape[1]
        value = statistic(np.ones((1, photos)))
        if len(value) == 0 or not np.isfinite(value[0]):
            raise ValueError(f"statistic: expected a finite value, got {value}")
        if photos == 1:
            return Estimate(float(value[0]), None)
        return Estimate(float(value[0]), float(np.std(statistic(self._counts), ddof=1)))


def mean_of(values: Array) -> Statistic:
    """Mean over photos of one number per photo, (N,)."""
    return lambda weights: weights @ values / weights.sum(1)


def root_mean_of(values: Array) -> Statistic:
    """Root of the mean over photos of one number per photo, (N,)."""
    return lambda weights: np.sqrt(mean_of(values)(weights))


def mean_of_pairs(values: Array) -> Statistic:
    """Mean over pairs of different photos, (N, N); N at least 2.

    A photo that was sampled twice does not pair with itself, which would bias the value.
    """
    return _of_pairs(values, lambda mean, _: mean)


def shared_of_pairs(products: Array) -> Statistic:
    """Share of the variance that all photos have in common, from (N, N) products; N at least 2.

    Photo p has deviations d_p from its own mean, one per sample; `products` holds all d_p . d_q. A
    part that depends on the sample's number alone is the same in all photos: it is the mean product
    of different photos. The products of photos with themselves hold the whole variance. The
    numerator leaves out pairs of a photo with itself, so that chance explains 0 rather than 1/N.
    """
    whole = np.diag(products)

    def divided(mean: Array, weights: Array) -> Array:
        return mean / mean_of(whole)(weights)

    return _of_pairs(products, divided)


def _of_pairs(values: Array, finish: Callable[[Array, Array], Array]) -> Statistic:
    """Applies `finish` to the mean over pairs of different photos and the weights.

    Resamples without a pair have no value.
    """
    between = values - np.diag(np.diag(values))

    def statistic(weights: Array) -> Array:
        pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
        with_pairs = pairs > 0
        chosen = weights[with_pairs]
        return finish(((chosen @ between) * chosen).sum(1) / pairs[with_pairs], chosen)

    return statistic


def ratio_of(above: Statistic, below: Statistic) -> Statistic:
    """Ratio of two statistics; resamples with a denominator of 0 have no value."""

    def statistic(weights: Array) -> Array:
        over, under = above(weights), below(weights)
        divisible = under != 0
        return over[divisible] / under[divisible]

    return statistic
