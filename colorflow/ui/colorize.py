"""The tab that colors photos: upload, choose among the colorings, download."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.photo import Kind
from colorflow.ui.colorings import (
    ColoredPhoto,
    Coloring,
    Colorings,
    PhotoSession,
    color_anew,
    more_like,
    something_else,
)
from colorflow.ui.colorize_layout import (
    ANEW,
    COLORIZE,
    GRAY,
    SAMPLES,
    SUMMARY,
    ColorizeLayout,
)
from colorflow.ui.controls import checked_seed
from colorflow.ui.gradio_patches import file_url
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.panes import AT_ONCE, IN_TURN
from colorflow.ui.session import Session
from colorflow.ui.status import FAILURES, Updates, line, problem, progress
from colorflow.ui.uncertainty_map import UncertaintyMap

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

MOST_PHOTOS = 20

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
"""On a phone the results are below the controls, out of sight."""


class ColorizeTab(ColorizeLayout):
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return new values by component, or yield them one after the other; they work without a
    server.

    Args:
        colorizer: colors the photos.
        root: folder in which the sessions make theirs.
        max_megabytes: size of the largest upload, to be stated.
        budget: memory and disk for photos, shared by all visitors.
    """

    def __init__(
        self, colorizer: Colorizer, root: Path, max_megabytes: int, budget: MemoryBudget
    ) -> None:
        super().__init__(colorizer, root, max_megabytes, budget)
        self._colorizer = colorizer
        self.session = self.photos.session
        with self.result.column:
            self.map = UncertaintyMap(colorizer, self.session, self.status)
        self._connect_photos()
        self._connect_colorings()
        self._connect_choices()

    def _connect_photos(self) -> None:
        shown = [
            self.session, self.strip, self.photos.preview, self.about, self.button,
            self.cancel_button, self.status, self.result.welcome, self.result.column, self.view,
            self.gallery, self.beside, self.result.compare, self.format, self.result.download,
            *self.map.components,
        ]  # fmt: skip
        uploaded = gr.on(
            self.photos.changes,
            self.open_photos,
            [self.photos.upload, self.session],
            shown,
            show_progress_on=self.about,
            trigger_mode="always_last",
            **IN_TURN,
        )
        look = self.strip.select(self.look_at, [self.session], shown, **AT_ONCE)
        self._prepare_download_after(uploaded, look)

    def _connect_colorings(self) -> None:
        options = [self.n, self.temperature, self.seed, self.diverse, self.view]
        events: list[tuple[Any, Callable[..., Iterator[Updates]], Sequence[Any]]] = [
            (self.button.click, self.colorize, options),
            (self.view.input, self.colorize, options),
            (self.more.click, self.more_like_this, [self.n]),
            (self.else_.click, self.something_else, [self.n]),
        ]
        shown = [
            self.result.column, self.result.welcome, self.view, self.gallery, self.result.compare,
            self.result.download, self.status, self.cancel_button,
        ]  # fmt: skip
        for event, handler, inputs in events:
            # The job before ends at once, and not only when it is this one's turn.
            made = event(Session.stop, [self.session], None, **AT_ONCE).then(
                handler,
                [self.session, *inputs],
                shown,
                show_progress_on=self.status,
                trigger_mode="multiple",
                **IN_TURN,
            )
            made.then(None, js=_SHOW_RESULTS)
            self._prepare_download_after(made)

    def _connect_choices(self) -> None:
        compare, download = self.result.compare, self.result.download
        self.cancel_button.click(Session.cancel, [self.session], None, **AT_ONCE)
        self.beside.input(self.compare_with, [self.session, self.beside], [compare], **AT_ONCE)
        choose = self.gallery.select(
            self.choose, [self.session], [compare, download, self.status], **AT_ONCE
        )
        reformat = self.format.input(self.result.awaiting_download, None, [download], **AT_ONCE)
        self._prepare_download_after(choose, reformat)

    def _prepare_download_after(self, *events: gr.events.Dependency) -> None:
        self.result.prepare_download_after(*events, session=self.session, format_=self.format)

    # photos

    def open_photos(self, uploads: list[str] | None, session: PhotoSession) -> Iterator[Updates]:
        """Open the new photos among the uploads, show the first of them, and close others.

        Args:
            uploads: paths of everything that the field holds now.
            session: the visitor's.
        """
        paths = list(dict.fromkeys(Path(one) for one in uploads or ()))
        said = []
        if len(paths) > MOST_PHOTOS:
            left_out = f"“{paths[MOST_PHOTOS].name}” and what comes after it were left out"
            said.append(line(f"At most {MOST_PHOTOS} photos at once: {left_out}.", bad=True))
            paths = paths[:MOST_PHOTOS]
        session.stop()
        session.keep([one for one in session.items if one.upload in paths])
        known = {one.upload for one in session.items}
        is_shown = False
        for path in paths:
            if path in known:
                continue
            try:
                added = ColoredPhoto(photo=session.read(path), upload=path)
            except FAILURES as error:
                said.append(problem(error))
                continue
            session.add(added)
            if is_shown:
                yield {self.strip: strip_html(session.items, session.current)}
                continue
            session.look_at(added)
            yield self._view(session, said)
            is_shown = True
        yield {self.about: self._about(session, said)} if is_shown else self._view(session, said)

    def look_at(self, session: PhotoSession, event: gr.SelectData) -> Updates:
        """Show another one of the visitor's photos with its colorings."""
        index = int(event.index)
        if index >= len(session.items):
            return {self.about: line("That photo is gone; choose it again.", bad=True)}
        session.look_at(session.items[index])
        return self._view(session)

    # colorings

    def colorize(
        self,
        session: PhotoSession,
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
            diverse: whether samples are the most different among many.
            view: `SUMMARY` for principal colorings, `SAMPLES` for samples.
        """
        yield from self._stream(
            session,
            lambda photo: color_anew(
                self._colorizer,
                photo,
                n=int(n),
                temperature=temperature,
                seed=checked_seed(seed),
                samples=view == SAMPLES,
                diverse=diverse,
            ),
        )

    def more_like_this(self, session: PhotoSession, n: int) -> Iterator[Updates]:
        """Keep the colors of the chosen coloring and sample its details again."""
        yield from self._stream(session, lambda photo: more_like(self._colorizer, photo, int(n)))

    def something_else(self, session: PhotoSession, n: int) -> Iterator[Updates]:
        """Keep the chosen coloring and put new samples beside it."""
        if session.current and session.current.chosen:
            yield {self.view: SAMPLES}
        yield from self._stream(
            session, lambda photo: something_else(self._colorizer, photo, int(n))
        )

    def choose(self, session: PhotoSession, event: gr.SelectData) -> Updates:
        """Show the coloring that was clicked; its download is prepared next."""
        photo, index = session.current, int(event.index)
        coloring = photo.colorings[index] if photo and index < len(photo.colorings) else None
        if photo is None or coloring is None or not coloring.preview.exists():
            text = "These colorings are gone; choose the photo again."
            return {self.status: line(text, bad=True)}
        photo.chosen = coloring
        return self._compared(session, photo, coloring)

    def compare_with(self, session: PhotoSession, beside: str) -> Updates:
        """Compare colorings with the photo's own colors, or with its gray."""
        session.compares_gray = beside == GRAY
        photo, compare = session.current, self.result.compare
        if photo is None or photo.chosen is None:
            return {compare: gr.skip()}
        return {compare: self._compared(session, photo, photo.chosen)[compare]}

    def _stream(
        self, session: PhotoSession, begin: Callable[[ColoredPhoto], Colorings]
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
                }
                for coloring in job:
                    yield self._one_more(session, job, coloring)
                yield self._ended(job, time.perf_counter() - started)
        except FAILURES as error:
            yield {self.status: problem(error), self.cancel_button: gr.update(visible=False)}
        finally:
            session.delete_if_closed()

    def _one_more(self, session: PhotoSession, job: Colorings, coloring: Coloring) -> Updates:
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
        }

    def _ended(self, job: Colorings, seconds: float) -> Updates:
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
        self, session: PhotoSession, current: ColoredPhoto, coloring: Coloring
    ) -> Updates:
        photo = current.photo
        true_colors = photo.kind is Kind.COLORED and not session.compares_gray
        return self.result.compared(photo.preview if true_colors else photo.gray, coloring.preview)

    def _about(self, session: PhotoSession, said: Sequence[str]) -> str:
        said = list(dict.fromkeys(said))
        if session.current is None:
            return "".join(said) or self.formats
        photo = session.current.photo
        size = f"{photo.width} × {photo.height} pixels"
        return "".join([*said, line(f"{_ABOUT_KIND[photo.kind]}. {size}.")])

    def _view(self, session: PhotoSession, said: Sequence[str] = ()) -> Updates:
        """Everything about the photo that the visitor looks at.

        Args:
            session: the visitor's.
            said: lines about files that could not be opened.
        """
        current = session.current
        photo = current.photo if current else None
        colored = photo is not None and photo.kind is Kind.COLORED
        view: Updates = {
            self.session: session,
            self.strip: strip_html(session.items, current),
            **self.photos.shown(photo),
            self.about: self._about(session, said),
            self.button: gr.update(
                value=ANEW if colored else COLORIZE, interactive=photo is not None
            ),
            self.cancel_button: gr.update(visible=False),
            self.status: "",
            **self.result.emptied(),
            self.view: SUMMARY,
            self.gallery: None,
            self.beside: gr.update(visible=colored),
            **self.map.emptied(),
        }
        if photo is not None:
            view[self.format] = "JPEG" if photo.suffix == ".jpg" else "PNG"
        if current is None or current.chosen is None:
            return view
        return {
            **view,
            **self.result.shown(),
            self.view: SAMPLES if current.shows_samples else SUMMARY,
            self.gallery: gr.update(
                value=_gallery(current),
                selected_index=list(current.colorings).index(current.chosen),
            ),
            **self._compared(session, current, current.chosen),
        }


def strip_html(photos: Sequence[ColoredPhoto], current: ColoredPhoto | None) -> str:
    """Small pictures of the photos as buttons; nothing for a single one, which is shown anyway."""
    if len(photos) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-index="{index}" data-act="look" '
        f'aria-pressed="{str(one is current).lower()}" title="{html.escape(one.upload.name)}">'
        f'<img src="{file_url(one.photo.thumbnail)}" alt="{html.escape(one.upload.name)}">'
        "</button>"
        for index, one in enumerate(photos)
    )
    return f'<div role="group" aria-label="Your photos" class="strip">{buttons}</div>'


def _gallery(photo: ColoredPhoto) -> list[tuple[str, str]]:
    return [(str(one.preview), one.caption) for one in photo.colorings]
