"""Pixels of more than 8 bits a channel, as the file has them.

Pillow has no color mode of 16 bits and cuts such files to their upper bytes. Its decoders can be
told to take the lower ones instead, so a file is decoded twice and put together.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFile

from colorflow.errors import UnreadablePhotoError
from colorflow.photo.pixels import strips_of
from colorflow.photo.tiff import SIGNED, WHITE_IS_ZERO, TiffFile, decoded_by_opencv

WIDE_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Gray modes of more than 8 bits; Pillow's own conversion would clip them to white."""
WHITE = 65535
_COLORS = ("RGB;16", "RGBX;16", "RGBA;16", "RGBa;16")
"""Pillow's names of how colors of 16 bits are stored, less the letter of the byte order."""
_GRAY_ALPHA = "LA;16B"
_MULTIPLIED = 1
"""Kind of TIFF's fourth sample: alpha with which the colors are multiplied."""
_UNKNOWN_WHITE = "signed or 32-bit whole numbers, whose white is not known"
_STRIP_SAMPLES = 1 << 18
_ROUNDING, _HIGHLIGHTS = 1e-3, 16.0
"""How far floats may lie below 0; up to which maximum they are light of which 1 is white."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wide:
    """What a file of more than 8 bits a channel holds, its profile not applied."""

    values: np.ndarray
    """uint16 (H, W) or (H, W, 3); 65535 is white."""
    alpha: np.ndarray | None = None
    """uint8 (H, W), 0 transparent to 255 opaque."""
    remark: str | None = None
    """What a person should know of how it was read."""


def wide_pixels(image: Image.Image, source: str) -> Wide | None:
    """Load an image, and give its pixels where they have more than 8 bits a channel.

    Args:
        image: from one of the readers, or made in memory.
        source: for messages.

    Returns:
        None where 8 bits say everything, or Pillow cannot be made to give more; the image is loaded
        in any case. The pixels are not turned.

    Raises:
        UnreadablePhotoError: the values have no meaning, such as NaN.
        Exception: whatever Pillow raises on damaged files.
    """
    try:
        return _wide(image)
    except _MeaninglessError as error:
        raise UnreadablePhotoError(
            source, f"the file holds {error}; save it with 8 or 16 bits a channel"
        ) from error


def to_bytes(values: np.ndarray) -> np.ndarray:
    """16 bits to 8, rounded to the nearest: uint16 to uint8, (H, W) or (H, W, C)."""
    table = ((np.arange(WHITE + 1, dtype=np.uint32) + 128) // 257).astype(np.uint8)
    return looked_up(table, values)


def looked_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A table's entries for uint16 (H, ...); by strips, since numpy makes each index 8 bytes."""
    found = np.empty(values.shape, table.dtype)
    rows = max(1, _STRIP_SAMPLES // max(1, values[:1].size))
    for top in range(0, len(values), rows):
        strip = slice(top, top + rows)
        np.take(table, values[strip], out=found[strip], mode="clip")
    return found


class _MeaninglessError(Exception):
    """Values that cannot be told to be dark or bright; what they are."""


def _wide(image: Image.Image) -> Wide | None:
    if isinstance(image, TiffFile) and image.layout.sample_format == SIGNED:
        raise _MeaninglessError(_UNKNOWN_WHITE)
    if isinstance(image, TiffFile) and image.foreign is not None:
        return _of_samples(decoded_by_opencv(image), image)
    if isinstance(image, TiffFile) and image.is_planes:
        return _of_samples(_stacked_planes(image), image)
    if image.mode in WIDE_MODES:
        image.load()
        return _gray(image)
    if isinstance(image, ImageFile.ImageFile):
        rawmode = _rawmode(image)
        if rawmode == _GRAY_ALPHA:
            return _gray_alpha(image)
        if rawmode[:-1] in _COLORS:
            return _color(image, rawmode)
    image.load()
    return None


def _gray(image: Image.Image) -> Wide:
    """A loaded image of one of the wide modes."""
    values = np.asarray(image)
    if image.mode == "F":
        wide, remark = _of_floats(values)
    elif image.mode == "I":
        if isinstance(image, TiffFile):
            raise _MeaninglessError(_UNKNOWN_WHITE)
        wide, remark = np.clip(values, 0, WHITE).astype(np.uint16), None
    else:
        wide, remark = np.array(values, dtype=np.uint16), None
    if isinstance(image, TiffFile):
        if image.layout.bits == 12:
            wide = np.rint(wide * (WHITE / 4095)).astype(np.uint16)
        if image.layout.photometric == WHITE_IS_ZERO:
            wide = WHITE - wide
    transparent = image.info.get("transparency")
    alpha = None
    if isinstance(transparent, int):
        alpha = np.where(wide == transparent, np.uint8(0), np.uint8(255))
    return Wide(values=wide, alpha=alpha, remark=remark)


def _gray_alpha(image: ImageFile.ImageFile) -> Wide:
    """Two channels of two bytes, decoded as if they were four of one."""
    _decode_as(image, "RGBA")
    values = np.empty(image.size[::-1], np.uint16)
    alpha = np.empty(image.size[::-1], np.uint8)
    for rows, strip in strips_of(image):
        samples = np.asarray(strip).astype(np.uint16)
        values[rows] = samples[..., 0] << 8 | samples[..., 1]
        alpha[rows] = to_bytes(samples[..., 2] << 8 | samples[..., 3])
    return Wide(values=values, alpha=alpha)


def _color(image: ImageFile.ImageFile, rawmode: str) -> Wide:
    """The upper bytes from the image itself, the lower ones from another of the same file."""
    file = image.fp
    name = rawmode[:-1].replace("RGBa", "RGBA")  # or Pillow would divide bytes by bytes
    big_endian = rawmode[-1] == "B" or (rawmode[-1] == "N" and sys.byteorder == "big")
    upper, lower = ("B", "L") if big_endian else ("L", "B")
    _decode_as(image, name + upper)
    samples = np.empty((*image.size[::-1], len(image.getbands())), np.uint16)
    for rows, strip in strips_of(image):
        samples[rows] = np.asarray(strip).astype(np.uint16) << 8
    assert file is not None
    file.seek(0)
    again = type(image)(file)
    _decode_as(again, name + lower)
    for rows, strip in strips_of(again):
        samples[rows] |= np.asarray(strip)
    return _of_colors(samples, image, multiplied=rawmode.startswith("RGBa"))


def _rawmode(image: ImageFile.ImageFile) -> str:
    """How the pixels of an image that is not loaded yet are stored; empty where unknown."""
    if not image.tile:
        return ""
    arguments = image.tile[0].args
    rawmode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return rawmode if isinstance(rawmode, str) else ""


def _decode_as(image: ImageFile.ImageFile, rawmode: str) -> None:
    """Load an image as if its pixels were stored in another way."""
    tiles = []
    for tile in image.tile:
        others = tile.args[1:] if isinstance(tile.args, tuple) else None
        tiles.append(tile._replace(args=rawmode if others is None else (rawmode, *others)))
    image.tile = tiles
    image.load()


def _stacked_planes(image: TiffFile) -> np.ndarray:
    """The pages of a disguise, one beside the other: (H, W, C)."""
    planes = []
    for page in range(image.layout.samples):
        image.seek(page)
        image.load()
        planes.append(np.array(image))
    image.seek(0)
    return np.stack(planes, axis=-1)


def _of_samples(samples: np.ndarray, image: TiffFile) -> Wide:
    """Gray (H, W), RGB or RGBA (H, W, C) of uint16 or floats."""
    colors = samples if samples.ndim == 2 else samples[..., :3]
    remark = None
    if samples.dtype != np.uint16:
        colors, remark = _of_floats(colors)
        if samples.ndim == 3 and samples.shape[2] > 3:
            alpha = np.rint(np.clip(np.nan_to_num(samples[..., 3:]), 0, 1) * WHITE)
            colors = np.concatenate([colors, alpha.astype(np.uint16)], axis=-1)
    else:
        colors = samples
    if colors.ndim == 2:
        gray = WHITE - colors if image.layout.photometric == WHITE_IS_ZERO else colors
        return Wide(values=gray, remark=remark)
    if not image.layout.extra:
        colors = colors[..., :3]
    multiplied = image.layout.extra == _MULTIPLIED
    return replace(_of_colors(colors, image, multiplied=multiplied), remark=remark)


def _of_colors(samples: np.ndarray, image: Image.Image, *, multiplied: bool) -> Wide:
    """RGB or RGBA, uint16 (H, W, C)."""
    values = np.ascontiguousarray(samples[..., :3])
    if samples.shape[2] == 3:
        transparent, alpha = image.info.get("transparency"), None
        if isinstance(transparent, tuple):
            alpha = np.where((values == transparent).all(axis=-1), np.uint8(0), np.uint8(255))
        return Wide(values=values, alpha=alpha)
    alpha = samples[..., 3]
    if multiplied:
        scale = WHITE / np.maximum(alpha, 1).astype(np.float32)
        values = np.minimum(values * scale[..., None], WHITE).astype(np.uint16)
    return Wide(values=values, alpha=to_bytes(alpha))


def _of_floats(values: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Floats to uint16; the largest says what is white: 1, 255 or 65535."""
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _MeaninglessError("floats that are no number or infinite")
    if high > WHITE:
        raise _MeaninglessError(f"floats up to {high:g}, whose white is not known")
    white = 1 if high <= _HIGHLIGHTS else 255 if high <= 255 else WHITE
    scaled = np.clip(values * (WHITE / white), 0, WHITE)
    cut = low < -_ROUNDING * white or high > (1 + _ROUNDING) * white
    remark = "floats below black or above white (1) are cut" if cut else None
    return np.rint(scaled).astype(np.uint16), remark
