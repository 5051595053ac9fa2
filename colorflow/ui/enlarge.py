"""The part of a tab that enlarges the chosen coloring: a choice of details, and the download."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.enlarge.draws import Draw, draws
from colorflow.enlarge.enlarger import MAX_RESULT_PIXELS, paint
from colorflow.errors import ColorflowError
from colorflow.photo import Enlargement, Photo, photo_from_image, write_image
from colorflow.ui.colorings import ColoredPhoto, PhotoSession, ShownColoring
from colorflow.ui.controls import place_in_numbers
from colorflow.ui.limits import LONG_QUEUE, WORK_QUEUE
from colorflow.ui.panes import AT_ONCE, SUFFIXES, picture
from colorflow.ui.photos import UploadedPhoto, write_preview
from colorflow.ui.session import Job, Session
from colorflow.ui.status import FAILURES, Updates, line, problem, progress, status_line

if TYPE_CHECKING:
    from colorflow.enlarge.enlarger import Enlarger

AS_IT_IS = "As it is"
SIZES = {AS_IT_IS: 1, "×2": 2, "×4": 4}
DRAWS = draws(3, None, 0)
"""Results that the visitor chooses from: the mean, and samples of the detail."""
Spot = tuple[float | None, float | None]
"""Across and down, in pixels of the photo; None for the middle."""
PIECE_SIDE = 320
"""Pixels of the result on each side of a piece."""
_ABOUT_SIZE = "A larger picture gets detail that the photo does not have; it is made up to suit it."
_ABOUT_RESTORING = (
    "Takes the blur, noise and compression of old and small photos out; without it, the result "
    "reduced again is the photo."
)
_HEADING = """
<h2>Detail at full size</h2>
<p>Click the picture to see another spot. The first enlargement is the average of all; each sample
has other detail. Choose one.</p>
"""


class Enlarging(Job):
    """Makes the file for the download."""


class EnlargePane:
    """The choice of a size, and what it brings; made inside a `gr.Blocks`.

    Args:
        enlarger: samples the detail; without one the choice is not shown.
        session: holds the visitor's `Session`.
        format_: where the visitor chooses one of `SUFFIXES`.
        model: digest of the weights of colors.
    """

    def __init__(
        self, enlarger: Enlarger | None, session: gr.State, format_: gr.Radio, model: str
    ) -> None:
        self._enlarger, self._model = enlarger, model
        self.size = gr.Radio(
            list(SIZES),
            value=AS_IT_IS,
            label="Size",
            info=_ABOUT_SIZE,
            visible=enlarger is not None,
            elem_id="size",
        )
        self.number = gr.State(0)
        with gr.Column(visible=False, elem_id="enlarge") as self.column:
            gr.HTML(_HEADING, elem_id="enlarge-heading")
            self.restore = gr.Checkbox(
                label="Clear up an old photo",
                info=_ABOUT_RESTORING,
                visible=enlarger is not None and enlarger.can_restore,
                elem_id="enlarge-restore",
            )
            self.picture = picture("enlarge-picture", height=240)
            self.across, self.down, self.put_button = place_in_numbers(
                "enlarge-", "Give a spot in numbers", "Show this spot"
            )
            self.samples = gr.Gallery(
                show_label=False,
                format="png",
                allow_preview=False,
                interactive=False,
                buttons=[],
                columns=len(DRAWS) + 1,
                elem_id="enlarge-samples",
            )
            with gr.Row():
                self.button = gr.Button("Enlarge", variant="primary", elem_id="enlarge-go")
                self.cancel = gr.Button("Cancel", visible=False, elem_id="enlarge-cancel")
                self.download = gr.DownloadButton(
                    "Download", visible=False, variant="primary", elem_id="enlarge-download"
                )
            self.status = status_line("", "enlarge-status")
        self.components = [*self.emptied(), self.button]
        self._connect(session, format_)

    def _connect(self, session: gr.State, format_: gr.Radio) -> None:
        shown = self.components
        begin: dict[str, Any] = {
            "show_progress_on": self.status,
            "trigger_mode": "multiple",
            "api_visibility": "private",
        }
        # The job before ends at once, and not only when it is this one's turn.
        spot = [self.across, self.down]
        pointed = self.picture.select(self.point_at, [session], spot, **AT_ONCE)
        put = self.put_button.click(Session.stop, [session], None, **AT_ONCE)
        sized = self.size.input(Session.stop, [session], None, **AT_ONCE)
        restored = self.restore.input(Session.stop, [session], None, **AT_ONCE)
        clicked = self.button.click(Session.stop, [session], None, **AT_ONCE)
        what = [session, self.size, self.restore]
        for event in (pointed, put, sized, restored):
            event.then(self.show, [*what, *spot], shown, **begin, **WORK_QUEUE)
        inputs = [*what, self.number, format_]
        clicked.then(self.enlarge, inputs, shown, **begin, **LONG_QUEUE)
        chosen = [self.number, self.download, self.cancel, self.status]
        self.samples.select(self.choose, [session], chosen, **AT_ONCE)
        self.cancel.click(Session.cancel, [session], None, **AT_ONCE)
        format_.input(self.stopped, [session], chosen[1:], **AT_ONCE)

    def emptied(self) -> Updates:
        """The part as it is for another coloring."""
        return {
            self.size: AS_IT_IS,
            self.column: gr.update(visible=False),
            self.picture: None,
            self.samples: None,
            self.cancel: gr.update(visible=False),
            self.number: 0,
            self.across: None,
            self.down: None,
            **self.outdated(),
        }

    def stopped(self, session: PhotoSession) -> Updates:
        """No download, and no job that would bring one."""
        if isinstance(session.job, Enlarging):
            session.stop()
        return {self.cancel: gr.update(visible=False), **self.outdated()}

    def outdated(self) -> Updates:
        """No download: none was made for these choices."""
        return {self.download: gr.update(value=None, visible=False), self.status: ""}

    def show(
        self,
        session: PhotoSession,
        size: str,
        restore: bool,
        across: float | None,
        down: float | None,
    ) -> Iterator[Updates]:
        """Show the chosen coloring and its larger versions at a spot, or nothing of it.

        Args:
            session: the visitor's.
            size: one of `SIZES`.
            restore: whether blur, noise and compression are taken out.
            across: pixels of the photo from its left edge to the spot; None for the middle.
            down: likewise from its upper edge.
        """
        if size == AS_IT_IS:
            yield self.emptied()
            return
        try:
            current, job = session.require(), Job()
            chosen = current.require_chosen()
            width, height = _size_of_result(current.photo, SIZES[size])
            yield from session.run(
                job, self._spot(current, chosen, size, (across, down), restore=restore)
            )
            said = line(f"The result will have {width} × {height} pixels.")
            yield {self.status: gr.skip() if job.end == "replaced" else said}
        except FAILURES as error:
            yield {self.column: gr.update(visible=True), self.status: problem(error)}

    def _spot(
        self, current: ColoredPhoto, chosen: ShownColoring, size: str, spot: Spot, *, restore: bool
    ) -> Generator[Updates, None, None]:
        yield {
            **self.emptied(),
            self.size: size,
            self.column: gr.update(visible=True),
            self.picture: str(chosen.preview),
            self.button: f"Enlarge {size}",
            self.across: spot[0],
            self.down: spot[1],
            self.status: line("Predicting the detail ..."),
        }
        pieces: list[tuple[str, str]] = []
        for caption, pixels in self._pieces(current, chosen, SIZES[size], spot, restore=restore):
            # A name of its own for each spot: browsers keep what they have seen.
            path = chosen.folder / f"spot-{time.monotonic_ns()}.png"
            write_preview(path, pixels, photo_from_image(pixels))
            pieces.append((str(path), caption))
            yield {self.samples: gr.update(value=pieces, selected_index=None)}

    def point_at(self, session: PhotoSession, event: gr.SelectData) -> tuple[int, int]:
        """Where the picture was clicked, in pixels of the photo; the job before ends."""
        session.stop()
        scale = session.current.photo.preview_scale if session.current else 1.0
        x, y = event.index
        return round(x / scale), round(y / scale)

    def choose(self, session: PhotoSession, event: gr.SelectData) -> Updates:
        """Choose one of `DRAWS`; the first piece is the photo as it is."""
        return {self.number: max(0, int(event.index) - 1), **self.stopped(session)}

    def enlarge(
        self, session: PhotoSession, size: str, restore: bool, number: int, format_: str
    ) -> Iterator[Updates]:
        """Make the chosen coloring larger, with the chosen detail."""
        began = time.perf_counter()
        hidden = {self.cancel: gr.update(visible=False)}
        try:
            current, job = session.require(), Enlarging()
            chosen = current.require_chosen()
            scale, draw = SIZES[size], DRAWS[number]
            width, height = _size_of_result(current.photo, scale)
            suffix = SUFFIXES[format_] or current.photo.suffix
            restored = "_restored" if restore else ""
            path = chosen.folder / f"{chosen.stem}_x{scale}{restored}_{draw.label}{suffix}"
            begun = self.outdated()
            steps = self._written(current, chosen, scale, draw, path, restore=restore)
            for share in session.run(job, steps):
                # Each time: Gradio may send the end of the job before once more after the first.
                shown = {self.cancel: gr.update(visible=True), self.status: _enlarged(share)}
                yield {**begun, **shown}
                begun = {}
            if job.end == "replaced":
                yield {self.status: gr.skip()}
            elif job.end:
                yield {**hidden, self.status: line("Cancelled; nothing was made.")}
            else:
                label = f"Download, {width} × {height} pixels"
                seconds = time.perf_counter() - began
                yield {
                    **hidden,
                    self.download: gr.update(value=str(path), label=label, visible=True),
                    self.status: line(f"Enlarged in {seconds:.0f} s."),
                }
        except FAILURES as error:
            yield {self.status: problem(error), **hidden}

    def _written(
        self,
        current: ColoredPhoto,
        chosen: ShownColoring,
        scale: int,
        draw: Draw,
        path: Path,
        *,
        restore: bool,
    ) -> Generator[float, None, None]:
        """Write the file, unless it is there already; yields the share that is done."""
        assert self._enlarger
        yield 0.0
        if path.exists():
            return
        with current.photo.read(scale) as photo:
            lightness = yield from self._enlarger.steps(
                photo, scale, draw.temperature, draw.seed, restore=restore
            )
            yield 1.0  # who cancels during the last step gets no file
            pixels = render(lightness, chosen.ab, bits=photo.bits)
            del lightness
            current.photo.budget.disk.check()
            write_image(
                path,
                pixels,
                photo.enlarged(pixels),
                provenance=chosen.provenance(self._model),
                enlargement=Enlargement(
                    scale=scale,
                    seed=draw.seed,
                    temperature=draw.temperature,
                    model=self._enlarger.digest,
                    restored=restore,
                ),
            )

    def _pieces(
        self,
        current: ColoredPhoto,
        chosen: ShownColoring,
        scale: int,
        spot: Spot,
        *,
        restore: bool,
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Captions and pictures of the spot: as it is, then with each detail."""
        assert self._enlarger
        with current.photo.read() as photo:
            rows = _around(spot[1], photo.height, scale)
            columns = _around(spot[0], photo.width, scale)
            colored = render(LightnessRows(photo.pixels), chosen.ab)
            part = Photo(pixels=np.ascontiguousarray(colored[rows, columns]))
            yield AS_IT_IS, part.pixels.repeat(scale, 0).repeat(scale, 1)
            for number, draw in enumerate(DRAWS):
                lightness = self._enlarger.piece(
                    photo, scale, draw.temperature, draw.seed, rows, columns, restore=restore
                )
                caption = f"Sample {number}" if number else "Average of all"
                yield caption, paint(part, lightness)


def _enlarged(share: float) -> str:
    percent = int(100 * share)
    return progress(percent, 100, f"{percent} % of the picture is enlarged.")


def _around(center: float | None, size: int, scale: int) -> slice:
    """The pixels of a photo that a piece shows, on one of its axes."""
    side = min(size, PIECE_SIDE // scale)
    start = round(size / 2 if center is None else center) - side // 2
    start = min(max(0, start), size - side)
    return slice(start, start + side)


def _size_of_result(photo: UploadedPhoto, scale: int) -> tuple[int, int]:
    """Width and height, unless they are more than this page makes: raises `ColorflowError`."""
    width, height = scale * photo.width, scale * photo.height
    most = min(photo.budget.pixels, MAX_RESULT_PIXELS)
    if width * height > most:
        raise ColorflowError(
            f"The result would have {width * height / 1e6:.0f} megapixels; this page makes at most "
            f"{most / 1e6:.0f}. Choose a smaller size."
        )
    return width, height
