"""Detects JPEG and JPEG 2000 files of which a part is missing, which their decoders do not tell.

libjpeg, the decoder of Pillow, silently fills missing data with gray: a file that was cut short and
closed by some tool, or lies on a damaged disk block, would become a half-gray picture. With
arithmetic coding it fills it with whatever, so such files are refused; hardly any program writes
them. OpenJPEG leaves tiles black that are not there.

Reference: ITU-T T.81, annexes A.2 (order of the blocks), B (markers) and E.1.4 (restarts); ITU-T
T.800, annexes A.4.2 (tile-parts) and I (boxes).
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Iterator
from itertools import takewhile
from typing import IO

from PIL.JpegImagePlugin import JpegImageFile

_FILLING = frozenset((127, 128))
"""Values of every channel in blocks without data (inverted ink included)."""
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker within the data of a scan, except restart markers (ITU-T T.81, B.1.1.2)."""
_END_OF_IMAGE, _SCAN, _INTERVAL = b"\xd9", b"\xda", b"\xdd"
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ARITHMETIC_FRAMES = frozenset(bytes([one]) for one in (0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_PROBE = bytes((37 * i + 171) % 251 for i in range(64))
"""Data with many different codes and no marker; libjpeg takes missing bits for 0, so it begins with
1."""

_J2K_START, _J2K_SIZE, _J2K_TILE_PART, _J2K_END = 0xFF4F, 0xFF51, 0xFF90, 0xFFD9
_CODESTREAM = b"jp2c"


def ends_early(image: JpegImageFile, file: IO[bytes]) -> bool:
    """Whether the decoder of a JPEG file ran out of data before the end of the picture.

    Restart markers are counted where the file says that there are some. Otherwise bytes are
    appended to the data, and the picture is decoded again: they change an incomplete picture, and
    do not change a complete one. This is done only for progressive files, which may be blurred
    instead of gray, and for pictures whose last pixel has the gray of the filling.

    A cut within the last 16 x 16 pixels is not detected; it would take twice the time for every
    photo. Nor is a cut between two scans of a progressive file, which then lacks only detail.

    Args:
        image: a loaded JPEG image.
        file: the file it was read from.

    Raises:
        OSError: it uses arithmetic coding.
    """
    file.seek(0)
    content = file.read()
    head = {marker for marker, *_ in takewhile(lambda one: one[0] != _SCAN, _segments(content))}
    if head & _ARITHMETIC_FRAMES:
        raise OSError("arithmetic coding, whose end cannot be checked")
    if _INTERVAL in head and _lacks_restarts(image, content):
        return True
    last = image.getpixel((image.width - 1, image.height - 1))
    filled = _FILLING.issuperset(last if isinstance(last, tuple) else (last,))
    if not filled and "progressive" not in image.info:
        return False
    end = _end_of_data(content)
    return _decoded(content[:end] + _PROBE + content[end:]) != image.tobytes()


def _segments(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Marker, offset and end of each segment up to the end of the image; data may follow it."""
    position = 2
    while found := _MARKER.search(content, position):
        start = found.end()
        position = start + int.from_bytes(content[start : start + 2], "big")
        yield found[1], found.start(), position
        if found[1] == _END_OF_IMAGE:
            break


def _end_of_data(content: bytes) -> int:
    """The offset at which the data of the last scan ends."""
    end, in_scan = len(content), False
    for marker, place, _ in _segments(content):
        if in_scan:
            end = place
        in_scan = marker == _SCAN
    return end


def _lacks_restarts(image: JpegImageFile, content: bytes) -> bool:
    """Whether a scan has fewer restart markers than it needs."""
    interval = 0
    sampling = {part: (across, down) for part, across, down, _ in image.layer}
    for marker, place, end in _segments(content):
        segment = content[place + 4 : end]
        if marker == _INTERVAL:
            interval = int.from_bytes(segment[:2], "big")
        elif marker == _SCAN and interval:
            following = _MARKER.search(content, end)
            data = content[end : following.start() if following else None]
            parts = list(segment[1 : 1 + 2 * segment[0] : 2])
            units = _units_of_scan(image.size, sampling, parts)
            if len(_RESTART.findall(data)) + 1 < math.ceil(units / interval):
                return True
    return False


def _units_of_scan(
    size: tuple[int, int], sampling: dict[int, tuple[int, int]], parts: list[int]
) -> int:
    """Number of minimum coded units of a scan, see T.81, A.2."""
    most = [max(one[axis] for one in sampling.values()) for axis in (0, 1)]
    if len(parts) > 1:
        return math.prod(math.ceil(size[axis] / (8 * most[axis])) for axis in (0, 1))
    own = sampling[parts[0]]
    return math.prod(
        math.ceil(math.ceil(size[axis] * own[axis] / most[axis]) / 8) for axis in (0, 1)
    )


def _decoded(content: bytes) -> bytes:
    image = JpegImageFile(io.BytesIO(content))
    image.load()
    return image.tobytes()


def lacks_tiles(file: IO[bytes]) -> bool:
    """Whether a JPEG 2000 file holds no part of some tile, or ends within one.

    Raises:
        OSError: its codestream cannot be found.
        struct.error: its headers are cut off.
    """
    end = file.seek(0, io.SEEK_END)
    _find_codestream(file)
    found, tiles = set[int](), 0
    while (marker := _number(file, ">H")) not in (0, _J2K_END):
        start, length = file.tell() - 2, _number(file, ">H")
        if marker == _J2K_SIZE:
            tiles = _tiles(file.read(length - 2))
        elif marker == _J2K_TILE_PART:
            tile, size = struct.unpack(">HI", file.read(6))
            found.add(tile)
            if size == 0:  # the last one, which reaches to the end
                break
            if start + size > end:
                return True
            length = size - 2
        file.seek(start + 2 + length)
    return len(found) < tiles


def _find_codestream(file: IO[bytes]) -> None:
    """Move behind the start of the codestream, in the boxes of a JP2 file or on its own."""
    file.seek(0)
    if _number(file, ">H") == _J2K_START:
        return
    file.seek(0)
    while len(head := file.read(8)) == 8:
        start = file.tell() - 8
        length, kind = struct.unpack(">I4s", head)
        if length == 1:
            length = _number(file, ">Q")
        if kind == _CODESTREAM and _number(file, ">H") == _J2K_START:
            return
        if length < 8:
            break
        file.seek(start + length)
    raise OSError("its codestream cannot be found")


def _tiles(size: bytes) -> int:
    """Number of tiles, from the content of the size segment."""
    right, bottom, _, _, width, height, left, top = struct.unpack_from(">8I", size, 2)
    return math.ceil((right - left) / width) * math.ceil((bottom - top) / height)


def _number(file: IO[bytes], layout: str) -> int:
    content = file.read(struct.calcsize(layout))
    return int(struct.unpack(layout, content)[0]) if content else 0
