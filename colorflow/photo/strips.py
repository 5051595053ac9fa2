"""The strips and tiles of TIFF files, and whether they hold every row.

libtiff refuses most data that end early, but two of its decoders take them for success. Rows that
are missing from fax data then show what was in memory before, and so do those of an embedded JPEG
picture that is smaller than its strip; what is cut off within a JPEG picture turns gray.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from colorflow.photo.fax import GROUP_3, GROUP_4, RLE, fax_rows
from colorflow.photo.jpeg import ends_early

FAX = (RLE, GROUP_3, GROUP_4)
OLD_JPEG, JPEG = 6, 7
"""Values of the tag Compression."""
STRIPS, TILES = (Base.StripOffsets, Base.StripByteCounts), (Base.TileOffsets, Base.TileByteCounts)
"""Tags that say where strips are and how long, and the same of tiles."""
_LOWEST_FIRST = 2
"""Fill order: the first pixel of a byte is its lowest bit."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_SEPARATE = 2
_LARGEST_FAX = 4 << 20
"""Bytes; their decoding takes two to five seconds a million."""
_END_OF_IMAGE = b"\xff\xd9"
_TOO_EARLY = "its data ends too early"


class KindNotReadError(Exception):
    """The file may be sound, but such files are not read; what kind it is."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A strip or tile."""

    x: int
    y: int
    width: int
    height: int
    """Of tiles as they are stored; those at the edges reach over it."""
    start: int
    """In the file."""
    size: int
    """In bytes; -1 for the rest of the file."""


def pieces_of(image: TiffImageFile) -> Iterator[Piece]:
    """The pieces of a picture, in the file's order; of separate planes, one after the other.

    Raises:
        OSError: there are fewer than the picture needs.
        Exception: whatever damaged tags cause.
    """
    tags = image.tag_v2
    width, height = tags[Base.ImageWidth], tags[Base.ImageLength]
    tiled = TILES[0] in tags
    if tiled:
        across, down = tags[Base.TileWidth], tags[Base.TileLength]
    else:
        across, down = width, min(tags.get(Base.RowsPerStrip, height), height)
    separate = tags.get(Base.PlanarConfiguration) == _SEPARATE
    planes = tags.get(Base.SamplesPerPixel, 1) if separate else 1
    count = planes * math.ceil(width / across) * math.ceil(height / down)
    starts, sizes = (tags.get(tag, ()) for tag in (TILES if tiled else STRIPS))
    if count == 1 and not any(sizes):
        sizes = (-1,)
    if min(across, down) < 1 or min(len(starts), len(sizes)) < count or 0 in starts[:count]:
        raise OSError(_TOO_EARLY)
    tops, lefts = range(0, height, down), range(0, width, across)
    corners = itertools.product(range(planes), tops, lefts)
    for (_, y, x), start, size in zip(corners, starts, sizes, strict=False):
        yield Piece(x, y, across, down if tiled else min(down, height - y), start, size)


def fax_pixels(image: TiffImageFile) -> bytes:
    """The pixels of a picture of fax data, eight a byte, rows padded to whole bytes.

    Raises:
        KindNotReadError: there is too much of it.
        OSError: not every row is there, or the data is damaged.
    """
    tags = image.tag_v2
    width, height = tags[Base.ImageWidth], tags[Base.ImageLength]
    pixels = np.empty((height, (width + 7) // 8), np.uint8)
    total = 0
    for piece in pieces_of(image):
        data = _data_of(piece, image)
        total += len(data)
        if total > _LARGEST_FAX:
            raise KindNotReadError(f"more than {_LARGEST_FAX >> 20} MB of fax data")
        if tags.get(Base.FillOrder) == _LOWEST_FIRST:
            data = data.translate(_REVERSED)
        rows = fax_rows(
            data, piece.width, piece.height, tags[Base.Compression], tags.get(Base.T4Options, 0)
        )
        place = pixels[piece.y : piece.y + piece.height, piece.x // 8 :][:, : rows.shape[1]]
        place[:] = rows[: place.shape[0], : place.shape[1]]
    return pixels.tobytes()


def check_jpeg(image: TiffImageFile) -> None:
    """Check that the JPEG pictures that a picture is made of are whole and large enough.

    Raises:
        OSError: one of them is not.
        Exception: whatever Pillow raises on damaged files.
    """
    tables = image.tag_v2.get(Base.JPEGTables, b"").removesuffix(_END_OF_IMAGE)
    for piece in pieces_of(image):
        data = _data_of(piece, image)
        part = _whole_jpeg(tables + data[2:] if tables else data)
        if part.width < piece.width or part.height < piece.height:
            raise OSError(_TOO_EARLY)


def old_jpeg(image: TiffImageFile) -> JpegImageFile:
    """The picture of a TIFF file of TIFF 6.0's own way of JPEG, loaded.

    Its JPEG file is there as a whole, or as one that ends with its tables, the rest of which are
    the strips. Files without one, whose tables lie here and there, are refused.

    Raises:
        KindNotReadError: there is no JPEG file.
        OSError: it is not whole or not of the picture's size.
        Exception: whatever Pillow raises on damaged files.
    """
    tags, file = image.tag_v2, image.fp
    assert file is not None
    if Base.JpegIFOffset not in tags:
        raise KindNotReadError("old-style JPEG without a JPEG file in it")
    start, length = tags[Base.JpegIFOffset], tags.get(Base.JpegIFByteCount, 0)
    file.seek(start)
    if length and start + length <= min(tags.get(Base.StripOffsets, (0,))):
        data = file.read(length) + _scan_of_strips(image)
    else:
        data = file.read()
    picture = _whole_jpeg(data)
    if picture.size != (tags[Base.ImageWidth], tags[Base.ImageLength]):
        raise OSError("its old-style JPEG data is of another size")
    return picture


def _scan_of_strips(image: TiffImageFile) -> bytes:
    """What follows a JPEG file's tables: each strip is what lies between two restart markers."""
    across, down = image.tag_v2.get(Base.YCbCrSubSampling, (2, 2))
    pieces = list(pieces_of(image))
    blocks = math.ceil(pieces[0].width / (8 * across)) * math.ceil(pieces[0].height / (8 * down))
    scan = b"\xff\xdd" + struct.pack(">HH", 4, blocks)
    for number, piece in enumerate(pieces):
        scan += _data_of(piece, image).removesuffix(_END_OF_IMAGE)
        scan += bytes([0xFF, 0xD0 + number % 8]) if piece is not pieces[-1] else _END_OF_IMAGE
    return scan


def _whole_jpeg(data: bytes) -> JpegImageFile:
    file = io.BytesIO(data)
    picture = JpegImageFile(file)
    picture.load()
    if ends_early(picture, file):
        raise OSError(_TOO_EARLY)
    return picture


def _data_of(piece: Piece, image: TiffImageFile) -> bytes:
    assert image.fp is not None
    image.fp.seek(piece.start)
    data = image.fp.read(piece.size)
    if len(data) < piece.size:
        raise OSError(_TOO_EARLY)
    return data
