"""The formulae against scikit-image, and chroma that is shrunk into sRGB or multiplied."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color
from skimage.color.colorconv import rgb_from_xyz, xyz_from_rgb

from colorflow.color import cie
from colorflow.color.cie import saturated
from colorflow.color.gamut import rgb_in_gamut

# scikit-image types the white point by hand (0.95047, 1, 1.08883): up to 0.005 units of a and b.
WHITE = 6e-3


def test_rgb_to_lab_is_scikit_image() -> None:
    rgb = np.random.default_rng(0).random((500, 3))
    np.testing.assert_allclose(cie.rgb_to_lab(rgb), color.rgb2lab(rgb), atol=WHITE)


def test_rgb_in_gamut_undoes_rgb_to_lab() -> None:
    rgb = np.random.default_rng(1).random((500, 3))
    rgb[:20] /= 100  # the linear ends of both curves
    lab = cie.rgb_to_lab(rgb).astype(np.float32)
    linear = rgb_in_gamut(lab[None, :, 0], lab[None, :, 1:].transpose(2, 0, 1))
    np.testing.assert_allclose(cie.linear_to_srgb(linear)[:, 0].T, rgb, atol=1e-5)


def test_gray_is_gray_to_the_last_bit() -> None:
    lightness = np.linspace(0, 100, 100_001, dtype=np.float32)
    red, green, blue = rgb_in_gamut(lightness[None], np.zeros((2, 1, lightness.size), np.float32))
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)


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
