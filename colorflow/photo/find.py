"""Find the photos that a person means by a list of files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from colorflow.errors import UnreadablePhotoError
from colorflow.photo.formats import PHOTO_SUFFIXES


def find_photos(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the photos of files and folders.

    A file is taken as given, whatever its suffix. A folder gives the files below it whose suffix is
    in `PHOTO_SUFFIXES`, sorted by path; hidden files and folders (such as macOS's ``._x.jpg``) are
    left out. Links to folders are followed, each folder once. A path is listed once.

    Args:
        paths: files and folders; one path alone is a mistake that is told.

    Raises:
        UnreadablePhotoError: a path does not exist, or a folder cannot be read.
        ValueError: `paths` is a single path.
    """
    if isinstance(paths, (str, os.PathLike)):
        raise ValueError(f"paths: expected a list of paths, got one path: {paths!r}")
    found: dict[Path, None] = {}  # keeps the order, and each path once
    for path in map(Path, paths):
        if path.is_dir():
            found.update(dict.fromkeys(_below(path, set())))
        elif os.path.lexists(path):
            found[path] = None
        else:
            raise UnreadablePhotoError(path, "there is no such file or folder")
    return list(found)


def _below(folder: Path, visited: set[tuple[int, int]]) -> Iterator[Path]:
    """The photos below a folder in sorted order, entering no folder twice."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UnreadablePhotoError(
            folder, f"the folder cannot be read ({error.strerror})"
        ) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _below(entry, visited)
        elif entry.suffix.lower() in PHOTO_SUFFIXES:
            yield entry
