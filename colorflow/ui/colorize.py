"""The tab that colors photos: the desk. Its components, and what each event does to a desk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from colorflow.color.swatches import ab_of
from colorflow.limits import LARGEST_SATURATION
from colorflow.photo import KINDS
from colorflow.ui.coloring import Options
from colorflow.ui.desk import FIELDS, MOST_PHOTOS, Desk, WishKind, points_of
from colorflow.ui.files import SUFFIXES
from colorflow.ui.hints import BRUSHES, REACHES
from colorflow.ui.limits import (
    DESK_PREFIX,
    LONG_QUEUE,
    MOST_VIVID,
    MOST_WISHED,
    WORK_QUEUE,
    UploadSpace,
)
from colorflow.ui.owners import visitor_of
from colorflow.ui.photos import FAILURES, new_folder, sentence
from colorflow.ui.prepare import RestoreSteps
from colorflow.ui.render import EXAMPLES, SAMPLE_PHOTOS, STATUS, Updates, line, render, scripted
from colorflow.ui.work import DeskWorker, run

SIZES = {"As it is": 1, "×2": 2, "×4": 4}
_KINDS = {"Summary": False, "Single samples": True}
_BESIDE = {"Its own colors": False, "Its gray": True}
_SENSITIVITIES = {"Least": -2, "Less": -1, "Normal": 0, "More": 1, "Most": 2}
_RADII = {"Small": 1 / 400, "Medium": 1 / 150, "Large": 1 / 50}
"""Of a stroke over the places, divided by the photo's longer side; see `Mark`."""
_NO_REPAIR = "This page cannot repair: the weights for it are not installed."
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
WORK, ALBUM, FINISH = "work", "album", "finish"
QUEUES: dict[str, tuple[tuple[WishKind, ...], dict[str, Any]]] = {
    WORK: (("open", "prepare", "color", "refer", "ask", "detail"), WORK_QUEUE),
    ALBUM: (("album",), LONG_QUEUE),
    FINISH: (("finish",), {"concurrency_id": "finish", "concurrency_limit": 2}),
}
"""Queues of which few are worked on at the same time: the kinds of wishes, and their options."""

Act = Callable[..., Any]
_Page = tuple[str | None, str, str | None]
"""A page in a browser: its session, the browser's name, and the account."""


class Desks:
    """The desks of all visitors, by their pages. Thread-safe.

    Args:
        space: for their folders; a desk goes when its folder is swept.
    """

    def __init__(self, space: UploadSpace) -> None:
        self._space = space
        self._desks: dict[_Page, Desk] = {}
        self._left: list[_Page] = []
        self._lock = threading.Lock()

    def of(self, request: gr.Request) -> Desk:
        """The desk of a page; if it has none, or was idle for too long, one that was left.

        It is the last one with photos that the same browser left; otherwise a new one.
        """
        page = _page_of(request)
        with self._lock:
            if page in self._left:  # whoever stays after the browser's question goes on
                self._left.remove(page)
            desk = self._desks.get(page)
            if desk is None or not desk.folder.exists():
                desk = self._taken_over(page) or self._new(page[1])
                self._desks[page] = desk
            return desk

    def leave(self, request: gr.Request) -> None:
        """Let the next page of the same browser and account have the desk of one that is left."""
        page = _page_of(request)
        with self._lock:
            if page in self._desks and page not in self._left:
                self._left.append(page)

    def _taken_over(self, page: _Page) -> Desk | None:
        for left in reversed(self._left):
            desk = self._desks[left]
            has_photos = desk.folder.exists() and (desk.photos or desk.waiting)
            if has_photos and page[1] and left[1:] == page[1:]:
                self._left.remove(left)
                del self._desks[left]
                return desk
        return None

    def _new(self, visitor: str) -> Desk:
        desk = Desk(new_folder(self._space.root, DESK_PREFIX), self._space.budget.pixels)
        self._space.owners.give(desk.folder, visitor)
        return desk

    def keep(self, seconds: float) -> None:
        """Touch desks whose work waits for its turn, and forget those whose folder has gone.

        Args:
            seconds: after which a wish keeps its desk no longer.
        """
        with self._lock:
            self._desks = {one: desk for one, desk in self._desks.items() if desk.folder.exists()}
            self._left = [one for one in self._left if one in self._desks]
            desks = list(self._desks.values())
        for desk in desks:
            with desk.lock:
                if any(time.monotonic() - one.since < seconds for one in desk.wishes.values()):
                    desk.touch()


