"""The tab that carries the colors of one photo over to another."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.limits import LARGEST_SEED
from colorflow.ui.controls import seed_number
from colorflow.ui.download import preparing, ready
from colorflow.ui.limits import WORK, MemoryBudget
from colorflow.ui.reference_session import ReferenceColorizer, ReferenceSession, Role
from colorflow.ui.status import line, problem, status_line

Updates = dict[Any, Any]
"""New values by component."""

_STRENGTH = 0.7
_WELCOME = """
<ol>
<li><h2>Choose your photo</h2>The one without colors.</li>
<li><h2>Choose one in color</h2>Of a like scene: the same beach years later, the house as it is
today, another garden in June.</li>
<li><h2>Say how much</h2>At 0 the photo is colored without the other, at 1 as much like it as its
shapes allow.</li>
</ol>
"""


class ReferenceTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return the new values by component, and work without a server.

    Args:
        colorizer: colors the photos.
        root: folder in which the visitors' folders are made.
        max_megabytes: size of the largest upload, to be stated.
        budget: memory for photos, shared by all visitors.
    """

    def __init__(
        self,
        colorizer: ReferenceColorizer,
        root: Path,
        max_megabytes: int,
        *,
        budget: MemoryBudget | None = None,
    ) -> None:
        self._colorizer = colorizer
        self._root = root
        self._budget = budget or MemoryBudget()
        self._formats = line(f"JPEG, PNG, WebP, TIFF or BMP, up to {max_megabytes} MB.")
        self.session = gr.State(None, delete_callback=_close)
        with gr.Row(elem_id="reference"):
            with gr.Column(scale=2, min_width=300):
                self._build_photos()
                self._build_controls()
            with gr.Column(scale=5, min_width=300):
                self._build_result()
        self._connect()

    def _build_photos(self) -> None:
        self.uploads: dict[Role, gr.File] = {}
        self.previews: dict[Role, gr.Image] = {}
        labels: dict[Role, str] = {
            "photo": "Photo to be colored",
            "reference": "Photo whose colors it gets",
        }
        for role, label in labels.items():
            self.uploads[role] = gr.File(
                label=label, file_types=["image"], height=140, elem_id=f"reference-{role}"
            )
            self.previews[role] = gr.Image(
                show_label=False,
                format="png",
                interactive=False,
                visible=False,
                buttons=[],
                height=180,
                elem_id=f"reference-{role}-preview",
            )
        self.about = status_line(self._formats, "reference-about")

    def _build_controls(self) -> None:
        self.strength = gr.Slider(
            0,
            1,
            value=_STRENGTH,
            step=0.05,
            label="Strength",
            info="How far the colors go towards those of the other photo.",
            elem_id="reference-strength",
        )
        self.seed = seed_number(
            "reference-seed", "Another number decides anew what the other photo leaves open."
        )
        self.button = gr.Button(
            "Carry the colors over", variant="primary", interactive=False, elem_id="reference-go"
        )
        self.status = status_line("", "reference-status")

    def _build_result(self) -> None:
        self.welcome = gr.HTML(_WELCOME, elem_id="reference-welcome")
        with gr.Column(visible=False, elem_id="reference-results") as self.results:
            gr.HTML("<h2>Drag the handle to compare</h2>", elem_id="reference-heading")
            self.compare = gr.ImageSlider(
                show_label=False,
                format="png",
                interactive=False,
                buttons=["fullscreen"],
                max_height=640,
                elem_id="reference-compare",
            )
            self.download = gr.DownloadButton(
                "Download", variant="primary", elem_id="reference-download"
            )

    def _connect(self) -> None:
        """Connect events with handlers; none of them is part of a public interface."""
        shown = [self.results, self.welcome, self.compare, self.download, self.status]
        handlers: dict[Role, Callable[..., Updates]] = {
            "photo": self.open_photo,
            "reference": self.open_reference,
        }
        for role, handler in handlers.items():
            upload = self.uploads[role]
            gr.on(
                [upload.upload, upload.clear],
                handler,
                [upload, self.session],
                [self.session, self.previews[role], self.about, self.button, *shown],
                show_progress_on=self.about,
                concurrency_id="reference",
                concurrency_limit=1,  # two at once would make a session each
                api_visibility="private",
            )
        self.button.click(
            self.carry,
            [self.session, self.strength, self.seed],
            shown,
            show_progress_on=self.status,
            api_visibility="private",
            **WORK,
        ).then(
            self.prepare_download,
            [self.session],
            [self.download, self.status],
            show_progress="hidden",
            api_visibility="private",
            **WORK,
        )

    def open_photo(self, upload: str | None, session: ReferenceSession | None) -> Updates:
        """Show the photo that is to be colored, or nothing after it was taken away."""
        return self._open("photo", upload, session)

    def open_reference(self, upload: str | None, session: ReferenceSession | None) -> Updates:
        """Show the photo whose colors are wanted, or nothing after it was taken away."""
        return self._open("reference", upload, session)

    def carry(self, session: ReferenceSession | None, strength: float, seed: int | None) -> Updates:
        """Color the one photo with the colors of the other."""
        if seed is None or not 0 <= seed <= LARGEST_SEED:
            return {self.status: line(f"Seed: a whole number from 0 to {LARGEST_SEED}.", bad=True)}
        started = time.perf_counter()
        try:
            if session is None:
                raise ColorflowError("There are no photos yet; choose two first.")
            made = session.carry(self._colorizer, strength, int(seed))
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error)}
        if made is None:
            return {self.status: gr.skip()}
        return {
            self.welcome: gr.update(visible=False),
            self.results: gr.update(visible=True),
            self.compare: (str(made.photo.gray), str(made.preview)),
            self.download: preparing(),
            self.status: line(f"Colored in {time.perf_counter() - started:.1f} s."),
        }

    def prepare_download(self, session: ReferenceSession | None) -> Updates:
        """Make the result in full size, and offer it."""
        try:
            path = session.paint(self._colorizer.digest) if session else None
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error)}
        made = session.result if session else None
        if path is None or made is None:
            return {self.status: gr.skip()}
        return {self.download: ready(path, made.photo)}

    def _open(self, role: Role, upload: str | None, session: ReferenceSession | None) -> Updates:
        preview, said = gr.update(value=None, visible=False), self._formats
        try:
            if upload is not None:
                session = session or ReferenceSession(self._root, self._budget)
                photo = session.open(role, Path(upload))
                preview = gr.update(value=str(photo.preview), visible=True)
            elif session:
                session.forget(role)
        except (ColorflowError, MemoryError) as error:
            said = problem(error)
        complete = session is not None and session.is_complete
        updates: Updates = {
            self.session: session,
            self.previews[role]: preview,
            self.about: said,
            self.button: gr.update(interactive=complete),
        }
        if role == "photo":
            updates |= self._without_result()
        return updates

    def _without_result(self) -> Updates:
        return {
            self.results: gr.update(visible=False),
            self.welcome: gr.update(visible=True),
            self.compare: None,
            self.download: None,
            self.status: "",
        }


def _close(session: ReferenceSession | None) -> None:
    if session is not None:
        session.close()
