"""How far the colors of a photo are open, place by place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colorflow.color.upsample import upsample_ab


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uncertainty:
    """Intervals that hold the true a, and those that hold the true b, in the stated share of cells.

    Attributes:
        level: nominal share of cells whose true value lies inside.
        middle: (2, 64, 64) of the intervals of a and b, CIELAB units.
        half_width: (2, 64, 64) CIELAB units.
        calibrated: whether the weights bring the factor that makes the share right on photos that
            they were not trained on; otherwise the intervals are the model's own.
    """

    level: float
    middle: NDArray[np.float32]
    half_width: NDArray[np.float32]
    calibrated: bool

    @property
    def map(self) -> NDArray[np.float32]:
        """(64, 64): distance in ab of the intervals' corner from their middle, CIELAB units."""
        return np.hypot(*self.half_width)

    def at_full_size(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """The map brought to the photo, as chroma is: guided by lightness.

        Args:
            lightness: (H, W), L* in [0, 100].

        Returns:
            (H, W), CIELAB units, from 0.
        """
        a, b = upsample_ab(self.half_width, lightness)
        return np.hypot(a.clip(min=0), b.clip(min=0))
