"""Locations of photos and results: paths of this machine, and URLs of stores elsewhere.

fsspec speaks to the stores, with a package of its own for each kind: s3fs for ``s3://``, gcsfs for
``gs://``, and so on, which know about credentials and retry where a network fails. URLs are taken
apart here rather than by universal_pathlib 0.3, which takes ``::`` in the name of a file for a
chain of URLs and then reads another file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from colorflow.errors import BatchError, PhotoError, UnreadablePhotoError, WritePhotoError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
"""At least two letters, because one is a drive."""


@dataclass(frozen=True, slots=True)
class Url:
    """A file or folder in a store that fsspec knows, such as ``s3://bucket/album``.

    `location_of` makes it. Nothing in it is quoted, and it ends in no slash.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, relative: PurePath | str) -> Url:
        below = PurePosixPath(relative).as_posix()
        if below == ".":
            return self
        return Url(f"{self.text}{'' if self.text.endswith('/') else '/'}{below}")

    @property
    def scheme(self) -> str:
        """The part before ``://``, in lower case."""
        return self.text.partition("://")[0].lower()

    @property
    def name(self) -> str:
        """The last part; empty for a store's root."""
        return self.text.partition("://")[2].rpartition("/")[2]

    @property
    def parent(self) -> Url:
        """The folder that contains it; a root contains itself."""
        scheme, _, path = self.text.partition("://")
        return Url(f"{scheme}://{path.rpartition('/')[0]}")

    def is_relative_to(self, folder: Location) -> bool:
        """Whether it is the folder, or inside it."""
        return self == folder or str(self).startswith(str(folder).rstrip("/") + "/")


Location = Path | Url


def location_of(given: str | os.PathLike[str] | Url) -> Location:
    """Parses a path or a URL; ``file:///...`` is a path of this machine."""
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


def store_of(url: Url) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the URL's path in it.

    Raises:
        BatchError: if the scheme is unknown, or its package is missing or refuses the URL.
    """
    from fsspec.core import url_to_fs

    # fsspec is given the root alone, because it takes "::" in a path for a chain of URLs.
    authority, _, path = url.text.partition("://")[2].partition("/")
    try:
        store, root = url_to_fs(f"{url.scheme}://{authority}/")
        folder = root.rstrip("/")
        return store, f"{folder}/{path}" if path else folder or root
    except ImportError as error:
        raise BatchError(
            f"{url}: {url.scheme}:// needs a package that is missing here ({error}); "
            "install it with pip"
        ) from error
    except Exception as error:  # a store's package may raise anything
        raise BatchError(f"{url}: {url.scheme}:// cannot be used ({_detail(error)})") from error


def list_files(folder: Url, *, recursive: bool = True) -> list[PurePosixPath]:
    """Lists the visible files in a folder by their relative paths, sorted.

    A folder that does not exist holds none. Names that would lead out of the folder are left out.

    Raises:
        UnreadablePhotoError: if it cannot be listed.
        BatchError: as `store_of`.
    """
    store, root = store_of(folder)
    found = []
    with reported(folder, "cannot be listed", UnreadablePhotoError), suppress(FileNotFoundError):
        store.invalidate_cache()
        depth = {} if recursive else {"maxdepth": 1}
        for name in store.find(root, **depth):
            relative = PurePosixPath(name.removeprefix(root).lstrip("/"))
            if _is_visible(relative):
                found.append(relative)
    return sorted(found)


def match_files(pattern: Url) -> list[Url]:
    """Lists the files that fit a pattern with ``*``, sorted; raises as `list_files`."""
    fixed = pattern
    while "*" in fixed.text:
        fixed = fixed.parent
    store, path = store_of(pattern)
    root = store_of(fixed)[1]
    with reported(pattern, "cannot be listed", UnreadablePhotoError):
        store.invalidate_cache()
        literal = path.replace("[", "[[]").replace("?", "[?]")  # only * stands for other names
        matches = store.glob(literal, detail=True).items()
        found = [name for name, details in matches if details["type"] == "file"]
    return [fixed / name.removeprefix(root).lstrip("/") for name in sorted(found)]


def has_content(url: Url) -> bool:
    """Whether a file exists and is not empty.

    Raises:
        WritePhotoError: if the store does not say.
    """
    store, path = store_of(url)
    with reported(url, "cannot be looked up", WritePhotoError), suppress(FileNotFoundError):
        store.invalidate_cache()
        details = store.info(path)
        return details["type"] == "file" and bool(details["size"])
    return False


def download(url: Url, target: Path) -> None:
    """Downloads a file.

    Raises:
        UnreadablePhotoError: if it cannot be downloaded.
    """
    store, path = store_of(url)
    with reported(url, "cannot be fetched", UnreadablePhotoError):
        try:
            store.get_file(path, str(target))
        except FileNotFoundError as error:
            raise UnreadablePhotoError(str(url), "there is no such file") from error


@contextmanager
def reported(url: Url, what: str, kind: type[PhotoError]) -> Iterator[None]:
    """Turns whatever a store's package raises into a `PhotoError` that names the URL."""
    try:
        yield
    except (PhotoError, BatchError):
        raise
    except Exception as error:
        raise kind(str(url), f"{what} ({_detail(error)})") from error


def _is_visible(relative: PurePosixPath) -> bool:
    """False for hidden files, and for ``..``, which a store's names may hold."""
    return bool(relative.parts) and not any(p.startswith(".") or "\\" in p for p in relative.parts)


def _detail(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