class ColorizeTab:
    """Components and events of the tab, made inside a `gr.Blocks`.

    Args:
        worker: works for all visitors.
    """

    def __init__(self, worker: DeskWorker) -> None:
        self.worker = worker
        self.desks = Desks(worker.space)
        self.parts: dict[str, gr.HTML] = {}
        self.controls: dict[str, Any] = {}
        with gr.Column(elem_id="desk"):
            self._part("state")
            with gr.Row(elem_id="photos"):
                with gr.Column(scale=7, min_width=320, elem_id="photos-here"):
                    self._part("strip")
                with gr.Column(scale=4, min_width=320):
                    self._build_photos(worker.space.megabytes)
            with gr.Row(elem_id="bench"):
                with gr.Column(scale=7, min_width=320, elem_id="picture"):
                    self._part("stage", "stage.js")
                    self._part("gallery")
                with gr.Column(scale=4, min_width=320, elem_id="tools"):
                    self._build_tools()
        self.fields = {name: self.controls[name] for name in FIELDS}
        self.outputs = [*self.parts.values(), *self.fields.values()]
        self._connect()

    # components, each of which is known by its name in the page

    def _part(self, name: str, script: str = "listen.js") -> None:
        """A part of the page whose buttons send what was pressed."""
        options = {**(STATUS if name == "status" else {}), **scripted(script)}
        self.parts[name] = gr.HTML("", elem_id=name, **options)

    def _add(self, kind: Any, name: str, **options: Any) -> Any:
        self.controls[name] = kind(elem_id=name, **options)
        return self.controls[name]

    def _button(self, name: str, text: str, **options: Any) -> None:
        self._add(gr.Button, name, value=text, **{"min_width": 120, **options})

    def _small(self, name: str, text: str) -> None:
        self._button(name, text, size="sm", min_width=90)

    def _files(self, name: str, text: str, **options: Any) -> None:
        """A small button by which files are chosen."""
        self._add(gr.UploadButton, name, label=text, size="sm", min_width=90, **options)

    def _factor(self, name: str, label: str, most: float, info: str) -> None:
        options = {"minimum": 0, "maximum": most, "value": 1, "step": 0.05}
        self._add(gr.Slider, name, label=label, info=info, **options)

    def _choice(
        self, name: str, label: str, choices: Mapping[str, Any], info: str, **options: Any
    ) -> None:
        """Some to choose from; the first one is chosen unless another is the value."""
        shown = {"value": next(iter(choices.values())), **options}
        self._add(gr.Radio, name, choices=list(choices.items()), label=label, info=info, **shown)

    def _tick(self, name: str, label: str, info: str, **options: Any) -> None:
        self._add(gr.Checkbox, name, label=label, info=info, **options)

    def _place(self, prefix: str, action: str) -> None:
        """The part, closed at first, that takes a place of the photo without a pointer."""
        with gr.Accordion("Give a place in numbers", open=False, elem_id=f"{prefix}-place"):
            options = {"precision": 0, "min_width": 100}
            with gr.Row():
                for label, info in (("Across", "From the left edge."), ("Down", "From the upper.")):
                    self._add(gr.Number, f"{prefix}-{label}", label=label, info=info, **options)
            self._small(f"{prefix}-put", action)

    def _build_photos(self, megabytes: int) -> None:
        # The browser's dialog offers photos first. What is taken is decided by the contents:
        # browsers do not know the names of all photos.
        options = {"file_count": "multiple", "height": 120, "elem_classes": "album"}
        self._add(gr.File, "upload", label="Photos, or a zip of them", **options)
        self._files("upload-all", "Choose a whole folder", file_count="directory")
        limits = f"up to {MOST_PHOTOS} photos, a file or an unpacked zip up to {megabytes} MB"
        gr.HTML(f"<p>{KINDS}; {limits}.</p>", elem_id="formats")

    def _build_tools(self) -> None:
        has_hints = self.worker.colorizer.takes_hints
        self._part("status")
        with gr.Column(elem_id="work"):
            for name, label, build, options in (
                ("restore-tool", "Restore", self._build_restore, {}),
                ("prepare", "Prepare the print", self._build_prepare, {"open": False}),
                ("color", "Color", self._build_color, {}),
                ("hints", "Hints", self._build_hints, {"open": False, "visible": has_hints}),
                ("reference", "Reference", self._build_reference, {"open": False}),
                ("finish", "Finish", self._build_finish, {}),
            ):
                with self._add(gr.Accordion, name, label=label, **options):
                    build()

    def _build_restore(self) -> None:
        with gr.Row():
            self._button("restore-go", "Restore", variant="primary")
            self._button("restore-all", "Restore all")
        can_repair = self.worker.repairer is not None
        for name, label, about, is_there in (
            ("crop", "Cut the print out", "Of what lies around it, if a print is found.", True),
            ("repair", "Repair damage", "Cracks, scratches, spots.", can_repair),
            ("fading", "Bring tones back", "If the print is pale.", True),
            ("colors", "Color", "If it has no colors.", True),
        ):
            about = about if is_there else _NO_REPAIR
            self._tick(f"restore-{name}", label, about, value=is_there, interactive=is_there)
        self._part("restored")

    def _build_prepare(self) -> None:
        self._part("prepare-views")
        about = "Finds cracks, scratches, dust and spots, and fills them in; nothing else changes."
        can_repair = self.worker.repairer is not None
        about = about if can_repair else _NO_REPAIR
        self._tick("repairs", "Repair cracks and spots", about, interactive=can_repair)
        with gr.Column(elem_id="damage"):
            about = "Least finds what is surely damage, most all that may be."
            self._choice("sensitivity", "Find", _SENSITIVITIES, about, value=1)
            about = (
                "A click takes a whole crack, a line what lies under it. A line along a colored "
                "place takes back what it covers."
            )
            self._choice("radius", "Width of what you draw", _RADII, about, value=1 / 150)
            self._place("mark", "Add or take back this place")
            self._small("undo-mark", "Undo")
        about = "A pale print gets its dark and light tones again."
        self._tick("fades", "Bring back faded tones", about)

    def _build_color(self) -> None:
        with gr.Row():
            self._button("go", "Color", variant="primary")
            self._button("more", "More like this")
        about = "Averages of all colorings and of frequent kinds; or single samples, bolder ones."
        self._choice("view", "Kind", _KINDS, about)
        options = {"minimum": 1, "maximum": MOST_WISHED, "step": 1, "value": 4}
        self._add(gr.Slider, "n", label="How many", **options)
        about = "0 is calm and the same each time, 1 natural, more is bold."
        self._factor("temperature", "Temperature", MOST_VIVID, about)
        about = "Untick it where something else, such as a statue, is taken for skin."
        self._tick("skin", "Skin in the color of skin", about, value=True)
        self._button("treat", "Treat as gray")
        self._button("treat-all", "Treat all of the album as gray")
        with gr.Row(elem_id="album"):
            self._button("all", "Color the whole album")
            self._button("same", "Same colors for the album")
        about = "The photo's own colors, which were not used, or its gray."
        self._choice("beside", "Compare with", _BESIDE, about)
        self._small("show-unsure", "Show where the model is unsure")
        self._part("unsure")

    def _build_hints(self) -> None:
        self._part("points")
        with gr.Column(elem_id="free"):
            about = "The thing that you clicked, a larger one, the place around it, or all alike."
            self._choice("reach", "What gets the color", REACHES, about)
            about = "Its hue and strength count; how light it is stays the photo's."
            options = {"value": "#4a6fa5", "label": "Any other color", "info": about}
            self._add(gr.ColorPicker, "picker", **options)
            self._small("use", "Use this color")
        about = (
            "Draw it where the color of a point is missing, or is too much; a click stays a click."
        )
        self._choice("brush", "A line that you draw", BRUSHES, about)
        with gr.Row():
            self._small("undo-point", "Undo")
            self._small("save-hints", "Save hints")
            self._files("load-hints", "Load hints", file_types=[".json"])
        self._place("point", "Take this place")

    def _build_reference(self) -> None:
        gr.HTML(_ABOUT_REFERENCES, elem_id="reference-info")
        self._files("refer", "Choose photos in color", file_count="multiple")
        self._part("references")
        self._factor("strength", "Strength", 1, "How close the colors come to theirs.")
        with gr.Row():
            self._button("refer-go", "Color like these")
            self._button("where", "Show where they speak")

    def _build_finish(self) -> None:
        enlarger = self.worker.files.enlarger
        about = "At once: 0 is gray, 1 as it was colored."
        self._factor("saturation", "Saturation", LARGEST_SATURATION, about)
        about = "A larger picture gets detail that the photo does not have, made up to suit it."
        self._choice("size", "Size", SIZES, about, visible=enlarger is not None)
        about = "Takes blur, noise and compression out, with a larger size."
        visible = enlarger is not None and enlarger.can_restore
        self._tick("restore", "Clear up an old photo", about, visible=visible)
        about = "Its own is JPEG for a JPEG. A JPEG is small; a PNG loses nothing."
        self._choice("format", "Format", {name: name for name in SUFFIXES}, about)
        self._button("download", "Download", variant="primary")
        self._part("file")
        with gr.Column(elem_id="all-files"):
            about = "Otherwise the zip has the one that you chose."
            self._tick("every", "With all colorings of each photo", about)
            self._button("zip", "Download the album in a zip")

    # events

    def connect_page(self, page: gr.Blocks) -> None:
        """Give a page that is opened the desk that its browser left, and go on with the work."""
        self.on(page.load, self._begin, [], WORK, ALBUM, FINISH)
        page.unload(self.desks.leave)

    def _begin(self, desk: Desk) -> None:
        desk.begin_page()
        self.worker.open(desk, ())
        self.worker.prepare(desk)

    def _connect(self) -> None:
        """Say what each event does, given which values, and which wishes it may make."""
        work, on, control = self.worker, self.on, self.controls
        for name in ("upload", "upload-all"):
            on(control[name].upload, work.open, [name], WORK)
        for name in ("strip", "status", "gallery"):
            on(self.parts[name].select, self._pressed, ["radius"], event=True)
        for name in ("stage", "prepare-views", "points", "references"):
            on(self.parts[name].select, self._pressed, ["radius"], WORK, event=True)

        def replanned(field: str) -> Act:
            return lambda desk, value: desk.replan(**{field: value})

        for field in ("repairs", "fades", "sensitivity"):
            on(control[field].input, replanned(field), [field], WORK)
        place = ["mark-Across", "mark-Down", "radius"]
        on(control["mark-put"].click, lambda desk, x, y, r: desk.mark([(x, y)], r), place, WORK)
        on(control["undo-mark"].click, Desk.undo_mark, [], WORK)
        for name, view in (("prepare", "frame"), ("hints", "points")):
            on(control[name].expand, lambda desk, view=view: desk.look_for(view), [], WORK)
            on(control[name].collapse, lambda desk: desk.look_for("photo"))

        steps = [f"restore-{name}" for name in ("crop", "repair", "fading", "colors")]
        for name, restore in (("restore-go", work.restore), ("restore-all", work.restore_all)):
            act = lambda desk, *given, wish=restore: wish(desk, RestoreSteps(*given))  # noqa: E731
            on(control[name].click, act, steps, WORK, ALBUM)

        options = ["n", "temperature", "view", "skin", "strength"]

        def asked(wish: Act) -> Act:
            return lambda desk, *given: wish(desk, Options(*given))

        on(control["go"].click, asked(work.color), options, WORK)
        on(control["refer-go"].click, asked(work.color), options, WORK)
        on(control["all"].click, asked(work.color_all), options, WORK, ALBUM)
        on(control["same"].click, asked(work.same_colors), options, WORK, ALBUM)
        on(control["more"].click, work.more, ["n"], WORK)
        on(control["treat"].click, Desk.treat_as_gray)
        on(control["treat-all"].click, lambda desk: desk.treat_as_gray(everything=True))
        on(control["beside"].input, Desk.compare_with, ["beside"])
        on(control["show-unsure"].click, work.unsure, [], WORK)
        on(control["where"].click, work.where_referred, [], WORK)
        on(control["refer"].upload, work.add_references, ["refer"], WORK)

        on(control["reach"].input, lambda desk, one: desk.photo.points.spread(one), ["reach"], WORK)
        on(control["brush"].input, Desk.choose_brush, ["brush"])
        on(control["use"].click, lambda desk, one: desk.color_point(ab_of(one)), ["picker"], WORK)
        on(control["point-put"].click, Desk.put_point, ["point-Across", "point-Down"], WORK)
        on(control["undo-point"].click, lambda desk: desk.photo.points.undo(), [], WORK)
        on(control["load-hints"].upload, work.load_hints, ["load-hints"], WORK)
        on(control["save-hints"].click, work.save_hints)

        on(control["saturation"].input, Desk.saturate, ["saturation"])
        on(control["download"].click, work.finish, ["size", "restore", "format"], FINISH)
        on(control["zip"].click, work.zip, ["format", "every"], ALBUM)

    def _pressed(self, desk: Desk, event: gr.EventData, radius: float) -> None:
        """Do what was pressed, clicked or drawn in a part; see its script.

        Raises:
            ColorflowError: it cannot be done, or was not well said.
        """
        index, points = event.index, getattr(event, "points", None)
        tried = [SAMPLE_PHOTOS / name for name in EXAMPLES if name == index]
        acts: dict[str, Act] = {
            "try": lambda desk: self.worker.open(desk, tried),
            "look": lambda desk: desk.look_at(_place_of(desk, index)),
            "remove": lambda desk: desk.remove(_place_of(desk, index)),
            "cancel": lambda desk: desk.cancel(index),
            "choose": lambda desk: desk.choose(int(index)),
            "unrefer": lambda desk: desk.remove_reference(int(index)),
            "view": lambda desk: desk.look_for(index),
            "cut": lambda desk: desk.cut_out(points or ()),
            "another": lambda desk: desk.add_frame(points or ()),
            "whole": Desk.cut_out,
            "turn": lambda desk: desk.turn(int(index)),
            "stroke": lambda desk: (
                desk.draw(points) if desk.view == "points" else desk.mark(points, radius)
            ),
            "point": lambda desk: desk.click(*points_of(points)[0]),
            "pick": lambda desk: desk.pick_swatch(int(index)),
            "detail": self.worker.detail,
            "hold": lambda desk: desk.hold_point(int(index)),
            "delete": lambda desk: desk.photo.points.delete(int(index)),
        }
        acts[event.value](desk)

    def on(
        self, listen: Any, act: Act, inputs: Sequence[str] = (), *queues: str, event: bool = False
    ) -> None:
        """Connect an event.

        Args:
            listen: the event.
            act: changes the desk, given the values of the inputs, under its lock; as of
                `DeskWorker.change`.
            inputs: names of components.
            queues: of the wishes that it may make, which are worked on afterwards.
            event: whether `act` takes the event's data before the values.
        """
        fields = self.fields.keys() & set(inputs)

        # Gradio gives the request and the event's data to arguments with these annotations.
        def handler(request: gr.Request, data: gr.EventData, *values: Any) -> Iterator[Updates]:
            def change(desk: Desk) -> None:
                given = zip(inputs, values, strict=True)
                desk.page_has({name: value for name, value in given if name in fields})
                act(desk, *((data,) if event else ()), *values)

            yield from self.acted(self.desks.of(request), change)

        components = [self.controls[name] for name in inputs]
        options = _FIELD if fields - {"upload"} else QUICK
        done = listen(handler, components, self.outputs, **options)
        for queue in queues:
            kinds, options = QUEUES[queue]
            done.then(self._worker_of(kinds), None, self.outputs, **{**QUICK, **options})

    def _worker_of(self, kinds: Sequence[WishKind]) -> Callable[[gr.Request], Iterator[Updates]]:
        def work(request: gr.Request) -> Iterator[Updates]:
            desk = self.desks.of(request)
            for kind in kinds:
                for _ in run(desk, kind):
                    yield from self.shown(desk)
            yield self._nothing()

        return work

    def acted(self, desk: Desk, act: Act) -> Iterator[Updates]:
        """Change a desk, with what follows from that, and show it."""
        with desk.lock:
            desk.say("")
            try:
                self.worker.change(desk, act)
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
            return {**self._nothing(), self.parts["status"]: line(sentence(error), bad=True)}
        edits = desk.edits()
        return {
            **{self.parts[name]: html for name, html in parts.items()},
            **{one: edits.get(name, gr.skip()) for name, one in self.fields.items()},
        }

    def _nothing(self) -> Updates:
        return dict.fromkeys(self.outputs, gr.skip())


def _page_of(request: gr.Request) -> _Page:
    return request.session_hash, visitor_of(request), request.username


def _place_of(desk: Desk, folder: object) -> int:
    """The place in the album of the photo of that folder; -1 if it is gone."""
    names = [one.folder.name for one in desk.photos]
    return names.index(folder) if folder in names else -1
