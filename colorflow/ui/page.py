"""The page: its tabs, the look that they share, and the tab that shows how it works."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import gradio as gr
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.photo import Photo
from colorflow.quiz.game import Quiz
from colorflow.ui.api import Api
from colorflow.ui.colorize import ColorizeTab, Desks
from colorflow.ui.limits import WORK_QUEUE
from colorflow.ui.photos import FAILURES, NO_CHROMA, opened, reduced, sentence
from colorflow.ui.quiz import QuizTab
from colorflow.ui.render import SAMPLE_PHOTOS, STATUS, Updates, line, scripted
from colorflow.ui.work import DeskWorker

STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")
HEAD = Path(__file__).with_name("answers.js")

_HEADING = """
<h1>colorflow</h1>
<p>Nobody knows any more which colors an old photo had. Here are several that it could have
had.</p>
"""
_PRIVACY = """
<p>Your photo goes to the computer that runs this page and nowhere else. It is deleted there an hour
after you last did something here.</p>
"""
SAMPLE = SAMPLE_PHOTOS / "portrait.jpg"
"""What is shown to a visitor without a photo."""
SIDE = 480
"""Longest side of the pictures of the photo, in pixels."""
STEPS = 9  # pictures of a walk, with both ends
_GRAY, _PER_STD = 128, 42  # a latent of 0 is gray; 3 standard deviations are black or white
_ABOUT_HOW = """
<h2>How a gray photo gets its colors</h2>
<p>colorflow has learned a chain of steps that can be walked both ways. One way it turns the colors
of a photo into noise, and nothing is lost. The other way it turns noise into colors; the gray photo
steers each step. So new noise gives new colors, which is why there are always several, and halfway
between two noises there is another coloring. Move the sliders, or press Play.</p>
"""
_LEVEL = (
    "{0} × {0} patches: noise decides how the colors of the level before differ within each patch; "
    "their mean stays as it was."
)


def build_page(
    worker: DeskWorker, quiz: Quiz, *, has_accounts: bool = False
) -> tuple[gr.Blocks, Desks]:
    """Build the page; gives also the desks of its visitors, which somebody has to keep.

    Args:
        worker: works for all visitors.
        quiz: shared by all players.
        has_accounts: whether visitors log in.
    """
    with gr.Blocks(title="colorflow", analytics_enabled=False) as page:
        gr.HTML(_HEADING, elem_id="heading")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Colorize", elem_id="colorize-tab"):
                colorize = ColorizeTab(worker)
            with gr.Tab("Quiz", elem_id="quiz-tab"):
                QuizTab(quiz, worker.space)
            with gr.Tab("How it works", elem_id="how-tab") as how:
                HowTab(worker, colorize.desks, how)
        Api(worker)
        colorize.connect_page(page)
        gr.HTML(_PRIVACY, elem_id="privacy")
        if has_accounts:
            gr.HTML('<a href="logout">Log out</a>', elem_id="log-out")
    return page, colorize.desks


def theme() -> gr.themes.Base:
    """Warm grays, and fonts of the visitor's system, which no server has to provide."""
    return gr.themes.Default(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_active="*primary_700",
        link_text_color_visited="*primary_700",
    )


# how it works


