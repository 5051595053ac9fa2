"""Names by which the page may be asked for, and pages that may ask.

A foreign page that its visitor's browser shows could otherwise send requests here: by our address,
or by a name of its own that it lets point to this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit


class Hosts:
    """The names.

    Args:
        allowed: those of the deployment. Addresses in numbers and this machine's own names are
            allowed always: nobody else can let them point here.
    """

    def __init__(self, allowed: Collection[str] = ()) -> None:
        own = socket.gethostname().lower()
        self._allowed = {name.lower() for name in allowed}
        self._known = {"localhost", own, f"{own}.local", *self._allowed}

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why a request is refused, as a sentence; None if it is not.

        Args:
            headers: of the request, by names in lower case.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        name = _name_of(f"//{host}")
        if name is None or not (name in self._known or _is_address(name)):
            return (
                f"This page is not served under the name {name or host!r}; whoever runs it can "
                "allow that with --allowed-host."
            )
        if origin is None or urlsplit(origin).netloc.lower() == host.lower():
            return None
        if _name_of(origin) in self._allowed:  # behind a proxy that says another host
            return None
        return f"Requests from {origin} are not taken; open this page itself."


def _name_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
