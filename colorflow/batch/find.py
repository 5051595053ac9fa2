"""Finds the photos that the user means by a list of files, folders, zips and patterns."""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from colorflow.batch.archive import unpack
from colorflow.batch.task import Note
from colorflow.errors import BatchError, PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo import TIFF_SUFFIXES, read_pages
from colorflow.photo.find import is_below, is_photo, list_folder

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""At least two letters, because one is a drive."""


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A file to color.

    Attributes:
        path: the file.
        relative: its path relative to the folder that was given; its name if the file was given.
            Pages after the first have ``_p2`` and so on behind their stem.
        page: of a TIFF file with several, counted from 1; None for other files.
    """

    path: Path
    relative: PurePath
    page: int | None = None


@dataclass(slots=True)
class Found:
    """What the inputs are.

    Attributes:
        photos: each once, folders sorted.
        missing: inputs that do not exist, and folders that cannot be read.
        notes: what was passed over.
        left_out: files in folders and patterns that are not named like photos.
        unpacked: the zip that a folder was unpacked from, by the folder.
    """

    photos: list[FoundPhoto] = field(default_factory=list)
    missing: list[Note] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    unpacked: dict[Path, Path] = field(default_factory=dict)


def find_inputs(
    inputs: Iterable[str | os.PathLike[str]],
    output: Path,
    *,
    recursive: bool = False,
    unpack_in: Path | None = None,
) -> Found:
    """Lists the photos of files, folders, zips and patterns.

    A file that is given is taken, whatever its suffix. A folder gives the files in it that are
    named like photos; other visible files are listed as left out. An input that does not exist but
    contains ``*``, ``?`` or ``[`` is a pattern, for shells that do not expand patterns themselves.

    Folders are listed by the rule of `colorflow.photo.find`; a link that leads out of a folder is
    noted. An output folder inside an input folder is passed over with everything below it.

    A zip is unpacked with the folders inside, as `archive.unpack` does.

    Args:
        inputs: files, folders and patterns.
        output: the folder for the results.
        recursive: whether to enter the folders inside.
        unpack_in: an empty folder, for what is in zips; without it they are files like any other.

    Raises:
        BatchError: if an input is a URL.
    """
    search = _Search(output, recursive=recursive, unpack_in=unpack_in)
    for given in inputs:
        path = path_of(given)
        text = os.fspath(given) and str(path)  # an empty text is not the current folder
        if os.path.isdir(text):
            search.folder(path)
        elif unpack_in and is_zip(path) and os.path.isfile(text):
            search.zip(path)
        elif os.path.lexists(text):
            search.file(path)
        elif glob.has_magic(text):
            search.pattern(text)
        else:
            search.missing(path, "there is no such file or folder")
    return search.result()


def path_of(given: str | os.PathLike[str]) -> Path:
    """A path of this machine, or raises `BatchError` for a URL."""
    text = os.fspath(given)
    if _URL.match(text):
        raise BatchError(
            f"{text}: photos and results are in folders, not at URLs; mount it as a folder, and "
            "name that"
        )
    return Path(text)


def is_zip(path: Path) -> bool:
    """Whether a file is named like a zip."""
    return path.suffix.lower() == ".zip"


class _Search:
    """Collects what inputs stand for; a file is known by its real folder and its name."""

    def __init__(self, output: Path, *, recursive: bool, unpack_in: Path | None) -> None:
        self._found = Found()
        self._unpack_in = unpack_in
        self._real_output = os.path.realpath(output)
        self._recursive = recursive
        self._taken: set[tuple[str, str]] = set()
        self._others: dict[tuple[str, str], Path] = {}

    def result(self) -> Found:
        self._found.left_out = [p for key, p in self._others.items() if key not in self._taken]
        return self._found

    def missing(self, path: Path, reason: str) -> None:
        self._found.missing.append(Note(path=path, reason=reason))

    def file(self, path: Path) -> None:
        """Takes a file."""
        self._take(path, PurePath(path.name), os.path.realpath(path.parent))

    def zip(self, archive: Path) -> None:
        """Takes what is in a zip."""
        if any(os.path.samefile(archive, one) for one in self._found.unpacked.values()):
            return
        assert self._unpack_in
        root = self._unpack_in / f"{len(self._found.unpacked)}"
        try:
            room = shutil.disk_usage(self._unpack_in).free // 2
            unpacked = unpack(archive, root, most_bytes=room)
        except BatchError as error:
            self.missing(archive, str(error).removeprefix(f"{archive.name}: "))
            return
        self._found.unpacked[root] = archive
        is_broken = False
        for note in unpacked.unreadable:
            path = root / str(note.path)
            if is_photo(path):
                is_broken = True
                self.missing(path, note.reason)
            else:
                self._leave_out(path, os.path.realpath(path.parent))
        if unpacked.files or not is_broken:
            self.folder(root, "zip")

    def folder(self, root: Path, kind: str = "folder") -> None:
        """Takes what is in a folder, and, if asked for or if it was a zip, below it."""
        real_root = os.path.realpath(root)
        recursive = self._recursive or kind == "zip"
        content = list_folder(root, recursive=recursive, skip=self._real_output)
        before = len(self._found.photos)
        for photo in content.photos:
            self._take(root / photo, photo, _real_parent(real_root, photo))
        for other in content.others:
            self._leave_out(root / other, _real_parent(real_root, other))
        self._found.notes += map(_as_note, content.links_out)
        self._found.missing += map(_as_note, content.unreadable)
        if content.has_folders and not recursive:
            self._found.notes.append(
                Note(path=root, reason="has folders inside; -r takes the photos in them, too")
            )
        nothing = len(self._found.photos) == before and not content.unreadable
        if nothing and not any(is_below(folder, real_root) for folder, _ in self._taken):
            self.missing(root, f"the {kind} holds no photos")

    def pattern(self, text: str) -> None:
        """Takes what a pattern matches, as if a shell had expanded it."""
        try:
            matches = [Path(match) for match in sorted(glob.glob(text))]
        except RecursionError:
            self.missing(Path(text), "this pattern names too many folders; name a folder instead")
            return
        for path in matches:
            if path.is_dir():
                self.folder(path)
            elif is_photo(path):
                self.file(path)
            else:
                self._leave_out(path, os.path.realpath(path.parent))
        if not any(path.is_dir() or is_photo(path) for path in matches):
            self.missing(Path(text), "no photo fits this pattern")

    def _take(self, path: Path, relative: PurePath, folder: str) -> None:
        if (folder, path.name) not in self._taken:
            self._taken.add((folder, path.name))
            try:
                self._found.photos += _pages_of(path, relative)
            except PhotoTooLargeError as error:
                self.missing(path, error.reason)

    def _leave_out(self, path: Path, folder: str) -> None:
        self._others.setdefault((folder, path.name), path)


def _pages_of(path: Path, relative: PurePath) -> list[FoundPhoto]:
    """A photo, or those on the pages of a TIFF file."""
    pages: tuple[int, ...] = ()
    if path.suffix.lower() in TIFF_SUFFIXES:
        with suppress(UnreadablePhotoError):  # it fails by name when its turn comes
            pages = read_pages(path)
    first, *others = pages or (None,)
    return [
        FoundPhoto(path, relative, first),
        *(
            FoundPhoto(path, relative.with_stem(f"{relative.stem}_p{number}"), number)
            for number in others
        ),
    ]


def _real_parent(real_root: str, relative: PurePath) -> str:
    return os.path.normpath(os.path.join(real_root, relative.parent))


def _as_note(error: UnreadablePhotoError) -> Note:
    return Note(path=Path(error.source), reason=error.reason)
