"""The full-resolution path: a photo's lightness, and colours back on top of it (numpy, OpenCV).

Everything goes in strips of rows, so memory beyond input and output stays at a few megabytes.
OpenCV's own float conversion to CIELAB is not used: it is off by up to 0.23 L* and 0.6 in a.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.gamut import rgb_in_gamut
from colorflow.color.upsample import GuidedUpsampler

_STRIP_PIXELS = 1 << 17  # of float planes that fit the cache
# Steps of linear light: of the bits of the result, each at most a twentieth of an sRGB step (at
# black) for 8, a fifth for 16.
_TABLE_MAX = {8: (1 << 16) - 1, 16: (1 << 22) - 1}


def lightness_of(pixels: NDArray[np.uint8 | np.uint16]) -> NDArray[np.float32]:
    """Give the lightness of a photo, by one rule: the CIE L* of the sRGB triple.

    A grey value v is the triple (v, v, v): whatever luma-like formula once made a grey file, the
    grey that its viewers see is the grey that the colours are put on.

    Args:
        pixels: (H, W) grey or (H, W, 3) sRGB, uint8 or uint16.

    Returns:
        (H, W) float32, L* in [0, 100].

    Raises:
        ValueError: ``pixels`` has another shape or dtype.
    """
    check_pixels(pixels, or_uint16=True)
    white = np.iinfo(pixels.dtype).max
    levels = np.arange(white + 1) / white
    height, width = pixels.shape[:2]
    lightness = np.empty((height, width), np.float32)
    if pixels.ndim == 2:
        table = lightness_of_grey(levels).astype(np.float32)
        for strip in _strips(height, width):
            lightness[strip] = _looked_up(pixels[strip], table)
        return lightness
    linear = cie.srgb_to_linear(levels).astype(np.float32)
    to_y = cie.RGB_TO_RELATIVE_XYZ[1:2].astype(np.float32)
    for strip in _strips(height, width):
        y = cv2.transform(_looked_up(pixels[strip], linear), to_y)
        lightness[strip] = cie.relative_to_response(np.asarray(y, np.float32))
    lightness *= 116
    lightness -= 16
    return lightness


def lightness_of_grey(grey: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give L* in [0, 100] of sRGB grey values in [0, 1], any shape."""
    return 116 * cie.relative_to_response(cie.srgb_to_linear(grey)) - 16


@overload
def render(
    lightness: NDArray[np.float32], ab_grid: NDArray[np.float32], *, bits: Literal[8] = 8
) -> NDArray[np.uint8]: ...


@overload
def render(
    lightness: NDArray[np.float32], ab_grid: NDArray[np.float32], *, bits: Literal[8, 16]
) -> NDArray[np.uint8] | NDArray[np.uint16]: ...


def render(
    lightness: NDArray[np.float32], ab_grid: NDArray[np.float32], *, bits: Literal[8, 16] = 8
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Colour a photo: chroma of the grid on the lightness, in full resolution.

    The lightness is kept: after rounding to 8 bits L* is within 0.5 of the one given, to 16 bits
    within 0.1. Where the chroma is zero the pixel is the grey of that lightness, with three equal
    values.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab_grid: (2, h, w), CIELAB units, any aspect ratio.
        bits: of each channel of the result.

    Returns:
        (H, W, 3), sRGB: uint8, or uint16 in [0, 65535] for 16 bits.

    Raises:
        ValueError: an argument has another shape, or the chroma is not finite.
    """
    upsampler = GuidedUpsampler(ab_grid, lightness)
    to_srgb, index = _linear_to_srgb(bits), np.uint16 if bits == 8 else np.int32
    height, width = lightness.shape
    pixels = np.empty((height, width, 3), to_srgb.dtype)
    for strip in _strips(height, width):
        rgb = rgb_in_gamut(lightness[strip], upsampler.rows(strip.start, strip.stop))
        np.clip(rgb, 0, 1, out=rgb)
        rgb *= _TABLE_MAX[bits]
        pixels[strip] = cv2.merge(list(np.take(to_srgb, rgb.astype(index))))
    return pixels


def check_pixels(pixels: NDArray[np.uint8 | np.uint16], *, or_uint16: bool = False) -> None:
    """Raise ``ValueError`` unless ``pixels`` is a uint8 (or uint16) grey or sRGB image."""
    shape_fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    type_fits = pixels.dtype == np.uint8 or (or_uint16 and pixels.dtype == np.uint16)
    if not type_fits or not shape_fits or pixels.size == 0:
        raise ValueError(
            f"pixels: expected a uint8{' or uint16' if or_uint16 else ''} array of shape (H, W) or "
            f"(H, W, 3) with at least one pixel, got {pixels.dtype} of shape {pixels.shape}"
        )


def _looked_up(
    pixels: NDArray[np.uint8 | np.uint16], table: NDArray[np.float32]
) -> NDArray[np.float32]:
    if pixels.dtype == np.uint8:
        return np.asarray(cv2.LUT(np.ascontiguousarray(pixels), table), np.float32)
    return np.take(table, pixels)


@cache
def _linear_to_srgb(bits: Literal[8, 16]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Map steps of linear light to sRGB."""
    steps = _TABLE_MAX[bits]
    srgb = cie.linear_to_srgb(np.arange(steps + 1) / steps)
    return ((2**bits - 1) * srgb + 0.5).astype(np.uint8 if bits == 8 else np.uint16)


def _strips(height: int, width: int) -> list[slice]:
    rows = max(1, _STRIP_PIXELS // width)
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
