"""Files for the visitor: photos in full size or larger, and the zip of an album.

The zip has the folders of the album, with the colorings in full size and a contact sheet of all.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from colorflow.batch.archive import pack
from colorflow.batch.sheet import ContactSheet, SheetPicture, in_gray, thumbnail
from colorflow.enlarge.draws import MEAN
from colorflow.enlarge.enlarger import MAX_RESULT_PIXELS, Enlarger
from colorflow.errors import ColorflowError
from colorflow.photo import Photo, count_pixels, read_photo
from colorflow.recipe import Enlargement
from colorflow.result import Result
from colorflow.ui.coloring import DeskPhoto, PhotoColoring
from colorflow.ui.desk import Desk, Problem
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import (
    PhotoFile,
    disk_errors_told,
    link_or_copy,
    new_folder,
    opened,
    sentence,
)
from colorflow.ui.prepare import Form

SUFFIXES = {"Its own": None, "JPEG": ".jpg", "PNG": ".png"}
"""Formats of downloads; its own is JPEG for a JPEG, and PNG for all others."""
_RESULTS, _SHEET = "colored", "contact-sheet.html"
"""Names in the zip."""
_LONGEST_NAME = 60
"""Letters of an upload's name that the name of the zip keeps."""


@dataclass(frozen=True, slots=True)
class FullSize:
    """A file of a photo.

    Args:
        form: the photo.
        coloring: its colors; None for its own.
        saturation: of the coloring.
        format: one of `SUFFIXES`.
        scale: 1, 2 or 4.
        restore: whether blur, noise and compression are taken out; for a larger size.
    """

    form: Form
    coloring: PhotoColoring | None
    saturation: float
    format: str
    scale: int = 1
    restore: bool = False

    def result_on(self, photo: Photo) -> Result:
        """What was made of the upload: cut out and repaired before, and colored.

        Args:
            photo: the form, read.
        """
        before = self.form.statement
        result = Result(
            photo,
            before.recipe,
            weights=before.weights,
            digest=before.photo,
            prints=before.prints,
            repaired=before.repaired,
            marks=before.marks,
        )
        if self.coloring is None:
            return result
        made = self.coloring.statement
        return replace(
            result,
            recipe=replace(before.recipe, colors=made.recipe.colors),
            weights=replace(before.weights, colors=made.weights.colors),
            grid=self.coloring.ab,
            share=made.share,
        ).saturated(self.saturation)

    @property
    def path(self) -> Path:
        """Where it is written, once."""
        one, photo = self.coloring, self.form.photo
        home, name = (one.preview.parent, one.stem) if one else (photo.folder, photo.path.stem)
        if self.scale > 1:
            name += f"_{MEAN.label_of(self.scale, restored=self.restore)}"
        suffix = SUFFIXES.get(self.format) or photo.suffix
        return home / f"saturation-{self.saturation:.2f}" / f"{name}{suffix}"


def in_sight(desk: Desk) -> list[tuple[Path, FullSize]]:
    """What the large picture shows, and what it is compared with: a preview, and the same in full.

    Raises:
        ColorflowError: a preview cannot be written.
    """
    photo = desk.photo
    form, chosen, saturation = photo.shown_form, photo.chosen, photo.saturation

    def plain(of: PhotoFile) -> tuple[Path, FullSize]:
        return of.preview, FullSize(Form(photo=of, base=of), None, 1, "JPEG")

    if desk.view == "frame":
        return [plain(photo.upload)]
    if desk.view == "places" and photo.plan.repairs:
        return [plain(photo.form.base)]
    if chosen is None:
        return [plain(one) for one in dict.fromkeys((form.photo, form.base))]
    after = chosen.painted(saturation), FullSize(form, chosen, saturation, "JPEG")
    if photo.has_colors and desk.compares_gray:
        return [after, (form.photo.gray, FullSize(form, chosen, 0, "JPEG"))]
    return [after, plain(form.base)]


@dataclass(frozen=True, slots=True)
class Page:
    """What the zip has of one photo.

    Args:
        photo: the photo.
        files: its colorings.
        state: `DeskPhoto.state` of what is in the zip.
    """

    photo: DeskPhoto
    files: Sequence[FullSize]
    state: object


def pages_of(photos: Sequence[DeskPhoto], format_: str, *, every: bool) -> list[Page]:
    """What a zip of photos has: the chosen coloring of each, and all others if that is wanted."""
    pages = []
    for photo in photos:
        wanted = photo.gallery
        if not every:
            current = [one for one in wanted if one.form.photo is photo.form.photo]
            wanted = [photo.chosen] if photo.chosen else (current or wanted)[:1]
        files = [FullSize(one.form, one, photo.saturation, format_) for one in wanted]
        pages.append(Page(photo, [] if photo.is_left_alone else files, photo.state))
    return pages


