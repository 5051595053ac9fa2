"""Which visitor may name and read which files of the page's folder."""

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

COOKIE = "colorflow-visitor"
"""Has a browser's name, which only it and the server know. A program without cookies has none: the
names of its files are its secret, since nobody can guess them."""


class Asks(Protocol):
    """A request of Starlette's or of Gradio's."""

    @property
    def cookies(self) -> Mapping[str, str]: ...


def visitor_of(request: Asks) -> str:
    """The name of the visitor who asks; an empty one without a cookie."""
    return str(request.cookies.get(COOKIE, ""))


def new_visitor() -> str:
    """A name that nobody can guess."""
    return secrets.token_urlsafe(24)


class Owners:
    """The owners of uploads, and of folders that were made for a visitor. Thread-safe.

    A name in a request is looked up here, and the disk is not asked before that. So nothing tells
    a file of somebody else from one that does not exist.

    Args:
        folders: where the folders of visitors are; absolute, and without links.
    """

    def __init__(self, folders: Path) -> None:
        self._parts = len(folders.parts) + 1
        self._owners: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def give(self, path: Path, visitor: str) -> None:
        """Let a visitor have an upload, or a folder with all that is in it; several may have one.

        Args:
            path: without links.
            visitor: as of `visitor_of`.
        """
        with self._lock:
            self._owners[str(path)] = self._owners.get(str(path), frozenset()) | {visitor}

    def has(self, visitor: str, path: str) -> bool:
        """Whether a visitor may name a file: it is theirs, regular, and not reached by links."""
        folder = os.sep.join(path.split(os.sep, self._parts)[: self._parts])
        if not any(visitor in self._owners.get(name, ()) for name in (path, folder)):
            return False
        with suppress(OSError, ValueError):  # it has gone, or no file can have such a name
            return os.path.realpath(path) == path and stat.S_ISREG(os.lstat(path).st_mode)
        return False

    def forget(self) -> None:
        """Forget what has been deleted."""
        with self._lock:
            self._owners = {path: who for path, who in self._owners.items() if os.path.exists(path)}
