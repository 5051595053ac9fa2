"""Two sliders that change how strong the colors of the chosen coloring are, at once.

The coloring keeps its colors as the model made them, and the sliders' factors. Its preview is made
anew from both, and so is every file of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from colorflow.limits import LARGEST_PALE, LARGEST_SATURATION
from colorflow.ui.colorings import ColoredPhoto, ShownColoring
from colorflow.ui.controls import factor
from colorflow.ui.panes import IN_TURN, one_at_a_time
from colorflow.ui.session import Session
from colorflow.ui.status import Updates, worked


class SaturationPane:
    """The sliders, made inside a `gr.Blocks`.

    Args:
        prefix: of the elem_ids.
        status: line in which errors are told.
    """

    def __init__(self, prefix: str, status: gr.HTML) -> None:
        self._status = status
        with gr.Row(elem_id=f"{prefix}saturate"):
            self.saturation = factor(
                f"{prefix}saturation",
                "Saturation",
                "Of this coloring, at once: 0 is gray, 1 as it was colored.",
                LARGEST_SATURATION,
            )
            self.pale = factor(
                f"{prefix}pale",
                "Pale colors",
                "Of timid clothes and faces alone; vivid colors stay.",
                LARGEST_PALE,
            )
        self.components = [self.saturation, self.pale]

    def connect(
        self,
        session: gr.State,
        shown: Callable[[Any, Any], Updates],
        outputs: list[gr.components.Component],
    ) -> gr.events.Dependency:
        """Let the sliders change the chosen coloring, and return that event.

        Args:
            session: holds the visitor's `Session`.
            shown: shows the chosen coloring of a photo.
            outputs: what that updates.
        """

        self._shown = shown
        return gr.on(
            [one.input for one in self.components],
            one_at_a_time(self.change),
            [session, *self.components],
            [*outputs, self._status],
            **{**IN_TURN, "show_progress": "hidden", "trigger_mode": "always_last"},
        )

    def change(self, session: Session[Any], saturation: float, pale: float) -> Updates:
        """Give the chosen coloring other factors, and show it."""
        if session.current is None or session.current.chosen is None:
            return {self._status: gr.skip()}

        def changed(photo: ColoredPhoto) -> Updates:
            photo.saturate(saturation, pale)
            return self._shown(session, photo)

        return worked(session, self._status, changed)

    def of(self, coloring: ShownColoring | None) -> Updates:
        """The sliders as they are for a coloring, or for the next one."""
        return {
            self.saturation: coloring.saturation if coloring else 1.0,
            self.pale: coloring.pale if coloring else 1.0,
        }
