"""Send each update of the page as it is, and not as its difference from the one before."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction


class WholeUpdates(gr.Blocks):
    """A page that loses no update of a handler that yields several.

    Gradio sends the later ones as differences, and its script in the browser applies a difference
    to the very object that it has handed on as the update before. While the browser is busy, as
    when it puts up components that have just become visible, that update still waits for its turn:
    a property that the next one does not mention is then taken out of it, and never gets to the
    page. Whole updates are objects of their own, and small: paths of pictures and a few words.
    """

    def handle_streaming_diffs(
        self,
        block_fn: BlockFunction,
        data: list[Any],
        session_hash: str | None,
        run: str | None,
        final: bool,
        simple_format: bool = False,
    ) -> list[Any]:
        """What is sent: the first and the last update plainly, others as replacing the former.

        Args:
            block_fn: the handler and its outputs.
            data: new values, one an output.
            session_hash: which visitor's.
            run: which run of the handler; None for one that yields nothing more.
            final: whether the run has ended; the values of its last update are sent again.
            simple_format: whether whoever has called takes no differences.
        """
        runs = self.pending_diff_streams.get(session_hash or "", {})
        is_difference = run in runs and not final and not simple_format
        whole = list(data)
        sent = super().handle_streaming_diffs(
            block_fn, data, session_hash, run, final, simple_format
        )
        return [[["replace", [], value]] for value in whole] if is_difference else sent
