"""Middleware in front of Gradio's server: decides which requests reach it.

Gradio bounds the requests that wait for work, all together. It does not bound those of one visitor,
connections, password guesses or uploads, and it accepts requests of foreign pages.
"""

from __future__ import annotations

import asyncio
import errno
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi.exceptions import RequestValidationError
from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colorflow.errors import ColorflowError
from colorflow.ui import limits
from colorflow.ui.access import (
    LONGEST_ID,
    RESULTS_ROUTE,
    USER_ROUTE,
    WORK_ROUTES,
    Held,
    Hosts,
    Kind,
    LoginDelays,
    OpenRoutes,
    RefusedError,
    is_id,
    may_be_path,
)
from colorflow.ui.limits import SessionBounds, visitor_of
from colorflow.ui.storage import FULL, DiskQuota, loose_files
from colorflow.ui.uploads import Upload

_DRAIN_SECONDS = 20.0
"""For which the rest of a refused upload is received, so that a browser shows the answer."""
_TRACKING_SECONDS = 3.0
"""How long a browser that asks for the progress of an upload may be ahead of the upload."""
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_FOR_EVERYBODY = ("open", "login")
_NAMES = ("session_hash", "upload_id")
"""What a client may name itself in the address of a request."""
_CLOSED = "There is nothing at this address; docs/api.md shows what programs may ask for."
_BUSY = "The page is busy: too many connections are open; try again in a minute."
_NO_HANDLER = "There is no such endpoint; docs/api.md shows what is expected."
_BAD_NAME = (
    f"Names of sessions and uploads have 1 to {LONGEST_ID} characters: letters A to Z, digits, "
    "hyphens and underscores."
)
_OF_ANOTHER = "You have no session and no request of this name; load the page again."
_MANY_SESSIONS = "The page is busy: too many visitors wait for results; try again in a minute."
_LARGE_BODY = (
    f"A request has at most {limits.MAX_BODY_BYTES // 2**20} MB and {limits.MAX_BODY_VALUES:,} "
    "values; upload files instead."
)
_MANY_FILES = f"A request names at most {limits.MAX_FILES:,} files; send fewer, or a zip of them."
_NO_UPLOAD = (
    "Expected a file that was uploaded in the last hour; docs/api.md shows how. This page fetches "
    "nothing from other addresses."
)
_MANY_UPLOADS = "Too many files are being uploaded; send fewer, or wait until others have arrived."
_NO_LOGIN = "Expected a username and a password."
_UNFIT = b"These values do not fit what is asked for; docs/api.md shows what does."
_UNSAID = re.compile(rb'"error": ?null')
"""What Gradio says of unsuitable inputs."""
_COMPLETED = re.compile(rb'"msg":"process_completed","event_id":"(\w+)"')


WRONG_REQUESTS = (TypeError, RequestValidationError)
"""What Gradio and FastAPI raise for wrong requests."""


def wrong_request(request: Request, error: Exception) -> Response:
    """Explain a wrong call; Gradio 6.31 answers most of them with 500 and no message.

    Args:
        request: the call.
        error: one of `WRONG_REQUESTS`.

    Raises:
        Exception: the error, if the request is no call.
    """
    if isinstance(error, RequestValidationError):  # FastAPI repeats the values, even NaN
        message = "The request is not what is expected here"
    elif request.url.path.startswith(WORK_ROUTES):  # the first sentence names the parameter
        message = str(error).partition(". ")[0].rstrip(".")
    else:
        raise error
    message += "; docs/api.md shows what is expected."
    return JSONResponse({"detail": message, "error": message}, 422)


