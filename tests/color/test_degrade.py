"""Old prints: films that see colors in their own way, and lightness that stays lightness."""

from __future__ import annotations

import numpy as np
import pytest

from colorflow.color import degrade as module
from colorflow.color.degrade import degrade


@pytest.mark.parametrize(
    ("color", "panchromatic", "luma"),
    [
        # L* of the color, and of the gray that Rec. 601 makes of it.
        ((255, 0, 0), 53.24, 31.9),
        ((0, 0, 255), 32.30, 10.3),
    ],
)
def test_films_see_colors_as_films_did(
    monkeypatch: pytest.MonkeyPatch,
    color: tuple[int, int, int],
    panchromatic: float,
    luma: float,
) -> None:
    """Without damage: as it is, luma, or orthochromatic (red dark, blue light)."""
    monkeypatch.setattr(module, "_DAMAGES", [lambda lightness, _: lightness] * 6)
    patch = np.full((64, 64, 3), color, dtype=np.uint8)
    seen = [degrade(patch, np.random.default_rng(seed)) for seed in range(24)]
    assert all(np.ptp(lightness) < 0.01 for lightness in seen)
    levels = np.array([lightness.mean() for lightness in seen])
    as_it_is, by_luma = np.abs(levels - panchromatic) < 0.1, np.abs(levels - luma) < 0.6
    ortho = levels[~as_it_is & ~by_luma]
    assert as_it_is.any()
    assert by_luma.any()
    assert len(ortho) > 5
    if color[0]:
        # 12 % of the light at most: Y = 0.12 is L* 41.2.
        assert ortho.max() < 42
    else:
        # 25 % of the light at least: Y = 0.25 is L* 57.1.
        assert ortho.min() > 56
