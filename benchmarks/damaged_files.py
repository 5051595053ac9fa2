"""Small pictures of scikit-image in every format and layout that is read, and random damage.

Damage flips bits, overwrites numbers, and cuts, doubles or inserts pieces.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pillow_heif
import skimage.data
import tifffile
from PIL import Image
from PIL.ExifTags import Base

_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = 160
"""Bytes at the beginning that receive half of the damage."""


def corpus(size: tuple[int, int] = (48, 32)) -> dict[str, bytes]:
    """Undamaged files of a width and height, by format and layout; the format comes first."""
    color = Image.fromarray(skimage.data.chelsea()).resize(size)
    array = np.asarray(color)
    array16 = array.astype(np.uint16) * 257
    planes = np.moveaxis(array16, -1, 0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Grandmother, 1932"
    files = {
        "JPEG": by_pillow(color, "JPEG", exif=exif),
        "JPEG progressive": by_pillow(color, "JPEG", progressive=True, comment="a comment"),
        "JPEG restarts": by_pillow(color, "JPEG", restart_marker_rows=1),
        "JPEG CMYK": by_pillow(color.convert("CMYK"), "JPEG"),
        "JPEG gray": by_pillow(color.convert("L"), "JPEG"),
        "PNG": by_pillow(color, "PNG", exif=exif),
        "PNG alpha": by_pillow(color.convert("RGBA"), "PNG"),
        "PNG palette": by_pillow(color.quantize(16), "PNG", transparency=3),
        "PNG 1 bit": by_pillow(color.convert("1"), "PNG"),
        "PNG 16 bit": by_opencv(".png", array16),
        "PNG 16 bit gray": by_opencv(".png", array16[..., 0]),
        "PNG 16 bit alpha": by_opencv(".png", np.dstack([array16, array16[..., 0]])),
        "PNG animated": by_pillow(color, "PNG", save_all=True, append_images=[color.rotate(90)]),
        "TIFF": by_pillow(color, "TIFF", exif=exif),
        "TIFF LZW": by_pillow(color, "TIFF", compression="tiff_lzw"),
        "TIFF JPEG": by_pillow(color, "TIFF", compression="jpeg"),
        "TIFF JPEG strips": by_pillow(color, "TIFF", compression="jpeg", tiffinfo={278: 16}),
        "TIFF CMYK": by_pillow(color.convert("CMYK"), "TIFF"),
        "TIFF 16 bit": by_tifffile(array16),
        "TIFF 16 bit deflate": by_tifffile(array16, compression="zlib", predictor=True),
        "TIFF 16 bit LZW": by_opencv(".tif", array16),
        "TIFF 16 bit tiled": by_tifffile(array16, tile=(16, 16), compression="zlib", byteorder=">"),
        "TIFF 16 bit planes": by_tifffile(planes, planarconfig="separate", compression="zlib"),
        "TIFF big": by_tifffile(array, bigtiff=True),
        "TIFF pages": by_pillow(color, "TIFF", save_all=True, append_images=[color]),
        "WebP": by_pillow(color, "WEBP", exif=exif),
        "WebP lossless": by_pillow(color.convert("RGBA"), "WEBP", lossless=True),
        "WebP animated": by_pillow(color, "WEBP", save_all=True, append_images=[color.rotate(9)]),
        "GIF": by_pillow(color.quantize(64), "GIF", comment=b"a comment"),
        "GIF animated": by_pillow(color, "GIF", save_all=True, append_images=[color.rotate(90)]),
        "JPEG2000": by_pillow(color, "JPEG2000"),
        "JPEG2000 lossy": by_pillow(color, "JPEG2000", no_jp2=True, irreversible=True),
        "JPEG2000 16 bit": by_pillow(Image.fromarray(array16[..., 0]), "JPEG2000"),
        "AVIF": by_pillow(color, "AVIF", exif=exif),
        "BMP": by_pillow(color, "BMP"),
        "BMP palette": by_pillow(color.quantize(16), "BMP"),
        "PNM": by_pillow(color, "PPM"),
        "PNM 16 bit": by_opencv(".pgm", array16[..., 0]),
        "PNM text": b"P3\n4 4\n255\n" + b" ".join(b"%d" % v for v in array[:4, :4].ravel()) + b"\n",
    }
    buffer = io.BytesIO()
    pillow_heif.from_pillow(color).save(buffer, quality=70)
    files["HEIC"] = buffer.getvalue()
    return files


def damaged(content: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Damage a file one to six times; half of the time PNG's checksums are corrected afterwards."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(_DAMAGES)(data, others, rng)
    if data.startswith(_PNG) and rng.random() < 0.5:
        _put_checksums_right(data)
    return bytes(data)


def _flip(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    if data:
        data[_position(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    """Overwrite 1, 2 or 4 bytes with a number at a limit, or any other, in either byte order."""
    size = rng.choice((1, 2, 4))
    value = rng.choice((*_EDGES, rng.randrange(1 << 32))) % (1 << (8 * size))
    position = _position(data, rng)
    data[position : position + size] = value.to_bytes(size, rng.choice(("big", "little")))


def _cut_out(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    position = _position(data, rng)
    del data[position : position + rng.choice((1, 2, 4, rng.randrange(1, 200)))]


def _cut_off(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _double(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    position = _position(data, rng)
    piece = data[position : position + rng.randrange(1, 200)]
    data[position:position] = piece * rng.choice((1, 1, 2, 20))


def _noise(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    position, size = _position(data, rng), rng.randrange(1, 40)
    data[position : position + size] = rng.randbytes(size)


def _blank(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    position, size = _position(data, rng), rng.randrange(1, 400)
    data[position : position + size] = bytes([rng.choice((0, 255))]) * size


def _splice(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start, size = rng.randrange(len(other)), rng.randrange(1, 300)
    position = _position(data, rng)
    data[position : position + rng.choice((0, size))] = other[start : start + size]


_DAMAGES: tuple[Callable[[bytearray, list[bytes], random.Random], None], ...] = (
    _flip, _overwrite, _overwrite, _cut_out, _cut_off, _double, _noise, _blank, _splice,
)  # fmt: skip


def _put_checksums_right(png: bytearray) -> None:
    start = len(_PNG)
    while start + 12 <= len(png):
        end = start + 8 + int.from_bytes(png[start : start + 4], "big")
        png[end : end + 4] = zlib.crc32(png[start + 4 : end]).to_bytes(4, "big")
        start = end + 4


def _position(data: bytearray, rng: random.Random) -> int:
    """Choose a position: half of the time in the header."""
    reach = min(len(data), _HEADER) if rng.random() < 0.5 else len(data)
    return rng.randrange(reach) if reach else 0


def by_pillow(image: Image.Image, format: str, **options: object) -> bytes:
    """Encode a picture with Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """Make a PNG file of chunks, each with its name and its content."""
    return _PNG + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def tiff_of(pieces: list[bytes], size: tuple[int, int], **tags: int | tuple[int, ...]) -> bytes:
    """Make a little-endian TIFF file of compressed strips or tiles, of Group 4 by default.

    Args:
        pieces: the compressed strips or tiles; any number, of any length.
        size: width and height.
        tags: additional tags by name as in `Base`; they may replace the default ones.
    """
    starts = tuple(8 + sum(map(len, pieces[:number])) for number in range(len(pieces)))
    fields: dict[str, int | tuple[int, ...]] = {
        "ImageWidth": size[0], "ImageLength": size[1], "BitsPerSample": 1, "Compression": 4,
        "PhotometricInterpretation": 0, "SamplesPerPixel": 1, "RowsPerStrip": size[1],
        "StripOffsets": starts, "StripByteCounts": tuple(map(len, pieces)), **tags,
    }  # fmt: skip
    data = b"".join(pieces)
    data += bytes(len(data) % 2)
    start = 8 + len(data)
    entries, values, values_start = b"", b"", start + 2 + 12 * len(fields) + 4
    for tag, value in sorted((Base[name].value, value) for name, value in fields.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        kind, layout = (3, "H") if max(numbers) < 1 << 16 else (4, "I")
        stored = struct.pack(f"<{len(numbers)}{layout}", *numbers)
        if len(stored) > 4:
            place = struct.pack("<I", values_start + len(values))
            values += stored + bytes(len(stored) % 2)
        else:
            place = stored.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(numbers)) + place
    head = b"II*\0" + struct.pack("<I", start)
    return head + data + struct.pack("<H", len(fields)) + entries + bytes(4) + values


def by_opencv(suffix: str, samples: np.ndarray) -> bytes:
    """Encode samples, (H, W) or BGR(A), with OpenCV."""
    return cv2.imencode(suffix, samples)[1].tobytes()


def by_tifffile(samples: np.ndarray, *, photometric: str = "rgb", **options: object) -> bytes:
    """Encode samples with tifffile."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, photometric=photometric, **options)
    return buffer.getvalue()
