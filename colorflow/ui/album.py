"""Albums: photos that come as files, folders or zips, and the zip that goes back.

The zip has the folders of the album, with the colorings in full size and a contact sheet of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from colorflow.batch.archive import ArchiveLimits, Unpacked, archive_kind, pack, unpack
from colorflow.batch.sheet import ContactSheet, SheetPicture, in_gray, thumbnail
from colorflow.batch.task import Note
from colorflow.errors import ColorflowError, UnreadablePhotoError
from colorflow.photo import KINDS, read_photo
from colorflow.photo.find import is_photo
from colorflow.ui.desk import MOST_PHOTOS, DeskPhoto, PhotoColoring, Problem, Waiting
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import link_or_copy, new_folder, storing

_HEAD = 512
"""Bytes from which the kind of an archive is known."""
_NO_PHOTO = f"its name does not end like that of a {KINDS} picture"
_RESULTS, _SHEET = "colored", "contact-sheet.html"
"""Names in the zip."""
_LONGEST_NAME = 60
"""Letters of an upload's name that the name of the zip keeps."""


def found_in(
    upload: Path, folder: Path, megabytes: int, budget: MemoryBudget
) -> tuple[list[Waiting], list[Problem]]:
    """The photos of an upload, which are unpacked if it is a zip.

    Args:
        upload: the file.
        folder: for what comes out of it.
        megabytes: of all that may come out.
        budget: its disk must have room.

    Raises:
        ColorflowError: it is an archive that cannot be taken.
    """
    kind = kind_of_archive(upload)
    if kind is None:
        return [Waiting(upload, upload, upload.name)], []
    if kind != "zip":
        raise ColorflowError(f"{upload.name}: it is an archive ({kind}); make a zip of it.")
    budget.disk.check()  # a zip grows when it is unpacked
    inside = new_folder(folder, "album-") / "photos"
    unpacked = unpack_photos(upload, inside, MOST_PHOTOS, megabytes * 2**20)
    album = PurePath(upload.stem)
    problems = [
        Problem(str(album / str(note.path)), f"{note.reason}.", not is_photo(Path(str(note.path))))
        for note in unpacked.unreadable
    ]
    if not unpacked.files and all(one.is_left_out for one in problems):
        raise ColorflowError(f"{upload.name}: it holds no photos.")
    return [Waiting(inside / one, upload, str(album / one)) for one in unpacked.files], problems


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


def kind_of_archive(upload: Path) -> str | None:
    """The kind of an archive, such as "zip"; None for what is no archive.

    Raises:
        ColorflowError: the file has gone.
    """
    if upload.suffix.lower() == ".zip":
        return "zip"
    with storing(), open(upload, "rb") as file:
        return archive_kind(file.read(_HEAD))


@dataclass(frozen=True, slots=True)
class Page:
    """What the zip has of one photo."""

    photo: DeskPhoto
    colorings: Sequence[PhotoColoring]
    saturation: float
    state: object
    """`DeskPhoto.state` of what is in the zip."""

    @property
    def remark(self) -> str:
        """Why there is nothing, where that is so."""
        if self.colorings:
            return ""
        return "left as it is" if self.photo.is_left_alone else "not colored"


def pages_of(photos: Sequence[DeskPhoto], *, every: bool) -> list[Page]:
    """What a zip of photos has: the chosen coloring of each, and all others if that is wanted."""
    pages = []
    for photo in photos:
        gallery = photo.gallery
        chosen = [photo.chosen] if photo.chosen else gallery[:1]
        wanted = gallery if every else chosen
        pages.append(
            Page(photo, () if photo.is_left_alone else wanted, photo.saturation, photo.state)
        )
    return pages


def write_zip(
    pages: Sequence[Page],
    problems: Sequence[Problem],
    write: Callable[[PhotoColoring, float], Path],
    folder: Path,
    budget: MemoryBudget,
) -> Iterator[int | Path]:
    """Write the zip: gives how many photos are written, and at the end the file.

    Args:
        pages: what is in it.
        problems: files that were no photos.
        write: writes a coloring with a saturation in full size.
        folder: of the desk.
        budget: its disk must have room.

    Raises:
        ColorflowError: nothing can be stored.
    """
    with storing(), TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
        inside, taken = Path(temporary), set[str]()
        sheet = ContactSheet(inside / _SHEET)
        for done, page in enumerate(pages, 1):
            pictures: list[SheetPicture] = []
            remark = page.remark
            try:
                made = [(one, write(one, page.saturation)) for one in page.colorings]
                if made:
                    pictures = list(_placed(page, made, inside, taken, is_full=sheet.is_full))
            except UnreadablePhotoError as error:
                remark = f"{error.reason}."
            sheet.add(page.photo.name, pictures, remark)
            yield done
        for problem in problems:
            sheet.add(problem.name, (), problem.reason)
        sheet.write()
        budget.disk.check()
        sources = {page.photo.source for page in pages}
        stem = sources.pop().stem if len(sources) == 1 else "photos"
        archive = new_folder(folder, "zip-") / f"{stem[:_LONGEST_NAME]}-colored.zip"
        pack(inside, archive)
        yield archive


def _placed(
    page: Page,
    made: Sequence[tuple[PhotoColoring, Path]],
    inside: Path,
    taken: set[str],
    *,
    is_full: bool,
) -> Iterator[SheetPicture]:
    """Put colorings and their files into the folder; the photo's part of the contact sheet."""
    yield in_gray(thumbnail(read_photo(made[0][0].form.photo.preview).pixels))
    for one, file in made:
        name = f"{one.stem}{file.suffix}"
        path = inside / _free_name(Path(_RESULTS) / Path(page.photo.name).parent / name, taken)
        path.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(file, path)
        picture = one.painted(page.saturation)
        yield SheetPicture(
            None if is_full else thumbnail(read_photo(picture).pixels), one.caption, path
        )


def _free_name(path: Path, taken: set[str]) -> Path:
    """The path, with a number after its stem if another file has that stem there."""
    free, number = path, 1
    while str(free.with_suffix("")).casefold() in taken:
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    taken.add(str(free.with_suffix("")).casefold())
    return free
