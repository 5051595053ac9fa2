"""The process that reads files from outside: a child for each file, with limits.

`isolated` starts one server for a process and sends it, for each file, what to read, the open file,
memory for the answer, and a socket. A keeper that the server has forked before takes the request,
and forks a child; meanwhile the server forks the next keeper. The child limits its memory, first to
what a header needs, then to what a picture of that size needs, and its seconds likewise; reads;
writes the `answer`; and says so by the socket. If it ends otherwise, its keeper says how. If nobody
waits for it any more, its keeper ends it. When the server's own parent is gone, it ends, the
keepers end with it, and the children with them.

A child is forked from a process that has read nothing, so its memory holds no other file's pixels.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import io
import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from colorflow.errors import PhotoError, PhotoTooLargeError
from colorflow.photo.answer import (
    BYTES_A_PIXEL,
    LARGEST_TEXT,
    PATIENCE,
    TOO_LITTLE_MEMORY,
    TOO_SMALL_FILES,
    end_of,
    seconds_for,
    write_answer,
    write_photo,
)
from colorflow.photo.decode import read_open, read_open_header
from colorflow.photo.formats import MOST_BYTES
from colorflow.photo.pages import read_open_pages

LARGEST_REQUEST = 4096
"""Bytes."""
FIXED_BYTES = 128 << 20
"""Memory for whatever does not depend on the size of the picture."""
LARGEST_FILE = 500_000_000
"""Bytes of a file that may be in memory twice as they are stored, where the pixels take less."""
_THREADS = 4
"""Of the decoders of AVIF and HEIC; each has a stack in the limited address space."""
_DESCRIPTORS = 16
"""Files that a child may open, for what the libraries import late."""
_KILL_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def serve(control: int) -> None:
    """Run the server until its parent is gone.

    Args:
        control: descriptor of the socket that requests come from.
    """
    _load_readers()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)  # libraries print about damaged files
    os.close(silence)
    gc.freeze()
    with socket.socket(fileno=control) as requests:
        _serve(requests)


def _load_readers() -> None:
    """Import what the readers import when they are first used."""
    import cv2
    import imagecodecs
    import pi_heif
    import tifffile  # noqa: F401
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = pi_heif.options.DECODE_THREADS = _THREADS
    cv2.setNumThreads(1)  # threads do not survive a fork
    for codec in ("cms", "deflate", "jpeg8", "lzw", "packbits", "png", "tiff", "zstd"):
        getattr(imagecodecs, f"{codec}_decode", None)


def _serve(requests: socket.socket) -> None:
    """Have one keeper wait for the next file, until the other end of the requests is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers end unnoticed
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    server, size = os.getpid(), pages * resource.getpagesize()
    while True:
        waits, taken = os.pipe()
        if os.fork() == 0:
            os.close(waits)
            _be_a_keeper(requests, taken, server, size)
        os.close(taken)
        if _first_of(requests.fileno(), waits) == requests.fileno():
            return
        os.close(waits)


def _be_a_keeper(requests: socket.socket, taken: int, server: int, size: int) -> None:
    """Wait for a request, have a child read the file, tell how that ended, and end this process.

    Args:
        requests: the socket that requests come from.
        taken: descriptor of a pipe; once it is closed, the server forks the next keeper.
        server: the process that this one ends with.
        size: of a child's address space before it reads, in bytes.
    """
    try:
        _end_with(server)
        message, descriptors, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 3)
        os.close(taken)
        if len(descriptors) != 3:
            return
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        keeper, child = os.getpid(), os.fork()
        if child == 0:
            _be_a_child(json.loads(message), descriptors, keeper, size)
        with socket.socket(fileno=descriptors[-1]) as asker:
            if _first_of(asker.fileno(), os.pidfd_open(child)) == asker.fileno():
                os.kill(child, signal.SIGKILL)  # nobody waits for it any more
            _, status, usage = os.wait4(child, 0)
            with suppress(OSError):  # nobody waits, or the child has told it
                asker.send(end_of(status, usage))
    finally:
        os._exit(0)


