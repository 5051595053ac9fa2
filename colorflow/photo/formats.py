"""Opens a picture file with the reader of its format, and checks its size.

The first bytes decide about the format, not the name; only that format's reader sees the file. The
size is checked before a pixel is decoded. What the readers raise becomes a PhotoError, and what
they log is silenced.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import cv2
from pi_heif import HeifImageFile
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    WebPImagePlugin,
)

from colorflow.device import Shared
from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo.exif import DAMAGE
from colorflow.photo.tiff import open_tiff

DEFAULT_MAX_PIXELS = 200_000_000
"""Room for a 4 x 5 inch negative at 3,000 dpi (180 million); 0.6 GB as RGB."""
KINDS = "JPEG, PNG, TIFF, WebP, GIF, JPEG 2000, AVIF, HEIC, BMP or PNM"
"""Formats that are read, for messages."""

_SUFFIXES = {
    "JPEG": ".jpg .jpeg .jpe .jfif .jfi .jif .pjpeg .pjp .mpo",
    "PNG": ".png .apng",
    "TIFF": ".tif .tiff .btf .tf8",
    "WebP": ".webp",
    "GIF": ".gif",
    "JPEG 2000": ".jp2 .j2k .j2c .jpc .jpf .jpx",
    "AVIF": ".avif .avifs",
    "HEIC": ".heic .heif .heics .heifs .hif",
    "BMP": ".bmp .dib",
    "PNM": ".pbm .pgm .ppm .pnm",
}
TIFF_SUFFIXES = frozenset(_SUFFIXES["TIFF"].split())
PHOTO_SUFFIXES = frozenset(" ".join(_SUFFIXES.values()).split())
"""Suffixes in lower case; a file in a folder with one of them counts as a photo."""

_WEBP = rb"(?s)RIFF....WEBP"
_TIFF = rb"II[*+]\0|MM\0[*+]"
_CONTAINER = rb"(?s)....ftyp"
_READERS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (rb"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (_WEBP, WebPImagePlugin.WebPImageFile),
    (rb"GIF8[79]a", GifImagePlugin.GifImageFile),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", Jpeg2KImagePlugin.Jpeg2KImageFile),
    (rb"BM", BmpImagePlugin.BmpImageFile),
    (rb"P[1-6]\s", PpmImagePlugin.PpmImageFile),
)
"""Pattern of the first bytes, and the reader of such files."""
_SIGNATURE_BYTES = 64
_BYTES = {
    "JPEG": (12, 28), "PNG": (16, 34), "TIFF": (44, 44), "WEBP": (28, 28), "GIF": (12, 12),
    "JPEG2000": (12, 40), "AVIF": (30, 30), "HEIF": (31, 31), "BMP": (13, 13), "PPM": (16, 16),
}  # fmt: skip
"""Memory that a pixel takes while it is read, its part of the file included: of one channel, and of
several. It is what honest files take at most, with a tenth more: `git show
c495ddd:benchmarks/reading_needs.py` measures it."""

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"mif3", b"msf1"}
"""Brands of the file type box (ISO/IEC 23008-12, AV1 Image File Format)."""

Allow = Callable[[int, int], None]
"""Is told how many pixels a picture has, and the bytes for each, before memory is reserved."""


@contextmanager
def photo_errors(source: str) -> Iterator[None]:
    """Turn everything that readers raise into a PhotoError, and silence their warnings."""
    try:
        with silent_codecs():
            yield
    except (MemoryError, cv2.error) as error:
        if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
            raise
        reason = "the picture does not fit into memory; make it smaller, or save it as JPEG or PNG"
        raise PhotoTooLargeError(source, reason) from error
    except Image.DecompressionBombError as error:  # GIF's reader has a limit of its own
        raise PhotoTooLargeError(source, "the picture is too large; make it smaller") from error
    except DAMAGE as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise UnreadablePhotoError(
            source,
            f"the picture is damaged, incomplete, or of a kind that is not read ({detail}); "
            "copy it again from its origin, or save it as JPEG, PNG or TIFF",
        ) from error


@contextmanager
def open_file(source: str) -> Iterator[IO[bytes]]:
    """Open a regular file that is not empty; devices and pipes, which may block, are refused."""
    try:
        status = os.stat(source)
        if not stat.S_ISREG(status.st_mode):
            is_folder = stat.S_ISDIR(status.st_mode)
            kind = "a folder, not a picture" if is_folder else "not a regular file"
            raise UnreadablePhotoError(source, f"this is {kind}")
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


def open_image(
    file: IO[bytes],
    source: str,
    max_pixels: int,
    allow: Allow | None = None,
    page: int | None = None,
) -> ImageFile.ImageFile:
    """Read the header and check the size; to be called within `photo_errors`.

    Args:
        file: the file.
        source: for messages.
        max_pixels: pixels that are refused when exceeded.
        allow: see `Allow`.
        page: of a TIFF file, counted from 1; None for the first.
    """
    start = file.read(_SIGNATURE_BYTES)
    file.seek(0)
    if allow and re.match(_WEBP, start):  # its reader reserves memory for the pixels at once
        allow(max_pixels, _BYTES["WEBP"][0])
    image = _reader_for(start, file, source, page)
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoTooLargeError(
            source,
            f"the picture has {width} x {height} pixels, more than the limit of "
            f"{max_pixels / 1e6:g} million; make it smaller",
        )
    if allow:
        one, several = _BYTES[str(image.format)]
        allow(width * height, one if len(image.getbands()) == 1 else several)
    return image


def _reader_for(
    start: bytes, file: IO[bytes], source: str, page: int | None
) -> ImageFile.ImageFile:
    if re.match(_TIFF, start):
        return open_tiff(file, source, page)
    if re.match(_CONTAINER, start):
        return _from_container(start, file, source)
    for pattern, reader in _READERS:
        if re.match(pattern, start):
            return reader(file)
    raise UnreadablePhotoError(source, f"the file is not a {KINDS} picture")


def _from_container(start: bytes, file: IO[bytes], source: str) -> ImageFile.ImageFile:
    """Open AVIF or HEIC, which share a container with videos and name their kind in its first box.

    Some AVIF files name a general brand first, and their own among the compatible ones.
    """
    length = min(int.from_bytes(start[:4], "big"), len(start))
    brands = {start[8:12], *(start[offset : offset + 4] for offset in range(16, length - 3, 4))}
    if brands & _AVIF_BRANDS:
        return AvifImagePlugin.AvifImageFile(file)
    if not brands & _HEIF_BRANDS:
        raise UnreadablePhotoError(source, f"the file is a video, not a {KINDS} picture")
    return HeifImageFile(file)  # type: ignore[no-untyped-call,no-any-return,unused-ignore]


@contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore")
        for name in ("PIL", "tifffile", "imagecodecs"):
            library, nowhere = logging.getLogger(name), logging.NullHandler()
            library.addHandler(nowhere)  # without a handler errors go to stderr
            stack.callback(library.removeHandler, nowhere)
        yield


silent_codecs = Shared(_silence)
"""``with silent_codecs():`` ignores warnings in every thread until the last one leaves.

The codecs warn about damaged EXIF and the like, which does not matter to the user, and about
damaged pixels, which our errors report."""
