"""Progress of a run, and the learning rate and averaging that follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

WARM_UP_STEPS = 200
FINAL_SHARE = 0.02
"""The cosine ends at this share of the peak learning rate."""
EMA_DECAY = 0.999


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Length of a training: a number of steps, or minutes.

    Attributes:
        steps: optimizer steps, or None.
        minutes: minutes of training, without evaluations, or None.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("expected either steps or minutes")
        if not (self.steps or self.minutes or 0) > 0:
            raise ValueError(f"expected a positive budget, got {self.steps or self.minutes}")

    @property
    def total(self) -> float:
        """Steps, or seconds."""
        return self.steps or 60 * (self.minutes or 0)

    def used(self, step: int, seconds: float) -> float:
        """Steps, or seconds, that are used up."""
        return step if self.steps is not None else seconds

    def progress(self, step: int, seconds: float) -> float:
        """Used share of the budget, in [0, 1]."""
        return min(1.0, self.used(step, seconds) / self.total)


def learning_rate(peak: float, step: int, progress: float) -> float:
    """Linear warm-up, then cosine decay to `FINAL_SHARE` of the peak."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * warm * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)


def ema_decay(step: int) -> float:
    """Decay of the moving average, rising to `EMA_DECAY`."""
    return min(EMA_DECAY, (1 + step) / (10 + step))
