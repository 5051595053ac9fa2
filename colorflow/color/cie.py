"""The CIE formulas between sRGB and CIELAB (D65, 2 degree observer), in numpy.

The matrix is that of scikit-image and kornia (ITU-R BT.709 primaries with D65, six decimals). The
white point is the matrix applied to sRGB white, so that a gray triple has a = b = 0.

`saturated` makes colors stronger or weaker, all of them or the pale ones alone; hues stay:

    C' = saturation * C * (1 + (pale - 1) * w),   w = (1 + (C / KNEE)**2)**-2

with C the chroma. w is 1 at gray and nearly 0 where colors are vivid: with ``pale`` 3 a chroma of 5
becomes 13, 15 becomes 22.5, and 50 becomes 51. C' is smooth, and rises with C for each ``pale`` of
the range (up to 5, where (C w)' = -1/4 would stop it).

Reference: IEC 61966-2-1:1999 (sRGB); CIE 15:2004 (CIELAB).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.limits import LARGEST_PALE, LARGEST_SATURATION, check_range

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

SRGB_REACH = 108.0
"""No color of sRGB has |a| or |b| above this (CIELAB units; b of pure blue is -107.9)."""

KNEE = 15.0  # chroma at which `pale` has a quarter of its effect, CIELAB units: that of skin


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


def rgb_to_lab(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Convert sRGB in [0, 1] to CIELAB, both (..., 3); L* in [0, 100]."""
    relative = srgb_to_linear(rgb) @ RGB_TO_RELATIVE_XYZ.T
    x, y, z = np.moveaxis(relative_to_response(relative), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lightness_of_gray(gray: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give L* in [0, 100] of sRGB gray values in [0, 1], any shape."""
    return 116 * relative_to_response(srgb_to_linear(gray)) - 16


def saturated(
    ab: NDArray[np.float32], saturation: float = 1.0, pale: float = 1.0
) -> NDArray[np.float32]:
    """Multiply chroma.

    Args:
        ab: (2, ...), CIELAB units.
        saturation: factor on all chroma, 0 (gray) to `LARGEST_SATURATION`.
        pale: factor on the chroma of colors near gray, 0 to `LARGEST_PALE`.

    Returns:
        (2, ...), CIELAB units; `ab` to the bit where both factors are 1.

    Raises:
        ValueError: a factor is out of range.
    """
    check_saturation(saturation, pale)
    nearness = (1 + (ab**2).sum(axis=0) / KNEE**2) ** -2
    factor: NDArray[np.float32] = saturation * (1 + (pale - 1) * nearness)
    return (ab * factor).astype(np.float32)


def check_saturation(saturation: float, pale: float) -> None:
    """Raises `ValueError` for a factor that is out of range."""
    check_range("saturation", saturation, 0, LARGEST_SATURATION)
    check_range("pale", pale, 0, LARGEST_PALE)
