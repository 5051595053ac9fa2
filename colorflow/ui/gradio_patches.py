"""Everything of the page that depends on Gradio's internals, all of it written for Gradio 6.31.

1. Replaced by `patch_gradio`: downloads of clients' addresses, the parser of uploads, the queue.
2. Overridden in `PatchedBlocks`: checking of inputs, differences between updates.
3. Read: accounts, sessions and their states, paths of routes and files.

The classes of Gradio's HTML that page.css and page.js select are not listed here.

pyproject.toml admits Gradio 6.31 alone. tests/ui/test_gradio_patches.py holds digests of the code
behind 1 and 2 and exercises 3: whoever raises the bound rereads what has changed there. The browser
tests show whether the classes are still the same.
"""

from __future__ import annotations

import asyncio
import datetime
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import fastapi
import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio import processing_utils, queueing, route_utils, routes
from gradio.block_function import BlockFunction
from gradio.context import LocalContext
from gradio.data_classes import PredictBodyInternal
from gradio.exceptions import InvalidPathError
from gradio.state_holder import SessionState
from starlette.requests import Request
from starlette.responses import JSONResponse

from colorflow.ui.limits import MIN_QUEUED_PER_VISITOR, VISITOR_SHARE, visitor_of

_PREFIX = route_utils.API_PREFIX
"""Of the paths of Gradio 6.31's routes, relative to the server's root."""
_CALL_PATHS = (f"{_PREFIX}/call/", f"{_PREFIX}/queue/join")

PARTIAL_FILES: ContextVar[list[str]] = ContextVar("PARTIAL_FILES")
"""Files that the current request has begun to store. Whoever sets it deletes what is left of them.

Gradio leaves them behind when a client disconnects, when the disk is full, and when a form has
another field name than it expects.
"""
_UPLOAD_FOLDER = re.compile("[0-9a-f]{64}")
_LOOK_SECONDS = 0.01
"""Time between two looks of the queue for work."""


def patch_gradio() -> None:
    """Replace functions and classes of Gradio, before the page is built."""
    patches: tuple[tuple[object, str, object], ...] = (
        # Gradio 6.31 downloads whatever address a client sends instead of a file.
        (processing_utils, "async_ssrf_protected_download", _refuse_download),
        # Gradio 6.31 leaves incomplete uploads on the disk.
        (route_utils, "GradioMultiPartParser", _Parser),
        # Gradio 6.31 serves requests as they come: one visitor can fill the queue.
        (queueing, "Queue", FairQueue),
    )
    for module, name, replacement in patches:
        assert hasattr(module, name), f"this release of Gradio has no {name}"
        setattr(module, name, replacement)


async def _refuse_download(*_: object, **__: object) -> NoReturn:
    message = "This page fetches nothing from other addresses; send the file itself."
    raise gr.Error(message, print_exception=False)


class _Parser(route_utils.GradioMultiPartParser):
    """Lists the files that it begins to store in `PARTIAL_FILES`."""

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        if self._current_part.file is not None:
            PARTIAL_FILES.get().append(self._files_to_close_on_error[-1].name)


