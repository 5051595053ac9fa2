"""The zip of an album: colorings of its photos in full size, and a contact sheet of all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from colorflow.batch.archive import pack
from colorflow.batch.sheet import ContactSheet, SheetPicture, in_gray, thumbnail
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import read_photo
from colorflow.ui.album import AlbumSession
from colorflow.ui.colorings import ColoredPhoto, ShownColoring, write_full_size
from colorflow.ui.photos import link_or_copy, new_folder, storing
from colorflow.ui.session import Job
from colorflow.ui.status import Updates

_RESULTS, _SHEET = "colored", "contact-sheet.html"
"""Names in the zip."""
_LONGEST_NAME = 60
"""Letters of an upload's name that the name of the zip keeps."""


def write_zip(
    session: AlbumSession,
    job: Job,
    told: Callable[[int], Updates],
    suffix: str | None,
    *,
    every: bool,
) -> Generator[Updates, None, Path | None]:
    """Write the zip, and delete the one before.

    Args:
        session: holds the photos; those that were treated as gray no longer are left out.
        job: whose work this is.
        told: what the page shows when so many photos are written.
        suffix: .jpg or .png; None for that of each photo.
        every: whether all colorings of a photo are wanted, or the chosen one and those kept.

    Returns:
        The zip; None if the job was to end before.

    Raises:
        ColorflowError: nothing can be stored.
    """
    for old in session.folder.glob("zip-*"):
        shutil.rmtree(old, ignore_errors=True)
    with (
        storing(),
        TemporaryDirectory(dir=session.folder, ignore_cleanup_errors=True) as folder,
    ):
        inside, taken = Path(folder), set[str]()
        sheet = ContactSheet(inside / _SHEET)
        for done, photo in enumerate(session.items, 1):
            pictures: list[SheetPicture] = []
            remark = ""
            try:
                if photo.is_in_zip:
                    chosen = {one.key: one for one in (photo.require_chosen(), *photo.kept)}
                    wanted = photo.everything if every else list(chosen.values())
                    made = [(one, write_full_size(photo.photo, one, suffix)) for one in wanted]
                    pictures = list(_placed(photo, made, inside, taken, is_full=sheet.is_full))
                else:
                    remark = "left as it is" if photo.is_left_alone else "not colored"
            except UnreadablePhotoError as error:
                remark = f"{error.reason}."
            sheet.add(photo.name, pictures, remark)
            yield told(done)
            if job.end:
                return None
        for one in session.problems:
            sheet.add(one.name, (), one.reason)
        sheet.write()
        files = (one for one in inside.rglob("*") if one.is_file())
        session.budget.disk.check(sum(one.stat().st_size for one in files))
        stem = session.uploads[0].stem if len(session.uploads) == 1 else "photos"
        archive = new_folder(session.folder, "zip-") / f"{stem[:_LONGEST_NAME]}-colored.zip"
        pack(inside, archive)
        return archive


def _placed(
    photo: ColoredPhoto,
    made: Sequence[tuple[ShownColoring, Path]],
    inside: Path,
    taken: set[str],
    *,
    is_full: bool,
) -> Iterator[SheetPicture]:
    """Put colorings and their files into the folder; the photo's part of the contact sheet."""
    yield in_gray(thumbnail(read_photo(photo.photo.preview).pixels))
    for one, file in made:
        path = inside / _free_name(Path(_RESULTS) / photo.inside / file.name, taken)
        path.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(file, path)
        pixels = None if is_full else thumbnail(read_photo(one.preview).pixels)
        yield SheetPicture(pixels, one.caption, path)


def _free_name(path: Path, taken: set[str]) -> Path:
    """The path, with a number after its stem if another file has that stem there."""
    free, number = path, 1
    while str(free.with_suffix("")).casefold() in taken:
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    taken.add(str(free.with_suffix("")).casefold())
    return free
