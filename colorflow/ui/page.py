"""The page: its tabs, and the look that they share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from colorflow.quiz.game import Quiz
from colorflow.ui.api import Api
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.how import HowTab
from colorflow.ui.limits import Limits, MemoryBudget, UploadSpace
from colorflow.ui.quiz import QuizTab
from colorflow.ui.render import SAMPLE_PHOTOS
from colorflow.ui.storage import VISITORS

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")

_HEADING = """
<h1>colorflow</h1>
<p>Nobody knows any more which colors an old photo had. Here are several that it could have
had.</p>
"""
_PRIVACY = """
<p>Your photo goes to the computer that runs this page and nowhere else. It is deleted there an hour
after you last did something here.</p>
"""
_LOG_OUT = '<a href="logout">Log out</a>'


def build_page(
    colorizer: Colorizer,
    files: Path,
    limits: Limits,
    budget: MemoryBudget,
    quiz: Quiz,
    enlarger: Enlarger | None = None,
    repairer: Repairer | None = None,
    *,
    has_accounts: bool = False,
) -> gr.Blocks:
    """Build the page.

    Args:
        colorizer: colors the photos.
        files: Gradio's folder, as `page_folder` yields it.
        limits: bounds of uploads.
        budget: memory for photos, shared by all visitors.
        quiz: shared by all players.
        enlarger: enlarges colorings; None if there is none.
        repairer: repairs prints before they are colored; None if there is none.
        has_accounts: whether visitors log in.
    """
    space = UploadSpace(files / VISITORS, limits.megabytes, budget)
    with gr.Blocks(title="colorflow", analytics_enabled=False) as page:
        gr.HTML(_HEADING, elem_id="heading")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Colorize", elem_id="colorize-tab"):
                colorize = ColorizeTab(colorizer, space, enlarger, repairer)
            with gr.Tab("Quiz", elem_id="quiz-tab"):
                QuizTab(quiz, space)
            with gr.Tab("How it works", elem_id="how-tab") as how:
                sample = SAMPLE_PHOTOS / "portrait.jpg"
                HowTab(colorizer, budget, sample).connect(how, colorize.photo_of)
        Api(colorize.worker, files)
        colorize.load(page)
        gr.HTML(_PRIVACY, elem_id="privacy")
        if has_accounts:
            gr.HTML(_LOG_OUT, elem_id="log-out")
    return page


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
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_active="*primary_700",
        link_text_color_visited="*primary_700",
    )
