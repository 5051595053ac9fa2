"""The full-resolution path: a photo's lightness, and colours back on top of it (numpy, OpenCV).

Everything goes in strips of rows, so memory beyond input and output stays at a few megabytes.
OpenCV's own float conversion to CIELAB is not used: it is off by up to 0.23 L* and 0.6 in a.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.gamut import rgb_in_gamut
from colorflow.color.upsample import GuidedUpsampler

_STRIP_PIXELS = 1 << 17  # of float planes that fit the cache
_TABLE_MAX = 65535  # linear light in 16 bits: at most a twentieth of an 8-bit sRGB step (at black)


def lightness_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the lightness of a photo, by one rule: the CIE L* of the sRGB triple.

    A grey value v is the triple (v, v, v): whatever luma-like formula once made a grey file, the
    grey that its viewers see is the grey that the colours are put on.

    Args:
        pixels: (H, W) grey or (H, W, 3) sRGB, uint8.

    Returns:
        (H, W) float32, L* in [0, 100].

    Raises:
        ValueError: ``pixels`` has another shape or dtype.
    """
    check_pixels(pixels)
    if pixels.ndim == 2:
        return lightness_of_grey(np.arange(256) / 255).astype(np.float32)[pixels]
    linear = cie.srgb_to_linear(np.arange(256) / 255).astype(np.float32)
    to_y = cie.RGB_TO_RELATIVE_XYZ[1:2].astype(np.float32)
    height, width, _ = pixels.shape
    lightness = np.empty((height, width), np.float32)
    for strip in _strips(height, width):
        y = cv2.transform(cv2.LUT(np.ascontiguousarray(pixels[strip]), linear), to_y)
        lightness[strip] = cie.relative_to_response(np.asarray(y, np.float32))
    lightness *= 116
    lightness -= 16
    return lightness


def lightness_of_grey(grey: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give L* in [0, 100] of sRGB grey values in [0, 1], any shape."""
    return 116 * cie.relative_to_response(cie.srgb_to_linear(grey)) - 16


def render(lightness: NDArray[np.float32], ab_grid: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour a photo: chroma of the grid on the lightness, in full resolution.

    The lightness is kept: after rounding to 8 bits L* is within 0.5 of the one given. Where the
    chroma is zero the pixel is the grey of that lightness, with three equal values.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab_grid: (2, h, w), CIELAB units, any aspect ratio.

    Returns:
        (H, W, 3) uint8, sRGB.

    Raises:
        ValueError: an argument has another shape, or the chroma is not finite.
    """
    upsampler = GuidedUpsampler(ab_grid, lightness)
    to_byte = _linear_to_byte()
    height, width = lightness.shape
    pixels = np.empty((height, width, 3), np.uint8)
    for strip in _strips(height, width):
        rgb = rgb_in_gamut(lightness[strip], upsampler.rows(strip.start, strip.stop))
        np.clip(rgb, 0, 1, out=rgb)
        rgb *= _TABLE_MAX
        pixels[strip] = cv2.merge(list(np.take(to_byte, rgb.astype(np.uint16))))
    return pixels


def check_pixels(pixels: NDArray[np.uint8]) -> None:
    """Raise ``ValueError`` unless ``pixels`` is a uint8 grey or sRGB image."""
    shape_fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not shape_fits or pixels.size == 0:
        raise ValueError(
            "pixels: expected a uint8 array of shape (H, W) or (H, W, 3) with at least one pixel, "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )


@cache
def _linear_to_byte() -> NDArray[np.uint8]:
    """Map 16-bit linear light to 8-bit sRGB."""
    srgb = cie.linear_to_srgb(np.arange(_TABLE_MAX + 1) / _TABLE_MAX)
    return (255 * srgb + 0.5).astype(np.uint8)


def _strips(height: int, width: int) -> list[slice]:
    rows = max(1, _STRIP_PIXELS // width)
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
