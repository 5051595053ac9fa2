"""The page: its tabs, and the look that they share."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
import gradio.context
import gradio.utils

from colorflow.quiz.game import Quiz
from colorflow.ui.api import Api
from colorflow.ui.colorize import ColorizeTab
from colorflow.ui.hints import HINTS_TAB, HintsTab
from colorflow.ui.how import HowTab
from colorflow.ui.limits import WORK_QUEUE, WORKED_ON, Limits, MemoryBudget, UploadSpace, visitor_of
from colorflow.ui.quiz import QuizTab
from colorflow.ui.reference import ReferenceTab
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
_LOOK_SECONDS = 0.05
"""Seconds between two looks for work."""
_LOG_OUT = '<form method="post" action="logout"><button>Log out</button></form>'


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
) -> tuple[gr.Blocks, Api]:
    """Build the page and its API.

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
        api = Api(colorizer, files, budget, quiz)  # before handlers of the same names
        gr.HTML(_HEADING, elem_id="heading")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            with gr.Tab("Colorize", elem_id="colorize-tab"):
                colorize = ColorizeTab(colorizer, space, enlarger, repairer)
            with gr.Tab("Hints", id=HINTS_TAB, elem_id="hints-tab"):
                hints = HintsTab(colorizer, space, enlarger)
            with gr.Tab("Reference", elem_id="reference-tab"):
                ReferenceTab(colorizer, space).take_from(colorize)
            with gr.Tab("Quiz", elem_id="quiz-tab"):
                QuizTab(quiz, space)
            with gr.Tab("How it works", elem_id="how-tab") as how:
                HowTab(colorizer, space).connect(how, colorize.session)
        hints.take_from(colorize, tabs)
        gr.HTML(_PRIVACY, elem_id="privacy")
        if has_accounts:
            gr.HTML(_LOG_OUT, elem_id="log-out")
    for one in page.fns.values():
        if one.concurrency_id == WORK_QUEUE["concurrency_id"] and one.fn:
            one.fn = budget.slots.working(one.fn)
            one.concurrency_limit = WORKED_ON + limits.aside
    return page, api


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


# What Gradio does not document. Each of these does without it where a release has it no longer.


def visitor_at_work() -> str | None:
    """The visitor whose request the current thread handles; None if it handles none.

    Without `LocalContext` results count for all visitors together.
    """
    try:
        request = gradio.context.LocalContext.request.get(None)
    except AttributeError:
        return None
    return visitor_of(request, request.username) if request else None


def forget_session(page: gr.Blocks, session: str) -> None:
    """Forget what Gradio keeps of a session, and call the delete callbacks of its states.

    Without `state_holder` sessions stay until their page has been closed for an hour, and the
    oldest ones of all visitors are replaced.

    Args:
        page: the running page.
        session: its name.
    """
    with suppress(AttributeError, KeyError):  # Gradio may forget it, too
        page.state_holder.delete_state(session)
        page.state_holder.session_data.pop(session, None)
        page.state_holder.time_last_used.pop(session, None)
        page._queue.pending_event_ids_session.pop(session, None)


def send_whole_updates() -> None:
    """Have Gradio send each update of a handler whole, and not its difference from the one before.

    Gradio's script applies a difference to the object of the update before, which waits to be shown
    while the browser is busy: a property that the difference removes is lost then
    (`apply_diff_stream` in https://github.com/gradio-app/gradio/blob/main/client/js/src/utils/stream.ts).
    Without `diff` a busy browser may lose an update.
    """
    if hasattr(gradio.utils, "diff"):
        gradio.utils.diff = lambda _before, now: [["replace", [], now]]


def look_for_work_rarely(page: gr.Blocks) -> None:
    """Have Gradio look for work 20 times a second; 1,000 times cost an idle page 6 % of a core.

    Without `sleep_when_free` they do.

    Args:
        page: the page, after its `queue` was called.
    """
    with suppress(AttributeError):
        page._queue.sleep_when_free = _LOOK_SECONDS
