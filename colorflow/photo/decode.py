"""Files to photos.

A file is recognised by its first bytes, whatever its name, and handed to Pillow's reader of that
format and to no other. The size is checked before a pixel is decoded. Animated and many-page files
give their first picture.

Of 16 bits a channel, colour and grey-with-alpha PNG, and colour TIFF, are read at 8 bits (Pillow
keeps the upper byte, which is right within 1/255). Grey files of 16 bits, of integers or of floats
are refused, because Pillow would clip them to white.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ExifTags import Base

from colorflow.errors import PhotoError, PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo.exif import orientation_of
from colorflow.photo.jpeg import ends_early
from colorflow.photo.metadata import metadata_of, raw_exif
from colorflow.photo.photo import Photo
from colorflow.photo.pixels import WIDE_MODES, pixels_and_alpha
from colorflow.photo.quiet import quiet_pillow

DEFAULT_MAX_PIXELS = 200_000_000
"""Room for a 4 x 5 inch negative at 3,000 dpi (180 million); 0.6 GB as RGB."""

_WEBP = rb"(?s)RIFF....WEBP"
_READERS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (rb"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (_WEBP, WebPImagePlugin.WebPImageFile),
    (rb"II[*+]\0|MM\0[*+]", TiffImagePlugin.TiffImageFile),
    (rb"BM", BmpImagePlugin.BmpImageFile),
)
"""Pattern of the first bytes, and the reader for such a file."""
_SIGNATURE_BYTES = 32

_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What Pillow's readers raise on damaged files: their own code, struct, zlib and the decoders."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation."""
_LYING = (5, 6, 7, 8)
"""Orientations that exchange width and height."""


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Photo:
    """Read a JPEG, PNG, WebP, TIFF or BMP file as one upright sRGB photo.

    Args:
        path: the file; its suffix does not matter.
        max_pixels: width times height that is refused when exceeded, before anything is decoded.

    Raises:
        UnreadablePhotoError: missing, empty, incomplete, damaged, not a picture, or of a kind that
            is not read.
        PhotoTooLargeError: more pixels than `max_pixels`, or than memory holds.
    """
    source = os.fspath(path)
    with _opened(source) as file, reading(source):
        image = _recognised(file, source, max_pixels)
        if image.mode in WIDE_MODES:
            raise UnreadablePhotoError(
                source,
                "the file holds grey values of more than 8 bits, which are not read yet; "
                "save it with 8 bits a channel",
            )
        photo = photo_of(image, source)
        if isinstance(image, JpegImagePlugin.JpegImageFile) and ends_early(image, file):
            raise OSError("its data ends too early")
        return photo


def photo_of(image: Image.Image, source: str) -> Photo:
    """The photo that an image of 8 bits a channel holds; to be called within `reading`.

    Args:
        image: from one of Pillow's readers or made in memory, of any mode but `WIDE_MODES`.
        source: for messages.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Pillow turns TIFF files, and only those, while it loads them.
        turned, turn = image.tag_v2.get(Base.Orientation) in _LYING, None
        image.load()
        exif = raw_exif(image)
    else:
        image.load()
        exif = raw_exif(image)
        orientation = orientation_of(exif) if exif else 1
        turned, turn = orientation in _LYING, _TURNS.get(orientation)
    pixels, alpha = pixels_and_alpha(image, turn)
    size = (pixels.shape[1], pixels.shape[0])
    metadata = metadata_of(image, exif, size, turned=turned)
    return Photo(pixels=pixels, alpha=alpha, metadata=metadata, source=source)


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn everything that Pillow raises into one PhotoError, and keep its warnings quiet."""
    try:
        with quiet_pillow():
            yield
    except PhotoError:
        raise
    except MemoryError as error:
        raise PhotoTooLargeError(source, "the picture does not fit into memory") from error
    except _DAMAGE as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise UnreadablePhotoError(
            source,
            f"the picture is damaged or incomplete ({detail}); copy it again from its origin",
        ) from error


@contextmanager
def _opened(source: str) -> Iterator[IO[bytes]]:
    """Open a regular file that is not empty; devices and pipes, which may hang, are not touched."""
    try:
        status = os.stat(source)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadablePhotoError(source, "this is a folder, not a picture")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadablePhotoError(source, "this is not a regular file")
        if status.st_size == 0:
            raise UnreadablePhotoError(source, "the file is empty")
        file = open(source, "rb")  # noqa: SIM115 (closed below; errors of the body are not ours)
    except FileNotFoundError as error:
        raise UnreadablePhotoError(source, "there is no such file") from error
    except PermissionError as error:
        raise UnreadablePhotoError(source, "permission to read the file is denied") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise UnreadablePhotoError(source, f"the file cannot be opened ({reason})") from error
    with file:
        yield file


def _recognised(file: IO[bytes], source: str, max_pixels: int) -> ImageFile.ImageFile:
    """The opened image, its header read and its size checked."""
    start = file.read(_SIGNATURE_BYTES)
    file.seek(0)
    for pattern, reader in _READERS:
        if re.match(pattern, start):
            if pattern == _WEBP:  # its reader reserves memory for the pixels at once
                _check_size(_webp_size(start), source, max_pixels)
            image = reader(file)
            _check_size(image.size, source, max_pixels)
            return image
    raise UnreadablePhotoError(source, "the file is not a JPEG, PNG, WebP, TIFF or BMP picture")


def _check_size(size: tuple[int, int], source: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PhotoTooLargeError(
            source,
            f"the picture has {width} x {height} pixels, more than the limit of "
            f"{max_pixels / 1e6:g} million; make it smaller",
        )


def _webp_size(start: bytes) -> tuple[int, int]:
    """Width and height from the first 30 bytes of a WebP file (RFC 9649); struct.error if short."""
    kind = start[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", start, 24)
        return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", start, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", start, 26)
    return width & 0x3FFF, height & 0x3FFF
