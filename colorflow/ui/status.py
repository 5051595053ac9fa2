"""Status lines: one sentence each, in the same look on every tab; work that tells its failures."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from colorflow.errors import ColorflowError, PhotoError
from colorflow.ui.session import Item, Session

FAILURES = (ColorflowError, MemoryError)
"""What handlers tell the visitor; anything else is a fault of the program."""
Updates = dict[Any, Any]
"""What a handler gives: new values by component."""


def worked(session: Session[Item], status: gr.HTML, work: Callable[[Item], Updates]) -> Updates:
    """Do something with the photo that the visitor looks at.

    Args:
        session: the visitor's.
        status: line in which errors are told.
        work: does it, and says what is shown unless another photo is looked at by then.
    """
    shown: Updates = {}
    try:
        photo = session.require()
        with session.unless_left(photo):
            shown = work(photo)
    except FAILURES as error:
        return {status: problem(error)}
    finally:
        session.delete_if_closed()
    return shown if session.current is photo else {status: gr.skip()}


def status_line(value: str, elem_id: str) -> gr.HTML:
    """Make a status line, which screen readers read out when it changes."""
    return gr.HTML(
        value, html_template='<div role="status">${value}</div>', elem_id=elem_id, js_on_load=None
    )


def line(text: str, *, bad: bool = False) -> str:
    """A sentence as HTML; it may contain a file's name."""
    return f'<p class="{"bad" if bad else "good"}">{html.escape(text)}</p>'


def progress(done: int, wanted: int, text: str | None = None) -> str:
    """A sentence and a bar as HTML: by default, how many of the wanted colorings are there."""
    return (
        f"{line(text or f'{done} of {wanted} colorings are here.')}"
        f'<progress value="{done}" max="{wanted}" aria-hidden="true"></progress>'
    )


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
