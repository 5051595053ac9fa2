"""The numpy formulae, against scikit-image."""

from __future__ import annotations

import numpy as np
from skimage import color

from colorflow.color import cie

# scikit-image types the white point by hand (0.95047, 1, 1.08883): up to 0.005 units of a and b.
WHITE = 6e-3


def test_rgb_to_lab_is_scikit_image() -> None:
    rgb = np.random.default_rng(0).random((500, 3))
    np.testing.assert_allclose(cie.rgb_to_lab(rgb), color.rgb2lab(rgb), atol=WHITE)


def test_lab_to_linear_rgb_undoes_rgb_to_lab() -> None:
    rgb = np.random.default_rng(1).random((500, 3))
    rgb[:20] /= 100  # the linear ends of both curves
    lab = cie.rgb_to_lab(rgb)
    linear = cie.lab_to_linear_rgb(lab[:, 0], lab[:, 1:].T)
    np.testing.assert_allclose(cie.linear_to_srgb(linear).T, rgb, atol=2e-7)


def test_gray_is_gray_to_the_last_bit() -> None:
    lightness = np.linspace(0, 100, 100_001, dtype=np.float32)
    red, green, blue = cie.lab_to_linear_rgb(lightness, np.zeros((2, *lightness.shape), np.float32))
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)


def test_the_branches_of_the_cube_root_meet() -> None:
    response = np.linspace(-0.7, 1.1, 1801)
    relative = cie.response_to_relative(response)
    assert (np.diff(relative) > 0).all()
    np.testing.assert_allclose(cie.relative_to_response(relative), response, atol=1e-12)