class FairQueue(queueing.Queue):
    """Serves visitors in turn, and bounds the requests of each.

    Gradio 6.31 bounds the requests of all visitors together, by `max_size`. It looks for work a
    thousand times a second, which interrupts whatever computes in other threads.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sleep_when_free = _LOOK_SECONDS

    async def push(
        self, body: PredictBodyInternal, request: fastapi.Request, username: str | None
    ) -> tuple[bool, Any, Any]:
        """Queue a request where it is its visitor's turn, or explain why not."""
        visitor = visitor_of(request, username)
        most = max(MIN_QUEUED_PER_VISITOR, (self.max_size or 0) // VISITOR_SHARE)
        queues = self.event_queue_per_concurrency_id.values()
        waiting = [event for queue in queues for event in queue.queue]
        if sum(_visitor_of(event) == visitor for event in (*waiting, *_active(self))) >= most:
            message = (
                f"Queue is full for you: {most} of your requests are waiting or being answered."
            )
            return False, message, "queue_full"
        answer = await super().push(body, request, username)
        for queue in queues:
            self._take_turns(queue)
        return answer

    def _take_turns(self, queue: queueing.EventQueue) -> None:
        """Sort each visitor's first request before anybody's second, and so on.

        Requests that are being worked on count as their visitor's first.
        """
        before = Counter(_visitor_of(event) for event in _active(self))
        turns: dict[queueing.Event, int] = {}
        for event in queue.queue:
            visitor = _visitor_of(event)
            turns[event] = before[visitor]
            before[visitor] += 1
        queue.queue.sort(key=turns.__getitem__)


def _active(queue: queueing.Queue) -> list[queueing.Event]:
    """Requests that are being worked on."""
    return [event for job in queue.active_jobs if job for event in job]


def _visitor_of(event: queueing.Event) -> str:
    return visitor_of(event.request, event.username)


class PatchedBlocks(gr.Blocks):
    """A page that explains unsuitable inputs and loses no update of a streaming handler."""

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        state: SessionState | None,
        explicit_call: bool = False,
    ) -> list[Any]:
        """Convert inputs for the handler; Gradio 6.31 answers unsuitable ones without a message."""
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except InvalidPathError as error:
            message = "Expected a file that was uploaded in the last hour; docs/api.md shows how."
            raise gr.Error(message, print_exception=False) from error
        except Exception as error:
            message = "These values do not fit what is asked for; docs/api.md shows what does."
            raise gr.Error(message, print_exception=False) from error

    def handle_streaming_diffs(
        self,
        block_fn: BlockFunction,
        data: list[Any],
        session_hash: str | None,
        run: str | None,
        final: bool,
        simple_format: bool = False,
    ) -> list[Any]:
        """Send whole updates instead of differences.

        Gradio 6.31 sends the second and later updates of a handler as differences. Its script
        applies each to the object that it has handed on as the update before. While the browser is
        busy, that update still waits to be shown; a property that the difference removes is then
        lost. Whole updates are objects of their own, and small: paths and a few words.

        Args:
            block_fn: the handler and its outputs.
            data: new values, one for each output.
            session_hash: session of the visitor.
            run: identifies the run of the handler; None if it yields nothing more.
            final: whether the run has ended; the values of its last update are sent again.
            simple_format: whether the caller takes no differences.
        """
        runs = self.pending_diff_streams.get(session_hash or "", {})
        is_difference = run in runs and not final and not simple_format
        whole = list(data)
        sent = super().handle_streaming_diffs(
            block_fn, data, session_hash, run, final, simple_format
        )
        return [[["replace", [], value]] for value in whole] if is_difference else sent


def call_error(request: Request, error: Exception) -> JSONResponse:
    """Explain a wrong call or upload; Gradio 6.31 answers most of them with 500 and no message.

    Args:
        request: the call.
        error: one of `CALL_ERRORS`, raised by Gradio or FastAPI.

    Raises:
        Exception: the error, if the request is none of these.
    """
    path = request.url.path
    if isinstance(error, RequestValidationError):  # FastAPI repeats the values, even NaN
        message = "The request is not what is expected here; docs/api.md shows what is."
        return JSONResponse({"detail": message, "error": message}, 422)
    if path.startswith(f"{_PREFIX}/upload"):
        message = "Expected files with their names in the field `files`; docs/api.md shows how."
        return JSONResponse({"detail": message, "error": message}, 400)
    if isinstance(error, AttributeError) or not path.startswith(_CALL_PATHS):
        raise error
    if isinstance(error, TypeError):  # the first sentence names the parameter
        message, status = (
            f"{str(error).partition('. ')[0].rstrip('.')}; docs/api.md shows all.",
            422,
        )
    else:
        message, status = "There is no such endpoint; docs/api.md shows which there are.", 404
    return JSONResponse({"detail": message, "error": message}, status)


