"""Detects JPEG files whose data ends too early although their end marker is there.

libjpeg, the decoder of Pillow, silently fills missing data with gray: a file that was cut short and
closed by some tool, or lies on a damaged disk block, would become a half-gray picture. With
arithmetic coding it fills it with whatever, so such files are refused; hardly any program writes
them.

Reference: ITU-T T.81, annexes A.2 (order of the blocks), B (markers) and E.1.4 (restarts).
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Iterator
from typing import IO

from PIL.JpegImagePlugin import JpegImageFile

_FILLING = frozenset((127, 128))
"""Values of every channel in blocks without data (inverted ink included)."""
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker within the data of a scan, except restart markers (ITU-T T.81, B.1.1.2)."""
_END_OF_IMAGE, _START_OF_SCAN = b"\xd9", b"\xda"
_RESTART_INTERVAL = b"\xdd"
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_FRAMES = frozenset(bytes([one]) for one in range(0xC0, 0xD0) if one not in (0xC4, 0xC8, 0xCC))
_ARITHMETIC_FRAMES = frozenset(bytes([one]) for one in (0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_PROBE = bytes((37 * i + 11) % 251 for i in range(64))
"""Data with many different codes and no marker."""


def ends_early(image: JpegImageFile, file: IO[bytes]) -> bool:
    """Whether the decoder ran out of data before the end of a picture.

    Restart markers are counted where the file says that there are some. Otherwise bytes are
    appended to the data, and the picture is decoded again: they change an incomplete picture, and
    do not change a complete one. This is done only for progressive files, which may be blurred
    instead of gray, and for pictures whose last pixel has the gray of the filling.

    A cut within the last 16 x 16 pixels is not detected, nor is one between two scans of a
    progressive file, which then lacks only detail.

    Args:
        image: a loaded JPEG image.
        file: the file it was read from.

    Raises:
        OSError: it uses arithmetic coding.
    """
    file.seek(0)
    head = list(_segments(file))
    if any(marker in _ARITHMETIC_FRAMES for marker, _ in head):
        raise OSError("arithmetic coding, whose end cannot be checked")
    content = b""
    if any(marker == _RESTART_INTERVAL for marker, _ in head):
        file.seek(0)
        content = file.read()
        if _lacks_restarts(content):
            return True
    last = image.getpixel((image.width - 1, image.height - 1))
    filled = _FILLING.issuperset(last if isinstance(last, tuple) else (last,))
    if not filled and "progressive" not in image.info:
        return False
    if not content:
        file.seek(0)
        content = file.read()
    end = _end_of_data(content)
    probe = JpegImageFile(io.BytesIO(content[:end] + _PROBE + content[end:]))
    probe.load()
    return probe.tobytes() != image.tobytes()


def _end_of_data(content: bytes) -> int:
    """The offset at which the data of the last scan ends."""
    end, position, in_scan = len(content), 2, False
    while found := _MARKER.search(content, position):
        if in_scan:
            end = found.start()
        if found[1] == _END_OF_IMAGE:
            break
        in_scan = found[1] == _START_OF_SCAN
        length = int.from_bytes(content[found.end() : found.end() + 2], "big")
        position = found.end() + length
    return end


def _segments(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Marker and content of each segment, from an open file's start to the first scan's header."""
    file.read(2)
    while file.read(1) == b"\xff":
        while (marker := file.read(1)) == b"\xff":
            pass
        (length,) = struct.unpack(">H", file.read(2))
        yield marker, file.read(max(0, length - 2))
        if marker == _START_OF_SCAN:
            return


def _lacks_restarts(content: bytes) -> bool:
    """Whether a scan has fewer restart markers than its interval and the picture's size ask for."""
    interval, size, sampling, position = 0, (0, 0), dict[int, tuple[int, int]](), 2
    while found := _MARKER.search(content, position):
        marker, start = found[1], found.end()
        if marker == _END_OF_IMAGE:
            break
        position = start + int.from_bytes(content[start : start + 2], "big")
        segment = content[start + 2 : position]
        if marker == _RESTART_INTERVAL:
            interval = int.from_bytes(segment[:2], "big")
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", segment, 1)
            size = (width, height)
            parts = (segment[place : place + 3] for place in range(6, 6 + 3 * segment[5], 3))
            sampling = {part[0]: (part[1] >> 4, part[1] & 15) for part in parts}
        elif marker == _START_OF_SCAN and interval:
            end = _MARKER.search(content, position)
            data = content[position : end.start() if end else len(content)]
            parts_of_scan = [segment[place] for place in range(1, 1 + 2 * segment[0], 2)]
            blocks = _units_of_scan(size, sampling, parts_of_scan)
            if len(_RESTART.findall(data)) < math.ceil(blocks / interval) - 1:
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
