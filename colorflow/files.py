"""Writes files and folders that appear whole or not at all, and replace only their own kind.

A file is replaced only if its content says that colorflow made it and that it is of the same kind.
Any other file stays, whatever options say. An empty file may be replaced. A link is followed, and
its target is checked. Streams, such as /dev/stdout or a named pipe, are written to; other devices
are refused.

What writes raises `OSError`, whose `strerror` is written for users; callers add the context. A
lock on a folder lets one process at a time write to it. What is unfinished is locked, too, so that
it can be told from what a killed run has left.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from colorflow.errors import ColorflowError

if sys.platform != "win32":
    import fcntl

COLORING_WEIGHTS, ENLARGE_WEIGHTS = "colorflow.safetensors", "enlarge.safetensors"
REPAIR_WEIGHTS = "repair.safetensors"
_DIGITS = 16
_TEMPORARY = re.compile(r"\.colorflow-[0-9a-f]{16}\.tmp")


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file that colorflow makes.

    Attributes:
        name: for messages, such as ``contact sheet``.
        is_one: whether the content of a file, which is not empty, says that it is of this kind.
    """

    name: str
    is_one: Callable[[Path], bool]


def text_kind(name: str, opening: str) -> FileKind:
    """Text that begins with words that no other kind of file begins with."""

    def is_one(path: Path) -> bool:
        wanted = opening.encode()
        with path.open("rb") as file:
            return file.read(len(wanted)) == wanted

    return FileKind(name, is_one)


def json_kind(name: str, command: str) -> FileKind:
    """JSON: an object, or a list of objects, that says which command made it."""

    def is_one(path: Path) -> bool:
        try:
            content = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return False
        objects = content if isinstance(content, list) else [content]
        made_by = [str(one.get("command")) if isinstance(one, dict) else "" for one in objects]
        return bool(made_by) and all(f"{words} ".startswith(f"{command} ") for words in made_by)

    return FileKind(name, is_one)


STATEMENT = "Made by colorflow: "
"""What files begin with, or contain, that state how they were made."""


def statement_of(kind: FileKind) -> str:
    """The sentence that a file of a kind contains."""
    return f"{STATEMENT}{kind.name}"


def check_replaceable(path: Path, kind: FileKind | None) -> None:
    """Raises `OSError` if there is something that a new file must not replace.

    Args:
        path: of the new file.
        kind: of the new file; None in folders where colorflow owns all files.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if _is_stream(status):
        return
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError(errno.EEXIST, "it is neither a file nor a stream")
    if status.st_size and kind and not _is_one(path, kind):
        raise FileExistsError(
            errno.EEXIST,
            f"a file is there already, and it is no {kind.name} that colorflow made; "
            "move it away, or choose another name",
        )


@contextmanager
def whole_file(path: Path, kind: FileKind | None) -> Iterator[BinaryIO]:
    """Yields a new file, which appears at `path` at the end, or is removed on an error.

    It is written to the disk beside the target and then renamed.

    Args:
        path: as in `check_replaceable`; its folder exists.
        kind: as in `check_replaceable`.

    Raises:
        OSError: if it cannot be written, or must not be.
        ValueError: if there is a null character in the name.
    """
    check_replaceable(path, kind)
    if is_stream(path):
        with path.open("wb") as stream:
            yield stream
        return
    target = Path(os.path.realpath(path))
    # Not made by tempfile, whose files only the owner may read.
    with _unfinished(target, lambda new: new.touch(exist_ok=False)) as temporary:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check_replaceable(target, kind)  # another program may have put a file there
        os.replace(temporary, target)


def write_whole(path: Path, data: bytes, kind: FileKind | None) -> None:
    """Writes a file from its content; otherwise as `whole_file`."""
    with whole_file(path, kind) as file:
        file.write(data)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yields a new folder, which takes its place at `path` at the end, or is removed on an error.

    Args:
        path: an empty folder, or nothing; its parent exists.

    Raises:
        OSError: if the folder cannot be created or moved.
    """
    path = path.absolute()
    with _unfinished(path, Path.mkdir) as temporary:
        yield temporary
        if path.exists():
            path.rmdir()  # not every system replaces an empty folder
        os.replace(temporary, path)


@contextmanager
def locked(folder: Path, busy: ColorflowError) -> Iterator[None]:
    """Holds a lock on a folder; the system releases it when the process ends.

    Without locks in the system or the file system, it does nothing.

    Args:
        folder: an existing folder.
        busy: raised if another process holds the lock.
    """
    try:
        handle = _lock(Path(os.path.realpath(folder)))
    except BlockingIOError as error:
        raise busy from error
    with _closing(handle):
        yield


def temporary_name() -> str:
    """A new hidden name for a file or folder that is being written."""
    return f".colorflow-{secrets.token_hex(8)}.tmp"


def is_temporary_name(name: str) -> bool:
    """Whether a name is one of `temporary_name`."""
    return _TEMPORARY.fullmatch(name) is not None


def remove_leftovers(folder: Path) -> None:
    """Removes what killed runs left unfinished in a folder, but not what a process still writes.

    Nothing is removed without locks in the system or the file system, since nothing is certain.
    """
    with suppress(OSError):
        for path in [one for one in folder.iterdir() if is_temporary_name(one.name)]:
            with suppress(OSError), _closing(_lock(path)) as handle:
                if handle is not None:
                    _remove(path)


def digest_of(path: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return digest_of_open(file)


def digest_of_open(file: IO[bytes]) -> str:
    """As `digest_of`, from the position of an open file on."""
    digest = hashlib.file_digest(cast(io.BufferedIOBase, file), "sha256")
    return digest.hexdigest()[:_DIGITS]


def is_stream(path: Path) -> bool:
    """Whether a file is there that is written to, not replaced: a pipe or a terminal."""
    return os.path.exists(path) and _is_stream(os.stat(path))


def default_weights(name: str = COLORING_WEIGHTS) -> Path:
    """Path of the shipped weights: inside the installed package, or beside it in a checkout.

    Args:
        name: `COLORING_WEIGHTS`, `ENLARGE_WEIGHTS` or `REPAIR_WEIGHTS`.
    """
    package = Path(__file__).parent
    inside = package / "weights" / name
    return inside if inside.exists() else package.parent / "weights" / name


@contextmanager
def _unfinished(target: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Yields a new file or folder beside a target, locked; it is removed on an error."""
    while True:
        path = target.with_name(temporary_name())
        make(path)
        with suppress(FileNotFoundError, BlockingIOError):  # it was just taken for a leftover
            handle = _lock(path)
            break
    with _closing(handle):
        try:
            yield path
        except BaseException:
            _remove(path)
            raise


def _lock(path: Path) -> int | None:
    """Locks a file or folder, not what a link leads to.

    Returns:
        The handle that holds the lock; None if there are no locks here.

    Raises:
        BlockingIOError: another process holds it.
        FileNotFoundError: it is gone.
    """
    if sys.platform == "win32":
        return None
    handle = None
    try:
        # Network file systems lock only files that are open for writing.
        how = os.O_RDONLY if path.is_dir() else os.O_RDWR
        handle = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.lstat()
    except OSError as error:
        if handle is not None:
            os.close(handle)
        if isinstance(error, BlockingIOError | FileNotFoundError):
            raise
        return None
    return handle


@contextmanager
def _closing(handle: int | None) -> Iterator[int | None]:
    """Closes a handle at the end, if it is one."""
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_one(path: Path, kind: FileKind) -> bool:
    try:
        return kind.is_one(path)
    except OSError:  # a file that cannot be read is of no kind
        return False


def _is_stream(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) or stat.S_ISFIFO(status.st_mode)
