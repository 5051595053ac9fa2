"""The tab that colors photos: the desk. Its components, and what each event does to a desk."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.limits import LARGEST_SATURATION
from colorflow.photo import KINDS
from colorflow.ui.desk import MOST_PHOTOS, Desk, WishKind, points_of
from colorflow.ui.limits import LONG_QUEUE, WORK_QUEUE, UploadSpace
from colorflow.ui.photos import new_folder, storing
from colorflow.ui.render import EXAMPLES, PARTS, SAMPLE_PHOTOS, render
from colorflow.ui.status import FAILURES, sentence
from colorflow.ui.storage import DESK_PREFIX, KEEP_SECONDS
from colorflow.ui.swatches import REACHES, ab_of
from colorflow.ui.work import SUFFIXES, Options, Worker, run

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

MOST_WISHED = 8
"""Colorings that are asked for at once."""
MOST_VIVID = 1.5
"""The largest factor on the shipped temperatures."""
SUMMARY, SAMPLES = "Summary", "Single samples"
TRUE_COLORS, GRAY = "Its own colors", "Its gray"
SIZES = {"As it is": 1, "×2": 2, "×4": 4}
_SENSITIVITIES = {"Least": -2, "Less": -1, "Normal": 0, "More": 1, "Most": 2}
_RADII = {"Small": 1 / 400, "Medium": 1 / 150, "Large": 1 / 50}
"""Of what a visitor adds to the places, divided by the photo's longer side."""
QUICK: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "concurrency_id": "desk",
    "concurrency_limit": 16,
    "api_visibility": "private",
}
"""Options of events that change a desk at once."""
_LAST: dict[str, Any] = {**QUICK, "trigger_mode": "always_last"}
"""The same for sliders, of whose values the last one counts."""
_LONG: dict[WishKind, dict[str, Any]] = {
    "open": WORK_QUEUE,
    "prepare": WORK_QUEUE,
    "color": WORK_QUEUE,
    "ask": WORK_QUEUE,
    "album": LONG_QUEUE,
    "finish": {"concurrency_id": "finish", "concurrency_limit": 2},
}
"""The queues of wishes: how many of each are worked on at the same time."""
_NO_WEIGHTS = "This page cannot repair: the weights for it are not installed."

Act = Callable[..., Any]


