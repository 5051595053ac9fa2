"""Locations of photos and results: paths of this machine, and URLs of stores elsewhere.

The rest of the package treats both alike, by the functions here. fsspec speaks to the stores, with
a package of its own for each kind: s3fs for ``s3://``, gcsfs for ``gs://``, and so on, which know
about credentials and retry where a network fails. URLs are taken apart here rather than by
universal_pathlib 0.3, which takes ``::`` in the name of a file for a chain of URLs and then reads
another file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from colorflow.errors import BatchError, PhotoError, UnreadablePhotoError, WritePhotoError
from colorflow.files import temporary_name

if TYPE_CHECKING:
    from typing_extensions import TypeIs

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
"""At least two letters, because one is a drive."""
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"})
"""A file that can be seen in these is complete."""
_COPY_AT_ONCE = frozenset({"memory"})
"""Copies appear at once in these, so that copying is as good as renaming."""


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


def is_local(location: Location) -> TypeIs[Path]:
    """Whether it is a path of this machine."""
    return not isinstance(location, Url)


def is_inside(location: Location, folder: Location) -> bool:
    """Whether a location is the folder, or below it, by their names."""
    return location == folder or str(location).startswith(str(folder).rstrip("/") + "/")


def real_folder(folder: Location) -> str:
    """The same for all names of one folder."""
    return os.path.realpath(folder) if is_local(folder) else str(folder)


def link_to(location: Location, folder: Path) -> str:
    """A quoted link for a page in a folder, relative where one file system holds both."""
    if not is_local(location):
        return quote(str(location), safe=":/", errors="surrogateescape")
    try:
        relative = Path(os.path.relpath(location, folder))
    except ValueError:  # another drive of Windows
        return location.absolute().as_uri()
    return quote(relative.as_posix(), errors="surrogateescape")


def fetched(location: Location, copy: Path) -> Path:
    """A file on this machine: itself, or a copy of a URL's.

    Args:
        location: the file.
        copy: where a copy goes.

    Raises:
        UnreadablePhotoError: if it cannot be downloaded.
    """
    if is_local(location):
        return location
    store, path = store_of(location)
    with _reported(location, "cannot be fetched", UnreadablePhotoError):
        try:
            store.get_file(path, str(copy))
        except FileNotFoundError as error:
            raise UnreadablePhotoError(str(location), "there is no such file") from error
    return copy


def folder_here(folder: Location, names: Iterable[str], copy: Path) -> Path:
    """A folder on this machine: itself, or another with copies of a URL's files of these names.

    Raises:
        PhotoError: if the store does not say whether it has them, or one cannot be downloaded.
    """
    if is_local(folder):
        return folder
    for name in names:
        if has_content(folder / name):
            fetched(folder / name, copy / name)
    return copy


def deliver(made: Path, target: Location) -> None:
    """Uploads a file, which appears whole or not at all, unless the target is on this machine.

    Raises:
        WritePhotoError: if it cannot be uploaded.
        BatchError: if files cannot appear whole in such a store.
    """
    if is_local(target):
        return
    store, path = store_of(target)
    _check_shows_whole_files(target)
    with _reported(target, "cannot be written", WritePhotoError):
        if target.scheme in _OBJECT_STORES:
            store.put_file(str(made), path)
            return
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/{temporary_name()}"
        store.makedirs(folder, exist_ok=True)
        try:
            store.put_file(str(made), temporary)
            store.mv(temporary, path)
        except BaseException:
            with suppress(Exception):
                store.rm_file(temporary)
            raise


def make_folder(folder: Path) -> None:
    """Creates a folder with those above it, or raises `WritePhotoError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(folder, f"the folder cannot be made ({error.strerror})") from error


def check_writable(folder: Location) -> None:
    """Checks that a file can be created in a folder.

    Raises:
        WritePhotoError: if it cannot, or there is no such folder.
        BatchError: if files cannot appear whole in such a store.
    """
    if not is_local(folder):
        _check_store_writable(folder)
        return
    probe = folder / temporary_name()
    try:
        probe.touch(exist_ok=False)
        probe.unlink(missing_ok=True)  # another run may have taken it for a leftover
    except FileNotFoundError as error:
        raise WritePhotoError(folder, "there is no such folder to write to") from error
    except OSError as error:
        raise WritePhotoError(
            folder, f"nothing can be written here ({error.strerror}); choose another folder"
        ) from error


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
    with _reported(folder, "cannot be listed", UnreadablePhotoError), suppress(FileNotFoundError):
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
    with _reported(pattern, "cannot be listed", UnreadablePhotoError):
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
    with _reported(url, "cannot be looked up", WritePhotoError), suppress(FileNotFoundError):
        store.invalidate_cache()
        details = store.info(path)
        return details["type"] == "file" and bool(details["size"])
    return False


def _check_store_writable(folder: Url) -> None:
    _check_shows_whole_files(folder)
    store, path = store_of(folder)
    probe = f"{path}/{temporary_name()}"
    with _reported(folder, "nothing can be written here", WritePhotoError):
        if folder.scheme not in _OBJECT_STORES:
            store.makedirs(path, exist_ok=True)
        store.pipe_file(probe, b"colorflow")
    with suppress(Exception):  # a user who may write need not be allowed to delete
        store.rm_file(probe)


def _check_shows_whole_files(url: Url) -> None:
    """Raises `BatchError` for stores where a half-written file could be taken for a result.

    Object stores show a file only when all of it has arrived, so it is simply uploaded. Other
    stores get it under a hidden name, and it is then renamed.
    """
    from fsspec.spec import AbstractFileSystem

    store, _ = store_of(url)
    renames = type(store).mv is not AbstractFileSystem.mv
    if not (renames or url.scheme in _OBJECT_STORES | _COPY_AT_ONCE):
        raise BatchError(
            f"{url}: results cannot be written to {url.scheme}://, where files do not appear as "
            "a whole; choose a folder, or a store such as s3:// or gs://"
        )


@contextmanager
def _reported(url: Url, what: str, kind: type[PhotoError]) -> Iterator[None]:
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
