"""The pages of a TIFF file that are photos of their own.

Scanners put one photo on each page. Other programs put smaller versions of a picture behind it, or
its mask: those say so, or they show the same. To see that both have to be decoded, so this is done
for the first pages when a file is listed, and for each other page when its turn comes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from typing import IO

import numpy as np

from colorflow.color.grid import resize_by_area
from colorflow.errors import PhotoTooLargeError
from colorflow.photo.exif import DAMAGE
from colorflow.photo.formats import (
    DEFAULT_MAX_PIXELS,
    Allow,
    bytes_for,
    open_file,
    open_image,
    photo_errors,
)
from colorflow.photo.isolated import IS_POSSIBLE, read_pages_in_child
from colorflow.photo.tiff import KindNotReadError, TiffFile

MOST_PAGES = 200
_COMPARED = 2**22
"""Pixels that are decoded while a file is listed, unless twice those of its largest page are more:
enough for a picture with smaller versions, each of half the width of the one before."""
_SIDE = 32
"""Cells to a side at which two pages are compared."""
_SAME = 6
"""Mean difference in gray, of 255, up to which they show the same."""


def read_pages(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """List the pages of a TIFF file that are photos of their own, in a process with limits.

    Returns:
        Their numbers, counted from 1; nothing for a file of one page, or of another format. Of
        those that have not been compared, some may be none, see `is_own_page`.

    Raises:
        UnreadablePhotoError: as of `decode.read_photo`.
        PhotoTooLargeError: more than `MOST_PAGES` pages, or as of `decode.read_photo`.
    """
    source = os.fspath(path)
    with open_file(source) as file:
        if not _has_second(file):
            return ()
        file.seek(0)
        return _reader()(file, source, DEFAULT_MAX_PIXELS)


def is_own_page(path: str | os.PathLike[str], page: int) -> bool:
    """Whether a page of `read_pages` is a photo, and no smaller version of the one before it.

    Args:
        path: the file.
        page: the page, counted from 1.

    Raises:
        UnreadablePhotoError: as of `decode.read_photo`.
        PhotoTooLargeError: as of `decode.read_photo`.
    """
    source = os.fspath(path)
    with open_file(source) as file:
        return page == 1 or page in _reader()(file, source, DEFAULT_MAX_PIXELS, page=page)


def _reader() -> Callable[..., tuple[int, ...]]:
    return read_pages_in_child if IS_POSSIBLE else read_open_pages


def read_open_pages(
    file: IO[bytes],
    source: str,
    max_pixels: int,
    allow: Allow | None = None,
    page: int | None = None,
) -> tuple[int, ...]:
    """As `read_pages`, of an open file; otherwise as `decode.read_open`.

    Args:
        file: the file.
        source: its name in messages.
        max_pixels: as of `decode.read_photo`.
        allow: is told how many pixels there are, before memory is reserved for them.
        page: the only one to look at, as of `is_own_page`; None for all.
    """
    with photo_errors(source):
        image = open_image(file, source, max_pixels, allow)
        assert isinstance(image, TiffFile)
        if page is not None:
            return (page,) if _is_own(image, page, max_pixels, allow) else ()
        small = cache(partial(_small, image))
        pixels = {1: image.width * image.height}
        largest = pixels[1]
        found, before, size, seen = [1], 1, image.size, {image.page.offset}
        decoded = set[int]()
        for number in count(2):
            try:
                image.turn_to(number)
            except IndexError:
                break
            if image.page.offset in seen:  # damage: the pages go round
                break
            seen.add(image.page.offset)
            if number > MOST_PAGES:
                reason = f"the file has more than {MOST_PAGES} pages; divide it into several files"
                raise PhotoTooLargeError(source, reason)
            own = image.size
            pixels[number] = own[0] * own[1]
            if image.is_part:
                continue
            both = decoded | {before, number}
            is_cheap = sum(map(pixels.__getitem__, both)) <= max(_COMPARED, 2 * largest)
            if is_cheap and _is_smaller(own, size):
                decoded = both
                if _shows_the_same(small, before, number):
                    continue
            found.append(number)
            if pixels[number] <= max_pixels:  # otherwise it fails when its turn comes
                before, size, largest = number, own, max(largest, pixels[number])
                if allow:
                    allow(largest, bytes_for(image))
        return tuple(found)


def _is_own(image: TiffFile, page: int, max_pixels: int, allow: Allow | None) -> bool:
    """Whether a page is a photo, and no smaller version of the one before it."""
    before = page
    while before == page or image.is_part:
        before -= 1
        image.turn_to(before)
    size = image.size
    image.turn_to(page)
    pixels = size[0] * size[1]
    if pixels > max_pixels or not _is_smaller(image.size, size):
        return True
    if allow:
        allow(pixels, bytes_for(image))
    return not _shows_the_same(partial(_small, image), before, page)


def _has_second(file: IO[bytes]) -> bool:
    """Whether a TIFF file has a second directory, without decoding anything."""
    try:
        order = {b"II": "<", b"MM": ">"}[file.read(2)]
        is_big = {42: False, 43: True}[struct.unpack(f"{order}H", file.read(2))[0]]
        kind, count_kind, entry = ("Q", "Q", 20) if is_big else ("I", "H", 12)
        file.seek(8 if is_big else 4)

        def number(kind: str) -> int:
            layout = f"{order}{kind}"
            return int(struct.unpack(layout, file.read(struct.calcsize(layout)))[0])

        file.seek(number(kind))
        file.seek(number(count_kind) * entry, os.SEEK_CUR)
        return number(kind) > 0
    except (KeyError, OSError, ValueError, OverflowError, struct.error):  # not TIFF, or damaged
        return False


def _is_smaller(size: tuple[int, int], than: tuple[int, int]) -> bool:
    """Whether a size is another one reduced, up to the rounding of one pixel."""
    (width, height), (wide, high) = size, than
    return width < wide and height < high and abs(width * high - height * wide) <= max(than)


def _shows_the_same(small: Callable[[int], np.ndarray], one: int, other: int) -> bool:
    """Whether two pages show the same; one that cannot be read shows something of its own."""
    try:
        return float(np.abs(small(one) - small(other)).mean()) <= _SAME
    except (*DAMAGE, KindNotReadError):
        return False


def _small(image: TiffFile, number: int) -> np.ndarray:
    image.turn_to(number)
    return resize_by_area(np.asarray(image.convert("L")), _SIDE, _SIDE)
