"""The tab that colours one photo: upload, choose among the colourings, download."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError
from colorflow.photo import Kind
from colorflow.ui.download import preparing, ready
from colorflow.ui.open_map_view import OpenMapView
from colorflow.ui.opened import OpenPhoto
from colorflow.ui.session import Colouring, Part, PhotoColorizer, Session, Wish
from colorflow.ui.status import line, problem, status_line

MOST_COLOURINGS = 8
LARGEST_SEED = 2**32 - 1
_NO_PHOTO = "There is no photo yet; choose one first."

Updates = dict[Any, Any]
"""New values by component."""

_ABOUT_KIND = {
    Kind.GREY: "A grey photo",
    Kind.TINTED: "A toned photo (sepia or the like), coloured as if it were grey",
    Kind.COLOURED: "This photo already has colours; it is coloured anew from its lightness",
}
_WELCOME = """
<ol>
<li><h2>Choose a photo</h2>A scan, or a picture of the print taken with a phone; sepia is fine.</li>
<li><h2>Colour it</h2>Several colourings come, and they differ where a grey photo does not tell: the
dress may be red in one and blue in another.</li>
<li><h2>Keep what you believe</h2>The download has your photo's own size, sharpness and date.</li>
</ol>
"""
_VARIATIONS = """
<p>More like the chosen one: its colours stay, their details change. Something else: other colours
for the same things. Seed 8-0 has the colours of seed 8 and the details of seed 0.</p>
"""
_SHOW_RESULTS = """
() => requestAnimationFrame(() => {
    const results = document.querySelector("#results");
    const below = results && results.getBoundingClientRect().top > innerHeight / 2;
    if (below && !document.querySelector("#status .bad"))
        results.scrollIntoView({ behavior: "smooth" });
})
"""
"""On a phone the results stand below the controls, out of sight."""


class ColouriseTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers return the new values by component, and work without a server.

    Args:
        colorizer: colours the photos.
        root: folder in which the visitors' folders are made.
        max_megabytes: size of the largest upload, to be stated.
        hints: whether there is a tab that takes a colouring over, to say colours of points.
    """

    def __init__(
        self, colorizer: PhotoColorizer, root: Path, max_megabytes: int, *, hints: bool = False
    ) -> None:
        self._colorizer = colorizer
        self._root = root
        self.session = gr.State(None, delete_callback=_close)
        with gr.Row(elem_id="colourise"):
            with gr.Column(scale=2, min_width=300):
                self._build_photo(max_megabytes)
                self._build_controls()
            with gr.Column(scale=5, min_width=300):
                self._build_results(hints=hints)
        self._connect()

    def _build_photo(self, max_megabytes: int) -> None:
        self._formats = line(f"JPEG, PNG, WebP, TIFF or BMP, up to {max_megabytes} MB.")
        self.upload = gr.File(label="Photo", file_types=["image"], height=140, elem_id="upload")
        self.preview = gr.Image(
            show_label=False,
            interactive=False,
            visible=False,
            buttons=[],
            height=240,
            elem_id="preview",
        )
        self.about = status_line(self._formats, "about")
        self.button = gr.Button("Colourise", variant="primary", interactive=False, elem_id="go")
        self.status = status_line("", "status")

    def _build_controls(self) -> None:
        self.n = gr.Slider(
            1,
            MOST_COLOURINGS,
            value=4,
            step=1,
            label="Colourings",
            info="How many to choose from.",
            elem_id="n",
        )
        self.temperature = gr.Slider(
            0,
            1.5,
            value=1.0,
            step=0.05,
            label="Vividness",
            info="0 is calm and the same each time, 1 natural, more is bold.",
            elem_id="temperature",
        )
        self.diverse = gr.Checkbox(
            label="As different as possible",
            info="Picks the most different ones out of many.",
            elem_id="diverse",
        )
        self.seed = gr.Number(
            value=0,
            precision=0,
            label="Seed",
            info="Another number gives other colours, the same number the same.",
            elem_id="seed",
        )

    def _build_results(self, *, hints: bool) -> None:
        self.welcome = gr.HTML(_WELCOME, elem_id="welcome")
        with gr.Column(visible=False, elem_id="results") as self.results:
            gr.HTML("<h2>Click the one that you believe</h2>", elem_id="gallery-heading")
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
            gr.HTML("<h2>Drag the handle to compare</h2>", elem_id="compare-heading")
            self.compare = gr.ImageSlider(
                show_label=False,
                format="png",
                interactive=False,
                buttons=["fullscreen"],
                max_height=640,
                elem_id="compare",
            )
            self.download = gr.DownloadButton("Download", variant="primary", elem_id="download")
            self.to_hints = gr.Button("Correct its colours", visible=hints, elem_id="to-hints")
            self.open_map = OpenMapView(self._colorizer, self.session, self.status)

    def _connect(self) -> None:
        """Connect events with handlers; none of them is part of a public interface."""
        shown = [self.results, self.welcome, self.gallery, self.compare, self.download, self.status]
        gr.on(
            [self.upload.upload, self.upload.clear],
            self.open_photo,
            [self.upload, self.session],
            [
                self.session,
                self.preview,
                self.about,
                self.button,
                *shown,
                *self.open_map.components,
            ],
            show_progress_on=self.about,
            api_visibility="private",
        )
        colourise = self.button.click(
            self.colourise,
            [self.session, self.n, self.temperature, self.seed, self.diverse],
            shown,
            show_progress_on=self.status,
            concurrency_id="draw",
            api_visibility="private",
        )
        colourise.then(None, js=_SHOW_RESULTS)
        choose = self.gallery.select(
            self.choose,
            [self.session],
            [self.compare, self.download, self.status],
            show_progress="hidden",
            trigger_mode="multiple",
            concurrency_limit=None,
            api_visibility="private",
        )
        variations = [
            button.click(
                handler,
                [self.session, self.n],
                shown,
                show_progress_on=self.status,
                concurrency_id="draw",
                api_visibility="private",
            )
            for button, handler in (
                (self.more, self.more_like_this),
                (self.else_, self.something_else),
            )
        ]
        for chosen in (colourise, choose, *variations):
            chosen.then(
                self.prepare_download,
                [self.session],
                [self.download, self.status],
                show_progress="hidden",
                trigger_mode="multiple",
                concurrency_id="paint",
                api_visibility="private",
            )

    def open_photo(self, upload: str | None, session: Session | None) -> Updates:
        """Show the photo that was uploaded, or nothing after it was taken away.

        Args:
            upload: path of the upload.
            session: None at the visitor's first photo.
        """
        empty: Updates = {
            self.preview: gr.update(value=None, visible=False),
            self.about: self._formats,
            self.button: gr.update(interactive=False),
            self.status: "",
            self.welcome: gr.update(visible=True),
            self.results: gr.update(visible=False),
            self.gallery: None,
            self.compare: None,
            self.download: None,
            **self.open_map.emptied(),
        }
        if upload is None:
            if session:
                session.forget_photo()
            return empty
        try:
            session = session or Session(self._root)
            photo = session.open(Path(upload))
        except (ColorflowError, MemoryError) as error:
            return {**empty, self.session: session, self.about: problem(error)}
        return {
            **empty,
            self.session: session,
            self.preview: gr.update(value=str(photo.preview), visible=True),
            self.about: line(f"{_ABOUT_KIND[photo.kind]}. {photo.width} × {photo.height} pixels."),
            self.button: gr.update(interactive=True),
        }

    def colourise(
        self,
        session: Session | None,
        n: int,
        temperature: float,
        seed: int | None,
        diverse: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio looks for this default)
    ) -> Updates:
        """Colour the open photo and show the first colouring."""
        if seed is None or not 0 <= seed <= LARGEST_SEED:
            return {self.status: line(f"Seed: a whole number from 0 to {LARGEST_SEED}.", bad=True)}
        wish = Wish(n=int(n), temperature=temperature, seed=int(seed), diverse=diverse)
        return self._made(session, lambda one: one.colourise(self._colorizer, wish, progress))

    def more_like_this(
        self,
        session: Session | None,
        n: int,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        """Keep the colours of the chosen colouring and draw their details anew."""
        return self._vary(session, "details", n, progress)

    def something_else(
        self,
        session: Session | None,
        n: int,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        """Draw other colours for the things in the chosen colouring."""
        return self._vary(session, "colours", n, progress)

    def choose(self, session: Session | None, event: gr.SelectData) -> Updates:
        """Show the colouring that was clicked; its download is prepared next."""
        chosen = session.choose(event.index) if session else None
        if chosen is None:
            text = "These colourings are gone; choose the photo again."
            return {self.status: line(text, bad=True)}
        return self._shown(*chosen)

    def prepare_download(self, session: Session | None) -> Updates:
        """Make the chosen colouring in full size, and offer it."""
        try:
            path = session.paint_chosen(self._colorizer.digest) if session else None
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error)}
        photo = session.photo if session else None
        if path is None or photo is None:
            return {self.status: gr.skip()}
        return {self.download: ready(path, photo)}

    def _vary(self, session: Session | None, part: Part, n: int, progress: gr.Progress) -> Updates:
        return self._made(session, lambda one: one.vary(self._colorizer, part, int(n), progress))

    def _made(
        self, session: Session | None, make: Callable[[Session], OpenPhoto | None]
    ) -> Updates:
        """Let the session make colourings, and show them."""
        started = time.perf_counter()
        try:
            if session is None:
                raise ColorflowError(_NO_PHOTO)
            photo = make(session)
        except (ColorflowError, MemoryError) as error:
            return {self.status: problem(error)}
        made = session.colourings
        if photo is None or not made:
            return {self.status: gr.skip()}
        several = "1 colouring" if len(made) == 1 else f"{len(made)} colourings"
        return {
            self.welcome: gr.update(visible=False),
            self.results: gr.update(visible=True),
            self.gallery: gr.update(
                value=[(str(one.preview), one.caption) for one in made], selected_index=0
            ),
            **self._shown(photo, made[0]),
            self.status: line(f"{several} in {time.perf_counter() - started:.1f} s."),
        }

    def _shown(self, photo: OpenPhoto, colouring: Colouring) -> Updates:
        return {
            self.compare: (str(photo.grey), str(colouring.preview)),
            self.download: preparing(),
        }


def _close(session: Session | None) -> None:
    if session is not None:
        session.close()
