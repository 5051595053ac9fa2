"""The part of a tab that keeps what is shown: its size, its file, and the choice of its detail."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.enlarge.draws import Draw, draws
from colorflow.enlarge.enlarger import MAX_RESULT_PIXELS, paint
from colorflow.errors import ColorflowError
from colorflow.photo import (
    Enlargement,
    Photo,
    photo_from_image,
    read_photo,
    read_statements,
    write_image,
)
from colorflow.ui.colorings import ColoredPhoto, PhotoSession
from colorflow.ui.controls import place_in_numbers
from colorflow.ui.limits import LONG_QUEUE
from colorflow.ui.panes import AFTERWARDS, AT_ONCE, OWN_FORMAT, SUFFIXES, Download, picture
from colorflow.ui.photos import UploadedPhoto, write_preview
from colorflow.ui.runs import Run, Runs, Steps
from colorflow.ui.session import Job, Session
from colorflow.ui.spots import best_spot
from colorflow.ui.status import FAILURES, Updates, line, problem, progress, status_line

if TYPE_CHECKING:
    from colorflow.enlarge.enlarger import Enlarger

AS_IT_IS = "As it is"
SIZES = {AS_IT_IS: 1, "×2": 2, "×4": 4}
DRAWS = draws(3, None, 0)
"""Results that the visitor chooses from: the mean, and samples of the detail."""
PIECE_SIDE = 320
"""Pixels of the result on each side of a piece."""
_SIZE = "Size"
_ONLY_LARGER = "Enlarge it without coloring it"
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


@dataclass(eq=False, slots=True)
class Look:
    """What a visitor wants to see of the detail, or to have made with it."""

    size: str
    """One of `SIZES`."""
    restore: bool
    """Whether blur, noise and compression are taken out."""
    number: int = 0
    """Of the detail in `DRAWS` that is chosen."""
    across: float | None = None
    """Pixels of the photo from its left edge to the spot; None for the best spot."""
    down: float | None = None
    """Likewise from its upper edge."""
    is_other_spot: bool = field(default=False, kw_only=True)
    """Whether only the spot is new, so that a file that was made stays."""
    is_ordered: bool = field(default=False, kw_only=True)
    """Whether its file was ordered, whose progress is shown from then on."""
    is_begun: bool = field(default=False, kw_only=True)

    @property
    def scale(self) -> int:
        """How many times larger each side is."""
        return SIZES[self.size]

    @property
    def draw(self) -> Draw:
        """The detail that is chosen."""
        return DRAWS[self.number]

    @property
    def kind(self) -> tuple[object, ...]:
        """What decides how long a megapixel takes."""
        return self.scale, self.restore, self.draw.temperature > 0


class Enlarging(Run):
    """Makes the file for the download.

    Args:
        steps: as of `Run`.
        shown: what is enlarged.
    """

    def __init__(self, steps: Callable[[Job], Steps], shown: _Shown) -> None:
        super().__init__(steps)
        self.shown = shown


class EnlargePane:
    """The download of what a tab shows, in its own size or larger; made inside a `gr.Blocks`.

    It is about the chosen coloring of the session's current photo, or about that photo as it is
    where it has no coloring.

    Args:
        enlarger: samples the detail; without one there is no choice of a size.
        session: holds the visitor's `PhotoSession`.
        status: line in which errors of the download in the photo's own size are told.
        prefix: of the elem_ids.

    Attributes:
        plain: the download in the photo's own size, for whoever builds the tab to connect.
        format: the choice of its format.
    """

    def __init__(
        self,
        enlarger: Enlarger | None,
        session: gr.State,
        status: gr.HTML,
        prefix: str = "",
    ) -> None:
        self._enlarger = enlarger
        self._seconds: dict[tuple[object, ...], float] = {}
        """A megapixel of work on this machine, as measured last, by `Look.kind`."""
        with gr.Column(visible=False, elem_id=f"{prefix}keep") as self.column:
            with gr.Row(elem_id=f"{prefix}keep-row") as self.row:
                self.plain = Download(prefix, status)
                self.format = gr.Radio(
                    list(SUFFIXES),
                    value=OWN_FORMAT,
                    label="Save as",
                    info="Its own is JPEG for a JPEG. A JPEG is small; a PNG loses nothing.",
                    elem_id=f"{prefix}format",
                )
            self.size = gr.Radio(
                list(SIZES),
                value=AS_IT_IS,
                label=_SIZE,
                info=_ABOUT_SIZE,
                visible=enlarger is not None,
                elem_id=f"{prefix}size",
            )
            self._build_detail(f"{prefix}enlarge")
        self.components = [*self.emptied(None), self.button]
        self._connect(session)

    def _build_detail(self, prefix: str) -> None:
        enlarger = self._enlarger
        with gr.Column(visible=False, elem_id=prefix) as self.detail:
            gr.HTML(_HEADING, elem_id=f"{prefix}-heading")
            self.restore = gr.Checkbox(
                label="Clear up an old photo",
                info=_ABOUT_RESTORING,
                visible=enlarger is not None and enlarger.can_restore,
                elem_id=f"{prefix}-restore",
            )
            self.picture = picture(f"{prefix}-picture", height=240)
            self.across, self.down, self.put_button = place_in_numbers(
                f"{prefix}-", "Give a spot in numbers", "Show this spot"
            )
            self.samples = gr.Gallery(
                show_label=False,
                format="png",
                allow_preview=False,
                interactive=False,
                buttons=[],
                columns=len(DRAWS) + 1,
                elem_id=f"{prefix}-samples",
                elem_classes="enlarge-samples",
            )
            with gr.Row():
                self.button = gr.Button("Enlarge", variant="primary", elem_id=f"{prefix}-go")
                self.cancel = gr.Button("Cancel", visible=False, elem_id=f"{prefix}-cancel")
                self.download = gr.DownloadButton(
                    "Download", visible=False, variant="primary", elem_id=f"{prefix}-download"
                )
            self.status = status_line("", f"{prefix}-status")

    def _connect(self, session: gr.State) -> None:
        shown = self.components
        self._wishes = wishes = [session, self.size, self.restore]
        spot = [self.across, self.down]
        self._begun = begun = {**AFTERWARDS, "show_progress": "full"}
        begun["show_progress_on"] = self.status
        for looked in (
            self.picture.select(self.point_at, wishes, spot, **AT_ONCE),
            self.put_button.click(self.put, [*wishes, *spot], None, **AT_ONCE),
            self.size.input(self.resize, [*wishes, *spot], shown, **AT_ONCE),
            self.restore.input(self.resize, [*wishes, *spot], shown, **AT_ONCE),
        ):
            looked.then(self.show, [session], shown, **begun)
        self.runs = runs = Runs(session, self.status, self.cancel, lambda _: self.outdated())
        values = [*wishes[1:], self.format]
        runs.connect(self.button.click, self.enlarge, values, shown, {**begun, **LONG_QUEUE})
        runs.connect_cancel(shown)
        self.samples.select(self.choose, wishes, shown, **AT_ONCE)
        self.format.input(self.stopped, wishes, shown, **AT_ONCE)

    def follow(self, saturated: gr.events.Dependency) -> None:
        """Show the detail anew after an event that gives the coloring other colors."""
        values, shown = [*self._wishes, self.across, self.down], self.components
        looked = saturated.then(self.recolored, values, shown, **AT_ONCE)
        looked.then(self.show, values[:1], shown, **self._begun)

    # what is shown

    def emptied(self, current: ColoredPhoto | None, size: str = AS_IT_IS) -> Updates:
        """The part as it is before a spot is shown.

        Args:
            current: the photo that the visitor looks at, if any.
            size: one of `SIZES`.
        """
        colored = current is not None and current.chosen is not None
        plain: dict[str, Any] = {"visible": colored and size == AS_IT_IS}
        if current:
            plain["value"] = f"Download, {current.photo.width} × {current.photo.height} pixels"
        can_be_kept = colored or (current is not None and self._enlarger is not None)
        return {
            self.column: gr.update(visible=can_be_kept),
            self.row: gr.update(visible=colored or size != AS_IT_IS),
            self.plain.button: gr.update(**plain),
            self.size: gr.update(value=size, label=_SIZE if colored else _ONLY_LARGER),
            self.detail: gr.update(visible=size != AS_IT_IS),
            self.picture: None,
            self.samples: None,
            self.cancel: gr.update(visible=False),
            self.across: None,
            self.down: None,
            **self.outdated(),
        }

    def outdated(self) -> Updates:
        """No download: none was made for these choices."""
        return {
            self.download: gr.update(value=None, visible=False),
            self.button: gr.update(visible=True),
            self.status: "",
        }

    def interrupted(self, session: Session[Any]) -> Updates:
        """End an enlargement that waits or is made, if there is one."""
        if not isinstance(session.job, Enlarging) or session.job.state == "ended":
            return {}
        session.stop()
        return {self.cancel: gr.update(visible=False), **self.outdated()}

    def stopped(self, session: PhotoSession, size: str, restore: bool) -> Updates:
        """No download, and no enlargement that would bring one."""
        current, look = session.current, Look(size, restore, _chosen(session))
        said = self._said(current.photo, look) if current else ""
        return {**self.outdated(), **self.interrupted(session), self.status: said}

    def choose(
        self, session: PhotoSession, size: str, restore: bool, event: gr.SelectData
    ) -> Updates:
        """Choose one of `DRAWS`; the first piece is the photo as it is.

        An enlargement that still waits for its turn makes this one.
        """
        index = int(event.index)
        chosen = {self.samples: gr.update(selected_index=index)}
        with session.taking(session.beginning):  # it is begun before or after this, not meanwhile
            job = session.job
            if session.look:
                session.look.number = max(0, index - 1)
            if isinstance(job, Enlarging) and job.state == "waiting" and not job.end:
                return chosen
            return {**chosen, **self.stopped(session, size, restore)}

    # a spot

    def point_at(
        self, session: PhotoSession, size: str, restore: bool, event: gr.SelectData
    ) -> tuple[int, int]:
        """Take the spot where the picture was clicked; returns it in pixels of the photo."""
        scale = session.current.photo.preview_scale if session.current else 1.0
        x, y = (round(one / scale) for one in event.index)
        self.put(session, size, restore, x, y)
        return x, y

    def put(self, session: PhotoSession, size: str, restore: bool, *spot: Any) -> None:
        """Take a spot; an enlargement goes on meanwhile."""
        session.look = Look(size, restore, _chosen(session), *spot, is_other_spot=True)

    def resize(self, session: PhotoSession, size: str, restore: bool, *spot: Any) -> Updates:
        """Take another size, or another way."""
        session.look = Look(size, restore, 0, *spot)
        return {**self.outdated(), **self.interrupted(session)}

    def recolored(self, session: PhotoSession, size: str, restore: bool, *spot: Any) -> Updates:
        """Show the same spot in other colors of the coloring."""
        self.put(session, size, restore, *spot)
        current, job, shown = session.current, session.job, None
        if current and session.look.scale > 1:
            shown = str(_Shown(current).preview)
        if current and isinstance(job, Enlarging) and job.shown.coloring is current.chosen:
            return {self.picture: shown}  # ordered after the change, it has these colors
        return {**self.stopped(session, size, restore), self.picture: shown}

    def show(self, session: PhotoSession) -> Iterator[Updates]:
        """Show what the visitor has asked for last: the detail at a spot, or nothing of it."""
        look, current = session.look, session.current
        if look is None or look.is_begun or current is None:
            yield {self.status: gr.skip()}
            return
        look.is_begun, chosen = True, current.chosen

        def is_over() -> bool:
            wanted = session.look, session.current, current.chosen
            return wanted != (look, current, chosen)

        try:
            if look.size == AS_IT_IS:
                yield self.emptied(current)
                return
            size_of_result(current.photo, look.scale)
            for updates in self._spot(current, look):
                if is_over():
                    return
                yield updates
        except FAILURES as error:
            if not is_over():  # otherwise its files may have gone
                yield {
                    self.plain.button: gr.update(visible=False),
                    self.detail: gr.update(visible=True),
                    self.status: problem(error),
                }
        finally:
            session.delete_if_closed()

    def _spot(self, current: ColoredPhoto, look: Look) -> Iterator[Updates]:
        shown, scale = _Shown(current), look.scale
        if look.across is None or look.down is None:
            reduced = shown.photo.preview_scale
            found = best_spot(read_photo(shown.preview), reduced * PIECE_SIDE / scale)
            spot = round(found[0] / reduced), round(found[1] / reduced)
        else:
            spot = round(look.across), round(look.down)
        if not look.is_other_spot:
            about_file = {
                **self.emptied(current, look.size),
                self.status: line("Predicting the detail ..."),
            }
            yield {
                **({} if look.is_ordered else about_file),
                self.picture: str(shown.preview),
                self.button: gr.update(value=f"Enlarge {look.size}"),
            }
        yield {self.across: spot[0], self.down: spot[1]}
        pieces: list[tuple[str, str]] = []
        for caption, pixels in self._pieces(shown, look, spot):
            # A name of its own for each spot: browsers keep what they have seen.
            path = shown.folder / f"spot-{time.monotonic_ns()}.png"
            write_preview(path, pixels, photo_from_image(pixels))
            pieces.append((str(path), caption))
            # Fewer pieces than before have moved the mark of the chosen one.
            mark: dict[str, Any] = {"selected_index": look.number + 1} if look.is_other_spot else {}
            yield {self.samples: gr.update(value=pieces, **mark)}
        if not (look.is_other_spot or look.is_ordered):
            yield {self.status: self._said(current.photo, look)}

    def _pieces(
        self, shown: _Shown, look: Look, spot: tuple[float, float]
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Captions and pictures of the spot: as it is, then with each detail."""
        assert self._enlarger
        scale = look.scale
        with shown.photo.read() as photo:
            columns = _around(spot[0], photo.width, scale)
            rows = _around(spot[1], photo.height, scale)
            if shown.coloring is None:
                colored = np.atleast_3d(photo.pixels[rows, columns])
                colored = np.broadcast_to(colored, (*colored.shape[:2], 3))
            else:
                colored = render(LightnessRows(photo.pixels), shown.coloring.ab)[rows, columns]
            part = Photo(pixels=np.ascontiguousarray(colored))
            yield AS_IT_IS, part.pixels.repeat(scale, 0).repeat(scale, 1)
            for number, draw in enumerate(DRAWS):
                began = time.perf_counter()
                lightness = self._enlarger.piece(
                    photo, scale, draw.temperature, draw.seed, rows, columns, restore=look.restore
                )
                self._measure(replace(look, number=number), photo, began, PIECE_SIDE // scale)
                caption = f"Sample {number}" if number else "Average of all"
                yield caption, paint(part, lightness)

    # the file

    def enlarge(self, session: PhotoSession, size: str, restore: bool, format_: str) -> Run:
        """Make what is shown larger, with the chosen detail.

        Args:
            session: the visitor's.
            size: one of `SIZES`.
            restore: whether blur, noise and compression are taken out.
            format_: one of `SUFFIXES`.
        """
        current, look = session.require(), Look(size, restore)
        if look.scale == 1:  # the size was taken back just before the button was pressed
            raise ColorflowError("Choose a size first.")
        shown = _Shown(current)
        width, height = size_of_result(shown.photo, look.scale)
        suffix = SUFFIXES[format_] or shown.photo.suffix
        if session.look:
            session.look.is_ordered = True

        def steps(job: Job) -> Steps:
            look.number = _chosen(session)
            own = look.draw.label_of(look.scale, restored=look.restore)
            path = shown.folder / f"{shown.stem}_{own}{suffix}"
            began = time.perf_counter()
            for share in self._written(shown, look, path):
                if job.end:
                    return {self.status: line("Cancelled; nothing was made.")}
                yield {self.status: _enlarged(share, time.perf_counter() - began)}
            seconds = time.perf_counter() - began
            label = f"Download, {width} × {height} pixels"
            return {
                self.button: gr.update(visible=False),
                self.download: gr.update(value=str(path), label=label, visible=True),
                self.status: line(f"Enlarged in {seconds:.0f} s."),
            }

        return Enlarging(steps, shown)

    def _written(self, shown: _Shown, look: Look, path: Path) -> Generator[float, None, None]:
        """Write the file, unless it is there already; yields the share that is done."""
        assert self._enlarger
        yield 0.0
        if path.exists():
            return
        scale, draw = look.scale, look.draw
        with shown.photo.read(scale) as photo:
            began = time.perf_counter()
            lightness = yield from self._enlarger.steps(
                photo, scale, draw.temperature, draw.seed, restore=look.restore
            )
            yield 1.0  # who cancels during the last step gets no file
            if shown.coloring is None:
                pixels = paint(photo, lightness, bits=photo.bits)
                provenance = read_statements(shown.photo.path, isolated=True).colors
            else:
                pixels = render(lightness, shown.coloring.ab, bits=photo.bits)
                provenance = shown.coloring.provenance
            del lightness
            shown.photo.budget.disk.check()
            write_image(
                path,
                pixels,
                photo.enlarged(pixels),
                provenance=provenance,
                enlargement=Enlargement(
                    scale=scale,
                    seed=draw.seed,
                    temperature=draw.temperature,
                    model=self._enlarger.digest,
                    restored=look.restore,
                ),
            )
            self._measure(look, photo, began)

    # how long it takes

    def _measure(self, look: Look, photo: Photo, began: float, piece: int | None = None) -> None:
        work = self._work(look, photo, piece)
        self._seconds[look.kind] = (time.perf_counter() - began) / work

    def _work(self, look: Look, photo: Photo | UploadedPhoto, piece: int | None = None) -> float:
        assert self._enlarger
        size = photo.height, photo.width
        return self._enlarger.work(*size, look.scale, restore=look.restore, piece=piece)

    def _said(self, photo: UploadedPhoto, look: Look) -> str:
        """What is said of a result before it is made; nothing where none is to be made."""
        scale = look.scale
        if scale == 1:
            return ""
        said = f"The result will have {scale * photo.width} × {scale * photo.height} pixels"
        if (rate := self._seconds.get(look.kind)) is not None:
            said += f", and takes {in_words(rate * self._work(look, photo))}"
        return line(f"{said}.")


def _chosen(session: PhotoSession) -> int:
    """The number of the detail in `DRAWS` that the visitor has chosen."""
    return session.look.number if session.look else 0


class _Shown:
    """What is enlarged, even if the visitor goes on to something else.

    Args:
        current: the photo that the visitor looks at.
    """

    def __init__(self, current: ColoredPhoto) -> None:
        self.photo, self.coloring = current.photo, current.chosen
        coloring = self.coloring
        self.preview = coloring.preview if coloring else self.photo.preview
        self.folder = coloring.folder if coloring else self.photo.folder
        self.stem = coloring.stem if coloring else self.photo.path.stem


def _enlarged(share: float, seconds: float) -> str:
    """How far an enlargement is, and how long it still takes, by how long it has taken."""
    percent = int(100 * share)
    said = f"{percent} % of the picture is enlarged"
    if 0 < share < 1:
        said += f"; the rest takes {in_words(seconds * (1 - share) / share)}"
    return progress(percent, 100, f"{said}.")


def in_words(seconds: float) -> str:
    """A time that is not known exactly: seconds to tens, minutes to whole ones."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 95:
        return f"about {10 * math.ceil(seconds / 10)} s"
    return f"about {math.ceil(seconds / 60)} minutes"


def _around(center: float, size: int, scale: int) -> slice:
    """The pixels of a photo that a piece shows, on one of its axes."""
    side = min(size, PIECE_SIDE // scale)
    start = round(center) - side // 2
    start = min(max(0, start), size - side)
    return slice(start, start + side)


def size_of_result(photo: UploadedPhoto, scale: int) -> tuple[int, int]:
    """Width and height of an enlarged photo in pixels.

    Raises:
        ColorflowError: they are more than this page makes.
    """
    width, height = scale * photo.width, scale * photo.height
    most = min(photo.budget.pixels, MAX_RESULT_PIXELS)
    if width * height > most:
        raise ColorflowError(
            f"The result would have {width * height / 1e6:.0f} megapixels; this page makes at most "
            f"{most / 1e6:.0f}. Choose a smaller size."
        )
    return width, height
