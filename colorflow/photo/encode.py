"""Writes photos as files: JPEG, PNG, WebP and TIFF, whole or not at all.

Files go to the disk as they are encoded, since a large photo and what is made of it fill the memory
already. TIFF is written here, with deflate, around an EXIF block: Pillow 12 has no 16-bit colors
and, compressed, no EXIF; tifffile and OpenCV write no EXIF at all. PNG of 16 bits is written here,
too: imagecodecs encodes a whole picture in memory.

Reference: TIFF 6.0; Adobe Photoshop TIFF technical notes (2002) for deflate; PNG 3.0 (W3C).
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, cast

import cv2
import numpy as np
from PIL import Image, ImageCms, PngImagePlugin
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import IFDRational

from colorflow.errors import WritePhotoError
from colorflow.files import FileKind, whole_file
from colorflow.limits import QUALITY
from colorflow.photo.exif import DAMAGE, TIFF_DESCRIPTION, block_of
from colorflow.photo.formats import silent_codecs
from colorflow.photo.metadata import (
    COMMENT,
    CORRECTED_SOURCE_TYPE,
    DIGITAL_SOURCE_TYPE,
    JPEG_SEGMENT_BYTES,
    Metadata,
    with_statement,
)
from colorflow.photo.photo import Photo
from colorflow.photo.sixteen_bits import to_8_bits
from colorflow.photo.statement import kind_of_made
from colorflow.recipe import Recipe, Statement, statements_in, text_of

PNG_COMPRESS_LEVEL = 1
"""Takes a quarter of the default level's time; the files are a few per cent larger."""

_LARGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}
"""Largest side in pixels of a format (limits of libjpeg and WebP)."""
_FORMATS_OF_16_BITS = ("PNG", "TIFF")
_SRGB_PERCEPTUAL = b"\0"
"""Content of PNG's sRGB chunk."""
_PNG_HEAD = slice(8, 33)
"""Bytes of a PNG file: its chunk IHDR, behind the signature; other chunks may follow."""
_PNG_LENGTH_BYTES = 4
"""Before the name of a chunk."""
_PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Color type, by the number of channels."""
_PNG_SUB = 1
"""Filter: each byte minus that of the pixel to its left."""
_STRIP_ROWS = 64
"""Of TIFF; as many rows are encoded at once for other formats."""
_DEFLATE, _GRAY, _RGB, _ONE_PLANE, _HORIZONTAL, _INCH, _UNASSOCIATED_ALPHA = 8, 1, 2, 1, 2, 2, 2
"""Values of TIFF fields."""
_XMP = 700
_PROFILE_DATE = slice(24, 36)
"""Bytes of a color profile that say when it was made (ICC.1, 7.2.10)."""
_NO_DATE = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)


def check_format(path: Path, width: int, height: int) -> str:
    """The format that a file's suffix stands for, if it can hold a picture of that size.

    Raises:
        WritePhotoError: unknown suffix, or too large for the format.
    """
    name = _FORMATS.get(path.suffix.lower())
    if name is None:
        raise WritePhotoError(
            path, f"cannot write '{path.suffix}' files; choose {', '.join(_FORMATS)}"
        )
    if max(width, height) > _LARGEST_SIDE.get(name, 2**31):
        raise WritePhotoError(
            path,
            f"{name} holds at most {_LARGEST_SIDE[name]} pixels a side, and the picture has "
            f"{width} x {height}; choose .png or .tif",
        )
    return name


def write_image(
    path: str | os.PathLike[str],
    pixels: np.ndarray,
    photo: Photo,
    *,
    statement: Statement | None = None,
    kind: FileKind | None = None,
    quality: int = QUALITY,
) -> None:
    """Write a picture with the metadata and transparency of the photo that it was made from.

    The suffix decides the format: .jpg, .jpeg, .jpe (no chroma subsampling), .png (compression
    level 1), .webp, .tif, .tiff (deflate). Pixels are sRGB and upright. Colors say so in the
    profile of a JPEG or TIFF, and in PNG's own chunk; the profile of the input is not kept. PNG and
    TIFF keep 16 bits, the other formats round them to 8. EXIF (orientation 1, no thumbnail) and
    resolution are kept where the format has a place for them, so are the texts of PNG and the
    comment of JPEG. PNG, WebP and TIFF keep alpha; in JPEG the picture is composited on white.

    The file appears whole or not at all, and replaces only files of its own kind, see `files`.

    Args:
        path: the file to write; its folder exists.
        pixels: (H, W) gray or (H, W, 3) sRGB, uint8 or uint16, of the photo's size.
        photo: the photo that it was made from; of an enlarged picture, `Photo.enlarged`.
        statement: how the picture was made; the file states it, behind what the photo's file said.
        kind: of a file that may be replaced; by default what is stated here. Without both, any file
            of that name is replaced; this is for folders that colorflow owns.
        quality: of JPEG and WebP files, in [1, 100].

    Raises:
        ValueError: `pixels` has another shape or dtype.
        WritePhotoError: unknown suffix, too large for the format, no folder, no permission, no
            space, or another file in its place. No partial file is left.
    """
    gray, rgb = (photo.height, photo.width), (photo.height, photo.width, 3)
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape not in (gray, rgb):
        raise ValueError(
            f"pixels: expected uint8 or uint16 of shape {gray} or {rgb}, "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    target = Path(path)
    name = check_format(target, photo.width, photo.height)
    if pixels.dtype == np.uint16 and name not in _FORMATS_OF_16_BITS:
        pixels = to_8_bits(pixels)
    metadata = photo.metadata
    if statement:
        statements = statements_in(metadata.stated)
        if statement.recipe != Recipe():
            statements = (*statements, statement)
        is_generated = any(each.generated for each in statements)
        source_type = DIGITAL_SOURCE_TYPE if is_generated else CORRECTED_SOURCE_TYPE
        metadata = with_statement(metadata, text_of(statements), source_type)
        kind = kind or kind_of_made(statement)
    with writing(target, kind) as file:
        try:
            with silent_codecs():
                _ENCODERS[name](file, pixels, photo.alpha, metadata, quality)
        except (*DAMAGE, SystemError, MemoryError) as error:
            if getattr(error, "errno", None) is not None:  # of the disk
                raise
            raise WritePhotoError(target, f"the picture cannot be encoded ({error})") from error


def write_file(target: Path, data: bytes, kind: FileKind | None) -> None:
    """Write a file from its content; otherwise as `writing`."""
    with writing(target, kind) as file:
        file.write(data)


@contextmanager
def writing(target: Path, kind: FileKind | None) -> Iterator[BinaryIO]:
    """Enter `files.whole_file`, with its errors as a WritePhotoError.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    try:
        with whole_file(target, kind) as file:
            yield file
    except FileNotFoundError as error:
        raise WritePhotoError(target, "there is no such folder to write to") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise WritePhotoError(target, f"the file cannot be written ({reason})") from error


