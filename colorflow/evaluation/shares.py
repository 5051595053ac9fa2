"""Calibration of the shares of principal colorings: how often is the truth nearest to a mode?

A photo is shown as k modes, each with the share of the samples that lie nearest to it. If the
samples come from the true distribution, the truth lies nearest to a mode of share s in the share s
of all cases (reliability diagram; Murphy & Winkler 1977).

Dimensions: N photos, k modes of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from colorflow.evaluation.bootstrap import Bootstrap, Estimate, mean_of, ratio_of

BINS = 5
"""Bins of equally many modes: 105 photos with four modes give each bin's frequency to 4 or 5
points."""

_ROUNDING = 1e-4
"""Tolerance of the sum of a photo's shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareBin:
    """Modes of similar shares.

    Attributes:
        lowest: smallest share.
        highest: largest share.
        modes: number of modes.
        share: their mean share.
        nearest: how often the truth was nearest to one of them, with its error over photos.
    """

    lowest: float
    highest: float
    modes: int
    share: float
    nearest: Estimate

    @property
    def difference(self) -> float:
        """Frequency minus share, in points: above 0 if modes are right too often."""
        return 100 * (self.nearest.value - self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareCalibration:
    """The reliability diagram, from small shares to large ones."""

    bins: tuple[ShareBin, ...]

    @property
    def largest_difference(self) -> float:
        """Largest absolute difference; chance alone gives about 1.5 times the error of a bin."""
        return max(abs(one.difference) for one in self.bins)


def nearest_mode(modes: Tensor, truth: Tensor) -> int:
    """Finds the mode with the smallest root mean square distance of chroma from the truth.

    Args:
        modes: (k, 2, 64, 64), CIELAB units, or any other space in which the shares were counted.
        truth: (2, 64, 64), in the same space.
    """
    if modes.shape[1:] != truth.shape or len(modes) == 0:
        raise ValueError(
            f"modes: expected (k, {', '.join(map(str, truth.shape))}), got {tuple(modes.shape)}"
        )
    return int((modes - truth).flatten(1).norm(dim=1).argmin())


def share_calibration(
    shares: NDArray[np.floating], nearest: NDArray[np.integer], bootstrap: Bootstrap
) -> ShareCalibration:
    """Compares shares with how often the truth was nearest.

    Bins hold equally many modes; modes of one share may fall on both sides of a border.

    Args:
        shares: (N, k), of each photo's modes, with the sum 1.
        nearest: (N,), the index of each photo's `nearest_mode`.
        bootstrap: of the N photos; the modes of a photo are resampled together.

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
    parts = np.array_split(order, min(BINS, len(order)))
    return ShareCalibration(bins=tuple(_bin(shares, hit, part, bootstrap) for part in parts))


def _bin(
    shares: NDArray[np.floating],
    hit: NDArray[np.bool_],
    indices: NDArray[np.intp],
    bootstrap: Bootstrap,
) -> ShareBin:
    """Makes the bin of the modes with the given flat indices."""
    inside = np.zeros(shares.shape, bool)
    inside.flat[indices] = True
    hits = (hit & inside).sum(1).astype(np.float64)
    counts = inside.sum(1).astype(np.float64)
    own = shares[inside]
    return ShareBin(
        lowest=float(own.min()),
        highest=float(own.max()),
        modes=len(own),
        share=float(own.mean()),
        nearest=bootstrap.estimate(ratio_of(mean_of(hits), mean_of(counts))),
    )
