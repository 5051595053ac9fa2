"""Files to photos.

Animated and many-page files give their first picture, and the photo says so. Gray and colors of 16
bits, and floats, are kept with 16 bits where the file is PNG or TIFF, gray JPEG 2000 or gray PNM;
other files of more than 8 bits give 8.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from colorflow.photo.formats import DAMAGE, DEFAULT_MAX_PIXELS, opened, reading, recognized
from colorflow.photo.jpeg import ends_early
from colorflow.photo.metadata import metadata_of, orientation_of, raw_exif
from colorflow.photo.photo import Photo
from colorflow.photo.pixels import LYING, pixels_and_alpha, profile_conversion, upright
from colorflow.photo.profile16 import through_profile
from colorflow.photo.tiff import TiffFile
from colorflow.photo.wide import Wide, to_bytes, wide_pixels

_FIRST_OF_SEVERAL = "the file holds several pictures (pages or frames); the first was taken"
_EIGHT_BITS_ONLY = "its color profile is applied with 8 bits; the result has 8 bits a channel"


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Photo:
    """Read a picture file as one upright sRGB photo.

    Formats: JPEG, PNG, TIFF, WebP, GIF, JPEG 2000, AVIF, BMP, PNM, and HEIC where pillow-heif is
    installed.

    Args:
        path: the file; its suffix does not matter.
        max_pixels: width times height that is refused when exceeded, before anything is decoded.

    Raises:
        UnreadablePhotoError: missing, empty, incomplete, damaged, not a picture, or of a kind that
            is not read.
        PhotoTooLargeError: more pixels than `max_pixels`, or than memory holds.
    """
    source = os.fspath(path)
    with opened(source) as file, reading(source):
        image = recognized(file, source, max_pixels)
        photo = photo_of(image, source)
        if isinstance(image, JpegImagePlugin.JpegImageFile) and ends_early(image, file):
            raise OSError("its data ends too early")
        if _holds_several(image):
            photo = replace(photo, remarks=(*photo.remarks, _FIRST_OF_SEVERAL))
        return photo


def photo_of(image: Image.Image, source: str) -> Photo:
    """The photo that an image holds; to be called within `reading`.

    Args:
        image: from one of the readers or made in memory, of any mode but ``I`` and ``F`` then.
        source: for messages.
    """
    in_tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
    if in_tiff:
        orientation = orientation_of(image, None)  # loading forgets it
    wide = wide_pixels(image, source)
    exif = raw_exif(image)
    if not in_tiff:
        orientation = orientation_of(image, exif)  # PNG may say it behind the pixels
    is_turned = in_tiff and not isinstance(image, TiffFile)  # by Pillow
    still_to_turn = 1 if is_turned else orientation
    if wide is None:
        pixels, alpha = pixels_and_alpha(image, still_to_turn)
        deep, remarks = None, tuple[str, ...]()
    else:
        pixels, deep, alpha, remarks = _pixels_of(wide, image, still_to_turn)
    size = (pixels.shape[1], pixels.shape[0])
    metadata = metadata_of(image, exif, size, turned=orientation in LYING)
    return Photo(
        pixels=pixels, deep=deep, alpha=alpha, metadata=metadata, source=source, remarks=remarks
    )


def _pixels_of(
    wide: Wide, image: Image.Image, orientation: int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
    """Pixels of 8 and, if the profile allows, of 16 bits, alpha, and remarks; upright."""
    values = np.ascontiguousarray(upright(wide.values, orientation))
    alpha = wide.alpha
    if alpha is not None:
        alpha = np.ascontiguousarray(upright(alpha, orientation))
    remarks = () if wide.remark is None else (wide.remark,)
    icc = image.info.get("icc_profile")
    if not isinstance(icc, bytes) or not icc:
        return to_bytes(values), values, alpha, remarks
    deep = through_profile(values, icc)
    if deep is not None:
        return to_bytes(deep), deep, alpha, remarks
    narrow = to_bytes(values)
    convert = profile_conversion("L" if narrow.ndim == 2 else "RGB", icc)
    if convert is None:  # the profile is no use
        return narrow, values, alpha, remarks
    converted = np.array(convert(Image.fromarray(narrow)))
    return converted, None, alpha, (*remarks, _EIGHT_BITS_ONLY)


def _holds_several(image: ImageFile.ImageFile) -> bool:
    """Whether pages or frames follow the one that was read."""
    if isinstance(image, TiffFile):
        return image.layout.has_more_pages
    try:
        return bool(getattr(image, "is_animated", False))
    except DAMAGE:  # GIF's reader looks for a second frame now
        return False