class FileWriter:
    """Writes files in full size.

    Args:
        enlarger: makes them larger; None if there is none.
        budget: memory and disk.
    """

    def __init__(self, enlarger: Enlarger | None, budget: MemoryBudget) -> None:
        self.enlarger, self._budget = enlarger, budget

    def make(self, file: FullSize) -> Iterator[float]:
        """Write a file, unless it is there: gives what share is done.

        Raises:
            ColorflowError: the photo cannot be read, or the file not written.
        """
        path, source, scale = file.path, file.form.photo.path, file.scale
        if path.exists():
            return
        with disk_errors_told():
            path.parent.mkdir(exist_ok=True)
        size = count_pixels(source, max_pixels=self._budget.pixels, isolated=True)
        with opened(source, self._budget, scale**2 * size, for_long=scale > 1) as photo:
            result = yield from self._enlarged(file.result_on(photo), scale, restore=file.restore)
            yield 1.0  # who cancels during the last step gets no file
            self._budget.disk.check()
            result.save(path)

    def _enlarged(
        self, result: Result, scale: int, *, restore: bool
    ) -> Generator[float, None, Result]:
        if scale == 1:
            return result
        assert self.enlarger
        wanted = Enlargement(scale=scale, restored=restore)
        lightness = yield from self.enlarger.steps(result.photo, wanted)
        return replace(
            result,
            recipe=replace(result.recipe, enlargement=wanted),
            weights=replace(result.weights, detail=self.enlarger.digest),
            lightness=lightness,
        )

    def check_size(self, pixels: int, scale: int) -> None:
        """Refuse what would be too large.

        Raises:
            ColorflowError: it would have more pixels than this page makes.
        """
        result, most = scale**2 * pixels, min(self._budget.pixels, MAX_RESULT_PIXELS)
        if result > most:
            raise ColorflowError(
                f"The result would have {result / 1e6:.0f} megapixels; this page makes at most "
                f"{most / 1e6:.0f}. Choose a smaller size."
            )

    def zip(
        self, pages: Sequence[Page], problems: Sequence[Problem], folder: Path
    ) -> Iterator[float | Path]:
        """Write the zip: gives what share is done, and at the end the file.

        Args:
            pages: what is in it.
            problems: files that were no photos.
            folder: of the desk.

        Raises:
            ColorflowError: nothing can be stored.
        """
        temporary = TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
        with disk_errors_told(), temporary:
            inside, taken = Path(temporary.name), set[str]()
            sheet = ContactSheet(inside / _SHEET)
            for done, page in enumerate(pages, 1):
                pictures: list[SheetPicture] = []
                remark = "left as it is" if page.photo.is_left_alone else "not colored"
                try:
                    for file in page.files:
                        list(self.make(file))
                    if page.files:
                        pictures = _placed(page, inside, taken, is_full=sheet.is_full)
                        remark = ""
                except ColorflowError as error:
                    remark = sentence(error) if page.photo.folder.exists() else "taken away"
                sheet.add(page.photo.name, pictures, remark)
                yield done / len(pages)
            for problem in problems:
                sheet.add(problem.name, (), problem.reason)
            sheet.write()
            self._budget.disk.check()
            sources = {page.photo.origin.source for page in pages}
            stem = sources.pop().stem if len(sources) == 1 else "photos"
            archive = new_folder(folder, "zip-") / f"{stem[:_LONGEST_NAME]}-colored.zip"
            pack(inside, archive)
            yield archive


def _placed(page: Page, inside: Path, taken: set[str], *, is_full: bool) -> list[SheetPicture]:
    """Put the files of a page into the folder; the photo's part of the contact sheet."""
    pictures = [in_gray(thumbnail(read_photo(page.files[0].form.photo.preview).pixels))]
    album = Path(_RESULTS) / Path(page.photo.name).parent
    for file in page.files:
        one = file.coloring
        assert one
        path = inside / _free_name(album / f"{one.stem}{file.path.suffix}", taken)
        path.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(file.path, path)
        small = None if is_full else thumbnail(read_photo(one.painted(file.saturation)).pixels)
        pictures.append(SheetPicture(small, one.caption, path))
    return pictures


def _free_name(path: Path, taken: set[str]) -> Path:
    """The path, with a number after its stem if another file has that stem there."""
    free, number = path, 1
    while str(free.with_suffix("")).casefold() in taken:
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    taken.add(str(free.with_suffix("")).casefold())
    return free
