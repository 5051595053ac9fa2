"""The tab that colors many photos at once: several files or a zip in, a zip out."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.batch.archive import ArchiveLimits
from colorflow.errors import ColorflowError
from colorflow.limits import LARGEST_SEED
from colorflow.ui.colorize_layout import SAMPLES, SUMMARY, VIEWS
from colorflow.ui.controls import seed_number, vividness_slider
from colorflow.ui.folder_intake import Intake
from colorflow.ui.folder_session import FolderSession, FolderWish, Format, Job, Progress
from colorflow.ui.limits import WORK, MemoryBudget
from colorflow.ui.status import line, problem, status_line

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

MOST_PHOTOS = 200
MOST_COLORINGS = 4

Updates = dict[Any, Any]
"""New values by component."""

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
"""On a phone what was made stands below the controls, out of sight."""


class FolderTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return the new values by component, and work without a server.

    Args:
        colorizer: colors the photos.
        root: folder in which the visitors' folders are made.
        max_megabytes: size of all uploads together, once they are unpacked.
        budget: memory for photos, shared by all visitors.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        root: Path,
        max_megabytes: int,
        *,
        budget: MemoryBudget | None = None,
    ) -> None:
        self._colorizer = colorizer
        self._root = root
        self._budget = budget or MemoryBudget()
        size = max_megabytes * 2**20
        self._limits = ArchiveLimits(entries=MOST_PHOTOS, entry_bytes=size, total_bytes=size)
        self._bounds = line(
            f"Up to {MOST_PHOTOS} photos and {max_megabytes} MB together, also in a zip."
        )
        self._running: Job | None = None
        self.session = gr.State(None, delete_callback=_close)
        with gr.Row(elem_id="folder"):
            with gr.Column(scale=2, min_width=300):
                self._build_photos()
                self._build_controls()
            with gr.Column(scale=5, min_width=300):
                self._build_results()
        self._connect()

    def _build_photos(self) -> None:
        self.upload = gr.File(
            label="Photos, or a zip of them",
            file_count="multiple",
            height=140,
            elem_id="folder-upload",
        )
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

    def _build_controls(self) -> None:
        self.n = gr.Slider(
            1,
            MOST_COLORINGS,
            value=1,
            step=1,
            label="Colorings of each photo",
            info="Several give you a choice, and take as many times longer to write.",
            elem_id="folder-n",
        )
        self.view = gr.Radio(
            [SUMMARY, SAMPLES],
            value=SUMMARY,
            label="Kind",
            info=VIEWS,
            elem_id="folder-view",
        )
        self.temperature = vividness_slider("folder-temperature")
        self.seed = seed_number("folder-seed")
        self.format = gr.Radio(
            _FORMATS,
            value="auto",
            label="Format",
            info="Its own is JPEG for a JPEG, and PNG, without loss, for all others.",
            elem_id="folder-format",
        )
        self.force = gr.Checkbox(
            label="Color anew",
            info="Photos that already have colors, too; otherwise they are left as they are.",
            elem_id="folder-force",
        )

    def _build_results(self) -> None:
        self.welcome = gr.HTML(_WELCOME, elem_id="folder-welcome")
        with gr.Column(visible=False, elem_id="folder-results") as self.results:
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
        """Connect events with handlers; none of them is part of a public interface."""
        shown = [
            self.button,
            self.cancel,
            self.status,
            self.welcome,
            self.results,
            self.download,
            self.sheet,
            self.table,
        ]
        gr.on(
            [self.upload.upload, self.upload.delete, self.upload.clear],
            self.take_in,
            [self.upload, self.session],
            [self.session, self.about, *shown],
            show_progress_on=self.about,
            api_visibility="private",
            **WORK,
        )
        self.button.click(
            self.begin,
            [
                self.session,
                self.n,
                self.view,
                self.temperature,
                self.seed,
                self.format,
                self.force,
            ],
            shown,
            show_progress="hidden",
            concurrency_limit=None,
            api_visibility="private",
        ).then(
            self.color,
            [self.session],
            shown,
            show_progress="hidden",
            trigger_mode="multiple",
            concurrency_id="folder",
            concurrency_limit=1,  # of all visitors together
            api_visibility="private",
        ).then(None, js=_SHOW_RESULTS)
        self.cancel.click(
            self.stop,
            [self.session],
            [self.button, self.cancel, self.status],
            show_progress="hidden",
            concurrency_limit=None,
            api_visibility="private",
        )

    def take_in(self, uploads: list[str] | None, session: FolderSession | None) -> Updates:
        """Take the photos that were uploaded, or forget them after they were taken away.

        Args:
            uploads: paths of all uploads.
            session: None at the visitor's first ones.
        """
        updates: Updates = {
            self.about: self._bounds,
            self.button: gr.update(interactive=False),
            self.cancel: gr.update(visible=False),
            self.status: "",
            self.welcome: gr.update(visible=True),
            self.results: gr.update(visible=False),
            **self._without_result(),
        }
        try:
            if uploads:
                session = session or FolderSession(self._root, self._budget)
                intake = session.take_in([Path(one) for one in uploads], self._limits)
                updates[self.about] = line(_said_of(intake), bad=not intake.photos)
                updates[self.button] = gr.update(interactive=bool(intake.photos))
            elif session:
                session.forget()
        except (ColorflowError, MemoryError) as error:
            updates[self.about] = problem(error)
        return {**updates, self.session: session}

    def begin(
        self,
        session: FolderSession | None,
        n: int,
        view: str,
        temperature: float,
        seed: int | None,
        format: Format,
        force: bool,
    ) -> Updates:
        """Get in line; `color` is called when it is the visitor's turn."""
        if seed is None or not 0 <= seed <= LARGEST_SEED:
            return {self.status: line(f"Seed: a whole number from 0 to {LARGEST_SEED}.", bad=True)}
        wish = FolderWish(
            n=int(n),
            samples=view == SAMPLES,
            temperature=temperature,
            seed=int(seed),
            format=format,
            force=force,
            max_pixels=self._budget.pixels,
        )
        try:
            if session is None:
                raise ColorflowError("There are no photos yet; choose some first.")
            session.begin(wish)
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error)}
        busy = self._running is not None and self._running.state == "running"
        said = "The photos of another visitor are being colored; yours come next." if busy else ""
        return {
            self.button: gr.update(interactive=False),
            self.cancel: gr.update(visible=True, interactive=True),
            self.status: line(said or "Beginning ..."),
            **self._without_result(),
        }

    def color(self, session: FolderSession | None) -> Iterator[Updates]:
        """Color photo after photo, and show how far that is and what has been made."""
        job = session.job if session else None
        if job is None or job.state != "waiting":
            yield {self.status: gr.skip()}
            return
        self._running = job
        try:
            for progress in job.run(self._colorizer):
                if job.end == "replaced":
                    return
                yield self._on_the_way(progress)
        except (ColorflowError, MemoryError) as error:
            yield {**self._ended(), self.status: problem(error)}
            return
        if job.outcome:
            made = job.outcome
            size = made.archive.stat().st_size / 2**20
            yield {
                **self._ended(),
                self.status: line(made.summary),
                self.download: gr.update(
                    value=str(made.archive),
                    label=f"Download all, a zip of {size:.1f} MB",
                    visible=True,
                ),
                self.sheet: gr.update(
                    value=str(made.sheet) if made.sheet else None, visible=bool(made.sheet)
                ),
                self.table: made.table,
            }

    def stop(self, session: FolderSession | None) -> Updates:
        """End it after the photo that is in hand, or leave the line."""
        job = session.job if session else None
        if session is None or job is None or job.state == "ended":
            return {self.cancel: gr.update(visible=False)}
        if job.state == "waiting":
            session.withdraw()
            return {**self._ended(), self.status: line("Cancelled; nothing was colored.")}
        job.cancel()
        return {self.cancel: gr.update(interactive=False)}

    def _on_the_way(self, progress: Progress) -> Updates:
        now = html.escape(progress.now)
        return {
            self.welcome: gr.update(visible=False),
            self.results: gr.update(visible=True),
            self.status: (
                f'<p class="good">{progress.done} of {progress.of} done. Now {now}.</p>'
                f'<progress max="{progress.of}" value="{progress.done}" '
                'aria-label="Photos done"></progress>'
            ),
            self.table: progress.table,
        }

    def _ended(self) -> Updates:
        return {self.button: gr.update(interactive=True), self.cancel: gr.update(visible=False)}

    def _without_result(self) -> Updates:
        return {
            self.download: gr.update(value=None, visible=False),
            self.sheet: gr.update(value=None, visible=False),
            self.table: "",
        }


def _said_of(intake: Intake) -> str:
    """How many photos there are, and which files are none."""
    count = len(intake.photos)
    said = [f"{count} photo{'' if count == 1 else 's'}."]
    for notes, what in ((intake.damaged, "Damaged"), (intake.left_out, "Left out")):
        if notes:
            names = ", ".join(str(note.path) for note in notes[:3])
            more = f" and {len(notes) - 3} more" if len(notes) > 3 else ""
            said.append(f"{what}: {names}{more}.")
    return " ".join(said)


def _close(session: FolderSession | None) -> None:
    if session is not None:
        session.close()
