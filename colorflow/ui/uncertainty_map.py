"""The part of a tab that shows where the colors of a photo are uncertain: a glow over its gray."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.ui.colorings import ColoredPhoto, PhotoSession
from colorflow.ui.panes import IN_TURN, picture
from colorflow.ui.photos import NO_CHROMA, reduced, write_preview
from colorflow.ui.status import Updates, worked

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer, Uncertainty

MOST = 60
"""CIELAB units at which the glow is full; few points of a photo are more uncertain than that."""
STOPS = ((60, 60, 120), (150, 60, 130), (225, 100, 75), (250, 190, 70), (255, 240, 150))
"""Colors of the glow from 0 to MOST: sRGB, ever lighter, so that color-blind people can tell them
apart."""
_OPACITY = 0.6
_ABOUT = """
<p>Where a gray photo does not show which color something had, the model guesses, and its colorings
differ.</p>
"""


class UncertaintyMap:
    """A button, and the picture that it brings; made inside a `gr.Blocks`.

    Args:
        colorizer: measures the uncertainty.
        session: holds the visitor's `Session`.
        status: line in which errors are told.
    """

    def __init__(self, colorizer: Colorizer, session: gr.State, status: gr.HTML) -> None:
        self._colorizer = colorizer
        self._status = status
        self.button = gr.Button("Show where the model is unsure", elem_id="show-open")
        gr.HTML(_ABOUT, elem_id="show-open-info")
        with gr.Column(visible=False, elem_id="open-map") as self.column:
            gr.HTML("<h2>Where the model is unsure</h2>", elem_id="open-heading")
            self.picture = picture("open-picture", buttons=["fullscreen"])
            gr.HTML(legend(), elem_id="open-legend")
        self.components = [self.button, self.column, self.picture]
        outputs = [*self.components, status]
        self.button.click(self.show, [session], outputs, show_progress_on=self.button, **IN_TURN)

    def show(self, session: PhotoSession) -> Updates:
        """Show the map of the photo that the visitor looks at."""
        return worked(
            session,
            self._status,
            lambda current: {
                self.button: gr.update(visible=False),
                self.column: gr.update(visible=True),
                self.picture: str(self._written(current)),
                self._status: "",
            },
        )

    def emptied(self) -> Updates:
        """The part as it is before a map is shown."""
        return {
            self.button: gr.update(visible=True),
            self.column: gr.update(visible=False),
            self.picture: None,
        }

    def _written(self, current: ColoredPhoto) -> Path:
        path = current.folder / "uncertainty.png"
        if not path.exists():
            with current.photo.read() as photo:
                small = reduced(photo)
                uncertainty = self._colorizer.uncertainty(photo)
            write_preview(path, glowing(lightness_of(small.pixels), uncertainty), small)
        return path


def glowing(lightness: NDArray[np.float32], uncertainty: Uncertainty) -> NDArray[np.uint8]:
    """Lay the map of uncertainty over a gray picture.

    Args:
        lightness: (H, W), L* in [0, 100].
        uncertainty: of the photo.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    share = uncertainty.at_full_size(lightness).clip(0, MOST) / MOST
    stops = np.array(STOPS, np.float32)
    positions = np.linspace(0, 1, len(stops))
    glow = np.stack([np.interp(share, positions, channel) for channel in stops.T], axis=-1)
    gray = render(lightness, NO_CHROMA)
    return np.rint((1 - _OPACITY) * gray + _OPACITY * glow).astype(np.uint8)


def legend() -> str:
    """A bar with the glow's colors, and what they mean, as HTML."""
    colors = ", ".join("rgb({}, {}, {})".format(*stop) for stop in STOPS)
    return (
        '<div class="scale"><span>Sure</span>'
        f'<span class="bar" style="background: linear-gradient(90deg, {colors})"></span>'
        "<span>Unsure</span></div>"
        "<p>Where it is dark, the photo shows which colors it had; where it is bright, many colors "
        "would suit it.</p>"
    )
