"""Calibration of the shares of principal colorings: how often is the truth nearest to a mode?

A photo is shown as k modes, each with the share of the samples that lie nearest to it. If the
samples come from the true distribution, the truth lies nearest to a mode of share s in the share s
of all cases (reliability diagram; Murphy & Winkler 1977).

Dimensions: N photos, k modes of each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

BINS = 5
"""Bins of equally many modes: 105 photos with four modes give each bin's frequency to 4 or 5
points."""


def nearest_mode(modes: Tensor, truth: Tensor) -> int:
    """Finds the mode with the smallest root mean square distance of chroma from the truth.

    Args:
        modes: (k, 2, 64, 64), CIELAB units, or any other space in which the shares were counted.
        truth: (2, 64, 64), in the same space.
    """
    return int((modes - truth).flatten(1).norm(dim=1).argmin())


def share_differences(
    shares: NDArray[np.floating], nearest: NDArray[np.integer]
) -> NDArray[np.float64]:
    """How often the truth was nearest to modes of similar shares, minus their mean share.

    Bins hold equally many modes; modes of one share may fall on both sides of a border.

    Args:
        shares: (N, k), of each photo's modes, with the sum 1.
        nearest: (N,), the index of each photo's `nearest_mode`.

    Returns:
        In points, from the bin of the smallest shares to that of the largest: above 0 where modes
        are right more often than they promise. Chance alone makes the largest of the absolute
        values about 1.5 times the error of a bin.
    """
    hit = np.arange(shares.shape[1]) == nearest[:, None]
    order = np.argsort(shares, axis=None, kind="stable")
    differences, photos = [], len(shares)
    for part in map(np.sort, np.array_split(order, min(BINS, len(order)))):
        hits_per_photo, modes_per_photo = hit.flat[part].sum() / photos, len(part) / photos
        differences.append(100 * (hits_per_photo / modes_per_photo - shares.flat[part].mean()))
    return np.array(differences)
