"""Old prints: films that see colors in their own way, and lightness that stays lightness."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import skimage.data

from colorflow.color import degrade as module
from colorflow.color.degrade import degrade
from colorflow.color.grid import square_lightness


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


@pytest.mark.parametrize("damage", [module._tone, module._blur, module._shrink, module._stains])
def test_a_larger_square_has_the_same_damage(damage: Callable[..., np.ndarray]) -> None:
    """Reduced to the smaller square, it looks the same."""
    picture = skimage.data.astronaut()
    small, large = (square_lightness(picture, side) for side in (256, 384))

    def reduced(lightness: np.ndarray) -> np.ndarray:
        return cv2.resize(lightness, (256, 256), interpolation=cv2.INTER_AREA)

    unlike = np.abs(reduced(large) - small).mean()
    for seed in range(5):
        one, other = (damage(x, np.random.default_rng(seed)) for x in (small, large))
        assert other.shape == (384, 384)
        done = np.abs(one - small).mean()
        assert np.abs(reduced(other) - one).mean() < unlike + 0.05 * done


def test_a_square_of_another_side_is_in_range() -> None:
    seen = [
        degrade(skimage.data.astronaut(), np.random.default_rng(seed), 384) for seed in range(20)
    ]
    assert {x.shape for x in seen} == {(384, 384)}
    assert all(x.min() >= 0 and x.max() <= 100 and x.std() > 2 for x in seen)
