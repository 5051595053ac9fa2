"""Diverse colorings: a few of many samples, chosen by the colors of their objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COARSE_LEVELS = 2
"""Levels that decide the colors of objects; together they give chroma on an 8x8 grid."""


def most_different(points: NDArray[np.float32], n: int) -> list[int]:
    """Chooses n points far from each other: the first, then repeatedly the farthest.

    Args:
        points: (N, D), N at least n.
        n: how many to choose.

    Returns:
        n different indices in the order of choice.

    Reference: Gonzalez 1985 (farthest-first traversal).
    """
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < n:
        distance[chosen[-1]] = -1  # no point twice, even if all points are equal
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen
