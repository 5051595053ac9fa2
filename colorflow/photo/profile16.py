"""Color profiles applied to 16 bits, by littlecms through imagecodecs.

littlecms looks 16-bit colors up in a coarse table of its own, which is off by up to 5,032 of 65,535
steps (Adobe RGB, dark colors), and without that table takes 11 s for 12 megapixels. Most profiles
hold a curve per channel and a matrix, so that linear light is a sum over the channels. For these
littlecms is asked once for the light of each channel's 65,536 values. The colors of other profiles
(printers, some scanners) go through littlecms one by one, without its table.

Reference: ICC.1:2022; IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from colorflow.color import cie
from colorflow.photo.sixteen_bits import WHITE

_STEPS = 1 << 20
"""Steps of linear light: under one of 16-bit sRGB each."""
_STRIP_PIXELS = 1 << 18
_NEAR_SRGB = WHITE / 255
"""A profile that changes no color by more is sRGB under another name and is left out."""
_SUM_TOLERANCE = 1e-4
"""Linear light, up to which a profile's colors are the sum of their channels."""
_LATTICE = np.linspace(0, WHITE, 9).astype(np.uint16)
"""Samples per side of the RGB cube at which a profile is tried."""


def apply_profile(values: np.ndarray, icc: bytes) -> np.ndarray | None:
    """Convert gray or RGB of 16 bits to sRGB (relative colorimetric, black point compensation).

    Args:
        values: uint16 (H, W) or (H, W, 3).
        icc: the embedded profile.

    Returns:
        uint16 of the same shape, the argument itself where the profile is sRGB. None where the
        profile is damaged or made for another color space.
    """
    import imagecodecs  # takes 0.1 s, which few photos need

    try:
        return _gray(values, icc) if values.ndim == 2 else _colors(values, icc)
    except (imagecodecs.CmsError, LookupError):  # LookupError: light that is no number
        return None


def _gray(values: np.ndarray, icc: bytes) -> np.ndarray:
    grays = np.arange(WHITE + 1, dtype=np.uint16)
    ramp = grays[:, None] if icc[16:20] == b"GRAY" else np.repeat(grays[:, None], 3, axis=1)
    table = _to_srgb(_linear_srgb(ramp, icc).mean(axis=-1))
    if np.abs(table - grays.astype(int)).max() <= _NEAR_SRGB:
        return values
    return _by_strips(values, lambda strip: table[strip])


def _colors(values: np.ndarray, icc: bytes) -> np.ndarray:
    cube = np.stack(np.meshgrid(_LATTICE, _LATTICE, _LATTICE, indexing="ij"), -1).reshape(-1, 3)
    light = _linear_srgb(cube, icc)
    if np.abs(_to_srgb(light) - cube.astype(int)).max() <= _NEAR_SRGB:
        return values
    red, green, blue = _light_of_channels(icc)

    def summed(colors: np.ndarray) -> np.ndarray:
        light = red[colors[..., 0]]
        light += green[colors[..., 1]]
        light += blue[colors[..., 2]]
        return light

    if np.abs(summed(cube) - light).max() <= _SUM_TOLERANCE:
        return _by_strips(values, lambda strip: _to_srgb(summed(strip)))
    return _by_strips(values, lambda strip: _to_srgb(_linear_srgb(strip, icc)))


def _light_of_channels(icc: bytes) -> list[np.ndarray]:
    """The light, (65536, 3), of each channel's values; black is compensated, and therefore 0."""
    light = []
    for channel in range(3):
        ramp = np.zeros((WHITE + 1, 3), np.uint16)
        ramp[:, channel] = np.arange(WHITE + 1)
        light.append(_linear_srgb(ramp, icc))
    return light


def _linear_srgb(samples: np.ndarray, icc: bytes) -> np.ndarray:
    """Samples (..., 1 or 3) of uint16 to linear sRGB (..., 3), float32, which may leave [0, 1].

    Raises:
        CmsError: the profile is damaged or made for another color space.
    """
    import imagecodecs

    is_gray = samples.shape[-1] == 1
    light = imagecodecs.cms_transform(
        samples.reshape((1, -1) if is_gray else (1, -1, 3)) / np.float32(WHITE),
        icc,
        imagecodecs.cms_profile("linearrgb"),
        colorspace="gray" if is_gray else "rgb",
        outcolorspace="rgb",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION | imagecodecs.CMS.FLAGS.NOOPTIMIZE,
    )
    return np.asarray(light).reshape(*samples.shape[:-1], 3)


def _by_strips(values: np.ndarray, convert: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Convert some rows at a time: indices and floats take several times the memory."""
    converted = np.empty_like(values)
    rows = max(1, _STRIP_PIXELS // values.shape[1])
    for top in range(0, len(values), rows):
        converted[top : top + rows] = convert(values[top : top + rows])
    return converted


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB of 16 bits; what lies outside is cut."""
    steps = np.rint(np.clip(linear, 0, 1) * _STEPS).astype(np.int32)
    return np.asarray(_srgb_table()[steps])


@cache
def _srgb_table() -> np.ndarray:
    light = np.arange(_STEPS + 1) / _STEPS
    return np.rint(WHITE * cie.linear_to_srgb(light)).astype(np.uint16)
