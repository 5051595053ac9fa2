"""The tab that colors photos: the desk. Its components, and what each event does to a desk."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.color.swatches import ab_of
from colorflow.errors import ColorflowError
from colorflow.limits import LARGEST_SATURATION
from colorflow.photo import KINDS
from colorflow.ui.coloring import Options
from colorflow.ui.desk import MOST_PHOTOS, Desk, WishKind, points_of
from colorflow.ui.files import SUFFIXES
from colorflow.ui.hints import REACHES
from colorflow.ui.limits import (
    DESK_PREFIX,
    LONG_QUEUE,
    MOST_VIVID,
    MOST_WISHED,
    WORK_QUEUE,
    UploadSpace,
)
from colorflow.ui.photos import FAILURES, new_folder, sentence, storing
from colorflow.ui.render import EXAMPLES, SAMPLE_PHOTOS, STATUS, Updates, render
from colorflow.ui.work import NO_REPAIR, DeskWorker, run

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

SIZES = {"As it is": 1, "×2": 2, "×4": 4}
_KINDS = {"Summary": False, "Single samples": True}
_BESIDE = {"Its own colors": False, "Its gray": True}
_SENSITIVITIES = {"Least": -2, "Less": -1, "Normal": 0, "More": 1, "Most": 2}
_RADII = {"Small": 1 / 400, "Medium": 1 / 150, "Large": 1 / 50}
"""Of a stroke over the places, divided by the photo's longer side; see `Mark`."""
_ABOUT_REFERENCES = """
<p>Photos in color of something similar: the same house today, another garden in June. What is alike
gets their colors.</p>
"""
QUICK: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "concurrency_id": "desk",
    "concurrency_limit": 16,
    "api_visibility": "private",
}
"""Options of events that change a desk at once."""
_FIELD: dict[str, Any] = {**QUICK, "trigger_mode": "always_last"}
"""The same for fields, of whose values the last one counts."""
_QUEUES: dict[WishKind, dict[str, Any]] = {
    "album": LONG_QUEUE,
    "finish": {"concurrency_id": "finish", "concurrency_limit": 2},
}
"""The queues of wishes, by which few are worked on at the same time; `WORK_QUEUE` for others."""

Act = Callable[..., Any]
Works = tuple[WishKind, ...]


class Desks:
    """The desks of all visitors, by the names of their sessions. Thread-safe.

    Args:
        root: for their folders; a desk goes when its folder is swept.
        most_pixels: that a picture may have.
    """

    def __init__(self, root: Path, most_pixels: int = 10**9) -> None:
        self._root, self._most_pixels = root, most_pixels
        self._desks: dict[str | None, Desk] = {}
        self._lock = threading.Lock()

    def of(self, session: str | None) -> Desk:
        """The desk of a session; an empty one if the session is new, or was idle for too long."""
        with self._lock:
            desk = self._desks.get(session)
            if desk is None or not desk.folder.exists():
                desk = Desk(new_folder(self._root, DESK_PREFIX), self._most_pixels)
                self._desks[session] = desk
            return desk

    def keep(self, seconds: float) -> None:
        """Touch desks whose work waits for its turn, and forget those whose folder has gone.

        Args:
            seconds: after which a wish keeps its desk no longer.
        """
        with self._lock:
            self._desks = {one: desk for one, desk in self._desks.items() if desk.folder.exists()}
            desks = list(self._desks.values())
        for desk in desks:
            with desk.lock:
                if any(time.monotonic() - one.since < seconds for one in desk.wishes.values()):
                    desk.touch()


