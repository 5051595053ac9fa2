"""The tab where the visitor says colors of points, and the photo follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.ui.hint_lists import point_list, swatch_list
from colorflow.ui.hint_session import HintColorizer, HintSession, first_card
from colorflow.ui.hints_layout import HintsLayout
from colorflow.ui.limits import WORK, MemoryBudget
from colorflow.ui.session import Session
from colorflow.ui.status import line, problem, status_line
from colorflow.ui.swatches import ab_of

if TYPE_CHECKING:
    from colorflow.colorizer import ColoringSpec
    from colorflow.ui.colorize import ColorizeTab

Updates = dict[Any, Any]
"""New values by component."""

_NOT_HERE = (
    "The weights that this page was started with take no color hints; weights made with "
    "“colorflow train --hints” do."
)
_NO_PHOTO = "There is no photo yet; choose one first."
HINTS_TAB = "hints"
"""Its name among the tabs."""
_FIRST = "Click a point whose color you know."
_FETCH = """
(file) => {
    if (!file) return;
    const link = document.createElement("a");
    link.href = file.url;
    link.download = file.orig_name ?? "";
    link.click();
}
"""
"""Let the browser save the file that has just been made."""


class HintsTab(HintsLayout):
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return the new values by component, and work without a server.

    Args:
        colorizer: colors the photos.
        root: folder in which the visitors' folders are made.
        max_megabytes: size of the largest upload, to be stated.
        budget: memory for photos, shared by all visitors.
    """

    def __init__(
        self,
        colorizer: HintColorizer,
        root: Path,
        max_megabytes: int,
        *,
        budget: MemoryBudget | None = None,
    ) -> None:
        self._colorizer = colorizer
        self._root = root
        self._budget = budget or MemoryBudget()
        self.usable = colorizer.takes_hints
        if not self.usable:
            status_line(line(_NOT_HERE), "hints-about")
            return
        self.session = gr.State(None, delete_callback=_close)
        super().__init__(max_megabytes)
        self._connect()

    def _connect(self) -> None:
        """Connect events with handlers; none of them is part of a public interface."""
        self._shown_by_all = [
            self.session, self.status, self.picture, self.points, self.undo_button, self.save,
            self.file, self.free, self.side, self.welcome, self.swatches,
        ]  # fmt: skip
        events: list[tuple[Any, Callable[..., Updates], list[gr.components.Component]]] = [
            (self.upload.upload, self.open_photo, [self.upload, self.session]),
            (self.upload.clear, self.open_photo, [self.upload, self.session]),
            (self.picture.select, self.click, [self.session]),
            (self.swatches.select, self.pick, [self.session]),
            (self.use.click, self.pick_freely, [self.session, self.picker]),
            (self.points.select, self.act_on_point, [self.session]),
            (self.put_button.click, self.put, [self.session, self.across, self.down]),
            (self.undo_button.click, self.undo, [self.session]),
            (self.other.click, self.other_colors, [self.session]),
            (self.load.upload, self.load_hints, [self.load, self.session]),
        ]
        for event, handler, inputs in events:
            changed = event(
                handler,
                inputs,
                self._shown_by_all,
                show_progress="minimal",
                show_progress_on=self.status,
                trigger_mode="multiple",
                api_visibility="private",
                **WORK,
            )
            self._offer_after(changed)
        self.fetch.click(
            self.prepare_download,
            [self.session],
            [self.file, self.status],
            show_progress_on=self.status,
            api_visibility="private",
            **WORK,
        ).success(None, [self.file], js=_FETCH)

    def take_from(self, other: ColorizeTab, tabs: gr.Tabs) -> None:
        """Let a button of another tab bring its photo and coloring here."""
        if not self.usable:
            return
        self._tabs = tabs
        taken = other.to_hints.click(
            self.take,
            [other.session, self.session],
            [tabs, *self._shown_by_all],
            show_progress_on=other.to_hints,
            api_visibility="private",
            **WORK,
        )
        self._offer_after(taken)

    def _offer_after(self, changed: gr.events.Dependency) -> None:
        changed.then(
            self.offer,
            [self.session],
            [self.swatches, self.status],
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
            **WORK,
        )

    # handlers

    def open_photo(self, upload: str | None, session: HintSession | None) -> Updates:
        """Color the photo that was uploaded, or empty the tab after it was taken away.

        Args:
            upload: path of the upload.
            session: None at the visitor's first photo.
        """
        if upload is None:
            if session:
                session.forget_photo()
            return self._empty(session, self.formats)
        return self._open(Path(upload), session, first_card(self._colorizer.levels))

    def take(self, other: Session | None, session: HintSession | None) -> Updates:
        """Take over the photo and the chosen coloring of the tab that colors photos."""
        if other is None or other.photo is None or other.chosen is None:
            return {self.status: line(_NO_PHOTO, bad=True)}
        shown = self._open(other.photo.upload, session, other.chosen.recipe)
        return {**shown, self._tabs: gr.update(selected=HINTS_TAB)}

    def click(self, session: HintSession | None, event: gr.SelectData) -> Updates:
        """Take a clicked place: of a new point, or the new one of a point that is held."""
        x, y = event.index
        return self._changed(session, lambda one: one.click(x, y))

    def put(self, session: HintSession | None, across: int | None, down: int | None) -> Updates:
        """Take a place that is said by numbers."""
        if across is None or down is None:
            text = "Across and Down: two whole numbers, in pixels of the photo."
            return {self.status: line(text, bad=True)}
        return self._changed(session, lambda one: one.opened.points.put(int(down), int(across)))

    def pick(self, session: HintSession | None, event: gr.SelectData) -> Updates:
        """Give the point one of the likely colors."""
        return self._changed(session, lambda one: one.pick(int(event.index)))

    def pick_freely(self, session: HintSession | None, picked: str | None) -> Updates:
        """Give the point any color."""
        ab = ab_of(picked or "")
        if ab is None:
            return {self.status: line("That is no color; write it as #rrggbb.", bad=True)}
        return self._changed(session, lambda one: one.opened.points.color(*ab))

    def act_on_point(self, session: HintSession | None, event: gr.SelectData) -> Updates:
        """Take up a point of the list, or delete it."""
        index = int(event.index)
        if event.value == "delete":
            return self._changed(session, lambda one: one.opened.points.delete(index))
        return self._changed(session, lambda one: one.opened.points.hold(index))

    def undo(self, session: HintSession | None) -> Updates:
        """Take the last change of the points back."""
        return self._changed(session, lambda one: one.opened.points.undo())

    def other_colors(self, session: HintSession | None) -> Updates:
        """Draw anew what the hints leave open."""
        return self._changed(session, lambda one: one.other_colors())

    def load_hints(self, upload: str | None, session: HintSession | None) -> Updates:
        """Replace the points by those of a file."""
        if upload is None:
            return {self.status: gr.skip()}
        return self._changed(session, lambda one: one.load(Path(upload)))

    def offer(self, session: HintSession | None) -> Updates:
        """Show likely colors of the point that gets the next one."""
        if session is None:
            return {self.swatches: ""}
        try:
            swatches = session.offer(self._colorizer)
        except (ColorflowError, MemoryError) as error:
            return {self.swatches: "", self.status: problem(error)}
        return {self.swatches: gr.skip() if swatches is None else swatch_list(swatches)}

    def prepare_download(self, session: HintSession | None) -> Updates:
        """Paint the photo in full size."""
        try:
            if session is None:
                raise ColorflowError(_NO_PHOTO)
            path = session.paint(self._colorizer.digest)
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error), self.file: None}
        return {self.file: None if path is None else str(path)}

    def _open(self, upload: Path, session: HintSession | None, recipe: ColoringSpec) -> Updates:
        try:
            session = session or HintSession(self._root, self._budget)
            session.open(upload, recipe)
            session.redraw(self._colorizer)
            return {**self._shown(session, _FIRST), self.swatches: ""}
        except (ColorflowError, MemoryError) as error:
            return self._empty(session, problem(error))

    def _changed(
        self, session: HintSession | None, change: Callable[[HintSession], None]
    ) -> Updates:
        """Change the points, draw the photo anew if that is asked for, and show both."""
        started = time.perf_counter()
        try:
            if session is None:
                raise ColorflowError(_NO_PHOTO)
            now = session.opened
            before = now.points.hints, now.recipe
            at = now.points.target()
            change(session)
            said = ""
            if (now.points.hints, now.recipe) != before:
                session.redraw(self._colorizer)
                said = f"Drawn in {time.perf_counter() - started:.1f} s."
            shown = self._shown(session, said)
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error)}
        if now.points.target() != at:
            shown[self.swatches] = swatch_list((), sought=now.points.target() is not None)
        return shown

    def _shown(self, session: HintSession, said: str) -> Updates:
        now = session.opened
        points, marked = now.points, session.marked()
        number = None if points.current is None else points.current + 1
        if points.place is not None:
            said = "Now choose the color of this point."
        elif points.held:
            said = f"Point {number}: click its new place, or choose another color."
        elif not said and number is not None:
            said = f"Point {number}: choose another color, or click a new point."
        colors = session.shown_points()
        held = points.held
        return {
            self.session: session,
            self.status: line(said),
            self.welcome: gr.update(visible=False),
            self.picture: gr.update(value=None if marked is None else str(marked), visible=True),
            self.points: point_list(points.hints, colors, points.current, held=held),
            self.undo_button: gr.update(interactive=points.can_undo),
            self.save: gr.update(value=str(session.save()), interactive=bool(points.hints)),
            self.file: None,
            self.free: gr.update(visible=points.target() is not None),
            self.side: gr.update(visible=True),
        }

    def _empty(self, session: HintSession | None, said: str) -> Updates:
        return {
            self.session: session,
            self.status: said,
            self.welcome: gr.update(visible=True),
            self.picture: gr.update(value=None, visible=False),
            self.points: "",
            self.swatches: "",
            self.save: None,
            self.file: None,
            self.free: gr.update(visible=False),
            self.side: gr.update(visible=False),
        }


def _close(session: HintSession | None) -> None:
    if session is not None:
        session.close()
