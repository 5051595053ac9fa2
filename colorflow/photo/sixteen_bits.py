"""Pixels of more than 8 bits per channel, and color profiles applied to them.

Pillow has no color mode of 16 bits and cuts such files to 8. TIFF files come from tifffile, colors
of PNG files from imagecodecs, after Pillow has checked the file; binary PNM files are numbers as
they are, for which Pillow takes a second a megapixel.

littlecms looks 16-bit colors up in a coarse table of its own, which is off by up to 5,032 of 65,535
steps (Adobe RGB, dark colors), and without that table takes 11 s for 12 megapixels. Most profiles
hold a curve per channel and a matrix, so that linear light is a sum over the channels. For these
littlecms is asked once for the light of each channel's 65,536 values. The colors of other profiles
(printers, some scanners) go through littlecms one by one, without its table.

Reference: ICC.1:2022; IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import cast

import cv2
import numpy as np
from PIL import Image, PngImagePlugin, PpmImagePlugin

from colorflow.color import cie
from colorflow.photo.tiff import WHITE_IS_ZERO, TiffFile

WHITE = 65535
_GRAY_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Gray modes of more than 8 bits; Pillow's own conversion would clip them to white."""
_PNG_COLORS = ("LA;16B", "RGB;16B", "RGBA;16B")
"""Pillow's names of how PNG stores colors, or gray with alpha, of 16 bits."""

_STEPS = 1 << 20
"""Steps of linear light: under one of 16-bit sRGB each."""
_STRIP_PIXELS = 1 << 16
_NEAR_SRGB = WHITE / 255
"""A profile that changes no color by more is sRGB under another name and is left out."""
_SUM_TOLERANCE = 1e-4
"""Linear light, up to which a profile's colors are the sum of their channels."""
_LATTICE = np.linspace(0, WHITE, 9).astype(np.uint16)
"""Samples per side of the RGB cube at which a profile is tried."""


Samples16 = tuple[np.ndarray, np.ndarray | None]
"""Pixels, uint16 (H, W) or (H, W, 3), 65535 is white, their profile not applied; and alpha, uint8
(H, W) or None, 0 transparent to 255 opaque."""


def samples16_of(image: Image.Image) -> Samples16 | None:
    """Load an image, and return its pixels where they have more than 8 bits per channel.

    Args:
        image: from one of the readers, or made in memory.

    Returns:
        None where 8 bits hold everything, or no library returns more. The image is loaded in any
        case, and the pixels are not turned.

    Raises:
        Exception: whatever the libraries raise on damaged files.
    """
    if isinstance(image, TiffFile) and image.is_deep:
        return _of_tiff(image)
    if isinstance(image, PngImagePlugin.PngImageFile) and _has_16_bit_colors(image):
        return _of_png(image)
    if isinstance(image, PpmImagePlugin.PpmImageFile) and _has_scaled_numbers(image):
        return _of_pnm(image), None
    image.load()
    return _of_gray(image) if image.mode in _GRAY_MODES else None


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Round 16 bits to 8: uint16 to uint8, (H, W) or (H, W, C).

    OpenCV copies what is not contiguous, and crashes if there is no memory for that.
    """
    rounded = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), step := max(1, _STRIP_PIXELS // values.shape[1])):
        strip = values[top : top + step]
        rounded[top : top + step] = cv2.convertScaleAbs(strip, alpha=255 / WHITE).reshape(
            strip.shape
        )
    return rounded


def apply_profile(values: np.ndarray, icc: bytes) -> np.ndarray:
    """Convert gray or RGB of 16 bits to sRGB (relative colorimetric, black point compensation).

    Args:
        values: uint16 (H, W) or (H, W, 3).
        icc: the embedded profile.

    Returns:
        uint16 of the same shape; the argument itself where the profile is sRGB, damaged, or made
        for another color space.
    """
    import imagecodecs  # takes 0.1 s, which few photos need

    try:
        return _converted_gray(values, icc) if values.ndim == 2 else _converted_colors(values, icc)
    except (imagecodecs.CmsError, LookupError):  # LookupError: light that is no number
        return values


def _of_tiff(image: TiffFile) -> Samples16:
    samples, alpha = image.samples(), None
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        samples, alpha = samples[..., :-1], samples[..., -1]
        samples = samples[..., 0] if samples.shape[2] == 1 else samples
    if image.bits == 12:
        samples = _by_strips(lambda x: np.rint(x * (WHITE / 4095)), samples)
    if image.photometric == WHITE_IS_ZERO:
        samples = WHITE - samples
    if alpha is None:
        return samples, None
    if image.is_associated:
        opacity = alpha if samples.ndim == 2 else alpha[..., None]
        samples = _by_strips(_unassociated, samples, opacity)
    return samples, to_8_bits(alpha)


def _has_16_bit_colors(image: PngImagePlugin.PngImageFile) -> bool:
    """Whether an image that is not loaded yet has colors, or gray with alpha, of 16 bits."""
    return bool(image.tile) and image.tile[0].args in _PNG_COLORS


def _of_png(image: PngImagePlugin.PngImageFile) -> Samples16:
    """Colors, or gray with alpha, of a PNG file."""
    import imagecodecs  # takes 0.1 s, which few photos need

    file = image.fp
    assert file is not None
    image.load()  # checks the file, then forgets it
    Image.Image.close(image)  # its pixels of 8 bits, not the file
    file.seek(0)
    samples = imagecodecs.png_decode(file.read())
    if samples.shape[:2] != image.size[::-1] or samples.dtype != np.uint16:
        raise OSError("it cannot be decoded")
    alpha = to_8_bits(samples[..., -1]) if samples.shape[2] in (2, 4) else None
    values = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 2 else samples[..., :3])
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple):
        alpha = np.where((values == transparent).all(axis=-1), np.uint8(0), np.uint8(255))
    return values, alpha


def _has_scaled_numbers(image: PpmImagePlugin.PpmImageFile) -> bool:
    """Whether a binary PNM file, not loaded yet, has 16 bits that Pillow scales one by one."""
    tile = image.tile[0]
    return tile.codec_name == "ppm" and cast("tuple[str, int]", tile.args)[1] > 255


def _of_pnm(image: PpmImagePlugin.PpmImageFile) -> np.ndarray:
    """Numbers of such a file, uint16 (H, W) or (H, W, 3)."""
    tile, file = image.tile[0], image.fp
    assert file is not None
    _, white = cast("tuple[str, int]", tile.args)
    shape = (image.height, image.width, 3) if image.mode == "RGB" else (image.height, image.width)
    file.seek(tile.offset)
    values = np.frombuffer(file.read(2 * math.prod(shape)), ">u2")
    if values.size < math.prod(shape):
        raise OSError("its data ends too early")
    scale = WHITE / white
    return _by_strips(lambda x: np.minimum(np.rint(x * scale), WHITE), values.reshape(shape))


def _of_gray(image: Image.Image) -> Samples16:
    """A loaded image of one of the gray modes."""
    values = np.clip(np.asarray(image), 0, WHITE).astype(np.uint16)
    transparent = image.info.get("transparency")
    alpha = None
    if isinstance(transparent, int):
        alpha = np.where(values == transparent, np.uint8(0), np.uint8(255))
    return values, alpha


def _unassociated(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colors that were multiplied with alpha, divided by it; both in [0, 65535]."""
    return np.minimum(values * (WHITE / np.maximum(alpha, 1).astype(np.float32)), WHITE)


