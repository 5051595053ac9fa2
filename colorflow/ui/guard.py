"""Middleware in front of Gradio: decides which requests reach it.

It bounds what one machine has to be protected from whoever visits it: names, foreign pages, routes,
files of others, and the disk. How often and how slowly a visitor may ask, and who may visit at all,
is for a proxy (docs/deploy.md).

Gradio registers eighty routes. Those that are left out run handlers beside the queue, store what is
not counted, call methods of components, fetch other addresses, or serve features that this page has
not.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colorflow.errors import ColorflowError
from colorflow.ui.limits import FULL, DiskQuota
from colorflow.ui.owners import COOKIE, Owners, new_visitor, visitor_of

LONGEST_ID = 64
"""Characters of a session's, an event's or an upload's name, all of which a client may choose."""
_ID = f"[0-9A-Za-z_-]{{1,{LONGEST_ID}}}"
MAX_BODY_BYTES = 2**20
"""Of a request that uploads nothing; 1,000 files of an upload are named in half of it."""
_PREFIX = "/gradio_api"
_EVENTS = (f"{_PREFIX}/queue/join", f"{_PREFIX}/call/")
_STREAM, _FILE = f"{_PREFIX}/queue/data", f"{_PREFIX}/file="
_NAMES = ("session_hash", "upload_id")
"""What a client may name itself in the address of a request."""
_CLOSED = "There is nothing at this address; docs/api.md shows what programs may ask for."
_BAD_NAME = (
    f"Names of sessions and uploads have 1 to {LONGEST_ID} characters: letters A to Z, digits, "
    "hyphens and underscores."
)
_LARGE_BODY = f"A request has at most {MAX_BODY_BYTES // 2**20} MB; upload files instead."
_NO_FILE = "There is no such file here that you have uploaded, or that was made for you."
_NO_UPLOAD = (
    "Expected a file that was uploaded in the last hour; docs/api.md shows how. This page fetches "
    "nothing from other addresses."
)
_UNFIT = {"__type__": "validate", "is_valid": False, "message": _NO_UPLOAD}
"""As Gradio answers what a validator refuses, so that its client shows the sentence."""
MOST_SESSIONS, SESSION_SECONDS = 1000, 600.0
"""Sessions that ask for something within so many seconds: Gradio 6.31 keeps messages for 2,000, and
its queue stops for everybody where it has forgotten one that still waits."""
_MANY_SESSIONS = "Too many visitors have come in the last ten minutes; try again later."
_NO_LENGTH = "An upload has to say its size (Content-Length)."


class Hosts:
    """Names under which the page may be requested, and foreign pages that may request it.

    Otherwise a foreign page in a visitor's browser could send requests here: by this machine's
    address, or by a name of its own that it points to this machine (DNS rebinding). IP addresses
    and this machine's own names are always allowed: nobody else can point them here.

    Args:
        allowed: names of the deployment, with the port that browsers show if they show one.
        host: address or name on which the page listens.
    """

    def __init__(self, allowed: Collection[str] = (), host: str = "localhost") -> None:
        own = socket.gethostname().lower()
        self._origins = {name.lower() for name in allowed}
        names = {_name_in(f"//{name}") for name in self._origins}
        self._known = {"localhost", own, f"{own}.local", host.lower(), *names}

    def is_allowed(self, name: str) -> bool:
        """Whether a name, with its port, is one of the deployment's."""
        return name.lower() in self._origins

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Explain why a request is refused; None if it is not.

        Args:
            headers: of the request, by lower-case name.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        name = _name_in(f"//{host}")
        if name is None or not (name in self._known or _is_ip_address(name)):
            return (
                f"This page is not served under the name {name or host!r}; whoever runs it can "
                "allow that with --allowed-host."
            )
        if origin is None:
            return None
        sender = origin.lower().partition("://")[2]
        if sender == host.lower() or sender in self._origins:  # a proxy may send another Host
            return None
        return f"Requests from {origin} are not taken; open this page itself."


