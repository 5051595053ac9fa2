"""What a visitor has uploaded to be colored: open photos, those that wait, and what is no photo."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from colorflow.batch.archive import ArchiveLimits, Unpacked, archive_kind, unpack
from colorflow.batch.task import Note, left_out_text
from colorflow.errors import ColorflowError, PhotoError
from colorflow.photo import KINDS
from colorflow.photo.find import is_photo
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import new_folder, storing
from colorflow.ui.session import Session
from colorflow.ui.status import FAILURES, line, sentence

MOST_PHOTOS = 200
"""Photos that may be open at once."""
_MOST_SAID = 5
"""Files with which something is wrong and that are named on the page."""

_HEAD = 512
"""Bytes from which the kind of an archive is known."""
_NO_PHOTO = f"its name does not end like that of a {KINDS} picture"


@dataclass(frozen=True, slots=True)
class Problem:
    """An uploaded file that is not colored."""

    upload: Path
    name: str
    """Of the file, with its folders in the upload."""
    reason: str
    is_left_out: bool = False
    """Whether nothing is wrong but that it is not named like a photo."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A photo that has been uploaded and is not open yet."""

    path: Path
    upload: Path
    folder: PurePath


class AlbumSession(Session[ColoredPhoto]):
    """A session whose photos come as files or in zip archives.

    Photos are opened one after the other, by whoever has the time: `take` only notes them.

    Args:
        root: see `Session`.
        budget: see `Session`.
    """

    def __init__(self, root: Path, budget: MemoryBudget) -> None:
        super().__init__(root, budget)
        self.uploads: list[Path] = []
        """What the field holds: photos and archives."""
        self.waiting: list[_Waiting] = []
        self.problems: list[Problem] = []
        self._unpacked: dict[Path, Path] = {}
        """The folder of each archive."""

    def close(self) -> None:
        """Delete everything at once, whatever is still at work."""
        self.uploads, self.waiting = [], []
        super().close()

    def take(self, uploads: Sequence[Path], megabytes: int) -> bool:
        """Close what is no longer among the uploads, and note what is new; archives are unpacked.

        Args:
            uploads: everything that the field holds now.
            megabytes: largest size of an archive's content.

        Returns:
            Whether there are new photos, which are the first to be opened.
        """
        self.stop()
        before, self.uploads = self.uploads, list(dict.fromkeys(uploads))
        self.keep([one for one in self.items if one.upload in self.uploads])
        self.waiting = [one for one in self.waiting if one.upload in self.uploads]
        self.problems = [one for one in self.problems if one.upload in self.uploads]
        for gone in self._unpacked.keys() - set(self.uploads):
            shutil.rmtree(self._unpacked.pop(gone), ignore_errors=True)
        new: list[_Waiting] = []
        for upload in self.uploads:
            if upload in before:
                continue
            try:
                new += self._found_in(upload, megabytes)
            except FAILURES as error:
                self._refuse(upload, upload.name, error)
        room = MOST_PHOTOS - len(self.items) - len(self.waiting)
        for one in new[room:]:
            reason = f"it was left out, since a page takes {MOST_PHOTOS} photos at once."
            self.problems.append(Problem(one.upload, str(one.folder / one.path.name), reason))
        self.waiting = [*new[:room], *self.waiting]
        return bool(new[:room])

    def open_next(self) -> ColoredPhoto | None:
        """Open the photo that has waited longest; None if that fails, which is noted."""
        try:
            one = self.waiting.pop(0)
        except IndexError:  # it has just been opened by another handler, or taken away
            return None
        try:
            photo = self.read(one.path)
        except FAILURES as error:
            self._refuse(one.upload, str(one.folder / one.path.name), error)
            return None
        if one.upload not in self.uploads:  # it was taken away meanwhile
            shutil.rmtree(photo.folder, ignore_errors=True)
            return None
        opened = ColoredPhoto(photo=photo, upload=one.upload, inside=one.folder)
        self.add(opened)
        return opened

    def said(self) -> list[str]:
        """What the visitor should know of the files that are no photos, or wait; as HTML."""
        named = [f"{one.name}: {one.reason}" for one in self.problems if not one.is_left_out]
        said = bad_lines(named, "; the contact sheet in the zip names all.")
        if left_out := [one.name for one in self.problems if one.is_left_out]:
            said.append(line(f"{left_out_text(left_out)}."))
        if self.waiting:
            said.append(line(f"{len(self.waiting)} more photos are being opened ..."))
        return said

    def _found_in(self, upload: Path, megabytes: int) -> list[_Waiting]:
        kind = kind_of_archive(upload)
        if kind is None:
            return [_Waiting(upload, upload, PurePath())]
        if kind != "zip":
            raise ColorflowError(f"it is an archive ({kind}); make a zip of it")
        size = megabytes * 2**20
        self.budget.disk.check(size)  # a zip grows when it is unpacked
        folder = self._unpacked[upload] = new_folder(self.folder, "album-")
        unpacked = unpack_photos(upload, folder / "photos", MOST_PHOTOS, size)
        are_left_out = []
        for note in unpacked.unreadable:
            path = PurePath(upload.stem) / str(note.path)
            are_left_out.append(not is_photo(path))
            self.problems.append(Problem(upload, str(path), f"{note.reason}.", are_left_out[-1]))
        if not unpacked.files and all(are_left_out):
            raise ColorflowError("it holds no photos")
        return [
            _Waiting(folder / "photos" / one, upload, PurePath(upload.stem) / one.parent)
            for one in unpacked.files
        ]

    def _refuse(self, upload: Path, name: str, error: ColorflowError | MemoryError) -> None:
        said = error.reason if isinstance(error, PhotoError) else sentence(error)
        reason = said.removeprefix(f"{upload.name}: ").removesuffix(".")
        self.problems.append(Problem(upload, name, f"{reason}."))


def unpack_photos(archive: Path, folder: Path, most: int, size: int) -> Unpacked:
    """Unpack a zip archive of photos.

    Args:
        archive: the upload.
        folder: is made here.
        most: number of files.
        size: of all files, in bytes.

    Returns:
        What came out; `files` are those with a photo's name, and `unreadable` has all others.

    Raises:
        ColorflowError: there is too much, the archive is refused, or nothing can be stored.
    """
    limits = ArchiveLimits(entries=most, entry_bytes=size, total_bytes=size)
    with storing():
        unpacked = unpack(archive, folder, limits)
    files, unpacked.files = sorted(unpacked.files), []
    for path in files:
        hidden = any(part.startswith(".") for part in path.parts)
        if is_photo(path) and not hidden:
            unpacked.files.append(path)
        else:
            reason = "it is hidden, since a name begins with a dot" if hidden else _NO_PHOTO
            unpacked.unreadable.append(Note(path=path, reason=reason))
    return unpacked


def bad_lines(sentences: Sequence[str], others: str) -> list[str]:
    """The first sentences as HTML, and what there is to say of the others, after their number."""
    more = len(sentences) - _MOST_SAID
    said = [*sentences[:_MOST_SAID], *([f"{more} more{others}"] if more > 0 else [])]
    return [line(one, bad=True) for one in said]


def kind_of_archive(upload: Path) -> str | None:
    """The kind of an archive, such as "zip"; None for what is no archive.

    Raises:
        ColorflowError: the file has gone.
    """
    if upload.suffix.lower() == ".zip":
        return "zip"
    with storing(), open(upload, "rb") as file:
        return archive_kind(file.read(_HEAD), PurePosixPath(upload.name))
