"""The part of a tab for several photos: small pictures, a button that colors all, a zip of all."""

from __future__ import annotations

import html
import shutil
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.batch.archive import pack
from colorflow.batch.sheet import ContactSheet, SheetPicture, in_gray, thumbnail
from colorflow.errors import ColorflowError, UnreadablePhotoError
from colorflow.photo import read_photo
from colorflow.ui.album import AlbumSession, FreeNames
from colorflow.ui.colorings import (
    ColoredPhoto,
    ColoringJob,
    ColoringOptions,
    color_anew,
    write_full_size,
)
from colorflow.ui.controls import options_of
from colorflow.ui.panes import AT_ONCE, FOR_LONG, LISTEN, ONCE, SUFFIXES, saved_by_browser
from colorflow.ui.photos import file_url, link_or_copy, new_folder, storing
from colorflow.ui.session import Job
from colorflow.ui.status import FAILURES, Updates, line, problem, progress, status_line

if TYPE_CHECKING:
    from gradio.blocks import Block

    from colorflow.colorizer import Colorizer

_RESULTS, _SHEET = "colored", "contact-sheet.html"
"""Names in the zip."""
_LONGEST_NAME = 60
"""Letters of an upload's name that the name of the zip keeps."""
_MOST_SAID = 5
"""Photos that could not be colored and are named on the page."""


class _OfAll(Job):
    """Work on all photos, which waits for its turn and goes on while the visitor looks at others.

    Args:
        session: holds the photos.
    """

    is_of_all = True
    what = ""
    """What becomes of the photos, for the line about progress."""

    def __init__(self, session: AlbumSession) -> None:
        super().__init__()
        self.state = "waiting"
        self.photos: Sequence[ColoredPhoto] = ()
        """Set when the work begins: until then photos may still be opened."""
        self.done = 0
        self.archive: Path | None = None
        """The zip, if it is what the work makes."""
        self.showing = threading.Lock()
        """Is held while the page is shown a coloring of the photo that the visitor looks at."""
        self._session = session

    @abstractmethod
    def __iter__(self) -> Iterator[ColoredPhoto | None]:
        """Do it: None to begin with, then each photo with which nothing more is done."""

    @abstractmethod
    def said(self, seconds: float) -> str:
        """What came of it, as HTML."""


class AllColorings(_OfAll):
    """Colors photos one after the other, but none that has these colorings or colors of its own.

    The visitor may look at other photos meanwhile, and use what is there.

    Args:
        colorizer: colors the photos.
        session: holds the photos.
        options: which colorings are wanted.
    """

    what = "photos are colored"

    def __init__(
        self, colorizer: Colorizer, session: AlbumSession, options: ColoringOptions
    ) -> None:
        super().__init__(session)
        self.failures: list[str] = []
        """A line for each photo that could not be colored, as HTML."""
        self._colorizer, self._options = colorizer, options
        self._now: ColoringJob | None = None

    def cancel(self) -> None:
        """Ask for an end; the results so far stay."""
        super().cancel()
        if self._now:
            self._now.cancel()

    def abandon(self) -> None:
        """Ask for an end without another update of the page."""
        super().abandon()
        if self._now:
            self._now.abandon()

    def __iter__(self) -> Iterator[ColoredPhoto | None]:
        """Color them: None to begin with, then each one when nothing more is done to it."""
        self.photos = to_be_colored(self._session.items, self._options)
        yield None
        for photo in self.photos:
            if self.end:
                return
            self._now = color_anew(self._colorizer, photo, self._options, progressively=False)
            try:
                with self._now:
                    for _ in self._now:
                        pass
                self.done += photo.options == self._options
            except FAILURES as error:
                self.failures.append(problem(error))
            yield photo

    def said(self, seconds: float) -> str:
        """What came of it, as HTML."""
        said = f"{_photos(self.done)} colored in {seconds:.1f} s."
        if self.end:
            said = f"Cancelled; {self.done} of {len(self.photos)} photos are colored."
        more = len(self.failures) - _MOST_SAID
        others = [line(f"{more} more could not be colored.", bad=True)] if more > 0 else []
        return "".join([line(said), *self.failures[:_MOST_SAID], *others])


