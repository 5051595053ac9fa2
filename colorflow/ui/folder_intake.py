"""Puts uploaded photos and zip archives into one folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from colorflow.batch.archive import ArchiveLimits, archive_kind, unpack
from colorflow.batch.task import Note
from colorflow.errors import BatchError, ColorflowError
from colorflow.photo import KINDS, PHOTO_SUFFIXES
from colorflow.ui.photos import link_or_copy, storing

_HEAD = 512
"""Bytes from which the kind of an archive is known."""
_NO_PHOTO = f"its name does not end like that of a {KINDS} picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The files that a visitor has uploaded.

    Attributes:
        folder: holds the photos, in the folders that they have in their archive.
        name: for the result.
        photos: paths of files with a photo's name, relative to the folder.
        damaged: files that are damaged in their archive.
        left_out: files that are not photos by their names.
    """

    folder: Path
    name: str
    photos: list[Path]
    damaged: list[Note]
    left_out: list[Note]


def take_in(uploads: Sequence[Path], folder: Path, limits: ArchiveLimits) -> Intake:
    """Put uploads into a folder.

    Args:
        uploads: photos and zip archives. A single archive is unpacked as it is; several uploads
            give each archive a folder with its name.
        folder: is made here.
        limits: of all uploads together.

    Raises:
        ColorflowError: there is too much, an archive is refused, or nothing can be stored. The
            folder is deleted then.
    """
    try:
        with storing():
            return _taken_in(uploads, folder, limits)
    except ColorflowError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _taken_in(uploads: Sequence[Path], folder: Path, limits: ArchiveLimits) -> Intake:
    alone = len(uploads) == 1
    damaged: list[Note] = []
    left_out: list[Note] = []
    left = limits
    if not (alone and kind_of_archive(uploads[0]) == "zip"):
        folder.mkdir()
    names = FreeNames()
    for upload in uploads:
        kind = kind_of_archive(upload)
        if kind == "zip":
            inside = Path() if alone else Path(names.free(upload.stem, ""))
            unpacked = unpack(upload, folder / inside, left)
            damaged += [replace(note, path=inside / str(note.path)) for note in unpacked.unreadable]
            files, size = len(unpacked.files), unpacked.total_bytes
            left = replace(left, names=left.names - unpacked.names)
        elif kind:
            reason = f"it is an archive ({kind}); make a zip of it"
            left_out.append(Note(path=Path(upload.name), reason=reason))
            continue
        else:
            files, size = 1, upload.stat().st_size
            if left.entries < 1:
                raise BatchError(f"These are more than {limits.entries} files; take fewer.")
            if size > left.total_bytes:
                most = limits.total_bytes // 2**20
                raise BatchError(f"These are more than {most} MB together; take fewer.")
            # A hidden file that was chosen itself is meant; it is hidden no longer.
            stem = upload.stem.lstrip(".") or "photo"
            link_or_copy(upload, folder / names.free(stem, upload.suffix))
        left = replace(left, entries=left.entries - files, total_bytes=left.total_bytes - size)
    photos = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        if path.suffix.lower() in PHOTO_SUFFIXES and not hidden:
            photos.append(inner)
        else:
            reason = "it is hidden, since a name begins with a dot" if hidden else _NO_PHOTO
            left_out.append(Note(path=inner, reason=reason))
    name = uploads[0].stem if alone else "photos"
    return Intake(folder=folder, name=name, photos=photos, damaged=damaged, left_out=left_out)


class FreeNames:
    """Names for files from several folders; no two have the same stem, which names the result."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, stem: str, suffix: str) -> str:
        """The name, with a number after its stem if that stem is taken."""
        one, number = stem, 1
        while one.casefold() in self._taken:
            number += 1
            one = f"{stem} ({number})"
        self._taken.add(one.casefold())
        return one + suffix


def kind_of_archive(upload: Path) -> str | None:
    """The kind of an archive, such as "zip"; None for what is no archive.

    Raises:
        ColorflowError: the file has gone.
    """
    if upload.suffix.lower() == ".zip":
        return "zip"
    with storing(), open(upload, "rb") as file:
        return archive_kind(file.read(_HEAD), PurePosixPath(upload.name))
