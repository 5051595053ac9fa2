"""Who may ask for what: names of the page, pages of others, passwords, and open routes.

Gradio registers eighty routes. Those that are left out run handlers beside the queue, store what no
quota counts, call methods of components, fetch other addresses, or serve features that this page
has not.
"""

from __future__ import annotations

import ipaddress
import math
import re
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

LONGEST_ID = 64
"""Characters of a session's, an event's or an upload's name, all of which a client may choose."""

FILE_ROUTE = "gradio_api/file="
"""Address of the server's files, relative to the page; the path follows."""
_PREFIX = "/gradio_api"
USER_ROUTE, UPLOAD_ROUTE = f"{_PREFIX}/user", f"{_PREFIX}/upload"
"""The former tells the account of a request; it is closed for others."""
WORK_ROUTES = (f"{_PREFIX}/queue/join", f"{_PREFIX}/call/")
RESULTS_ROUTE = f"{_PREFIX}/queue/data"
_LONGEST_NAME = 255
"""Bytes of a name in a path; file systems take no longer ones."""
_ID = f"[0-9A-Za-z_-]{{1,{LONGEST_ID}}}"

Kind = Literal["open", "plain", "stream", "progress", "work", "cancel", "upload", "login", "logout"]
"""What the guard has to do for a route; all but "open" and "login" are for those who are logged in.
"""


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


class RefusedError(Exception):
    """Why a request is not passed on, as its answer says.

    Args:
        status: of HTTP.
        message: one sentence.
        detail: what Gradio's script and client look for in JSON; None for the message.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, detail, headers)
        self.status, self.message = status, message
        self.detail, self.headers = detail or message, headers


class Held:
    """What visitors hold of something at the moment, bounded for each of them and for all.

    Args:
        most_of_one: of one visitor.
        most: of all visitors together.
        status: of the answer to a visitor who wants more.
        message: of that answer.
    """

    def __init__(
        self,
        most_of_one: float = math.inf,
        most: float = math.inf,
        status: int = 503,
        message: str = "",
    ) -> None:
        self._most_of_one, self._most = most_of_one, most
        self._refusal = status, message
        self._held: Counter[str] = Counter()

    def of(self, visitor: str) -> int:
        """How much a visitor holds."""
        return self._held[visitor]

    def is_empty(self) -> bool:
        """Whether nobody holds anything."""
        return not self._held

    def take(self, visitor: str, amount: int) -> None:
        """Hold more.

        Raises:
            RefusedError: that would be too much.
        """
        own, all_ = self._held[visitor] + amount, self._held.total() + amount
        if amount and (own > self._most_of_one or all_ > self._most):
            raise RefusedError(*self._refusal)
        self._held[visitor] += amount

    def give_back(self, visitor: str, amount: int) -> None:
        """Hold less."""
        self._held[visitor] -= amount
        if not self._held[visitor]:
            del self._held[visitor]

    @contextmanager
    def one(self, visitor: str) -> Iterator[None]:
        """Hold one more within the context, see `take`."""
        self.take(visitor, 1)
        try:
            yield
        finally:
            self.give_back(visitor, 1)


class LoginDelays:
    """Makes those who guess passwords wait, twice as long after each wrong one.

    Args:
        clock: returns seconds.
    """

    FREE = 5
    """Wrong passwords without a delay, for mistyping."""
    FIRST_SECONDS, MAX_SECONDS = 1.0, 300.0
    MOST = 10_000
    """Of those that are remembered; the one whose last guess is oldest is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guesses: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()
        """How many were wrong, and when the next one may come."""

    def begin_guess(self, guesser: Hashable) -> float:
        """Begin a guess, which counts as wrong until `forget` is called.

        Args:
            guesser: who guesses whose password.

        Returns:
            Seconds to wait; 0 if the guess may be checked now.
        """
        now = self._clock()
        wrong, not_before = self._guesses.pop(guesser, (0, now))
        if wait := max(0.0, not_before - now):
            self._guesses[guesser] = wrong, not_before
            return wait
        delay = self.FIRST_SECONDS * 2.0 ** min(wrong + 1 - self.FREE, 60)
        free = wrong + 1 < self.FREE
        self._guesses[guesser] = wrong + 1, now + (0 if free else min(delay, self.MAX_SECONDS))
        if len(self._guesses) > self.MOST:
            self._guesses.popitem(last=False)
        return 0.0

    def forget(self, guesser: Hashable) -> None:
        """Forget the wrong guesses of one who knew the password."""
        self._guesses.pop(guesser, None)


class OpenRoutes:
    """The routes that are open.

    Args:
        files: the page's folder, whose files are sent to whoever knows their names.
        calls: names of the endpoints for programs.
        handlers: numbers of the page's handlers that run here; others are scripts of the browser.
    """

    def __init__(
        self, files: Path, calls: Collection[str] = (), handlers: Collection[int] = ()
    ) -> None:
        self.handlers = frozenset(handlers)
        folders = "|".join(re.escape(one.as_posix()) for one in (files, files.resolve()))
        call = f"{_PREFIX}/call/(v2/)?({'|'.join(calls)})"
        read, post = ("GET", "HEAD"), ("POST",)
        table: tuple[tuple[Kind, tuple[str, ...], str], ...] = (
            ("open", read, "/|/config|/theme.css|/favicon.ico|/robots.txt|/manifest.json"),
            ("open", read, f"/static/.+|/assets/.+|{_PREFIX}/startup-events"),
            ("plain", read, f"{_PREFIX}/info|{_PREFIX}/heartbeat/{_ID}"),
            ("plain", read, f"{_PREFIX}/file=({folders})/.+"),
            ("stream", ("GET",), f"{RESULTS_ROUTE}|{call}/{_ID}"),
            ("progress", read, f"{_PREFIX}/upload_progress"),
            ("work", post, f"{_PREFIX}/queue/join|{call}"),
            ("cancel", post, f"{_PREFIX}/cancel"),
            ("upload", post, UPLOAD_ROUTE),
            ("login", post, "/login"),
            ("logout", post, "/logout"),
        )
        self._routes = [
            (kind, methods, re.compile(f"({paths})/?", re.DOTALL)) for kind, methods, paths in table
        ]

    def kind_of(self, method: str, path: str) -> Kind | None:
        """The kind of a request's route; None if it is closed.

        Args:
            method: GET, POST, ...
            path: relative to the server's root, decoded.
        """
        if not may_be_path(path):
            return None
        for kind, methods, pattern in self._routes:
            if method in methods and pattern.fullmatch(path):
                return kind
        return None


def is_id(name: object) -> bool:
    """Whether a client may give a session or an upload such a name."""
    return isinstance(name, str) and re.fullmatch(_ID, name) is not None


def may_be_path(path: str) -> bool:
    """Whether file systems take such names."""
    names = path.encode("utf-8", "surrogatepass").split(b"/")
    return "\0" not in path and all(len(name) <= _LONGEST_NAME for name in names)


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
