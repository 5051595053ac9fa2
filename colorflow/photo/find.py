"""Finds the photos in a list of files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from colorflow.errors import UnreadablePhotoError
from colorflow.photo.formats import PHOTO_SUFFIXES


def find_photos(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the photos of files and folders.

    A file is listed whatever its suffix. Of a folder, the files below it with a suffix in
    `PHOTO_SUFFIXES` are listed, sorted by path, without hidden files and folders (such as macOS's
    ``._x.jpg``). Links to folders are followed, each folder once. A path is listed once.

    Args:
        paths: files and folders.

    Raises:
        UnreadablePhotoError: a path does not exist, or a folder cannot be read.
        ValueError: `paths` is a single path.
    """
    if isinstance(paths, (str, os.PathLike)):
        raise ValueError(f"paths: expected a list of paths, got one path: {paths!r}")
    found: dict[Path, None] = {}  # keeps the order, without duplicates
    for path in map(Path, paths):
        if path.is_dir():
            found.update(dict.fromkeys(_below(path, set())))
        elif os.path.lexists(path):
            found[path] = None
        else:
            raise UnreadablePhotoError(path, "there is no such file or folder")
    return list(found)


def _below(folder: Path, visited: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the photos below a folder in sorted order; no folder is entered twice."""
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
