"""Detects JPEG 2000 files without all of their tiles, which OpenJPEG leaves black.

Reference: ITU-T T.800, annexes A.4.2 (tile-parts) and I (boxes).
"""

from __future__ import annotations

import io
import math
import struct
from typing import IO

_START, _END = 0xFF4F, 0xFFD9
_SIZE, _TILE_PART = 0xFF51, 0xFF90
_CODESTREAM = b"jp2c"
_MOST_TILES = 65535
_LARGEST_BOX = struct.Struct(">Q")


def lacks_tiles(file: IO[bytes]) -> bool:
    """Whether a file holds no part of some tile, or ends within one.

    Raises:
        OSError: its codestream cannot be found.
        struct.error: its headers are cut off.
    """
    end = file.seek(0, io.SEEK_END)
    _find_codestream(file)
    missing: set[int] | None = None
    while marker := _number(file, ">H"):
        if marker == _START:
            continue
        if marker == _END:
            break
        start, length = file.tell() - 2, _number(file, ">H")
        if marker == _SIZE:
            missing = set(range(_tiles(file.read(length - 2))))
        elif marker == _TILE_PART:
            tile, size = struct.unpack(">HI", file.read(6))
            assert missing is not None
            missing.discard(tile)
            if size == 0:  # the last one, which reaches to the end
                break
            if start + size > end:
                return True
            file.seek(start + size)
            continue
        file.seek(start + 2 + length)
    return bool(missing)


def _find_codestream(file: IO[bytes]) -> None:
    """Move to the first byte of the codestream, in the boxes of a JP2 file or on its own."""
    file.seek(0)
    if _number(file, ">H") == _START:
        file.seek(0)
        return
    file.seek(0)
    while len(head := file.read(8)) == 8:
        start = file.tell() - 8
        length, kind = struct.unpack(">I4s", head)
        if length == 1:
            (length,) = _LARGEST_BOX.unpack(file.read(8))
        if kind == _CODESTREAM:
            return
        if length < 8:
            break
        file.seek(start + length)
    raise OSError("its codestream cannot be found")


def _tiles(size: bytes) -> int:
    """Number of tiles, from the content of the size segment."""
    right, bottom, _, _, width, height, left, top = struct.unpack_from(">8I", size, 2)
    tiles = math.ceil((right - left) / width) * math.ceil((bottom - top) / height)
    if tiles > _MOST_TILES:
        raise OSError("it has too many tiles")
    return tiles


def _number(file: IO[bytes], layout: str) -> int:
    content = file.read(struct.calcsize(layout))
    return int(struct.unpack(layout, content)[0]) if content else 0
