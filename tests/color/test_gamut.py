"""Gamut mapping keeps lightness and hue, and touches nothing that sRGB can show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import color
from skimage.color.colorconv import rgb_from_xyz, xyz_from_rgb

from colorflow.color.cie import rgb_in_gamut


def random_box(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lightness and ab sampled from the whole box."""
    generator = np.random.default_rng(seed)
    lightness = generator.uniform(0, 100, (150, 200)).astype(np.float32)
    return lightness, generator.uniform(-128, 128, (2, 150, 200)).astype(np.float32)


def gamut_map(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """The chroma (2, H, W) that sRGB can show."""
    mapped = ab.copy()
    rgb_in_gamut(lightness, mapped)
    return mapped


def linear_rgb(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float64]:
    """Linear sRGB, not cut at 0 and 1, by scikit-image's matrices."""
    y = (lightness.astype(np.float64) + 16) / 116
    response = np.stack([y + ab[0] / 500, y, y - ab[1] / 200], axis=-1)
    white = xyz_from_rgb.sum(axis=1)
    xyz = np.where(response > 6 / 29, response**3, 3 * (6 / 29) ** 2 * (response - 4 / 29)) * white
    return xyz @ rgb_from_xyz.T


def test_every_result_lies_in_srgb() -> None:
    lightness, ab = random_box()
    assert (linear_rgb(lightness, ab).max(-1) > 1.01).mean() > 0.1, "nothing to do"
    rgb = linear_rgb(lightness, gamut_map(lightness, ab))
    assert rgb.min() > -2e-4
    assert rgb.max() < 1 + 2e-4


def test_hue_is_kept_and_chroma_only_shrinks() -> None:
    lightness, ab = random_box()
    mapped = gamut_map(lightness, ab)
    cross = ab[0] * mapped[1] - ab[1] * mapped[0]  # parallel ...
    np.testing.assert_allclose(cross, 0, atol=1e-2)
    assert ((ab * mapped).sum(0) >= 0).all()  # ... and not turned around
    assert (np.hypot(*mapped) <= np.hypot(*ab) + 1e-4).all()


def test_colors_that_srgb_shows_are_not_touched() -> None:
    rgb = np.random.default_rng(0).random((100, 100, 3))
    rgb[0] = np.eye(3)[np.arange(100) % 3]  # its corners too
    lab = color.rgb2lab(rgb).astype(np.float32)
    lightness, ab = lab[..., 0], np.moveaxis(lab[..., 1:], -1, 0)
    np.testing.assert_array_equal(gamut_map(lightness, ab), ab)


def test_black_and_white_have_no_chroma() -> None:
    lightness = np.array([[0, 100]], np.float32)
    ab = np.full((2, 1, 2), 60, np.float32)
    np.testing.assert_array_equal(gamut_map(lightness, ab), 0)


def test_chroma_is_what_bisection_finds() -> None:
    generator = np.random.default_rng(2)
    lightness = generator.uniform(1, 96, (200, 200)).astype(np.float32)  # gamut folds over at 97
    ab = generator.normal(0, 40, (2, 200, 200)).astype(np.float32)
    low, high = np.zeros(lightness.shape), np.ones(lightness.shape)
    for _ in range(20):
        middle = (low + high) / 2
        rgb = linear_rgb(lightness, middle * ab)
        inside = ((rgb >= 0) & (rgb <= 1)).all(-1)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    shrunk = low < 0.999
    error = (np.hypot(*gamut_map(lightness, ab)) - low * np.hypot(*ab))[shrunk]
    assert shrunk.mean() > 0.2
    assert np.abs(error).mean() < 0.05
    assert np.percentile(np.abs(error), 99.9) < 0.5
