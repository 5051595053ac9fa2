"""The loops over pixels of `colorflow.color`, compiled by numba: the same to the bit, and faster.

A pass of NumPy over a strip costs as much as all of a pixel's arithmetic here: 12 megapixels take a
third of the time. `colorflow.color.compiling` says when a process loads this module.

There is no `fastmath`: it would not round as NumPy does, and gray would not get three equal values.
numba's cache notices changes of this file, but not those of `gamut`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import float32, int64, uint8, uint16, void
from numba.core.types import Tuple
from numpy.typing import NDArray

from colorflow.color import gamut
from colorflow.color.gamut import BISECTIONS, BLACK, HALF, ONE, TOLERANCE, WHITE, ZERO

Array = NDArray[np.float32]

_CHUNK = 1024  # pixels whose floats fit the innermost cache
_ROW, _ROWS, _PLANES = float32[::1], float32[:, ::1], float32[:, :, ::1]
_TAPS = Tuple((int64[:, ::1], float32[:, ::1]))  # type: ignore[no-untyped-call]


def _compiled(*types: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compiles a function for arguments of these types, or takes it from the cache."""

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        signatures = [void(*own) for own in types]
        try:
            return numba.njit(signatures, cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError:  # no folder for a cache can be written
            return numba.njit(signatures, nogil=True, error_model="numpy")(function)

    return compiled


_inlined = numba.njit(inline="always", error_model="numpy")
_inner = numba.njit(nogil=True, error_model="numpy")
_linear_rgb, _excess = _inlined(gamut.linear_rgb), _inlined(gamut.excess)


@_compiled((_ROWS, _PLANES, _PLANES, _TAPS, _TAPS, _PLANES))
def upsample(
    lightness: Array, values: Array, slopes: Array, cubic: Any, linear: Any, ab: Array
) -> None:
    """`GuidedUpsampler.rows`.

    Args:
        lightness: (rows, w), L*.
        values: (3, h, w), a, b, and the smooth lightness.
        slopes: (2, h, w).
        cubic: for each row the numbers of 4 rows of `values` and their weights, both (rows, 4).
        linear: the same for 2 rows of `slopes`.
        ab: (2, rows, w), the result.
    """
    (i, v), (j, w) = cubic, linear
    for y in range(lightness.shape[0]):
        light, v0, v1, v2, v3 = lightness[y], v[y, 0], v[y, 1], v[y, 2], v[y, 3]
        smooth = values[2]
        s0, s1, s2, s3 = smooth[i[y, 0]], smooth[i[y, 1]], smooth[i[y, 2]], smooth[i[y, 3]]
        for c in range(2):
            plane, slope, result = values[c], slopes[c], ab[c, y]
            p0, p1, p2, p3 = plane[i[y, 0]], plane[i[y, 1]], plane[i[y, 2]], plane[i[y, 3]]
            q0, q1, w0, w1 = slope[j[y, 0]], slope[j[y, 1]], w[y, 0], w[y, 1]
            for x in range(len(light)):
                detail = light[x] - (s0[x] * v0 + s1[x] * v1 + s2[x] * v2 + s3[x] * v3)
                even = p0[x] * v0 + p1[x] * v1 + p2[x] * v2 + p3[x] * v3
                result[x] = (q0[x] * w0 + q1[x] * w1) * detail + even


@_inner
def _look_up(light: Array, table: Any, painted: Any, channel: int) -> None:
    """Fills one channel of pixels (3 n,)."""
    steps, scale = np.empty(_CHUNK, np.int32), np.float32(len(table) - 1)
    size = len(painted) // 3
    for x in range(size):
        above = light[x] if light[x] > ZERO else ZERO  # NaN is no place in the table
        steps[x] = np.int32(min(above, ONE) * scale)
    for x in range(size):
        painted[3 * x + channel] = table[np.uint32(steps[x])]


@_inner
def _shrink(lightness: Array, a: Array, b: Array, outside: Any) -> None:
    """Brings chroma to the edge of sRGB where it is outside, by bisection."""
    gray, across, up = lightness[outside], a[outside], b[outside]
    factor, step = np.zeros_like(gray), ONE
    for _ in range(BISECTIONS):
        step *= HALF
        for k in range(len(outside)):
            trial = factor[k] + step
            is_inside = _excess(_linear_rgb(gray[k], trial * across[k], trial * up[k])) <= ZERO
            factor[k] = trial if is_inside else factor[k]
    for k in range(len(outside)):
        a[outside[k]] *= factor[k]
        b[outside[k]] *= factor[k]


@_compiled(
    (_ROW, _ROW, _ROW, uint8[::1], uint8[::1]),
    (_ROW, _ROW, _ROW, uint16[::1], uint16[::1]),
)
def paint(lightness: Array, a: Array, b: Array, table: Any, pixels: Any) -> None:
    """Converts CIELAB to sRGB, shrinking chroma where needed.

    Args:
        lightness: (n,), L*.
        a: (n,); pixels outside sRGB are replaced in place.
        b: (n,), as well.
        table: maps steps of linear light in [0, 1] to sRGB.
        pixels: (3 n,), the result.
    """
    red, green = np.empty(_CHUNK, np.float32), np.empty(_CHUNK, np.float32)
    blue = np.empty(_CHUNK, np.float32)
    beyond, outside = np.empty(_CHUNK, np.bool_), np.empty(_CHUNK, np.int32)
    for start in range(0, len(lightness), _CHUNK):
        end = min(start + _CHUNK, len(lightness))
        gray, across, up = lightness[start:end], a[start:end], b[start:end]
        for x in range(len(gray)):
            has_room = (gray[x] > BLACK) & (gray[x] < WHITE)
            across[x] = across[x] if has_room else ZERO
            up[x] = up[x] if has_room else ZERO
            red[x], green[x], blue[x] = color = _linear_rgb(gray[x], across[x], up[x])
            beyond[x] = _excess(color) > TOLERANCE
        number = 0
        for x in range(len(gray)):
            outside[number] = x
            number += beyond[x]
        if number:
            _shrink(gray, across, up, outside[:number])
        for k in range(number):
            x = outside[k]
            red[x], green[x], blue[x] = _linear_rgb(gray[x], across[x], up[x])
        painted = pixels[3 * start : 3 * end]
        _look_up(red, table, painted, 0)
        _look_up(green, table, painted, 1)
        _look_up(blue, table, painted, 2)


@_compiled((_PLANES, _ROWS, int64, _PLANES))
def add_bands(planes: Array, bands: Array, reach: int, averaged: Array) -> None:
    """Adds the product of a band matrix and planes, (c, h, w), to `averaged`.

    Args:
        planes: (c, h, w).
        bands: (h, period): row y has values in columns y - reach to y + reach, modulo the period.
        reach: cells.
        averaged: (c, h, w).
    """
    height, period = bands.shape
    for c in range(planes.shape[0]):
        for y in range(height):
            out = averaged[c, y]
            for near in range(max(0, y - reach), min(height, y + reach + 1)):
                row, weight = planes[c, near], bands[y, near % period]
                for x in range(planes.shape[2]):
                    out[x] += weight * row[x]


@_inner
def _dot(x: Array, y: Array, width: int, tiny: Any) -> Any:
    """The sum of products, in the order in which `upsample` adds them up."""
    sums = np.zeros(width, np.float32)
    for start in range(0, len(x), width):
        some, others = x[start : start + width], y[start : start + width]
        for k in range(width):
            sums[k] += some[k] * others[k]
    total = ZERO
    for k in range(width):
        total += sums[k]
    return max(total, tiny)


@_inner
def _system(u: Array, weights: Array, width: int, result: Array) -> None:
    """The left side of the system of weighted least squares."""
    first, last = width + 1, len(u) - width - 1
    own, out = u[first:last], result[first:last]
    left, right, above, below = u[first - 1 :], u[first + 1 :], u[1:], u[first + width :]
    above_left, above_right, below_left, below_right = u, u[2:], u[2 * width :], u[2 * first :]
    from_left, to_right = weights[0, width:], weights[0, first:]
    from_above, to_below = weights[1, 1:], weights[1, first:]
    from_above_left, to_below_right = weights[2], weights[2, first:]
    from_above_right, to_below_left = weights[3, 2:], weights[3, first:]
    for x in range(len(own)):
        out[x] = (
            own[x]
            + (own[x] - left[x]) * from_left[x]
            + (own[x] - right[x]) * to_right[x]
            + (own[x] - above[x]) * from_above[x]
            + (own[x] - below[x]) * to_below[x]
            + (own[x] - above_left[x]) * from_above_left[x]
            + (own[x] - below_right[x]) * to_below_right[x]
            + (own[x] - above_right[x]) * from_above_right[x]
            + (own[x] - below_left[x]) * to_below_left[x]
        )


@_compiled((_ROW, _ROWS, _ROW, int64, int64, float32))
def descend(u: Array, weights: Array, diagonal: Array, width: int, steps: int, tiny: Any) -> None:
    """Conjugate gradients from m to the u of `colorflow.color.upsample`, in place.

    The cells lie in one row, line after line; around the grid there is a line of zeros.

    Args:
        u: (n,).
        weights: (4, n), of each kind of `NEIGHBORS`, at the pair's upper or left cell.
        diagonal: (n,).
        width: cells of a line.
        steps: how many.
        tiny: in place of zero, at the solution.
    """
    change = np.zeros_like(u)
    _system(u, weights, width, change)
    rest, toward, direction = np.zeros_like(u), np.zeros_like(u), np.zeros_like(u)
    for x in range(len(u)):
        rest[x] = u[x] - change[x]
        toward[x] = direction[x] = rest[x] / diagonal[x]
    size = _dot(rest, toward, width, tiny)
    for _ in range(steps):
        _system(direction, weights, width, change)
        length = size / _dot(direction, change, width, tiny)
        for x in range(len(u)):
            u[x] += length * direction[x]
            rest[x] -= length * change[x]
            toward[x] = rest[x] / diagonal[x]
        before, size = size, _dot(rest, toward, width, tiny)
        share = size / before
        for x in range(len(u)):
            direction[x] = toward[x] + share * direction[x]
