"""Reads files from outside in a process of their own, with limits of memory and time.

Decoders of pictures have faults, and there are files that make them crash, hang, or take all
memory. Here such a file costs the process that reads it, and becomes a PhotoError. See
`reader` for that process. It is no prison: who gains control of a decoder has the rights of this
user.

The answer of a process that decodes hostile data is data itself: what it says is checked, and
nothing is unpickled.

    JSON        {"error": [class, reason]}, or a header, or a photo; ends with a zero
    arrays      of a photo, from `arrays_at` on, in the order and of the shapes that the JSON says

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
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import IO, Any, TypeVar

import numpy as np

from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError, printable
from colorflow.photo.exif import DAMAGE
from colorflow.photo.metadata import Metadata
from colorflow.photo.photo import Header, Photo
from colorflow.photo.sixteen_bits import to_8_bits

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
_MARGIN = 10
"""Seconds that the server may take for itself."""
LARGEST_TEXT = 4 << 20
"""Bytes of the JSON: the texts of a file, see `metadata`, escaped."""
ARRAYS = {"pixels16": np.uint16, "pixels": np.uint8, "alpha": np.uint8}
"""In their order in an answer, in which each has a place that its type needs."""
LARGEST_MESSAGE = 4096
"""Bytes."""
_ALIGNMENT = 64
_LONGEST_REASON = 500
_BROKE = "the reader of this kind of file broke on it; save it as JPEG, PNG or TIFF"

_TUNABLES = "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"
"""Each further arena of the C library reserves 64 MB of the limited address space. With large pages
the first touch of memory, which is new in each child, takes a fraction of the time."""
_SERVER = "from sys import argv; from colorflow.photo.reader import serve; serve(int(argv[1]))"

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
    file = os.fdopen(os.memfd_create("content", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    file.write(content)
    file.flush()
    return file


def seconds_for(pixels: int) -> int:
    """Seconds of the processor that a picture may take."""
    millions = pixels / 1e6
    seconds = max(FIXED_SECONDS + MEGAPIXEL_SECONDS * millions, LARGE_SECONDS * millions)
    return math.ceil(min(seconds, MOST_SECONDS))


def arrays_at(text: bytes) -> int:
    """Where the arrays begin behind the JSON, in bytes: a multiple of 64."""
    return -(-(len(text) + 1) // _ALIGNMENT) * _ALIGNMENT


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
    with _lock:
        _is_ended = True
        if _server is not None:
            _server.end()


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
    wait = PATIENCE * (seconds_for(0) + seconds_for(request["max_pixels"])) + _MARGIN
    with file_of(b"") as memory:
        try:
            code = _running().ask(message, (file.fileno(), memory.fileno()), wait)
        except TimeoutError as error:
            raise UnreadablePhotoError(source, "reading it took too long") from error
        except OSError as error:
            reason = f"it could not be read, since the process that reads photos failed ({error})"
            raise UnreadablePhotoError(source, f"{reason}; try again") from error
        _check(code, source)
        try:
            return made_of(*_parts_of(memory, source))
        except DAMAGE as error:
            raise UnreadablePhotoError(source, _BROKE) from error


def _check(code: str, source: str) -> None:
    """Raise a PhotoError if a child did not come to its end, by its exit code."""
    reasons = {
        str(-signal.SIGXCPU): "reading it takes too many seconds; save it as JPEG or PNG",
        str(-signal.SIGALRM): "reading it takes too long while the machine is so busy; "
        "try again later",
        str(-signal.SIGKILL): "the process that read it was killed, perhaps for memory",
    }
    if code in reasons:
        raise PhotoTooLargeError(source, reasons[code])
    if code != "0":
        raise UnreadablePhotoError(source, _BROKE)


def _parts_of(memory: IO[bytes], source: str) -> tuple[dict[str, Any], memoryview]:
    """The JSON of an answer, and what follows; from now on nobody can change it.

    Raises:
        PhotoError: it is that of an error.
        Exception: one of `DAMAGE`, if it makes no sense.
    """
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE)
    answer = mmap.mmap(memory.fileno(), 0, access=mmap.ACCESS_COPY)
    text, _, _ = answer[:LARGEST_TEXT].partition(b"\0")
    content: dict[str, Any] = json.loads(text)
    if "error" in content:
        kind, reason = content["error"]
        is_large = kind == PhotoTooLargeError.__name__
        raise (PhotoTooLargeError if is_large else UnreadablePhotoError)(source, _bounded(reason))
    return content, memoryview(answer)[arrays_at(text) :]


def _photo_of(source: str, content: dict[str, Any], memory: memoryview) -> Photo:
    """The photo in an answer; its arrays are the memory itself; raises as `_parts_of`."""
    arrays, place = {}, 0
    for name, shape in content["arrays"]:
        arrays[name] = np.ndarray(shape, ARRAYS[name], memory, place)
        place += arrays[name].nbytes
    if "pixels16" in arrays:
        arrays["pixels"] = to_8_bits(arrays["pixels16"])
    format_, exif, dpi = content["format"], content["exif"], content["dpi"]
    metadata = Metadata(
        format=None if format_ is None else str(format_),
        exif=None if exif is None else exif.encode("latin-1"),
        dpi=None if dpi is None else (float(dpi[0]), float(dpi[1])),
        text={str(keyword): str(value) for keyword, value in content["text"].items()},
        stated=str(content["stated"]),
    )
    remarks = tuple(map(_bounded, content["remarks"]))
    return Photo(**arrays, metadata=metadata, source=source, remarks=remarks)


def _header_of(most: int, content: dict[str, Any], _: memoryview) -> Header:
    """The header in an answer; raises as `_parts_of`."""
    pixels = content["pixels"]
    if type(pixels) is not int or not 0 < pixels <= most:
        raise ValueError("expected a number of pixels")
    return Header(pixels, str(content["stated"]))


def _bounded(text: object) -> str:
    """A sentence of the other side."""
    return printable(str(text)[:_LONGEST_REASON])


class _Server:
    """A process that forks children which read, and the socket that leads to it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tunables = ":".join(filter(None, (os.environ.get("GLIBC_TUNABLES"), _TUNABLES)))
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries print about damaged files
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone
                env=os.environ
                | {"GLIBC_TUNABLES": tunables, "PYTHONPATH": os.pathsep.join(sys.path)}
                | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            )

    def ask(self, request: bytes, files: tuple[int, int], wait: float) -> str:
        """Send a request, and wait for the exit code of its child.

        Raises:
            TimeoutError: after so many seconds.
            OSError: the server has ended.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, suppress(BrokenPipeError, ConnectionResetError):
            ours.settimeout(wait)
            with theirs:
                socket.send_fds(self._socket, [request], [*files, theirs.fileno()])
            if code := ours.recv(LARGEST_MESSAGE):
                return code.decode("ascii", "replace")
        self.end()  # so that the next file gets another one
        raise ConnectionAbortedError("it has ended")

    def end(self) -> None:
        """End the server, and its children with it; who still asks is told that it has ended."""
        self.process.kill()
        self.process.wait()

    def __del__(self) -> None:
        self._socket.close()  # not before: a thread that still asks would use another file


_lock = threading.Lock()
_server: _Server | None = None
_is_ended = False
"""Whether no server is to be started any more."""


def _running() -> _Server:
    """The server of this process, started when it is first needed, and after its end."""
    global _server
    with _lock:
        if _is_ended:
            raise ConnectionAbortedError("the program is being ended")
        if _server is None or _server.process.poll() is not None:  # also that of another process
            _server = _Server()
        return _server


if IS_POSSIBLE:
    atexit.register(end_reader)