class ColorizeTab:
    """Components and events of the tab, made inside a `gr.Blocks`.

    Args:
        colorizer: colors the photos.
        space: where uploads go, shared by all visitors.
        enlarger: enlarges them; None if there is none.
        repairer: finds and fills damage of prints; None if there is none.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        space: UploadSpace,
        enlarger: Enlarger | None = None,
        repairer: Repairer | None = None,
    ) -> None:
        self.worker = DeskWorker(colorizer, enlarger, repairer, space)
        self.desks = Desks(space.root, space.budget.pixels)
        self.parts: dict[str, gr.HTML] = {}
        with gr.Column(elem_id="desk"):
            self._part("state")
            with gr.Row(elem_id="photos"):
                with gr.Column(scale=7, min_width=320, elem_id="photos-here"):
                    self._part("strip")
                with gr.Column(scale=4, min_width=320):
                    self._build_photos(space)
            with gr.Row(elem_id="bench"):
                with gr.Column(scale=7, min_width=320, elem_id="picture"):
                    self._part("stage", "stage.js")
                    self._part("gallery")
                with gr.Column(scale=4, min_width=320, elem_id="tools"):
                    self._build_tools()
        self.fields: dict[str, Any] = {
            "saturation": self.saturation,
            "repairs": self.repairs,
            "fades": self.fades,
            "sensitivity": self.sensitivity,
            "reach": self.reach,
            "upload": self.upload,
        }
        self.outputs = [*self.parts.values(), *self.fields.values()]
        self._connect_photos()
        self._connect_prepare()
        self._connect_color()
        self._connect_hints()
        self._connect_others()

    # components

    def _part(self, name: str, script: str = "listen.js") -> None:
        """A part of the page whose buttons send what was pressed."""
        code = Path(__file__).with_name(script).read_text(encoding="utf-8")
        options = {**(STATUS if name == "status" else {}), "js_on_load": code}
        self.parts[name] = gr.HTML("", apply_default_css=False, elem_id=name, **options)

    def _build_photos(self, space: UploadSpace) -> None:
        self.upload = gr.File(
            label="Photos, or a zip of them",
            file_count="multiple",
            height=120,
            elem_id="upload",
            # The browser's dialog offers them first. What is taken is decided by the contents:
            # browsers do not know the names of all photos.
            elem_classes="album",
        )
        self.folder = gr.UploadButton(
            "Choose a whole folder", file_count="directory", size="sm", elem_id="upload-all"
        )
        limits = f"up to {MOST_PHOTOS} photos, a file or an unpacked zip up to {space.megabytes} MB"
        gr.HTML(f"<p>{KINDS}; {limits}.</p>", elem_id="formats")

    def _build_tools(self) -> None:
        worker = self.worker
        self._part("status")
        with gr.Column(elem_id="work"):
            with gr.Accordion("Prepare the print", open=False, elem_id="prepare") as self.print:
                self._build_prepare()
            with gr.Accordion("Color", open=True, elem_id="color"):
                self._build_color()
            has_hints = worker.colorizer.takes_hints
            self.hinting = gr.Accordion("Hints", open=False, visible=has_hints, elem_id="hints")
            with self.hinting:
                self._build_hints()
            with gr.Accordion("Reference", open=False, elem_id="reference"):
                self._build_reference()
            with gr.Accordion("Finish", open=True, elem_id="finish"):
                self._build_finish(worker.files.enlarger)

    def _build_prepare(self) -> None:
        self._part("prepare-views")
        about = "Finds cracks, scratches, dust and spots, and fills them in; nothing else changes."
        can_repair = self.worker.repairer is not None
        about = about if can_repair else NO_REPAIR
        self.repairs = _tick("Repair cracks and spots", about, "repairs", interactive=can_repair)
        with gr.Column(elem_id="damage"):
            about = "Least finds what is surely damage, most all that may be."
            self.sensitivity = _choice("Find", _SENSITIVITIES, 1, about, "sensitivity")
            about = (
                "A click takes a whole crack, a line what lies under it. A line along a colored "
                "place takes back what it covers."
            )
            self.radius = _choice("Width of what you draw", _RADII, 1 / 150, about, "radius")
            self.mark_place = _place("mark", "Add or take back this place")
            self.undo_mark = _small("Undo", "undo-mark")
        about = "A pale print gets its dark and light tones again."
        self.fades = _tick("Bring back faded tones", about, "fades")

    def _build_color(self) -> None:
        with gr.Row():
            self.go = gr.Button("Color", variant="primary", min_width=120, elem_id="go")
            self.more = gr.Button("More like this", min_width=120, elem_id="more")
        about = "Averages of all colorings and of frequent kinds; or single samples, bolder ones."
        self.samples = _choice("Kind", _KINDS, False, about, "view")
        self.n = gr.Slider(1, MOST_WISHED, value=4, step=1, label="How many", elem_id="n")
        about = "0 is calm and the same each time, 1 natural, more is bold."
        self.temperature = _factor("Temperature", MOST_VIVID, about, "temperature")
        about = "Untick it where something else, such as a statue, is taken for skin."
        self.skin = _tick("Skin in the color of skin", about, "skin", value=True)
        self.treat = gr.Button("Treat as gray", elem_id="treat")
        self.treat_all = gr.Button("Treat all of the album as gray", elem_id="treat-all")
        with gr.Row(elem_id="album"):
            self.all = gr.Button("Color the whole album", min_width=120, elem_id="all")
            self.same = gr.Button("Same colors for the album", min_width=120, elem_id="same")
        about = "The photo's own colors, which were not used, or its gray."
        self.beside = _choice("Compare with", _BESIDE, False, about, "beside")
        self.unsure = _small("Show where the model is unsure", "show-unsure")
        self._part("unsure")

    def _build_hints(self) -> None:
        self._part("points")
        with gr.Column(elem_id="free"):
            about = (
                "The thing that you clicked, the place around it alone, or all that looks alike."
            )
            self.reach = _choice("What gets the color", REACHES, "thing", about, "reach")
            about = "Its hue and strength count; how light it is stays the photo's."
            self.picker = gr.ColorPicker(
                "#4a6fa5", label="Any other color", info=about, elem_id="picker"
            )
            self.use = _small("Use this color", "use")
        with gr.Row():
            self.undo_point = _small("Undo", "undo-point")
            self.save_hints = _small("Save hints", "save-hints")
            self.load_hints = gr.UploadButton(
                "Load hints", file_types=[".json"], size="sm", min_width=90, elem_id="load-hints"
            )
        self.point_place = _place("point", "Take this place")

    def _build_reference(self) -> None:
        gr.HTML(_ABOUT_REFERENCES, elem_id="reference-info")
        self.reference = gr.UploadButton(
            "Choose photos in color", file_count="multiple", size="sm", elem_id="refer"
        )
        self._part("references")
        self.strength = _factor("Strength", 1, "How close the colors come to theirs.", "strength")
        with gr.Row():
            self.refer = gr.Button("Color like these", min_width=120, elem_id="refer-go")
            self.where = gr.Button("Show where they speak", min_width=120, elem_id="where")

    def _build_finish(self, enlarger: Enlarger | None) -> None:
        about = "At once: 0 is gray, 1 as it was colored."
        self.saturation = _factor("Saturation", LARGEST_SATURATION, about, "saturation")
        about = "A larger picture gets detail that the photo does not have, made up to suit it."
        self.size = _choice("Size", SIZES, 1, about, "size", visible=enlarger is not None)
        about = "Takes blur, noise and compression out, with a larger size."
        visible = enlarger is not None and enlarger.can_restore
        self.restore = _tick("Clear up an old photo", about, "restore", visible=visible)
        about = "Its own is JPEG for a JPEG. A JPEG is small; a PNG loses nothing."
        formats = dict(zip(SUFFIXES, SUFFIXES, strict=True))
        self.format = _choice("Format", formats, "Its own", about, "format")
        self.download = gr.Button("Download", variant="primary", elem_id="download")
        self._part("file")
        with gr.Column(elem_id="all-files"):
            about = "Otherwise the zip has the one that you chose."
            self.every = _tick("With all colorings of each photo", about, "every")
            self.zip = gr.Button("Download the album in a zip", elem_id="zip")

    # events

    def _connect_photos(self) -> None:
        work, on, parts = self.worker, self.on, self.parts
        on(self.upload.upload, work.open, [self.upload], works=("open",))
        on(self.folder.upload, work.open, [self.folder], works=("open",))
        on(parts["strip"].select, _on_strip, event=True)
        on(parts["status"].select, lambda desk, e: desk.cancel(e.index), event=True)
        on(parts["gallery"].select, lambda desk, e: desk.choose(int(e.index)), event=True)
        works: Works = ("open", "prepare", "ask", "color")
        on(parts["stage"].select, self._on_stage, [self.radius], event=True, works=works)

    def _on_stage(self, desk: Desk, event: gr.EventData, radius: float) -> None:
        """Do what was pressed, clicked or drawn in the large picture."""
        act, points = str(event.value), getattr(event, "points", None)
        if act == "try":
            self.worker.open(desk, [_example(int(event.index), desk.folder)])
        elif act == "point":
            desk.click(*points_of(points)[0])
            self.worker.offer(desk)
        elif act == "hold":
            desk.press_point("hold", int(event.index))
            self.worker.offer(desk)
        elif act == "stroke":
            base = desk.photo.form.base
            desk.mark([(x * base.width, y * base.height) for x, y in points_of(points)], radius)
            self.worker.prepare(desk)
        else:
            desk.put_corners(act, points)
            self.worker.prepare(desk)

    def _connect_prepare(self) -> None:
        def prepared(listen: Any, change: Act, *inputs: Any) -> None:
            def act(desk: Desk, *values: Any) -> None:
                change(desk, *values)
                self.worker.prepare(desk)

            self.on(listen, act, inputs, works=("prepare",))

        def mark(desk: Desk, across: int | None, down: int | None, radius: float) -> None:
            desk.mark([(across, down)], radius)

        across, down, button = self.mark_place
        prepared(self.repairs.input, Desk.repair, self.repairs)
        prepared(self.fades.input, Desk.unfade, self.fades)
        prepared(self.sensitivity.input, Desk.find, self.sensitivity)
        prepared(button.click, mark, across, down, self.radius)
        prepared(self.undo_mark.click, Desk.undo_mark)
        views = self.parts["prepare-views"].select
        self.on(views, self._on_prepare, event=True, works=("prepare",))
        for tool, its_view in ((self.print, "frame"), (self.hinting, "points")):
            self.on(tool.expand, lambda desk, view=its_view: desk.look_for(view))
            self.on(tool.collapse, lambda desk: desk.look_for("photo"))

    def _on_prepare(self, desk: Desk, event: gr.EventData) -> None:
        if event.value == "turn":
            desk.turn(int(event.index))
            self.worker.prepare(desk)
        else:
            desk.look_for(event.index)

    def _connect_color(self) -> None:
        work, on = self.worker, self.on
        settings = [self.n, self.temperature, self.samples, self.skin, self.strength]

        def colored(listen: Any, wish: Act, *works: WishKind) -> None:
            on(listen, lambda desk, *given: wish(desk, Options(*given)), settings, works=works)

        colored(self.go.click, work.color, "color")
        colored(self.refer.click, work.color, "color")
        colored(self.all.click, work.color_all, "open", "album")
        colored(self.same.click, work.same_colors, "album")
        on(self.more.click, work.more, [self.n], works=("color",))
        on(self.treat.click, Desk.treat_as_gray)
        on(self.treat_all.click, lambda desk: desk.treat_as_gray(everything=True))
        on(self.unsure.click, work.unsure, works=("ask",))
        on(self.where.click, work.where_referred, works=("ask",))
        on(self.reference.upload, work.add_references, [self.reference], works=("refer",))
        references = self.parts["references"].select
        on(references, lambda desk, e: desk.remove_reference(int(e.index)), event=True)

    def _connect_hints(self) -> None:
        work = self.worker

        def colored(listen: Any, change: Act, *inputs: Any, event: bool = False) -> None:
            """Color the photo anew if a change of its points asks for it."""

            def act(desk: Desk, *values: Any) -> None:
                before = desk.photo.points.hints
                change(desk, *values)
                if desk.photo.points.hints != before:
                    work.recolor(desk)
                work.offer(desk)

            self.on(listen, act, inputs, event=event, works=("color", "ask"))

        def pressed(desk: Desk, event: gr.EventData) -> None:
            desk.press_point(str(event.value), int(event.index))

        across, down, put = self.point_place
        colored(self.parts["points"].select, pressed, event=True)
        colored(self.reach.input, Desk.spread, self.reach)
        colored(self.use.click, lambda desk, color: desk.color_point(ab_of(color)), self.picker)
        colored(put.click, Desk.put_point, across, down)
        colored(self.undo_point.click, Desk.undo_point)
        self.on(self.load_hints.upload, work.load_hints, [self.load_hints], works=("color",))
        self.on(self.save_hints.click, work.save_hints)

    def _connect_others(self) -> None:
        work, choices = self.worker, [self.size, self.restore, self.format]
        self.on(self.saturation.input, Desk.saturate, [self.saturation])
        self.on(self.beside.input, Desk.compare_with, [self.beside])
        self.on(self.download.click, work.finish, choices, works=("finish",))
        self.on(self.zip.click, work.zip, [self.format, self.every], works=("album",))

    def photo_of(self, request: gr.Request) -> Path | None:
        """The file of the photo that a visitor looks at."""
        desk = self.desks.of(request.session_hash)
        return desk.at.form.photo.path if desk.at else None

    def load(self, page: gr.Blocks) -> None:
        """Show the desk when a page comes, which has nothing yet."""
        self.on(page.load, Desk.begin_page)

    def on(
        self,
        listen: Any,
        act: Act,
        inputs: Sequence[Any] = (),
        *,
        event: bool = False,
        works: Works = (),
    ) -> None:
        """Connect an event.

        Args:
            listen: the event.
            act: changes the desk, given the values of the inputs, under its lock.
            inputs: components.
            event: whether `act` takes the event's data before the values.
            works: kinds of wishes that it may make, which are worked on afterwards.
        """
        names = {own: name for name, own in self.fields.items() if own in inputs}

        def change(desk: Desk, data: gr.EventData, values: tuple[Any, ...]) -> None:
            given = zip(inputs, values, strict=True)
            desk.page_has({names[own]: value for own, value in given if own in names})
            act(desk, *((data,) if event else ()), *values)

        # Gradio gives the request and the event's data to arguments with these annotations.
        def handler(request: gr.Request, data: gr.EventData, *values: Any) -> Iterator[Updates]:
            yield from self.acted(self.desks.of(request.session_hash), change, data, values)

        options = _FIELD if names.keys() - {self.upload} else QUICK
        done = listen(handler, list(inputs), self.outputs, **options)
        for kind in works:
            queue = _QUEUES.get(kind, WORK_QUEUE)
            done.then(self._worker_of(kind), None, self.outputs, **{**QUICK, **queue})

    def _worker_of(self, kind: WishKind) -> Callable[[gr.Request], Iterator[Updates]]:
        def work(request: gr.Request) -> Iterator[Updates]:
            desk = self.desks.of(request.session_hash)
            for _ in run(desk, kind):
                yield from self.shown(desk)
            yield self._nothing()

        return work

    def acted(self, desk: Desk, act: Act, *values: Any) -> Iterator[Updates]:
        """Change a desk, and show it."""
        with desk.lock:
            desk.say("")
            try:
                act(desk, *values)
            except FAILURES as error:
                desk.say(sentence(error), bad=True)
            desk.changed()
        yield from self.shown(desk)
        yield self._nothing()

    def shown(self, desk: Desk) -> Iterator[Updates]:
        """Show a desk until what is shown is its last state."""
        while True:
            with desk.lock:
                version, view = desk.version, self._view(desk)
            yield view
            if desk.version == version:
                return

    def _view(self, desk: Desk) -> Updates:
        try:
            parts = render(desk)
        except FAILURES as error:  # a file has gone
            desk.say(sentence(error), bad=True)
            desk.view = "photo"
            parts = render(desk)
        edits = desk.edits()
        return {
            **{self.parts[name]: html for name, html in parts.items()},
            **{one: edits.get(name, gr.skip()) for name, one in self.fields.items()},
        }

    def _nothing(self) -> Updates:
        return dict.fromkeys(self.outputs, gr.skip())


def _factor(label: str, most: float, info: str, elem_id: str) -> gr.Slider:
    return gr.Slider(0, most, value=1, step=0.05, label=label, info=info, elem_id=elem_id)


def _choice(
    label: str, choices: Mapping[str, Any], value: Any, info: str, elem_id: str, **options: Any
) -> gr.Radio:
    named = {"label": label, "info": info, "elem_id": elem_id, **options}
    return gr.Radio(list(choices.items()), value=value, **named)


def _tick(label: str, info: str, elem_id: str, **options: Any) -> gr.Checkbox:
    return gr.Checkbox(label=label, info=info, elem_id=elem_id, **options)


def _small(text: str, elem_id: str) -> gr.Button:
    return gr.Button(text, size="sm", min_width=90, elem_id=elem_id)


def _place(prefix: str, action: str) -> tuple[gr.Number, gr.Number, gr.Button]:
    """The part, closed at first, that takes a place of the photo without a pointer."""
    with gr.Accordion("Give a place in numbers", open=False, elem_id=f"{prefix}-place"):
        with gr.Row():
            across, down = (
                gr.Number(
                    label=label, info=info, precision=0, min_width=100, elem_id=f"{prefix}-{label}"
                )
                for label, info in (("Across", "From the left edge."), ("Down", "From the upper."))
            )
        return across, down, _small(action, f"{prefix}-put")


def _on_strip(desk: Desk, event: gr.EventData) -> None:
    act = desk.remove if event.value == "remove" else desk.look_at
    names = [one.folder.name for one in desk.photos]
    act(names.index(event.index) if event.index in names else -1)


def _example(index: int, folder: Path) -> Path:
    """A copy of one of the photos to try, as if it had been uploaded.

    Raises:
        ColorflowError: there is no such photo, or the copy cannot be made.
    """
    if not 0 <= index < len(EXAMPLES):
        raise ColorflowError("There is no such photo here.")
    name = list(EXAMPLES)[index]
    target = new_folder(folder, "sample-") / name
    with storing():
        return Path(shutil.copyfile(SAMPLE_PHOTOS / name, target))
