"""How far a run is, and what learning rate and averaging belong to that."""

from __future__ import annotations

import math
from dataclasses import dataclass

WARM_UP_STEPS = 200
FINAL_SHARE = 0.02
"""The cosine ends at this share of the peak learning rate."""
EMA_DECAY = 0.999


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """When a level is done: after a number of steps, or after minutes of training.

    Attributes:
        steps: optimizer steps, or None.
        minutes: minutes of training on this level, without evaluations, or None.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("expected either steps or minutes")
        if not (self.steps or self.minutes or 0) > 0:
            raise ValueError(f"expected a positive budget, got {self.steps or self.minutes}")

    def progress(self, step: int, seconds: float) -> float:
        """Share of the budget that is used, in [0, 1]."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        assert self.minutes is not None
        return min(1.0, seconds / (60 * self.minutes))


def learning_rate(peak: float, step: int, progress: float) -> float:
    """Linear warm-up, then a cosine down to `FINAL_SHARE` of the peak."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * warm * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)


def ema_decay(step: int) -> float:
    """Decay of the moving average: short at first, then `EMA_DECAY`."""
    return min(EMA_DECAY, (1 + step) / (10 + step))