class Desks:
    """The desks of all visitors, by the names of their sessions. Thread-safe.

    Args:
        root: for their folders.
        most_pixels: that a picture may have.
        keep_seconds: after the last action, for which a desk stays.
    """

    def __init__(
        self, root: Path, most_pixels: int = 10**9, keep_seconds: float = KEEP_SECONDS
    ) -> None:
        self._root, self._most_pixels, self._keep = root, most_pixels, keep_seconds
        self._desks: dict[str, Desk] = {}
        self._lock = threading.Lock()

    def of(self, session: str | None) -> Desk:
        """The desk of a session; an empty one if the session is new, or idle for too long."""
        with self._lock:
            now = time.monotonic()
            for name in [one for one, desk in self._desks.items() if now - desk.used > self._keep]:
                shutil.rmtree(self._desks.pop(name).folder, ignore_errors=True)
            if session not in self._desks:
                folder = self._root / f"{DESK_PREFIX}{secrets.token_hex(8)}"
                self._desks[session or ""] = Desk(folder, self._most_pixels)
            return self._desks[session or ""]


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
        self.worker = Worker(colorizer, enlarger, repairer, space)
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
                    self.parts["stage"] = _buttons("stage", "stage.js")
                    self._part("gallery")
                with gr.Column(scale=4, min_width=320, elem_id="tools"):
                    self._build_tools(enlarger, repairer)
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

    def _part(self, name: str) -> None:
        self.parts[name] = _buttons(name, "listen.js")

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
        gr.HTML(
            f"<p>{KINDS}; up to {MOST_PHOTOS} photos, a file or an unpacked zip up to "
            f"{space.megabytes} MB.</p>",
            elem_id="formats",
        )

    def _build_tools(self, enlarger: Enlarger | None, repairer: Repairer | None) -> None:
        self._part("status")
        with gr.Column(elem_id="work"):
            with gr.Accordion("Prepare the print", open=False, elem_id="prepare") as self.print:
                self._build_prepare(repairer)
            with gr.Accordion("Color", open=True, elem_id="color"):
                self._build_color()
            hinting = gr.Accordion(
                "Hints", open=False, visible=self.worker.colorizer.takes_hints, elem_id="hints"
            )
            with hinting as self.hinting:
                self._build_hints()
            with gr.Accordion("Reference", open=False, elem_id="reference"):
                self._build_reference()
            with gr.Accordion("Finish", open=True, elem_id="finish"):
                self._build_finish(enlarger)

    def _build_prepare(self, repairer: Repairer | None) -> None:
        self._part("prepare")
        self.repairs = gr.Checkbox(
            label="Repair cracks and spots",
            info="Finds cracks, scratches, dust and spots, and fills them in; nothing else changes."
            if repairer
            else _NO_WEIGHTS,
            interactive=repairer is not None,
            elem_id="repairs",
        )
        with gr.Column(elem_id="damage"):
            self.sensitivity = gr.Radio(
                list(_SENSITIVITIES.items()),
                value=1,
                label="Find",
                info="Least finds what is surely damage, most all that may be.",
                elem_id="sensitivity",
            )
            self.radius = gr.Radio(
                list(_RADII.items()),
                value=_RADII["Medium"],
                label="Size of what you add",
                info="A click adds a round place, a drawn line a stroke.",
                elem_id="radius",
            )
            self.mark_place = _place("mark", "Add or take back this place")
            self.undo_mark = gr.Button("Undo", size="sm", elem_id="undo-mark")
        self.fades = gr.Checkbox(
            label="Bring back faded tones",
            info="A pale print gets its dark and light tones again.",
            elem_id="fades",
        )

    def _build_color(self) -> None:
        with gr.Row():
            self.go = gr.Button("Color", variant="primary", min_width=120, elem_id="go")
            self.more = gr.Button("More like this", min_width=120, elem_id="more")
        self.view = gr.Radio(
            [SUMMARY, SAMPLES],
            value=SUMMARY,
            label="Kind",
            info="The average of all colorings and those of the most frequent kinds; or single "
            "samples, which are bolder.",
            elem_id="view",
        )
        self.n = gr.Slider(1, MOST_WISHED, value=4, step=1, label="How many", elem_id="n")
        self.temperature = gr.Slider(
            0,
            MOST_VIVID,
            value=1,
            step=0.05,
            label="Temperature",
            info="0 is calm and the same each time, 1 natural, more is bold.",
            elem_id="temperature",
        )
        self.skin = gr.Checkbox(
            True,
            label="Skin in the color of skin",
            info="Untick it where something else, such as a statue, is taken for skin.",
            elem_id="skin",
        )
        self.treat = gr.Button("Treat as gray", elem_id="treat")
        self.treat_all = gr.Button("Treat all of the album as gray", elem_id="treat-all")
        with gr.Row(elem_id="album"):
            self.all = gr.Button("Color the whole album", min_width=120, elem_id="all")
            self.same = gr.Button("Same colors for the album", min_width=120, elem_id="same")
        self.beside = gr.Radio(
            [TRUE_COLORS, GRAY],
            value=TRUE_COLORS,
            label="Compare with",
            info="The photo's own colors, which were not used, or its gray.",
            elem_id="beside",
        )
        self.unsure = gr.Button("Show where the model is unsure", size="sm", elem_id="show-unsure")
        self._part("unsure")

    def _build_hints(self) -> None:
        self._part("points")
        with gr.Column(elem_id="free"):
            self.reach = gr.Radio(
                list(REACHES.items()),
                value="thing",
                label="What gets the color",
                info="The thing that you clicked and what belongs to it, the place around the "
                "point alone, or everything in the photo that looks like it.",
                elem_id="reach",
            )
            self.picker = gr.ColorPicker(
                value="#4a6fa5",
                label="Any other color",
                info="Its hue and strength count; how light it is stays the photo's.",
                elem_id="picker",
            )
            self.use = gr.Button("Use this color", size="sm", elem_id="use")
        with gr.Row():
            self.undo_point = gr.Button("Undo", size="sm", min_width=90, elem_id="undo-point")
            self.save_hints = gr.Button("Save hints", size="sm", min_width=90, elem_id="save-hints")
            self.load_hints = gr.UploadButton(
                "Load hints", file_types=[".json"], size="sm", min_width=90, elem_id="load-hints"
            )
        self.point_place = _place("point", "Take this place")

    def _build_reference(self) -> None:
        gr.HTML(
            "<p>Photos in color of something similar: the same house today, another garden in "
            "June. What is alike gets their colors.</p>",
            elem_id="reference-info",
        )
        self.reference = gr.UploadButton(
            "Choose photos in color",
            file_count="multiple",
            size="sm",
            elem_id="refer",
            elem_classes="photos",
        )
        self._part("references")
        self.strength = gr.Slider(
            0,
            1,
            value=1,
            step=0.05,
            label="Strength",
            info="How close the colors come to theirs.",
            elem_id="strength",
        )
        with gr.Row():
            self.refer = gr.Button("Color like these", min_width=120, elem_id="refer-go")
            self.where = gr.Button("Show where they speak", min_width=120, elem_id="where")

    def _build_finish(self, enlarger: Enlarger | None) -> None:
        self.saturation = gr.Slider(
            0,
            LARGEST_SATURATION,
            value=1,
            step=0.05,
            label="Saturation",
            info="At once: 0 is gray, 1 as it was colored.",
            elem_id="saturation",
        )
        self.size = gr.Radio(
            list(SIZES.items()),
            value=1,
            label="Size",
            info="A larger picture gets detail that the photo does not have; it is made up to suit "
            "it.",
            visible=enlarger is not None,
            elem_id="size",
        )
        self.restore = gr.Checkbox(
            label="Clear up an old photo",
            info="Takes blur, noise and compression out, with a larger size.",
            visible=enlarger is not None and enlarger.can_restore,
            elem_id="restore",
        )
        self.format = gr.Radio(
            list(SUFFIXES),
            value="Its own",
            label="Format",
            info="Its own is JPEG for a JPEG. A JPEG is small; a PNG loses nothing.",
            elem_id="format",
        )
        self.download = gr.Button("Download", variant="primary", elem_id="download")
        self._part("file")
        with gr.Column(elem_id="all-files"):
            self.every = gr.Checkbox(
                label="With all colorings of each photo",
                info="Otherwise the zip has the one that you chose.",
                elem_id="every",
            )
            self.zip = gr.Button("Download the album in a zip", elem_id="zip")

    # events

    def _connect_photos(self) -> None:
        work = self.worker

        def opened(desk: Desk, files: list[str] | None) -> None:
            desk.page_has(upload=files)
            work.open(desk, files)

        self.on(self.upload.upload, opened, [self.upload], works=["open"])
        self.on(self.folder.upload, work.open, [self.folder], works=["open"])
        self.on(self.parts["strip"].select, _on_strip, event=True)
        self.on(self.parts["status"].select, lambda desk, e: desk.cancel(e.index), event=True)
        self.on(
            self.parts["stage"].select,
            self._on_stage,
            [self.radius],
            event=True,
            works=["open", "prepare", "ask", "color"],
        )
        self.on(self.parts["gallery"].select, lambda desk, e: desk.choose(int(e.index)), event=True)

    def _on_stage(self, desk: Desk, event: gr.SelectData, radius: float) -> None:
        """Do what was pressed, clicked or drawn in the large picture."""
        act, points = str(event.value), getattr(event, "points", None)
        if act == "try":
            self.worker.open(desk, [_example(int(event.index), desk.folder)])
        elif act == "point":
            ((x, y),) = _shares(points)
            desk.click(x, y)
            self.worker.offer(desk)
        elif act == "hold":
            desk.press_point("hold", int(event.index))
            self.worker.offer(desk)
        elif act == "stroke":
            base = desk.photo.form.base
            desk.mark([(x * base.width, y * base.height) for x, y in _shares(points)], radius)
            self.worker.prepare(desk)
        else:
            desk.put_corners(act, points, getattr(event, "turns", None))
            self.worker.prepare(desk)

    def _connect_prepare(self) -> None:
        work = self.worker

        def changed(change: Act) -> Act:
            def act(desk: Desk, *values: Any) -> None:
                change(desk, *values)
                work.prepare(desk)

            return act

        def repair(desk: Desk, repairs: bool, fades: bool) -> None:
            desk.page_has(repairs=repairs, fades=fades)
            desk.repair(repairs=repairs and work.repairer is not None, fades=fades)

        def find(desk: Desk, sensitivity: int) -> None:
            desk.page_has(sensitivity=sensitivity)
            desk.find(sensitivity)

        def put(desk: Desk, radius: float, across: int | None, down: int | None) -> None:
            if across is None or down is None:
                raise ColorflowError("Across and Down: two whole numbers, in pixels of the photo.")
            desk.mark([(across, down)], radius)

        switches = [self.repairs, self.fades]
        across, down, button = self.mark_place
        for event, change, values in (
            (self.repairs.input, repair, switches),
            (self.fades.input, repair, switches),
            (self.sensitivity.input, find, [self.sensitivity]),
            (button.click, put, [self.radius, across, down]),
            (self.undo_mark.click, Desk.undo_mark, []),
        ):
            self.on(event, changed(change), values, works=["prepare"])
        view = self.parts["prepare"].select
        self.on(view, lambda desk, e: desk.look_for(e.index), event=True)
        self.on(self.print.expand, lambda desk: desk.look_for("frame"))
        self.on(self.print.collapse, lambda desk: desk.look_for("photo"))

    def _connect_color(self) -> None:
        work = self.worker
        settings = [self.n, self.temperature, self.view, self.skin, self.strength]

        def with_options(wish: Act) -> Act:
            return lambda desk, *values: wish(desk, options_of(*values))

        self.on(self.go.click, with_options(work.color), settings, works=["color"])
        self.on(self.refer.click, with_options(work.color), settings, works=["color"])
        self.on(self.all.click, with_options(work.color_all), settings, works=["album"])
        self.on(self.same.click, with_options(work.same_colors), settings, works=["album"])
        self.on(self.more.click, lambda desk, n: work.more(desk, int(n)), [self.n], works=["color"])
        self.on(self.treat.click, Desk.treat_as_gray)
        self.on(self.treat_all.click, lambda desk: desk.treat_as_gray(everything=True))
        self.on(self.unsure.click, work.unsure, works=["ask"])
        self.on(self.where.click, work.where_referred, works=["ask"])
        self.on(self.reference.upload, work.add_references, [self.reference], works=["open"])
        references = self.parts["references"].select
        self.on(references, lambda desk, e: desk.remove_reference(int(e.index)), event=True)

    def _connect_hints(self) -> None:
        work = self.worker

        def colored(change: Act) -> Act:
            """Color the photo anew if a change of its points asks for it."""

            def act(desk: Desk, *values: Any) -> None:
                before = desk.photo.points.hints
                change(desk, *values)
                if desk.photo.points.hints != before:
                    work.recolor(desk)
                work.offer(desk)

            return act

        def pressed(desk: Desk, event: gr.SelectData) -> None:
            desk.press_point(str(event.value), int(event.index))

        def spread(desk: Desk, reach: Any) -> None:
            desk.page_has(reach=reach)
            desk.spread(reach)

        across, down, put = self.point_place
        works: list[WishKind] = ["color", "ask"]
        self.on(self.parts["points"].select, colored(pressed), event=True, works=works)
        self.on(self.reach.input, colored(spread), [self.reach], works=works)
        self.on(
            self.use.click,
            colored(lambda desk, picked: desk.color_point(ab_of(picked or ""))),
            [self.picker],
            works=works,
        )
        self.on(put.click, colored(Desk.put_point), [across, down], works=works)
        self.on(self.undo_point.click, colored(Desk.undo_point), works=works)
        self.on(self.load_hints.upload, work.load_hints, [self.load_hints], works=["color"])
        self.on(self.save_hints.click, work.save_hints)
        self.on(self.hinting.expand, lambda desk: desk.look_for("points"))
        self.on(self.hinting.collapse, lambda desk: desk.look_for("photo"))

    def _connect_others(self) -> None:
        work = self.worker

        def saturate(desk: Desk, saturation: float) -> None:
            desk.page_has(saturation=saturation)
            if desk.at:
                desk.saturate(saturation)

        def compare(desk: Desk, beside: str) -> None:
            desk.compares_gray = beside == GRAY

        def finish(desk: Desk, size: int, restore: bool, format_: str) -> None:
            work.finish(desk, size, format_, restore=restore and size > 1)

        def zipped(desk: Desk, format_: str, every: bool) -> None:
            work.zip(desk, format_, every=every)

        self.on(self.saturation.input, saturate, [self.saturation], options=_LAST)
        self.on(self.beside.input, compare, [self.beside])
        choices = [self.size, self.restore, self.format]
        self.on(self.download.click, finish, choices, works=["finish"])
        self.on(self.zip.click, zipped, [self.format, self.every], works=["album"])

    def photo_of(self, request: gr.Request) -> Path | None:
        """The file of the photo that a visitor looks at."""
        desk = self.desks.of(request.session_hash)
        return desk.at.form.photo.path if desk.at else None

    def load(self, page: gr.Blocks) -> None:
        """Show the desk when a page comes, which has nothing yet."""
        self.on(page.load, Desk.page_has)

    def on(
        self,
        listen: Any,
        act: Act,
        inputs: Sequence[Any] = (),
        *,
        event: bool = False,
        works: Sequence[WishKind] = (),
        options: dict[str, Any] = QUICK,
    ) -> None:
        """Connect an event.

        Args:
            listen: the event.
            act: changes the desk, given the values of the inputs, under its lock.
            inputs: components.
            event: whether `act` takes the event's data before the values.
            works: kinds of wishes that it may make, which are worked on afterwards.
            options: of the event.
        """

        def handler(request: gr.Request, *values: Any) -> Iterator[dict[Any, Any]]:
            yield from self.acted(self.desks.of(request.session_hash), act, *values)

        def handler_of_event(
            request: gr.Request, data: gr.SelectData, *values: Any
        ) -> Iterator[dict[Any, Any]]:
            yield from self.acted(self.desks.of(request.session_hash), act, data, *values)

        chosen = handler_of_event if event else handler
        done = listen(chosen, list(inputs), self.outputs, **options)
        for kind in works:
            done.then(self._worker_of(kind), None, self.outputs, **{**QUICK, **_LONG[kind]})

    def _worker_of(self, kind: WishKind) -> Callable[[gr.Request], Iterator[dict[Any, Any]]]:
        def work(request: gr.Request) -> Iterator[dict[Any, Any]]:
            desk = self.desks.of(request.session_hash)
            for _ in run(desk, kind):
                yield from self.shown(desk)
            yield self._nothing()

        return work

    def acted(self, desk: Desk, act: Act, *values: Any) -> Iterator[dict[Any, Any]]:
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

    def shown(self, desk: Desk) -> Iterator[dict[Any, Any]]:
        """Show a desk until what is shown is its last state."""
        while True:
            with desk.lock:
                version, view = desk.version, self._view(desk)
            yield view
            if desk.version == version:
                return

    def _view(self, desk: Desk) -> dict[Any, Any]:
        try:
            parts = render(desk)
        except FAILURES as error:  # a file has gone
            desk.say(sentence(error), bad=True)
            desk.view = "photo"
            parts = render(desk)
        edits = desk.edits()
        return {
            **{self.parts[name]: parts[name] for name in PARTS},
            **{one: edits.get(name, gr.skip()) for name, one in self.fields.items()},
        }

    def _nothing(self) -> dict[Any, Any]:
        return dict.fromkeys(self.outputs, gr.skip())