CALL_ERRORS = (
    TypeError,
    KeyError,
    AttributeError,
    route_utils.FnIndexInferError,
    RequestValidationError,
)
"""What Gradio 6.31 raises for such calls."""


def account_of(request: Request) -> str | None:
    """The account with which a request is logged in; None without one."""
    app = request.scope["app"]
    for suffix in ("", "-unsecure"):
        token = request.cookies.get(f"access-token{suffix}-{app.cookie_id}")
        if token in app.tokens:
            return str(app.tokens[token])
    return None


def asks_for_account(request: Request) -> bool:
    """Whether the page requires visitors to log in."""
    return bool(request.scope["app"].auth)


def is_upload_folder(name: str) -> bool:
    """Whether Gradio gives an upload a folder of this name: the SHA-256 of the file."""
    return _UPLOAD_FOLDER.fullmatch(name) is not None


def file_url(path: Path) -> str:
    """URL of a file in the page's folder, relative to the page."""
    return f"{_PREFIX.lstrip('/')}/file={quote(path.as_posix())}"


def visitor_at_work() -> str | None:
    """The visitor whose request the current thread handles; None if it handles none."""
    request = LocalContext.request.get(None)
    return visitor_of(request, request.username) if request else None


def unread_results(page: gr.Blocks, session: str) -> int:
    """Number of requests of a session that wait, are at work, or whose result nobody has read."""
    return len(page._queue.pending_event_ids_session.get(session, ()))


def kept_sessions(page: gr.Blocks) -> dict[str, datetime.datetime]:
    """When each session whose state is kept was last used, the oldest first."""
    used = page.state_holder.time_last_used
    return dict(sorted(used.items(), key=lambda item: item[1]))


def busy_sessions(page: gr.Blocks) -> set[str]:
    """Sessions with a request that waits or is being worked on."""
    queue = page._queue
    waiting = (one for line in queue.event_queue_per_concurrency_id.values() for one in line.queue)
    return {event.session_hash for event in (*waiting, *_active(queue))}


async def forget_sessions(page: gr.Blocks, sessions: Iterable[str]) -> None:
    """Forget the state of sessions, even if their page is open.

    Gradio 6.31 forgets a session when its page is closed. To be awaited in the server's event loop;
    the delete callbacks of the states run in a thread.
    """
    holder = page.state_holder
    forgotten = []
    for session in sessions:
        forgotten.append(holder.session_data.pop(session, None))
        holder.time_last_used.pop(session, None)
    await asyncio.to_thread(_delete_states, [state for state in forgotten if state])


async def forget_idle_sessions(page: gr.Blocks, seconds: float) -> None:
    """Forget visitors who have been idle for some time, see `forget_sessions`.

    Args:
        page: the running page.
        seconds: since the visitor's last action.
    """
    oldest = datetime.datetime.now() - datetime.timedelta(seconds=seconds)
    busy, queue = busy_sessions(page), page._queue
    idle = [one for one, used in kept_sessions(page).items() if used < oldest and one not in busy]
    await forget_sessions(page, idle)
    for session in [*queue.pending_event_ids_session]:
        if session not in queue.pending_messages_per_session:  # Gradio keeps those of 2,000
            del queue.pending_event_ids_session[session]


async def forget_finished_uploads(page: gr.Blocks) -> None:
    """Forget what Gradio 6.31 remembers of uploads for ever: their progress and their paths."""
    progress = routes.file_upload_statuses
    for name in [one for one in progress._statuses if progress.is_done(one)]:
        progress.stop_tracking(name)
    for name in progress._signals.keys() - progress._statuses.keys():
        del progress._signals[name]
    known = [Path(one) for one in page.upload_file_set]
    gone = await asyncio.to_thread(lambda: [str(one) for one in known if not one.exists()])
    page.upload_file_set.difference_update(gone)


def _delete_states(sessions: Sequence[SessionState]) -> None:
    for session in sessions:
        for component, value, _ in session.state_components:
            component.delete_callback(value)
