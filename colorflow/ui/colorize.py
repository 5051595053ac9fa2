"""The tab that colors photos: upload, choose among the colorings, download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.photo import Kind
from colorflow.ui.album import AlbumSession
from colorflow.ui.colorings import (
    ColoredPhoto,
    ColoringJob,
    ShownColoring,
    color_anew,
    more_like,
    something_else,
)
from colorflow.ui.colorize_layout import COLORIZE, GRAY, WELCOME, ColorizeLayout
from colorflow.ui.controls import SAMPLES, SUMMARY, options_of
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import AT_ONCE, FOR_LONG, HAS_COLORS, IN_TURN, TREAT_AS_GRAY
from colorflow.ui.samples import copy_of_sample
from colorflow.ui.session import Session
from colorflow.ui.status import FAILURES, Updates, line, problem, progress
from colorflow.ui.uncertainty_map import UncertaintyMap

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger

_SHOW_SECONDS = 1.0
"""Time between two looks at how many photos are open."""

_ABOUT_KIND = {
    Kind.GRAY: "A gray photo",
    Kind.TINTED: "A toned photo (sepia or the like), colored as if it were gray",
    Kind.COLORED: "This photo has colors of its own, and is treated as gray",
}
_SHOW_RESULTS = """
() => requestAnimationFrame(() => {
    const results = document.querySelector("#results");
    const below = results && results.getBoundingClientRect().top > innerHeight / 2;
    if (below && !document.querySelector("#status .bad"))
        results.scrollIntoView({ behavior: "smooth" });
})
"""
"""On a phone the results are below the controls, out of sight."""


class ColorizeTab(ColorizeLayout):
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return new values by component, or yield them one after the other; they work without a
    server.

    Args:
        colorizer: colors the photos.
        enlarger: enlarges them; None if there is none.
        space: where uploads go, shared by all tabs.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        space: UploadSpace,
        enlarger: Enlarger | None = None,
    ) -> None:
        super().__init__(colorizer, space, enlarger)
        self._colorizer = colorizer
        self._megabytes = space.megabytes
        self.session = self.photos.session
        with self.result.column:
            self.map = UncertaintyMap(colorizer, self.session, self.status)
        self._connect_colorings(self._connect_photos())
        self._connect_choices()

    def _connect_photos(self) -> gr.events.Dependency:
        """Connect what opens photos; returns the opening of a sample, which is colored at once."""
        shown = [
            self.session, *self.all.components, self.photos.preview, self.about, self.button,
            self.cancel_button, self.status, self.result.welcome, self.result.column, self.view,
            self.gallery, self.beside, self.result.compare, self.result.download.button,
            *self.map.components, *self.larger.components,
        ]  # fmt: skip
        opened = [
            gr.on(
                self.photos.changes,
                self.open_photos,
                [self.photos.upload, self.session],
                shown,
                show_progress_on=self.about,
                trigger_mode="always_last",
                **IN_TURN,
            ),
            self.whole_folder.upload(
                self.open_folder,
                [self.whole_folder, self.photos.upload, self.session],
                [self.photos.upload, *shown],
                show_progress_on=self.about,
                **IN_TURN,
            ),
        ]
        for first in opened:
            first.then(
                self.open_others, [self.session], [*self.all.components, self.about], **FOR_LONG
            )
        self.all.with_colors.input(
            self.treat_as_gray,
            [self.session, self.all.with_colors],
            [self.all.button, self.about, self.button],
            **AT_ONCE,
        )
        self.all.strip.select(self.look_at, [self.session], shown, **AT_ONCE)
        return self.result.welcome.select(
            self.open_sample,
            [self.session],
            [self.photos.upload, *shown],
            show_progress_on=self.about,
            **IN_TURN,
        )

    def _connect_colorings(self, sample: gr.events.Dependency) -> None:
        options = [self.n, self.temperature, self.seed, self.view]
        events: list[tuple[Any, Callable[..., Iterator[Updates]], Sequence[Any]]] = [
            (self.button.click, self.colorize, options),
            (self.view.input, self.colorize, options),
            (self.more.click, self.more_like_this, [self.n]),
            (self.else_.click, self.something_else, [self.n]),
        ]
        shown = [
            self.about, self.button, self.result.column, self.result.welcome, self.view,
            self.gallery, self.result.compare, self.result.download.button, self.status,
            self.cancel_button, *self.larger.components,
        ]  # fmt: skip
        # The job before ends at once, and not only when it is this one's turn.
        begun = [
            (event(Session.stop, [self.session], None, **AT_ONCE), handler, inputs)
            for event, handler, inputs in events
        ]
        for before, handler, inputs in [*begun, (sample, self.colorize, options)]:
            made = before.then(
                handler,
                [self.session, *inputs],
                [*shown, *self.all.components],
                show_progress_on=self.status,
                trigger_mode="multiple",
                **IN_TURN,
            )
            made.then(None, js=_SHOW_RESULTS)
        self.all.connect(
            self.session,
            options,
            self.format,
            self._colorings,
            shown,
        )

    def _connect_choices(self) -> None:
        compare, download = self.result.compare, self.result.download.button
        self.cancel_button.click(self.cancel, [self.session], None, **AT_ONCE)
        self.beside.input(self.compare_with, [self.session, self.beside], [compare], **AT_ONCE)
        shown = [compare, download, self.status, *self.larger.components]
        self.gallery.select(self.choose, [self.session], shown, **AT_ONCE)
        self.result.download.connect(self.session, self.format)

    # photos

    def open_photos(self, uploads: list[str] | None, session: AlbumSession) -> Updates:
        """Open the first new photo among the uploads, let the others wait, and close the rest.

        Args:
            uploads: paths of everything that the field holds now.
            session: the visitor's.
        """
        has_new = session.take([Path(one) for one in uploads or ()], self._megabytes)
        opened = None
        while session.waiting and opened is None and (has_new or session.current is None):
            opened = session.open_next()
        if opened:
            session.look_at(opened)
        return {**self._view(session), self.all.status: ""}

    def open_others(self, session: AlbumSession) -> Iterator[Updates]:
        """Open the photos that wait, which may take minutes; about once a second they are shown."""
        yield {self.about: self._about(session)}
        shown = time.monotonic()
        while session.waiting:
            session.open_next()
            session.delete_if_closed()
            if not session.waiting or time.monotonic() - shown > _SHOW_SECONDS:
                shown = time.monotonic()
                yield {**self.all.shown(session), self.about: self._about(session)}

    def open_folder(
        self, files: list[str], uploads: list[str] | None, session: AlbumSession
    ) -> Updates:
        """Open the files of a whole folder beside what is there."""
        together = [*(uploads or ()), *files]
        return {self.photos.upload: together, **self.open_photos(together, session)}

    def open_sample(self, session: AlbumSession, event: gr.SelectData) -> Updates:
        """Open one of the photos to try as if it had been uploaded."""
        try:
            path = str(copy_of_sample(int(event.index), session.folder))
        except FAILURES as error:
            return {self.about: problem(error)}
        return {self.photos.upload: [path], **self.open_photos([path], session)}

    def treat_as_gray(self, session: AlbumSession, ticked: Sequence[str]) -> Updates:
        """Let the lightness of these photos be colored, and leave others that have colors alone."""
        for one in session.items:
            one.treated_as_gray = one.folder.name in ticked
        return {
            self.all.button: self.all.counted(session),
            self.about: self._about(session),
            self.button: self._button(session),
        }

    def show_samples(self) -> Updates:
        """Show what becomes of the photos to try, unless there is no room to color them."""
        try:
            return {self.result.welcome: f"{WELCOME}{self.samples.colored_html()}"}
        except FAILURES:
            return {self.result.welcome: gr.skip()}

    def look_at(self, session: AlbumSession, event: gr.SelectData) -> Updates:
        """Show another one of the visitor's photos with its colorings."""
        index = int(event.index)
        if index >= len(session.items):
            return {self.about: line("That photo is gone; choose it again.", bad=True)}
        with self.all.undisturbed(session):
            session.look_at(session.items[index])
            return self._view(session)

    # colorings

    def colorize(
        self,
        session: AlbumSession,
        n: int,
        temperature: float,
        seed: int | None,
        view: str,
    ) -> Iterator[Updates]:
        """Color the photo; the first coloring is shown large, the others come beside it.

        A photo with colors is treated as gray from then on.

        Args:
            session: the visitor's.
            n, temperature, seed, view: as `options_of` takes them.
        """

        def begin(photo: ColoredPhoto) -> ColoringJob:
            job = color_anew(self._colorizer, photo, options_of(n, temperature, seed, view))
            photo.treated_as_gray = True
            return job

        yield from self._stream(session, begin)

    def more_like_this(self, session: AlbumSession, n: int) -> Iterator[Updates]:
        """Keep the colors of the chosen coloring and sample its details again."""
        yield from self._stream(session, lambda photo: more_like(self._colorizer, photo, int(n)))

    def something_else(self, session: AlbumSession, n: int) -> Iterator[Updates]:
        """Keep the chosen coloring and put new samples beside it."""
        if session.current and session.current.chosen:
            yield {self.view: SAMPLES}
        yield from self._stream(
            session, lambda photo: something_else(self._colorizer, photo, int(n))
        )

    def cancel(self, session: AlbumSession) -> None:
        """End the job after the coloring at work; those that are there stay."""
        session.cancel()

    def choose(self, session: AlbumSession, event: gr.SelectData) -> Updates:
        """Show the coloring that was clicked."""
        photo, index = session.current, int(event.index)
        coloring = photo.colorings[index] if photo and index < len(photo.colorings) else None
        if photo is None or coloring is None or not coloring.preview.exists():
            text = "These colorings are gone; choose the photo again."
            return {self.status: line(text, bad=True)}
        photo.chosen = coloring
        self.larger.stopped(session)
        return {**self._compared(session, photo, coloring), **self.larger.emptied()}

    def compare_with(self, session: AlbumSession, beside: str) -> Updates:
        """Compare colorings with the photo's own colors, or with its gray."""
        session.compares_gray = beside == GRAY
        photo, compare = session.current, self.result.compare
        if photo is None or photo.chosen is None:
            return {compare: gr.skip()}
        return {compare: self._compared(session, photo, photo.chosen)[compare]}

    def _stream(
        self, session: AlbumSession, begin: Callable[[ColoredPhoto], ColoringJob]
    ) -> Iterator[Updates]:
        """Show colorings as they come."""
        started = time.perf_counter()
        try:
            job = begin(session.require())
            session.start(job)
            with job:
                yield {
                    self.status: progress(0, job.wanted),
                    self.cancel_button: gr.update(visible=True),
                    self.about: self._about(session),
                    self.button: COLORIZE,
                }
                for coloring in job:
                    yield self._one_more(session, job, coloring)
                yield self._ended(job, time.perf_counter() - started)
        except FAILURES as error:
            yield {self.status: problem(error), self.cancel_button: gr.update(visible=False)}
        finally:
            session.delete_if_closed()

    def _one_more(
        self, session: AlbumSession, job: ColoringJob, coloring: ShownColoring
    ) -> Updates:
        updates: Updates = {
            self.gallery: gr.update(value=_gallery(job.colored_photo)),
            self.status: progress(job.done, job.wanted),
        }
        if job.done > 1:
            return updates
        return {
            **updates,
            self.gallery: gr.update(value=_gallery(job.colored_photo), selected_index=0),
            **self.result.shown(),
            **self._compared(session, job.colored_photo, coloring),
            **self.all.shown(session),
            **self.larger.emptied(),
        }

    def _ended(self, job: ColoringJob, seconds: float) -> Updates:
        """What is said at the end; Gradio sends it twice, so nothing that may change meanwhile."""
        if job.end == "replaced":
            return {self.status: gr.skip()}
        several = "1 coloring" if job.done == 1 else f"{job.done} colorings"
        said = f"{several} in {seconds:.1f} s."
        if job.done < job.wanted:
            said = f"Cancelled; {job.done} of {job.wanted} colorings are here."
        return {self.status: line(said), self.cancel_button: gr.update(visible=False)}

    # what is shown

    def _compared(
        self, session: AlbumSession, current: ColoredPhoto, coloring: ShownColoring
    ) -> Updates:
        photo = current.photo
        as_gray = photo.kind is Kind.COLORED and session.compares_gray
        before = photo.gray if as_gray else photo.preview
        return self.result.compared(photo, before, coloring.preview)

    def _about(self, session: AlbumSession) -> str:
        said = session.said()
        if session.current is None:
            return "".join(said) or self.formats
        photo = session.current.photo
        kind = HAS_COLORS if session.current.is_left_alone else _ABOUT_KIND[photo.kind]
        size = f"{photo.width} × {photo.height} pixels"
        return "".join([*said, line(f"{kind}. {size}.")])

    def _button(self, session: AlbumSession) -> dict[str, Any]:
        """The button as it is for the photo that the visitor looks at."""
        current = session.current
        return gr.update(
            value=TREAT_AS_GRAY if current and current.is_left_alone else COLORIZE,
            interactive=current is not None,
        )

    def _view(self, session: AlbumSession) -> Updates:
        """Everything about the photo that the visitor looks at."""
        current = session.current
        view: Updates = {
            self.session: session,
            **self.all.shown(session),
            **self.photos.shown(current.photo if current else None),
            self.about: self._about(session),
            self.button: self._button(session),
            self.cancel_button: gr.update(visible=False),
            self.status: "",
            **self.result.emptied(),
            self.view: SUMMARY,
            self.gallery: None,
            self.beside: gr.update(visible=bool(current and current.has_colors)),
            **self.map.emptied(),
            **self.larger.emptied(),
        }
        return {**view, **self._colorings(session)}

    def _colorings(self, session: AlbumSession) -> Updates:
        """The colorings, if any, of the photo that the visitor looks at."""
        current = session.current
        if current is None or current.chosen is None:
            return {}
        return {
            **self.result.shown(),
            self.view: SAMPLES if current.shows_samples else SUMMARY,
            self.gallery: gr.update(
                value=_gallery(current),
                selected_index=list(current.colorings).index(current.chosen),
            ),
            **self._compared(session, current, current.chosen),
            **self.larger.emptied(),
        }


def _gallery(photo: ColoredPhoto) -> list[tuple[str, str]]:
    return [(str(one.preview), one.caption) for one in photo.colorings]
