"""The tab that colors many photos at once: several files or a zip in, a zip out."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from colorflow.batch import Settings
from colorflow.batch.archive import ArchiveLimits
from colorflow.photo import KINDS
from colorflow.ui.controls import (
    SAMPLES,
    advanced,
    checked_seed,
    seed_number,
    view_switch,
    vividness_slider,
)
from colorflow.ui.folder_intake import Intake, take_in
from colorflow.ui.folder_job import (
    Album,
    FolderJob,
    FolderOutcome,
    FolderSession,
    Format,
    Progress,
    queue_job,
)
from colorflow.ui.limits import LONG_QUEUE, UploadSpace
from colorflow.ui.panes import AT_ONCE, IN_TURN, ResultPane, UploadPane
from colorflow.ui.photos import new_folder
from colorflow.ui.status import FAILURES, Updates, line, problem, status_line

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

MOST_PHOTOS = 200
MOST_COLORINGS = 4

_FORMATS: list[tuple[str, Format]] = [
    ("Its own", "auto"),
    ("PNG", "png"),
    ("JPEG", "jpg"),
]
_WELCOME = """
<ol>
<li><h2>Choose photos</h2>Several files, or a zip of a whole album with its folders.</li>
<li><h2>Color them</h2>One after the other. A photo that cannot be read is named, and the others go
on.</li>
<li><h2>Keep the zip</h2>It has the colored photos in the same folders, in full size and with their
dates, and a report.</li>
</ol>
"""
_SHOW_RESULTS = """
() => requestAnimationFrame(() => {
    const download = document.querySelector("#folder-download");
    if (download && download.getBoundingClientRect().top > innerHeight)
        download.scrollIntoView({ behavior: "smooth", block: "center" });
})
"""
"""On a phone the result is below the controls, out of sight."""


class FolderTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return new values by component, or yield them, and work without a server.

    Args:
        colorizer: colors the photos.
        space: where uploads go; all of a visitor's together, once they are unpacked, may have the
            size of the largest one.
    """

    def __init__(self, colorizer: Colorizer, space: UploadSpace) -> None:
        self._colorizer = colorizer
        self._running: FolderJob | None = None
        """The last job of any visitor whose turn has come."""
        size = space.megabytes * 2**20
        self._limits = ArchiveLimits(entries=MOST_PHOTOS, entry_bytes=size, total_bytes=size)
        self._bounds = line(
            f"{KINDS}; up to {MOST_PHOTOS} files and {space.megabytes} MB together, also in a zip."
        )
        with gr.Row(elem_id="folder", elem_classes="workbench"):
            with gr.Column(scale=2, min_width=300):
                self.photos = UploadPane(
                    space,
                    "folder-upload",
                    "Photos, or a zip of them",
                    several=True,
                    photos_only=False,
                )
                self._build_buttons()
            with gr.Column(scale=5, min_width=300):
                self.result = ResultPane("folder-", _WELCOME)
                with self.result.column:
                    self._build_results()
            with gr.Column(scale=2, min_width=300):
                self._build_controls()
        self.session = self.photos.session
        self._connect()

    def _build_buttons(self) -> None:
        self.about = status_line(self._bounds, "folder-about")
        with gr.Row():
            self.button = gr.Button(
                "Color all",
                variant="primary",
                interactive=False,
                min_width=120,
                elem_id="folder-go",
            )
            self.cancel = gr.Button("Cancel", visible=False, min_width=120, elem_id="folder-cancel")
        self.status = status_line("", "folder-status")
        self.with_colors = gr.CheckboxGroup(
            label="Treat as gray",
            info="These photos have colors and were left as they are. Tick those that are scans of "
            "gray photos, and color all again: their lightness is colored.",
            show_select_all=True,
            visible=False,
            elem_id="folder-gray",
        )

    def _build_controls(self) -> None:
        self.n = gr.Slider(
            1,
            MOST_COLORINGS,
            value=1,
            step=1,
            label="Colorings of each photo",
            info="Several give you a choice, and take longer.",
            elem_id="folder-n",
        )
        self.view = view_switch("folder-view", "Kind")
        self.format = gr.Radio(
            _FORMATS,
            value="auto",
            label="Format",
            info="Its own is JPEG for a JPEG, and PNG, without loss, for all others.",
            elem_id="folder-format",
        )
        with advanced("folder-advanced"):
            self.temperature = vividness_slider("folder-temperature")
            self.seed = seed_number("folder-seed")

    def _build_results(self) -> None:
        self.download = gr.DownloadButton(
            "Download", variant="primary", visible=False, elem_id="folder-download"
        )
        self.sheet = gr.Image(
            show_label=False,
            interactive=False,
            visible=False,
            buttons=["fullscreen"],
            elem_id="folder-sheet",
        )
        self.table = gr.HTML("", elem_id="folder-table")

    def _connect(self) -> None:
        shown = [
            self.button, self.cancel, self.status, self.with_colors, self.result.welcome,
            self.result.column, self.download, self.sheet, self.table,
        ]  # fmt: skip
        gr.on(
            self.photos.changes,
            self.take_in,
            [self.photos.upload, self.session],
            [self.session, self.about, *shown],
            show_progress_on=self.about,
            **IN_TURN,
        )
        controls = [
            self.n, self.view, self.temperature, self.seed, self.format, self.with_colors,
        ]  # fmt: skip
        self.button.click(
            self.begin,
            [self.session, *controls],
            shown,
            **{**AT_ONCE, "trigger_mode": "once"},
        ).then(
            self.color,
            [self.session],
            shown,
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
            **LONG_QUEUE,
        ).then(None, js=_SHOW_RESULTS)
        self.cancel.click(
            self.stop,
            [self.session],
            [self.button, self.cancel, self.status],
            **{**AT_ONCE, "trigger_mode": "once"},
        )

    def take_in(self, uploads: list[str] | None, session: FolderSession) -> Updates:
        """Take the photos that were uploaded instead of those before; none if there are none.

        Args:
            uploads: paths of everything that the field holds now.
            session: the visitor's.
        """
        updates: Updates = {
            self.session: session,
            self.about: self._bounds,
            **self._ready(is_ready=False),
            self.status: "",
            self.with_colors: gr.update(choices=[], value=[], visible=False),
            **self.result.emptied(),
            **self._without_result(),
        }
        session.stop()
        session.close_all()
        try:
            if uploads:
                session.budget.disk.check(self._limits.total_bytes)  # a zip grows when unpacked
                folder = new_folder(session.folder, "album-")
                intake = take_in([Path(one) for one in uploads], folder / "photos", self._limits)
                session.add(Album(folder=folder, intake=intake))
                updates[self.about] = line(_said_of(intake), bad=not intake.photos)
                updates[self.button] = gr.update(interactive=bool(intake.photos))
        except FAILURES as error:
            updates[self.about] = problem(error)
        return updates

    def begin(
        self,
        session: FolderSession,
        n: int,
        view: str,
        temperature: float,
        seed: int | None,
        format: Format,
        treat_as_gray: Sequence[str],
    ) -> Updates:
        """Put the photos in the queue; `color` is called when it is their turn."""
        try:
            settings = Settings(
                n=int(n),
                samples=view == SAMPLES,
                temperature=temperature,
                seed=checked_seed(seed),
                max_pixels=session.budget.pixels,
            )
            queue_job(session, settings, format, treat_as_gray)
        except FAILURES as error:
            return {self.status: problem(error)}
        busy = self._running is not None and self._running.state == "running"
        said = "The photos of another visitor are being colored; yours come next." if busy else ""
        return {
            self.button: gr.update(interactive=False),
            self.cancel: gr.update(visible=True, interactive=True),
            self.status: line(said or "Beginning ..."),
            **self._without_result(),
        }

    def color(self, session: FolderSession) -> Iterator[Updates]:
        """Color photo after photo, and show how far that is and what has been made."""
        job = session.job
        if not isinstance(job, FolderJob) or job.state != "waiting" or job.end:
            yield {self.status: gr.skip()}
            return
        self._running = job
        try:
            for progress in job.run(self._colorizer):
                if job.end == "replaced":
                    return
                yield self._on_the_way(progress)
        except FAILURES as error:
            yield {**self._ready(), self.status: problem(error)}
            return
        if job.outcome:
            yield {**self._ready(), **self._finished(job.outcome)}

    def stop(self, session: FolderSession) -> Updates:
        """End the job after the photo at work, or take it out of the queue."""
        job = session.job
        if job is None or job.state == "ended":
            return {self.cancel: gr.update(visible=False)}
        if session.cancel():
            return {**self._ready(), self.status: line("Cancelled; nothing was colored.")}
        return {self.cancel: gr.update(interactive=False)}

    def _on_the_way(self, progress: Progress) -> Updates:
        now = html.escape(progress.now)
        return {
            **self.result.shown(),
            self.status: (
                f'<p class="good">{progress.done} of {progress.of} done. Now {now}.</p>'
                f'<progress max="{progress.of}" value="{progress.done}" '
                'aria-label="Photos done"></progress>'
            ),
            self.table: progress.table,
        }

    def _finished(self, made: FolderOutcome) -> Updates:
        size = made.archive.stat().st_size / 2**20
        sheet = str(made.sheet) if made.sheet else None
        return {
            self.status: line(made.summary),
            self.with_colors: gr.update(
                choices=[(path, path) for path in made.with_colors],
                value=list(made.treated_as_gray),
                visible=bool(made.with_colors),
            ),
            self.download: gr.update(
                value=str(made.archive),
                label=f"Download all, a zip of {size:.1f} MB",
                visible=True,
            ),
            self.sheet: gr.update(value=sheet, visible=bool(sheet)),
            self.table: made.table,
        }

    def _ready(self, *, is_ready: bool = True) -> Updates:
        return {
            self.button: gr.update(interactive=is_ready),
            self.cancel: gr.update(visible=False),
        }

    def _without_result(self) -> Updates:
        return {
            self.download: gr.update(value=None, visible=False),
            self.sheet: gr.update(value=None, visible=False),
            self.table: "",
        }


def _said_of(intake: Intake) -> str:
    """How many photos there are, and which files are not photos."""
    count = len(intake.photos)
    said = [f"{count} photo{'' if count == 1 else 's'}."]
    for notes, what in ((intake.damaged, "Damaged"), (intake.left_out, "Left out")):
        if notes:
            names = ", ".join(str(note.path) for note in notes[:3])
            more = f" and {len(notes) - 3} more" if len(notes) > 3 else ""
            said.append(f"{what}: {names}{more}.")
    if intake.left_out:
        said.append(f"Photos are {KINDS} files.")
    return " ".join(said)