@cache
def srgb_profile() -> bytes:
    """The color profile of sRGB, the same bytes at all times."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_PROFILE_DATE] = _NO_DATE
    return bytes(profile)


def _on_white(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Gray (H, W) or colors (H, W, 3), uint8, as they look on white."""
    if alpha is None:
        return pixels
    white = np.empty_like(pixels)
    for rows in _strips(len(pixels)):  # in floats
        opacity = (alpha[rows] if pixels.ndim == 2 else alpha[rows, :, None]) / np.float32(255)
        white[rows] = np.rint(255 - (255 - pixels[rows]) * opacity)
    return white


def _with_alpha(
    pixels: np.ndarray, alpha: np.ndarray | None, rows: slice = slice(None)
) -> np.ndarray:
    """Rows of gray (H, W) or colors (H, W, 3), 8 or 16 bits, and of alpha of 8, as one array."""
    if alpha is None:
        return pixels[rows]
    scale = np.iinfo(pixels.dtype).max // 255
    return np.dstack([pixels[rows], alpha[rows].astype(pixels.dtype) * pixels.dtype.type(scale)])


def _strips(height: int) -> list[slice]:
    return [slice(top, top + _STRIP_ROWS) for top in range(0, height, _STRIP_ROWS)]


def _channels(pixels: np.ndarray, alpha: np.ndarray | None) -> int:
    return (1 if pixels.ndim == 2 else 3) + (alpha is not None)


def _encode_jpeg(
    file: BinaryIO, pixels: np.ndarray, alpha: np.ndarray | None, metadata: Metadata, quality: int
) -> None:
    options = _stored(metadata, "exif", "dpi", "xmp")
    if len(metadata.exif or b"") > JPEG_SEGMENT_BYTES:
        del options["exif"]
    comment = metadata.text.get(COMMENT, "").encode()
    if 0 < len(comment) <= JPEG_SEGMENT_BYTES:
        options["comment"] = comment
    if pixels.ndim == 3:
        options["icc_profile"] = srgb_profile()
    white = _on_white(pixels, alpha)
    _save(file, white, "JPEG", quality=quality, subsampling=0, **options)


def _encode_webp(
    file: BinaryIO, pixels: np.ndarray, alpha: np.ndarray | None, metadata: Metadata, quality: int
) -> None:
    samples = _with_alpha(pixels, alpha)
    _save(file, samples, "WEBP", quality=quality, **_stored(metadata, "exif", "xmp"))


def _encode_png(
    file: BinaryIO, pixels: np.ndarray, alpha: np.ndarray | None, metadata: Metadata, _: int
) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", _SRGB_PERCEPTUAL)
    for keyword, text in metadata.text.items():
        chunks.add_text(keyword, text)
    if metadata.xmp:
        chunks.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode())
    options = {"pnginfo": chunks, **_stored(metadata, "exif", "dpi")}
    if pixels.dtype == np.uint8:
        samples = _with_alpha(pixels, alpha)
        _save(file, samples, "PNG", compress_level=PNG_COMPRESS_LEVEL, **options)
        return
    small = io.BytesIO()
    _save(small, np.zeros((1, 1), np.uint8), "PNG", **options)
    _encode_png_of_16_bits(file, pixels, alpha, small.getvalue())


