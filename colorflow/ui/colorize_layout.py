"""The components of the tab that colors photos, and what they show of a visitor's photos."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.photo import KINDS, Kind
from colorflow.ui.album import MOST_PHOTOS, AlbumSession
from colorflow.ui.colorings import MOST_KEPT, ColoredPhoto, ShownColoring
from colorflow.ui.controls import MOST_VIVID, SAMPLES, SUMMARY, factor, seed_number
from colorflow.ui.enlarge import EnlargePane
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import (
    HAS_COLORS,
    TREAT_AS_GRAY,
    ComparePane,
    UploadPane,
    script,
    session_state,
)
from colorflow.ui.photos import file_url
from colorflow.ui.prepare import PreparePane, Preparing
from colorflow.ui.samples import sample_buttons
from colorflow.ui.saturation import SaturationPane
from colorflow.ui.status import Updates, line, status_line
from colorflow.ui.uncertainty_map import UncertaintyMap

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

MOST_COLORINGS = 8
COLORIZE = "Colorize"
"""What the button says, unless a photo is left alone because it has colors."""
TRUE_COLORS, GRAY = "Its own colors", "Its gray"

_WELCOME = """
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
shows single samples beside it: independent draws from all colorings that suit the photo, bolder
than averages. Back to the summary brings the average and the frequent kinds again at once.</p>
"""
_TO_HINTS = """
<p>Takes this coloring to Hints, where you choose the colors that you know.</p>
"""
_ABOUT_KIND = {
    Kind.GRAY: "A gray photo",
    Kind.TINTED: "A toned photo (sepia or the like), colored as if it were gray",
    Kind.COLORED: "This photo has colors of its own, and is treated as gray",
}
_TICK = '<span class="tick" role="img" aria-label="colored">✓</span>'


class ColorizeLayout:
    """Components of the tab, made inside a `gr.Blocks`, and updates of them.

    Args:
        colorizer: colors the photos.
        space: where uploads go, shared by all tabs.
        enlarger: enlarges colorings; None if there is none.
        repairer: finds and fills damage; None if there is none.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        space: UploadSpace,
        enlarger: Enlarger | None,
        repairer: Repairer | None,
    ) -> None:
        self.formats = line(
            f"{KINDS}; up to {MOST_PHOTOS} photos, a file or an unpacked zip up to "
            f"{space.megabytes} MB."
        )
        self.session = session_state(space, AlbumSession)
        with gr.Row(elem_id="colorize", elem_classes="workbench"):
            with gr.Column(scale=2, min_width=300):
                self._build_photos()
                self._build_runs()
            with gr.Column(scale=5, min_width=300):
                self.prepare = PreparePane(repairer, self.session, self._view)
                welcome = f"{_WELCOME}{sample_buttons()}"
                self.result = ComparePane("", welcome, self.status)
                with self.result.column:
                    self._build_gallery()
                    self._build_comparison()
                self.larger = EnlargePane(enlarger, self.session, self.status)
                self.result.download = self.larger.plain
                with gr.Column(visible=False, elem_id="more-results") as self.others:
                    hints = colorizer.takes_hints
                    self.to_hints = gr.Button(
                        "Correct its colors", visible=hints, elem_id="to-hints"
                    )
                    gr.HTML(_TO_HINTS, visible=hints, elem_id="to-hints-info")
                    self.map = UncertaintyMap(colorizer, self.session, self.status)
            with gr.Column(scale=2, min_width=300):
                self._build_controls()
        self.shown = [
            self.session, self.photos.upload, self.strip, self.photos.preview, self.about,
            self.with_colors, self.button, self.all_button, self.cancel_button, self.status,
            self.zip_button, self.every, self.zip_file, self.result.welcome, self.result.column,
            self.view, self.gallery, self.back_button, self.kept, self.result.compare,
            *self.saturation.components, self.beside, self.others,
            *self.larger.components, *self.map.components, *self.prepare.components,
        ]  # fmt: skip

    def _build_photos(self) -> None:
        self.photos = UploadPane("upload", "Photos, or a zip of them", album=True)
        self.whole_folder = gr.UploadButton(
            "Choose a whole folder", file_count="directory", size="sm", elem_id="upload-all"
        )
        self.strip = gr.HTML(
            "", js_on_load=script("listen.js"), apply_default_css=False, elem_id="strip"
        )
        self.photos.add_preview("preview", 240)
        self.about = status_line(self.formats, "about")
        self.with_colors = gr.CheckboxGroup(
            label="Treat as gray",
            info="These photos have colors and are left as they are. Tick those that are scans "
            "of gray photos: their lightness is colored.",
            show_select_all=True,
            visible=False,
            elem_id="all-gray",
        )

    def _build_runs(self) -> None:
        """What begins work on photos, and how far it is."""
        with gr.Row():
            self.button = gr.Button(
                COLORIZE, variant="primary", interactive=False, min_width=120, elem_id="go"
            )
            self.all_button = gr.Button(visible=False, min_width=120, elem_id="all-go")
            self.cancel_button = gr.Button("Cancel", visible=False, min_width=120, elem_id="cancel")
        self.status = status_line("", "status")
        self.zip_button = gr.Button(visible=False, elem_id="all-download")
        self.every = gr.Checkbox(
            label="With all colorings of each photo",
            info="The zip has the one that you chose and those that you kept, or all.",
            visible=False,
            elem_id="all-every",
        )
        self.zip_file = gr.DownloadButton(elem_id="all-file", elem_classes="saved")

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
        with gr.Accordion("Advanced", open=False, elem_id="advanced"):
            self.temperature = factor(
                "temperature",
                "Vividness",
                "Of the next colorings, when you press Colorize: 0 is calm and the same each time, "
                "1 natural, more is bold. Saturation changes a coloring at once.",
                MOST_VIVID,
            )
            self.seed = seed_number(
                "seed",
                "Another number gives other colors, the same number the same. The name of a "
                "sample's download says its own.",
            )
            self.skin = gr.Checkbox(
                True,
                label="Skin in the color of skin",
                info="Of the next colorings. Untick it for a photo in which something else, such "
                "as a statue, is taken for skin.",
                elem_id="skin",
            )

    def _build_gallery(self) -> None:
        self.view = gr.Radio(
            [SUMMARY, SAMPLES],
            value=SUMMARY,
            label="Show",
            info="The average of all colorings and the averages of the most frequent kinds; or "
            "single samples, which are bolder.",
            elem_id="view",
        )
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
            self.more_button = gr.Button("More like this", min_width=120, elem_id="more")
            self.else_button = gr.Button("Something else", min_width=120, elem_id="else")
            self.back_button = gr.Button(
                "Back to the summary", visible=False, min_width=120, elem_id="back"
            )
            self.keep_button = gr.Button("★ Keep this one", min_width=120, elem_id="keep-this")
        gr.HTML(_VARIATIONS, elem_id="variations-info")
        self.kept = gr.HTML(
            "", js_on_load=script("listen.js"), apply_default_css=False, elem_id="kept"
        )

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
        self.saturation = SaturationPane("", self.status)

    # what is shown

    def _view(self, session: AlbumSession) -> Updates:
        """Everything about the photo that the visitor looks at."""
        current = session.current
        view: Updates = {
            self.session: session,
            **self._album(session),
            **self.photos.shown(current.photo if current else None),
            **self.prepare.shown(session),
            self.about: self._about(session),
            self.button: self._button(session),
            **self.result.emptied(),
            self.view: SUMMARY,
            self.gallery: None,
            self.beside: gr.update(visible=bool(current and current.has_colors)),
            self.others: gr.update(visible=False),
            **self.map.emptied(),
            **self.larger.emptied(current),
            **self._colorings(session),
        }
        is_free = session.job is None or isinstance(session.job, Preparing)
        return {**view, **self._said_nothing()} if is_free else view

    def _said_nothing(self) -> Updates:
        """The line of runs when there is none."""
        return {self.status: "", self.cancel_button: gr.update(visible=False)}

    def _album(self, session: AlbumSession) -> Updates:
        """The small pictures, and the buttons for all; nothing for a single photo."""
        photos = session.items
        colored = [one for one in photos if one.is_in_zip]
        with_colors = [one for one in photos if one.has_colors]
        several = len(photos) + len(session.waiting) > 1
        to_color = sum(not one.is_left_alone for one in photos) + len(session.waiting)
        return {
            self.strip: strip_html(photos, session.current),
            self.with_colors: gr.update(
                choices=[(one.name, one.folder.name) for one in with_colors],
                value=[one.folder.name for one in with_colors if one.treated_as_gray],
                visible=several and bool(with_colors),
            ),
            self.all_button: gr.update(
                value=f"Colorize all {to_color}", interactive=to_color > 0, visible=several
            ),
            self.zip_button: gr.update(
                value=f"Download {number_of(len(colored), 'photo')} in a zip",
                visible=len(colored) > 1,
            ),
            self.every: gr.update(
                visible=len(colored) > 1 and any(len(one.colorings) > 1 for one in colored)
            ),
        }

    def _button(self, session: AlbumSession) -> dict[str, Any]:
        """The button as it is for the photo that the visitor looks at."""
        current = session.current
        return gr.update(
            value=TREAT_AS_GRAY if current and current.is_left_alone else COLORIZE,
            interactive=current is not None,
        )

    def _about(self, session: AlbumSession) -> str:
        said = session.said()
        if session.current is None:
            return "".join(said) or self.formats
        photo = session.current.photo
        kind = HAS_COLORS if session.current.is_left_alone else _ABOUT_KIND[photo.kind]
        size = f"{photo.width} × {photo.height} pixels"
        return "".join([*said, line(f"{kind}. {size}.")])

    def _one_more(self, session: AlbumSession, photo: ColoredPhoto, done: int) -> Updates:
        """One more coloring of a photo, if it is the one that the visitor looks at."""
        if session.current is not photo:
            return {}
        if done > 1:
            return self._gallery(photo)
        return {**self._album(session), **self._colorings(session)}

    def _colorings(self, session: AlbumSession, before: ShownColoring | None = None) -> Updates:
        """The colorings, if any, of the photo that the visitor looks at.

        Args:
            session: the visitor's.
            before: the coloring that was chosen before, if the page shows it.
        """
        current = session.current
        if current is None or current.chosen is None:
            return {}
        sliders = self.saturation.of(current.chosen)
        if before and sliders == self.saturation.of(before):
            sliders = {}  # they may be moved just now
        return {
            **self.result.shown(),
            **self._saturated(session, current),
            **sliders,
            self.others: gr.update(visible=True),
            **self.larger.interrupted(session),
            **self.larger.emptied(current),
        }

    def _saturated(self, session: AlbumSession, current: ColoredPhoto) -> Updates:
        """The chosen coloring of a photo wherever it is shown."""
        colorings, chosen = list(current.colorings), current.require_chosen()
        index = colorings.index(chosen) if chosen in colorings else None
        return {
            **self._gallery(current, selected_index=index),
            self.kept: kept_html(current),
            **self._compared(session, current, chosen),
        }

    def _gallery(self, photo: ColoredPhoto, **options: Any) -> Updates:
        pictures = [(str(one.preview), one.caption) for one in photo.colorings]
        return {
            self.gallery: gr.update(value=pictures, **options),
            self.view: SAMPLES if photo.shows_samples else SUMMARY,
            self.back_button: gr.update(visible=bool(photo.aside)),
        }

    def _compared(
        self, session: AlbumSession, current: ColoredPhoto, coloring: ShownColoring
    ) -> Updates:
        photo = current.photo
        as_gray = current.has_colors and session.compares_gray
        before = photo.gray if as_gray else photo.preview
        return self.result.compared(photo, before, coloring.preview)


