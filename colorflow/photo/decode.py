"""Reads picture files as photos.

Of several pages or frames only the first is used; a remark says so. Gray and RGB of 16 bits, and
floats, keep 16 bits in PNG, TIFF, gray JPEG 2000 and gray PNM; other files are read with 8 bits.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from colorflow.photo.formats import DAMAGE, DEFAULT_MAX_PIXELS, open_file, open_image, photo_errors
from colorflow.photo.jpeg import ends_early
from colorflow.photo.metadata import metadata_of, orientation_of, raw_exif
from colorflow.photo.photo import Photo
from colorflow.photo.pixels import TRANSPOSED, pixels_and_alpha, upright
from colorflow.photo.sixteen_bits import Samples16, apply_profile, samples16_of, to_8_bits
from colorflow.photo.tiff import TiffFile

_FIRST_OF_SEVERAL = "the file holds several pictures (pages or frames); the first was taken"


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Photo:
    """Read a picture file as one upright sRGB photo.

    Formats: JPEG, PNG, TIFF, WebP, GIF, JPEG 2000, AVIF, HEIC, BMP and PNM.

    Args:
        path: the file; its suffix does not matter.
        max_pixels: width times height that is refused when exceeded, before anything is decoded.

    Raises:
        UnreadablePhotoError: missing, empty, incomplete, damaged, not a picture, or of a kind that
            is not read.
        PhotoTooLargeError: more pixels than `max_pixels`, or than memory holds.
    """
    source = os.fspath(path)
    with open_file(source) as file, photo_errors(source):
        image = open_image(file, source, max_pixels)
        photo = photo_of(image, source)
        if isinstance(image, JpegImagePlugin.JpegImageFile) and ends_early(image, file):
            raise OSError("its data ends too early")
        if _holds_several(image):
            photo = replace(photo, remarks=(*photo.remarks, _FIRST_OF_SEVERAL))
        return photo


def count_pixels(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> int:
    """Read width times height of a picture file from its header.

    Args:
        path: the file.
        max_pixels: width times height that is refused when exceeded.

    Raises:
        UnreadablePhotoError: missing, empty, not a picture, or its header is damaged.
        PhotoTooLargeError: more pixels than `max_pixels`.
    """
    source = os.fspath(path)
    with open_file(source) as file, photo_errors(source):
        image = open_image(file, source, max_pixels)
        return image.width * image.height


def photo_of(image: Image.Image, source: str) -> Photo:
    """Make a photo of an image; to be called within `photo_errors`.

    Args:
        image: from one of the readers, or made in memory and then not of mode ``I`` or ``F``.
        source: for messages.
    """
    may_be_deep = not isinstance(image, JpegImagePlugin.JpegImageFile)
    samples = samples16_of(image, source) if may_be_deep else None
    exif = raw_exif(image)
    orientation = orientation_of(image, exif)  # PNG may say it behind the pixels
    is_turned = isinstance(image, TiffImagePlugin.TiffImageFile)  # by Pillow, in memory
    still_to_turn = 1 if is_turned else orientation
    if samples is None:
        pixels, alpha = pixels_and_alpha(image, still_to_turn)
        pixels16, remarks = None, tuple[str, ...]()
    else:
        pixels, pixels16, alpha, remarks = _converted(samples, image, still_to_turn)
    size = (pixels.shape[1], pixels.shape[0])
    metadata = metadata_of(image, exif, size, turned=orientation in TRANSPOSED)
    return Photo(
        pixels=pixels,
        pixels16=pixels16,
        alpha=alpha,
        metadata=metadata,
        source=source,
        remarks=remarks,
    )


def _converted(
    samples: Samples16, image: Image.Image, orientation: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Upright sRGB pixels of 8 and of 16 bits, alpha, and remarks."""
    values = np.ascontiguousarray(upright(samples.values, orientation))
    alpha = samples.alpha
    if alpha is not None:
        alpha = np.ascontiguousarray(upright(alpha, orientation))
    remarks = () if samples.remark is None else (samples.remark,)
    icc = image.info.get("icc_profile")
    if isinstance(icc, bytes) and icc:
        converted = apply_profile(values, icc)
        values = values if converted is None else converted  # None: the profile is no use
    return to_8_bits(values), values, alpha, remarks


def _holds_several(image: ImageFile.ImageFile) -> bool:
    """Whether more pages or frames follow the one that was read."""
    if isinstance(image, TiffFile):
        return image.has_more_pages
    try:
        return bool(getattr(image, "is_animated", False))
    except DAMAGE:  # GIF's reader looks for a second frame here
        return False
