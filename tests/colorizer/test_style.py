"""The latents of another photo, carried over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.grid import to_grid
from colorflow.colorizer import ColoringSpec, Colorizer, Hint
from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid
from colorflow.photo import Photo
from tests.colorizer.made import model_chroma, sampled
from tests.small_weights import GAIN

ALL = (1.0,) * 5
HINTS = (Hint(20, 30, 40, -20), Hint(80, 100, -30, 30))


def pooled(ab: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Means over blocks of 128 atanh(ab / 128), which the levels split exactly."""
    u = 128 * np.arctanh(ab.astype(np.float64) / 128)
    factor = u.shape[-1] // side
    return u.reshape(*u.shape[:-2], side, factor, side, factor).mean((-3, -1))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_strength_1_in_all_levels_gives_a_photo_its_own_colors(
    colorizer: Colorizer, cup: Photo, temperature: float
) -> None:
    spec = ColoringSpec(seeds=(7,) * 5, temperature=temperature, style_strengths=ALL)
    predictions = colorizer.reproduce(cup, [spec], style=cup)
    assert np.abs(predictions[0].model_ab - to_grid(cup.pixels)).max() <= 1e-2


def test_coarse_latents_are_the_references_and_fine_ones_are_sampled(
    colorizer: Colorizer, photo: Photo, cup: Photo, encode: Callable[..., list[Tensor]]
) -> None:
    """The reference's given its own lightness, the others those of the plain sample."""
    ab = model_chroma(sampled(colorizer, photo, n=2, seed=3, style=cup, style_strength=1))
    plain_ab = model_chroma(sampled(colorizer, photo, n=2, seed=3))
    got, plain = (
        encode(photo, ab),
        encode(photo, plain_ab),
    )
    wanted = encode(cup, to_grid(cup.pixels)[None])
    for level in (0, 1):
        assert (got[level] - wanted[level]).abs().max() < 0.01
    for level in (2, 3, 4):
        assert (got[level] - plain[level]).abs().max() < 0.01
    assert np.abs(pooled(ab[0], 8) - pooled(ab[1], 8)).max() < 1e-3
    assert np.abs(ab[0] - ab[1]).max() > 1


def test_hints_are_of_the_photo_and_not_of_its_reference(
    colorizer: Colorizer,
    cup: Photo,
    pyramid: ChromaPyramid,
    condition_of: Callable[..., Condition],
) -> None:
    spec = ColoringSpec(seeds=(7,) * 5, style_strengths=ALL)
    given = model_chroma(colorizer.reproduce(cup, [spec], style=cup, hints=HINTS))
    with torch.no_grad():
        ab = torch.from_numpy(to_grid(cup.pixels))[None]
        latents = pyramid.encode(ab, condition_of(cup), GAIN)
        want = pyramid.decode(latents, condition_of(cup, HINTS), GAIN).numpy()
    np.testing.assert_allclose(given, want, atol=0.01)
    assert np.abs(given - to_grid(cup.pixels)).max() > 0.5
