"""The tab that colors photos: upload, choose among the colorings, download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.ui.album import AlbumSession, bad_lines
from colorflow.ui.album_zip import write_zip
from colorflow.ui.colorings import (
    Captions,
    ColoredPhoto,
    ColoringOptions,
    Make,
    ShownColoring,
    color_anew,
    make_colorings,
    vary,
)
from colorflow.ui.colorize_layout import COLORIZE, GRAY, ColorizeLayout, number_of
from colorflow.ui.controls import options_of
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import (
    AFTERWARDS,
    AT_ONCE,
    FOR_LONG,
    IN_TURN,
    SUFFIXES,
    one_at_a_time,
    saved_by_browser,
)
from colorflow.ui.runs import Run, Runs, Steps
from colorflow.ui.samples import copy_of_sample
from colorflow.ui.session import Job
from colorflow.ui.status import FAILURES, Updates, line, problem, progress, sentence, worked

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

_shown_last = partial(one_at_a_time, lock="showing")
"""For handlers of choices: what is shown in the end is the last one."""
_SHOW_SECONDS = 1.0
"""Time between two looks at how many photos are open."""

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
        repairer: finds and fills damage of prints; None if there is none.
        space: where uploads go, shared by all tabs.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        space: UploadSpace,
        enlarger: Enlarger | None = None,
        repairer: Repairer | None = None,
    ) -> None:
        super().__init__(colorizer, space, enlarger, repairer)
        self._colorizer = colorizer
        self._megabytes = space.megabytes
        self.runs = Runs(self.session, self.status, self.cancel_button, self._cleared)
        self._connect_runs(self._connect_photos())
        self._connect_choices()
        self.prepare.connect(self.shown)

    def _connect_photos(self) -> gr.events.Dependency:
        """Connect what opens photos; returns the opening of a sample, which is colored at once."""
        uploads, session, shown = self.photos.upload, [self.session], self.shown
        opening: dict[str, Any] = {"show_progress_on": self.about, **IN_TURN}
        for first in (
            gr.on(
                self.photos.changes,
                self.open_photos,
                [uploads, *session],
                shown,
                **{**opening, "trigger_mode": "always_last"},
            ),
            self.whole_folder.upload(
                self.open_folder, [self.whole_folder, uploads, *session], shown, **opening
            ),
        ):
            first.then(self.open_others, session, shown, **FOR_LONG)
        ticked = [*session, self.with_colors]
        self.with_colors.input(_shown_last(self.treat_as_gray), ticked, shown, **AT_ONCE)
        self.strip.select(_shown_last(self.look_at), session, shown, **AT_ONCE)
        return self.result.welcome.select(self.open_sample, session, shown, **opening)

    def _connect_runs(self, sample: gr.events.Dependency) -> None:
        wishes = [self.n, self.temperature, self.seed, self.view, self.skin]
        runs: list[tuple[Any, Callable[..., Run], Sequence[Any], dict[str, Any]]] = [
            (self.button.click, self.one, wishes, AFTERWARDS),
            (self.view.input, self.one, wishes, AFTERWARDS),
            (sample.then, self.one, wishes, AFTERWARDS),
            (self.more_button.click, partial(self.more, alike=True), [self.n], AFTERWARDS),
            (self.else_button.click, partial(self.more, alike=False), [self.n], AFTERWARDS),
            (self.all_button.click, self.all, wishes, FOR_LONG),
            (self.zip_button.click, self.zip, [self.larger.format, self.every], FOR_LONG),
        ]
        for event, run, values, queue in runs:
            ended = self.runs.connect(event, run, values, self.shown, queue)
            if queue is FOR_LONG:
                saved_by_browser(ended, self.zip_file)
            else:
                ended.then(None, js=_SHOW_RESULTS)
        self.runs.connect_cancel(self.shown)

    def _connect_choices(self) -> None:
        beside = [self.session, self.beside]
        compare_with = _shown_last(self.compare_with)
        self.beside.input(compare_with, beside, [self.result.compare], **AT_ONCE)
        for event, choice in (
            (self.gallery.select, _shown_last(self.choose)),
            (self.back_button.click, _shown_last(self.bring_back)),
            (self.keep_button.click, one_at_a_time(self.keep)),  # after a change of saturation
            (self.kept.select, _shown_last(self.press_kept)),
        ):
            event(choice, [self.session], self.shown, **AT_ONCE)
        saturated = self.saturation.connect(self.session, self._saturated, self.shown)
        self.larger.follow(saturated)
        self.result.connect(self.session, self.larger.format)
        download = self.result.download
        save = [self.session, self.larger.format]
        saved = self.kept.select(self.save_kept, save, [download.file, self.status], **AFTERWARDS)
        saved_by_browser(saved, download.file)
        said = [self.status, self.cancel_button]
        self.larger.button.click(self._said_nothing, None, said, **AT_ONCE)

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
        return self._view(session)

    def open_others(self, session: AlbumSession) -> Iterator[Updates]:
        """Open the photos that wait, which may take minutes; about once a second they are shown."""
        yield {self.about: self._about(session)}
        shown = time.monotonic()
        while session.waiting:
            session.open_next()
            session.delete_if_closed()
            if not session.waiting or time.monotonic() - shown > _SHOW_SECONDS:
                shown = time.monotonic()
                yield {**self._album(session), self.about: self._about(session)}

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
            **self._album(session),
            self.with_colors: gr.skip(),  # further ticks may have been made
            self.about: self._about(session),
            self.button: self._button(session),
        }

    def look_at(self, session: AlbumSession, event: gr.SelectData) -> Updates:
        """Show another one of the visitor's photos with its colorings."""
        index = int(event.index)
        if index >= len(session.items):
            return {self.about: line("That photo is gone; choose it again.", bad=True)}
        session.look_at(session.items[index])
        return self._view(session)

    # runs

    def one(self, session: AlbumSession, *wishes: Any) -> Run:
        """Color the photo anew, which is treated as gray from then on.

        Args:
            session: the visitor's.
            wishes: as `options_of` takes them.
        """
        photo, options = session.require(), options_of(*wishes)
        is_stale = photo.old_print is not None and photo.old_print.is_stale
        if options == photo.options_aside and not is_stale:

            def back(job: Job) -> Steps:
                yield self._done(session, ColoredPhoto.bring_back)
                return {self.status: ""}

            return Run(back)
        photo.treated_as_gray = True
        make = color_anew(self._colorizer, photo, options)
        coloring = self._run_of(
            session, photo, make, options.n, Captions(), summary_aside=options.samples
        )

        def steps(job: Job) -> Steps:
            yield from self.prepare.before_coloring(session, photo, job)
            return (yield from coloring.steps(job))

        return Run(steps)

    def more(self, session: AlbumSession, n: int, *, alike: bool) -> Run:
        """Keep the chosen coloring, and put others beside it; arguments as those of `vary`."""
        photo = session.require()
        make = vary(self._colorizer, photo, int(n), alike=alike)
        return self._run_of(session, photo, make, int(n) + 1, photo.captions, summary_aside=True)

    def _run_of(
        self,
        session: AlbumSession,
        photo: ColoredPhoto,
        make: Make,
        wanted: int,
        captions: Captions,
        *,
        summary_aside: bool,
    ) -> Run:
        """Color one photo; the first coloring is shown large, the others come beside it."""

        def steps(job: Job) -> Steps:
            done, began = 0, time.perf_counter()
            yield {
                self.status: progress(done, wanted),
                self.about: self._about(session),
                self.button: COLORIZE,
                self.prepare.part: gr.update(open=False),
            }
            for done in make_colorings(photo, make, job, captions, summary_aside=summary_aside):
                yield {
                    self.status: progress(done, wanted),
                    **self._one_more(session, photo, done),
                }
            said = f"{number_of(done, 'coloring')} in {time.perf_counter() - began:.1f} s."
            if job.end:
                said = f"Cancelled; {done} of {wanted} colorings are here."
            return {self.status: line(said)}

        return Run(steps)

    def all(self, session: AlbumSession, *wishes: Any) -> Run:
        """Color all photos but those that have these colorings, or colors of their own.

        The visitor may look at other photos meanwhile, and use what is there.

        Args:
            session: the visitor's.
            wishes: as `options_of` takes them.
        """
        options = options_of(*wishes)
        if not session.waiting and not _to_be_colored(session, options):
            raise ColorflowError("All of them have these colorings already.")

        def steps(job: Job) -> Steps:
            done, began, failures = 0, time.perf_counter(), []
            photos = _to_be_colored(session, options)  # others were still opened until now
            yield {self.status: _of_all(done, photos, "colored")}
            for photo in photos:
                make = color_anew(self._colorizer, photo, options, progressively=False)
                try:
                    yield from self.prepare.before_coloring(session, photo, job)
                    for count in make_colorings(photo, make, job, Captions()):
                        with session.taking(session.showing):
                            yield {
                                self.status: _of_all(done, photos, "colored"),
                                **self._one_more(session, photo, count),
                            }
                    done += photo.options == options
                except FAILURES as error:
                    failures.append(sentence(error))
                with session.taking(session.showing):
                    yield {
                        self.status: _of_all(done, photos, "colored"),
                        **self._album(session),
                    }
                if job.end:
                    break
            said = f"{number_of(done, 'photo')} colored in {time.perf_counter() - began:.1f} s."
            if job.end:
                said = f"Cancelled; {done} of {len(photos)} photos are colored."
            failed = bad_lines(failures, " could not be colored.")
            return {self.status: "".join([line(said), *failed])}

        return Run(steps, is_of_all=True)

    def zip(self, session: AlbumSession, format_: str, every: bool) -> Run:
        """Put the colorings in full size into a zip."""
        if not any(one.is_in_zip for one in session.items):
            raise ColorflowError("There is no coloring here yet; color the photos first.")

        def told(done: int) -> Updates:
            return {self.status: _of_all(done, session.items, "written")}

        def steps(job: Job) -> Steps:
            yield told(0)
            archive = yield from write_zip(session, job, told, SUFFIXES[format_], every=every)
            if archive is None:
                return {self.status: line("Cancelled; no zip was made.")}
            said = line(f"A zip of {archive.stat().st_size / 2**20:.1f} MB.")
            return {self.status: said, self.zip_file: str(archive)}

        return Run(steps, is_of_all=True)

    def _cleared(self, session: AlbumSession) -> Updates:
        """What a run takes off the page when it begins: it ends an enlargement, too."""
        return {self.zip_file: None, **self.larger.interrupted(session)}

    # choices

    def choose(self, session: AlbumSession, event: gr.SelectData) -> Updates:
        """Show the coloring that was clicked."""
        photo, index = session.current, int(event.index)
        coloring = photo.colorings[index] if photo and index < len(photo.colorings) else None
        if photo is None or coloring is None or not coloring.preview.exists():
            text = "These colorings are gone; choose the photo again."
            return {self.status: line(text, bad=True)}
        before, photo.chosen = photo.chosen, coloring
        return self._colorings(session, before)

    def bring_back(self, session: AlbumSession) -> Updates:
        """Show the principal colorings again, without another run; the one at work ends."""
        said = {}
        if not (session.job and session.job.is_of_all):
            session.stop()
            said = self._said_nothing()
        return {**said, **self._done(session, ColoredPhoto.bring_back)}

    def keep(self, session: AlbumSession) -> Updates:
        """Keep the chosen coloring while others are tried."""
        return self._done(session, ColoredPhoto.keep)

    def press_kept(self, session: AlbumSession, event: gr.SelectData) -> Updates:
        """Show or remove a coloring that is kept."""

        def act(photo: ColoredPhoto) -> None:
            coloring = _kept(photo, event)
            if event.value == "drop":
                photo.drop(coloring)
            elif event.value == "look":
                photo.chosen = coloring

        return self._done(session, act)

    def save_kept(self, session: AlbumSession, format_: str, event: gr.SelectData) -> Updates:
        """Write a coloring that is kept in full size, for the browser to save."""
        download = self.result.download
        if event.value != "save":
            return {download.file: None}
        try:
            coloring = _kept(session.require(), event)
        except FAILURES as error:
            return {download.file: None, self.status: problem(error)}
        return download.prepare(session, format_, coloring)

    def _done(self, session: AlbumSession, act: Callable[[ColoredPhoto], None]) -> Updates:
        """Do something with the colorings of the photo that the visitor looks at, and show them."""

        def done(photo: ColoredPhoto) -> Updates:
            before = photo.chosen
            act(photo)
            return self._colorings(session, before)

        return worked(session, self.status, done)

    def compare_with(self, session: AlbumSession, beside: str) -> Updates:
        """Compare colorings with the photo's own colors, or with its gray."""
        session.compares_gray = beside == GRAY
        photo, compare = session.current, self.result.compare
        if photo is None or photo.chosen is None:
            return {compare: gr.skip()}
        return {compare: self._compared(session, photo, photo.chosen)[compare]}


def _kept(photo: ColoredPhoto, event: gr.SelectData) -> ShownColoring:
    """The coloring that is kept at the place of a button.

    Raises:
        ColorflowError: there is none any more.
    """
    index = int(event.index)
    if not 0 <= index < len(photo.kept):
        raise ColorflowError("That coloring is kept no longer.")
    return photo.kept[index]


def _to_be_colored(session: AlbumSession, options: ColoringOptions) -> Sequence[ColoredPhoto]:
    """Those that do not have these colorings, nor colors of their own."""
    return [one for one in session.items if not one.is_left_alone and one.options != options]


def _of_all(done: int, photos: Sequence[ColoredPhoto], what: str) -> str:
    return progress(done, len(photos), f"{done} of {len(photos)} photos are {what}.")
