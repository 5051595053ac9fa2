"""The part of a tab that shows how far the colors of a photo are open."""

from __future__ import annotations

from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.ui.limits import WORK
from colorflow.ui.open_map import legend
from colorflow.ui.session import PhotoColorizer, Session
from colorflow.ui.status import problem

_ABOUT = """
<p>Colors are open where the gray photo does not tell them. There colorings differ most.</p>
"""


class OpenMapView:
    """A button, and the picture that it brings; made inside a `gr.Blocks`.

    Args:
        colorizer: knows how far colors are open.
        session: holds the visitor's `Session`.
        status: where errors are said.
    """

    def __init__(self, colorizer: PhotoColorizer, session: gr.State, status: gr.HTML) -> None:
        self._colorizer = colorizer
        self._status = status
        self.button = gr.Button("Show where the colors are open", elem_id="show-open")
        gr.HTML(_ABOUT, elem_id="show-open-info")
        with gr.Column(visible=False, elem_id="open-map") as self.column:
            gr.HTML("<h2>Where the colors are open</h2>", elem_id="open-heading")
            self.picture = gr.Image(
                show_label=False,
                format="png",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="open-picture",
            )
            gr.HTML(legend(), elem_id="open-legend")
        self.components = [self.button, self.column, self.picture]
        self.button.click(
            self.show,
            [session],
            [*self.components, status],
            show_progress_on=self.button,
            api_visibility="private",
            **WORK,
        )

    def show(self, session: Session | None) -> dict[Any, Any]:
        """Show the map of the open photo."""
        try:
            if session is None:
                raise ColorflowError("There is no photo yet; choose one first.")
            path = session.map_openness(self._colorizer)
        except (ColorflowError, MemoryError) as error:
            return {self._status: problem(error)}
        if path is None:
            return {self._status: gr.skip()}
        return {
            self.button: gr.update(visible=False),
            self.column: gr.update(visible=True),
            self.picture: str(path),
            self._status: "",
        }

    def emptied(self) -> dict[Any, Any]:
        """The view as it is before anything is shown."""
        return {
            self.button: gr.update(visible=True),
            self.column: gr.update(visible=False),
            self.picture: None,
        }
