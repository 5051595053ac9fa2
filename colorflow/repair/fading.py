"""Fading: tones brought back by a monotone curve from the picture's own histogram.

Prints fade toward the color of their paper: blacks become gray first, then everything pales. The
curve moves the darkest and the lightest tones of a picture most of the way to those of a fresh
print; what is darker or lighter still keeps its order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.full_resolution import lightness_of
from colorflow.color.gamut import rgb_in_gamut
from colorflow.photo import Photo

_BLACK, _WHITE = 6.0, 96.0
"""L* of the darkest and lightest tones of a fresh print."""
_TAIL = 0.5
"""Percent of the pixels that are darker, and lighter, than these tones: dust and glare."""
_STRENGTH = 0.8
"""How far the tones move, of the whole way."""
_LEAST_RANGE, _LEAST_CHANGE = 5.0, 2.0
"""L* units: a range of tones that a picture has at least, and by which it grows at least."""
_STRIP_PIXELS = 1 << 18
_LARGEST_GAIN = 2.5
"""Of contrast: more shows grain and compression instead of tones."""


def unfaded(photo: Photo) -> Photo:
    """The photo with its tones brought back: size, metadata, and chroma stay.

    A photo that has its tones is returned as it is, one of a single tone too.

    Args:
        photo: (H, W) gray or (H, W, 3).
    """
    lightness = lightness_of(photo.full_depth)
    tones = _tones_of(lightness)
    if tones is None:
        return photo
    pixels = photo.full_depth
    top = np.iinfo(pixels.dtype).max
    if pixels.ndim == 2:
        every = np.arange(top + 1, dtype=pixels.dtype)[None]
        table = _srgb_of(np.interp(lightness_of(every), *tones), np.zeros((2, *every.shape)))
        return photo.with_pixels(
            np.round(table[0, 0] * top).astype(pixels.dtype)[pixels], photo.alpha
        )
    result = np.empty_like(pixels)
    rows = max(1, _STRIP_PIXELS // photo.width)
    for first in range(0, photo.height, rows):
        strip = slice(first, first + rows)
        ab = np.moveaxis(cie.rgb_to_lab(pixels[strip] / np.float32(top))[..., 1:], -1, 0)
        srgb = _srgb_of(np.interp(lightness[strip], *tones), ab)
        result[strip] = np.round(np.moveaxis(srgb, 0, -1) * top)
    return photo.with_pixels(result, photo.alpha)


def _tones_of(
    lightness: NDArray[np.float32],
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """L* of the curve's knots, before and after; none if nothing has faded."""
    black, white = (float(x) for x in np.percentile(lightness, (_TAIL, 100 - _TAIL)))
    darker = black - _STRENGTH * max(0.0, black - _BLACK)
    lighter = white + _STRENGTH * max(0.0, _WHITE - white)
    gain = (lighter - darker) / max(white - black, 1e-6)
    if gain > _LARGEST_GAIN:  # both ends move less, by one factor
        share = (_LARGEST_GAIN - 1) / (gain - 1)
        darker, lighter = black + share * (darker - black), white + share * (lighter - white)
    if white - black < _LEAST_RANGE or lighter - darker - (white - black) < _LEAST_CHANGE:
        return None
    return (0.0, black, white, 100.0), (0.0, darker, lighter, 100.0)


def _srgb_of(lightness: NDArray[np.floating], ab: NDArray[np.floating]) -> NDArray[np.floating]:
    """(H, W) and (2, H, W) -> (3, H, W), sRGB in [0, 1]."""
    linear = rgb_in_gamut(lightness.astype(np.float32), ab.astype(np.float32))
    return cie.linear_to_srgb(np.clip(linear, 0, 1))
