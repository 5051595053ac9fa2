"""The part of a tab for several photos: small pictures, a button that colors all, a zip of all."""

from __future__ import annotations

import html
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import gradio as gr

from colorflow.batch.archive import pack
from colorflow.errors import ColorflowError
from colorflow.ui.colorings import (
    ColoredPhoto,
    ColoringJob,
    ColoringOptions,
    PhotoSession,
    color_anew,
    write_full_size,
)
from colorflow.ui.controls import options_of
from colorflow.ui.folder_intake import FreeNames
from colorflow.ui.limits import LONG_QUEUE
from colorflow.ui.panes import AT_ONCE, LISTEN, TREAT_AS_GRAY, saved_by_browser
from colorflow.ui.photos import file_url, link_or_copy, new_folder, storing
from colorflow.ui.session import Job
from colorflow.ui.status import FAILURES, Updates, line, problem, progress, status_line

if TYPE_CHECKING:
    from gradio.blocks import Block

    from colorflow.colorizer import Colorizer

_ARCHIVE = "colored-photos.zip"


class AllColorings(Job):
    """Colors photos one after the other, but none that has these colorings or colors of its own.

    The visitor may look at other photos meanwhile, and use what is there.

    Args:
        colorizer: colors the photos.
        photos: the photos.
        options: which colorings are wanted.
    """

    is_of_all = True

    def __init__(
        self, colorizer: Colorizer, photos: Sequence[ColoredPhoto], options: ColoringOptions
    ) -> None:
        super().__init__()
        self.state = "waiting"
        self.photos = [one for one in photos if not one.is_left_alone and one.options != options]
        self.left_alone = [one for one in photos if one.is_left_alone]
        self.done = 0
        self.failures: list[str] = []
        """A line for each photo that could not be colored, as HTML."""
        self.showing = threading.Lock()
        """Is held while the page is shown a coloring of the photo that the visitor looks at."""
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

    def __iter__(self) -> Iterator[ColoredPhoto]:
        """Color them, and give each one when nothing more is done to it."""
        for photo in self.photos:
            self._now = color_anew(self._colorizer, photo, self._options)
            if self.end:
                return
            try:
                with self._now:
                    for _ in self._now:
                        pass
                self.done += photo.options == self._options
            except FAILURES as error:
                self.failures.append(problem(error))
            yield photo