def strip_html(photos: Sequence[ColoredPhoto], current: ColoredPhoto | None) -> str:
    """Small pictures of the photos as buttons; nothing for a single one, which is shown anyway."""
    if len(photos) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-index="{index}" data-act="look" '
        f'aria-pressed="{str(one is current).lower()}" title="{html.escape(one.name)}">'
        f'<img src="{file_url(one.photo.thumbnail)}" alt="{html.escape(one.name)}" loading="lazy">'
        f"{_TICK if one.chosen else ''}</button>"
        for index, one in enumerate(photos)
    )
    return f'<div role="group" aria-label="Your photos" class="strip">{buttons}</div>'


def kept_html(photo: ColoredPhoto) -> str:
    """The colorings that are kept, each with buttons that show, download and remove it."""
    if not photo.kept:
        return ""
    items = []
    for index, one in enumerate(photo.kept):
        name = html.escape(one.caption)
        items.append(
            f'<span><button type="button" data-index="{index}" data-act="look" title="{name}" '
            f'aria-pressed="{str(one is photo.chosen).lower()}">'
            f'<img src="{file_url(one.preview)}" alt="Kept: {name}"></button>'
            f'<button type="button" data-index="{index}" data-act="save" '
            f'aria-label="Download kept {name}" title="Download">⤓</button>'
            f'<button type="button" data-index="{index}" data-act="drop" '
            f'aria-label="Remove kept {name}" title="Remove">×</button></span>'
        )
    return (
        f"<h2>Kept: {len(photo.kept)} of at most {MOST_KEPT}</h2>"
        f'<div role="group" aria-label="Kept colorings" class="strip">{"".join(items)}</div>'
    )


def number_of(count: int, what: str) -> str:
    """A number of things in words."""
    return f"{count} {what}{'' if count == 1 else 's'}"
