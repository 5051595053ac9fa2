"""The components of the tab that colors photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from colorflow.photo import KINDS
from colorflow.ui.album import MOST_PHOTOS
from colorflow.ui.all_photos import AllPhotos
from colorflow.ui.controls import advanced, seed_number, view_switch, vividness_slider
from colorflow.ui.enlarge import EnlargePane
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import OWN_FORMAT, SUFFIXES, ComparePane, UploadPane
from colorflow.ui.samples import Samples
from colorflow.ui.status import line, status_line

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger

MOST_COLORINGS = 8
COLORIZE = "Colorize"
"""What the button says, unless a photo is left alone because it has colors."""
TRUE_COLORS, GRAY = "Its own colors", "Its gray"

WELCOME = """
<ol>
<li><h2>Choose a photo</h2>A scan, or a picture of the print taken with a phone; sepia is fine. You
may choose a whole album, too.</li>
<li><h2>Color it</h2>First comes the average of all colorings that suit the photo, then other kinds
with their shares: the dress may be red in 41 of 100, and blue in the others.</li>
<li><h2>Keep the one you like</h2>The download has your photo's own size, sharpness and date.</li>
</ol>
"""
_VARIATIONS = """
<p>More like this keeps the colors of the chosen one and changes their details. Something else
brings other colorings beside it.</p>
"""
_TO_HINTS = """
<p>Takes this coloring to Hints, where you choose the colors that you know.</p>
"""


class ColorizeLayout:
    """Components of the tab, made inside a `gr.Blocks`.

    Args:
        colorizer: colors the photos.
        space: where uploads go, shared by all tabs.
        enlarger: enlarges colorings; None if there is none.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        space: UploadSpace,
        enlarger: Enlarger | None,
    ) -> None:
        self.formats = line(
            f"{KINDS}; up to {MOST_PHOTOS} photos, a file or an unpacked zip up to "
            f"{space.megabytes} MB."
        )
        with gr.Row(elem_id="colorize", elem_classes="workbench"):
            with gr.Column(scale=2, min_width=300):
                self.photos = UploadPane(space, "upload", "Photos, or a zip of them", album=True)
                self.whole_folder = gr.UploadButton(
                    "Choose a whole folder", file_count="directory", size="sm", elem_id="upload-all"
                )
                self.all = AllPhotos(colorizer)
                self._build_photo()
            with gr.Column(scale=5, min_width=300):
                self.samples = Samples(colorizer, space.budget)
                welcome = f"{WELCOME}{self.samples.gray_html()}"
                self.result = ComparePane("", welcome, colorizer.digest, self.status)
                with self.result.column:
                    self._build_gallery()
                    self._build_comparison()
                    self.larger = EnlargePane(
                        enlarger, self.photos.session, self.format, colorizer.digest
                    )
                    hints = colorizer.takes_hints
                    self.to_hints = gr.Button(
                        "Correct its colors", visible=hints, elem_id="to-hints"
                    )
                    gr.HTML(_TO_HINTS, visible=hints, elem_id="to-hints-info")
            with gr.Column(scale=2, min_width=300):
                self._build_controls()

    def _build_photo(self) -> None:
        self.photos.add_preview("preview", 240)
        self.about = status_line(self.formats, "about")
        with gr.Row():
            self.button = gr.Button(
                COLORIZE, variant="primary", interactive=False, min_width=120, elem_id="go"
            )
            self.cancel_button = gr.Button("Cancel", visible=False, min_width=120, elem_id="cancel")
        self.status = status_line("", "status")

    def _build_controls(self) -> None:
        self.n = gr.Slider(
            1,
            MOST_COLORINGS,
            value=4,
            step=1,
            label="Colorings",
            info="How many to choose from.",
            elem_id="n",
        )
        with advanced("advanced"):
            self.temperature = vividness_slider("temperature")
            self.seed = seed_number(
                "seed",
                "Another number gives other colors, the same number the same. The name of a "
                "sample's download says its own.",
            )

    def _build_gallery(self) -> None:
        self.view = view_switch("view", "Show")
        gr.HTML("<h2>Choose the one you like best</h2>", elem_id="gallery-heading")
        self.gallery = gr.Gallery(
            show_label=False,
            format="png",
            allow_preview=False,
            interactive=False,
            buttons=[],
            elem_id="gallery",
        )
        with gr.Row(elem_id="variations"):
            self.more = gr.Button("More like this", min_width=120, elem_id="more")
            self.else_ = gr.Button("Something else", min_width=120, elem_id="else")
        gr.HTML(_VARIATIONS, elem_id="variations-info")

    def _build_comparison(self) -> None:
        self.result.add_compare("compare-heading")
        self.beside = gr.Radio(
            [TRUE_COLORS, GRAY],
            value=TRUE_COLORS,
            label="Compare with",
            info="The photo's own colors, which were not used, or its gray.",
            visible=False,
            elem_id="beside",
        )
        with gr.Row(elem_id="keep"):
            self.result.add_download()
            self.format = gr.Radio(
                list(SUFFIXES),
                value=OWN_FORMAT,
                label="Save as",
                info="Its own is JPEG for a JPEG. A JPEG is small; a PNG loses nothing.",
                elem_id="format",
            )
