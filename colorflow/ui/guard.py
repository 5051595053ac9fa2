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
import os
import re
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colorflow.errors import ColorflowError
from colorflow.ui.limits import FULL, DiskQuota
from colorflow.ui.owners import COOKIE, Owners, new_visitor, visitor_of
from colorflow.ui.sessions import STREAM, Sessions

if TYPE_CHECKING:
    from gradio import Blocks

LONGEST_ID = 64
"""Characters of a session's, an event's or an upload's name, all of which a client may choose."""
_ID = f"[0-9A-Za-z_-]{{1,{LONGEST_ID}}}"
MAX_BODY_BYTES = 2**20
"""Of a request that uploads nothing; 1,000 files of an upload are named in half of it."""
_PREFIX = "/gradio_api"
_EVENTS = (f"{_PREFIX}/queue/join", f"{_PREFIX}/call/")
_FILE = f"{_PREFIX}/file="
_PAGES = ("", f"{_PREFIX}/info")
"""Of which a client may name a page. Without its name, Gradio 6.31 would tell everybody of the API
at the address by which the first client asked for it."""
_CANCEL = f"{_PREFIX}/cancel"
_BESIDE_LOGIN = (_CANCEL, f"{_PREFIX}/heartbeat")
"""Routes of Gradio 6.31 that do not ask for a login."""
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
_MANY_NAMES = "A request has one Host, and one Origin at most."
_LOG_IN = "Log in first."
_FOREIGN_LOGOUT = "Use the page's own link to log out."
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
        if origin is None or self.is_own(origin, host):
            return None
        return f"Requests from {origin} are not taken; open this page itself."

    def is_own(self, address: str, host: str) -> bool:
        """Whether the page of an address is this one, for a request that names a host."""
        scheme, sep, rest = address.lower().partition("://")
        sender = rest.partition("/")[0]
        # A proxy may send another Host.
        own = sender == host.lower() or sender in self._origins
        return own and scheme in ("http", "https") and bool(sep)


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
        page: whose queue keeps answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts,
        calls: Collection[str],
        quota: DiskQuota,
        owners: Owners,
        page: Blocks,
    ) -> None:
        self._app, self._hosts, self._quota, self._owners = app, hosts, quota, owners
        self._routes = open_routes(calls)
        self._sessions = Sessions(app, page)

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
                if scope["path"].rstrip("/") in _PAGES:
                    scope["query_string"] = b"page="  # there is one
                if name := self._read_by(request):
                    await self._sessions.stream(name, scope, receive, send)
                elif scope["path"].startswith(_FILE):
                    await self._send_file(request, receive, send)
                else:
                    await self._app(scope, receive, self._sending(request, send))

    async def _send_file(self, request: Request, receive: Receive, send: Send) -> None:
        """Let Gradio send a file, unless it is deleted between the check and that."""
        path, is_gone = request.scope["path"].removeprefix(_FILE), False

        async def sent(message: Message) -> None:
            nonlocal is_gone
            if message["type"] == "http.response.start":
                is_gone = message["status"] >= 400 and not os.path.exists(path)
            if not is_gone:
                await send(message)

        try:
            await self._app(request.scope, receive, sent)
        except RuntimeError:  # of Starlette, after it has answered
            if not is_gone:
                raise
        if is_gone:
            await _answer(request, send, HTTPException(404, _NO_FILE))

    async def _admitted(self, request: Request) -> Receive:
        """Refuse a request, or give its body."""
        path, headers = request.scope["path"], request.headers
        if any(len(headers.getlist(name)) > 1 for name in ("host", "origin")):
            raise HTTPException(400, _MANY_NAMES)
        if refusal := self._hosts.refusal(headers):
            raise HTTPException(403, refusal)
        if not self._routes.fullmatch(f"{request.method} {path}"):
            raise HTTPException(404, _CLOSED)
        if not all(is_id(one) for name in _NAMES for one in request.query_params.getlist(name)):
            raise HTTPException(400, _BAD_NAME)
        visitor = visitor_of(request)
        if path.startswith(_FILE) and not self._owners.has(visitor, path.removeprefix(_FILE)):
            raise HTTPException(404, _NO_FILE)
        referer = headers.get("referer", "")
        if path.startswith("/logout") and not self._hosts.is_own(referer, headers.get("host", "")):
            raise HTTPException(403, _FOREIGN_LOGOUT)
        if path.startswith(_BESIDE_LOGIN) and not await self._has_logged_in(request):
            raise HTTPException(401, _LOG_IN)
        if request.method != "POST":
            return request.receive
        if path.startswith("/login"):
            return _replay(await _body(request), request.receive)
        if not path.startswith(f"{_PREFIX}/upload"):
            return _replay(await self._checked_body(request), request.receive)
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise HTTPException(411, _NO_LENGTH)
        try:
            await asyncio.to_thread(self._quota.check, int(length))
        except ColorflowError as error:
            async for _ in request.stream():  # browsers read no answer before they have sent it
                pass
            raise HTTPException(507, str(error)) from error
        return self._counted(request.receive)

    async def _has_logged_in(self, request: Request) -> bool:
        """Ask Gradio whether a visitor has logged in, or need not."""
        statuses: list[int] = []

        async def send(message: Message) -> None:
            statuses.append(message.get("status", 0))

        path = f"{_PREFIX}/login_check"
        asked = {**request.scope, "method": "GET", "path": path, "raw_path": path.encode()}
        await self._app(asked, request.receive, send)
        return statuses[0] == 200

    def _read_by(self, request: Request) -> str:
        """The session whose answers a request reads; an empty name if it reads none."""
        path = request.scope["path"]
        if path.startswith(STREAM):
            return request.query_params.get("session_hash", "")
        if request.method == "GET" and path.startswith(f"{_PREFIX}/call/"):
            event = path.rstrip("/").rpartition("/")[2]
            return self._sessions.of(event) or event
        return ""

    def _sending(self, request: Request, send: Send) -> Send:
        """How an answer is sent: uploads and events are remembered, new visitors get a name."""
        path, visitor = request.scope["path"], visitor_of(request)
        if request.method != "POST":
            return _naming(send) if path == "/" and not visitor else send

        def remember(answer: Any) -> None:
            if path.startswith(f"{_PREFIX}/upload") and isinstance(answer, list):
                for upload in answer:
                    self._owners.give(Path(upload), visitor)
            elif path.startswith(_EVENTS) and isinstance(answer, dict) and "event_id" in answer:
                event = answer["event_id"]
                self._sessions.joined(request.state.session or event, event)

        return _remembering(remember, send)

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
        body = await _body(request)
        try:
            asked = json.loads(body)
            json.dumps(asked)
        except (ValueError, RecursionError):
            return b""  # Gradio says what is wrong
        session = asked.get("session_hash") if isinstance(asked, dict) else None
        if session is not None and not is_id(session):  # an empty one would stop Gradio's queue
            raise HTTPException(400, _BAD_NAME)
        visitor = visitor_of(request)
        if not all(self._owners.has(visitor, path) for path in _paths_in(asked)):
            raise HTTPException(422, [_UNFIT])  # type: ignore[arg-type]
        if request.scope["path"].startswith(_CANCEL) and isinstance(asked, dict):
            # Gradio would begin another event though the thread of this one still works.
            asked["fn_index"] = -1
        if request.scope["path"].startswith(_EVENTS):
            await self._sessions.join(session)
            request.state.session = session
        return json.dumps(asked).encode()  # Gradio gets what was checked, and reads it the same way


async def _body(request: Request) -> bytes:
    """The body of a request, of which no more than is allowed is read."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, _LARGE_BODY)
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read, and then whatever else happens to the connection."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _remembering(remember: Callable[[Any], None], send: Send) -> Send:
    """Sends an answer in JSON once it is remembered."""
    body = bytearray()

    async def sent(message: Message) -> None:
        body.extend(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            with suppress(ValueError):  # a refusal may be a sentence
                remember(json.loads(body))
        await send(message)

    return sent


def _naming(send: Send) -> Send:
    """Sends the page with a name for its visitor, which no script and no foreign page can read.

    A link on a foreign page brings the name along; else its visitor would get another one, and lose
    the files of a page that is open.
    """

    async def name(message: Message) -> None:
        if message["type"] == "http.response.start":
            cookie = f"{COOKIE}={new_visitor()}; HttpOnly; SameSite=Lax; Path=/"
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
