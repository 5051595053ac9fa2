"""Files that are made to crash, hang, or fill the memory of who reads them; each is a few lines.

Each function takes a size, so that tests can use small ones; the default is what an attacker sends.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image

from benchmarks.damaged_files import by_opencv, by_pillow, png_of, tiff_of

_SHORT, _LONG, _UNDEFINED = 3, 4, 7


def kinds() -> dict[str, Callable[[], bytes]]:
    """What makes each file, by the file's name."""
    return {
        "heic-12-bits-said.heic": heic_of_other_depth,
        "exif-thumbnail-of-one-value.jpg": exif_of_shared_values,
        "exif-many-directories.jpg": exif_of_many_directories,
        "exif-tiny-segments.jpg": exif_in_tiny_segments,
        "tiff-tags-that-share-bytes.tif": tiff_of_shared_values,
        "profile-of-long-chain-16-bits.png": deep_png_of_long_chain,
        "jpeg-many-scans.jpg": jpeg_of_many_scans,
        "pgm-comments.pgm": pgm_of_comments,
        "jpeg-2000-precincts.j2k": jpeg_2000_of_precincts,
        "png-16-bits.png": deep_png,
        "tiff-shared-pages.tif": tiff_of_shared_pages,
        "tiff-webp.tif": tiff_of_large_webp,
        "tiff-offsets.tif": tiff_of_many_offsets,
        "tiff-fax-one-pixel-wide.tif": fax_of_one_column,
    }


def heic_of_other_depth() -> bytes:
    """A gray HEIC picture that says 12 bits, and whose stream has 8."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.effect_noise((64, 64), 50)).save(buffer, quality=70)
    data = bytearray(buffer.getvalue())
    start = data.index(b"hvcC") + 4
    data[start + 17] = data[start + 18] = 0xF8 | 4  # bitDepthLumaMinus8, bitDepthChromaMinus8
    return bytes(data)


def exif_of_shared_values(entries: int = 2700) -> bytes:
    """A JPEG file whose thumbnail's directory has many entries of the same integers."""
    first = struct.pack("<HHHIII", 1, 0x0112, _SHORT, 1, 1, 26)
    count = 6 * entries
    second = b"".join(struct.pack("<HHII", tag, _SHORT, count, 26) for tag in range(entries))
    second = struct.pack("<H", entries) + second + bytes(4) + bytes(26)
    return _jpeg_with(b"II*\0" + struct.pack("<I", 8) + first + second)


def exif_of_many_directories(entries: int = 2600) -> bytes:
    """A JPEG file whose Exif directory is named many times, and names itself."""
    start = 8 + 2 + 12 * entries + 4
    main = _directory(struct.pack("<HHII", 0x8769, _LONG, 1, start), entries)
    inner = _directory(struct.pack("<HHII", 0xA001, _SHORT, 1, 1), entries)
    return _jpeg_with(b"II*\0" + struct.pack("<I", 8) + main + inner)


def exif_in_tiny_segments(segments: int = 600_000) -> bytes:
    """A JPEG file with many Exif segments of one byte."""
    jpeg = by_pillow(Image.new("L", (8, 8)), "JPEG")
    return jpeg[:2] + b"\xff\xe1\x00\x09Exif\0\0x" * segments + jpeg[2:]


def tiff_of_shared_values(entries: int = 2000, size: int = 2_000_000) -> bytes:
    """A TIFF file with many tags of the same bytes."""
    picture = tiff_of([bytes(64)], (8, 8), Compression=1, BitsPerSample=8)
    (start,) = struct.unpack_from("<I", picture, 4)
    (count,) = struct.unpack_from("<H", picture, start)
    known = picture[start + 2 : start + 2 + 12 * count]
    more = b"".join(
        struct.pack("<HHII", tag, _UNDEFINED, size, 8) for tag in range(40_000, 40_000 + entries)
    )
    data = picture.ljust(max(size + 8, len(picture)), b"\0")
    directory = struct.pack("<H", count + entries) + known + more + bytes(4)
    return b"II*\0" + struct.pack("<I", len(data)) + data[8:] + directory


def long_chain(elements: int = 180) -> bytes:
    """A profile whose tag D2B1 is a long chain of matrices and curves that share their bytes."""
    matrix = b"matf" + bytes(4) + struct.pack(">HH", 3, 3)
    matrix += struct.pack(">12f", 0.9, 0.1, 0, 0, 0.9, 0.1, 0.1, 0, 0.9, 0, 0, 0)
    curve = b"curf" + bytes(4) + struct.pack(">HH", 1, 0)
    curve += b"parf" + bytes(4) + struct.pack(">HH4f", 0, 0, 1.01, 1, 0, 0)
    curves = b"cvst" + bytes(4) + struct.pack(">HH", 3, 3)
    curves += struct.pack(">II", 36, len(curve)) * 3 + curve
    table_end = 16 + 8 * elements
    places = [(table_end, len(matrix)), (table_end + len(matrix), len(curves))] * (elements // 2)
    chain = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, len(places))
    chain += b"".join(struct.pack(">II", *place) for place in places) + matrix + curves
    table = struct.pack(">I4sII", 1, b"D2B1", 144, len(chain))
    head = struct.pack(">I4sI4s4s4s", 144 + len(chain), b"", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)  # D50
    return head.ljust(128, b"\0") + table + chain


