"""What may vary in a photo: the principal colorings after the first one differ by things.

Skin, hair, sky, plants, water and animals have few colors, and keep those of the first coloring.
Of what is left, a thing varies as a whole as far as it is clear where it ends. If a thing that is
clear and large enough varies at all, it does so far enough to be seen.

Dimensions: n samples, t things, g a grid's side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import block_means
from colorflow.model.config import FINEST_GRID
from colorflow.model.segmentation import CLASSES
from colorflow.model.things import Thing

Array = NDArray[np.float32]

FIXED = [CLASSES.index(x) for x in ("skin", "hair", "sky", "vegetation", "animal", "water")]
"""Classes whose colors hardly vary."""
SURELY_FREE, SURELY_FIXED = 0.15, 0.65
"""How likely a cell is of such a class up to which it varies as it is, and from which it does not.
Chosen by eye, like what follows."""
UNCLEAR, CLEAR = 0.1, 0.5
"""Clearness up to which a thing varies from place to place, and from which as a whole."""
SMALLEST, LEAST_CLEARNESS = 0.01, 0.25
"""Share of the photo and clearness that a thing has, at least, if it is to be seen to vary."""
LARGEST_TINT = 2.5
"""Most that the median color of all that is free moves, in CIELAB units."""
FREE = 0.5
"""How free a cell is that has a say in that."""
LEAST, VISIBLE, MOST = 1.0, 9.0, 18.0
"""CIELAB units: what varies less than the first keeps its color; the rest varies by the second at
least, and the third at most."""
MOST_CHROMA = 26.0
"""Chroma of a thing that is moved to be seen, in CIELAB units, at most, or what it had."""
INSIDE = 0.9
"""Share of a cell that lies in a thing whose color it tells."""


class Variations:
    """How the colors of a photo's things may differ from the first coloring.

    Args:
        things: that cover the photo.
        classes: (C, h, h), how likely each is.
    """

    def __init__(self, things: Sequence[Thing], classes: Array) -> None:
        likely = block_means(classes[FIXED].sum(0), FINEST_GRID)
        fixed = (likely - SURELY_FREE) / (SURELY_FIXED - SURELY_FREE)
        self._free = 1 - fixed.clip(0, 1)
        self._masks = _shares(things)
        clearness = np.array([thing.clearness for thing in things], np.float32)
        self._wholeness = ((clearness - UNCLEAR) / (CLEAR - UNCLEAR)).clip(0, 1)
        self._seen = [
            i
            for i, thing in enumerate(things)
            if thing.clearness >= LEAST_CLEARNESS
            and thing.area >= SMALLEST
            and CLASSES.index(thing.name) not in FIXED
        ]

    def held(self, deviations: Array) -> Array:
        """Deviations (n, 2, g, g) as things may have them: the same in all of a clear thing."""
        masks = self._masks.reshape(len(self._masks), -1)
        weights = masks * self._free.ravel()
        flat = deviations.reshape(-1, masks.shape[1])
        means = (flat @ weights.T) / np.maximum(weights.sum(1), 1e-3)
        whole = (means * self._wholeness) @ masks
        own = flat * (1 - self._wholeness @ masks)
        return np.asarray((whole + own) * self._free.ravel(), np.float32).reshape(deviations.shape)

    def visible(self, deviation: Array, first: Array) -> Array:
        """A deviation (2, g, g) from the first coloring that is no cast, but seen.

        What most of what is free has in common is reduced; what differs from that moves farther.
        """
        is_free = self._free > FREE
        tint = np.median(deviation[:, is_free], 1) if is_free.any() else np.zeros(2, np.float32)
        keep = min(1.0, LARGEST_TINT / max(float(np.linalg.norm(tint)), 1e-6))
        deviation = deviation - (1 - keep) * tint[:, None, None] * self._free
        tint = keep * tint
        for mask in self._masks[self._seen]:
            weight = np.where(mask > INSIDE, mask, 0) * self._free
            total = weight.sum()
            if total < 1:
                continue
            move, own = ((x * weight).sum((1, 2)) / total for x in (deviation, first))
            length = float(np.linalg.norm(move))
            if length < LEAST or np.linalg.norm(move - tint) < LEAST:
                continue
            color = own + move * np.clip(length, VISIBLE, MOST) / length
            most = max(MOST_CHROMA, float(np.linalg.norm(own)))
            color *= min(1.0, most / max(float(np.linalg.norm(color)), 1e-6))
            change = (color - own)[:, None, None] - deviation
            deviation = deviation + mask * self._free * change
        return np.asarray(deviation, np.float32)


def _shares(things: Sequence[Thing]) -> Array:
    """Of each cell, how much of it lies in each thing, (t, g, g)."""
    numbers = np.zeros(things[0].mask.shape, np.int64)
    for number, thing in enumerate(things):
        numbers[thing.mask] = number
    cells = np.arange(FINEST_GRID**2).reshape(FINEST_GRID, FINEST_GRID)
    factor = len(numbers) // FINEST_GRID
    keys = numbers * FINEST_GRID**2 + cells.repeat(factor, 0).repeat(factor, 1)
    counts = np.bincount(keys.ravel(), minlength=len(things) * FINEST_GRID**2)
    shares = counts.astype(np.float32) / factor**2
    return np.asarray(shares.reshape(len(things), FINEST_GRID, FINEST_GRID), np.float32)
