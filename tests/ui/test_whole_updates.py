"""What is sent of a handler that yields several updates."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from gradio_client.utils import apply_diff

from colorflow.ui.gradio_patches import WholeUpdates

SKIP = {"__type__": "update"}
UPDATES: list[list[Any]] = [
    [SKIP, "none is here"],
    [{**SKIP, "value": ["first.png"], "visible": True}, "one is here"],
    [{**SKIP, "value": ["first.png", "second.png"]}, "both are here"],
    [SKIP, "both are here; done"],
]
"""Of a gallery and of a line below it."""


def handle() -> Iterator[str]:
    yield ""


@pytest.fixture
def page() -> WholeUpdates:
    with WholeUpdates(analytics_enabled=False) as page:
        gallery, line = gr.Gallery(), gr.HTML()
        gr.Button().click(handle, None, [gallery, line])
    return page


def send(page: WholeUpdates, number: int, run: str | None = "run", **options: bool) -> list[Any]:
    """An update; the last one again if it is the one past them."""
    final = number == len(UPDATES)
    data = [None, None] if final else copy.deepcopy(UPDATES[number])
    return page.handle_streaming_diffs(page.fns[0], data, "visitor", run, final, **options)


def test_what_the_browser_was_given_is_never_changed(page: WholeUpdates) -> None:
    given = send(page, 0)
    assert given == UPDATES[0]
    before = copy.deepcopy(given)
    for number in range(1, len(UPDATES)):
        edits = send(page, number)
        assert [path for edit in edits for _, path, _ in edit] == [[], []], "nothing inside of it"
        given = [apply_diff(old, edit) for old, edit in zip(given, edits, strict=True)]
        assert given == UPDATES[number]
    assert send(page, len(UPDATES)) == given
    assert before == UPDATES[0]
    assert not page.pending_diff_streams, "what was sent is forgotten at the end"


def test_runs_do_not_mix(page: WholeUpdates) -> None:
    assert send(page, 1, "one") == UPDATES[1]
    assert send(page, 2, "other") == UPDATES[2]
    assert send(page, len(UPDATES), "one") == UPDATES[1]
    assert send(page, len(UPDATES), "other") == UPDATES[2]


def test_who_takes_no_differences_gets_none(page: WholeUpdates) -> None:
    for number in range(len(UPDATES)):
        assert send(page, number, simple_format=True) == UPDATES[number]
        assert send(page, number, run=None) == UPDATES[number]
