"""Tones brought back: order, range, chroma, depth."""

from __future__ import annotations

import numpy as np
import pytest

from colorflow.color import cie
from colorflow.color.full_resolution import lightness_of
from colorflow.color.gamut import rgb_in_gamut
from colorflow.photo import read_picture
from colorflow.repair.fading import unfaded


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def faded(rng: np.random.Generator, low: float, high: float, *, color: bool) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 with L* from low to high."""
    lightness = rng.uniform(low, high, (60, 80)).astype(np.float32)
    ab = rng.uniform(-6, 6, (2, 60, 80)).astype(np.float32) * color
    srgb = cie.linear_to_srgb(np.clip(rgb_in_gamut(lightness, ab), 0, 1))
    pixels = np.moveaxis(srgb, 0, -1) if color else srgb[0]
    return np.round(pixels * 255).astype(np.uint8)


@pytest.mark.parametrize("color", [False, True])
def test_tones_reach_those_of_a_print_in_their_order(rng: np.random.Generator, color: bool) -> None:
    photo = read_picture(faded(rng, 35, 80, color=color))[0]
    before, after = lightness_of(photo.pixels), lightness_of(unfaded(photo).pixels)
    assert after.min() == pytest.approx(6 + 0.2 * 29, abs=1.5)
    assert after.max() == pytest.approx(96 - 0.2 * 16, abs=1.5)
    order = np.argsort(before, axis=None)
    assert (np.diff(after.flat[order]) > -1.0).all()


def test_chroma_stays(rng: np.random.Generator) -> None:
    photo = read_picture(faded(rng, 40, 70, color=True))[0]
    before, after = (cie.rgb_to_lab(one.pixels / 255)[..., 1:] for one in (photo, unfaded(photo)))
    assert np.abs(after - before).max() < 2.0


def test_sixteen_bits_and_metadata_stay(rng: np.random.Generator) -> None:
    pixels = faded(rng, 30, 60, color=False).astype(np.uint16) * 257 + 3
    photo = read_picture(pixels)[0]
    result = unfaded(photo)
    assert result.full_depth.dtype == np.uint16
    assert len(np.unique(result.full_depth)) == len(np.unique(pixels))
    assert result.metadata == photo.metadata


@pytest.mark.parametrize(("low", "high"), [(5, 97), (50, 50.1), (5, 5.1)])
def test_a_photo_with_all_tones_and_one_with_none_stay(
    rng: np.random.Generator, low: float, high: float
) -> None:
    photo = read_picture(faded(rng, low, high, color=False))[0]
    assert unfaded(photo) is photo


def test_contrast_grows_two_and_a_half_times_at_most(rng: np.random.Generator) -> None:
    photo = read_picture(faded(rng, 50, 60, color=False))[0]
    before, after = lightness_of(photo.pixels), lightness_of(unfaded(photo).pixels)
    assert np.ptp(after) == pytest.approx(2.5 * np.ptp(before), rel=0.1)
