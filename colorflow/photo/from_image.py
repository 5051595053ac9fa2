"""Makes photos of pictures in memory: Pillow images and numpy arrays."""

from __future__ import annotations

import numpy as np
from PIL import Image

from colorflow.photo.decode import photo_of
from colorflow.photo.formats import photo_errors
from colorflow.photo.photo import Photo
from colorflow.photo.sixteen_bits import to_8_bits

_ARRAYS = (
    "an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16, bool or floats in [0, 1]"
)
_AMBIGUOUS_MODES = ("I", "F")
"""Pillow's modes that do not say what is white."""
_ROUNDING = 1e-3
"""How far floats may lie outside [0, 1]; they are clipped."""


def photo_from_image(image: Image.Image | np.ndarray, source: str = "<image>") -> Photo:
    """Make a photo of a picture in memory, which is copied.

    Args:
        image: a Pillow image of any mode, whose EXIF orientation and profile are applied as for a
            file; or an array (H, W), (H, W, 1), (H, W, 3) or, with alpha last, (H, W, 4), sRGB, of
            uint8, uint16 (65535 is white), bool, or floats in [0, 1].
            Pillow's gray modes I and F do not say what is white, so the largest value decides: up
            to 1 (mode F only) white is 1, up to 255 it is 255, up to 65535 it is 65535.
            Arrays of uint16 and Pillow's mode I;16 keep their 16 bits in `Photo.pixels16`.
        source: name of the picture in messages.

    Raises:
        ValueError: another type or shape, an empty picture, NaN, or values out of range.
        UnreadablePhotoError: a Pillow image whose file is damaged or incomplete.
    """
    if isinstance(image, Image.Image):
        return _from_pillow(image, source)
    if isinstance(image, np.ndarray):
        return _from_array(image, source)
    raise ValueError(f"image: expected a Pillow image or {_ARRAYS}, got {type(image).__name__}")


def _from_pillow(image: Image.Image, source: str) -> Photo:
    if 0 in image.size:
        raise ValueError(f"image: expected at least one pixel, got a size of {image.size}")
    with photo_errors(source):
        image.load()
    if image.mode in _AMBIGUOUS_MODES:
        narrow = Image.fromarray(_narrowed(image))
        narrow.info = dict(image.info)
        narrow.info.pop("transparency", None)  # a value of the wide range
        image = narrow
    with photo_errors(source):
        return photo_of(image, source)


def _narrowed(image: Image.Image) -> np.ndarray:
    """Reduce a Pillow image of an ambiguous gray mode to 8 bits, uint8 (H, W)."""
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 65535):  # NaN fails too
        raise ValueError(
            f"image: expected gray values in [0, 65535] in mode {image.mode}, "
            f"got {low:g} to {high:g}"
        )
    white = 65535 if high > 255 else 1 if image.mode == "F" and high <= 1 else 255
    return np.rint(values * (255 / white)).astype(np.uint8)


def _from_array(array: np.ndarray, source: str) -> Photo:
    shape = array.shape
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))) or 0 in shape:
        raise ValueError(f"image: expected {_ARRAYS}, got shape {shape}")
    if len(shape) == 3 and shape[2] == 4:
        alpha = np.ascontiguousarray(_to_uint8(array[..., 3]))
    else:
        alpha = None
    colors = array if len(shape) == 2 else array[..., 0] if shape[2] == 1 else array[..., :3]
    pixels16 = np.array(colors, order="C") if array.dtype == np.uint16 else None
    return Photo(pixels=_to_uint8(colors), pixels16=pixels16, alpha=alpha, source=source)


def _to_uint8(array: np.ndarray) -> np.ndarray:
    """Copy to a contiguous array in [0, 255]."""
    if array.dtype == np.uint8:
        return np.array(array, order="C")
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype == np.uint16:
        return to_8_bits(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"image: expected {_ARRAYS}, got {array.dtype}")
    low, high = float(array.min()), float(array.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # NaN fails too
        raise ValueError(f"image: expected floats in [0, 1], got {low:g} to {high:g}")
    return np.asarray(np.rint(np.clip(array, 0, 1) * 255), dtype=np.uint8)
