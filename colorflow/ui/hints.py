"""The tab where a visitor gives points of a photo their colors, and the photo follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.colorizer import Reach
from colorflow.ui.colorings import PhotoSession
from colorflow.ui.controls import place_in_numbers
from colorflow.ui.enlarge import EnlargePane
from colorflow.ui.hinted_photo import ZOOMS, HintedPhoto, HintSession, View, mean_spec
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import (
    AFTERWARDS,
    HAS_COLORS,
    IN_TURN,
    UploadPane,
    formats_line,
    gray_button,
    one_at_a_time,
    picture,
    script,
    session_state,
)
from colorflow.ui.points import Points
from colorflow.ui.saturation import SaturationPane
from colorflow.ui.status import FAILURES, Updates, line, problem, status_line, worked
from colorflow.ui.swatches import REACHES, ab_of, color_list, point_list

if TYPE_CHECKING:
    from colorflow.colorizer import ColoringSpec, Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.ui.colorize import ColorizeTab

_NOT_HERE = (
    "The weights that this page was started with take no color hints; weights made with "
    "“colorflow train --hints” do."
)
HINTS_TAB = "hints"
"""The tab's id among the tabs."""
_FIRST = "Click a point whose color you know."
_MATERIALS = "What it may be"
_ZOOMS = [("Whole photo" if zoom == 1 else f"×{zoom}", zoom) for zoom in ZOOMS]
_WELCOME = """
<ol>
<li><h2>Choose a photo</h2>It is colored at once. A print with a border or cracks is cut out and
repaired in Colorize; “Correct its colors” brings it here from there.</li>
<li><h2>Click what you know</h2>The blue door, the red scarf: click a point, then choose its color
among likely ones or freely.</li>
<li><h2>See the rest follow</h2>Colors spread over what belongs together. Add and correct points,
or undo them.</li>
</ol>
"""
_SHOW_CHOICES = """
() => {
    if (innerWidth <= 700)
        document.querySelector("#hints-picture").scrollIntoView({ behavior: "smooth" });
}
"""
"""On a phone, where the colors to choose from are below the photo."""
_FILES = """
<p>Saved hints are a small JSON file, for another day or for “colorflow colorize --hints”.</p>
"""


class HintsTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return new values by component, and work without a server.

    Args:
        colorizer: colors the photos.
        space: where uploads go, shared by all tabs.
        enlarger: enlarges them; None if there is none.
    """

    def __init__(
        self, colorizer: Colorizer, space: UploadSpace, enlarger: Enlarger | None = None
    ) -> None:
        self._colorizer, self._enlarger = colorizer, enlarger
        self.usable = colorizer.takes_hints
        if not self.usable:
            status_line(line(_NOT_HERE), "hints-about")
            return
        self._formats = formats_line(space.megabytes)
        self.session = session_state(space)
        with gr.Row(elem_id="hints"):
            with gr.Column(scale=5, min_width=300):
                self.photo = UploadPane("hints-upload", "Photo")
                self._build_picture()
            with gr.Column(
                scale=2, min_width=300, visible=False, elem_id="hints-side"
            ) as self.side:
                self._build_choices()
                self._build_files()
                self._build_points()
                self.across, self.down, self.put_button = place_in_numbers(
                    "hints-", "Give a place in numbers", "Take this place"
                )
        self._detail = {*self.larger.components, self.larger.plain.file}
        self._connect()

    def _build_picture(self) -> None:
        self.status = status_line(self._formats, "hints-status")
        self.gray = gray_button("hints-gray")
        self.welcome = gr.HTML(_WELCOME, elem_id="hints-welcome")
        self.picture = picture("hints-picture", visible=False)
        self.seen = gr.JSON(visible=False, elem_id="hints-seen")  # which `View` it shows
        with gr.Row(visible=False, elem_id="hints-zooming") as self.zooming:
            self.zoom = gr.Radio(
                _ZOOMS,
                value=ZOOMS[0],
                label="Zoom",
                info="Around the point that you have clicked, so that the next click is exact.",
                elem_id="hints-zoom",
            )
            self.overview = picture("hints-overview", height=150, visible=False)

    def _build_choices(self) -> None:
        self.swatches = gr.HTML("", js_on_load=script("listen.js"), elem_id="hints-swatches")
        self.materials = gr.HTML("", js_on_load=script("listen.js"), elem_id="hints-materials")
        self.reach = gr.Radio(
            list(REACHES.items()),
            value="thing",
            label="What gets the color",
            info="The thing that you clicked and what belongs to it, the place around the point "
            "alone, or everything in the photo that looks like it.",
            visible=False,
            elem_id="hints-reach",
        )
        with gr.Row(visible=False, elem_id="hints-free") as self.free:
            self.picker = gr.ColorPicker(
                value="#4a6fa5",
                label="Any other color",
                info="Its hue and strength count; how light it is stays the photo's.",
                elem_id="hints-picker",
            )
            self.use = gr.Button("Use this color", scale=0, min_width=180, elem_id="hints-use")

    def _build_points(self) -> None:
        self.points = gr.HTML("", js_on_load=script("listen.js"), elem_id="hints-points")
        with gr.Row():
            self.undo_button = gr.Button(
                "Undo", interactive=False, min_width=120, elem_id="hints-undo"
            )
            self.other = gr.Button("Other colors", min_width=120, elem_id="hints-other")
        gr.HTML(
            "<p>Undo takes back your last change. Other colors changes the colors that you "
            "have not chosen.</p>",
            elem_id="hints-info",
        )

    def _build_files(self) -> None:
        self.saturation = SaturationPane("hints-", self.status)
        self.larger = EnlargePane(self._enlarger, self.session, self.status, "hints-")
        with gr.Row():
            self.save = gr.DownloadButton("Save hints", min_width=120, elem_id="hints-save")
            self.load = gr.UploadButton(
                "Load hints", file_types=[".json"], min_width=120, elem_id="hints-load"
            )
        gr.HTML(_FILES, elem_id="hints-files-info")

    def _connect(self) -> None:
        session = self.session
        events: list[tuple[Any, Callable[..., Updates], list[gr.components.Component]]] = [
            (self.photo.upload.upload, self.open_photo, [self.photo.upload, session]),
            (self.photo.upload.clear, self.open_photo, [self.photo.upload, session]),
            (self.gray.click, self.treat_as_gray, [session]),
            (self.picture.select, self.click, [session, self.seen]),
            (self.zoom.input, self.magnify, [session, self.zoom]),
            (self.overview.select, self.look_at, [session]),
            (self.swatches.select, self.press, [session]),
            (self.materials.select, self.press, [session]),
            (self.points.select, self.press, [session]),
            (self.reach.input, self.spread, [session, self.reach]),
            (self.use.click, self.pick_freely, [session, self.picker]),
            (self.put_button.click, self.put, [session, self.across, self.down]),
            (self.undo_button.click, self.undo, [session]),
            (self.other.click, self.other_colors, [session]),
            (self.load.upload, self.load_hints, [self.load, session]),
        ]
        for event, handler, inputs in events:
            self._connect_one(
                event,
                handler,
                inputs,
                show_progress="minimal",
                show_progress_on=self.status,
                trigger_mode="multiple",
            )
        self.larger.plain.connect(session, self.larger.format)
        changed = [self.picture, self.seen, self.overview, self.save]
        self.larger.follow(self.saturation.connect(session, self._picture, changed))
        self.picture.select(None, js=_SHOW_CHOICES)

    def take_from(self, other: ColorizeTab, tabs: gr.Tabs) -> None:
        """Let a button of the tab that colors photos bring its photo and coloring here."""
        if self.usable:
            self._tabs = tabs
            button = other.to_hints
            sessions = [other.session, self.session]
            self._connect_one(button.click, self.take, sessions, tabs, show_progress_on=button)

    def _connect_one(
        self,
        event: Any,
        handler: Callable[..., Updates],
        inputs: Sequence[gr.components.Component],
        *more: gr.blocks.Block,
        **options: Any,
    ) -> None:
        """Let an event change anything, and then look for likely colors."""
        shown = [
            *more, self.session, self.status, self.gray, self.welcome, self.side, self.picture,
            self.larger.plain.file, *self.larger.components, *self.saturation.components,
            self.points, self.materials, self.swatches, self.free, self.undo_button, self.save,
            self.reach, self.zooming, self.zoom, self.overview, self.seen,
        ]  # fmt: skip
        changed = event(one_at_a_time(handler), inputs, shown, **options, **IN_TURN)
        changed.then(self.offer, [self.session], [self.swatches, self.status], **AFTERWARDS)

    # the photo

    def open_photo(self, upload: str | None, session: HintSession) -> Updates:
        """Color the photo that was uploaded, or empty the tab after it was taken away."""
        if upload is None:
            session.close_all()
            return self._shown(session, self._formats)
        return self._open(Path(upload), session, mean_spec(self._colorizer.levels))

    def treat_as_gray(self, session: HintSession) -> Updates:
        """Color the lightness of a photo that was left alone because it has colors."""
        if session.current:
            session.current.treated_as_gray = True
        return self._begun(session)

    def take(self, other: PhotoSession, session: HintSession) -> Updates:
        """Take over the photo and the chosen coloring of the tab that colors photos."""
        other.catch_up()
        try:
            photo = other.require()
            chosen = photo.require_chosen()
            spec = replace(chosen.spec, quick=False)
            shown = self._open(photo.photo.path, session, spec, treated_as_gray=True)
            if (hinted := session.current) and hinted.chosen:
                hinted.saturate(chosen.saturation, chosen.pale)
                shown = self._shown(session, line(_FIRST), hinted)
        except FAILURES as error:
            return {self.status: problem(error)}
        return {**shown, self._tabs: gr.update(selected=HINTS_TAB)}

    def _open(
        self,
        upload: Path,
        session: HintSession,
        spec: ColoringSpec,
        *,
        treated_as_gray: bool = False,
    ) -> Updates:
        session.close_all()
        try:
            photo = session.read(upload)
            session.add(
                HintedPhoto(
                    photo=photo,
                    upload=upload,
                    spec=spec,
                    points=Points(photo.height, photo.width),
                    treated_as_gray=treated_as_gray,
                )
            )
        except FAILURES as error:
            return self._shown(session, problem(error))
        return self._begun(session)

    def _begun(self, session: HintSession) -> Updates:
        """Color a photo that has no points yet, unless it is left alone, and show it."""
        try:
            photo = session.require()
            if photo.is_left_alone:
                return self._shown(session, line(f"{HAS_COLORS}."), photo)
            with session.unless_left(photo):
                photo.recolor(self._colorizer)
            return self._shown(session, line(_FIRST), session.current)
        except FAILURES as error:
            return self._shown(session, problem(error))

    # points

    def click(
        self, session: HintSession, event: gr.SelectData, seen: list[int] | None = None
    ) -> Updates:
        """Begin a point where the picture was clicked, or move the held point there.

        Args:
            session: the visitor's.
            event: has the place on the picture.
            seen: the `View` that the picture showed, which another zoom may replace just now.
        """
        (x, y), view = event.index, View(*seen) if seen else None
        return self._changed(session, lambda photo: photo.click(x, y, view))

    def magnify(self, session: HintSession, zoom: int) -> Updates:
        """Show the photo in one of `ZOOMS`."""
        return self._changed(session, lambda photo: photo.magnify(zoom))

    def look_at(self, session: HintSession, event: gr.SelectData) -> Updates:
        """Show the part of the photo that was clicked on the picture of the whole."""
        x, y = event.index
        return self._changed(session, lambda photo: photo.look_at(x, y))

    def put(self, session: HintSession, across: int | None, down: int | None) -> Updates:
        """Do the same at a position that is given in numbers."""
        if across is None or down is None:
            text = "Across and Down: two whole numbers, in pixels of the photo."
            return {self.status: line(text, bad=True)}
        return self._changed(session, lambda photo: photo.points.put(int(down), int(across)))

    def press(self, session: HintSession, event: gr.SelectData) -> Updates:
        """Do what a button of a list says: pick a color for the point; delete or hold a point."""

        def act(photo: HintedPhoto) -> None:
            acts = {"pick": photo.pick, "delete": photo.points.delete}
            acts.get(str(event.value), photo.points.hold)(int(event.index))

        return self._changed(session, act)

    def pick_freely(self, session: HintSession, picked: str | None) -> Updates:
        """Give the current point any color."""
        ab = ab_of(picked or "")
        if ab is None:
            return {self.status: line("That is no color; write it as #rrggbb.", bad=True)}
        return self._changed(session, lambda photo: photo.points.color(*ab))

    def spread(self, session: HintSession, reach: Reach) -> Updates:
        """Let the current point, or the next one, color one of `REACHES`."""
        return self._changed(session, lambda photo: photo.points.spread(reach))

    def undo(self, session: HintSession) -> Updates:
        """Undo the last change of the points."""
        return self._changed(session, lambda photo: photo.points.undo())

    def other_colors(self, session: HintSession) -> Updates:
        """Change the colors that the points leave open."""
        return self._changed(session, HintedPhoto.other_colors)

    def load_hints(self, upload: str | None, session: HintSession) -> Updates:
        """Replace the points by those of a file."""
        if upload is None:
            return {self.status: gr.skip()}
        weights = self._colorizer.digest
        return self._changed(session, lambda photo: photo.load(Path(upload), weights))

    def offer(self, session: HintSession) -> Updates:
        """Show likely colors of the point that gets the next color."""
        photo = session.current
        if photo is None or not photo.choices:
            return {self.swatches: ""}
        try:
            photo.offer(self._colorizer)
        except FAILURES as error:
            return {self.swatches: "", self.status: problem(error)}
        return {self.swatches: _likely(photo) if session.current is photo else gr.skip()}

    def _changed(self, session: HintSession, change: Callable[[HintedPhoto], None]) -> Updates:
        """Change the points, color the photo anew where that is needed, and show both."""
        started = time.perf_counter()

        def changed(photo: HintedPhoto) -> Updates:
            done, shown = "", photo.chosen
            before = photo.points.hints, photo.spec
            change(photo)
            if (photo.points.hints, photo.spec) != before:
                photo.recolor(self._colorizer)
                done = f"Colored in {time.perf_counter() - started:.1f} s."
            photo.aim()
            updates = self._shown(session, line(_next_step(photo.points, done)), photo)
            stays = self._detail if photo.chosen is shown else set()
            if self.saturation.of(photo.chosen) == self.saturation.of(shown):
                stays = {*stays, *self.saturation.components}  # they may be moved just now
            return {one: to for one, to in updates.items() if one not in stays}

        return worked(session, self.status, changed)

    def _shown(self, session: HintSession, said: str, photo: HintedPhoto | None = None) -> Updates:
        """A sentence, and a photo with its points; or how to begin, without a coloring."""
        coloring = photo and photo.chosen
        shown: Updates = {
            self.session: session,
            self.status: said,
            self.gray: gr.update(visible=photo is not None and photo.is_left_alone),
            self.welcome: gr.update(visible=coloring is None),
            self.side: gr.update(visible=coloring is not None),
            self.picture: gr.update(value=None, visible=coloring is not None),
            self.zooming: gr.update(visible=coloring is not None),
            self.larger.plain.file: None,
        }
        if photo is None or coloring is None:
            return shown
        points = photo.points
        colors = photo.point_colors(points.hints)
        materials = color_list(_MATERIALS, photo.materials) if photo.choices else ""
        return {
            **shown,
            **self.larger.interrupted(session),
            **self.larger.emptied(photo),
            **self._picture(session, photo),
            **self.saturation.of(photo.chosen),
            self.zoom: photo.zoom,
            self.points: point_list(points, colors),
            self.materials: materials,
            self.swatches: _likely(photo),
            self.free: gr.update(visible=bool(photo.choices)),
            self.reach: gr.update(value=points.reach, visible=bool(photo.choices)),
            self.undo_button: gr.update(interactive=points.can_undo),
        }

    def _picture(self, session: HintSession, photo: HintedPhoto) -> Updates:
        """The coloring with its points, and the file of hints that says how to make it again."""
        marked = photo.marked()
        whole = str(photo.overview()) if photo.zoom > 1 else None
        saved = str(photo.save(self._colorizer.digest))
        return {
            self.picture: gr.update(value=str(marked), visible=True),
            self.seen: list(astuple(photo.view)),
            self.overview: gr.update(value=whole, visible=whole is not None),
            self.save: gr.update(value=saved, interactive=bool(photo.points.hints)),
        }


def _likely(photo: HintedPhoto) -> str:
    if not photo.choices:
        return ""
    return color_list("Likely colors of this point", photo.likely, first=len(photo.materials))


def _next_step(points: Points, done: str) -> str:
    """What the visitor can do; or what was done, unless the next click or choice is due."""
    if points.uncolored is not None:
        return "Now choose the color of this point."
    number = None if points.current is None else points.current + 1
    if points.held:
        return f"Point {number}: click its new place, or choose another color."
    if done or number is None:
        return done
    return f"Point {number}: choose another color, or click a new point."
