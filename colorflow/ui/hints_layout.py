"""What the tab of hints shows."""

from __future__ import annotations

import gradio as gr

from colorflow.ui.hint_lists import LISTEN
from colorflow.ui.status import line, status_line

_WELCOME = """
<ol>
<li><h2>Choose a photo</h2>It is colored at once, as the model believes.</li>
<li><h2>Click what you know</h2>The blue door, the red scarf: click a point, then choose its color
among likely ones or freely.</li>
<li><h2>See the rest follow</h2>Colors spread over what belongs together. Correct, add, take
back.</li>
</ol>
"""
_FILES = """
<p>Saved hints are a small JSON file, for another day or for “colorflow colorize --hints”.</p>
"""


class HintsLayout:
    """Components of the tab, made inside a `gr.Blocks`.

    Args:
        max_megabytes: size of the largest upload, to be stated.
    """

    def __init__(self, max_megabytes: int) -> None:
        with gr.Row(elem_id="hints"):
            with gr.Column(scale=5, min_width=300):
                self._build_picture(max_megabytes)
            with gr.Column(
                scale=2, min_width=300, visible=False, elem_id="hints-side"
            ) as self.side:
                self._build_points()

    def _build_picture(self, max_megabytes: int) -> None:
        self.formats = line(f"JPEG, PNG, WebP, TIFF or BMP, up to {max_megabytes} MB.")
        self.upload = gr.File(
            label="Photo", file_types=["image"], height=140, elem_id="hints-upload"
        )
        self.status = status_line(self.formats, "hints-status")
        self.welcome = gr.HTML(_WELCOME, elem_id="hints-welcome")
        self.picture = gr.Image(
            label="Click a point",
            show_label=False,
            format="png",
            interactive=False,
            visible=False,
            buttons=[],
            elem_id="hints-picture",
        )
        self.swatches = gr.HTML("", js_on_load=LISTEN, elem_id="hints-swatches")
        with gr.Row(visible=False, elem_id="hints-free") as self.free:
            self.picker = gr.ColorPicker(
                value="#4a6fa5",
                label="Any other color",
                info="Its hue and strength count; how light it is stays the photo's.",
                elem_id="hints-picker",
            )
            self.use = gr.Button("Use this color", scale=0, min_width=180, elem_id="hints-use")

    def _build_points(self) -> None:
        self.points = gr.HTML("", js_on_load=LISTEN, elem_id="hints-points")
        with gr.Row():
            self.undo_button = gr.Button(
                "Undo", interactive=False, min_width=120, elem_id="hints-undo"
            )
            self.other = gr.Button("Other colors", min_width=120, elem_id="hints-other")
        gr.HTML(
            "<p>Undo takes the last change of a point back. Other colors changes what you "
            "have not said.</p>",
            elem_id="hints-info",
        )
        self.fetch = gr.Button("Download", variant="primary", elem_id="hints-download")
        self.file = gr.DownloadButton("Photo", elem_id="hints-file")
        with gr.Row():
            self.save = gr.DownloadButton("Save hints", min_width=120, elem_id="hints-save")
            self.load = gr.UploadButton(
                "Load hints", file_types=[".json"], min_width=120, elem_id="hints-load"
            )
        gr.HTML(_FILES, elem_id="hints-files-info")
        with gr.Accordion("Say a place by numbers", open=False, elem_id="hints-place"):
            self.across = gr.Number(
                value=0,
                precision=0,
                label="Across",
                info="Pixels from the left edge of the photo.",
                elem_id="hints-across",
            )
            self.down = gr.Number(
                value=0,
                precision=0,
                label="Down",
                info="Pixels from its upper edge.",
                elem_id="hints-down",
            )
            self.put_button = gr.Button("Take this place", elem_id="hints-put")
