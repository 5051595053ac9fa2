"""Reads files from outside in a process of their own, with limits of memory and time.

Decoders of pictures have faults, and there are files that make them crash, hang, or take all
memory. Here such a file costs the process that reads it, and becomes a PhotoError. See `reader` for
that process. It is no prison: who gains control of a decoder has the rights of this user.

The answer lies in memory that both share. That of a process that decodes hostile data is data
itself: JSON of bounded size, and arrays behind it, whose types, shapes and places are checked
before they are used. Nothing is unpickled.

    8 bytes     length of the JSON
    JSON        {"error": [class, reason]}, or a header, or a photo
    arrays      each at a multiple of 64 bytes; the JSON names shape and place

It works on Linux. Elsewhere files are read in this process, without limits.
"""

from __future__ import annotations

import atexit
import json
import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, Any, TypeVar

import numpy as np

from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo.exif import DAMAGE
from colorflow.photo.metadata import Metadata
from colorflow.photo.photo import Header, Photo

if sys.platform != "win32":
    import fcntl

IS_POSSIBLE = sys.platform == "linux" and hasattr(os, "memfd_create") and hasattr(os, "pidfd_open")
"""Whether this system has what it takes: fork, limits, and memory that is a file."""

FIXED_SECONDS, MEGAPIXEL_SECONDS = 5, 0.625
"""Of the processor: for whatever does not depend on the size of the picture, and for a million
pixels. The slowest honest files, JPEG 2000 of 16 bits without loss, take 0.8 (docs/reliability.md);
what is fixed helps the smaller ones."""
LARGE_SECONDS, MOST_SECONDS = 0.83, 90
"""For a million pixels of a picture that gets more so; and for any picture."""
PATIENCE = 4
"""Seconds by the clock for a second of the processor, since the machine may be busy."""
TOO_LITTLE_MEMORY, TOO_SMALL_FILES = 2, 3
"""Exit codes of a child with too little memory, or with more to answer than a file may hold."""
STATUS_BYTES = 4
"""Of a child's exit status, in the order of this machine."""
LARGEST_TEXT = 4 << 20
"""Bytes of the JSON: the texts of a file, see `metadata`, escaped."""
LENGTH_BYTES = 8

_TRIES = 2
"""How many servers may end over one file."""
_MARGIN = 10
"""Seconds that the server may take for itself."""
_TUNABLES = "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"
"""Each further arena of the C library reserves 64 MB of the limited address space. With large pages
the first touch of memory, which is new in each child, takes a fraction of the time."""
_SERVER = "from sys import argv; from colorflow.photo.reader import serve; serve(int(argv[1]))"
_ALIGNMENT = 64
_ARRAYS = {"pixels": np.uint8, "pixels16": np.uint16, "alpha": np.uint8}
_LONGEST_REASON = 500
_BROKE = "the reader of this kind of file broke on it; save it as JPEG, PNG or TIFF"

_Made = TypeVar("_Made")


def read_photo_in_child(
    file: IO[bytes], source: str, max_pixels: int, page: int | None = None
) -> Photo:
    """As `decode.read_open`, in a child."""
    request = {"what": "photo", "max_pixels": max_pixels, "page": page}
    return _ask(request, file, source, partial(_photo_of, source))


def read_header_in_child(file: IO[bytes], source: str, max_pixels: int) -> Header:
    """As `decode.read_open_header`, in a child."""
    request = {"what": "header", "max_pixels": max_pixels}
    return _ask(request, file, source, partial(_header_of, max_pixels))


def file_of(content: bytes) -> IO[bytes]:
    """An open file with some content, which a child can be given."""
    file = os.fdopen(os.memfd_create("content", os.MFD_CLOEXEC), "w+b")
    file.write(content)
    file.flush()
    return file


def seconds_for(pixels: int) -> int:
    """Seconds of the processor that a picture may take."""
    millions = pixels / 1e6
    seconds = max(FIXED_SECONDS + MEGAPIXEL_SECONDS * millions, LARGE_SECONDS * millions)
    return math.ceil(min(seconds, MOST_SECONDS))


