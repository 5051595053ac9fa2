"""Chroma times a factor, and that of pale colors times another."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorflow.color.cie import saturated

PALES = (0.0, 0.5, 1.0, 2.0, 3.0)


def on_a_ray(chroma: NDArray[np.float64], hue: float = 2.5) -> NDArray[np.float32]:
    """(2, n) ab of one hue."""
    return np.stack([chroma * np.cos(hue), chroma * np.sin(hue)]).astype(np.float32)


def test_a_factor_multiplies_chroma_and_keeps_hue() -> None:
    ab = np.random.default_rng(0).normal(0, 30, (2, 64, 64)).astype(np.float32)
    assert np.array_equal(saturated(ab), ab), "to the bit"
    assert np.allclose(saturated(ab, 1.7), 1.7 * ab, rtol=1e-6)
    assert not saturated(ab, 0).any()
    for pale in PALES[1:]:
        changed = saturated(ab, 0.8, pale)
        assert changed.dtype == np.float32
        assert np.abs(np.arctan2(*changed) - np.arctan2(*ab)).max() < 1e-5


def test_pale_colors_change_and_vivid_ones_stay() -> None:
    pale, skin, vivid = np.hypot(*saturated(on_a_ray(np.array([3.0, 15.0, 60.0])), 1, 3))
    assert 8 < pale < 9
    assert 20 < skin < 25
    assert abs(vivid - 60) < 1


@pytest.mark.parametrize("pale", PALES)
def test_more_chroma_stays_more_without_a_step(pale: float) -> None:
    """An 8-bit picture steps by about 0.4 in chroma; neighbors stay neighbors, in their order."""
    chroma = np.linspace(0, 130, 1301)
    changed = np.hypot(*saturated(on_a_ray(chroma), 1, pale))
    steps = np.diff(changed)
    assert steps.min() > -1e-4
    assert steps.max() < 0.1 * max(1.5, pale) + 1e-3
    assert np.abs(np.diff(steps)).max() < 0.01, "no kink"


@pytest.mark.parametrize("factors", [(-0.1, 1), (2.1, 1), (1, -0.1), (1, 3.1), (float("nan"), 1)])
def test_other_factors_are_refused(factors: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"expected 0 to [23], got"):
        saturated(np.zeros((2, 1, 1), np.float32), *factors)
