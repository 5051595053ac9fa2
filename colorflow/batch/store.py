"""Stores that are reached by URL: listing, fetching, and files that appear whole.

fsspec speaks to them, with a package of its own for each kind: s3fs for ``s3://``, gcsfs for
``gs://``, and so on, which know about credentials and try again where a network fails.

A result is complete as soon as it can be seen. Object stores show a file when all of it has
arrived, so it is simply sent. Elsewhere it is sent under a hidden name and then renamed; a store
that can do neither is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from colorflow.batch.url import Url
from colorflow.errors import BatchError, PhotoError, UnreadablePhotoError, WritePhotoError

_SHOW_WHOLE_FILES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"})
"""Object stores: what is there is complete."""
_COPY_AT_ONCE = frozenset({"memory"})
"""Stores whose copies appear at once, so that a copy is as good as a new name."""


def files_below(folder: Url, *, recursive: bool = True) -> dict[PurePosixPath, int]:
    """Lists a folder: each file's place below it, and its bytes; none if there is no such folder.

    Hidden files are left out, and names that would lead out of the folder.

    Raises:
        PhotoError: if it cannot be listed.
        BatchError: if there is no way to speak to such a store.
    """
    files, root = connected(folder)
    found = {}
    with _told(folder, "cannot be listed", UnreadablePhotoError), suppress(FileNotFoundError):
        files.invalidate_cache()
        depth = {} if recursive else {"maxdepth": 1}
        for path, details in files.find(root, detail=True, **depth).items():
            place = PurePosixPath(path.removeprefix(root).lstrip("/"))
            if _is_visible(place):
                found[place] = int(details.get("size") or 0)
    return found


def matches(pattern: Url) -> list[Url]:
    """The files that a pattern with ``*`` stands for, sorted; else as `files_below`."""
    fixed = pattern
    while "*" in fixed.text:
        fixed = fixed.parent
    files, path = connected(pattern)
    root = connected(fixed)[1]
    with _told(pattern, "cannot be listed", UnreadablePhotoError):
        files.invalidate_cache()
        found = [
            name for name, info in files.glob(path, detail=True).items() if info["type"] == "file"
        ]
    return [fixed / name.removeprefix(root).lstrip("/") for name in sorted(found)]


def is_there(url: Url) -> bool:
    """Whether a file is there; an empty one is none.

    Raises:
        WritePhotoError: if the store does not say.
    """
    files, path = connected(url)
    with _told(url, "cannot be looked up", WritePhotoError), suppress(FileNotFoundError):
        files.invalidate_cache()
        details = files.info(path)
        return details["type"] == "file" and bool(details["size"])
    return False


def download(url: Url, target: Path) -> None:
    """Fetches a file.

    Raises:
        UnreadablePhotoError: if it cannot be fetched.
    """
    files, path = connected(url)
    with _told(url, "cannot be fetched", UnreadablePhotoError):
        try:
            files.get_file(path, str(target))
        except FileNotFoundError as error:
            raise UnreadablePhotoError(str(url), "there is no such file") from error


def upload(source: Path, url: Url) -> None:
    """Sends a file, which appears whole or not at all.

    Raises:
        WritePhotoError: if it cannot be sent.
        BatchError: if files cannot appear whole in such a store.
    """
    files, path = connected(url)
    check_shows_whole_files(url)
    with _told(url, "cannot be written", WritePhotoError):
        if url.scheme in _SHOW_WHOLE_FILES:
            files.put_file(str(source), path)
            return
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/{_hidden_name()}"
        files.makedirs(folder, exist_ok=True)
        try:
            files.put_file(str(source), temporary)
            files.mv(temporary, path)
        except BaseException:
            with suppress(Exception):
                files.rm_file(temporary)
            raise


def check_url_writable(folder: Url) -> None:
    """Raises `WritePhotoError` unless a file can be made in a folder, or as `upload` does."""
    check_shows_whole_files(folder)
    files, path = connected(folder)
    probe = f"{path}/{_hidden_name()}"
    with _told(folder, "nothing can be written here", WritePhotoError):
        if folder.scheme not in _SHOW_WHOLE_FILES:
            files.makedirs(path, exist_ok=True)
        files.pipe_file(probe, b"colorflow")
    with suppress(Exception):  # who may write need not be allowed to delete
        files.rm_file(probe)


def check_shows_whole_files(url: Url) -> None:
    """Raises `BatchError` for stores where a half-written file could be taken for a result."""
    from fsspec.spec import AbstractFileSystem

    files, _ = connected(url)
    renames = type(files).mv is not AbstractFileSystem.mv
    if not (renames or url.scheme in _SHOW_WHOLE_FILES | _COPY_AT_ONCE):
        raise BatchError(
            f"{url}: results cannot be written to {url.scheme}://, where files do not appear as a "
            "whole; choose a folder, or a store such as s3:// or gs://"
        )


def connected(url: Url) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the URL's path in it.

    Raises:
        BatchError: if the scheme is unknown, or its package is missing, or refuses the URL.
    """
    from fsspec.registry import get_filesystem_class

    try:
        kind = get_filesystem_class(url.scheme)
        files = kind(**kind._get_kwargs_from_urls(str(url)))
        return files, str(kind._strip_protocol(str(url)))
    except ImportError as error:
        raise BatchError(
            f"{url}: {url.scheme}:// needs a package that is missing here ({error}); "
            "install it with pip"
        ) from error
    except Exception as error:  # what a store's package raises is its own affair
        raise BatchError(f"{url}: {url.scheme}:// cannot be used ({_detail(error)})") from error


def _hidden_name() -> str:
    return f".colorflow-{secrets.token_hex(8)}.tmp"


def _is_visible(place: PurePosixPath) -> bool:
    """False for hidden files, and for ``..``, which a store's names may hold."""
    return bool(place.parts) and not any(p.startswith(".") or "\\" in p for p in place.parts)


@contextmanager
def _told(url: Url, what: str, kind: type[PhotoError]) -> Iterator[None]:
    """Turns whatever a store's package raises into a sentence."""
    try:
        yield
    except (PhotoError, BatchError):
        raise
    except Exception as error:
        raise kind(str(url), f"{what} ({_detail(error)})") from error


def _detail(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
