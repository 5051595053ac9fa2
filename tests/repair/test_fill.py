"""Grain: its strength and its spectrum against drawn noise, and what must not be taken for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorflow.repair.fill import Grain


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def noise_of(size: float, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Noise of std 1; `size` is the std of its blur in pixels."""
    noise = rng.standard_normal(shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), size) if size else noise
    return np.asarray(noise / noise.std())


def crack(shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[:, shape[1] // 2 - 5 : shape[1] // 2 + 5] = True
    return mask


def neighbors(x: np.ndarray) -> float:
    """Correlation of pixels above each other."""
    return float(np.corrcoef(x[:-1].ravel(), x[1:].ravel())[0, 1])


def made(lightness: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(lightness.shape).astype(np.float32)
    return Grain(lightness, mask).around(lightness, mask, noise)[mask].reshape(len(mask), -1)


@pytest.mark.parametrize("size", [0.0, 0.7, 1.1])
def test_grain_is_as_strong_and_as_coarse_as_that_around(
    size: float, rng: np.random.Generator
) -> None:
    shape, std = (300, 260), float(rng.uniform(0.5, 5))
    drawn = std * noise_of(size, rng, shape)
    lightness = (50 + drawn).astype(np.float32)
    mask = crack(shape)
    lightness[mask] = 80  # of what was filled in nothing is taken
    grain = made(lightness, mask, rng)
    detail = drawn - cv2.GaussianBlur(drawn, (0, 0), 2.0)
    assert grain.std() / detail.std() == pytest.approx(0.85, abs=0.12)
    assert neighbors(grain) == pytest.approx(neighbors(detail), abs=0.12)
    assert abs(grain.mean()) < 0.2 * std


def test_outlines_and_texture_are_not_grain(rng: np.random.Generator) -> None:
    shape = (300, 260)
    lightness = 30 + noise_of(0.7, rng, shape)
    lightness[100:] += 40
    lightness[:, 190:] += 15 * np.sin(np.arange(70, dtype=np.float32))
    mask = crack(shape)
    assert made(lightness.astype(np.float32), mask, rng).std() < 1.3


def test_a_place_in_the_middle_of_texture_gets_the_grain_of_the_print(
    rng: np.random.Generator,
) -> None:
    shape = (300, 260)
    lightness = 50 + noise_of(0.7, rng, shape)
    lightness[:, 80:180] += 12 * noise_of(1.0, rng, (300, 100))
    mask = crack(shape)
    assert made(lightness.astype(np.float32), mask, rng).std() < 1.6


@pytest.mark.parametrize("tone", [0, 100])
def test_black_and_white_stay_clean(tone: float, rng: np.random.Generator) -> None:
    """Their grain would be cut off on one side: specks."""
    shape = (300, 260)
    lightness = 50 + 3 * noise_of(0.7, rng, shape)
    mask = crack(shape)
    lightness[mask] = tone
    assert not made(lightness.astype(np.float32), mask, rng).any()


@pytest.mark.parametrize("what", ["flat", "all hidden", "white", "tiny"])
def test_where_there_is_none_none_is_made(what: str, rng: np.random.Generator) -> None:
    shape = (9, 20) if what == "tiny" else (120, 100)
    lightness = np.full(shape, 100 if what == "white" else 40, np.float32)
    if what == "all hidden":
        lightness += noise_of(0.7, rng, shape)
    mask = np.ones(shape, bool) if what == "all hidden" else crack(shape)
    assert np.array_equal(made(lightness, mask, rng), np.zeros((shape[0], mask[0].sum())))