class AllFiles(_OfAll):
    """Writes colorings in full size, with a contact sheet, into one zip.

    Args:
        session: holds the photos; those that were treated as gray no longer are left out.
        suffix: .jpg or .png; None for that of each photo.
        model: digest of the weights, for the provenance in the files.
        every: whether all colorings of a photo are wanted, or the chosen one.
    """

    what = "photos are written"

    def __init__(
        self, session: AlbumSession, suffix: str | None, model: str, *, every: bool
    ) -> None:
        super().__init__(session)
        self._suffix, self._model, self._every = suffix, model, every
        self._names = FreeNames()

    def __iter__(self) -> Iterator[ColoredPhoto | None]:
        """Write them; `archive` is set at the end unless the job was to end before.

        Raises:
            ColorflowError: nothing can be stored.
        """
        for old in self._session.folder.glob("zip-*"):
            shutil.rmtree(old, ignore_errors=True)
        folder = new_folder(self._session.folder, "zip-")
        inside = folder / "photos"
        self.photos = self._session.items
        yield None
        with storing():
            inside.mkdir()
            sheet = ContactSheet(inside / _SHEET)
            for photo in self.photos:
                if self.end:
                    shutil.rmtree(folder, ignore_errors=True)
                    return
                try:
                    sheet.add(photo.name, *self._row(photo, inside, is_full=sheet.is_full))
                except UnreadablePhotoError as error:
                    sheet.add(photo.name, (), f"{error.reason}.")
                self.done += 1
                yield None
            for one in self._session.problems:
                sheet.add(one.name, (), one.reason)
            sheet.write()
            files = (one for one in inside.rglob("*") if one.is_file())
            self._session.budget.disk.check(sum(one.stat().st_size for one in files))
            archive = folder / f"{_name_of(self._session)}-colored.zip"
            pack(inside, archive)
            shutil.rmtree(inside)
        self.archive = archive

    def said(self, seconds: float) -> str:
        """What came of it, as HTML."""
        if self.archive is None:
            return line("Cancelled; no zip was made.")
        return line(f"A zip of {self.archive.stat().st_size / 2**20:.1f} MB.")

    def _row(
        self, photo: ColoredPhoto, inside: Path, *, is_full: bool
    ) -> tuple[list[SheetPicture], str]:
        """Put the photo's files into the folder; its part of the contact sheet."""
        if not photo.is_in_zip:
            return [], "left as it is" if photo.is_left_alone else "not colored"
        wanted = photo.colorings if self._every else [photo.require_chosen()]
        small = thumbnail(read_photo(photo.photo.preview).pixels)
        pictures = [in_gray(small)]
        for one in wanted:
            file = write_full_size(photo.photo, one, self._model, self._suffix)
            stem = Path(_RESULTS) / photo.inside / file.stem
            path = inside / self._names.free(str(stem), file.suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(file, path)
            pixels = None if is_full else thumbnail(read_photo(one.preview).pixels)
            pictures.append(SheetPicture(pixels, one.caption, path))
        return pictures, ""


class AllPhotos:
    """Components and handlers of the part, made inside a `gr.Blocks`.

    Args:
        colorizer: colors the photos.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self._colorizer = colorizer
        self.strip = gr.HTML("", js_on_load=LISTEN, apply_default_css=False, elem_id="strip")
        with gr.Column(visible=False, elem_id="all") as self.column:
            self.with_colors = gr.CheckboxGroup(
                label="Treat as gray",
                info="These photos have colors and are left as they are. Tick those that are scans "
                "of gray photos: their lightness is colored.",
                show_select_all=True,
                visible=False,
                elem_id="all-gray",
            )
            with gr.Row():
                self.button = gr.Button(min_width=120, elem_id="all-go")
                self.cancel_button = gr.Button(
                    "Cancel", visible=False, min_width=120, elem_id="all-cancel"
                )
            self.zip_button = gr.Button(visible=False, elem_id="all-download")
            self.every = gr.Checkbox(
                label="With all colorings of each photo",
                info="The zip has the one that you chose, or all.",
                visible=False,
                elem_id="all-every",
            )
            self.file = gr.DownloadButton(elem_id="all-file", elem_classes="saved")
        self.status = status_line("", "all-status")
        self.components = [
            self.strip, self.column, self.with_colors, self.button, self.zip_button, self.every,
            self.status,
        ]  # fmt: skip

    def connect(
        self,
        session: gr.State,
        options: Sequence[gr.components.Component],
        format_: gr.Radio,
        show: Callable[[AlbumSession], Updates],
        shown: Sequence[Block],
    ) -> None:
        """Connect events with handlers.

        Args:
            session: holds the visitor's `AlbumSession`.
            options: components whose values `options_of` takes.
            format_: where the visitor chooses one of `SUFFIXES`.
            show: shows the colorings of the photo that the visitor looks at.
            shown: components that this updates.
        """
        self._show = show
        own = [*self.components, self.cancel_button, self.file]
        begun = self.button.click(self.begin, [session, *options], own, **ONCE)
        begun.then(self.work, [session], [*own, *shown], **FOR_LONG)
        begun = self.zip_button.click(self.begin_zip, [session, format_, self.every], own, **ONCE)
        zipped = begun.then(self.work, [session], [*own, *shown], **FOR_LONG)
        saved_by_browser(zipped, self.file)
        self.cancel_button.click(self.cancel, [session], own, **AT_ONCE)

    def shown(self, session: AlbumSession) -> Updates:
        """The small pictures and the buttons as they are now; nothing for a single photo."""
        photos = session.items
        colored = [one for one in photos if one.is_in_zip]
        with_colors = [one for one in photos if one.has_colors]
        return {
            self.strip: strip_html(photos, session.current),
            self.column: gr.update(visible=len(photos) + len(session.waiting) > 1),
            self.with_colors: gr.update(
                choices=[(one.name, one.folder.name) for one in with_colors],
                value=[one.folder.name for one in with_colors if one.treated_as_gray],
                visible=bool(with_colors),
            ),
            self.button: self.counted(session),
            self.zip_button: gr.update(
                value=f"Download {_photos(len(colored))} in a zip", visible=len(colored) > 1
            ),
            self.every: gr.update(visible=any(len(one.colorings) > 1 for one in colored)),
        }

    def counted(self, session: AlbumSession) -> dict[str, Any]:
        """The button as it is now."""
        several = sum(1 for one in session.items if not one.is_left_alone) + len(session.waiting)
        return gr.update(value=f"Colorize all {several}", interactive=several > 0)

    @contextmanager
    def undisturbed(self, session: AlbumSession) -> Iterator[None]:
        """Let no coloring of another photo be shown while the visitor goes over to this one."""
        with session.job.showing if isinstance(session.job, _OfAll) else nullcontext():
            yield

    def begin(
        self,
        session: AlbumSession,
        n: int,
        temperature: float,
        seed: int | None,
        view: str,
    ) -> Updates:
        """Put the photos in the queue; `work` is called when it is their turn."""
        try:
            options = options_of(n, temperature, seed, view)
            if not session.waiting and not to_be_colored(session.items, options):
                return {self.status: line("All of them have these colorings already.")}
            return self._begun(session, AllColorings(self._colorizer, session, options))
        except FAILURES as error:
            return {self.status: problem(error)}

    def begin_zip(self, session: AlbumSession, format_: str, every: bool) -> Updates:
        """Do the same for the files in full size."""
        try:
            if not any(one.is_in_zip for one in session.items):
                raise ColorflowError("There is no coloring here yet; color the photos first.")
            digest = self._colorizer.digest
            return self._begun(session, AllFiles(session, SUFFIXES[format_], digest, every=every))
        except FAILURES as error:
            return {self.status: problem(error), self.file: None}

    def _begun(self, session: AlbumSession, job: _OfAll) -> Updates:
        session.start(job)
        return {
            self.status: line("Waiting for their turn ..."),
            self.cancel_button: gr.update(visible=True, interactive=True),
            self.file: None,
        }

    def work(self, session: AlbumSession) -> Iterator[Updates]:
        """Do the job, photo after photo, and show how far it is."""
        job, started = session.job, time.perf_counter()
        if not isinstance(job, _OfAll) or job.state != "waiting" or job.end:
            yield {
                self.status: gr.skip() if job is None else "",
                self.cancel_button: gr.update(visible=False),
            }
            return
        try:
            with job:
                for photo in job:
                    with job.showing if photo else nullcontext():
                        yield self._on_the_way(session, job, photo)
                said = job.said(time.perf_counter() - started)
                yield {
                    **self._ended(said),
                    self.file: str(job.archive) if job.archive else None,
                }
        except FAILURES as error:
            yield {**self._ended(problem(error)), self.file: None}
        finally:
            session.delete_if_closed()

    def cancel(self, session: AlbumSession) -> Updates:
        """End the job after the photo at work, or take it out of the queue."""
        if not session.cancel():
            return {self.cancel_button: gr.update(interactive=False)}
        return self._ended(line("Cancelled; nothing was made."))

    def _on_the_way(
        self, session: AlbumSession, job: _OfAll, photo: ColoredPhoto | None
    ) -> Updates:
        n = len(job.photos)
        said = {self.status: progress(job.done, n, f"{job.done} of {n} {job.what}.")}
        if photo is None:
            return said
        is_looked_at = session.current is photo and photo.chosen is not None
        return {**self.shown(session), **said, **(self._show(session) if is_looked_at else {})}

    def _ended(self, said: str) -> Updates:
        return {self.status: said, self.cancel_button: gr.update(visible=False)}


def to_be_colored(
    photos: Sequence[ColoredPhoto], options: ColoringOptions
) -> Sequence[ColoredPhoto]:
    """Those that do not have these colorings, nor colors of their own."""
    return [one for one in photos if not one.is_left_alone and one.options != options]


def strip_html(photos: Sequence[ColoredPhoto], current: ColoredPhoto | None) -> str:
    """Small pictures of the photos as buttons; nothing for a single one, which is shown anyway."""
    if len(photos) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-index="{index}" data-act="look" '
        f'aria-pressed="{str(one is current).lower()}" title="{html.escape(one.name)}">'
        f'<img src="{file_url(one.photo.thumbnail)}" alt="{html.escape(one.name)}" loading="lazy">'
        f"{_TICK if one.chosen else ''}</button>"
        for index, one in enumerate(photos)
    )
    return f'<div role="group" aria-label="Your photos" class="strip">{buttons}</div>'


_TICK = '<span class="tick" role="img" aria-label="colored">✓</span>'


def _photos(number: int) -> str:
    return f"{number} photo{'' if number == 1 else 's'}"


def _name_of(session: AlbumSession) -> str:
    """Of the zip: that of the only upload, if there is one."""
    stem = session.uploads[0].stem if len(session.uploads) == 1 else "photos"
    return stem[:_LONGEST_NAME]