@dataclass(eq=False)
class Guard:
    """ASGI middleware: refuses closed routes, foreign pages, guessed passwords, and too much work.

    It has to be the outermost one: others answer requests themselves, those of foreign pages too.

    Args:
        app: receives the requests that pass.
        hosts: names under which the page is served.
        routes: those that are open.
        quota: counts uploads.
        sessions: counts sessions and requests.
        files: the page's folder, in which uploads are stored.
        in_flight: requests of one visitor that may wait or be worked on.
        descriptors: files that the process may have open.
        has_accounts: whether visitors log in.
        forget: forgets the state of a session; it is called in a thread.
    """

    app: ASGIApp
    _: KW_ONLY
    hosts: Hosts
    routes: OpenRoutes
    quota: DiskQuota
    sessions: SessionBounds
    files: Path
    in_flight: int = 16
    descriptors: int = 2 * limits.MAX_PARTS
    has_accounts: bool = False
    forget: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self._delays = LoginDelays()
        self._asking = Held()
        """Requests for work, by visitor, that Gradio has not taken yet."""
        self._uploading = Held()
        """Uploads under way, by the name that a browser gives them."""
        self._open = Held(limits.MAX_OPEN_PER_VISITOR, limits.MAX_OPEN, 503, _BUSY)
        self._bodies = Held(
            limits.MAX_BODIES_BYTES_PER_VISITOR, limits.MAX_BODIES_BYTES, 503, _BUSY
        )
        parts = min(limits.MAX_PARTS, self.descriptors // 2)
        self._turn = asyncio.Lock()
        """Of uploads, for files that Gradio opens or moves."""
        self._parts = Held(min(limits.MAX_FILES, parts // 2), parts, 429, _MANY_UPLOADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close"})
        else:
            request = Request(scope, receive)
            try:
                with suppress(ClientDisconnect):
                    await self._admit(request, send)
            except RefusedError as refusal:
                await _answer(request, send, refusal)

    async def _admit(self, request: Request, send: Send) -> None:
        kind = self.routes.kind_of(request.method, request.scope["path"])
        if refusal := self.hosts.refusal(request.headers):
            raise RefusedError(403, refusal)
        if kind is None:
            raise RefusedError(404, _CLOSED)
        if not all(is_id(one) for name in _NAMES for one in request.query_params.getlist(name)):
            raise RefusedError(400, _BAD_NAME)
        _hide_claims(request.scope, self.hosts)
        account = None if kind in _FOR_EVERYBODY else await self._account(request)
        if self.has_accounts and account is None and kind not in _FOR_EVERYBODY:
            raise RefusedError(401, "Log in first.")
        visitor = visitor_of(request, account)
        with self._open.one(visitor):
            await self._pass_on(request, kind, send, visitor)

    async def _pass_on(self, request: Request, kind: Kind, send: Send, visitor: str) -> None:
        match kind:
            case "work" | "cancel":
                await self._ask(request, kind, send, visitor)
            case "stream":
                await self._stream(request, send, visitor)
            case "progress":
                await self._progress(request, send)
            case "upload":
                await self._upload(request, send, visitor)
            case "login":
                await self._log_in(request, send, visitor)
            case _:
                if kind == "logout":  # for Gradio a GET, which foreign pages may cause, too
                    request.scope["method"] = "GET"
                await self.app(request.scope, request.receive, send)

    async def _account(self, request: Request) -> str | None:
        """The account with which a request is logged in, as Gradio tells it."""
        if not self.has_accounts or "cookie" not in request.headers:
            return None
        response = _Response()
        await self.app(_other_scope(request, USER_ROUTE), _replay(b""), response)
        return response.told if isinstance(response.told, str) else None

    async def _log_in(self, request: Request, send: Send, visitor: str) -> None:
        body = await self._body_of(request, visitor)
        try:
            form = await Request(request.scope, _replay(body)).form(max_files=0, max_fields=9)
        except (HTTPException, FormParserError) as error:
            raise RefusedError(400, _NO_LOGIN) from error
        names = form.getlist("username")
        if len(names) != 1 or not isinstance(names[0], str):
            raise RefusedError(400, _NO_LOGIN)
        guesser = hash((visitor, names[0].strip()))
        if wait := self._delays.begin_guess(guesser):
            seconds = math.ceil(wait)
            message = f"Too many wrong passwords; try again in {seconds} s."
            # Gradio's login page takes 400 for wrong credentials.
            raise RefusedError(400, message, headers={"Retry-After": str(seconds)})
        response = _Response(send)
        await self.app(request.scope, _replay(body, request.receive), response)
        if response.status == 200:
            self._delays.forget(guesser)

    async def _ask(self, request: Request, kind: Kind, send: Send, visitor: str) -> None:
        """Pass on what asks for work, if it is little, and count it until its result is fetched."""
        body = await self._body_of(request, visitor)
        asked = _parsed(body)
        session = asked.get("session_hash") if isinstance(asked, dict) else None
        handler = asked.get("fn_index") if isinstance(asked, dict) else None
        named = list(_paths_in(asked))
        if session is not None and not is_id(session):  # an empty one would stop Gradio's queue
            raise RefusedError(400, _BAD_NAME)
        self._check_owner(visitor, session, asked.get("event_id") if session else None)
        if isinstance(handler, int | str) and handler not in self.routes.handlers:
            raise RefusedError(404, _NO_HANDLER)
        if len(named) > limits.MAX_FILES:
            raise RefusedError(413, _MANY_FILES)
        if not all(self._is_ours(one) for one in named):
            # As Gradio answers what a validator refuses, so that its client shows the sentence.
            detail = {"__type__": "validate", "is_valid": False, "message": _NO_UPLOAD}
            raise RefusedError(422, _NO_UPLOAD, [detail])
        if kind == "work" and self._has_enough(visitor):
            raise RefusedError(
                503,
                f"Queue is full for you: {self.in_flight} of your requests are waiting or being "
                "answered, or nobody has fetched their results.",
            )
        if kind == "work" and not self.sessions.admit(session):
            raise RefusedError(503, _MANY_SESSIONS)
        if named:  # Gradio makes an empty file for each
            await self._check_room(visitor)

        async def answer(message: Message) -> None:
            told = _parsed(message.get("body", b""))
            if event := told.get("event_id") if isinstance(told, dict) else None:
                # Before the client knows of it, since the result may come at once.
                for one in self.sessions.begin(session or event, event, visitor):
                    await self._leave(request, one)
                    await asyncio.to_thread(self.forget, one)
                with suppress(ColorflowError):  # room was there above
                    self.quota.arrived(visitor, 0, len(named))
            await send(message)

        with self._asking.one(visitor):
            await self.app(request.scope, _replay(body, request.receive), answer)

    async def _leave(self, request: Request, session: str) -> None:
        """Have Gradio's queue forget a session, as when a browser waits for results and leaves.

        The queue knows 2,000 sessions. The next one would replace the oldest, and if that one had
        a request in the queue, its next message would stop the queue for everybody.
        """
        loop = asyncio.get_running_loop()

        async def wait() -> Message:
            return await loop.create_future()

        async def leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                loop.call_soon(waiting.cancel)

        query = urlencode({"session_hash": session}).encode()
        scope = _other_scope(request, RESULTS_ROUTE, query)
        waiting = asyncio.ensure_future(self.app(scope, wait, leave))
        await asyncio.gather(waiting, return_exceptions=True)  # one if there is no such session

    async def _stream(self, request: Request, send: Send, visitor: str) -> None:
        """Pass results on; what they answer is in flight no longer."""

        async def passing(message: Message) -> None:
            if body := message.get("body"):
                for event in _COMPLETED.findall(body):
                    self.sessions.end(event.decode())
                message["body"] = _UNSAID.sub(b'"error": "%s"' % _UNFIT, body)
            await send(message)

        path = request.scope["path"]  # Gradio redirects one that ends with a slash
        event = path.rpartition("/")[2]
        session = request.query_params.get("session_hash") if path == RESULTS_ROUTE else None
        self._check_owner(visitor, session or event)
        try:
            with self.sessions.listening(session, event):
                await self.app(request.scope, request.receive, passing)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            # Gradio has said that there is no such session; the traceback is left out.
            await send({"type": "http.response.body", "body": b""})

    async def _progress(self, request: Request, send: Send) -> None:
        """Pass on what asks for an upload's progress; Gradio never forgets one that is not sent."""
        name = request.query_params.get("upload_id", "")
        for _attempt in range(int(_TRACKING_SECONDS * 10)):
            if self._uploading.of(name):
                await self.app(request.scope, request.receive, send)
                return
            await asyncio.sleep(0.1)
        # A browser that is slow asks for the first time when the upload is done.
        done = Response(b'data: {"msg": "done"}\n\n', media_type="text/event-stream")
        await done(request.scope, request.receive, send)

    async def _upload(self, request: Request, send: Send, visitor: str) -> None:
        """Pass an upload on, and delete whatever is left incomplete."""
        length = request.headers.get("content-length", "")
        upload = Upload(request, visitor, self.quota, self._parts, self._turn)
        name, response = request.query_params.get("upload_id", ""), _Response(send)
        is_whole = False
        try:
            await self._check_room(visitor, int(length) if length.isdecimal() else 0)
            with self._uploading.one(name):
                await self.app(request.scope, upload.receive, response)
            is_whole = response.status == 200 and len(response.told or ()) == upload.files
            return
        except (RefusedError, ColorflowError, OSError) as error:
            other = isinstance(error, OSError) and error.errno not in _FULL_DISK
            if response.status or other:
                raise
            refusal = _refusal_of(error)
        finally:
            upload.end()
            if not is_whole:
                await self._delete_leftovers()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while upload.more:  # browsers read no response before they have sent everything
                    upload.more = (await request.receive()).get("more_body", False)
        raise refusal

    async def _delete_leftovers(self) -> None:
        """Delete what Gradio leaves behind, if no upload is under way.

        It does so when a client disconnects, when the disk is full, and when a form has another
        field than it expects.
        """
        if self._uploading.is_empty():
            leftovers = await asyncio.to_thread(loose_files, self.files)
            if self._uploading.is_empty():  # an upload may have begun meanwhile
                await asyncio.to_thread(_delete, leftovers)

    async def _body_of(self, request: Request, visitor: str) -> bytes:
        """The body of a request that uploads nothing."""
        body, size = bytearray(), 0
        try:
            async with asyncio.timeout(limits.BODY_SECONDS):
                async for piece in request.stream():
                    size += len(piece)
                    if size <= limits.MAX_BODY_BYTES:  # the rest is received anyway
                        self._bodies.take(visitor, len(piece))
                        body += piece
        except TimeoutError as error:
            raise RefusedError(408, "The request took too long to arrive.") from error
        finally:
            self._bodies.give_back(visitor, len(body))
        values = sum(body.count(one) for one in (b",", b"[", b"{"))
        if size > limits.MAX_BODY_BYTES or values > limits.MAX_BODY_VALUES:
            raise RefusedError(413, _LARGE_BODY)
        return bytes(body)

    async def _check_room(self, visitor: str, incoming: int = 0) -> None:
        try:
            await asyncio.to_thread(self.quota.check, incoming, visitor)
        except (ColorflowError, OSError) as error:
            raise _refusal_of(error) from error

    def _has_enough(self, visitor: str) -> bool:
        in_flight = self.sessions.in_flight(visitor) + self._asking.of(visitor)
        return in_flight >= self.in_flight

    def _check_owner(self, visitor: str, *names: object) -> None:
        """Refuse sessions and requests of other accounts; a network address may change."""
        own = (one for one in names if isinstance(one, str))
        if self.has_accounts and any(self.sessions.is_of_another(one, visitor) for one in own):
            raise RefusedError(404, _OF_ANOTHER)

    def _is_ours(self, path: str) -> bool:
        """Whether a file that a client names may be one of the page's; Gradio looks closer."""
        folders = (self.files, self.files.resolve())
        return may_be_path(path) and any(path.startswith(f"{one}{os.sep}") for one in folders)


class _Response:
    """Passes a short response on, and remembers it."""

    def __init__(self, send: Send | None = None) -> None:
        self._send = send
        self.status: int | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self._body += message.get("body", b"")
        if self._send:
            await self._send(message)

    @property
    def told(self) -> Any:
        """What it says, if that is JSON."""
        return _parsed(self._body)


def _replay(body: bytes, receive: Receive | None = None) -> Receive:
    """Gives a body that has been read, and then whatever else happens to the connection."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        if messages or receive is None:
            return messages.pop() if messages else {"type": "http.disconnect"}
        return await receive()

    return replayed


def _other_scope(request: Request, path: str, query: bytes = b"") -> Scope:
    """That of another request of the same client."""
    other = {"method": "GET", "path": path, "raw_path": path.encode(), "query_string": query}
    return {**request.scope, **other}


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _paths_in(asked: Any) -> Iterator[str]:
    """The files that a request names; one in two folders of an upload has one path twice."""
    left = [asked]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if isinstance(path := one.get("path"), str) and "meta" in one:
                yield path
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _parsed(text: bytes) -> Any:
    """JSON that may be none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _answer(request: Request, send: Send, refusal: RefusedError) -> None:
    """Answer in the way of the request: Gradio's script and client look for `detail` in JSON."""
    answer: Response = PlainTextResponse(refusal.message, refusal.status, refusal.headers)
    if request.headers.get("content-type", "").startswith("application/json"):
        content = {"detail": refusal.detail, "error": refusal.message}
        answer = JSONResponse(content, refusal.status, refusal.headers)
    await answer(request.scope, request.receive, send)


def _refusal_of(error: RefusedError | ColorflowError | OSError) -> RefusedError:
    """What to answer, without the error's traceback: its frames hold the files of an upload."""
    if isinstance(error, RefusedError):
        return RefusedError(*error.args)
    return RefusedError(507, str(error) if isinstance(error, ColorflowError) else FULL)


def _hide_claims(scope: Scope, hosts: Hosts) -> None:
    """Hide what a client says of addresses, and that it wants a part of a file.

    Gradio would tell foreign pages that they may read the answer, build addresses for everybody
    from the name that one client gives the server, and repeat all headers beside a part of a file.
    """
    scope["headers"] = [
        (name, value)
        for name, value in scope["headers"]
        if name not in (b"origin", b"x-gradio-server", b"range")
        and (name != b"x-forwarded-host" or hosts.is_allowed(value.decode("latin-1")))
    ]