def _encode_png_of_16_bits(
    file: BinaryIO, pixels: np.ndarray, alpha: np.ndarray | None, small: bytes
) -> None:
    """PNG of 16 bits, with the chunks before the pixels of a PNG file of another picture."""
    height, width = pixels.shape[:2]
    channels = _channels(pixels, alpha)
    packer = zlib.compressobj(PNG_COMPRESS_LEVEL, strategy=zlib.Z_RLE)

    def write(name: bytes, content: bytes) -> None:
        check = zlib.crc32(content, zlib.crc32(name))
        file.write(b"".join((struct.pack(">I", len(content)), name, content)))
        file.write(struct.pack(">I", check))

    file.write(small[: _PNG_HEAD.start])
    write(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _PNG_TYPES[channels], 0, 0, 0))
    file.write(small[_PNG_HEAD.stop : small.rindex(b"IDAT") - _PNG_LENGTH_BYTES])
    for rows in _strips(height):
        samples = _with_alpha(pixels, alpha, rows).astype(">u2", order="C")
        stored = samples.view(np.uint8).reshape(len(samples), -1)
        filtered = np.full((len(stored), 1 + stored.shape[1]), _PNG_SUB, np.uint8)
        filtered[:, 1:] = stored
        filtered[:, 1 + 2 * channels :] -= stored[:, : -2 * channels]  # modulo 256
        write(b"IDAT", packer.compress(filtered.data))
    write(b"IDAT", packer.flush())
    write(b"IEND", b"")


def _encode_tiff(
    file: BinaryIO, pixels: np.ndarray, alpha: np.ndarray | None, metadata: Metadata, _: int
) -> None:
    """TIFF of gray or RGB, with alpha last if the number of channels is even."""
    height, width = pixels.shape[:2]
    channels = _channels(pixels, alpha)
    block = block_of(metadata.exif, TIFF_DESCRIPTION)

    stored = pixels.dtype.newbyteorder(">" if block.is_big_endian else "<")

    def compressed(rows: slice) -> bytes:
        samples = np.atleast_3d(_with_alpha(pixels, alpha, rows))
        steps = samples.astype(stored, order="C")
        steps[:, 1:] -= samples[:, :-1]  # modulo 2 to the number of bits
        return zlib.compress(steps.tobytes(), 1)

    with ThreadPoolExecutor(max(1, cv2.getNumThreads())) as pool:  # zlib releases the GIL
        strips = list(pool.map(compressed, _strips(height)))
    sizes = [len(strip) for strip in strips]
    fields: dict[int, object] = {
        Base.ImageWidth: width,
        Base.ImageLength: height,
        Base.BitsPerSample: (8 * pixels.itemsize,) * channels,
        Base.Compression: _DEFLATE,
        Base.PhotometricInterpretation: _GRAY if channels <= 2 else _RGB,
        Base.StripOffsets: (0, *accumulate(sizes[:-1])),
        Base.SamplesPerPixel: channels,
        Base.RowsPerStrip: _STRIP_ROWS,
        Base.StripByteCounts: tuple(sizes),
        Base.PlanarConfiguration: _ONE_PLANE,
        Base.Predictor: _HORIZONTAL,
    }
    if channels % 2 == 0:
        fields[Base.ExtraSamples] = _UNASSOCIATED_ALPHA
    if channels > 2:
        fields[Base.InterColorProfile] = srgb_profile()
    if metadata.xmp:
        fields[_XMP] = metadata.xmp
    if metadata.dpi:
        across, down = map(IFDRational, metadata.dpi)
        fields |= {Base.XResolution: across, Base.YResolution: down, Base.ResolutionUnit: _INCH}
    for tag, value in fields.items():
        block.main.tagtype.pop(tag, None)
        block.main[tag] = value
    file.write(block.to_tiff())
    file.writelines(strips)


def _stored(metadata: Metadata, *names: str) -> dict[str, object]:
    """Options of Pillow for what is there of some metadata."""
    return {name: value for name in names if (value := getattr(metadata, name))}


def _save(file: BinaryIO, samples: np.ndarray, name: str, **options: object) -> None:
    # With the file's descriptor, Pillow does not say what is wrong with the disk.
    without = SimpleNamespace(write=file.write, flush=file.flush)
    Image.fromarray(samples).save(cast(BinaryIO, without), name, **options)


_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_Encoder = Callable[[BinaryIO, np.ndarray, np.ndarray | None, Metadata, int], None]
_ENCODERS: dict[str, _Encoder] = {
    "JPEG": _encode_jpeg,
    "PNG": _encode_png,
    "WEBP": _encode_webp,
    "TIFF": _encode_tiff,
}
