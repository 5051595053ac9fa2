"""Budgets, learning rate and the moving average's decay."""

from __future__ import annotations

import math

import pytest

from colorflow.training.trainer import Budget, ema_decay, learning_rate


@pytest.mark.parametrize(
    ("step", "progress", "share"),
    [
        (0, 0.0, 1 / 200),
        (99, 0.0, 0.5),
        (199, 0.0, 1.0),
        (10_000, 0.0, 1.0),
        (10_000, 0.5, 0.51),
        (10_000, 1 / 3, 0.02 + 0.98 * 0.75),  # cos(60°) = 1/2
        (10_000, 1.0, 0.02),
        (99, 1.0, 0.01),
    ],
)
def test_learning_rate(step: int, progress: float, share: float) -> None:
    assert learning_rate(3e-3, step, progress) == pytest.approx(3e-3 * share, rel=1e-12)


@pytest.mark.parametrize(
    ("step", "decay"), [(0, 1 / 10), (1, 2 / 11), (90, 0.91), (8989, 8990 / 8999), (9000, 0.999)]
)
def test_ema_warms_up(step: int, decay: float) -> None:
    assert ema_decay(step) == pytest.approx(decay, rel=1e-12)
    assert ema_decay(10**7) == 0.999


def test_progress() -> None:
    steps, minutes = Budget(steps=8), Budget(minutes=2)
    assert [steps.progress(step, 1e6) for step in (0, 2, 8, 9)] == [0, 0.25, 1, 1]
    assert [minutes.progress(10**6, seconds) for seconds in (0, 30, 120, 121)] == [0, 0.25, 1, 1]


@pytest.mark.parametrize("steps", [None, 0, -1])
@pytest.mark.parametrize("minutes", [None, 0.0, -2.0, math.nan])
def test_budgets_that_are_none(steps: int | None, minutes: float | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        Budget(steps=steps, minutes=minutes)
    with pytest.raises(ValueError, match="expected either steps or minutes"):
        Budget(steps=3, minutes=1.0)
