"""The part of the tab that makes an old print ready to be colored: cut out, turned, repaired."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.ui.album import AlbumSession
from colorflow.ui.colorings import ColoredPhoto
from colorflow.ui.controls import place_in_numbers
from colorflow.ui.panes import AFTERWARDS, AT_ONCE, FOR_LONG, compare_html, one_at_a_time, script
from colorflow.ui.photos import file_url
from colorflow.ui.prepared import MOST_PLACES, Corners, OldPrint, Wish
from colorflow.ui.runs import Run, Runs, Steps
from colorflow.ui.session import Job
from colorflow.ui.status import FAILURES, Updates, line, problem, progress, status_line, worked

if TYPE_CHECKING:
    from colorflow.repair.repairer import Repairer

_ABOUT = """
<p>For a print that was scanned or photographed with what is around it, or that has cracks. It is
done to the photo that is open. What was uploaded is kept, so that all of it can be taken back.</p>
"""
_SENSITIVITIES = {"Least": -2, "Less": -1, "Normal": 0, "More": 1, "Most": 2}
_RADII = {"Small": 1 / 400, "Medium": 1 / 150, "Large": 1 / 50}
"""Of what a visitor adds, divided by the photo's longer side."""
_CORNERS = ("Upper left", "Upper right", "Lower right", "Lower left")
_NO_WEIGHTS = "This page cannot repair: the weights for it are not installed."
_ABOUT_REPAIR = "Finds cracks, scratches, dust and spots, and fills them in; nothing else changes."
_ABOUT_FADES = "A pale print gets its dark and light tones again."
_ABOUT_PLACES = """
<p>The colored places are repaired. Click one to leave it as it is; click or draw anywhere else to
have that repaired, too.</p>
"""


class Preparing(Run):
    """Makes a photo ready to be colored."""


