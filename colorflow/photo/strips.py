"""Strips and tiles of TIFF files that the libraries do not check to the last row.

The libraries return a picture where data is missing. JPEG data that is cut off turns gray: tifffile
2026.3 accepts 34 of 34 cuts. tifffile fills strips that have no place in the file with zeros, and
knows no old-style JPEG whose strips follow its tables.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
import sys
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile

from colorflow.photo.cut import ends_early

if TYPE_CHECKING:
    from tifffile import TiffPage

FAX = (2, 3, 4)
OLD_JPEG, JPEG = 6, 7
_UNCOMPRESSED, _DEFLATE = 1, (8, 32946)
"""Values of the tag Compression."""
YCBCR = 6
"""Value of the tag PhotometricInterpretation."""
_SEPARATE = 2
_LARGEST_TILE = 256
"""Pixels of a tile per pixel of the picture; one of 16 x 16 may lie in a tile of 256 x 256."""
_LARGEST_TAIL = 1 << 16
"""Bytes after the last row of a strip."""
_END_OF_IMAGE = b"\xff\xd9"
_TOO_EARLY = "its data ends too early"


class KindNotReadError(Exception):
    """The file may be sound, but such files are not read; the message names the kind."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A strip or a tile."""

    x: int
    y: int
    width: int
    height: int
    """Of tiles as they are stored; those at the edges reach over the picture."""
    start: int
    """In the file."""
    size: int
    """In bytes."""


def check_pieces(page: TiffPage, file: IO[bytes]) -> None:
    """Check that every strip or tile lies in the file; tifffile fills missing ones.

    A single strip may lack its size: it then reaches to the end of the file.

    Raises:
        OSError: one is missing.
    """
    across, down = _shape_of_pieces(page)
    planes = page.samplesperpixel if page.planarconfig == _SEPARATE else 1
    count = planes * math.ceil(page.imagewidth / across) * math.ceil(page.imagelength / down)
    starts, sizes = tuple(page.dataoffsets), tuple(page.databytecounts)
    end = file.seek(0, io.SEEK_END)
    if count == len(starts) == 1 and sizes in ((), (0,)):
        page.databytecounts = sizes = (max(0, end - starts[0]),)
    extents = list(zip(starts, sizes, strict=False))[:count]
    if page.compression == _UNCOMPRESSED and page.photometric != YCBCR:
        end = sys.maxsize  # the size may be wrong: tifffile reads what it needs
    if len(extents) < count or any(0 in one or sum(one) > end for one in extents):
        raise OSError(_TOO_EARLY)


def _bits(page: TiffPage) -> int:
    bits = page.bitspersample
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _shape_of_pieces(page: TiffPage) -> tuple[int, int]:
    """Width and height of strips or tiles, in pixels."""
    if page.is_tiled:
        across, down = page.tilewidth, page.tilelength
    else:
        across, down = page.imagewidth, page.rowsperstrip
    if min(across, down) < 1:
        raise OSError(_TOO_EARLY)
    if page.is_tiled and across * down > _LARGEST_TILE * page.imagewidth * page.imagelength:
        raise KindNotReadError("tiles much larger than the picture")
    return across, down


def pieces_of(page: TiffPage) -> Iterator[Piece]:
    """The pieces of a page that `check_pieces` has checked; separate planes one after the other."""
    across, down = _shape_of_pieces(page)
    width, height = page.imagewidth, page.imagelength
    tops, lefts = range(0, height, down), range(0, width, across)
    planes = range(page.samplesperpixel if page.planarconfig == _SEPARATE else 1)
    corners = itertools.product(planes, tops, lefts)
    pieces = zip(corners, page.dataoffsets, page.databytecounts, strict=False)
    for (_, y, x), start, size in pieces:
        yield Piece(x, y, across, down if page.is_tiled else min(down, height - y), start, size)


def oversized_pixels(page: TiffPage, file: IO[bytes]) -> np.ndarray:
    """Decode the pixels of a page whose strips hold more than the picture needs.

    The last strip may hold as many rows as the others, and bytes may follow the last row.
    imagecodecs refuses such strips with some compressions.

    Raises:
        OSError: a strip or tile ends too early.
        Exception: whatever the decoders raise on damaged files.
    """
    from tifffile import TIFF

    samples = 1 if page.planarconfig == _SEPARATE else page.samplesperpixel
    pixels = np.zeros(page.shaped, page.dtype)
    _, down = _shape_of_pieces(page)
    for index, piece in enumerate(pieces_of(page)):
        row = math.ceil(piece.width * samples * _bits(page) / 8)
        size, data = piece.height * row, _data_of(piece, file)
        if page.compression in _DEFLATE:
            data = zlib.decompressobj().decompress(data, size)
        else:
            most = min(down, 2 * page.imagelength) * row + _LARGEST_TAIL
            data = TIFF.DECOMPRESSORS[page.compression](data, out=most)[:size]
        if len(data) < size:
            raise OSError(_TOO_EARLY)
        part, (plane, z, y, x, _), (depth, height, width, _) = page.decode(
            TIFF.COMPRESSORS[page.compression](data), index
        )
        assert part is not None
        pixels[plane, z : z + depth, y : y + height, x : x + width] = part[:depth, :height, :width]
    return pixels.reshape(page.shape)


