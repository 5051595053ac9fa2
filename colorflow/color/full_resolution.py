"""The full-resolution path: a photo's lightness, and colors back on top of it (numpy, OpenCV).

Everything goes in strips of rows, so memory beyond input and output stays at a few megabytes; as
many strips are worked on at once as OpenCV may use threads. OpenCV's own float conversion to CIELAB
is not used: it is off by up to 0.23 L* and 0.6 in a.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.compiling import compiled_loops
from colorflow.color.gamut import rgb_in_gamut
from colorflow.color.grid import Rows, check_pixels, tiles_of
from colorflow.color.upsample import GuidedUpsampler, finer
from colorflow.device import one_blas_thread

_SQUARE, _MARGIN = 256, 16
"""Pixels of the photo: side of a square that is painted at once, and what is seen around it."""
_STRIP_PIXELS = 1 << 16  # of float planes that fit the cache
# Steps of linear light: of the bits of the result, each at most a twentieth of an sRGB step (at
# black) for 8, a fifth for 16.
_TABLE_MAX = {8: (1 << 16) - 1, 16: (1 << 22) - 1}
_OPENCV_LOOKS_UP_16_BITS = int(cv2.__version__.partition(".")[0]) >= 5


def lightness_of(pixels: NDArray[np.uint8 | np.uint16]) -> NDArray[np.float32]:
    """Give the lightness of a photo, by one rule: the CIE L* of the sRGB triple.

    A gray value v is the triple (v, v, v): whatever luma-like formula once made a gray file, the
    gray that its viewers see is the gray that the colors are put on.

    Args:
        pixels: (H, W) gray or (H, W, 3) sRGB, uint8 or uint16.

    Returns:
        (H, W) float32, L* in [0, 100].

    Raises:
        ValueError: ``pixels`` has another shape or dtype.
    """
    rows = LightnessRows(pixels)
    lightness = np.empty(rows.shape, np.float32)

    def fill(strip: slice) -> None:
        lightness[strip] = rows[strip]

    _for_each_strip(fill, *rows.shape)
    return lightness


class LightnessRows:
    """The lightness of a photo, as `lightness_of` gives it, made for those rows that are asked for.

    A plane of floats takes four times the memory of a gray photo, and longer to fill than to make.

    Args:
        pixels: (H, W) gray or (H, W, 3) sRGB, uint8 or uint16.

    Raises:
        ValueError: ``pixels`` has another shape or dtype.
    """

    def __init__(self, pixels: NDArray[np.uint8 | np.uint16]) -> None:
        check_pixels(pixels, or_uint16=True)
        self.shape: tuple[int, int] = pixels.shape[:2]
        self._pixels = pixels
        self._table = _gray_table(pixels.dtype) if pixels.ndim == 2 else _linear_table(pixels.dtype)

    def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
        """(h, W), L* in [0, 100]."""
        values = _looked_up(self._pixels[rows], self._table)
        if values.ndim == 2:
            return values
        y = cv2.transform(values, cie.RGB_TO_RELATIVE_XYZ[1:2].astype(np.float32))
        lightness = cie.relative_to_response(np.asarray(y, np.float32))
        lightness *= 116
        lightness -= 16
        return lightness


@one_blas_thread()
def render(
    lightness: Rows, ab_grid: NDArray[np.float32], *, bits: Literal[8, 16] = 8
) -> NDArray[Any]:
    """Color a photo: chroma of the grid on the lightness, in full resolution.

    The lightness is kept: after rounding to 8 bits L* is within 0.5 of the one given, to 16 bits
    within 0.1. Where the chroma is zero the pixel is the gray of that lightness, with three equal
    values.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab_grid: (2, h, w), CIELAB units, any aspect ratio; that of the model's grid is brought to a
            finer one first, see `colorflow.color.upsample`.
        bits: of each channel of the result.

    Returns:
        (H, W, 3), sRGB: uint8, or uint16 in [0, 65535] for 16 bits.

    Raises:
        ValueError: an argument has another shape, or the chroma is not finite.
    """
    chroma, cells = finer(ab_grid, lightness)
    return render_upsampled(GuidedUpsampler(chroma, lightness, cells), lightness, bits=bits)


@one_blas_thread()
def render_upsampled(
    upsampler: GuidedUpsampler, lightness: Rows, *, bits: Literal[8, 16] = 8
) -> NDArray[Any]:
    """As `render`, of chroma from any grid, as it is.

    Args:
        upsampler: gives the chroma of each row.
        lightness: (H, W), L* in [0, 100].
        bits: of each channel of the result.
    """
    to_srgb = _linear_to_srgb(bits)
    height, width = lightness.shape
    pixels = np.empty((height, width, 3), to_srgb.dtype)

    def paint(strip: slice) -> None:
        gray = np.require(lightness[strip], np.float32, ("C", "W"))
        ab = upsampler.rows(strip.start, strip.stop, gray)
        if loops := compiled_loops():
            a, b = ab.reshape(2, -1)
            loops.paint(gray.reshape(-1), a, b, to_srgb, pixels[strip].reshape(-1))
            return
        rgb = rgb_in_gamut(gray, ab).clip(0, 1)
        rgb *= np.float32(len(to_srgb) - 1)
        steps = [channel.astype(np.uint16 if bits == 8 else np.int32) for channel in rgb]
        cv2.merge([_looked_up(channel, to_srgb) for channel in steps], pixels[strip])

    _for_each_strip(paint, height, width)
    return pixels


def render_own(
    pixels: NDArray[np.uint8], lightness: NDArray[np.float32], *, bits: Literal[8, 16] = 8
) -> NDArray[Any]:
    """Puts the chroma of a photo on its enlarged lightness, square by square.

    Args:
        pixels: (H, W) gray or (H, W, 3) sRGB.
        lightness: (sH, sW) L* in [0, 100].
        bits: of each channel of the result.

    Returns:
        (sH, sW) for a gray photo, (sH, sW, 3) sRGB otherwise: uint8 or uint16.
    """
    scale = lightness.shape[0] // pixels.shape[0]
    is_gray = pixels.ndim == 2
    depth = np.uint8 if bits == 8 else np.uint16
    painted = np.empty(lightness.shape if is_gray else (*lightness.shape, 3), depth)
    for tile in tiles_of(pixels.shape[:2], _SQUARE):
        # Chroma depends on what is around a square, which is cut off at the end.
        seen = tuple(slice(max(0, side.start - _MARGIN), side.stop + _MARGIN) for side in tile)
        if is_gray:
            ab = np.zeros((2, 1, 1), np.float32)
        else:
            lab = cie.rgb_to_lab(pixels[seen] / 255)
            ab = np.moveaxis(lab[..., 1:], -1, 0).astype(np.float32)
        larger = np.ascontiguousarray(lightness[tuple(_times(scale, side) for side in seen)])
        square = render_upsampled(GuidedUpsampler(ab, larger), larger, bits=bits)
        inner = tuple(
            slice(scale * (side.start - around.start), scale * (side.stop - around.start))
            for side, around in zip(tile, seen, strict=True)
        )
        middle = square[inner]
        painted[tuple(_times(scale, side) for side in tile)] = middle[..., 0] if is_gray else middle
    return painted


def _times(scale: int, pixels: slice) -> slice:
    return slice(scale * pixels.start, scale * pixels.stop)


def _looked_up(values: NDArray[Any], table: NDArray[Any]) -> NDArray[Any]:
    """The entries of a table at whole numbers, any shape."""
    if values.dtype == np.uint8 or (values.dtype == np.uint16 and _OPENCV_LOOKS_UP_16_BITS):
        return cv2.LUT(np.ascontiguousarray(values), table)  # half of the time
    return np.take(table, values)


@cache
def _gray_table(dtype: np.dtype[Any]) -> NDArray[np.float32]:
    return cie.lightness_of_gray(_levels(dtype)).astype(np.float32)


@cache
def _linear_table(dtype: np.dtype[Any]) -> NDArray[np.float32]:
    return cie.srgb_to_linear(_levels(dtype)).astype(np.float32)


def _levels(dtype: np.dtype[Any]) -> NDArray[np.float64]:
    white = np.iinfo(dtype).max
    return np.arange(white + 1) / white


@cache
def _linear_to_srgb(bits: Literal[8, 16]) -> NDArray[Any]:
    """Map steps of linear light to sRGB."""
    if bits not in _TABLE_MAX:
        raise ValueError(f"bits: expected 8 or 16, got {bits!r}")
    steps = _TABLE_MAX[bits]
    srgb = cie.linear_to_srgb(np.arange(steps + 1) / steps)
    return ((2**bits - 1) * srgb + 0.5).astype(np.uint8 if bits == 8 else np.uint16)


def _for_each_strip(function: Callable[[slice], None], height: int, width: int) -> None:
    rows = max(1, _STRIP_PIXELS // width)
    strips = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
    threads = min(cv2.getNumThreads(), len(strips))
    if threads <= 1:
        for strip in strips:
            function(strip)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(function, strips):
                pass