class PreparePane:
    """The part, made inside a `gr.Blocks`.

    Args:
        repairer: finds and fills damage; without one the switch says that it is missing.
        session: holds the visitor's `AlbumSession`.
        view: gives everything that the tab shows of the photo that is open.
    """

    def __init__(
        self,
        repairer: Repairer | None,
        session: gr.State,
        view: Callable[[AlbumSession], Updates],
    ) -> None:
        self._repairer, self._session, self._view = repairer, session, view
        buttons = script("prepare.js")
        with gr.Accordion(
            "Old print: cut out and repair", open=False, visible=False, elem_id="prepare"
        ) as self.part:
            gr.HTML(_ABOUT, elem_id="prepare-info")
            self.frame = gr.HTML("", js_on_load=buttons, elem_id="prepare-frame")
            with gr.Row():
                self.repairs = gr.Checkbox(
                    label="Repair cracks and spots",
                    info=_ABOUT_REPAIR if repairer else _NO_WEIGHTS,
                    interactive=repairer is not None,
                    min_width=250,
                    elem_id="prepare-repair",
                )
                self.fades = gr.Checkbox(
                    label="Bring back faded tones",
                    info=_ABOUT_FADES,
                    min_width=250,
                    elem_id="prepare-fades",
                )
            with gr.Column(visible=False, elem_id="prepare-found") as self.found:
                self._build_places(buttons)
            with gr.Row():
                self.button = gr.Button(
                    "Repair these places", visible=False, variant="primary", elem_id="prepare-go"
                )
                self.cancel = gr.Button("Cancel", visible=False, elem_id="prepare-cancel")
            self.status = status_line("", "prepare-status")
            self.compare = gr.HTML(
                "",
                js_on_load=script("compare.js"),
                apply_default_css=False,
                elem_id="prepare-compare",
            )
        self.runs = Runs(session, self.status, self.cancel, lambda _: {})
        self.components = [
            self.part, self.frame, self.repairs, self.fades, self.found, self.sensitivity,
            self.places, self.across, self.down, self.undo_button, self.button, self.cancel,
            self.status, self.compare,
        ]  # fmt: skip

    def _build_places(self, buttons: str) -> None:
        self.sensitivity = gr.Radio(
            list(_SENSITIVITIES.items()),
            value=Wish().sensitivity,
            label="Find",
            info="Least finds what is surely damage, most all that may be.",
            elem_id="prepare-sensitivity",
        )
        self.places = gr.HTML("", js_on_load=buttons, elem_id="prepare-places")
        self.size = gr.Radio(
            list(_RADII.items()),
            value=_RADII["Medium"],
            label="Size of what you add",
            info="A click adds a round place, a drawn line a stroke.",
            elem_id="prepare-size",
        )
        self.across, self.down, self.put_button = place_in_numbers(
            "prepare-", "Give a place in numbers", "Add or take back this place"
        )
        self.undo_button = gr.Button("Undo", size="sm", interactive=False, elem_id="prepare-undo")

    def connect(self, shown: list[Any]) -> None:
        """Connect the handlers; `shown` is what `view` gives."""
        session, edited = [self._session], self.components
        switches = [*session, self.repairs, self.fades]
        wish_repair = one_at_a_time(self.wish_repair)
        for wished in (
            self.frame.select(one_at_a_time(self.wish_frame), session, edited, **AT_ONCE),
            self.repairs.input(wish_repair, switches, edited, **AT_ONCE),
            self.fades.input(wish_repair, switches, edited, **AT_ONCE),
            # Behind what was drawn just before it was pressed.
            self.button.click(one_at_a_time(self.begin), session, edited, **AFTERWARDS),
        ):
            wished.then(self.work, session, shown, **FOR_LONG)
        changes: list[tuple[Any, Any, list[Any]]] = [
            (self.sensitivity.input, self.find, [self.sensitivity]),
            (self.places.select, self.draw, [self.size]),
            (self.put_button.click, self.put, [self.size, self.across, self.down]),
            (self.undo_button.click, self.undo, []),
        ]
        for event, handler, values in changes:
            event(one_at_a_time(handler), [*session, *values], edited, **AFTERWARDS)
        self.runs.connect_cancel(edited)

    # what is shown

    def shown(self, session: AlbumSession) -> Updates:
        """The part as it is for the photo that is open."""
        photo = session.current
        if photo is None:
            return {self.part: gr.update(visible=False)}
        try:
            old = old_print_of(photo)
            is_prepared = photo.photo is not old.scan
            is_open = photo.chosen is None and (bool(old.frames) or is_prepared)
            return {
                self.part: gr.update(visible=True, open=is_open),
                self.status: "",
                self.cancel: gr.update(visible=False),
                **self._wishes(old),
            }
        except FAILURES as error:
            return {self.part: gr.update(visible=True), self.status: problem(error)}

    def _wishes(self, old: OldPrint) -> Updates:
        """What the visitor has wished, and what came of it."""
        made = old.made
        compared = ""
        if made.repairs or made.fades:
            base = old.base
            before, after = base.preview, old.photo.preview
            compared = compare_html(base, before, after, "prepared")
        wish = old.wish
        return {
            self.frame: _frame_html(old),
            self.repairs: wish.repairs,
            self.fades: wish.fades,
            self.compare: compared,
            self.found: gr.update(visible=made.repairs),
            self.across: None,
            self.down: None,
            self.sensitivity: wish.sensitivity,
            self.button: gr.update(visible=old.is_stale),
            **(self._places(old) if made.repairs else {}),
        }

    def _places(self, old: OldPrint) -> Updates:
        """The places that are repaired."""
        overlay, base = old.places(), old.base
        return {
            self.places: (
                f"{_ABOUT_PLACES}"
                f'<div class="prepare-stage places" style="--ratio:{base.width / base.height:.4f}">'
                f'<img src="{file_url(base.preview)}" alt="Your photo; click it to add a place to '
                'repair, or to take one back">'
                f'<img src="{file_url(overlay)}" alt="The places that are repaired" '
                'draggable="false">'
                '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
                "<polyline/></svg></div>"
            ),
            self.undo_button: gr.update(interactive=bool(old.wish.marks)),
            self.button: gr.update(visible=old.is_stale),
        }

    def _said(self, old: OldPrint) -> str:
        """What there is to know of a photo that was prepared."""
        if old.is_stale:
            return "Repair these places shows the result; Colorize repairs them, too."
        made, photo = old.made, old.photo
        said = f"The photo to be colored has {photo.width} × {photo.height} pixels"
        if not made.repairs:
            return f"{said}."
        if not old.share:
            return "No damage was found; choose Most, or click the places that you see."
        return f"{said}, {100 * old.share:.2g} % of which are repaired."

    # wishes, each made by `prepare` afterwards

    def wish_frame(self, session: AlbumSession, event: gr.SelectData) -> Updates:
        """Take what was pressed beside the frame, and the corners as they are."""
        _stop(session)

        def wished(photo: ColoredPhoto) -> Updates:
            old = old_print_of(photo)
            act, number = str(event.index), str(event.index).removeprefix("print")
            if act == "whole":
                old.corners = old.whole
            elif number in map(str, range(len(old.frames))):
                old.corners = old.frames[int(number)]
            else:
                # Of two quick turns, the second one still has them as they were before the first.
                seen: Any = getattr(event, "turns", None)
                turns = int(seen) if seen in range(4) else old.wish.turns
                old.put_corners(_points_of(event.value), turns)
            if act in ("left", "right"):
                old.turn(1 if act == "right" else -1)
            elif act in ("cut", "whole"):
                old.cut()
            return {**self.begin(session), self.frame: _frame_html(old)}

        return worked(session, self.status, wished)

    def wish_repair(self, session: AlbumSession, repairs: bool, fades: bool) -> Updates:
        """Take the switches."""
        _stop(session)

        def wished(photo: ColoredPhoto) -> Updates:
            old = old_print_of(photo)
            can_repair = self._repairer is not None
            old.wish = replace(old.wish, repairs=repairs and can_repair, fades=fades)
            return self.begin(session)

        return worked(session, self.status, wished)

    def begin(self, session: AlbumSession) -> Updates:
        """Say that what is wished waits, unless it is made; what is at work goes on."""
        return {self.status: line("Waiting for its turn ...") if _waits(session) else ""}

    def work(self, session: AlbumSession) -> Iterator[Updates]:
        """Make what is wished, when it is its turn: all photos of an album are colored before."""
        session.catch_up()
        if not _waits(session):
            yield {self.status: gr.skip()}
            return
        yield self.runs.begin(self.prepare, session)
        yield from self.runs.work(self.prepare, session)

    def prepare(self, session: AlbumSession) -> Run:
        """Make what is wished of the photo that is open, and show it."""
        photo = session.require()
        old = old_print_of(photo)

        def steps(job: Job) -> Steps:
            began = time.perf_counter()
            try:
                for shown in self._made(photo, old, job):
                    # Each time: the end of the job before may come once more after the first.
                    yield {**shown, self.cancel: gr.update(visible=True)}
                said = "Cancelled." if job.end else f"Done in {time.perf_counter() - began:.1f} s."
                said = line(f"{said} {self._said(old)}")
            except FAILURES as error:
                said = problem(error)
            return {**self._view(session), self.part: gr.update(open=True), self.status: said}

        return Preparing(steps)

    def before_coloring(
        self, session: AlbumSession, photo: ColoredPhoto, job: Job
    ) -> Iterator[Updates]:
        """Make what is wished and has not been made, such as places that have been changed."""
        session.catch_up()
        old = photo.old_print
        if old and old.is_stale:
            yield from self._made(photo, old, job)
            if session.current is photo:
                yield self._view(session)

    def _made(self, photo: ColoredPhoto, old: OldPrint, job: Job) -> Iterator[Updates]:
        with closing(old.steps(self._repairer, photo.replace_photo)) as steps:
            for share in steps:
                if job.end:
                    return
                percent = int(100 * share)
                said = f"{percent} % of the photo is prepared."
                yield {self.status: progress(percent, 100, said)}

    # places

    def find(self, session: AlbumSession, sensitivity: int) -> Updates:
        """Find less or more, one of `_SENSITIVITIES`."""
        return self._changed(session, lambda old: old.find(sensitivity))

    def draw(self, session: AlbumSession, size: float, event: gr.SelectData) -> Updates:
        """Add a place where the picture was clicked or drawn on, or take one back."""

        def change(old: OldPrint) -> None:
            width, height = old.base.width, old.base.height
            points = [(x * width, y * height) for x, y in _points_of(event.value)]
            old.mark(points, size)

        return self._changed(session, change)

    def put(
        self, session: AlbumSession, size: float, across: float | None, down: float | None
    ) -> Updates:
        """Add or take back a place that is given in numbers."""
        if across is None or down is None:
            said = line("Say how far the place is across and down.", bad=True)
            return {self.status: said}
        return self._changed(session, lambda old: old.mark([(across, down)], size))

    def undo(self, session: AlbumSession) -> Updates:
        """Take the last change of the places back."""
        return self._changed(session, OldPrint.undo)

    def _changed(self, session: AlbumSession, change: Callable[[OldPrint], object]) -> Updates:
        _stop(session)

        def changed(photo: ColoredPhoto) -> Updates:
            old = old_print_of(photo)
            change(old)
            return {**self._places(old), self.status: line(self._said(old))}

        return worked(session, self.status, changed)