class HowTab:
    """Components and handlers of the tab, made inside a `gr.Blocks`.

    Args:
        worker: has the model, and memory for photos.
        desks: of the visitors, whose photos are shown.
        tab: what they select to come here.
    """

    def __init__(self, worker: DeskWorker, desks: Desks, tab: gr.Tab) -> None:
        self._colorizer, self._budget = worker.colorizer, worker.budget
        self.shown = gr.State((None, 0))  # the photo's file, and the seed of the noise
        gr.HTML(_ABOUT_HOW, elem_id="how-heading")
        self.other = gr.Button("Other noise", elem_id="how-other")
        self.status = gr.HTML("", elem_id="how-status", **STATUS)
        self.levels = gr.HTML("", elem_id="how-levels", **scripted("player.js"))
        self.walk = gr.HTML("", elem_id="how-walk", **scripted("player.js"))

        outputs = [self.shown, self.status, self.levels, self.walk]
        for event, step in ((tab.select, 0), (self.other.click, 1)):

            def show(
                request: gr.Request, shown: tuple[Path | None, int], step: int = step
            ) -> Updates:
                photo = desks.of(request).at
                path = photo.form.photo.path if photo else SAMPLE
                if path == shown[0] and not step:
                    return {self.status: gr.skip()}
                return self.show(path, shown[1] + step)

            event(show, [self.shown], outputs, api_visibility="private", **WORK_QUEUE)

    def show(self, path: Path, seed: int) -> Updates:
        """Show how a photo gets the colors of a seed, and those between it and the next seed."""
        try:
            with opened(path, self._budget) as photo:
                small = reduced(photo, SIDE)
                levels, walk = self._levels(small, seed), self._walk(small, seed)
        except FAILURES as error:
            return {self.status: line(sentence(error), bad=True)}
        whose = "This is an example" if path == SAMPLE else "This is your photo"
        shown = {self.shown: (path, seed), self.levels: levels, self.walk: walk}
        return {**shown, self.status: line(f"{whose}; the noise is that of seed {seed}.")}

    def _levels(self, photo: Photo, seed: int) -> str:
        frames = [(NO_CHROMA, "Nothing is decided yet: there is the gray photo.", "")]
        outputs = self._colorizer.open(photo).decode_by_level(seed)
        for side, output in zip(self._colorizer.levels, outputs, strict=True):
            noise = _image(noise_picture(output.latents), "how-small", "Noise of this level")
            frames.append((output.ab, _LEVEL.format(side), noise))
        return _player(photo, frames, "From noise to picture", "Step")

    def _walk(self, photo: Photo, seed: int) -> str:
        way = enumerate(self._colorizer.open(photo).interpolate(seed, seed + 1, STEPS))
        text = "{:.0%} of the way from seed {} to seed {}."
        frames = [(ab, text.format(i / (STEPS - 1), seed, seed + 1), "") for i, ab in way]
        return _player(photo, frames, "From one coloring to another", "Way")


def noise_picture(latents: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Latents (C, g, g) as gray squares, one a channel, in two rows: (2g, C/2 g), C even."""
    channels, side, _ = latents.shape
    gray = np.rint(_GRAY + _PER_STD * latents).clip(0, 255).astype(np.uint8)
    return gray.reshape(2, channels // 2, side, side).swapaxes(1, 2).reshape(2 * side, -1)


def _image(pixels: NDArray[np.uint8], kind: str, alt: str) -> str:
    """HTML of a picture that is its own address, so that no file has to be kept for it."""
    format, file = "jpeg" if pixels.ndim == 3 else "png", BytesIO()
    Image.fromarray(pixels).save(file, format)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return f'<img class="{kind}" src="data:image/{format};base64,{data}" alt="{alt}">'


def _player(
    photo: Photo, frames: Sequence[tuple[NDArray[np.float32], str, str]], title: str, label: str
) -> str:
    """HTML of a photo in several colors, with a slider and Play, for player.js.

    Args:
        photo: the photo.
        frames: chroma (2, h, w), a sentence, and what is beside the photo, as HTML.
        title: above it.
        label: of the slider.
    """
    lightness = LightnessRows(photo.pixels)
    figures = "".join(
        f'<figure data-frame="{index}"{" hidden" if index else ""}><figcaption>{text}</figcaption>'
        f'<div class="how-pictures">{_image(render(lightness, ab), "how-large", "The photo")}'
        f'<div class="how-parts"><div class="how-part">{beside}</div></div></div></figure>'
        for index, (ab, text, beside) in enumerate(frames)
    )
    return (
        f'<h2>{title}</h2><div class="player" style="--ratio:{photo.width / photo.height:.4f}">'
        '<div class="player-controls"><button type="button" data-play>Play</button>'
        f'<label><span>{label}</span><input type="range" min="0" max="{len(frames) - 1}" step="1" '
        f'value="0" data-pace="900" aria-valuetext="{frames[0][1]}"></label></div>'
        f"{figures}</div>"
    )
