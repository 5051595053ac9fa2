"""The output folder: created, checked, and locked while a batch runs; uploads appear whole.

A result is complete as soon as it can be seen. Object stores show a file only when all of it has
arrived, so it is simply uploaded. Other stores get it under a hidden name, and it is then renamed;
a store that can do neither is refused.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from colorflow.batch.locations import Location, Url, reported, store_of
from colorflow.errors import BatchError, WritePhotoError
from colorflow.files import is_temporary_name, locked, temporary_name

STALE_SECONDS = 60
"""A temporary file that was not written to for so long was left by a run that was killed."""
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"})
"""A file that can be seen in these is complete."""
_COPY_AT_ONCE = frozenset({"memory"})
"""Copies appear at once in these, so that copying is as good as renaming."""


@contextmanager
def output_folder(output: Location, folders: Iterable[Location]) -> Iterator[None]:
    """Creates the output folder, keeps other runs out of it, and removes what killed runs left.

    Two runs on one folder would color everything twice. Stores, and file systems without locks, do
    not prevent that, but files appear whole in any case.

    Args:
        output: the folder of the run.
        folders: all folders inside it that get results.

    Raises:
        BatchError: if another run is writing there.
        WritePhotoError: if the folder cannot be created or written to.
    """
    if not isinstance(output, Path):
        check_url_writable(output)
        yield
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(output, f"the folder cannot be made ({error.strerror})") from error
    check_writable(output)
    busy = BatchError(
        f"{output}: another run of colorflow is writing to this folder; "
        "wait until it has ended, or choose another folder with -o"
    )
    with locked(output, busy):
        for folder in {output, *folders}:
            assert isinstance(folder, Path)
            _remove_stale_files(folder)
        yield


def check_writable(folder: Path) -> None:
    """Raises `WritePhotoError` unless a file can be created in a folder."""
    probe = folder / temporary_name()
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except FileNotFoundError as error:
        raise WritePhotoError(folder, "there is no such folder to write to") from error
    except OSError as error:
        raise WritePhotoError(
            folder, f"nothing can be written here ({error.strerror}); choose another folder"
        ) from error


def check_url_writable(folder: Url) -> None:
    """Raises `WritePhotoError` unless a file can be created in a folder, or as `upload` does."""
    _check_shows_whole_files(folder)
    store, path = store_of(folder)
    probe = f"{path}/{temporary_name()}"
    with reported(folder, "nothing can be written here", WritePhotoError):
        if folder.scheme not in _OBJECT_STORES:
            store.makedirs(path, exist_ok=True)
        store.pipe_file(probe, b"colorflow")
    with suppress(Exception):  # a user who may write need not be allowed to delete
        store.rm_file(probe)


def upload(source: Path, url: Url) -> None:
    """Uploads a file, which appears whole or not at all.

    Raises:
        WritePhotoError: if it cannot be uploaded.
        BatchError: if files cannot appear whole in such a store.
    """
    store, path = store_of(url)
    _check_shows_whole_files(url)
    with reported(url, "cannot be written", WritePhotoError):
        if url.scheme in _OBJECT_STORES:
            store.put_file(str(source), path)
            return
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/{temporary_name()}"
        store.makedirs(folder, exist_ok=True)
        try:
            store.put_file(str(source), temporary)
            store.mv(temporary, path)
        except BaseException:
            with suppress(Exception):
                store.rm_file(temporary)
            raise


def _check_shows_whole_files(url: Url) -> None:
    """Raises `BatchError` for stores where a half-written file could be taken for a result."""
    from fsspec.spec import AbstractFileSystem

    store, _ = store_of(url)
    renames = type(store).mv is not AbstractFileSystem.mv
    if not (renames or url.scheme in _OBJECT_STORES | _COPY_AT_ONCE):
        raise BatchError(
            f"{url}: results cannot be written to {url.scheme}://, where files do not appear as "
            "a whole; choose a folder, or a store such as s3:// or gs://"
        )


def _remove_stale_files(folder: Path) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_temporary_name(entry.name):
                with suppress(OSError):
                    if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                        os.unlink(entry.path)
