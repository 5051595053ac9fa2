"""Middleware in front of Gradio's server: decides which requests reach it.

Gradio bounds the requests that wait for work. It does not bound connections, password guesses or
uploads, and it accepts requests of foreign pages.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import math
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colorflow.errors import ColorflowError
from colorflow.ui.gradio_patches import (
    HEARTBEAT_PATH,
    LOGIN_PATH,
    PARTIAL_FILES,
    UPLOAD_PATH,
    account_of,
    asks_for_account,
)
from colorflow.ui.limits import FULL, MAX_OPEN, MAX_OPEN_PER_VISITOR, DiskQuota, visitor_of

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


class Guard:
    """ASGI middleware: refuses foreign pages, password guessing, and too many or large requests.

    Args:
        app: receives the requests that pass.
        names: host names under which the page is served, as `Hosts` takes them.
        quota: counts uploads.
    """

    def __init__(self, app: ASGIApp, *, names: Collection[str], quota: DiskQuota) -> None:
        self._app = app
        self._hosts = Hosts(names)
        self._quota = quota
        self._delays = LoginDelays()
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if refusal := self._hosts.refusal(request.headers):
            await PlainTextResponse(refusal, 403)(scope, receive, send)
            return
        account = account_of(request)
        visitor = visitor_of(request, account)
        if self._open[visitor] >= MAX_OPEN_PER_VISITOR or self._open.total() >= MAX_OPEN:
            message = "The page is busy: too many connections are open; try again in a minute."
            await PlainTextResponse(message, 503)(scope, receive, send)
            return
        self._open[visitor] += 1
        try:
            await self._pass_on(request, visitor, account, send)
        finally:
            self._open -= Counter({visitor: 1})

    async def _pass_on(
        self, request: Request, visitor: str, account: str | None, send: Send
    ) -> None:
        target = (request.method, request.url.path.rstrip("/"))
        if target == ("POST", LOGIN_PATH):
            await self._log_in(request, send, visitor)
        elif target == ("POST", UPLOAD_PATH):
            await self._upload(request, send, visitor)
        elif target[1].startswith(HEARTBEAT_PATH) and asks_for_account(request) and not account:
            # Gradio opens this stream for everybody.
            await PlainTextResponse("Log in first.", 401)(request.scope, request.receive, send)
        else:
            await self._app(request.scope, request.receive, send)

    async def _log_in(self, request: Request, send: Send, visitor: str) -> None:
        if wait := self._delays.begin_guess(visitor):
            seconds = math.ceil(wait)
            message = f"Too many wrong passwords; try again in {seconds} s."
            # Gradio's login page takes 400 for wrong credentials.
            answer = PlainTextResponse(message, 400, headers={"Retry-After": str(seconds)})
            await answer(request.scope, request.receive, send)
            return
        response = _StatusOf(send)
        await self._app(request.scope, request.receive, response)
        if response.status == 200:
            self._delays.forget(visitor)

    async def _upload(self, request: Request, send: Send, visitor: str) -> None:
        """Pass an upload on, and delete whatever it leaves behind incomplete."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            answer = PlainTextResponse("An upload has to say its length.", 411)
            await answer(request.scope, request.receive, send)
            return
        partial: list[str] = []
        PARTIAL_FILES.set(partial)
        response, body = _StatusOf(send), _Body(request.receive)
        try:
            async with self._quota.receiving(visitor, int(length)) as upload:
                await self._app(request.scope, body, response)
                upload.stored = response.status == 200
        except (ColorflowError, OSError) as error:
            other = isinstance(error, OSError) and error.errno not in _FULL_DISK
            if response.status or other:
                raise
            await body.drain()
            message = str(error) if isinstance(error, ColorflowError) else FULL
            await PlainTextResponse(message, 507)(request.scope, body, send)
        except ClientDisconnect:
            return
        finally:
            await asyncio.to_thread(_remove, partial)


class Hosts:
    """Names under which the page may be requested, and foreign pages that may request it.

    Otherwise a foreign page in a visitor's browser could send requests here: by this machine's
    address, or by a name of its own that it points to this machine (DNS rebinding). IP addresses
    and this machine's own names are always allowed: nobody else can point them here.

    Args:
        allowed: names of the deployment.
    """

    def __init__(self, allowed: Collection[str] = ()) -> None:
        own = socket.gethostname().lower()
        self._allowed = {name.lower() for name in allowed}
        self._known = {"localhost", own, f"{own}.local", *self._allowed}

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
        if origin is None or urlsplit(origin).netloc.lower() == host.lower():
            return None
        if _name_in(origin) in self._allowed:  # a proxy may send another Host header
            return None
        return f"Requests from {origin} are not taken; open this page itself."


@dataclass(slots=True)
class _Guesses:
    wrong: int = 0
    not_before: float = 0.0


class LoginDelays:
    """Makes visitors who guess passwords wait, twice as long after each wrong one.

    Args:
        clock: returns seconds.
    """

    FREE = 5
    """Wrong passwords without a delay, for mistyping."""
    FIRST_SECONDS, MAX_SECONDS = 1.0, 300.0
    MAX_VISITORS = 10_000
    """Visitors that are remembered; the one whose last guess is oldest is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def begin_guess(self, visitor: str) -> float:
        """Begin a guess, which counts as wrong until `forget` is called.

        Returns:
            Seconds for which this visitor has to wait; 0 if the guess may be checked now.
        """
        guesses = self._guesses.setdefault(visitor, _Guesses())
        self._guesses.move_to_end(visitor)
        if len(self._guesses) > self.MAX_VISITORS:
            self._guesses.popitem(last=False)
        left = guesses.not_before - self._clock()
        if left > 0:
            return left
        guesses.wrong += 1
        if guesses.wrong >= self.FREE:
            delay = self.FIRST_SECONDS * 2.0 ** min(guesses.wrong - self.FREE, 60)
            guesses.not_before = self._clock() + min(delay, self.MAX_SECONDS)
        return 0.0

    def forget(self, visitor: str) -> None:
        """Forget the wrong guesses of a visitor who knew the password."""
        self._guesses.pop(visitor, None)


class _StatusOf:
    """Passes a response on and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class _Body:
    """Passes a request's body on and remembers whether more is to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def __call__(self) -> Message:
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Discard the rest: browsers read no response before they have sent everything."""
        while self._more:
            await self()


def _name_in(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _remove(paths: list[str]) -> None:
    """Delete incomplete files; complete ones have been moved away by now."""
    for path in paths:
        Path(path).unlink(missing_ok=True)
