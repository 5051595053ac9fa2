"""Finds the photos in a folder and on the pages of a TIFF file, by one rule for all of colorflow.

A photo is a visible file whose suffix is in `PHOTO_SUFFIXES`. A link that leads out of the folder
is never followed. A link to a folder inside is passed over, because what it leads to is found in
its own place, so a loop of links cannot be entered.

Scanners put one photo on each page of a TIFF file. A page that says that it is a smaller version or
the mask of another is none. The directories of the pages are numbers, which are read here; no
decoder sees the file.

Reference: TIFF 6.0, section 2; BigTIFF (AWare Systems, 2004).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO, Any, NamedTuple

import numpy as np

from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo.formats import PHOTO_SUFFIXES, open_file

MOST_PAGES = 200
MOST_NESTED = 100
"""Folders inside each other; Python's own functions for folders call themselves for each."""
_SUBFILE_TYPE = 254
"""Tag of what a page is to others, the lowest and so the first of a directory."""
_PART = 1 | 4
"""Bits of its value: a smaller version of another picture, or its transparency."""
_PLACES, _SIZES = (273, 324), (279, 325)
"""Tags of where the strips or tiles of a page are, and how many bytes each has."""
_MOST_ENTRIES = (1 << 16) - 1
_SHORT = 3
"""Type of an entry."""
_WIDTHS = {1: 1, _SHORT: 2, 4: 4, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a whole number, by its type."""


@dataclass(slots=True)
class FolderContent:
    """What a folder holds; paths are relative to it.

    Attributes:
        photos: sorted within each folder; a folder's own photos stand before those of its folders.
        others: files that are not named like photos.
        links_out: photos, and folders if they would be entered, that are links out of the folder.
        unreadable: folders that cannot be read.
        has_folders: whether there are folders inside.
    """

    photos: list[PurePath] = field(default_factory=list)
    others: list[PurePath] = field(default_factory=list)
    links_out: list[UnreadablePhotoError] = field(default_factory=list)
    unreadable: list[UnreadablePhotoError] = field(default_factory=list)
    has_folders: bool = False


def find_photos(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Lists the photos of files and folders.

    A file is taken as given, whatever its suffix. A folder gives the photos in and below it,
    sorted by path. A path is listed once.

    Args:
        paths: files and folders.

    Raises:
        UnreadablePhotoError: a path does not exist, a folder cannot be read, or a link leads out
            of a folder.
        ValueError: `paths` is a single path.
    """
    if isinstance(paths, (str, os.PathLike)):
        raise ValueError(f"paths: expected a list of paths, got one path: {paths!r}")
    found: dict[Path, None] = {}  # keeps the order, and each path once
    for path in map(Path, paths):
        if path.is_dir():
            content = list_folder(path, recursive=True)
            for error in (*content.unreadable, *content.links_out):
                raise error
            found |= dict.fromkeys(
                path / photo for photo in sorted(content.photos, key=lambda photo: photo.parts)
            )
        elif os.path.lexists(path):
            found[path] = None
        else:
            raise UnreadablePhotoError(path, "there is no such file or folder")
    return list(found)


def list_folder(root: Path, *, recursive: bool, skip: str | None = None) -> FolderContent:
    """Lists what is in a folder.

    Args:
        root: the folder, which may itself be a link.
        recursive: whether to enter the folders inside.
        skip: real path of a folder that is not entered.
    """
    content, real_root = FolderContent(), os.path.realpath(root)

    def note_unreadable(error: OSError) -> None:
        reason = f"the folder cannot be read ({error.strerror})"
        content.unreadable.append(UnreadablePhotoError(error.filename or root, reason))

    for folder, folders, files in os.walk(root, onerror=note_unreadable):
        inside = PurePath(folder).relative_to(root)
        names = sorted(name for name in (*folders, *files) if not name.startswith("."))
        folders.clear()
        for name in names:
            path, relative = os.path.join(folder, name), inside / name
            is_link, is_folder = os.path.islink(path), os.path.isdir(path)
            target = _target_of(path) if is_link or is_folder else path
            leads_out = is_link and not is_below(target, real_root)
            if leads_out and (is_photo(relative) or (is_folder and recursive)):
                reason = f"is a link that leads outside the folder, to {target}; it is not followed"
                content.links_out.append(UnreadablePhotoError(path, reason))
            elif is_folder:
                folders += [] if is_link or target == skip else [name]
            elif is_photo(relative):
                content.photos.append(relative)
            elif leads_out or os.path.isfile(path):
                content.others.append(relative)
        content.has_folders |= bool(folders)
        if not recursive:
            break
        if len(inside.parts) >= MOST_NESTED and folders:
            folders.clear()
            reason = f"holds folders more than {MOST_NESTED} deep; they are not entered"
            content.unreadable.append(UnreadablePhotoError(folder, reason))
    return content


def _target_of(path: str) -> str:
    """The real path of a link or folder; a chain of links that no system follows stays as it is."""
    try:
        return os.path.realpath(path)
    except RecursionError:
        return path


def is_photo(path: PurePath) -> bool:
    """Whether a file is taken for a photo, by its name."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def is_below(path: str, folder: str) -> bool:
    """Whether a real path is inside a real folder, or is that folder."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def read_pages(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """List the pages of a TIFF file that are photos of their own.

    Returns:
        Their numbers, counted from 1; nothing for a file of one page, or of another format.

    Raises:
        UnreadablePhotoError: it cannot be opened.
        PhotoTooLargeError: more than `MOST_PAGES` pages, or pages that share their data: a small
            file could hold as much as a large one.
    """
    source, found, number = os.fspath(path), [], 0
    with open_file(source) as file:
        room, places = os.fstat(file.fileno()).st_size, set[bytes]()
        try:
            for number, page in enumerate(_pages_of(file), 1):
                if number > MOST_PAGES:
                    reason = f"the file has more than {MOST_PAGES} pages; divide it into several"
                    raise PhotoTooLargeError(source, f"{reason} files")
                if number == 1 or not page.kind & _PART:
                    found.append(number)
                room -= page.size
                if number > 1 and (room < 0 or page.place in places):
                    reason = "pages of the file share their data; save each page as a file"
                    raise PhotoTooLargeError(source, f"{reason} of its own")
                places |= {page.place} if page.place else set()
        except (KeyError, OSError, ValueError, OverflowError, struct.error):
            pass  # not TIFF, or the rest is damaged
    return tuple(found) if number > 1 else ()


class _Page(NamedTuple):
    """What a directory says.

    Attributes:
        kind: the subfile type, 0 where there is none.
        place: where the strips or tiles are, as it is stored; empty where there are none.
        size: bytes of the strips or tiles, and of the list of their sizes.
    """

    kind: int
    place: bytes
    size: int


def _pages_of(file: IO[bytes]) -> Iterator[_Page]:
    """Each page, until the pages end or go round.

    Raises:
        KeyError: it is no TIFF file.
        OSError, ValueError, OverflowError, struct.error: it is damaged.
    """
    order = {b"II": "<", b"MM": ">"}[file.read(2)]

    def read(layout: str) -> tuple[Any, ...]:
        layout = f"{order}{layout}"
        return struct.unpack(layout, file.read(struct.calcsize(layout)))

    def size_of(width: int, number: int, value: bytes) -> int:
        stored = number * width
        if stored > len(value):
            if stored > os.fstat(file.fileno()).st_size:
                raise ValueError("expected a list in the file")
            file.seek(struct.unpack(f"{order}{offset}", value)[0])
            value = file.read(stored)
        return stored + int(np.frombuffer(value, f"{order}u{width}", number).sum(dtype=float))

    offset, count, entry = {42: ("I", "H", "HHI4s"), 43: ("4xQ", "Q", "HHQ8s")}[read("H")[0]]
    seen = {0}
    (place,) = read(offset)
    offset = offset.removeprefix("4x")  # of the header alone
    while place not in seen:
        seen.add(place)
        file.seek(place)
        (entries,) = read(count)
        if entries > _MOST_ENTRIES:
            raise ValueError("expected fewer entries")
        directory = file.read(entries * struct.calcsize(f"{order}{entry}"))
        (place,) = read(offset)
        kind, data, size = 0, b"", 0
        for tag, type_, number, value in struct.iter_unpack(f"{order}{entry}", directory):
            if tag == _SUBFILE_TYPE:
                kind = struct.unpack_from(f"{order}{'H' if type_ == _SHORT else 'I'}", value)[0]
            elif tag in _PLACES:
                data = value
            elif tag in _SIZES:
                if size:
                    raise ValueError("expected one list")
                size = size_of(_WIDTHS[type_], number, value)
        yield _Page(kind, data, size)