def _waits(session: AlbumSession) -> bool:
    """Whether something is wished of the photo that is open, and not made."""
    photo = session.current
    return bool(photo and photo.old_print and photo.old_print.is_stale)


def _stop(session: AlbumSession) -> None:
    """End the preparation at work, if any, which would change what is wished at its end."""
    if isinstance(session.job, Preparing):
        session.stop()


def old_print_of(photo: ColoredPhoto) -> OldPrint:
    """What is wished of a photo and has been made of it; prints are looked for the first time.

    Raises:
        ColorflowError: its preview cannot be read any more.
    """
    if photo.old_print is None:
        photo.old_print = OldPrint(photo.photo)
    return photo.old_print


def _points_of(value: object) -> Corners:
    """Points that the page has sent.

    Raises:
        ColorflowError: it has sent something else.
    """
    points = value if isinstance(value, list) and len(value) <= MOST_PLACES else []
    found: list[tuple[float, float]] = []
    for point in points:
        x, y = point if isinstance(point, list) and len(point) == 2 else (None, None)
        if isinstance(x, int | float) and isinstance(y, int | float) and math.isfinite(x + y):
            found.append((float(x), float(y)))
    if not found or len(found) < len(points):
        raise ColorflowError("Each place is two numbers, across and down; fill in the fields.")
    return tuple(found)