def aligned(size: int) -> int:
    """The next place for an array, in bytes."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def start_reader() -> None:
    """Start the server, so that the first photo need not wait for it."""
    global _is_ended
    _is_ended = False
    if IS_POSSIBLE:
        with suppress(OSError):
            _running()


def end_reader() -> None:
    """End the server and all children at once; none is started again before `start_reader`.

    Each thread that reads is told so by an UnreadablePhotoError.
    """
    global _is_ended
    _is_ended = True
    if _server is not None:
        _forget(_server)


def _ask(
    request: dict[str, Any],
    file: IO[bytes],
    source: str,
    made_of: Callable[[dict[str, Any], memoryview], _Made],
) -> _Made:
    """Have a file read, and make something of the answer's JSON and of the arrays behind it.

    Raises:
        PhotoError: it cannot be read, or the limits do not suffice.
    """
    message = json.dumps(request).encode()
    wait = PATIENCE * seconds_for(request["max_pixels"]) + _MARGIN
    for _ in range(_TRIES):
        memory = os.memfd_create("answer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            server = _running()
            status = server.ask(message, (file.fileno(), memory), wait)
            if status is not None:
                _check(status, source)
                return _read(memory, source, made_of)
        except TimeoutError as error:
            raise UnreadablePhotoError(source, "reading it took too long") from error
        except OSError as error:
            reason = f"it could not be read, since the process that reads photos failed ({error})"
            raise UnreadablePhotoError(source, reason) from error
        finally:
            os.close(memory)
        _forget(server)
    raise UnreadablePhotoError(source, "the process that reads photos ended twice over it")


def _check(status: int, source: str) -> None:
    """Raise a PhotoError if a child did not come to its end."""
    reasons = {
        TOO_LITTLE_MEMORY: "reading it needs more memory than a picture of its size; "
        "save it as JPEG or PNG",
        TOO_SMALL_FILES: "it has more pixels than a file may have bytes here; "
        "raise that limit (ulimit -f)",
        -signal.SIGXCPU: "reading it takes too many seconds; save it as JPEG or PNG",
        -signal.SIGALRM: "reading it takes too long while the machine is so busy; try again later",
        -signal.SIGKILL: "the process that read it was killed, perhaps for memory",
    }
    code = os.waitstatus_to_exitcode(status)
    if code in reasons:
        raise PhotoTooLargeError(source, reasons[code])
    if code:
        raise UnreadablePhotoError(source, _BROKE)


def _read(
    descriptor: int, source: str, made_of: Callable[[dict[str, Any], memoryview], _Made]
) -> _Made:
    """Read an answer; from now on nobody can change its memory.

    Raises:
        PhotoError: it is that of an error, or makes no sense.
    """
    try:
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        memory = memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))
        end = LENGTH_BYTES + int.from_bytes(memory[:LENGTH_BYTES], sys.byteorder)
        if end > LENGTH_BYTES + LARGEST_TEXT:
            raise ValueError("the JSON is too long")
        content = json.loads(bytes(memory[LENGTH_BYTES:end]))
        if "error" not in content:
            return made_of(content, memory[aligned(end) :])
        kind, reason = content["error"]
        told = _in_one_line(reason)
    except DAMAGE as error:
        raise UnreadablePhotoError(source, _BROKE) from error
    too_large = kind == PhotoTooLargeError.__name__
    raise (PhotoTooLargeError if too_large else UnreadablePhotoError)(source, told)


def _photo_of(source: str, content: dict[str, Any], memory: memoryview) -> Photo:
    """The photo in an answer; its arrays are the memory itself.

    Raises:
        Exception: one of `DAMAGE`, if it makes no sense.
    """
    arrays = {
        name: _array(memory, _ARRAYS[name], shape, place)
        for name, (shape, place) in content["arrays"].items()
    }
    format_, exif, dpi = content["format"], content["exif"], content["dpi"]
    metadata = Metadata(
        format=None if format_ is None else str(format_),
        exif=None if exif is None else exif.encode("latin-1"),
        dpi=None if dpi is None else (float(dpi[0]), float(dpi[1])),
        text={str(keyword): str(value) for keyword, value in content["text"].items()},
        stated=str(content["stated"]),
    )
    remarks = tuple(map(_in_one_line, content["remarks"]))
    return Photo(**arrays, metadata=metadata, source=source, remarks=remarks)


def _array(memory: memoryview, dtype: type, shape: Sequence[int], place: int) -> np.ndarray:
    if not all(type(number) is int and number >= 0 for number in (place, *shape)):
        raise ValueError("expected sizes and a place")
    return np.frombuffer(memory, dtype, math.prod(shape), place).reshape(shape)


def _header_of(most: int, content: dict[str, Any], _: memoryview) -> Header:
    """The header in an answer; raises as `_photo_of`."""
    pixels = content["pixels"]
    if type(pixels) is not int or not 0 < pixels <= most:
        raise ValueError("expected a number of pixels")
    return Header(pixels, str(content["stated"]))


def _in_one_line(text: object) -> str:
    """A sentence of the other side, without line breaks and control characters."""
    words = " ".join(str(text).split())[:_LONGEST_REASON]
    return "".join(one for one in words if one.isprintable())


class _Server:
    """A process that forks children which read, and the socket that leads to it."""

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

    def ask(self, request: bytes, descriptors: tuple[int, int], wait: float) -> int | None:
        """Send a request, and wait for the exit status of its child; None if the server ended.

        Raises:
            TimeoutError: after so many seconds.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            ours.settimeout(wait)
            try:
                with theirs:
                    socket.send_fds(self._socket, [request], [*descriptors, theirs.fileno()])
                status = ours.recv(STATUS_BYTES)
            except (BrokenPipeError, ConnectionResetError):
                return None
        return int.from_bytes(status, sys.byteorder) if len(status) == STATUS_BYTES else None

    def end(self) -> None:
        """End the server, and its children with it; who still asks is told that it has ended."""
        self._process.kill()
        self._process.wait()

    def __del__(self) -> None:
        self._socket.close()  # not before: a thread that still asks would use another file


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
_server: _Server | None = None
_is_ended = False
"""Whether no server is to be started any more."""


def _running() -> _Server:
    """The server of this process, started when it is first needed."""
    global _server
    with _lock:
        if _is_ended:
            raise ConnectionAbortedError("the program is being ended")
        if _server is None:
            _server = _Server()
        return _server


def _forget(server: _Server) -> None:
    """End a server that does not answer, or that is no longer needed."""
    global _server
    with _lock:
        if _server is server:
            _server = None
            server.end()


if IS_POSSIBLE:
    atexit.register(end_reader)
