"""Are the shares of principal colorings kept: how often is the truth nearest to a card?

A photo is shown as k cards, each with the share of the samples that lie nearest to it. If the
samples are those of the true distribution, the truth lies nearest to a card of share s in the share
s of all cases (a reliability diagram; Murphy & Winkler 1977).

Dimensions: N photos, k cards of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from colorflow.evaluation.bootstrap import Bootstrap, Estimate, mean_of, ratio_of

BINS = 5
"""Of as many cards each: 105 photos of four cards know each bin's frequency to 4 or 5 points."""

_ROUNDING = 1e-4
"""Of the sum of a photo's shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareBin:
    """Cards of like shares.

    Attributes:
        lowest: of their shares.
        highest: likewise.
        cards: how many.
        share: their mean share.
        nearest: how often the truth was nearest to one of them, with its error over photos.
    """

    lowest: float
    highest: float
    cards: int
    share: float
    nearest: Estimate

    @property
    def difference(self) -> float:
        """Of frequency and share, in points: above 0 where cards are right too often."""
        return 100 * (self.nearest.value - self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareCalibration:
    """The table, from small shares to large ones, and its largest difference in points."""

    bins: tuple[ShareBin, ...]

    @property
    def largest_difference(self) -> float:
        """Without its sign. Chance alone gives about one and a half times the error of a bin."""
        return max(abs(one.difference) for one in self.bins)


def nearest_card(cards: Tensor, truth: Tensor) -> int:
    """The card whose chroma has the smallest root mean square distance from the truth's.

    Args:
        cards: (k, 2, 64, 64), CIELAB units, or any other space in which the shares were counted.
        truth: (2, 64, 64), in the same space.
    """
    if cards.shape[1:] != truth.shape or len(cards) == 0:
        raise ValueError(
            f"cards: expected (k, {', '.join(map(str, truth.shape))}), got {tuple(cards.shape)}"
        )
    return int((cards - truth).flatten(1).norm(dim=1).argmin())


def share_calibration(
    shares: NDArray[np.floating], nearest: NDArray[np.integer], bootstrap: Bootstrap
) -> ShareCalibration:
    """Compares shares with what happened.

    Bins hold as many cards each, so that none of them is left to a few; cards of one share may
    stand on both sides of a border.

    Args:
        shares: (N, k), of each photo's cards, with the sum 1.
        nearest: (N,), of each photo the index of its `nearest_card`.
        bootstrap: of the N photos; the cards of a photo are drawn together.

    Raises:
        ValueError: if the shapes do not fit, or shares do not sum to 1.
    """
    if shares.ndim != 2 or nearest.shape != shares.shape[:1]:
        raise ValueError(
            f"shares, nearest: expected (N, k) and (N,), got {shares.shape} and {nearest.shape}"
        )
    if not np.allclose(shares.sum(1), 1, atol=_ROUNDING):
        raise ValueError("shares: expected those of each photo to sum to 1")
    hit = np.arange(shares.shape[1]) == nearest[:, None]
    order = np.argsort(shares, axis=None, kind="stable")
    return ShareCalibration(
        bins=tuple(
            _bin(shares, hit, cards, bootstrap)
            for cards in np.array_split(order, min(BINS, len(order)))
        )
    )


def _bin(
    shares: NDArray[np.floating],
    hit: NDArray[np.bool_],
    cards: NDArray[np.intp],
    bootstrap: Bootstrap,
) -> ShareBin:
    """One bin of the cards with the given flat indices."""
    inside = np.zeros(shares.shape, bool)
    inside.flat[cards] = True
    hits = (hit & inside).sum(1).astype(np.float64)
    counts = inside.sum(1).astype(np.float64)
    own = shares[inside]
    return ShareBin(
        lowest=float(own.min()),
        highest=float(own.max()),
        cards=len(own),
        share=float(own.mean()),
        nearest=bootstrap.estimate(ratio_of(mean_of(hits), mean_of(counts))),
    )
