"""The part of a tab that enlarges the chosen coloring: a choice of details, and the download."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.coloring import provenance_of
from colorflow.enlarge.draws import Draw, draws
from colorflow.enlarge.enlarger import MAX_RESULT_PIXELS, paint
from colorflow.errors import ColorflowError
from colorflow.photo import Enlargement, Photo, photo_from_image, write_image
from colorflow.ui.colorings import ColoredPhoto, PhotoSession, ShownColoring
from colorflow.ui.controls import place_in_numbers
from colorflow.ui.limits import LONG_QUEUE, WORK_QUEUE
from colorflow.ui.panes import AT_ONCE, SUFFIXES
from colorflow.ui.photos import write_preview
from colorflow.ui.session import Job, Session
from colorflow.ui.status import FAILURES, Updates, line, problem, progress, status_line

if TYPE_CHECKING:
    from colorflow.enlarge.enlarger import Enlarger

AS_IT_IS = "As it is"
SIZES = {AS_IT_IS: 1, "×2": 2, "×4": 4}
DRAWS = draws(3, None, 0)
"""Results that the visitor chooses from: the mean, and samples of the detail."""
PIECE_SIDE = 320
"""Pixels of the result on each side of a piece."""
MIDDLE = (0.5, 0.5)
_ABOUT_SIZE = "A larger picture gets detail that the photo does not have; it is made up to suit it."
_HEADING = """
<h2>Detail at full size</h2>
<p>Click the picture to see another spot. The first enlargement is the average of all; each sample
has other detail. Choose one.</p>
"""


class Enlarging(Job):
    """Makes the chosen coloring larger, and writes the file for the download.

    Args:
        enlarger: samples the detail.
        current: the photo.
        coloring: the chosen one.
        model: digest of the weights of colors, for the provenance in the file.
    """

    def __init__(
        self, enlarger: Enlarger, current: ColoredPhoto, coloring: ShownColoring, model: str
    ) -> None:
        super().__init__()
        self._enlarger, self._current, self._coloring = enlarger, current, coloring
        self._model = model

    def run(self, scale: int, draw: Draw, path: Path) -> Iterator[float]:
        """Write the file, unless it is there already; yields the share that is done.

        Raises:
            ColorflowError: the result would be too large, or cannot be written.
        """
        photo_file, chosen = self._current.photo, self._coloring
        _check_size(self._current, scale)
        if path.exists():
            return
        with photo_file.read(scale) as photo:
            steps = self._enlarger.steps(photo, scale, draw.temperature, draw.seed)
            while True:
                try:
                    share = next(steps)
                except StopIteration as end:
                    lightness = end.value
                    break
                yield share
                if self.end:
                    return
            pixels = render(lightness, chosen.ab, bits=photo.bits)
            del lightness
            photo_file.budget.disk.check()
            write_image(
                path,
                pixels,
                photo.enlarged(pixels),
                provenance=provenance_of(chosen.spec, chosen.share, self._model),
                enlargement=Enlargement(
                    scale=scale,
                    seed=draw.seed,
                    temperature=draw.temperature,
                    model=self._enlarger.digest,
                ),
            )


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
        self.number, self.spot = gr.State(0), gr.State(MIDDLE)
        with gr.Column(visible=False, elem_id="enlarge") as self.column:
            gr.HTML(_HEADING, elem_id="enlarge-heading")
            self.picture = gr.Image(
                show_label=False,
                format="png",
                interactive=False,
                buttons=[],
                height=240,
                elem_id="enlarge-picture",
            )
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
        self.components = [
            self.size, self.column, self.picture, self.samples, self.button, self.cancel,
            self.download, self.status, self.number, self.spot,
        ]  # fmt: skip
        self._connect(session, format_)

    def _connect(self, session: gr.State, format_: gr.Radio) -> None:
        shown = self.components
        begin: dict[str, Any] = {
            "show_progress_on": self.status,
            "trigger_mode": "multiple",
            "api_visibility": "private",
        }
        # The job before ends at once, and not only when it is this one's turn.
        pointed = self.picture.select(self.point_at, [session], [self.spot], **AT_ONCE)
        put = self.put_button.click(
            self.put, [session, self.across, self.down], [self.spot], **AT_ONCE
        )
        sized = self.size.input(Session.stop, [session], None, **AT_ONCE)
        clicked = self.button.click(Session.stop, [session], None, **AT_ONCE)
        for event in (pointed, put, sized):
            event.then(self.show, [session, self.size, self.spot], shown, **begin, **WORK_QUEUE)
        inputs = [session, self.size, self.number, format_]
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
            self.spot: MIDDLE,
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
        self, session: PhotoSession, size: str, spot: tuple[float, float]
    ) -> Iterator[Updates]:
        """Show the chosen coloring and its larger versions at a spot, or nothing of it.

        Args:
            session: the visitor's.
            size: one of `SIZES`.
            spot: share of the width and of the height.
        """
        if size == AS_IT_IS:
            yield self.emptied()
            return
        try:
            current = session.require()
            chosen = current.require_chosen()
            _check_size(current, SIZES[size])
            job = Job()
            session.start(job)
            with job:
                yield {
                    self.column: gr.update(visible=True),
                    self.picture: str(chosen.preview),
                    self.samples: None,
                    self.button: gr.update(value=f"Enlarge {size}", visible=True),
                    self.number: 0,
                    self.spot: spot,
                    self.cancel: gr.update(visible=False),
                    **self.outdated(),
                    self.status: line("Predicting the detail ..."),
                }
                pieces: list[tuple[str, str]] = []
                for piece in self._pieces(current, chosen, SIZES[size], spot):
                    if job.end:
                        break
                    pieces.append(piece)
                    yield {self.samples: gr.update(value=pieces, selected_index=None)}
                said = "" if job.end == "replaced" else _about_result(current, SIZES[size])
                yield {self.status: said or gr.skip()}
        except FAILURES as error:
            yield {self.column: gr.update(visible=True), self.status: problem(error)}
        finally:
            session.delete_if_closed()

    def point_at(self, session: PhotoSession, event: gr.SelectData) -> tuple[float, float]:
        """The spot where the picture was clicked; the job before ends."""
        scale = session.current.photo.preview_scale if session.current else 1.0
        x, y = event.index
        return self.put(session, x / scale, y / scale)

    def put(
        self, session: PhotoSession, across: float | None, down: float | None
    ) -> tuple[float, float]:
        """The spot that is given in pixels of the photo; an empty field is its middle.

        The job before ends.
        """
        session.stop()
        if session.current is None:
            return MIDDLE
        photo = session.current.photo
        return _share(across, photo.width), _share(down, photo.height)

    def choose(self, session: PhotoSession, event: gr.SelectData) -> Updates:
        """Choose one of `DRAWS`; the first piece is the photo as it is."""
        return {self.number: max(0, int(event.index) - 1), **self.stopped(session)}

    def enlarge(
        self, session: PhotoSession, size: str, number: int, format_: str
    ) -> Iterator[Updates]:
        """Make the chosen coloring larger, with the chosen detail."""
        began = time.perf_counter()
        try:
            assert self._enlarger
            current = session.require()
            chosen = current.require_chosen()
            scale, draw = SIZES[size], DRAWS[number]
            suffix = SUFFIXES[format_] or current.photo.suffix
            name = f"{chosen.stem}_x{scale}_{draw.label}{suffix}"
            job = Enlarging(self._enlarger, current, chosen, self._model)
            session.start(job)
            with job:
                yield {
                    self.cancel: gr.update(visible=True),
                    **self.outdated(),
                    self.status: _enlarged(0.0),
                }
                path = chosen.folder / name
                for share in job.run(scale, draw, path):
                    yield {self.status: _enlarged(share)}
                yield self._ended(job, path, current, scale, time.perf_counter() - began)
        except FAILURES as error:
            yield {self.status: problem(error), self.cancel: gr.update(visible=False)}
        finally:
            session.delete_if_closed()

    def _ended(
        self, job: Job, path: Path, current: ColoredPhoto, scale: int, seconds: float
    ) -> Updates:
        if job.end == "replaced":
            return {self.status: gr.skip()}
        hidden = {self.cancel: gr.update(visible=False)}
        if job.end:
            return {**hidden, self.status: line("Cancelled; nothing was made.")}
        width, height = scale * current.photo.width, scale * current.photo.height
        label = f"Download, {width} × {height} pixels"
        return {
            **hidden,
            self.download: gr.update(value=str(path), label=label, visible=True),
            self.status: line(f"Enlarged in {seconds:.0f} s."),
        }

    def _pieces(
        self, current: ColoredPhoto, chosen: ShownColoring, scale: int, spot: tuple[float, float]
    ) -> Iterator[tuple[str, str]]:
        """Pictures of the spot with their captions: as it is, then with each detail."""
        assert self._enlarger
        with current.photo.read() as photo:
            rows = _around(spot[1], photo.height, scale)
            columns = _around(spot[0], photo.width, scale)
            colored = render(LightnessRows(photo.pixels), chosen.ab)
            part = Photo(pixels=np.ascontiguousarray(colored[rows, columns]))
            blown_up = part.pixels.repeat(scale, 0).repeat(scale, 1)
            yield self._written(chosen, f"spot-x{scale}-before", blown_up), "As it is"
            for number, draw in enumerate(DRAWS):
                lightness = self._enlarger.piece(
                    photo, scale, draw.temperature, draw.seed, rows, columns
                )
                pixels = paint(part, lightness)
                caption = f"Sample {number}" if number else "Average of all"
                yield self._written(chosen, f"spot-x{scale}-{number}", pixels), caption

    @staticmethod
    def _written(chosen: ShownColoring, name: str, pixels: np.ndarray) -> str:
        # A name of its own for each spot: browsers keep what they have seen.
        path = chosen.folder / f"{name}-{time.monotonic_ns()}.png"
        return str(write_preview(path, pixels, photo_from_image(pixels)))


def _enlarged(share: float) -> str:
    percent = int(100 * share)
    return progress(percent, 100, f"{percent} % of the picture is enlarged.")


def _share(position: float | None, size: int) -> float:
    return 0.5 if position is None else min(max(0.0, position / size), 1.0)


def _around(spot: float, size: int, scale: int) -> slice:
    """The pixels of a photo that a piece shows, near a share of its side."""
    side = min(size, PIECE_SIDE // scale)
    start = round(spot * size) - side // 2
    start = min(max(0, start), size - side)
    return slice(start, start + side)


def _check_size(current: ColoredPhoto, scale: int) -> None:
    """Raises `ColorflowError` for a result that this page does not make."""
    photo = current.photo
    pixels, most = scale**2 * photo.width * photo.height, photo.budget.pixels
    most = min(most, MAX_RESULT_PIXELS)
    if pixels > most:
        raise ColorflowError(
            f"The result would have {pixels / 1e6:.0f} megapixels; this page makes at most "
            f"{most / 1e6:.0f}. Choose a smaller size."
        )


def _about_result(current: ColoredPhoto, scale: int) -> str:
    width, height = scale * current.photo.width, scale * current.photo.height
    return line(f"The result will have {width} × {height} pixels.")