def deep_png_of_long_chain(side: int = 2000) -> bytes:
    """A PNG file of 16 bits with `long_chain`."""
    noise = np.random.default_rng(0).integers(0, 65535, (side, side, 3), np.uint16)
    png = by_opencv(".png", noise)
    chunk = b"iCCPx\0\0" + zlib.compress(long_chain())
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:33] + chunk + png[33:]


def jpeg_of_many_scans(side: int = 3000, scans: int = 4000) -> bytes:
    """A progressive JPEG file of one gray whose last scan comes again and again."""
    jpeg = by_pillow(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * scans + jpeg[-2:]


def pgm_of_comments(lines: int = 2_000_000) -> bytes:
    """A PGM file in letters with many comments."""
    return b"P2\n8 8\n255\n" + b"#\n" * lines + b"0 " * 64


def jpeg_2000_of_precincts(side: int = 20_000, mode: str = "L") -> bytes:
    """A small JPEG 2000 file of `side` x `side` / 8 pixels in precincts of two."""
    data = bytearray(
        by_pillow(
            Image.new(mode, (64, 64)), "JPEG2000", no_jp2=True, num_resolutions=2,
            precinct_size=(32, 32),
        )
    )  # fmt: skip
    size = data.index(b"\xff\x51") + 4
    struct.pack_into(">II", data, size + 2, side, side // 8)
    struct.pack_into(">II", data, size + 18, side, side // 8)
    style = data.index(b"\xff\x52") + 4
    data[style + 10 : style + 12] = b"\x11\x11"
    return bytes(data)


def deep_png(side: int = 14_100) -> bytes:
    """A PNG file of one color of 16 bits, of nearly 200 million pixels."""
    return _large_png(side, bits=16, channels=3)


def tiff_of_large_png(side: int = 50_000) -> bytes:
    """A small TIFF file whose strip is a large PNG picture."""
    return _small_tiff_of(_large_png(side, bits=8, channels=1), 34933)


def tiff_of_shared_pages(side: int = 8_900, pages: int = 200) -> bytes:
    """A TIFF file whose pages have one strip together."""
    strip = zlib.compress(bytes(side * side))
    tiff = tiff_of(
        [strip], (side, side), Compression=8, BitsPerSample=8, PhotometricInterpretation=1
    )
    (start,) = struct.unpack_from("<I", tiff, 4)
    (entries,) = struct.unpack_from("<H", tiff, start)
    end = start + 2 + 12 * entries
    places = [len(tiff) + (end + 4 - start) * number for number in range(pages - 1)]
    directories = b"".join(tiff[start:end] + struct.pack("<I", one) for one in [*places[1:], 0])
    return tiff[:end] + struct.pack("<I", places[0]) + tiff[end + 4 :] + directories


def _large_png(side: int, bits: int, channels: int) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    length = 1 + side * channels * bits // 8
    row = packer.compress(bytes(length)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = (side * length % 65521) << 16 | 1
    rows = b"\x78\x01" + row * side + packer.flush() + struct.pack(">I", adler)
    head = struct.pack(">IIBBBBB", side, side, bits, 2 if channels == 3 else 0, 0, 0, 0)
    return png_of((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))


def tiff_of_large_webp(side: int = 12_000) -> bytes:
    """A small TIFF file whose strip is a large WebP picture."""
    strip = imagecodecs.webp_encode(np.zeros((side, side, 3), np.uint8))
    return _small_tiff_of(strip, 50001, 3)


def tiff_of_many_offsets(count: int = 10_000_000) -> bytes:
    """A small TIFF file that names many strips."""
    numbers = np.full(count, 8, "<u4").tobytes()
    fields = [
        (256, _LONG, 1, 64), (257, _LONG, 1, 64), (258, _SHORT, 1, 8), (259, _SHORT, 1, 1),
        (262, _SHORT, 1, 1), (273, _LONG, count, 8), (277, _SHORT, 1, 1), (278, _LONG, 1, 1),
        (279, _LONG, count, 8),
    ]  # fmt: skip
    directory = struct.pack("<H", len(fields))
    directory += b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(numbers)) + numbers + directory


def fax_of_one_column(size: int = 1_000_000) -> bytes:
    """A TIFF file, one pixel wide, of Group 4 data, in which a row takes one bit."""
    return tiff_of([b"\xff" * size], (1, 8 * size))


def _small_tiff_of(strip: bytes, compression: int, samples: int = 1) -> bytes:
    return tiff_of(
        [strip], (64, 48), Compression=compression, BitsPerSample=(8,) * samples,
        SamplesPerPixel=samples, PhotometricInterpretation=1 if samples == 1 else 2,
    )  # fmt: skip


def _directory(entry: bytes, entries: int) -> bytes:
    return struct.pack("<H", entries) + entry * entries + bytes(4)


def _jpeg_with(block: bytes) -> bytes:
    return by_pillow(Image.new("L", (8, 8)), "JPEG", exif=b"Exif\0\0" + block)
