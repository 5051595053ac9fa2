"""The pages of a TIFF file that are photos of their own, as scanners put them into one file.

A page that says that it is a smaller version or the mask of another is none. The directories are
numbers, which are read here; no decoder sees the file.

Reference: TIFF 6.0, section 2; BigTIFF (AWare Systems 2004).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

from colorflow.errors import PhotoTooLargeError
from colorflow.photo.formats import open_file

MOST_PAGES = 200
_SUBFILE_TYPE = 254
"""Tag of what a page is to others, the lowest and so the first of a directory."""
_PART = 1 | 4
"""Bits of its value: a smaller version of another picture, or its transparency."""
_SHORT = 3
"""Type of an entry."""


def read_pages(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """List the pages of a TIFF file that are photos of their own.

    Returns:
        Their numbers, counted from 1; nothing for a file of one page, or of another format.

    Raises:
        UnreadablePhotoError: it cannot be opened.
        PhotoTooLargeError: more than `MOST_PAGES` pages.
    """
    source, found, number = os.fspath(path), [], 0
    with open_file(source) as file:
        try:
            for number, kind in enumerate(_kinds_of_pages(file), 1):
                if number > MOST_PAGES:
                    reason = f"the file has more than {MOST_PAGES} pages; divide it into several"
                    raise PhotoTooLargeError(source, f"{reason} files")
                if number == 1 or not kind & _PART:
                    found.append(number)
        except (KeyError, OSError, ValueError, OverflowError, struct.error):
            pass  # not TIFF, or the rest is damaged
    return tuple(found) if number > 1 else ()


def _kinds_of_pages(file: IO[bytes]) -> Iterator[int]:
    """The subfile type of each page, 0 where there is none, until the pages end or go round.

    Raises:
        KeyError: it is no TIFF file.
        OSError, ValueError, OverflowError, struct.error: it is damaged.
    """
    order = {b"II": "<", b"MM": ">"}[file.read(2)]

    def read(layout: str) -> tuple[Any, ...]:
        layout = f"{order}{layout}"
        return struct.unpack(layout, file.read(struct.calcsize(layout)))

    offset, count, entry = {42: ("I", "H", "HHI4s"), 43: ("4xQ", "Q", "HHQ8s")}[read("H")[0]]
    seen = {0}
    (place,) = read(offset)
    offset = offset.removeprefix("4x")  # of the header alone
    while place not in seen:
        seen.add(place)
        file.seek(place)
        (entries,) = read(count)
        start = file.tell()
        tag, type_, _, value = read(entry)
        layout = f"{order}{'H' if type_ == _SHORT else 'I'}"
        yield struct.unpack_from(layout, value)[0] if tag == _SUBFILE_TYPE else 0
        file.seek(start + entries * struct.calcsize(f"{order}{entry}"))
        (place,) = read(offset)