def _frame_html(old: OldPrint) -> str:
    """HTML of the upload with the frame over it, and of what can be done; see prepare.js."""
    (width, height), corners = old.turned_size, old.turned_corners
    found, is_cut = len(old.frames), old.made.frame is not None
    said = "Drag the corners to those of the print, and cut it out."
    if found:
        said = "A print was found. Correct its corners if they are wrong, and cut it out."
    if found > 1:
        said = f"{found} prints were found. Choose one, and cut it out; another one can follow."
    if is_cut:
        said = "This is cut out. Other corners can be cut out instead."
    names = [f"Print {number + 1}" for number in range(found)] if found > 1 else ["Found print"]
    prints = [_button(f"print{number}", name) for number, name in enumerate(names[:found])]
    handles, fields = "", ""
    for number, name in enumerate(_CORNERS):
        handles += f'<button type="button" class="corner" aria-label="{name} corner"></button>'
        for axis, most in (("across", width), ("down", height)):
            fields += (
                f'<label>{name}, {axis}<input type="number" min="0" max="{most}" step="any" '
                f'value="{corners[number][axis == "down"]:.1f}"></label>'
            )
    acts = (
        _button("cut", "Cut out", "primary"),
        _button("whole", "Use the whole scan"),
        _button("left", "Turn left"),
        _button("right", "Turn right"),
    )
    return (
        f"<p>{html.escape(said)}</p>"
        f'<div class="prepare-stage frame" style="--ratio:{width / height:.4f}" '
        f'data-width="{width}" data-height="{height}" data-turns="{old.wish.turns}">'
        f'<img src="{file_url(old.turned_preview())}" alt="What was uploaded, with the '
        'frame that is cut out" draggable="false">'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="outside"/><path class="inside"/></svg>{handles}</div>'
        f'<div class="prepare-acts">{"".join([*prints, *acts])}</div>'
        "<details><summary>Give the corners in numbers</summary>"
        f'<div class="prepare-corners">{fields}</div></details>'
    )


def _button(act: str, text: str, kind: str = "") -> str:
    return f'<button type="button" class="{kind}" data-act="{act}">{text}</button>'