def check_subsampled(page: TiffPage, file: IO[bytes]) -> None:
    """Check that every strip or tile of a YCbCr page holds all its pixels.

    libtiff returns a picture all the same, with whatever its memory held before in place of the
    missing pixels.

    Raises:
        KindNotReadError: it is stored in planes of different sizes.
        OSError: one of them ends too early.
        Exception: whatever the decoders raise on damaged files.
    """
    from tifffile import TIFF

    across, down = page.subsampling or (2, 2)
    chroma = 2
    if page.planarconfig == _SEPARATE:
        if (across, down) != (1, 1):
            raise KindNotReadError("planes of YCbCr, those of chroma with fewer pixels")
        chroma = 0
    for piece in pieces_of(page):
        blocks = math.ceil(piece.width / across) * math.ceil(piece.height / down)
        size = blocks * (across * down + chroma)  # samples of luma, or of a plane, and of chroma
        data = _data_of(piece, file)
        if page.compression in _DEFLATE:
            data = zlib.decompressobj().decompress(data, size)
        elif page.compression != _UNCOMPRESSED:
            data = TIFF.DECOMPRESSORS[page.compression](data, out=size)
        if len(data) < size:
            raise OSError(_TOO_EARLY)


def check_jpeg(page: TiffPage, file: IO[bytes]) -> None:
    """Check that the JPEG pictures that a page is made of are whole and of the right size.

    Raises:
        OSError: one of them is not.
        Exception: whatever Pillow raises on damaged files.
    """
    tables = (page.jpegtables or b"").removesuffix(_END_OF_IMAGE)
    for piece in pieces_of(page):
        data = _data_of(piece, file)
        # The last strip may hold as many rows as the others.
        heights = {piece.height, page.tilelength if page.is_tiled else page.rowsperstrip}
        sizes = {(piece.width, height) for height in heights}
        _whole_jpeg(tables + data[2:] if tables else data, sizes)


def old_jpeg(page: TiffPage, file: IO[bytes]) -> JpegImageFile:
    """Read a page whose JPEG data is stored as TIFF 6.0 first defined it.

    Its JPEG file is there as a whole, or as one that ends with its tables, the rest of which are
    the strips. Files without one, whose tables are scattered, are refused.

    Raises:
        KindNotReadError: there is no JPEG file.
        OSError: it is not whole or not of the page's size.
        Exception: whatever Pillow raises on damaged files.
    """
    starts, lengths = (page.tags.valueof(t, ()) for t in (Base.JpegIFOffset, Base.JpegIFByteCount))
    if not starts:
        raise KindNotReadError("old-style JPEG without a JPEG file in it")
    start, length = starts[0], lengths[0] if lengths else 0
    file.seek(start)
    if length and start + length <= min(page.tags.valueof(Base.StripOffsets, (0,))):
        data = file.read(length) + _scan_of_strips(page, file)
    else:
        data = file.read()
    return _whole_jpeg(data, {(page.imagewidth, page.imagelength)})


def _scan_of_strips(page: TiffPage, file: IO[bytes]) -> bytes:
    """What follows a JPEG file's tables: each strip is what lies between two restart markers."""
    across, down = page.subsampling or (2, 2)
    pieces = list(pieces_of(page))
    blocks = math.ceil(pieces[0].width / (8 * across)) * math.ceil(pieces[0].height / (8 * down))
    scan = b"\xff\xdd" + struct.pack(">HH", 4, blocks)
    for number, piece in enumerate(pieces):
        scan += _data_of(piece, file).removesuffix(_END_OF_IMAGE)
        scan += bytes([0xFF, 0xD0 + number % 8]) if piece is not pieces[-1] else _END_OF_IMAGE
    return scan


def _whole_jpeg(data: bytes, sizes: Collection[tuple[int, int]]) -> JpegImageFile:
    """Decode a JPEG picture, which must be of one of the sizes; they are checked before."""
    file = io.BytesIO(data)
    picture = JpegImageFile(file)
    if picture.size not in sizes:
        raise OSError("its JPEG data is of another size")
    picture.load()
    if ends_early(picture, file):
        raise OSError(_TOO_EARLY)
    return picture


def _data_of(piece: Piece, file: IO[bytes]) -> bytes:
    file.seek(piece.start)
    data = file.read(piece.size)
    if len(data) < piece.size:
        raise OSError(_TOO_EARLY)
    return data
