"""The tab that gives what looks alike in two photos the colors of the second."""

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
from colorflow.ui.controls import checked_seed, factor, seed_number
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import (
    HAS_COLORS,
    IN_TURN,
    ComparePane,
    Download,
    UploadPane,
    formats_line,
    gray_button,
    one_at_a_time,
    session_state,
)
from colorflow.ui.photos import UploadedPhoto, reduced
from colorflow.ui.saturation import SaturationPane
from colorflow.ui.session import Session
from colorflow.ui.status import FAILURES, Updates, line, problem, status_line, worked

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.ui.colorize import ColorizeTab

_WELCOME = """
<ol>
<li><h2>Choose your photo</h2>The one without colors.</li>
<li><h2>Choose one in color</h2>That shows the same people, clothes, house or garden. What looks
alike gets its colors there, wherever it is in the picture; nothing else changes.</li>
<li><h2>Choose how strongly</h2>At strength 0 the second photo changes nothing; at 1 what looks
alike has its colors.</li>
</ol>
"""


class ReferenceSession(Session[ColoredPhoto]):
    """A session with the photo that is colored, and another whose colors it gets."""

    reference: UploadedPhoto | None = None


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
        self.session = session_state(space, ReferenceSession)
        with gr.Row(elem_id="reference", elem_classes="workbench"):
            with gr.Column(scale=2, min_width=300):
                self.photo = UploadPane("reference-photo", "Photo to be colored")
                self.take_button = gr.Button(
                    "Use the photo from Colorize", size="sm", elem_id="reference-take"
                )
                self.photo.add_preview("reference-photo-preview", 180)
                self.reference = UploadPane("reference-reference", "Photo whose colors it gets")
                self.reference.add_preview("reference-reference-preview", 180)
                self._build_button()
            with gr.Column(scale=5, min_width=300):
                self.result = ComparePane("reference-", _WELCOME, self.status)
                with self.result.column:
                    self.result.add_compare("reference-heading")
                    self.saturation = SaturationPane("reference-", self.status)
                    self.result.download = Download("reference-", self.status)
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
        self.strength = factor(
            "reference-strength",
            "Strength",
            "How close the colors come to those of the second photo.",
            1,
            REFERENCE_STRENGTH,
        )
        with gr.Accordion("Advanced", open=False, elem_id="reference-advanced"):
            self.seed = seed_number(
                "reference-seed",
                "Another number gives other colors where the second photo does not decide them.",
            )

    def _connect(self) -> None:
        result, photo, session = self.result, self.photo, [self.session]
        shown = [
            result.column, result.welcome, result.compare, *self.saturation.components,
            result.download.button, self.status,
        ]  # fmt: skip
        previews = [photo.preview, self.reference.preview]
        view = [*session, *previews, self.about, self.gray, self.button]
        self._shown = [photo.upload, *view, *shown]
        self._opening: dict[str, Any] = {"show_progress_on": self.about, **IN_TURN}
        for pane, handler in ((photo, self.open_photo), (self.reference, self.open_reference)):
            upload = [pane.upload, *session]
            last: dict[str, Any] = {**self._opening, "trigger_mode": "always_last"}
            opening = one_at_a_time(handler)  # the later one of two sees both photos
            gr.on(pane.changes, opening, upload, [*view, *shown], **last)
        self.gray.click(self.treat_as_gray, session, view, **IN_TURN)
        self.button.click(
            one_at_a_time(self.carry),
            [*session, self.strength, self.seed],
            shown,
            show_progress_on=self.status,
            **IN_TURN,
        )
        result.connect(self.session)
        changed = [result.compare, result.download.button]
        self.saturation.connect(self.session, self._result, changed)

    def take_from(self, other: ColorizeTab) -> None:
        """Let a button bring the photo of the tab that colors photos here."""
        sessions = [other.session, self.session]
        self.take_button.click(one_at_a_time(self.take), sessions, self._shown, **self._opening)

    def open_photo(self, upload: str | None, session: ReferenceSession) -> Updates:
        """Show the photo to be colored, or nothing after it was taken away."""
        return self._opened(session, self._open(upload, session))

    def take(self, other: PhotoSession, session: ReferenceSession) -> Updates:
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
        return {self.photo.upload: path, **self._opened(session, said)}

    def _opened(self, session: ReferenceSession, said: str | None) -> Updates:
        return {
            **self._view(session, said),
            **self.result.emptied(),
            **self.saturation.of(None),
            self.status: "",
        }

    def open_reference(self, upload: str | None, session: ReferenceSession) -> Updates:
        """Show the photo whose colors are wanted, or nothing after it was taken away."""
        before, session.reference, said = session.reference, None, None
        try:
            if before:
                shutil.rmtree(before.folder, ignore_errors=True)
            if upload is not None:
                session.reference = _with_colors(session.read(Path(upload)))
        except FAILURES as error:
            said = problem(error)
        return self._view(session, said)

    def treat_as_gray(self, session: ReferenceSession) -> Updates:
        """Let the lightness of a photo be colored that was left alone because it has colors."""
        if session.current:
            session.current.treated_as_gray = True
        return self._view(session)

    def carry(self, session: ReferenceSession, strength: float, seed: int | None) -> Updates:
        """Color the one photo with the colors of the other.

        Args:
            session: holds both.
            strength: how far colors go towards those of the other, in [0, 1].
            seed: decides what the other photo leaves open.
        """
        started, other = time.perf_counter(), session.reference
        if session.current is None or other is None:
            said = "Two photos are needed: one to be colored, and one in color."
            return {self.status: line(said, bad=True)}

        def carried(current: ColoredPhoto) -> Updates:
            if current.is_left_alone:
                raise ColorflowError(f"{HAS_COLORS}.")
            coloring = self._carried(current, other, strength, checked_seed(seed))
            current.replace_colorings(coloring)
            return {
                **self.result.shown(),
                **self._result(session, current),
                self.status: line(f"Colored in {time.perf_counter() - started:.1f} s."),
            }

        return worked(session, self.status, carried)

    def _open(self, upload: str | None, session: ReferenceSession) -> str | None:
        """Open an upload instead of the one before; returns what is wrong with it."""
        session.close_all()
        try:
            if upload is not None:
                photo = session.read(Path(upload))
                session.add(ColoredPhoto(photo=photo, upload=Path(upload)))
        except FAILURES as error:
            return problem(error)
        return None

    def _result(self, session: ReferenceSession, current: ColoredPhoto) -> Updates:
        photo = current.photo
        return self.result.compared(photo, photo.preview, current.require_chosen().preview)

    def _view(self, session: ReferenceSession, said: str | None = None) -> Updates:
        """Both photos; one button is for two of them, the other for one with colors."""
        photo, other = session.current, session.reference
        left_alone = photo is not None and photo.is_left_alone
        ready = photo is not None and other is not None and not left_alone
        return {
            self.session: session,
            **self.photo.shown(photo.photo if photo else None),
            **self.reference.shown(other),
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


def _with_colors(photo: UploadedPhoto) -> UploadedPhoto:
    """The photo.

    Raises:
        PhotoError: it has no colors; its files are deleted.
    """
    if photo.kind is Kind.GRAY:
        shutil.rmtree(photo.folder, ignore_errors=True)
        reason = "has no colors that could be carried over; choose a color photo"
        raise PhotoError(photo.path, reason)
    return photo
