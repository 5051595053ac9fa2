"""What is changed inside Gradio, all in one place; written for Gradio 6.31.

Each change says what Gradio lacks. Whoever takes a newer Gradio goes through this file first:
`patch_gradio` refuses a release in which the names that it changes are gone.
"""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar
from typing import Any, NoReturn

import fastapi
import gradio as gr
from gradio import processing_utils, queueing, route_utils, routes
from gradio.block_function import BlockFunction
from gradio.data_classes import PredictBodyInternal
from gradio.exceptions import InvalidPathError
from gradio.state_holder import SessionState
from starlette.requests import Request
from starlette.responses import JSONResponse

from colorflow.ui.visitors import SHARE, visitor_of

PARTIAL_FILES: ContextVar[list[str]] = ContextVar("PARTIAL_FILES")
"""Files that the request at hand has begun to store; whoever sets it removes what is left of them.

Gradio leaves them when a client goes away in the middle, when the disk is full, and when a form
gives them another name than it expects.
"""
_LEAST_OF_ONE = 8
"""Requests of one visitor that may wait or be worked on, however short the queue is."""


def patch_gradio() -> None:
    """Change what the page needs changed, before it is built."""
    changes: tuple[tuple[object, str, object], ...] = (
        # Gradio would fetch whatever address a client names in the place of a file.
        (processing_utils, "async_ssrf_protected_download", _fetch_nothing),
        (routes, "secure_url_stream_response", _fetch_nothing),
        (route_utils, "GradioMultiPartParser", _Parser),
        (queueing, "Queue", FairQueue),
    )
    for module, name, changed in changes:
        assert hasattr(module, name), f"this release of Gradio has no {name}"
        setattr(module, name, changed)


def account_of(request: Request) -> str | None:
    """The account with which whoever sends a request has logged in; None without one."""
    app = request.scope["app"]
    for kind in ("", "-unsecure"):
        token = request.cookies.get(f"access-token{kind}-{app.cookie_id}")
        if token in app.tokens:
            return str(app.tokens[token])
    return None


async def _fetch_nothing(*_: object, **__: object) -> NoReturn:
    sentence = "This page fetches nothing from other addresses; send the file itself."
    raise gr.Error(sentence, print_exception=False)


class _Parser(route_utils.GradioMultiPartParser):
    """Notes which files it begins."""

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        if self._current_part.file is not None:
            PARTIAL_FILES.get().append(self._files_to_close_on_error[-1].name)


class FairQueue(queueing.Queue):
    """Serves visitors in turn, and takes no more of one than leaves room for others.

    Gradio bounds all visitors together, by `max_size`, and serves requests as they come.
    """

    async def push(
        self, body: PredictBodyInternal, request: fastapi.Request, username: str | None
    ) -> tuple[bool, Any, Any]:
        """Take a request and put it where its visitor's turn is, or say why not."""
        visitor = visitor_of(request, username)
        most = max(_LEAST_OF_ONE, (self.max_size or 0) // SHARE)
        if sum(one == visitor for one in self._visitors()) >= most:
            said = f"Queue is full for you: {most} of your requests are waiting or being answered."
            return False, said, "queue_full"
        answer = await super().push(body, request, username)
        for queue in self.event_queue_per_concurrency_id.values():
            self._take_turns(queue)
        return answer

    def _take_turns(self, queue: queueing.EventQueue) -> None:
        """Put each visitor's first request before anybody's second, and so on.

        Those that are being worked on count: they were the visitor's first.
        """
        before = Counter(_visitor_of(one) for one in self._active())
        turns: dict[queueing.Event, int] = {}
        for event in queue.queue:
            visitor = _visitor_of(event)
            turns[event] = before[visitor]
            before[visitor] += 1
        queue.queue.sort(key=turns.__getitem__)

    def _visitors(self) -> list[str]:
        """Of each request that waits or is being worked on."""
        waiting = [
            one for queue in self.event_queue_per_concurrency_id.values() for one in queue.queue
        ]
        return [_visitor_of(one) for one in (*waiting, *self._active())]

    def _active(self) -> list[queueing.Event]:
        return [one for job in self.active_jobs if job for one in job]


def _visitor_of(event: queueing.Event) -> str:
    return visitor_of(event.request, event.username)


def told_to_programs(request: Request, error: Exception) -> JSONResponse:
    """Answer a call that names what there is not, which Gradio would answer with 500 and no word.

    Args:
        request: the call.
        error: what Gradio raises.

    Raises:
        Exception: the error, if it is not about a call.
    """
    path = request.url.path
    if not path.startswith(("/gradio_api/call/", "/gradio_api/queue/join")):
        raise error
    if isinstance(error, TypeError):  # Gradio's sentence on a parameter, less its advice
        said, status = f"{str(error).partition('. ')[0].rstrip('.')}; docs/api.md shows all.", 422
    else:
        said, status = "There is no such endpoint; docs/api.md shows which there are.", 404
    return JSONResponse({"detail": said, "error": said}, status)


CALL_ERRORS = (TypeError, KeyError, route_utils.FnIndexInferError)
"""Those that `told_to_programs` tells."""


class WholeUpdates(gr.Blocks):
    """A page that loses no update of a handler that yields several.

    Gradio sends the later ones as differences, and its script in the browser applies a difference
    to the very object that it has handed on as the update before. While the browser is busy, as
    when it puts up components that have just become visible, that update still waits for its turn:
    a property that the next one does not mention is then taken out of it, and never gets to the
    page. Whole updates are objects of their own, and small: paths of pictures and a few words.
    """

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        state: SessionState | None,
        explicit_call: bool = False,
    ) -> list[Any]:
        """Values as the handler gets them; what does not fit is told, which Gradio does not do."""
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except InvalidPathError as error:
            said = "Expected a file that was uploaded in the last hour; docs/api.md shows how."
            raise gr.Error(said, print_exception=False) from error
        except Exception as error:
            said = "These values do not fit what is asked for; docs/api.md shows what does."
            raise gr.Error(said, print_exception=False) from error

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
