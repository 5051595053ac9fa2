"""Who may ask for what: names of the page, pages of others, and open routes.

Gradio registers eighty routes. Those that are left out run handlers beside the queue, store what is
not counted, call methods of components, fetch other addresses, or serve features that this page has
not.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

LONGEST_ID = 64
"""Characters of a session's, an event's or an upload's name, all of which a client may choose."""

FILE_ROUTE = "gradio_api/file="
"""Address of the server's files, relative to the page; the path follows."""
_ID = f"[0-9A-Za-z_-]{{1,{LONGEST_ID}}}"


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


def open_routes(files: Path, calls: Collection[str]) -> re.Pattern[str]:
    """A pattern of the requests whose routes are open, as a method and a path.

    Args:
        files: the page's folder, whose files are sent to whoever knows their names.
        calls: names of the endpoints for programs.
    """
    folders = "|".join(re.escape(one.as_posix()) for one in (files, files.resolve()))
    call = f"call/(v2/)?({'|'.join(calls)})"
    pages = "config|theme.css|favicon.ico|robots.txt|manifest.json|static/.+|assets/.+|logout"
    read = f"info|heartbeat/{_ID}|file=({folders})/.+|queue/data|{call}/{_ID}|upload_progress"
    posted = f"queue/join|{call}|cancel|upload"
    return re.compile(
        f"(GET|HEAD) /(({pages}|gradio_api/({read}))/?)?|POST /(login|gradio_api/({posted}))/?",
        re.DOTALL,
    )


def is_id(name: object) -> bool:
    """Whether a client may give a session or an upload such a name."""
    return isinstance(name, str) and re.fullmatch(_ID, name) is not None


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
