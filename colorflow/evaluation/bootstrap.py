"""Values over photos with bootstrap standard errors.

Every value is a statistic of weights on photos: all weights 1 give the value, and weights that
count how often a photo was drawn with replacement give its spread. All values of a table share the
same resamples, so that what the photos have in common cancels in ratios.

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
"""From weights (R, N) to values (R,), or fewer where a resample has none."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its standard error over photos; None for a single photo, which has no spread."""

    value: float
    stderr: float | None


class Bootstrap:
    """Draws the resamples once, for all values of a table.

    Args:
        photos: N.
        seed: of the resamples.
    """

    def __init__(self, photos: int, seed: int) -> None:
        if photos < 1:
            raise ValueError(f"photos: expected at least 1, got {photos}")
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(photos, np.full(photos, 1 / photos), size=RESAMPLES)
        self._counts: Array = counts.astype(np.float64)

    def estimate(self, statistic: Statistic) -> Estimate:
        """The statistic of the photos, and its standard deviation over the resamples.

        Raises:
            ValueError: if the value is not finite, which no average may hide.
        """
        photos = self._counts.shape[1]
        value = statistic(np.ones((1, photos)))
        if len(value) == 0 or not np.isfinite(value[0]):
            raise ValueError(f"statistic: expected a finite value, got {value}")
        if photos == 1:
            return Estimate(float(value[0]), None)
        return Estimate(float(value[0]), float(np.std(statistic(self._counts), ddof=1)))


def mean_of(values: Array) -> Statistic:
    """The mean over photos of one number a photo, (N,)."""
    return lambda weights: weights @ values / weights.sum(1)


def root_mean_of(values: Array) -> Statistic:
    """The root of the mean over photos of one number a photo, (N,)."""
    return lambda weights: np.sqrt(mean_of(values)(weights))


def mean_of_pairs(values: Array) -> Statistic:
    """The mean over pairs of different photos, (N, N); N at least 2.

    A photo that was drawn twice is no pair with itself, or the value would be biased.
    """
    return _of_pairs(values, lambda mean, _: mean)


def shared_of_pairs(products: Array) -> Statistic:
    """The share of the variance that all photos have in common, (N, N) to one number; N at least 2.

    Photo p has deviations d_p from its own mean, one a sample; `products` holds all d_p . d_q. What
    depends on the sample's number alone is the same in all photos and gives the products of
    different photos their mean; the products of photos with themselves have the whole variance.
    Without pairs of a photo with itself above, chance explains 0 and not 1/N.
    """
    whole = np.diag(products)

    def divided(mean: Array, weights: Array) -> Array:
        return mean / mean_of(whole)(weights)

    return _of_pairs(products, divided)


def _of_pairs(values: Array, finish: Callable[[Array, Array], Array]) -> Statistic:
    """What `finish` makes of the mean over pairs of different photos and the weights.

    A photo that was drawn twice is no pair with itself; resamples without a pair have no value.
    """
    between = values - np.diag(np.diag(values))

    def statistic(weights: Array) -> Array:
        pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
        with_pairs = pairs > 0
        chosen = weights[with_pairs]
        return finish(((chosen @ between) * chosen).sum(1) / pairs[with_pairs], chosen)

    return statistic


def ratio_of(above: Statistic, below: Statistic) -> Statistic:
    """One statistic divided by another of the same photos; resamples with 0 below have no value."""

    def statistic(weights: Array) -> Array:
        over, under = above(weights), below(weights)
        divisible = under != 0
        return over[divisible] / under[divisible]

    return statistic