def open_routes(calls: Collection[str]) -> re.Pattern[str]:
    """A pattern of the requests whose routes are open, as a method and a path.

    Args:
        calls: names of the endpoints for programs.
    """
    call = f"call/(v2/)?({'|'.join(calls)})"
    pages = "config|theme.css|favicon.ico|robots.txt|manifest.json|static/.+|assets/.+|logout"
    read = f"info|heartbeat/{_ID}|file=.+|queue/data|{call}/{_ID}|upload_progress"
    posted = f"queue/join|{call}|cancel|upload"
    return re.compile(
        f"(GET|HEAD) /(({pages}|gradio_api/({read}))/?)?|POST /(login|gradio_api/({posted}))/?",
        re.DOTALL,
    )


class Guard:
    """ASGI middleware: refuses closed routes, foreign pages, malformed names, and too much.

    It has to be the outermost one: Gradio's own answers requests of foreign pages, too.

    Args:
        app: receives the requests that pass.
        hosts: names under which the page is served.
        calls: names of the endpoints for programs.
        quota: bounds uploads.
        owners: knows whose the files are, and is told of uploads.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts,
        calls: Collection[str],
        quota: DiskQuota,
        owners: Owners,
    ) -> None:
        self._app, self._hosts, self._quota, self._owners = app, hosts, quota, owners
        self._routes = open_routes(calls)
        self._sessions: dict[object, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            request = Request(scope, receive)
            try:
                receive = await self._admitted(request)
            except HTTPException as refusal:
                await _answer(request, send, refusal)
            except ClientDisconnect:
                pass
            else:
                _hide_claims(scope, self._hosts)
                await self._app(scope, receive, self._sending(request, send))

    async def _admitted(self, request: Request) -> Receive:
        """Refuse a request, or give its body."""
        path = request.scope["path"]
        if refusal := self._hosts.refusal(request.headers):
            raise HTTPException(403, refusal)
        if not self._routes.fullmatch(f"{request.method} {path}"):
            raise HTTPException(404, _CLOSED)
        if not all(is_id(one) for name in _NAMES for one in request.query_params.getlist(name)):
            raise HTTPException(400, _BAD_NAME)
        visitor = visitor_of(request)
        if path.startswith(_FILE) and not self._owners.has(visitor, path.removeprefix(_FILE)):
            raise HTTPException(404, _NO_FILE)
        if request.method != "POST" or path.startswith("/login"):
            return request.receive
        if not path.startswith(f"{_PREFIX}/upload"):
            return _replay(await self._checked_body(request), request.receive)
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise HTTPException(411, _NO_LENGTH)
        try:
            await asyncio.to_thread(self._quota.check, int(length))
        except ColorflowError as error:
            async for _ in request.stream():  # browsers read no answer before they have sent it
                pass
            raise HTTPException(507, str(error)) from error
        return self._counted(request.receive)

    def _sending(self, request: Request, send: Send) -> Send:
        """How an answer is sent: uploads are remembered, and new visitors get a name."""
        path = request.scope["path"]
        if path.startswith(_STREAM):
            return _joining(send)
        if path.startswith(f"{_PREFIX}/upload") and request.method == "POST":
            return self._remembering(visitor_of(request), send)
        return _naming(send) if path == "/" and not visitor_of(request) else send

    def _remembering(self, visitor: str, send: Send) -> Send:
        """Sends the paths of uploads once they belong to their visitor."""
        body = bytearray()

        async def remember(message: Message) -> None:
            body.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                with suppress(ValueError):  # a refusal is a sentence
                    paths = json.loads(body)
                    for path in paths if isinstance(paths, list) else ():
                        self._owners.give(Path(path), visitor)
            await send(message)

        return remember

    def _counted(self, receive: Receive) -> Receive:
        """Gives the body of an upload, and counts it; the quota ends one for which it has no room.

        What an upload says of its size is no reason to refuse others, since it may never come.
        """

        async def counted() -> Message:
            message = await receive()
            if not self._quota.takes(len(message.get("body", b""))):
                raise MultiPartException(FULL)  # Gradio deletes what has come, and answers
            return message

        return counted

    async def _checked_body(self, request: Request) -> bytes:
        """The body of an event, whose session is named well and whose files are the page's own."""
        body, size = bytearray(), 0
        async for piece in request.stream():
            size += len(piece)
            body += piece if size <= MAX_BODY_BYTES else b""  # the rest is received anyway
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, _LARGE_BODY)
        asked, checked = None, b""  # Gradio says what is wrong with it
        with suppress(ValueError, RecursionError):
            asked = json.loads(body)
            checked = json.dumps(asked).encode()  # Gradio gets what was checked, read the same way
        session = asked.get("session_hash") if isinstance(asked, dict) else None
        if session is not None and not is_id(session):  # an empty one would stop Gradio's queue
            raise HTTPException(400, _BAD_NAME)
        if request.scope["path"].startswith(_EVENTS):
            self._count(object() if session is None else session)  # a call without one is a new one
        visitor = visitor_of(request)
        if not all(self._owners.has(visitor, path) for path in _paths_in(asked)):
            raise HTTPException(422, [_UNFIT])  # type: ignore[arg-type]
        return checked

    def _count(self, session: object) -> None:
        """Count a session that asks for something, or refuse it."""
        now = time.monotonic()
        recent = {one: at for one, at in self._sessions.items() if now - at < SESSION_SECONDS}
        if session not in recent and len(recent) >= MOST_SESSIONS:
            raise HTTPException(503, _MANY_SESSIONS)
        self._sessions = {**recent, session: now}


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read, and then whatever else happens to the connection."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _joining(send: Send) -> Send:
    """Sends pieces of a body that come without a pause as one.

    A stream of Gradio 6.31 says that an event is completed, and then that it closes. Its script
    waits forever for what a visitor, or the event's `then`, asks for between the two.
    """
    held: list[Message] = []
    sending: asyncio.Task[None] | None = None

    async def sent() -> None:
        await send(held.pop())

    async def join(message: Message) -> None:
        nonlocal sending
        if message["type"] != "http.response.body":
            await send(message)
            return
        if held:
            held[0] = {**message, "body": held[0]["body"] + message["body"]}
        else:
            if sending:
                await sending
            held.append(message)
            sending = asyncio.create_task(sent())
        if sending and not message.get("more_body"):
            await sending

    return join


def _naming(send: Send) -> Send:
    """Sends the page with a name for its visitor, which no script and no foreign page can read."""

    async def name(message: Message) -> None:
        if message["type"] == "http.response.start":
            cookie = f"{COOKIE}={new_visitor()}; HttpOnly; SameSite=Strict; Path=/"
            message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
        await send(message)

    return name


def _paths_in(asked: Any) -> Iterator[str]:
    """The files that a request names: Gradio and our handlers take whatever has a path as one."""
    left = [asked]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if isinstance(path := one.get("path"), str):
                yield path
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


async def _answer(request: Request, send: Send, refusal: HTTPException) -> None:
    """Answer in the way of the request: Gradio's script and client look for `detail` in JSON."""
    said, status = refusal.detail, refusal.status_code
    if request.headers.get("content-type", "").startswith("application/json"):
        answer: Response = JSONResponse({"detail": said}, status)
    else:
        answer = PlainTextResponse(f"{said}", status)
    await answer(request.scope, request.receive, send)


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


def is_id(name: object) -> bool:
    """Whether a client may give a session or an upload such a name."""
    return isinstance(name, str) and re.fullmatch(_ID, name) is not None


def _name_in(address: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(address).hostname
    return None


def _is_ip_address(name: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return False
