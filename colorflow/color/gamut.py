"""Colors that sRGB cannot show are brought into it by shrinking their chroma.

Lightness and hue stay. Cutting the channels of an sRGB triple at 0 and 1 would move L* by up to 7,
and the hue with it. The pair (a, b) is multiplied by a factor that puts the color on the edge of
sRGB at the same lightness. It is found by bisection, for the pixels outside sRGB alone (a few in a
hundred in a photo); all others are left as they are.

`linear_rgb` and `excess` take arrays and, compiled in `colorflow.color.loops`, numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie

BISECTIONS = 10
"""Chroma is exact to a thousandth of what it was."""

# Typed, since a number of Python's turns compiled loops into float64.
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
TOLERANCE = np.float32(1e-4)
"""Linear light: a third of an 8-bit sRGB step at black, a fiftieth at white."""
BLACK, WHITE = np.float32(1e-3), np.float32(100 - 1e-3)
"""L* beyond which sRGB has room for 0.005 units of chroma."""
_DELTA, _TANGENT = np.float32(cie.DELTA), np.float32(3 * cie.DELTA**2)
_OFFSET, _PER_LIGHTNESS = np.float32(16), np.float32(1 / 116)
_PER_A, _PER_B = np.float32(1 / 500), np.float32(-1 / 200)
((_RED_X, _, _RED_Z), (_GREEN_X, _, _GREEN_Z), (_BLUE_X, _, _BLUE_Z)) = (
    cie.RELATIVE_XYZ_TO_RGB.astype(np.float32)
)


def rgb_in_gamut(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert CIELAB to linear sRGB, shrinking chroma where needed.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (2, H, W), CIELAB units; pixels outside sRGB are replaced in place.

    Returns:
        (3, H, W), linear sRGB in [0, 1], to a ten-thousandth.
    """
    # Borders and blown skies can be half a photo: not worth a search.
    ab *= (lightness > BLACK) & (lightness < WHITE)
    rgb = np.stack(linear_rgb(lightness, *ab))
    outside = np.flatnonzero(excess(rgb) > TOLERANCE)
    if outside.size:
        gray, a, b = (np.take(plane, outside) for plane in (lightness, *ab))
        factor, step = np.zeros_like(gray), ONE
        for _ in range(BISECTIONS):
            step *= HALF
            trial = factor + step
            is_inside = excess(linear_rgb(gray, trial * a, trial * b)) <= ZERO
            np.copyto(factor, trial, where=is_inside)
        colors = linear_rgb(gray, a * factor, b * factor)
        for plane, values in zip((*ab, *rgb), (a * factor, b * factor, *colors), strict=True):
            np.put(plane, outside, values)
    return rgb


def linear_rgb(lightness: Any, a: Any, b: Any) -> Any:
    """Linear sRGB of colors, which leaves [0, 1] where sRGB cannot show them.

    White is (1, 1, 1) in both spaces, so each row of the matrix sums to 1 and only differences from
    gray need it: a gray pixel stays gray to the last bit.
    """

    def relative(response: Any) -> Any:
        """The cube, and below DELTA its tangent at DELTA."""
        bounded = np.maximum(response, _DELTA)
        return bounded * bounded * bounded + (response - bounded) * _TANGENT

    response = (lightness + _OFFSET) * _PER_LIGHTNESS
    y = relative(response)
    x_minus_y = relative(response + a * _PER_A) - y
    z_minus_y = relative(response + b * _PER_B) - y
    return (
        y + _RED_X * x_minus_y + _RED_Z * z_minus_y,
        y + _GREEN_X * x_minus_y + _GREEN_Z * z_minus_y,
        y + _BLUE_X * x_minus_y + _BLUE_Z * z_minus_y,
    )


def excess(rgb: Any) -> Any:
    """How far linear sRGB leaves [0, 1]; below 0 inside."""
    red, green, blue = rgb
    high = np.maximum(np.maximum(red, green), blue) - ONE
    return np.maximum(high, -np.minimum(np.minimum(red, green), blue))
