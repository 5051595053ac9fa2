"""Notice JPEG files whose data ends too early although their end marker is there.

libjpeg, the decoder that Pillow uses, fills what is missing with gray and tells nobody: a file cut
short and closed by some tool, or hit by a damaged disk block, would become a half-gray picture.
"""

from __future__ import annotations

import io
import re
from typing import IO

from PIL.JpegImagePlugin import JpegImageFile

_FILLING = frozenset((127, 128))
"""What blocks without data decode to, in every channel (inverted ink included)."""
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""A marker within the data of a scan, restart markers aside (ITU-T T.81, B.1.1.2)."""
_END_OF_IMAGE, _START_OF_SCAN = b"\xd9", b"\xda"
_PROBE = bytes((37 * i + 11) % 251 for i in range(64))
"""Data of many different codes, without a marker."""


def ends_early(image: JpegImageFile, file: IO[bytes]) -> bool:
    """Whether the decoder ran out of data before the end of a picture.

    Bytes are added to the data's end, and the picture is decoded once more: a complete one does not
    need them, an incomplete one takes them in. The time for that is spent on progressive files,
    which may be blurred instead of gray, and where the last pixel has the filling's gray.

    A cut within the last 16 x 16 pixels, or between two scans of a progressive file (which lacks
    nothing but detail then), goes unnoticed.

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
    """Where the data of the last scan ends."""
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