def _first_of(*descriptors: int) -> int:
    """Wait until the other side of one is closed, or its process ends."""
    events = select.poll()
    for descriptor in descriptors[:-1]:
        events.register(descriptor, 0)
    events.register(descriptors[-1])
    return min((one for one, _ in events.poll()), key=descriptors.index)


def _end_with(parent: int) -> None:
    """Have this process killed when its parent ends."""
    ctypes.CDLL(None).prctl(_KILL_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _be_a_child(
    request: Mapping[str, Any], descriptors: Sequence[int], keeper: int, size: int
) -> None:
    """Read the file, and end this process; takes what `_be_a_keeper` has."""
    code = 1
    try:
        _end_with(keeper)
        photo, answer, asker = descriptors
        first = 3
        for kept in sorted(descriptors):
            os.closerange(first, kept)
            first = kept + 1
        os.closerange(first, 1 << 20)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first + _DESCRIPTORS,) * 2)
        limits = _Limits(size, os.fstat(photo).st_size, request["max_pixels"])
        with open("photo", "rb", opener=lambda *_: photo) as file:  # tifffile needs a name
            file.seek(0)
            _answer(request, file, answer, limits)
        # Its end takes a while: much memory is given back.
        socket.socket(fileno=asker).send(end_of(0, resource.getrusage(resource.RUSAGE_SELF)))
        code = 0
    except MemoryError:
        code = TOO_LITTLE_MEMORY
    except OSError as error:
        code = TOO_SMALL_FILES if error.errno == errno.EFBIG else code
    finally:
        os._exit(code)


class _Limits:
    """Limits of this process: those of a header first, then those of a picture of some size."""

    def __init__(self, size: int, file_size: int, max_pixels: int) -> None:
        self._fixed = size + FIXED_BYTES
        self._stored = 2 * min(file_size, LARGEST_FILE)
        self._began = time.monotonic()
        self._most = max_pixels
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self.allow(0, 0)

    def allow(self, pixels: int, pixel_bytes: int) -> None:
        """Allow what a picture takes of so many pixels, and in memory that many bytes for each."""
        most = self._memory(self._most * MOST_BYTES)
        for limit, soft, hard in (
            (resource.RLIMIT_AS, self._memory(pixels * pixel_bytes), most),
            (resource.RLIMIT_CPU, seconds_for(pixels), seconds_for(self._most) + 1),
            (resource.RLIMIT_FSIZE, _answer_bytes(pixels), _answer_bytes(self._most)),
        ):
            _, inherited = resource.getrlimit(limit)
            if inherited != resource.RLIM_INFINITY:
                soft, hard = min(soft, inherited), min(hard, inherited)
            resource.setrlimit(limit, (soft, hard))
        seconds = PATIENCE * seconds_for(pixels) - (time.monotonic() - self._began)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1))

    def _memory(self, decoded: int) -> int:
        return self._fixed + max(decoded, self._stored)


def _answer_bytes(pixels: int) -> int:
    return 2 * LARGEST_TEXT + pixels * BYTES_A_PIXEL


def _answer(
    request: Mapping[str, Any], file: io.BufferedReader, answer: int, limits: _Limits
) -> None:
    most = request["max_pixels"]
    try:
        match request["what"]:
            case "photo":
                write_photo(answer, read_open(file, "", most, limits.allow, request["page"]))
            case "header":
                write_answer(answer, read_open_header(file, "", most, limits.allow)._asdict())
            case "pages":
                pages = read_open_pages(file, "", most, limits.allow, request["page"])
                write_answer(answer, {"pages": pages})
    except PhotoError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError from error
        kind = "PhotoTooLargeError" if isinstance(error, PhotoTooLargeError) else "PhotoError"
        os.ftruncate(answer, 0)
        os.lseek(answer, 0, os.SEEK_SET)
        write_answer(answer, {"error": [kind, error.reason]})
