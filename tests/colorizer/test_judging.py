"""Uncertainty and likelihood of colors."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import to_grid
from colorflow.color.upsample import upsample_ab
from colorflow.colorizer import Colorizer, PhotoModel
from colorflow.photo import Photo
from colorflow.recipe import Hint
from colorflow.result import Uncertainty
from tests.colorizer.made import ByHand, model_chroma, sampled
from tests.small_weights import FACTORS, save_small_weights

HINTS = (Hint(20, 30, 40, -20), Hint(80, 100, -30, 30))


@pytest.mark.parametrize(("level", "has_skin"), [(0.5, True), (0.9, True), (0.9, False)])
def test_uncertainty_is_the_stretched_interval_of_samples_at_std_1(
    colorizer: Colorizer,
    skinless: Colorizer,
    photo: Photo,
    by_hand: ByHand,
    level: float,
    has_skin: bool,
) -> None:
    """On skin, of its own colors."""
    tool = colorizer if has_skin else skinless
    got = tool.open(photo).uncertainty(20, seed=2, level=level)
    ab, latents = by_hand.sample(photo, range(2, 22))
    if has_skin:
        tints = (latents[0].sum((2, 3)) / 4).numpy()
        ab = by_hand.with_skin(photo, ab, tints)
    shares = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(ab, shares, axis=0, method="weibull")
    np.testing.assert_allclose(got.middle, (low + high) / 2, atol=0.02)
    np.testing.assert_allclose(got.half_width, FACTORS[level] * (high - low) / 2, atol=0.02)
    np.testing.assert_allclose(got.map, np.hypot(*got.half_width))
    assert got.map.shape == (64, 64)
    assert got.half_width.dtype == np.float32
    assert (got.level, got.calibrated) == (level, True)


def test_weights_that_are_not_calibrated_say_so(
    plain_colorizer: Colorizer, photo: Photo, tmp_path: Path
) -> None:
    plain = plain_colorizer
    half = Colorizer.load(save_small_weights(tmp_path / "half.safetensors", 0, {0.5: 2.0}))
    own, given = (colorizer.open(photo).uncertainty(3, level=0.5) for colorizer in (plain, half))
    assert (own.calibrated, given.calibrated) == (False, True)
    np.testing.assert_array_equal(given.half_width, 2 * own.half_width)
    np.testing.assert_array_equal(given.middle, own.middle)
    assert not half.open(photo).uncertainty(19, level=0.9).calibrated


def test_uncertainty_repeats_and_knows_hints(colorizer: Colorizer, photo: Photo) -> None:
    first, again, hinted, other = (
        colorizer.open(photo, hints=hints).uncertainty(9, seed, level=0.5)
        for hints, seed in (((), 0), ((), 0), (HINTS, 0), ((), 1))
    )
    np.testing.assert_array_equal(first.half_width, again.half_width)
    np.testing.assert_array_equal(first.middle, again.middle)
    assert np.abs(hinted.middle - first.middle).max() > 0.5
    assert np.abs(other.middle - first.middle).max() > 0.5


def test_the_map_at_full_size(colorizer: Colorizer, photo: Photo) -> None:
    lightness = lightness_of(photo.pixels)
    half_width = np.stack([np.full((64, 64), 3, np.float32), np.full((64, 64), 4, np.float32)])
    flat = Uncertainty(level=0.9, middle=half_width, half_width=half_width, calibrated=True)
    np.testing.assert_allclose(flat.at_full_size(lightness), 5, atol=1e-4)
    steep = np.zeros((2, 64, 64), np.float32)
    steep[:, :, 32:] = 30  # bicubic interpolation goes below zero beside the step
    edge = replace(flat, half_width=steep).at_full_size(lightness)
    assert edge.shape == lightness.shape
    a, b = upsample_ab(steep, lightness)
    assert a.min() < -0.5
    np.testing.assert_allclose(edge, np.hypot(a.clip(min=0), b.clip(min=0)), atol=1e-4)


@pytest.mark.parametrize("hints", [(), HINTS])
def test_log_prob_is_that_of_the_model(
    colorizer: Colorizer,
    photo: Photo,
    by_hand: ByHand,
    hints: tuple[Hint, ...],
) -> None:
    ab = torch.from_numpy(to_grid(photo.pixels))[None]
    with torch.no_grad():
        want = by_hand.pyramid.log_prob(ab, by_hand.condition(photo, hints)).numpy()
    own = colorizer.open(photo, hints=hints).log_prob()
    assert own.shape == (1,)
    np.testing.assert_allclose(own, want, rtol=1e-6)
    np.testing.assert_array_equal(colorizer.open(photo, hints=hints).log_prob(ab.numpy()), own)


def test_a_coloring_knows_its_likelihood_given_its_hints(
    colorizer: Colorizer, photo: Photo
) -> None:
    """More than are computed at once."""
    orders = []
    for hints in ((), HINTS):
        made = sampled(colorizer, photo, 11, 1.2, 3, hints=hints)
        want = colorizer.open(photo, hints=hints).log_prob(model_chroma(made))
        np.testing.assert_allclose([one.log_prob for one in made[::-1]], want[::-1], rtol=1e-6)
        assert made[9].bits_per_dim == pytest.approx(-want[9] / (8192 * math.log(2)))
        orders.append(np.argsort(want).tolist())
    assert orders[0] != orders[1]


def test_the_edge_of_the_box_has_no_density(
    colorizer: Colorizer, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PhotoModel, "log_prob", lambda _, ab: np.full(len(ab), np.nan))
    (made,) = sampled(colorizer, photo, 1)
    assert (made.log_prob, made.bits_per_dim) == (-math.inf, math.inf)
