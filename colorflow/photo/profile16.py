"""Profiles made of tone curves and a matrix, applied to 16 bits.

littlecms gives 8 bits when called through Pillow. The profiles of RGB working spaces, of most
cameras and of gray scans are a curve a channel and a matrix, which are quickly computed; for those
that hold tables (printers, some scanners) the caller has to do with 8 bits.

Reference: ICC.1:2022 (tags and types); IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np

from colorflow.photo.wide import WHITE, looked_up

_XYZ_TO_SRGB = np.linalg.inv(
    np.array(
        [
            [0.43606567, 0.38514709, 0.14306641],
            [0.22248840, 0.71687317, 0.06060791],
            [0.01391602, 0.09707642, 0.71408081],
        ]
    )
)
"""XYZ of the connection space (D50) to linear sRGB: inverse of sRGB's colorants in ICC profiles."""
_STEPS = 1 << 20
"""Steps of linear light: under one of 16-bit sRGB each."""
_STRIP_PIXELS = 1 << 18
_CURVES, _COLORANTS = (b"rTRC", b"gTRC", b"bTRC"), (b"rXYZ", b"gXYZ", b"bXYZ")
_TABLES = b"A2B0"
"""Tag of what a profile with tables holds."""
_HEADER_BYTES = 128
_NEAR_SRGB = 1 / 255


def through_profile(values: np.ndarray, icc: bytes) -> np.ndarray | None:
    """Gray or RGB of 16 bits through a profile to sRGB.

    Args:
        values: uint16 (H, W) or (H, W, 3).
        icc: the profile.

    Returns:
        uint16 of the same shape, the argument itself where the profile is sRGB; None where the
        profile holds no curves, is damaged or made for another color space.
    """
    try:
        profile = _Profile(icc)
        if values.ndim == 2:
            return _gray(values, profile)
        return _colors(values, profile) if profile.space == b"RGB " else None
    except (struct.error, ValueError, ArithmeticError, LookupError):
        return None


class _Profile:
    """The curves and the matrix of a profile.

    Raises:
        struct.error, ValueError, LookupError: damaged, or made of tables.
    """

    def __init__(self, icc: bytes) -> None:
        self.space, connection = icc[16:20], icc[20:24]
        (count,) = struct.unpack_from(">I", icc, _HEADER_BYTES)
        if icc[36:40] != b"acsp" or connection != b"XYZ " or count > 1000:
            raise ValueError("no profile of curves")
        entries = (
            struct.unpack_from(">4sII", icc, _HEADER_BYTES + 4 + 12 * i) for i in range(count)
        )
        tags = {name: icc[start : start + length] for name, start, length in entries}
        if _TABLES in tags:
            raise ValueError("a profile of tables")
        if self.space == b"GRAY":
            self.curves = [_curve(tags[b"kTRC"])]
        else:
            self.curves = [_curve(tags[name]) for name in _CURVES]
            colorants = [struct.unpack_from(">3i", tags[name], 8) for name in _COLORANTS]
            self._matrix = _XYZ_TO_SRGB @ np.array(colorants).T / 65536

    def linear_srgb(self, values: np.ndarray) -> np.ndarray:
        """RGB (..., 3) of uint16 to linear sRGB, float32, which may leave [0, 1]."""
        linear = [curve[values[..., i]] for i, curve in enumerate(self.curves)]
        return np.stack(linear, axis=-1) @ self._matrix.T.astype(np.float32)

    def tones(self) -> np.ndarray:
        """Linear light, float32, of the 65536 grays."""
        if self.space == b"GRAY":
            return self.curves[0]
        grays = np.arange(WHITE + 1)
        return self.linear_srgb(np.stack([grays] * 3, axis=-1)).mean(axis=-1)


def _curve(tag: bytes) -> np.ndarray:
    """The linear light, float32, of every 16-bit value."""
    signal = np.arange(WHITE + 1) / WHITE
    kind = tag[:4]
    if kind == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return signal.astype(np.float32)
        points = np.array(struct.unpack_from(f">{count}H", tag, 12))
        if count == 1:
            return np.power(signal, points[0] / 256).astype(np.float32)
        return np.interp(signal, np.linspace(0, 1, count), points / 65535).astype(np.float32)
    if kind != b"para":
        raise ValueError("an unknown kind of curve")
    (function,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[function]
    numbers = [n / 65536 for n in struct.unpack_from(f">{count}i", tag, 12)]
    return np.clip(_parametric(signal, function, numbers), 0, 1).astype(np.float32)


def _parametric(signal: np.ndarray, function: int, numbers: list[float]) -> np.ndarray:
    """The five functions of ICC.1, 10.18."""
    gamma, a, b, c, d, e, f = (*numbers, *[0.0] * (7 - len(numbers)))
    if function == 0:
        return np.power(signal, gamma)
    below, above = np.zeros_like(signal), 0.0
    if function <= 2:
        d = -b / a
        below += c
        above = c
    else:
        below = c * signal + f
        above = e
    power = np.power(np.maximum(a * signal + b, 0), gamma) + above
    return np.where(signal >= d, power, below)


def _gray(values: np.ndarray, profile: _Profile) -> np.ndarray | None:
    if profile.space not in (b"GRAY", b"RGB "):
        return None
    table = _to_srgb(profile.tones())
    grays = np.arange(WHITE + 1)
    if np.abs(table - grays).max() <= _NEAR_SRGB * WHITE:
        return values
    return looked_up(table, values)


def _colors(values: np.ndarray, profile: _Profile) -> np.ndarray:
    levels = np.linspace(0, WHITE, 9).astype(np.uint16)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    change = np.abs(_to_srgb(profile.linear_srgb(cube)).astype(int) - cube)
    if change.max() <= _NEAR_SRGB * WHITE:
        return values
    height, width, _ = values.shape
    rows = max(1, _STRIP_PIXELS // width)
    converted = np.empty_like(values)
    for top in range(0, height, rows):
        strip = slice(top, top + rows)
        converted[strip] = _to_srgb(profile.linear_srgb(values[strip]))
    return converted


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB of 16 bits, what lies outside cut."""
    steps = np.rint(np.clip(linear, 0, 1) * _STEPS).astype(np.int32)
    return np.asarray(_srgb_table()[steps])


@cache
def _srgb_table() -> np.ndarray:
    light = np.arange(_STEPS + 1) / _STEPS
    curve = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    signal = np.where(light <= 0.0031308, 12.92 * light, curve)
    return np.rint(WHITE * signal).astype(np.uint16)
