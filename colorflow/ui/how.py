"""The tab that shows how a gray photo gets its colors."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from colorflow.photo import Photo, count_pixels, read_photo
from colorflow.quiz.trials import example_photo
from colorflow.ui.colorings import PhotoSession
from colorflow.ui.controls import checked_seed, seed_number, whole_number
from colorflow.ui.flow_pictures import FlowPictures, player, row
from colorflow.ui.limits import UploadSpace
from colorflow.ui.panes import IN_TURN, script, session_state
from colorflow.ui.status import FAILURES, Updates, line, problem, status_line
from colorflow.ui.uncertainty_map import MOST

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

_LEVEL_PACE, _WALK_PACE = 1800, 450
"""Milliseconds a picture."""
_HEADING = """
<h2>How a gray photo gets its colors</h2>
<p>colorflow has learned, from photos with colors, a chain of steps that can be walked both ways.
One way it turns the colors of a photo into noise, and nothing is lost. The other way it turns
noise into colors; the gray photo steers each step. So new noise gives new colors that would suit
the photo too, which is why there are always several. Such a chain is called a normalizing flow.</p>
"""
_YOURS = "This is the photo that you look at in Colorize."
_EXAMPLE = "This is an example; with a photo of yours in Colorize, it is that one."
_LEVELS = """
<h2>From noise to picture</h2>
<p>The flow works on a small grid, coarse levels first. Move the slider, or press Play.</p>
"""
_TEMPERATURES = """
<h2>The same noise, weaker and stronger</h2>
<p>Vividness multiplies the noise before it enters. Weak noise gives the colors that are likely
everywhere, and so a calm picture; strong noise gives colors that are rarer, and mistakes.</p>
"""
_WALK = """
<h2>From one coloring to another</h2>
<p>Halfway between two noises there is noise again, and so a coloring. Every picture on the way is
one that the flow could have sampled.</p>
"""
_FORMULA = f"""
<p>The flow <i>f</i> is a bijection between the chroma <i>ab</i> on the grid and latents <i>z</i>,
given the lightness <i>L</i>: <i>z = f(ab; L)</i>. Trained by maximum likelihood, it has an exact
density,</p>
<p class="formula">log p(ab | L) = Σ<sub>k</sub> [ log N(z<sub>k</sub>; 0, I) +
log |det ∂z<sub>k</sub>/∂x<sub>k</sub>| ] + c,</p>
<p>with one term for each level <i>k</i>. <i>x<sub>1</sub></i> is the mean chroma on the coarsest
grid; each further <i>x<sub>k</sub></i> is what a Haar step needs to split every mean into four, and
its flow is conditioned on these means and on features of <i>L</i>. The constant <i>c</i> stands for
the Haar steps and for what keeps chroma in its range; the means are those of the unbounded chroma.
Sampling is <i>z<sub>k</sub> = τ t<sub>k</sub> ε</i> with standard normal <i>ε</i>, the vividness
<i>τ</i> and a temperature <i>t<sub>k</sub></i> for each level, followed by the inverse of <i>f</i>;
temperatures below 1 cost vividness, which a factor on <i>x<sub>1</sub></i> gives back.
The walk goes along the arc from one <i>z</i> to the other, at a constant rate, because nearly all
normal vectors in many dimensions are equally long.</p>
<p>The picture of where the model is unsure: nine in ten samples of <i>a</i>, and of <i>b</i>, lie
in an interval; shown is the distance in <i>ab</i> between the middle and a corner of the two
intervals, from 0, dark, to {MOST} CIELAB units or more, bright.</p>
"""


class HowTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Handlers yield new values by component one after the other, and work without a server.

    Args:
        colorizer: colors the photos.
        space: where uploads go, shared by all tabs.
    """

    def __init__(self, colorizer: Colorizer, space: UploadSpace) -> None:
        self._colorizer = colorizer
        self.session = session_state(space)
        gr.HTML(_HEADING, elem_id="how-heading")
        with gr.Row(elem_id="how-controls"):
            self.seed = seed_number("how-seed", "Of the noise: another number is other noise.")
            self.other = whole_number(
                "how-other", "Second seed", "Of the coloring at the end of the walk.", value=1
            )
            self.button = gr.Button(
                "Show", variant="primary", scale=0, min_width=180, elem_id="how-go"
            )
        self.status = status_line("", "how-status")
        with gr.Column(visible=False, elem_id="how") as self.column:
            self.levels = self._section("levels", _LEVELS)
            self.temperatures = self._section("temperatures", _TEMPERATURES)
            self.walk = self._section("walk", _WALK)
        with gr.Accordion("The formula", open=False, elem_id="how-formula"):
            gr.HTML(_FORMULA, elem_id="how-formula-text")

    def _section(self, name: str, text: str) -> gr.HTML:
        gr.HTML(text, elem_id=f"how-{name}-heading")
        return gr.HTML(
            "", js_on_load=script("player.js"), apply_default_css=False, elem_id=f"how-{name}"
        )

    def connect(self, tab: gr.Tab, photos: gr.State) -> None:
        """Connect events with handlers.

        Args:
            tab: what the visitor selects to come here.
            photos: holds the `Session` of the tab that colors photos.
        """
        inputs = [photos, self.session, self.seed, self.other]
        shown = [*inputs[1:], self.status, self.column, self.levels, self.temperatures, self.walk]
        options: dict[str, Any] = {"show_progress_on": self.status, **IN_TURN}
        tab.select(self.arrive, inputs[:2], shown, **options)
        self.button.click(self.show, inputs, shown, trigger_mode="always_last", **options)

    def arrive(self, photos: PhotoSession, session: PhotoSession) -> Iterator[Updates]:
        """Show the visitor's photo and chosen coloring, unless they are shown already."""
        chosen = _chosen(photos)
        if isinstance(session.job, FlowPictures) and session.job.shown == chosen:
            yield {self.status: gr.skip()}
            return
        _, seed = chosen
        yield {self.seed: seed, self.other: seed + 1}
        yield from self.show(photos, session, seed, seed + 1)

    def show(
        self, photos: PhotoSession, session: PhotoSession, seed: int | None, other: int | None
    ) -> Iterator[Updates]:
        """Show how the photo gets the colors of one seed, and those between two seeds."""
        try:
            first, last = checked_seed(seed), checked_seed(other, "Second seed")
            chosen = _chosen(photos)
            with _photo_of(photos) as photo:
                job = FlowPictures(session, self._colorizer, photo)
                yield from session.run(job, self._sections(session, job, first, last))
            if not job.end:
                job.shown = chosen
            said = line(_YOURS if photos.current else _EXAMPLE)
            yield {self.status: gr.skip() if job.end else said}
        except FAILURES as error:
            yield {self.session: session, self.status: problem(error)}

    def _sections(
        self, session: PhotoSession, job: FlowPictures, seed: int, other: int
    ) -> Generator[Updates, None, None]:
        yield {self.session: session, self.status: line("Looking into the flow ...")}
        ratio = job.ratio
        yield {
            self.column: gr.update(visible=True),
            self.levels: player(job.levels(seed), label="Step", ratio=ratio, pace=_LEVEL_PACE),
            self.temperatures: "",
            self.walk: "",
        }
        yield {self.temperatures: row(job.temperatures(seed), ratio=ratio)}
        yield {self.walk: player(job.walk(seed, other), label="Way", ratio=ratio, pace=_WALK_PACE)}


@contextmanager
def _photo_of(photos: PhotoSession) -> Iterator[Photo]:
    """The visitor's photo or an example, with memory for it."""
    if photos.current:
        with photos.current.photo.read() as photo:
            yield photo
        return
    example = example_photo()
    with photos.budget.reserve(count_pixels(example)):
        yield read_photo(example)


def _chosen(photos: PhotoSession) -> tuple[Path, int]:
    """The visitor's photo, or an example, and the seed of its chosen coloring."""
    current = photos.current
    if current is None:
        return example_photo(), 0
    return current.photo.path, current.chosen.seed if current.chosen else 0
