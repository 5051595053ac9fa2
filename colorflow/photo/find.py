"""Finds the photos in a folder, by one rule for every part of colorflow.

A photo is a visible file whose suffix is in `PHOTO_SUFFIXES`. A link that leads out of the folder
is never followed. A link to a folder inside is passed over, because what it leads to is found in
its own place, so a loop of links cannot be entered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from colorflow.errors import UnreadablePhotoError
from colorflow.photo.formats import PHOTO_SUFFIXES


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
    content = FolderContent()
    real_root = os.path.realpath(root)
    waiting = [PurePath()]
    while waiting:
        inside = waiting.pop()
        folders = []
        for entry in _visible_entries(root / inside, content):
            relative = inside / entry.name
            if entry.is_symlink() and not _is_file_inside(
                entry, relative, real_root, content, recursive=recursive
            ):
                continue
            if entry.is_dir(follow_symlinks=False):
                if os.path.join(real_root, relative) != skip:
                    folders.append(relative)
            elif is_photo(relative):
                content.photos.append(relative)
            elif os.path.isfile(entry.path):
                content.others.append(relative)
        content.has_folders |= bool(folders)
        if recursive:
            waiting += reversed(folders)
    return content


def is_photo(path: PurePath) -> bool:
    """Whether a file is taken for a photo, by its name."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def is_below(path: str, folder: str) -> bool:
    """Whether a real path is inside a real folder, or is that folder."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _visible_entries(folder: Path, content: FolderContent) -> Iterator[os.DirEntry[str]]:
    """What a folder holds, sorted, without hidden files; notes a folder that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = f"the folder cannot be read ({error.strerror})"
        content.unreadable.append(UnreadablePhotoError(folder, reason))
        return
    yield from (entry for entry in listed if not entry.name.startswith("."))


def _is_file_inside(
    entry: os.DirEntry[str],
    relative: PurePath,
    real_root: str,
    content: FolderContent,
    *,
    recursive: bool,
) -> bool:
    """Whether a link is a file inside the folder; notes a link that leads out of it."""
    target, is_folder = os.path.realpath(entry.path), os.path.isdir(entry.path)
    if is_below(target, real_root):
        return not is_folder
    if is_photo(relative) or (is_folder and recursive):
        reason = f"is a link that leads outside the folder, to {target}; it is not followed"
        content.links_out.append(UnreadablePhotoError(entry.path, reason))
    elif not is_folder:
        content.others.append(relative)
    return False