def options_of(n: float, temperature: float, view: str, skin: bool, strength: float) -> Options:
    """What a visitor wants, from the values of the fields."""
    return Options(
        n=int(n), temperature=temperature, samples=view == SAMPLES, skin=skin, strength=strength
    )


def script(name: str) -> str:
    """A script of this folder, for a `gr.HTML`."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _buttons(name: str, javascript: str) -> gr.HTML:
    """A part of the page whose buttons send what was pressed."""
    template = '<div role="status">${value}</div>' if name == "status" else "${value}"
    return gr.HTML(
        "",
        html_template=template,
        js_on_load=script(javascript),
        apply_default_css=False,
        elem_id=name if name != "prepare" else "prepare-views",
    )


def _place(prefix: str, action: str) -> tuple[gr.Number, gr.Number, gr.Button]:
    """The part, closed at first, that takes a place of the photo without a pointer."""
    with gr.Accordion("Give a place in numbers", open=False, elem_id=f"{prefix}-place"):
        with gr.Row():
            across, down = (
                gr.Number(
                    label=label,
                    info=f"Pixels from the {edge} edge.",
                    value=None,
                    precision=0,
                    min_width=100,
                    elem_id=f"{prefix}-{label.lower()}",
                )
                for label, edge in (("Across", "left"), ("Down", "upper"))
            )
        return across, down, gr.Button(action, size="sm", elem_id=f"{prefix}-put")


def _on_strip(desk: Desk, event: gr.SelectData) -> None:
    act = desk.remove if event.value == "remove" else desk.look_at
    act(int(event.index))


def _shares(points: object) -> list[tuple[float, float]]:
    """Places that the page has sent, as shares of a picture's sides.

    Raises:
        ColorflowError: it has sent something else.
    """
    found = points_of(points)
    if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in found):
        raise ColorflowError("That place is not on the photo.")
    return list(found)


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
