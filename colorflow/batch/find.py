"""Which photos a person means by a list of files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from colorflow.batch.find_url import find_by_url, is_photo
from colorflow.batch.record import Note
from colorflow.batch.url import Place, Url, place_of
from colorflow.errors import UnreadablePhotoError
from colorflow.photo.find import is_below, list_folder


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A file that shall be colored.

    Attributes:
        path: the file.
        relative: its place below the folder that it was found in; its name, if it was named.
    """

    path: Place
    relative: PurePath


@dataclass(slots=True)
class Found:
    """What the inputs are.

    Attributes:
        photos: each once, folders sorted.
        missing: inputs that are nothing, and folders that cannot be read.
        notes: what was passed by.
        left_out: files of folders and patterns that are no photos by their names.
    """

    photos: list[FoundPhoto] = field(default_factory=list)
    missing: list[Note] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left_out: list[Place] = field(default_factory=list)


def find_inputs(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | Url,
    *,
    recursive: bool = False,
) -> Found:
    """Lists the photos of files, folders and patterns.

    A file that is named is taken, whatever its suffix. A folder gives the files in it whose suffix
    is in `PHOTO_SUFFIXES`; others are listed as left out, but for hidden ones. What is no file but
    has ``*``, ``?`` or ``[`` in it is a pattern, for shells that leave it to programs.

    A link inside a folder that leads out of it is noted, not followed. Links to folders inside are
    passed by, since what they lead to is found in its own place; so no loop of links can be
    entered. The output folder and what is below it is passed by where it lies inside a folder.

    Args:
        inputs: files, folders and patterns; URLs of such, see `find_by_url`.
        output: the folder for the results.
        recursive: also the folders inside folders.

    Raises:
        BatchError: if there is no way to speak to the store of a URL.
    """
    search = _Search(place_of(output), recursive=recursive)
    for given in inputs:
        place = place_of(given)
        if isinstance(place, Url):
            search.url(place)
            continue
        text = os.fspath(given) and str(place)  # nothing is not the folder that we are in
        if os.path.isdir(text):
            search.folder(Path(text))
        elif os.path.lexists(text):
            search.file(Path(text), PurePath(PurePath(text).name))
        elif glob.has_magic(text):
            search.pattern(text)
        else:
            search.missing(Path(text), "there is no such file or folder")
    return search.ended()


class _Search:
    def __init__(self, output: Place, *, recursive: bool) -> None:
        self.found = Found()
        self._given_output = output
        self._output = None if isinstance(output, Url) else os.path.realpath(output)
        self._recursive = recursive
        self._seen: set[tuple[str, str]] = set()
        self._others: dict[tuple[str, str], Place] = {}

    def ended(self) -> Found:
        """What was found, when there is nothing more to look for."""
        self.found.left_out = [p for key, p in self._others.items() if key not in self._seen]
        return self.found

    def missing(self, path: Place, reason: str) -> None:
        self.found.missing.append(Note(path=path, reason=reason))

    def url(self, url: Url) -> None:
        """Takes what a URL stands for."""
        try:
            files = find_by_url(url, self._given_output, recursive=self._recursive)
        except UnreadablePhotoError as error:
            self.missing(url, error.reason)
            return
        if not any(is_photo(file) for file, _ in files):
            deeper = "" if self._recursive else "; -r looks into folders, too"
            pattern = "*" in url.text
            reason = (
                "no photo fits this pattern" if pattern else f"there are no photos here{deeper}"
            )
            self.missing(url, reason)
        for file, relative in files:
            if is_photo(file):
                self._take(file, relative, str(file.parent))
            else:
                self._leave_out(file, str(file.parent))

    def file(self, path: Path, relative: PurePath, folder: str | None = None) -> None:
        """Takes a file, once, whatever way it was found."""
        self._take(path, relative, folder or os.path.realpath(path.parent))

    def folder(self, root: Path) -> None:
        """Takes what is in a folder, and, if asked for, below it."""
        real_root = os.path.realpath(root)
        content = list_folder(root, recursive=self._recursive, skip=self._output)
        before = len(self.found.photos)
        for photo in content.photos:
            self._take(root / photo, photo, self._real_parent(real_root, photo))
        for other in content.others:
            self._leave_out(root / other, self._real_parent(real_root, other))
        self.found.notes += map(_as_note, content.links_out)
        self.found.missing += map(_as_note, content.unreadable)
        if content.has_folders and not self._recursive:
            reason = "has folders inside; -r takes the photos in them, too"
            self.found.notes.append(Note(path=root, reason=reason))
        nothing = len(self.found.photos) == before and not content.unreadable
        if nothing and not self._holds_seen(real_root):
            self.missing(root, "the folder holds no photos")

    def pattern(self, text: str) -> None:
        """Takes what a pattern stands for, as if a shell had put it there."""
        matches = sorted(glob.glob(text))
        folders = [match for match in matches if os.path.isdir(match)]
        files = [Path(match) for match in matches if not os.path.isdir(match)]
        for path in files:
            if is_photo(path):
                self.file(path, PurePath(path.name))
            else:
                self._leave_out(path, os.path.realpath(path.parent))
        for folder in folders:
            self.folder(Path(folder))
        if not folders and not any(map(is_photo, files)):
            self.missing(Path(text), "no photo fits this pattern")

    def _take(self, path: Place, relative: PurePath, folder: str) -> None:
        if (folder, path.name) not in self._seen:
            self._seen.add((folder, path.name))
            self.found.photos.append(FoundPhoto(path, relative))

    def _leave_out(self, path: Place, folder: str) -> None:
        self._others.setdefault((folder, path.name), path)

    @staticmethod
    def _real_parent(real_root: str, relative: PurePath) -> str:
        return os.path.normpath(os.path.join(real_root, relative.parent))

    def _holds_seen(self, real_folder: str) -> bool:
        """Whether photos below the folder were taken before."""
        return any(is_below(folder, real_folder) for folder, _ in self._seen)


def _as_note(error: UnreadablePhotoError) -> Note:
    return Note(path=Path(error.source), reason=error.reason)
