"""The routes of Gradio's server that are open; `guard.Guard` answers 404 to all others.

Gradio registers eighty. Those that are left out run handlers beside the queue, store what no quota
counts, call methods of components, fetch other addresses, or serve features that this page has not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LONGEST_ID = 64
"""Characters of a session's, an event's or an upload's name, all of which a client may choose."""

_PREFIX = "/gradio_api"
_LONGEST_NAME = 255
"""Bytes of a name in a path; file systems take no longer ones."""
_ID = f"[^/]{{1,{LONGEST_ID}}}"
_CALL = f"{_PREFIX}/call/(v2/)?{_ID}"

_FOR_EVERYBODY = (
    "/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json",
    "/static/.+", "/assets/.+", f"{_PREFIX}/startup-events",
)  # fmt: skip
_FOR_VISITORS = (
    f"{_PREFIX}/info", f"{_PREFIX}/upload_progress", f"{_PREFIX}/queue/data",
    f"{_PREFIX}/heartbeat/{_ID}", f"{_CALL}/{_ID}",
)  # fmt: skip
_JSON = (f"{_PREFIX}/queue/join", f"{_PREFIX}/cancel", _CALL)


@dataclass(frozen=True, slots=True)
class Route:
    """Addresses that are answered alike."""

    methods: frozenset[str]
    path: re.Pattern[str]
    kind: Literal["plain", "json", "upload", "login", "logout"] = "plain"
    """What the guard has to do."""
    for_everybody: bool = False
    """Whether it is open without an account, too."""


class OpenRoutes:
    """The routes that are open.

    Args:
        files: the page's folder, whose files are sent to whoever knows their names.
    """

    def __init__(self, files: Path) -> None:
        self._routes = tuple(_routes(files))

    def find(self, method: str, path: str) -> Route | None:
        """The route of a request; None if it is closed.

        Args:
            method: GET, POST, ...
            path: relative to the server's root, decoded.
        """
        if any(len(os.fsencode(name)) > _LONGEST_NAME for name in path.split("/")):
            return None
        for route in self._routes:
            if method in route.methods and route.path.fullmatch(path):
                return route
        return None


def _routes(files: Path) -> Iterator[Route]:
    read, post = frozenset({"GET", "HEAD"}), frozenset({"POST"})
    for path in _FOR_EVERYBODY:
        yield Route(read, _pattern(path), for_everybody=True)
    yield Route(post, _pattern("/login"), "login", for_everybody=True)
    yield Route(post, _pattern("/logout"), "logout", for_everybody=True)
    for path in _FOR_VISITORS:
        yield Route(read, _pattern(path))
    for folder in {files.as_posix(), files.resolve().as_posix()}:
        yield Route(read, _pattern(f"{_PREFIX}/file={re.escape(folder)}/.+"))
    for path in _JSON:
        yield Route(post, _pattern(path), "json")
    yield Route(post, _pattern(f"{_PREFIX}/upload"), "upload")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(f"{path.rstrip('/')}/?", re.DOTALL)
