"""Photos to files: whole or not at all."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from colorflow.errors import WritePhotoError
from colorflow.files import FileKind, statement_of, write_whole
from colorflow.photo.encode_png import deep_png, joined
from colorflow.photo.encode_tiff import encode_tiff
from colorflow.photo.metadata import COMMENT, Metadata
from colorflow.photo.photo import Photo
from colorflow.photo.provenance import COLORING, JPEG_EXIF_BYTES, Provenance, stamped
from colorflow.photo.quiet import quiet_codecs
from colorflow.photo.wide import to_bytes

JPEG_QUALITY = 95
WEBP_QUALITY = 95
PNG_COMPRESS_LEVEL = 1
"""A quarter of the default level's time, for files a few per cent larger."""

_LARGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}
"""Pixels a side that a format can hold (libjpeg's and WebP's limits)."""
_DEEP_FORMATS = ("PNG", "TIFF")
"""Formats that hold 16 bits a channel."""
_JPEG_COMMENT_BYTES = 65533
"""The limit of a JPEG segment; a longer comment, or EXIF, is left out."""
_SRGB_PERCEPTUAL = b"\0"
"""Content of PNG's sRGB chunk."""

_ENCODING_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    SystemError,
    MemoryError,
    struct.error,
)
"""What Pillow's writers raise."""


def write_image(
    path: str | os.PathLike[str],
    pixels: np.ndarray,
    photo: Photo,
    *,
    provenance: Provenance | None = None,
    kind: FileKind | None = None,
    jpeg_quality: int = JPEG_QUALITY,
) -> None:
    """Write a picture with the metadata and transparency of the photo that it was made from.

    The suffix decides the format: .jpg, .jpeg, .jpe (quality 95, no chroma subsampling), .png
    (compression level 1), .webp (quality 95), .tif, .tiff (deflate). Pixels are sRGB and upright;
    no profile is embedded. 16 bits stay 16 in PNG and TIFF and are rounded to 8 in the others. EXIF
    (orientation 1, no thumbnail), resolution and, in PNG, texts are kept where the format has a
    place for them, a comment in JPEG too. Alpha is kept in PNG, WebP and TIFF; JPEG has none, so
    there the picture is laid on white.

    The file appears whole or not at all, and replaces nothing but its own kind, see `files`.

    Args:
        path: the file to write; its folder exists.
        pixels: (H, W, 3), sRGB, uint8 or uint16, of the photo's size.
        photo: the photo that it was made from.
        provenance: what the colors were generated from, to be said in the file.
        kind: of a picture that is no coloring, such as a contact sheet, likewise. With neither the
            folder is colorflow's own, and whatever has the name is replaced.
        jpeg_quality: of JPEG files, in [1, 100].

    Raises:
        ValueError: `pixels` is not such an array.
        WritePhotoError: unknown suffix, too large for the format, no folder, no permission, no
            space, or another file in its place. Nothing is left behind.
    """
    expected = (photo.height, photo.width, 3)
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape != expected:
        raise ValueError(
            f"pixels: expected uint8 or uint16 of shape {expected}, "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    target = Path(path)
    name = _FORMATS.get(target.suffix.lower())
    if name is None:
        raise WritePhotoError(
            target, f"cannot write '{target.suffix}' files; choose {', '.join(_FORMATS)}"
        )
    if max(photo.width, photo.height) > _LARGEST_SIDE.get(name, 2**31):
        raise WritePhotoError(
            target,
            f"{name} holds at most {_LARGEST_SIDE[name]} pixels a side, and the picture has "
            f"{photo.width} x {photo.height}; choose .png or .tif",
        )
    if pixels.dtype == np.uint16 and name not in _DEEP_FORMATS:
        pixels = to_bytes(pixels)
    metadata = photo.metadata
    if statement := provenance.statement if provenance else kind and statement_of(kind):
        metadata = stamped(metadata, statement)
    try:
        with quiet_codecs():
            if name == "JPEG":
                data = _encode_jpeg(pixels, photo.alpha, metadata, jpeg_quality)
            else:
                data = _ENCODERS[name](pixels, photo.alpha, metadata)
    except _ENCODING_FAULTS as error:
        raise WritePhotoError(target, f"the picture cannot be encoded ({error})") from error
    write_file(target, data, COLORING if provenance else kind)


def write_file(target: Path, data: bytes, kind: FileKind | None) -> None:
    """As `write_whole`.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    try:
        write_whole(target, data, kind)
    except FileNotFoundError as error:
        raise WritePhotoError(target, "there is no such folder to write to") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise WritePhotoError(target, f"the file cannot be written ({reason})") from error


def _encode_jpeg(
    pixels: np.ndarray, alpha: np.ndarray | None, metadata: Metadata, quality: int
) -> bytes:
    options: dict[str, object] = {"quality": quality, "subsampling": 0}
    if metadata.exif and len(metadata.exif) <= JPEG_EXIF_BYTES:
        options["exif"] = metadata.exif
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    comment = metadata.text.get(COMMENT, "").encode()
    if 0 < len(comment) <= _JPEG_COMMENT_BYTES:
        options["comment"] = comment
    if alpha is not None:
        opacity = alpha[..., None] / np.float32(255)
        pixels = np.rint(255 - (255 - pixels) * opacity).astype(np.uint8)
    return _saved(Image.fromarray(pixels), "JPEG", options)


def _encode_png(pixels: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", _SRGB_PERCEPTUAL)
    for keyword, text in metadata.text.items():
        chunks.add_text(keyword, text)
    if metadata.xmp:
        chunks.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode())
    if pixels.dtype == np.uint16:
        return deep_png(pixels, alpha, chunks, metadata)
    options: dict[str, object] = {"compress_level": PNG_COMPRESS_LEVEL, "pnginfo": chunks}
    if metadata.exif:
        options["exif"] = metadata.exif
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    return _saved(_with_alpha(pixels, alpha), "PNG", options)


def _encode_webp(pixels: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    options: dict[str, object] = {"quality": WEBP_QUALITY}
    if metadata.exif:
        options["exif"] = metadata.exif
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    return _saved(_with_alpha(pixels, alpha), "WEBP", options)


def _with_alpha(pixels: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
    return Image.fromarray(joined(pixels, alpha))


def _saved(image: Image.Image, name: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_ENCODERS: dict[str, Callable[[np.ndarray, np.ndarray | None, Metadata], bytes]] = {
    "PNG": _encode_png,
    "WEBP": _encode_webp,
    "TIFF": encode_tiff,
}
