"""What stands before Gradio's server: which requests reach it, how many, and what they bring.

Gradio bounds the work that waits; it knows no bound for connections, guesses at passwords and
uploads, and takes requests of foreign pages.
"""

from __future__ import annotations

import errno
import math
from collections import Counter
from pathlib import Path

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colorflow.errors import ColorflowError
from colorflow.ui.gradio_patches import PARTIAL_FILES, account_of
from colorflow.ui.hosts import Hosts
from colorflow.ui.logins import Logins
from colorflow.ui.room import FULL
from colorflow.ui.uploads import Uploads
from colorflow.ui.visitors import visitor_of

_MOST_OPEN, _MOST_OPEN_OF_ONE = 1000, 100
"""Requests that are being answered, of all visitors and of one; an open page has two or three."""
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_API = "/gradio_api"


class Guard:
    """ASGI middleware.

    Args:
        app: takes what passes.
        hosts: names by which the page may be asked for.
        uploads: what visitors have sent.
        logins: wrong passwords.
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts, uploads: Uploads, logins: Logins) -> None:
        self._app = app
        self._hosts = hosts
        self._uploads = uploads
        self._logins = logins
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = self._hosts.refusal(request.headers)
        if refusal:
            await PlainTextResponse(refusal, 403)(scope, receive, send)
            return
        account = account_of(request)
        visitor = visitor_of(request, account)
        if self._open[visitor] >= _MOST_OPEN_OF_ONE or self._open.total() >= _MOST_OPEN:
            said = "The page is busy: too many connections are open; try again in a minute."
            await PlainTextResponse(said, 503)(scope, receive, send)
            return
        self._open[visitor] += 1
        try:
            await self._pass_on(request, visitor, account, send)
        finally:
            self._open -= Counter({visitor: 1})

    async def _pass_on(
        self, request: Request, visitor: str, account: str | None, send: Send
    ) -> None:
        scope, receive = request.scope, request.receive
        place = (request.method, request.url.path.rstrip("/"))
        if place == ("POST", "/login"):
            await self._log_in(scope, receive, send, visitor)
        elif place == ("POST", f"{_API}/upload"):
            await self._upload(request, send, visitor)
        elif place[1].startswith(f"{_API}/heartbeat/") and scope["app"].auth and not account:
            await PlainTextResponse("Log in first.", 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        wait = self._logins.wait(visitor)
        if wait:
            seconds = math.ceil(wait)
            said = f"Too many wrong passwords; try again in {seconds} s."
            # 400, at which Gradio's login page says that these credentials do not do.
            answer = PlainTextResponse(said, 400, headers={"Retry-After": str(seconds)})
            await answer(scope, receive, send)
            return
        told = _Told(send)
        await self._app(scope, receive, told)
        if told.status == 200:
            self._logins.right(visitor)

    async def _upload(self, request: Request, send: Send, visitor: str) -> None:
        """Have an upload stored, and nothing left of it that is not whole."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            said = "An upload has to say its length."
            await PlainTextResponse(said, 411)(request.scope, request.receive, send)
            return
        partial: list[str] = []
        PARTIAL_FILES.set(partial)
        told, body = _Told(send), _Body(request.receive)
        try:
            async with self._uploads.receiving(visitor, int(length)) as upload:
                await self._app(request.scope, body, told)
                upload.stored = told.status == 200
        except (ColorflowError, OSError) as error:
            if told.status or (isinstance(error, OSError) and error.errno not in _FULL_DISK):
                raise
            await body.drain()
            said = str(error) if isinstance(error, ColorflowError) else FULL
            await PlainTextResponse(said, 507)(request.scope, body, send)
        except ClientDisconnect:
            return
        finally:
            await anyio.to_thread.run_sync(_remove, partial)


class _Told:
    """Passes an answer on, and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class _Body:
    """Passes what a client sends on, and knows whether more is to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def __call__(self) -> Message:
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Take the rest and forget it: browsers do not listen to an answer before."""
        while self._more:
            await self()


def _remove(paths: list[str]) -> None:
    """Remove what is left of files; those that were stored are elsewhere by now."""
    for path in paths:
        Path(path).unlink(missing_ok=True)
