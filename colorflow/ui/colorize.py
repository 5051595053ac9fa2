"""The tab that colors photos: upload, choose among the colorings, download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.limits import LARGEST_SEED
from colorflow.photo import Kind
from colorflow.ui.colorings import Coloring, Colorings, Work
from colorflow.ui.colorize_layout import (
    ANEW,
    COLORIZE,
    SAMPLES,
    SUFFIXES,
    SUMMARY,
    TRUE_COLORS,
    ColorizeLayout,
)
from colorflow.ui.download import preparing, ready
from colorflow.ui.limits import WORK, MemoryBudget
from colorflow.ui.open_map_view import OpenMapView
from colorflow.ui.session import PhotoColorizer, Session, Wish
from colorflow.ui.status import line, problem, progress
from colorflow.ui.strip import strip_html

MOST_PHOTOS = 20
_NO_PHOTO = "There is no photo yet; choose one first."

Updates = dict[Any, Any]
"""New values by component."""

_ABOUT_KIND = {
    Kind.GRAY: "A gray photo",
    Kind.TINTED: "A toned photo (sepia or the like), colored as if it were gray",
    Kind.COLORED: (
        "This photo already has colors. It can be colored anew from its lightness, and be "
        "compared with its own colors"
    ),
}
_SHOW_RESULTS = """
() => requestAnimationFrame(() => {
    const results = document.querySelector("#results");
    const below = results && results.getBoundingClientRect().top > innerHeight / 2;
    if (below && !document.querySelector("#status .bad"))
        results.scrollIntoView({ behavior: "smooth" });
})
"""
"""On a phone the results stand below the controls, out of sight."""


class ColorizeTab(ColorizeLayout):
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return the new values by component, or give them one after the other, and work without
    a server.

    Args:
        colorizer: colors the photos.
        root: folder in which the visitors' folders are made.
        max_megabytes: size of the largest upload, to be stated.
        budget: memory for photos, shared by all visitors.
        hints: whether there is a tab that takes a coloring over, to say colors of points.
    """

    def __init__(
        self,
        colorizer: PhotoColorizer,
        root: Path,
        max_megabytes: int,
        *,
        budget: MemoryBudget | None = None,
        hints: bool = False,
    ) -> None:
        self._colorizer = colorizer
        self._root = root
        self._budget = budget or MemoryBudget()
        self.session = gr.State(None, delete_callback=_close)
        super().__init__(max_megabytes, hints=hints)
        with self.results:
            self.open_map = OpenMapView(colorizer, self.session, self.status)
        self._connect()

    def _connect(self) -> None:
        """Connect events with handlers; none of them is part of a public interface."""
        self._connect_photos()
        self._connect_drawing()
        quietly: dict[str, Any] = {
            "show_progress": "hidden",
            "trigger_mode": "multiple",
            "concurrency_limit": None,
            "api_visibility": "private",
        }
        self.cancel_button.click(self.cancel, [self.session], None, **quietly)
        self.beside.input(self.compare_with, [self.session, self.beside], [self.compare], **quietly)
        choose = self.gallery.select(
            self.choose, [self.session], [self.compare, self.download, self.status], **quietly
        )
        reformat = self.format.input(self.reformat, None, [self.download], **quietly)
        self._prepare_after(choose, reformat)

    def _connect_photos(self) -> None:
        shown = [
            self.session, self.strip, self.preview, self.about, self.button, self.cancel_button,
            self.status, self.welcome, self.results, self.view, self.gallery, self.beside,
            self.compare, self.format, self.download, *self.open_map.components,
        ]  # fmt: skip
        opened = gr.on(
            [self.upload.upload, self.upload.delete, self.upload.clear],
            self.open_photos,
            [self.upload, self.session],
            shown,
            show_progress_on=self.about,
            trigger_mode="always_last",
            api_visibility="private",
            **WORK,
        )
        look = self.strip.select(
            self.look_at,
            [self.session],
            shown,
            show_progress="hidden",
            trigger_mode="multiple",
            concurrency_limit=None,
            api_visibility="private",
        )
        self._prepare_after(opened, look)

    def _connect_drawing(self) -> None:
        options = [self.n, self.temperature, self.seed, self.diverse, self.view]
        events: list[tuple[Any, Callable[..., Iterator[Updates]], Sequence[Any]]] = [
            (self.button.click, self.colorize, options),
            (self.view.input, self.colorize, options),
            (self.more.click, self.more_like_this, [self.n]),
            (self.else_.click, self.something_else, [self.n]),
        ]
        for event, handler, inputs in events:
            # What goes on leaves off at once, and not only when it is this one's turn.
            drawn = event(
                self.make_way,
                [self.session],
                None,
                show_progress="hidden",
                concurrency_limit=None,
                trigger_mode="multiple",
                api_visibility="private",
            ).then(
                handler,
                [self.session, *inputs],
                [self.results, self.welcome, self.view, self.gallery, self.compare,
                 self.download, self.status, self.cancel_button],
                show_progress_on=self.status,
                trigger_mode="multiple",
                api_visibility="private",
                **WORK,
            )  # fmt: skip
            drawn.then(None, js=_SHOW_RESULTS)
            self._prepare_after(drawn)

    def _prepare_after(self, *events: gr.events.Dependency) -> None:
        for event in events:
            event.then(
                self.prepare_download,
                [self.session, self.format],
                [self.download, self.status],
                show_progress="hidden",
                trigger_mode="multiple",
                api_visibility="private",
                **WORK,
            )

    # photos

    def open_photos(self, uploads: list[str] | None, session: Session | None) -> Iterator[Updates]:
        """Open the photos that are new among the uploads, show the first of them, forget others.

        Args:
            uploads: paths of all that are there now.
            session: None at the visitor's first photo.
        """
        paths = list(dict.fromkeys(Path(one) for one in uploads or ()))
        said = []
        if len(paths) > MOST_PHOTOS:
            left_out = f"“{paths[MOST_PHOTOS].name}” and what comes after it were left out"
            said.append(line(f"At most {MOST_PHOTOS} photos at once: {left_out}.", bad=True))
        try:
            session = session or Session(self._root, self._budget)
        except ColorflowError as error:
            yield {**self._empty(), self.about: problem(error)}
            return
        session.make_way()
        session.keep(paths[:MOST_PHOTOS])
        known = {work.upload for work in session.works}
        yet_to_show = True
        for path in paths[:MOST_PHOTOS]:
            if path in known:
                continue
            try:
                work = session.add(path)
            except (ColorflowError, MemoryError) as error:
                said.append(problem(error))
                continue
            if yet_to_show:
                session.look_at(work)
                yield self._view(session, said)
                yet_to_show = False
            else:
                yield {self.strip: strip_html(session.works, session.current)}
        yield self._view(session, said) if yet_to_show else {self.about: self._about(session, said)}

    def look_at(self, session: Session | None, event: gr.SelectData) -> Updates:
        """Show another one of the visitor's photos with its colorings."""
        index = int(event.index)
        if session is None or index >= len(session.works):
            return {self.about: line("That photo is gone; choose it again.", bad=True)}
        session.look_at(session.works[index])
        return self._view(session)

    # colorings

    def colorize(
        self,
        session: Session | None,
        n: int,
        temperature: float,
        seed: int | None,
        diverse: bool,
        view: str,
    ) -> Iterator[Updates]:
        """Color the photo; the first coloring is shown large, the others come beside it.

        Args:
            session: the visitor's.
            n: number of colorings.
            temperature: multiplies the shipped temperatures.
            seed: of the first sample.
            diverse: of samples the most different among many.
            view: `SUMMARY` for principal colorings, `SAMPLES` for samples.
        """
        if seed is None or not 0 <= seed <= LARGEST_SEED:
            text = f"Seed: a whole number from 0 to {LARGEST_SEED}."
            yield {self.status: line(text, bad=True)}
            return
        wish = Wish(
            n=int(n),
            temperature=temperature,
            seed=int(seed),
            samples=view == SAMPLES,
            diverse=diverse,
        )
        yield from self._stream(session, lambda one: one.colorize(self._colorizer, wish))

    def more_like_this(self, session: Session | None, n: int) -> Iterator[Updates]:
        """Keep the colors of the chosen coloring and draw their details anew."""
        yield from self._stream(session, lambda one: one.more_like(self._colorizer, int(n)))

    def something_else(self, session: Session | None, n: int) -> Iterator[Updates]:
        """Keep the chosen coloring and draw samples beside it."""
        if session and session.chosen:
            yield {self.view: SAMPLES}
        yield from self._stream(session, lambda one: one.something_else(self._colorizer, int(n)))

    def make_way(self, session: Session | None) -> None:
        """End the work on colorings, because others are wanted."""
        if session:
            session.make_way()

    def cancel(self, session: Session | None) -> None:
        """End the work on colorings; it says itself how far it came."""
        if session:
            session.cancel()

    def choose(self, session: Session | None, event: gr.SelectData) -> Updates:
        """Show the coloring that was clicked; its download is prepared next."""
        chosen = session.choose(event.index) if session else None
        if session is None or chosen is None:
            text = "These colorings are gone; choose the photo again."
            return {self.status: line(text, bad=True)}
        return self._shown(session, *chosen)

    def compare_with(self, session: Session | None, beside: str) -> Updates:
        """Compare colorings with the photo's own colors, or with its gray."""
        if session is None:
            return {self.compare: gr.skip()}
        session.beside_truth = beside == TRUE_COLORS
        work = session.current
        if work is None or work.chosen is None:
            return {self.compare: gr.skip()}
        return {self.compare: _pair(session, work, work.chosen)}

    def reformat(self) -> Updates:
        """Take the download away, which is prepared next in another format."""
        return {self.download: preparing()}

    def prepare_download(self, session: Session | None, format_: str) -> Updates:
        """Make the chosen coloring in full size, and offer it."""
        suffix = SUFFIXES[format_]
        try:
            path = session.paint_chosen(self._colorizer.digest, suffix) if session else None
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error)}
        photo = session.photo if session else None
        if path is None or photo is None:
            return {self.status: gr.skip()}
        return {self.download: ready(path, photo)}

    def _stream(
        self, session: Session | None, begin: Callable[[Session], Colorings]
    ) -> Iterator[Updates]:
        """Show colorings as they come."""
        started = time.perf_counter()
        try:
            if session is None:
                raise ColorflowError(_NO_PHOTO)
            with begin(session) as run:
                yield {
                    self.status: progress(0, run.wanted),
                    self.cancel_button: gr.update(visible=True),
                }
                for made in run:
                    yield self._one_more(session, run, made)
                yield self._ended(run, time.perf_counter() - started)
        except (ColorflowError, MemoryError) as error:
            yield {self.status: problem(error), self.cancel_button: gr.update(visible=False)}

    def _one_more(self, session: Session, run: Colorings, made: Coloring) -> Updates:
        gallery = [(str(one.preview), one.caption) for one in run.work.colorings]
        updates: Updates = {
            self.gallery: gr.update(value=gallery),
            self.status: progress(run.done, run.wanted),
        }
        if run.done > 1:
            return updates
        return {
            **updates,
            self.gallery: gr.update(value=gallery, selected_index=0),
            self.welcome: gr.update(visible=False),
            self.results: gr.update(visible=True),
            **self._shown(session, run.work, made),
        }

    def _ended(self, run: Colorings, seconds: float) -> Updates:
        """What is said at the end; Gradio sends it twice, so nothing that may change meanwhile."""
        if run.end == "replaced":
            return {self.status: gr.skip()}
        several = "1 coloring" if run.done == 1 else f"{run.done} colorings"
        said = f"{several} in {seconds:.1f} s."
        if run.done < run.wanted:
            said = f"Cancelled; {run.done} of {run.wanted} colorings are here."
        return {self.status: line(said), self.cancel_button: gr.update(visible=False)}

    # what is shown

    def _shown(self, session: Session, work: Work, coloring: Coloring) -> Updates:
        return {self.compare: _pair(session, work, coloring), self.download: preparing()}

    def _about(self, session: Session, said: Sequence[str]) -> str:
        photo = session.photo
        if photo is None:
            return "".join(said) or self.formats
        size = f"{photo.width} × {photo.height} pixels"
        return "".join([*said, line(f"{_ABOUT_KIND[photo.kind]}. {size}.")])

    def _view(self, session: Session, said: Sequence[str] = ()) -> Updates:
        """Everything of the photo that is looked at.

        Args:
            session: the visitor's.
            said: lines on what could not be opened.
        """
        empty = {
            **self._empty(),
            self.session: session,
            self.about: self._about(session, said),
        }
        work = session.current
        if work is None:
            return empty
        photo, colored = work.photo, work.photo.kind is Kind.COLORED
        view: Updates = {
            **empty,
            self.strip: strip_html(session.works, work),
            self.preview: gr.update(value=str(photo.preview), visible=True),
            self.button: gr.update(value=ANEW if colored else COLORIZE, interactive=True),
            self.beside: gr.update(visible=colored),
            self.format: "JPEG" if photo.suffix == ".jpg" else "PNG",
        }
        if work.chosen is None:
            return view
        made = list(work.colorings)
        return {
            **view,
            self.welcome: gr.update(visible=False),
            self.results: gr.update(visible=True),
            self.view: SAMPLES if work.shows_samples else SUMMARY,
            self.gallery: gr.update(
                value=[(str(one.preview), one.caption) for one in made],
                selected_index=made.index(work.chosen),
            ),
            **self._shown(session, work, work.chosen),
        }

    def _empty(self) -> Updates:
        return {
            self.session: None,
            self.strip: "",
            self.preview: gr.update(value=None, visible=False),
            self.about: self.formats,
            self.button: gr.update(value=COLORIZE, interactive=False),
            self.cancel_button: gr.update(visible=False),
            self.status: "",
            self.welcome: gr.update(visible=True),
            self.results: gr.update(visible=False),
            self.view: SUMMARY,
            self.gallery: None,
            self.compare: None,
            self.beside: gr.update(visible=False),
            self.download: None,
            **self.open_map.emptied(),
        }


def _pair(session: Session, work: Work, coloring: Coloring) -> tuple[str, str]:
    """Two pictures to be compared."""
    true = work.photo.kind is Kind.COLORED and session.beside_truth
    return str(work.photo.preview if true else work.photo.gray), str(coloring.preview)


def _close(session: Session | None) -> None:
    if session is not None:
        session.close()
