"""Reads files from outside in a process of their own, with limits of memory and time.

Decoders of pictures have faults, and there are files that make them crash, hang, or take all
memory. Here such a file costs the process that reads it, and becomes a PhotoError. See `reader` for
that process. It is no prison: who gains control of a decoder has the rights of this user.

It works on Linux. Elsewhere files are read in this process, without limits.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Literal

from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo.answer import (
    END,
    PATIENCE,
    TOO_LITTLE_MEMORY,
    TOO_SMALL_FILES,
    Answer,
    NoAnswerError,
    in_one_line,
    photo_of,
    read_answer,
    seconds_for,
)
from colorflow.photo.photo import Header, Photo

IS_POSSIBLE = sys.platform == "linux" and hasattr(os, "memfd_create") and hasattr(os, "pidfd_open")
"""Whether this system has what it takes: fork, limits, and memory that is a file."""

_TRIES = 2
"""How many servers may end over one file."""
_MARGIN = 10
"""Seconds that the server may take for itself."""
_TUNABLES = "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"
"""Each further arena of the C library reserves 64 MB of the limited address space. With large pages
the first touch of memory, which is new in each child, takes a fraction of the time."""
_SERVER = "from sys import argv; from colorflow.photo.reader import serve; serve(int(argv[1]))"
_BROKE = "the reader of this kind of file broke on it; save it as JPEG, PNG or TIFF"


def read_photo_in_child(
    file: IO[bytes], source: str, max_pixels: int, page: int | None = None
) -> Photo:
    """As `decode.read_open`, in a child."""
    answer = _ask("photo", file, source, max_pixels, page)
    try:
        return photo_of(answer, source)
    except NoAnswerError as error:
        raise UnreadablePhotoError(source, _BROKE) from error


def read_header_in_child(file: IO[bytes], source: str, max_pixels: int) -> Header:
    """As `decode.read_open_header`, in a child."""
    content = _ask("header", file, source, max_pixels).content
    pixels, stated = content.get("pixels"), content.get("stated")
    if type(pixels) is not int or not 0 < pixels <= max_pixels or not isinstance(stated, str):
        raise UnreadablePhotoError(source, _BROKE)
    return Header(pixels, stated)


def read_pages_in_child(
    file: IO[bytes], source: str, max_pixels: int, page: int | None = None
) -> tuple[int, ...]:
    """As `pages.read_open_pages`, in a child."""
    numbers = _ask("pages", file, source, max_pixels, page).content.get("pages")
    if not isinstance(numbers, list) or not all(type(one) is int and one > 0 for one in numbers):
        raise UnreadablePhotoError(source, _BROKE)
    return tuple(numbers)


def file_of(content: bytes) -> IO[bytes]:
    """An open file with some content, which a child can be given."""
    file = os.fdopen(os.memfd_create("content", os.MFD_CLOEXEC), "w+b")
    file.write(content)
    file.flush()
    return file


def start_reader() -> None:
    """Start the server, so that the first photo need not wait for it."""
    global _is_ended
    _is_ended = False
    if IS_POSSIBLE:
        with suppress(OSError):
            _connected()


def end_reader() -> None:
    """End the server and all children at once; none is started again before `start_reader`.

    Each thread that reads is told so by an UnreadablePhotoError.
    """
    global _is_ended
    _is_ended = True
    _end_at_exit()


def _ask(
    what: Literal["photo", "header", "pages"],
    file: IO[bytes],
    source: str,
    max_pixels: int,
    page: int | None = None,
) -> Answer:
    """Have a file read.

    Raises:
        PhotoError: it cannot be read, or the limits do not suffice.
    """
    request = json.dumps({"what": what, "max_pixels": max_pixels, "page": page}).encode()
    try:
        end, descriptor = _sent(request, file, PATIENCE * seconds_for(max_pixels) + _MARGIN)
    except TimeoutError as error:
        raise UnreadablePhotoError(source, "reading it took too long") from error
    except OSError as error:
        reason = f"it could not be read, since the process that reads photos failed ({error})"
        raise UnreadablePhotoError(source, reason) from error
    try:
        status, processor = END.unpack(end)
        _check(status, processor, source)
        answer = read_answer(descriptor)
    except NoAnswerError as error:
        raise UnreadablePhotoError(source, _BROKE) from error
    finally:
        os.close(descriptor)
    match answer.content.get("error"):
        case None:
            return answer
        case ["PhotoTooLargeError", reason]:
            raise PhotoTooLargeError(source, in_one_line(reason))
        case [_, reason]:
            raise UnreadablePhotoError(source, in_one_line(reason))
    raise UnreadablePhotoError(source, _BROKE)


def _check(status: int, processor: float, source: str) -> None:
    """Raise a PhotoError if a child did not come to its end."""
    reasons = {
        TOO_LITTLE_MEMORY: "reading it needs more memory than a picture of its size; "
        "save it as JPEG or PNG",
        TOO_SMALL_FILES: "it has more pixels than a file may have bytes here; "
        "raise that limit (ulimit -f)",
        -signal.SIGXCPU: f"reading it takes more than {processor:.0f} s; save it as JPEG or PNG",
        -signal.SIGALRM: "reading it takes too long while the machine is so busy; try again later",
        -signal.SIGKILL: "the process that read it was killed, perhaps for memory",
    }
    code = os.waitstatus_to_exitcode(status)
    if code in reasons:
        raise PhotoTooLargeError(source, reasons[code])
    if code:
        raise UnreadablePhotoError(source, _BROKE)


def _sent(request: bytes, file: IO[bytes], wait: float) -> tuple[bytes, int]:
    """How the child ended, packed as `END`, and the descriptor of the memory with its answer.

    Raises:
        TimeoutError: there was no answer in time.
        OSError: the server ended, and another one, too.
    """
    for _ in range(_TRIES):
        connection = _connected()
        answer = os.memfd_create("answer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            end = connection.ask(request, (file.fileno(), answer), wait)
            if len(end) == END.size:
                kept, answer = answer, -1
                return end, kept
        finally:
            if answer >= 0:
                os.close(answer)
        _forget(connection)
    raise ConnectionResetError("it ended twice")


class _Connection:
    """A server, and the socket that leads to it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone
                env=os.environ | _settings(),
            )

    def ask(self, request: bytes, descriptors: tuple[int, ...], wait: float) -> bytes:
        """Send a request, and wait for how its child ended; empty if the server ended.

        After a timeout or another exception the child is ended.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            ours.settimeout(wait)
            with theirs:
                try:
                    socket.send_fds(self._socket, [request], [*descriptors, theirs.fileno()])
                except (BrokenPipeError, ConnectionResetError):
                    return b""
            try:
                return ours.recv(END.size)
            except ConnectionResetError:
                return b""

    def end(self) -> None:
        """End the server, and its children with it; who still asks is told that it has ended."""
        self._process.kill()
        self._process.wait()

    def __del__(self) -> None:
        self._socket.close()  # not before: a thread that still asks would use another file

    def leave(self) -> None:
        """Forget a server that is the parent's, in a process that was forked from the parent."""
        self._socket.close()
        self._process.returncode = 0


def _settings() -> dict[str, str]:
    """Environment of a server."""
    tunables = [one for one in (os.environ.get("GLIBC_TUNABLES"), _TUNABLES) if one]
    return {
        "GLIBC_TUNABLES": ":".join(tunables),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


_lock = threading.Lock()
_connection: _Connection | None = None
_is_ended = False
"""Whether no server is to be started any more."""


def _connected() -> _Connection:
    """The server of this process, started when it is first needed."""
    global _connection
    with _lock:
        if _is_ended:
            raise ConnectionAbortedError("the program is being ended")
        if _connection is None:
            _connection = _Connection()
        return _connection


def _forget(connection: _Connection) -> None:
    """End a server that does not answer."""
    global _connection
    with _lock:
        if _connection is connection:
            _connection = None
            connection.end()


def _leave_after_fork() -> None:
    global _lock, _connection
    _lock = threading.Lock()
    if _connection is not None:
        _connection.leave()
        _connection = None


def _end_at_exit() -> None:
    if _connection is not None:
        _forget(_connection)


if IS_POSSIBLE:
    os.register_at_fork(after_in_child=_leave_after_fork)
    atexit.register(_end_at_exit)
