"""The tab that carries the colors of one photo over to another."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.errors import ColorflowError, PhotoError
from colorflow.limits import REFERENCE_STRENGTH
from colorflow.photo import Kind
from colorflow.ui.colorings import ColoredPhoto, PhotoSession, ShownColoring
from colorflow.ui.controls import advanced, checked_seed, seed_number
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import (
    HAS_COLORS,
    IN_TURN,
    ComparePane,
    UploadPane,
    formats_line,
    gray_button,
)
from colorflow.ui.photos import UploadedPhoto, reduced
from colorflow.ui.saturation import SaturationPane
from colorflow.ui.status import FAILURES, Updates, line, problem, status_line

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.ui.colorize import ColorizeTab

_BOTH: dict[str, Any] = {
    "concurrency_id": "reference",
    "concurrency_limit": 1,  # the later one of two sees both photos
    "api_visibility": "private",
}
_WELCOME = """
<ol>
<li><h2>Choose your photo</h2>The one without colors.</li>
<li><h2>Choose one in color</h2>Of a similar scene: the same beach years later, the house as it is
today, another garden in June.</li>
<li><h2>Choose how strongly</h2>At strength 0 the second photo changes nothing; at 1 the colors are
as much like its colors as the shapes allow.</li>
</ol>
"""


class ReferenceTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return new values by component, and work without a server.

    Args:
        colorizer: colors the photos.
        space: where uploads go, shared by all tabs.
    """

    def __init__(self, colorizer: Colorizer, space: UploadSpace) -> None:
        self._colorizer = colorizer
        self._formats = formats_line(space.megabytes)
        with gr.Row(elem_id="reference", elem_classes="workbench"):
            with gr.Column(scale=2, min_width=300):
                self.photo = UploadPane(space, "reference-photo", "Photo to be colored")
                self.take_button = gr.Button(
                    "Use the photo from Colorize", size="sm", elem_id="reference-take"
                )
                self.photo.add_preview("reference-photo-preview", 180)
                self.reference = UploadPane(
                    space, "reference-reference", "Photo whose colors it gets"
                )
                self.reference.add_preview("reference-reference-preview", 180)
                self._build_button()
            with gr.Column(scale=5, min_width=300):
                self.result = ComparePane("reference-", _WELCOME, colorizer.digest, self.status)
                with self.result.column:
                    self.result.add_compare("reference-heading")
                    self.saturation = SaturationPane("reference-", self.status)
                    self.result.add_download()
            with gr.Column(scale=2, min_width=300):
                self._build_controls()
        self._connect()

    def _build_button(self) -> None:
        self.about = status_line(self._formats, "reference-about")
        self.gray = gray_button("reference-gray")
        self.button = gr.Button(
            "Transfer the colors", variant="primary", interactive=False, elem_id="reference-go"
        )
        self.status = status_line("", "reference-status")

    def _build_controls(self) -> None:
        self.strength = gr.Slider(
            0,
            1,
            value=REFERENCE_STRENGTH,
            step=0.05,
            label="Strength",
            info="How close the colors come to those of the second photo.",
            elem_id="reference-strength",
        )
        with advanced("reference-advanced"):
            self.seed = seed_number(
                "reference-seed",
                "Another number gives other colors where the second photo does not decide them.",
            )

    def _connect(self) -> None:
        result, photo, reference = self.result, self.photo, self.reference
        sessions = [photo.session, reference.session]
        shown = [
            result.column, result.welcome, result.compare, *self.saturation.components,
            result.download.button, self.status,
        ]  # fmt: skip
        view = [*sessions, photo.preview, reference.preview, self.about, self.gray, self.button]
        self._shown = [photo.upload, *view, *shown]
        for pane, handler in ((photo, self.open_photo), (reference, self.open_reference)):
            gr.on(
                pane.changes,
                handler,
                [pane.upload, *sessions],
                [*view, *shown],
                show_progress_on=self.about,
                **_BOTH,
            )
        self.gray.click(self.treat_as_gray, sessions, view, **IN_TURN)
        self.button.click(
            self.carry,
            [*sessions, self.strength, self.seed],
            shown,
            show_progress_on=self.status,
            **IN_TURN,
        )
        result.connect(photo.session)
        self.saturation.connect(
            photo.session, self._result, [result.compare, result.download.button]
        )

    def take_from(self, other: ColorizeTab) -> None:
        """Let a button bring the photo of the tab that colors photos here."""
        sessions = [other.session, self.photo.session, self.reference.session]
        self.take_button.click(
            self.take, sessions, self._shown, show_progress_on=self.about, **_BOTH
        )

    def open_photo(
        self, upload: str | None, session: PhotoSession, reference: PhotoSession
    ) -> Updates:
        """Show the photo to be colored, or nothing after it was taken away."""
        said = self._open(upload, session)
        return self._opened(session, reference, said)

    def take(self, other: PhotoSession, session: PhotoSession, reference: PhotoSession) -> Updates:
        """Take over the photo of the tab that colors photos."""
        try:
            taken = other.require()
        except FAILURES:
            missing = "There is no photo in Colorize yet; choose one there, or here."
            return {self.about: line(missing, bad=True)}
        said = self._open(str(taken.photo.path), session)
        if photo := session.current:
            photo.treated_as_gray = taken.treated_as_gray
        path = str(photo.photo.path) if photo else None
        return {self.photo.upload: path, **self._opened(session, reference, said)}

    def _opened(self, session: PhotoSession, reference: PhotoSession, said: str | None) -> Updates:
        return {
            **self._view(session, reference, said),
            **self.result.emptied(),
            **self.saturation.of(None),
            self.status: "",
        }

    def open_reference(
        self, upload: str | None, session: PhotoSession, reference: PhotoSession
    ) -> Updates:
        """Show the photo whose colors are wanted, or nothing after it was taken away."""
        return self._view(session, reference, self._open(upload, reference, is_reference=True))

    def treat_as_gray(self, session: PhotoSession, reference: PhotoSession) -> Updates:
        """Let the lightness of a photo be colored that was left alone because it has colors."""
        if session.current:
            session.current.treated_as_gray = True
        return self._view(session, reference)

    def carry(
        self, session: PhotoSession, reference: PhotoSession, strength: float, seed: int | None
    ) -> Updates:
        """Color the one photo with the colors of the other.

        Args:
            session: holds the photo.
            reference: holds the other.
            strength: how far colors go towards those of the other, in [0, 1].
            seed: decides what the other photo leaves open.
        """
        started = time.perf_counter()
        try:
            current, other, coloring = session.current, reference.current, None
            if current is None or other is None:
                raise ColorflowError("Two photos are needed: one to be colored, and one in color.")
            if current.is_left_alone:
                raise ColorflowError(f"{HAS_COLORS}.")
            with session.unless_left(current):
                coloring = self._carried(current, other.photo, strength, checked_seed(seed))
        except FAILURES as error:
            return {self.status: problem(error)}
        if coloring is None or session.current is not current:
            return {self.status: gr.skip()}
        current.replace_colorings(coloring)
        return {
            **self.result.shown(),
            **self._result(session, current),
            self.status: line(f"Colored in {time.perf_counter() - started:.1f} s."),
        }

    def _open(
        self, upload: str | None, session: PhotoSession, *, is_reference: bool = False
    ) -> str | None:
        """Open an upload instead of the one before; returns what is wrong with it."""
        session.close_all()
        if upload is None:
            return None
        try:
            photo = session.read(Path(upload))
            if is_reference and photo.kind is Kind.GRAY:
                shutil.rmtree(photo.folder, ignore_errors=True)
                reason = "has no colors that could be carried over; choose a color photo"
                raise PhotoError(upload, reason)
        except FAILURES as error:
            return problem(error)
        session.add(ColoredPhoto(photo=photo, upload=Path(upload)))
        return None

    def _result(self, session: PhotoSession, current: ColoredPhoto) -> Updates:
        photo = current.photo
        return self.result.compared(photo, photo.preview, current.require_chosen().preview)

    def _view(
        self, session: PhotoSession, reference: PhotoSession, said: str | None = None
    ) -> Updates:
        """Both photos; one button is for two of them, the other for one with colors."""
        photo, other = session.current, reference.current
        left_alone = photo is not None and photo.is_left_alone
        ready = photo is not None and other is not None and not left_alone
        return {
            self.photo.session: session,
            self.reference.session: reference,
            **self.photo.shown(photo.photo if photo else None),
            **self.reference.shown(other.photo if other else None),
            self.about: said or (line(f"{HAS_COLORS}.") if left_alone else self._formats),
            self.gray: gr.update(visible=left_alone),
            self.button: gr.update(interactive=ready),
        }

    def _carried(
        self, current: ColoredPhoto, other: UploadedPhoto, strength: float, seed: int
    ) -> ShownColoring:
        with other.read() as whole:  # both at once would need room twice
            reference = reduced(whole)
        with current.photo.read() as original:
            (made,) = self._colorizer.colorize(
                original,
                1,
                seed=seed,
                samples=True,
                force=True,
                reference=reference,
                strength=strength,
            )
            return current.written(made, reduced(original), f"like_{other.path.stem}")
