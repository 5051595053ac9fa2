"""Bringing colours into sRGB by shrinking chroma; lightness and hue stay.

Cutting the channels of an sRGB triple at 0 and 1 moves L* by up to 7, and the hue with it. Here
the pair (a, b) is multiplied by a factor that puts the colour on the edge of sRGB at the same
lightness. The factor is found by bisection, for the pixels outside sRGB alone (a few in a hundred
in a photo); all others are left as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.color.cie import lab_to_linear_rgb

_BISECTIONS = 8  # the factor is exact to 2**-8: 0.2 CIELAB units at chroma 50
_TOLERANCE = 1e-4  # linear light: a third of an 8-bit sRGB step at black, a fiftieth at white
_BLACK, _WHITE = 1e-3, 100 - 1e-3  # L* beyond which sRGB has room for 0.005 units of chroma
_STRIP_PIXELS = 1 << 17


def gamut_map(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shrink chroma where sRGB cannot show the colour.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (2, H, W), CIELAB units.

    Returns:
        (2, H, W): ``ab`` times a factor in [0, 1], which is 1 wherever the colour was inside sRGB.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if lightness.ndim != 2 or ab.shape != (2, *lightness.shape):
        raise ValueError(
            "expected lightness of shape (H, W) and ab of shape (2, H, W), "
            f"got {lightness.shape} and {ab.shape}"
        )
    height, width = lightness.shape
    mapped = ab.copy()
    rows = max(1, _STRIP_PIXELS // max(1, width))
    for top in range(0, height, rows):
        rgb_in_gamut(lightness[top : top + rows], mapped[:, top : top + rows])
    return mapped


def rgb_in_gamut(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert one strip of CIELAB to linear sRGB, shrinking chroma where needed.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (2, H, W), CIELAB units; pixels outside sRGB are replaced in place.

    Returns:
        (3, H, W), linear sRGB in [0, 1], to a ten-thousandth.
    """
    # Borders and blown skies can be half a photo: not worth a search.
    ab *= (lightness > _BLACK) & (lightness < _WHITE)
    rgb = lab_to_linear_rgb(lightness, ab)
    rows, columns = np.nonzero(~is_shown(rgb))
    if rows.size:
        outside = lightness[rows, columns]
        shrunk = _shrink(outside, ab[:, rows, columns])
        ab[:, rows, columns] = shrunk
        rgb[:, rows, columns] = lab_to_linear_rgb(outside, shrunk)
    return rgb


def is_shown(rgb: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell where a linear sRGB triple lies in [0, 1], to a ten-thousandth: (3, ...) to (...)."""
    red, green, blue = rgb
    low = np.minimum(np.minimum(red, green), blue)
    high = np.maximum(np.maximum(red, green), blue)
    return (low >= -_TOLERANCE) & (high <= 1 + _TOLERANCE)


def _shrink(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shrink (2, N) chroma to the edge of sRGB, ending inside."""
    factor = np.zeros_like(lightness)
    for step in range(1, _BISECTIONS + 1):
        trial = factor + np.float32(0.5**step)
        np.copyto(factor, trial, where=is_shown(lab_to_linear_rgb(lightness, trial * ab)))
    return factor * ab
