"""Detects JPEG files whose data ends too early although their end marker is there.

libjpeg, the decoder of Pillow, silently fills missing data with gray: a file that was cut short and
closed by some tool, or lies on a damaged disk block, would become a half-gray picture.
"""

from __future__ import annotations

import io
import re
from typing import IO

from PIL.JpegImagePlugin import JpegImageFile

_FILLING = frozenset((127, 128))
"""Values of every channel in blocks without data (inverted ink included)."""
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker within the data of a scan, except restart markers (ITU-T T.81, B.1.1.2)."""
_END_OF_IMAGE, _START_OF_SCAN = b"\xd9", b"\xda"
_PROBE = bytes((37 * i + 11) % 251 for i in range(64))
"""Data with many different codes and no marker."""


def ends_early(image: JpegImageFile, file: IO[bytes]) -> bool:
    """Whether the decoder ran out of data before the end of a picture.

    Bytes are appended to the data, and the picture is decoded again: they change an incomplete
    picture, and do not change a complete one. This is done only for progressive files, which may be
    blurred instead of gray, and for pictures whose last pixel has the gray of the filling.

    A cut within the last 16 x 16 pixels is not detected, nor is one between two scans of a
    progressive file, which then lacks only detail.

    Args:
        image: a loaded JPEG image.
        file: the file it was read from.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    filled = _FILLING.issuperset(last if isinstance(last, tuple) else (last,))
    if not filled and "progressive" not in image.info:
        return False
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
