"""Who may ask: names of the page, pages of others, and passwords."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


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
