"""Places of photos and results: paths of this machine, and URLs of stores elsewhere."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
"""Two letters at least, since one is a drive."""


@dataclass(frozen=True, slots=True, order=True)
class Url:
    """A file or folder in a store that fsspec knows, such as ``s3://bucket/album``.

    Made by `place_of`. It is taken as it stands, nothing in it is quoted; it ends in no slash.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, below: PurePath | str) -> Url:
        place = PurePosixPath(below).as_posix()
        if place == ".":
            return self
        return Url(f"{self.text}{'' if self.text.endswith('/') else '/'}{place}")

    def as_posix(self) -> str:
        """The URL itself."""
        return self.text

    @property
    def scheme(self) -> str:
        """What stands before ``://``, in lower case."""
        return self.text.partition("://")[0].lower()

    @property
    def name(self) -> str:
        """The last part; empty for a store's root."""
        return self.text.partition("://")[2].rpartition("/")[2]

    @property
    def parent(self) -> Url:
        """The folder that it is in; a root is in itself."""
        scheme, _, rest = self.text.partition("://")
        return Url(f"{scheme}://{rest.rpartition('/')[0]}")

    def is_below(self, folder: Place) -> bool:
        """Whether it lies in a folder or is it."""
        return self == folder or (
            isinstance(folder, Url) and self.text.startswith(folder.text.rstrip("/") + "/")
        )


Place = Path | Url


def place_of(given: str | os.PathLike[str] | Url) -> Place:
    """What a person means by a path or a URL; ``file:///...`` is a path of this machine."""
    if isinstance(given, Url):
        return given
    text = os.fspath(given)
    found = _SCHEME.match(text)
    if not found:
        return Path(text)
    if found[1].lower() == "file":
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(text).path))
    return Url(found[0] + text[found.end() :].rstrip("/"))
