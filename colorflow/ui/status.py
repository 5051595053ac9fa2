"""Status lines: one sentence each, in the same look on every tab."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colorflow.errors import ColorflowError, PhotoError

if TYPE_CHECKING:
    import gradio as gr

FAILURES = (ColorflowError, MemoryError)
"""What handlers tell the visitor; anything else is a fault of the program."""
Updates = dict[Any, Any]
"""What a handler gives: new values by component."""


def status_line(value: str, elem_id: str) -> gr.HTML:
    """Make a status line, which screen readers read out when it changes."""
    import gradio as gr

    return gr.HTML(
        value, html_template='<div role="status">${value}</div>', elem_id=elem_id, js_on_load=None
    )


def line(text: str, *, bad: bool = False) -> str:
    """A sentence as HTML; it may contain a file's name."""
    return f'<p class="{"bad" if bad else "good"}">{html.escape(text)}</p>'


def problem(error: ColorflowError | MemoryError) -> str:
    """An error's sentence as HTML."""
    return line(sentence(error), bad=True)


def sentence(error: ColorflowError | MemoryError) -> str:
    """An error's sentence; it names a file without the server's folders."""
    if isinstance(error, PhotoError):
        return f"{Path(error.source).name}: {error.reason}."
    if isinstance(error, MemoryError):
        return "There is not enough memory; choose a smaller photo."
    return str(error)
