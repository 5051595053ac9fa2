"""The CIE formulas between sRGB and CIELAB (D65, 2 degree observer), in numpy.

The matrix is that of scikit-image and kornia (ITU-R BT.709 primaries with D65, six decimals). The
white point is the matrix applied to sRGB white, so that a gray triple has a = b = 0.

Colors that sRGB cannot show are brought into it by shrinking their chroma; lightness and hue stay.
Cutting the channels of an sRGB triple at 0 and 1 would move L* by up to 7, and the hue with it. The
pair (a, b) is multiplied by a factor that puts the color on the edge of sRGB at the same lightness.
How far sRGB reaches is looked up in a table, for the pixels outside sRGB alone (a few in a hundred
in a photo); all others are left as they are. The table is made by bisection, once, and so are the
factors of those few pixels for which it is too coarse. Its hues are directions d in [0, 4) on the
square |a| + |b| = 1, and its chroma is |a| + |b|: they need no angle.

`saturated` makes colors stronger or weaker, all of them or the pale ones alone; hues stay:

    C' = saturation * C * (1 + (pale - 1) * w),   w = (1 + (C / KNEE)**2)**-2

with C the chroma. w is 1 at gray and nearly 0 where colors are vivid: with ``pale`` 3 a chroma of 5
becomes 13, 15 becomes 22.5, and 50 becomes 51. C' is smooth, and rises with C for each ``pale`` of
the range (up to 5, where (C w)' = -1/4 would stop it).

Reference: IEC 61966-2-1:1999 (sRGB); CIE 15:2004 (CIELAB).
"""

from __future__ import annotations

from functools import cache

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

_STEPS, _DIRECTIONS = 400, 600  # of the table, in lightness and in hue
_ROWS_AT_ONCE = 16  # while the table is made, so that the cache holds them
_FARTHEST = 256.0  # |a| + |b| beyond all of sRGB
_BISECTIONS = 12  # |a| + |b| is exact to 0.06
_TOLERANCE = 1e-4  # linear light: a third of an 8-bit sRGB step at black, a fiftieth at white
_BLACK, _WHITE = 1e-3, 100 - 1e-3  # L* beyond which sRGB has room for 0.005 units of chroma


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


def rgb_in_gamut(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert one strip of CIELAB to linear sRGB, shrinking chroma where needed.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (2, H, W), CIELAB units; pixels outside sRGB are replaced in place.

    Returns:
        (3, H, W), linear sRGB in [0, 1], to a ten-thousandth.
    """
    if lightness.min() <= _BLACK or lightness.max() >= _WHITE:
        # Borders and blown skies can be half a photo: not worth a search.
        ab *= (lightness > _BLACK) & (lightness < _WHITE)
    rgb = lab_to_linear_rgb(lightness, ab)
    outside = np.flatnonzero(_excess(rgb) > _TOLERANCE)
    if outside.size:
        gray, chroma = np.take(lightness, outside), _taken(ab, outside)
        chroma *= _factor(gray, chroma)
        colors = lab_to_linear_rgb(gray, chroma)
        missed = np.flatnonzero(_excess(colors) > _TOLERANCE)
        if missed.size:
            chroma[:, missed] *= _farthest(gray[missed], chroma[:, missed], within=1)
            colors[:, missed] = lab_to_linear_rgb(gray[missed], chroma[:, missed])
        for plane, values in zip((*ab, *rgb), (*chroma, *colors), strict=True):
            np.put(plane, outside, values)
    return rgb


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


def _taken(planes: NDArray[np.float32], pixels: NDArray[np.intp]) -> NDArray[np.float32]:
    """(C, H, W) -> (C, N), much faster than one index for both axes."""
    return np.stack([np.take(plane, pixels) for plane in planes])


def _excess(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far linear sRGB leaves [0, 1], (3, ...) to (...); below 0 inside."""
    red, green, blue = rgb
    low = np.minimum(np.minimum(red, green), blue)
    high = np.maximum(np.maximum(red, green), blue)
    high -= 1
    return np.maximum(high, np.negative(low, out=low), out=high)


def _factor(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) factors in [0, 1] that bring (2, N) chroma to the edge of sRGB."""
    a, b = ab
    chroma = np.abs(a) + np.abs(b)
    direction = np.where(a >= 0, 1 + b / chroma, 3 - b / chroma)
    row = lightness * np.float32((_STEPS - 1) / 100)
    column = direction * np.float32(_DIRECTIONS / 4)
    top, left = row.astype(np.int32), column.astype(np.int32)
    row -= top
    column -= left
    reach = _reach()
    width = reach.shape[1]
    corner = top * width + left
    upper, lower = (
        (1 - column) * np.take(reach, index) + column * np.take(reach, index + 1)
        for index in (corner, corner + width)
    )
    return np.minimum((upper + row * (lower - upper)) / chroma, 1)


@cache
def _reach() -> NDArray[np.float32]:
    """The |a| + |b| at which sRGB ends, by lightness (rows) and direction (columns)."""
    lightness = np.linspace(0, 100, _STEPS, dtype=np.float32)
    direction = np.arange(_DIRECTIONS + 2) * (4 / _DIRECTIONS) % 4  # two more than a round
    b = np.where(direction <= 2, direction - 1, 3 - direction)
    a = np.where(direction <= 2, 1 - np.abs(b), np.abs(b) - 1)
    ab = np.tile(np.stack([a, b]).astype(np.float32), _ROWS_AT_ONCE)
    gray = np.repeat(lightness, len(direction)).reshape(-1, ab.shape[1])
    reach = np.stack([_farthest(rows, ab, within=_FARTHEST) for rows in gray])
    return reach.reshape(_STEPS, -1)


def _farthest(
    lightness: NDArray[np.float32], ab: NDArray[np.float32], *, within: float
) -> NDArray[np.float32]:
    """(N,) largest factors below ``within`` that keep (2, N) chroma inside sRGB, by bisection."""
    factor = np.zeros_like(lightness)
    for step in range(1, _BISECTIONS + 1):
        trial = factor + np.float32(within * 0.5**step)
        shown = _excess(lab_to_linear_rgb(lightness, trial * ab)) <= 0
        np.copyto(factor, trial, where=shown)
    return factor
