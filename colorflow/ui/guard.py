"""Middleware in front of Gradio's server: decides which requests reach it.

Gradio bounds the requests that wait for work. It does not bound connections, password guesses or
uploads, and it accepts requests of foreign pages.
"""

from __future__ import annotations

import asyncio
import errno
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colorflow.errors import ColorflowError
from colorflow.ui.access import Hosts, LoginDelays
from colorflow.ui.disk_quota import FULL, DiskQuota
from colorflow.ui.gradio_patches import (
    PARTIAL_FILES,
    account_of,
    asks_for_account,
    busy_sessions,
    forget_sessions,
    kept_sessions,
    unread_results,
)
from colorflow.ui.limits import (
    MAX_BODY_BYTES,
    MAX_BODY_VALUES,
    MAX_FILES,
    MAX_OPEN,
    MAX_OPEN_PER_VISITOR,
    MAX_UNREAD,
    SessionBounds,
    visitor_of,
)
from colorflow.ui.routes import LONGEST_ID, OpenRoutes, Route

_DRAIN_SECONDS = 20.0
"""For which the rest of a refused upload is received, so that a browser shows the answer."""
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_NAMES = ("session_hash", "upload_id")
"""What a client may name itself in the address of a request."""
_CLOSED = "There is nothing at this address; docs/api.md shows what programs may ask for."
_LONG_NAME = f"Names of sessions and uploads have at most {LONGEST_ID} characters."
_LARGE_BODY = (
    f"A request has at most {MAX_BODY_BYTES // 2**20} MB and {MAX_BODY_VALUES:,} values; upload "
    "files instead."
)
_MANY_FILES = f"A request names at most {MAX_FILES:,} files; send fewer, or a zip of them."


class Guard:
    """ASGI middleware: refuses closed routes, foreign pages, guessed passwords, and too much work.

    It has to be the outermost one: others answer requests themselves, those of foreign pages too.

    Args:
        app: receives the requests that pass.
        hosts: names under which the page is served.
        routes: those that are open.
        quota: counts uploads.
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts, routes: OpenRoutes, quota: DiskQuota) -> None:
        self._app = app
        self._hosts = hosts
        self._routes = routes
        self._quota = quota
        self._delays = LoginDelays()
        self._sessions = SessionBounds()
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        request = Request(scope, receive)
        route = self._routes.find(request.method, scope["path"])
        account = account_of(request)
        visitor = visitor_of(request, account)
        if refusal := self._hosts.refusal(request.headers):
            await _answer(request, send, 403, refusal)
        elif route is None:
            await _answer(request, send, 404, _CLOSED)
        elif not (route.for_everybody or account) and asks_for_account(request):
            await _answer(request, send, 401, "Log in first.")
        elif any(len(request.query_params.get(one, "")) > LONGEST_ID for one in _NAMES):
            await _answer(request, send, 400, _LONG_NAME)
        elif self._open[visitor] >= MAX_OPEN_PER_VISITOR or self._open.total() >= MAX_OPEN:
            message = "The page is busy: too many connections are open; try again in a minute."
            await _answer(request, send, 503, message)
        else:
            _without_claims(scope, self._hosts)
            self._open[visitor] += 1
            try:
                await self._pass_on(request, route, visitor, send)
            except ClientDisconnect:
                pass
            finally:
                self._open -= Counter({visitor: 1})

    async def _pass_on(self, request: Request, route: Route, visitor: str, send: Send) -> None:
        if route.kind == "upload":
            await self._upload(request, send, visitor)
        elif route.kind == "json":
            await self._ask(request, send, visitor)
        elif route.kind == "login":
            await self._log_in(request, send, visitor)
        else:
            if route.kind == "logout":  # for Gradio a request that foreign pages may cause, too
                request.scope["method"] = "GET"
            try:
                await self._app(request.scope, request.receive, send)
            except RuntimeError as error:
                if not isinstance(error.__cause__, HTTPException):
                    raise
                # Gradio has said that there is no such session; the traceback is left out.
                await send({"type": "http.response.body", "body": b""})

    async def _log_in(self, request: Request, send: Send, visitor: str) -> None:
        if wait := self._delays.begin_guess(visitor):
            seconds = math.ceil(wait)
            message = f"Too many wrong passwords; try again in {seconds} s."
            # Gradio's login page takes 400 for wrong credentials.
            await _answer(request, send, 400, message, {"Retry-After": str(seconds)})
            return
        body = await _body_of(request)
        if body is None:
            await _answer(request, send, 413, _LARGE_BODY)
            return
        response = _Response(send)
        await self._app(request.scope, _replay(body, request.receive), response)
        if response.status == 200:
            self._delays.forget(visitor)

    async def _ask(self, request: Request, send: Send, visitor: str) -> None:
        """Pass on what asks for work, if its body is small, and count its session."""
        page = request.scope["app"].get_blocks()
        body = await _body_of(request)
        asked = None if body is None else _parsed(body)
        session = _session_in(asked)
        files = _count_files(asked)
        if body is None:
            await _answer(request, send, 413, _LARGE_BODY)
        elif session and len(session) > LONGEST_ID:
            await _answer(request, send, 400, _LONG_NAME)
        elif session and unread_results(page, session) >= MAX_UNREAD:
            message = f"{MAX_UNREAD} results wait for you; fetch them before you ask for more."
            await _answer(request, send, 503, message)
        elif files > MAX_FILES:
            await _answer(request, send, 413, _MANY_FILES)
        else:
            response = _Response(send)
            try:
                await self._count_and_pass_on(request, body, response, visitor, files)
            except ColorflowError as error:
                await _answer(request, send, 507, str(error))
            if session := session or response.event:
                kept, busy = kept_sessions(page), busy_sessions(page)
                await forget_sessions(page, self._sessions.use(session, visitor, kept, busy))

    async def _count_and_pass_on(
        self, request: Request, body: bytes, response: _Response, visitor: str, files: int
    ) -> None:
        """Pass a request on; Gradio makes an empty file for each that it names."""
        if not files:
            await self._app(request.scope, _replay(body, request.receive), response)
            return
        async with self._quota.receiving(visitor) as made:
            await self._app(request.scope, _replay(body, request.receive), response)
            if response.status == 200:
                made.stored_files(files)

    async def _upload(self, request: Request, send: Send, visitor: str) -> None:
        """Pass an upload on, count it as it arrives, and delete whatever is left incomplete."""
        length = request.headers.get("content-length", "")
        announced = int(length) if length.isdecimal() else 0
        partial: list[str] = []
        PARTIAL_FILES.set(partial)
        response, body = _Response(send), _Body(request.receive)
        try:
            async with self._quota.receiving(visitor, announced) as upload:
                body.on_arrival = upload.arrived
                await self._app(request.scope, body, response)
                if response.status == 200:
                    upload.stored_files(len(partial))
        except (ColorflowError, OSError) as error:
            other = isinstance(error, OSError) and error.errno not in _FULL_DISK
            if response.status or other:
                raise
            body.on_arrival = None
            await asyncio.to_thread(_remove, partial)  # it counts for nobody any more
            with suppress(TimeoutError):
                await asyncio.wait_for(body.drain(), _DRAIN_SECONDS)
            message = str(error) if isinstance(error, ColorflowError) else FULL
            await _answer(request, send, 507, message)
        finally:
            await asyncio.to_thread(_remove, partial)


class _Response:
    """Passes a response on, and remembers its status and its first bytes."""

    _HEAD_BYTES = 200

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self._head = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif len(self._head) < self._HEAD_BYTES:
            self._head += message.get("body", b"")[: self._HEAD_BYTES]
        await self._send(message)

    @property
    def event(self) -> str | None:
        """Name of the event that the response tells, which is that of its session, too."""
        told = _parsed(self._head)
        return told.get("event_id") if isinstance(told, dict) else None


class _Body:
    """Passes a request's body on, and remembers whether more is to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True
        self.on_arrival: Callable[[int], None] | None = None
        """Is told the size of each piece."""

    async def __call__(self) -> Message:
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        if self.on_arrival:
            self.on_arrival(len(message.get("body", b"")))
        return message

    async def drain(self) -> None:
        """Discard the rest: browsers read no response before they have sent everything."""
        while self._more:
            await self()


