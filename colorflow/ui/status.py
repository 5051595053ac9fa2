"""Lines that say how things stand: one sentence each, in the same look on every tab."""

from __future__ import annotations

import html
from pathlib import Path

import gradio as gr

from colorflow.errors import ColorflowError, PhotoError


def status_line(value: str, elem_id: str) -> gr.HTML:
    """A place for one line, which screen readers read out when it changes."""
    return gr.HTML(
        value, html_template='<div role="status">${value}</div>', elem_id=elem_id, js_on_load=None
    )


def line(text: str, *, bad: bool = False) -> str:
    """One sentence as HTML; it may hold a file's name."""
    return f'<p class="{"bad" if bad else "good"}">{html.escape(text)}</p>'


def progress(done: int, wanted: int) -> str:
    """How many colorings there are of those wanted, as HTML."""
    return (
        f'<p class="good">{done} of {wanted} colorings are here.</p>'
        f'<progress value="{done}" max="{wanted}" aria-hidden="true"></progress>'
    )


def problem(error: ColorflowError | MemoryError) -> str:
    """An error's sentence as HTML."""
    return line(sentence(error), bad=True)


def sentence(error: ColorflowError | MemoryError) -> str:
    """What an error says, which names the file as the visitor knows it and not our folders."""
    if isinstance(error, PhotoError):
        return f"{Path(error.source).name}: {error.reason}."
    if isinstance(error, MemoryError):
        return "There is not enough memory; choose a smaller photo."
    return str(error)