class AllPhotos:
    """Components and handlers of the part, made inside a `gr.Blocks`.

    Args:
        colorizer: colors the photos.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self._colorizer = colorizer
        self.strip = gr.HTML("", js_on_load=LISTEN, apply_default_css=False, elem_id="strip")
        with gr.Row(visible=False, elem_id="all") as self.row:
            self.button = gr.Button(min_width=120, elem_id="all-go")
            self.cancel_button = gr.Button(
                "Cancel", visible=False, min_width=120, elem_id="all-cancel"
            )
            self.zip_button = gr.Button(visible=False, min_width=260, elem_id="all-download")
            self.file = gr.DownloadButton(elem_id="all-file", elem_classes="saved")
        self.status = status_line("", "all-status")
        self.components = [self.strip, self.row, self.button, self.zip_button, self.status]

    def connect(
        self,
        session: gr.State,
        options: Sequence[gr.components.Component],
        show: Callable[[PhotoSession], Updates],
        shown: Sequence[Block],
    ) -> None:
        """Connect events with handlers.

        Args:
            session: holds the visitor's `Session`.
            options: components whose values `options_of` takes.
            show: shows the colorings of the photo that the visitor looks at.
            shown: components that this updates.
        """
        self._show = show
        own = [*self.components, self.cancel_button]
        once = {**AT_ONCE, "trigger_mode": "once"}
        self.button.click(self.begin, [session, *options], own, **once).then(
            self.color,
            [session],
            [*own, *shown],
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
            **LONG_QUEUE,
        )
        self.cancel_button.click(self.cancel, [session], own, **AT_ONCE)
        waiting = line("Waiting for its turn ...")
        zipped = self.zip_button.click(lambda: waiting, None, [self.status], **once).then(
            self.pack,
            [session],
            [self.file, self.status],
            show_progress="hidden",
            api_visibility="private",
            **LONG_QUEUE,
        )
        saved_by_browser(zipped, self.file)

    def shown(self, session: PhotoSession) -> Updates:
        """The small pictures and the buttons as they are now; nothing for a single photo."""
        photos = session.items
        colored = sum(1 for one in photos if one.chosen)
        return {
            self.strip: strip_html(photos, session.current),
            self.row: gr.update(visible=len(photos) > 1),
            self.button: f"Colorize all {sum(1 for one in photos if not one.is_left_alone)}",
            self.zip_button: gr.update(
                value=f"Download {colored} photos in a zip", visible=colored > 1
            ),
        }

    @contextmanager
    def undisturbed(self, session: PhotoSession) -> Iterator[None]:
        """Let no coloring of another photo be shown while the visitor goes over to this one."""
        job = session.job
        with job.showing if isinstance(job, AllColorings) else nullcontext():
            yield

    # coloring

    def begin(
        self,
        session: PhotoSession,
        n: int,
        temperature: float,
        seed: int | None,
        view: str,
    ) -> Updates:
        """Put the photos in the queue; `color` is called when it is their turn."""
        try:
            options = options_of(n, temperature, seed, view)
            job = AllColorings(self._colorizer, session.items, options)
            if not job.photos:
                said = line("All of them have these colorings already.")
                return {self.status: _about_left_alone(job.left_alone) or said}
            session.start(job)
        except FAILURES as error:
            return {self.status: problem(error)}
        return {
            self.status: line("Waiting for their turn ..."),
            self.cancel_button: gr.update(visible=True, interactive=True),
        }

    def color(self, session: PhotoSession) -> Iterator[Updates]:
        """Color photo after photo, and tick the small pictures."""
        job, started = session.job, time.perf_counter()
        if not isinstance(job, AllColorings) or job.state != "waiting" or job.end:
            yield {
                self.status: gr.skip() if job is None else "",
                self.cancel_button: gr.update(visible=False),
            }
            return
        try:
            with job:
                yield {self.status: progress(0, len(job.photos), "photos are colored")}
                for photo in job:
                    with job.showing:
                        is_looked_at = session.current is photo and photo.chosen is not None
                        yield {
                            **self.shown(session),
                            self.status: progress(job.done, len(job.photos), "photos are colored"),
                            **(self._show(session) if is_looked_at else {}),
                        }
                yield self._ended(job, time.perf_counter() - started)
        finally:
            session.delete_if_closed()

    def cancel(self, session: PhotoSession) -> Updates:
        """End the job after the coloring at work, or take it out of the queue."""
        if not session.cancel():
            return {self.cancel_button: gr.update(interactive=False)}
        return {
            self.cancel_button: gr.update(visible=False),
            self.status: line("Cancelled; nothing was colored."),
        }

    def _ended(self, job: AllColorings, seconds: float) -> Updates:
        several = f"{job.done} photo{'' if job.done == 1 else 's'}"
        said = f"{several} colored in {seconds:.1f} s."
        if job.end:
            said = f"Cancelled; {job.done} of {len(job.photos)} photos are colored."
        return {
            self.status: "".join([line(said), *job.failures, _about_left_alone(job.left_alone)]),
            self.cancel_button: gr.update(visible=False),
        }

    # the zip

    def pack(self, session: PhotoSession) -> Iterator[Updates]:
        """Write the chosen coloring of each photo in full size, and put all into one zip."""
        try:
            colored = [(one, one.chosen) for one in session.items if one.chosen]
            if not colored:
                raise ColorflowError("There is no coloring here yet; color the photos first.")
            for old in session.folder.glob("zip-*"):
                shutil.rmtree(old, ignore_errors=True)
            folder, names = new_folder(session.folder, "zip-"), FreeNames()
            with storing():
                inside = folder / "photos"
                inside.mkdir()
                for done, (photo, chosen) in enumerate(colored):
                    yield {self.status: progress(done, len(colored), "photos are written")}
                    path = write_full_size(photo.photo, chosen, self._colorizer.digest)
                    link_or_copy(path, inside / names.free(path.stem, path.suffix))
                session.budget.disk.check(sum(one.stat().st_size for one in inside.iterdir()))
                archive = folder / _ARCHIVE
                pack(inside, archive)
                shutil.rmtree(inside)
                said = f"{len(colored)} photos, {archive.stat().st_size / 2**20:.1f} MB."
            yield {self.status: line(said), self.file: str(archive)}
        except FAILURES as error:
            yield {self.status: problem(error), self.file: None}
        finally:
            session.delete_if_closed()


def _about_left_alone(photos: Sequence[ColoredPhoto]) -> str:
    """Which photos were left alone because they have colors, as HTML."""
    if not photos:
        return ""
    names = ", ".join(one.upload.name for one in photos)
    have = "has colors and was" if len(photos) == 1 else "have colors and were"
    one = "it" if len(photos) == 1 else "one of them"
    return line(f"{names}: {have} left alone; look at {one} and press “{TREAT_AS_GRAY}”.")


def strip_html(photos: Sequence[ColoredPhoto], current: ColoredPhoto | None) -> str:
    """Small pictures of the photos as buttons; nothing for a single one, which is shown anyway."""
    if len(photos) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-index="{index}" data-act="look" '
        f'aria-pressed="{str(one is current).lower()}" title="{html.escape(one.upload.name)}">'
        f'<img src="{file_url(one.photo.thumbnail)}" alt="{html.escape(one.upload.name)}">'
        f"{_TICK if one.chosen else ''}</button>"
        for index, one in enumerate(photos)
    )
    return f'<div role="group" aria-label="Your photos" class="strip">{buttons}</div>'


_TICK = '<span class="tick" role="img" aria-label="colored">✓</span>'