async def _body_of(request: Request) -> bytes | None:
    """The body of a request; None if it is too large, and then it is read anyway."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size <= MAX_BODY_BYTES:
            pieces.append(piece)
    body = b"".join(pieces)
    values = sum(body.count(one) for one in (b",", b"[", b"{"))
    return body if size <= MAX_BODY_BYTES and values <= MAX_BODY_VALUES else None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read, and then whatever else happens to the connection."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _session_in(asked: Any) -> str | None:
    """The session that a request names."""
    session = asked.get("session_hash") if isinstance(asked, dict) else None
    return session if isinstance(session, str) else None


def _count_files(asked: Any) -> int:
    """How many files a request names; one in two folders of an upload has one path twice."""
    count, left = 0, [asked]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            count += isinstance(one.get("path"), str) and "meta" in one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return count


def _parsed(text: bytes) -> Any:
    """JSON that may be none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _answer(
    request: Request,
    send: Send,
    status: int,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer in the way of the request: Gradio's script and client look for `detail` in JSON."""
    answer: Response = PlainTextResponse(message, status, headers)
    if request.headers.get("content-type", "").startswith("application/json"):
        answer = JSONResponse({"detail": message, "error": message}, status, headers)
    await answer(request.scope, request.receive, send)


def _without_claims(scope: Scope, hosts: Hosts) -> None:
    """Hide what a client says of addresses.

    Gradio would tell foreign pages that they may read the answer, and build addresses for everybody
    from the name that one client gives the server.
    """
    scope["headers"] = [
        (name, value)
        for name, value in scope["headers"]
        if name not in (b"origin", b"x-gradio-server")
        and (name != b"x-forwarded-host" or hosts.is_allowed(value.decode("latin-1")))
    ]


def _remove(paths: list[str]) -> None:
    """Delete incomplete files; complete ones have been moved away by now."""
    for path in paths:
        Path(path).unlink(missing_ok=True)
