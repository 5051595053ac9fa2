"""The CIE formulas between 8-bit sRGB and CIELAB (D65, 2 degree observer), in numpy.

The matrix is that of scikit-image and kornia (ITU-R BT.709 primaries with D65, six decimals). The
white point is the matrix applied to sRGB white, so that a gray triple has a = b = 0.

Reference: IEC 61966-2-1:1999 (sRGB); CIE 15:2004 (CIELAB).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Linear sRGB -> XYZ, rows X, Y, Z (ITU-R BT.709-6 primaries and D65).
RGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE = RGB_TO_XYZ.sum(axis=1)
# Linear sRGB -> XYZ relative to white, and back, as CIELAB needs it.
RGB_TO_RELATIVE_XYZ = RGB_TO_XYZ / WHITE[:, None]
RELATIVE_XYZ_TO_RGB = np.linalg.inv(RGB_TO_RELATIVE_XYZ)

DELTA = 6 / 29  # CIE 15:2004: below DELTA**3 the cube root is replaced by a line


def srgb_to_linear(srgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Undo the sRGB transfer curve; any shape, [0, 1] to [0, 1]."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    """Apply the sRGB transfer curve; any shape, [0, 1] to [0, 1]."""
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, curve)


def relative_to_response(relative: NDArray[np.floating]) -> NDArray[np.floating]:
    """CIELAB's f: a tristimulus value relative to white, to the cube-root-like response."""
    return np.where(relative > DELTA**3, np.cbrt(relative), relative / (3 * DELTA**2) + 4 / 29)


def response_to_relative(response: NDArray[np.floating]) -> NDArray[np.floating]:
    """Inverse of :func:`relative_to_response`."""
    # The cube, and below DELTA its tangent at DELTA, without branching.
    bounded = np.clip(response, DELTA, np.inf)  # twice as fast as np.maximum with a scalar
    relative = bounded * bounded
    relative *= bounded
    below = np.subtract(response, bounded, out=bounded)
    below *= 3 * DELTA**2
    relative += below
    return relative


def rgb_to_lab(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Convert sRGB in [0, 1] to CIELAB, both (..., 3); L* in [0, 100]."""
    relative = srgb_to_linear(rgb) @ RGB_TO_RELATIVE_XYZ.T
    x, y, z = np.moveaxis(relative_to_response(relative), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lightness_of_gray(gray: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give L* in [0, 100] of sRGB gray values in [0, 1], any shape."""
    return 116 * relative_to_response(srgb_to_linear(gray)) - 16


def lab_to_linear_rgb(
    lightness: NDArray[np.floating], ab: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Convert CIELAB to linear sRGB, which leaves [0, 1] where sRGB cannot show the color.

    Args:
        lightness: (...), L* in [0, 100].
        ab: (2, ...), CIELAB units.

    Returns:
        (3, ...), linear sRGB; three equal values exactly where ab is zero.
    """
    response = lightness + 16
    response *= 1 / 116
    y = response_to_relative(response)
    # White is (1, 1, 1) in both spaces, so each row of the matrix sums to 1 and only differences
    # from gray need it: a gray pixel stays gray to the last bit.
    x_minus_y, z_minus_y = ab[0] * (1 / 500), ab[1] * (-1 / 200)
    for difference in (x_minus_y, z_minus_y):
        difference += response
        np.subtract(response_to_relative(difference), y, out=difference)
    rgb = np.empty((3, *lightness.shape), dtype=y.dtype)
    for channel, (from_x, _, from_z) in zip(rgb, RELATIVE_XYZ_TO_RGB.tolist(), strict=True):
        np.multiply(x_minus_y, from_x, out=channel)
        channel += y
        channel += np.multiply(z_minus_y, from_z, out=response)
    return rgb