def _converted_gray(values: np.ndarray, icc: bytes) -> np.ndarray:
    grays = np.arange(WHITE + 1, dtype=np.uint16)
    ramp = grays[:, None] if icc[16:20] == b"GRAY" else np.repeat(grays[:, None], 3, axis=1)
    table = _to_srgb(_linear_srgb(ramp, icc).mean(axis=-1))
    if np.abs(table - grays.astype(int)).max() <= _NEAR_SRGB:
        return values
    return _by_strips(lambda strip: table[strip], values)


def _converted_colors(values: np.ndarray, icc: bytes) -> np.ndarray:
    cube = np.stack(np.meshgrid(_LATTICE, _LATTICE, _LATTICE, indexing="ij"), -1).reshape(-1, 3)
    light = _linear_srgb(cube, icc)
    if np.abs(_to_srgb(light) - cube.astype(int)).max() <= _NEAR_SRGB:
        return values
    ramps = np.zeros((3, WHITE + 1, 3), np.uint16)
    ramps[range(3), :, range(3)] = np.arange(WHITE + 1)
    red, green, blue = _linear_srgb(ramps, icc)  # black is compensated, and therefore 0

    def summed(colors: np.ndarray) -> np.ndarray:
        light = red[colors[..., 0]]
        light += green[colors[..., 1]]
        light += blue[colors[..., 2]]
        return light

    if np.abs(summed(cube) - light).max() <= _SUM_TOLERANCE:
        return _by_strips(lambda strip: _to_srgb(summed(strip)), values)
    return _by_strips(lambda strip: _to_srgb(_linear_srgb(strip, icc)), values)


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


def _by_strips(convert: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """Convert arrays (H, W, ...) to uint16 of the first one's shape, some rows at a time.

    Indices and floats of all pixels would take several times the memory.
    """
    converted = np.empty(arrays[0].shape, np.uint16)
    height, width = arrays[0].shape[0], arrays[0].shape[1]
    for top in range(0, height, step := max(1, _STRIP_PIXELS // width)):
        rows = slice(top, top + step)
        converted[rows] = convert(*(array[rows] for array in arrays))
    return converted


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB of 16 bits; what lies outside is cut."""
    steps = np.rint(np.clip(linear, 0, 1) * _STEPS).astype(np.int32)
    return np.asarray(_srgb_table()[steps])


@cache
def _srgb_table() -> np.ndarray:
    light = np.arange(_STEPS + 1) / _STEPS
    return np.rint(WHITE * cie.linear_to_srgb(light)).astype(np.uint16)
