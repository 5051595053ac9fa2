"""The process that reads files from outside: a child for each file, with limits.

`isolated` starts one server for a process and sends it, for each file, what to read, the open file,
memory for the answer, and a socket. A child that the server has forked before takes the request. It
limits its memory, first to what a header needs, then to what a picture of that size needs, and its
seconds likewise; reads; writes the `answer`; and says so by the socket. Meanwhile the server forks
the next child. If a child ends otherwise, the server says how. If nobody waits for a child any
more, the server ends it. When its own parent is gone, it ends, and the children end with it.

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
import struct
import time
from collections.abc import Mapping
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
_PID = struct.Struct("<i")
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
        _Server(requests).run()


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


class _Server:
    """Keeps a child that waits for a file, and tells how children end that could not tell it."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._taken, self._taker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._events = select.epoll()
        self._children: dict[int, int] = {}
        """Process by the descriptor that becomes readable when it ends."""
        self._askers: dict[int, socket.socket] = {}
        """Who waits for a process."""
        self._waited_for: dict[int, int] = {}
        """Process by the descriptor of who waits for it, unless that has left."""
        self._libc = ctypes.CDLL(None)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        self._size = pages * resource.getpagesize()

    def run(self) -> None:
        """Serve until the other end of the requests is closed; children end with this process."""
        self._events.register(self._requests, 0)
        self._events.register(self._taken, select.EPOLLIN)
        self._fork()
        while True:
            ready = {descriptor for descriptor, _ in self._events.poll()}
            if self._requests.fileno() in ready:
                return
            if self._taken.fileno() in ready:  # first: this child may have ended already
                ready.remove(self._taken.fileno())
                self._note_taken()
            for asker in ready & self._waited_for.keys():  # first: numbers may come again
                self._leave(asker)
            for end in ready & self._children.keys():
                self._finish(end)

    def _fork(self) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be_a_child(server)
        end = os.pidfd_open(pid)
        self._children[end] = pid
        self._events.register(end, select.EPOLLIN)

    def _note_taken(self) -> None:
        """Note who waits for a child that has taken a request, and fork the next one."""
        message, (asker, *_), _, _ = socket.recv_fds(self._taken, _PID.size, 1)
        (pid,) = _PID.unpack(message)
        self._askers[pid] = socket.socket(fileno=asker)
        self._waited_for[asker] = pid
        self._events.register(asker, 0)  # says when the other side is closed
        self._fork()

    def _leave(self, asker: int) -> None:
        """End a child for which nobody waits any more."""
        self._events.unregister(asker)
        os.kill(self._waited_for.pop(asker), signal.SIGKILL)

    def _finish(self, end: int) -> None:
        """Tell who waits for a child how it ended."""
        self._events.unregister(end)
        os.close(end)
        pid = self._children.pop(end)
        _, status, usage = os.wait4(pid, 0)
        asker = self._askers.pop(pid, None)
        if asker is None:  # it ended before it took a request
            self._fork()
            return
        with asker, suppress(OSError):  # nobody waits any more, or the child has told it
            if self._waited_for.pop(asker.fileno(), None):
                self._events.unregister(asker)
            asker.send(end_of(status, usage))

    def _be_a_child(self, server: int) -> None:
        """Wait for a request, read the file, and end this process."""
        code = 1
        try:
            self._libc.prctl(_KILL_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == server:
                code = self._serve_one()
        except MemoryError:
            code = TOO_LITTLE_MEMORY
        except OSError as error:
            code = TOO_SMALL_FILES if error.errno == errno.EFBIG else code
        finally:
            os._exit(code)

    def _serve_one(self) -> int:
        message, descriptors, _, _ = socket.recv_fds(self._requests, LARGEST_REQUEST, 3)
        if len(descriptors) != 3:
            return 0
        photo, answer, asker = descriptors
        socket.send_fds(self._taker, [_PID.pack(os.getpid())], [asker])
        first = 3
        for kept in sorted(descriptors):
            os.closerange(first, kept)
            first = kept + 1
        os.closerange(first, 1 << 20)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first + _DESCRIPTORS,) * 2)
        request = json.loads(message)
        limits = _Limits(self._size, os.fstat(photo).st_size, request["max_pixels"])
        with open("photo", "rb", opener=lambda *_: photo) as file:  # tifffile needs a name
            file.seek(0)
            _answer(request, file, answer, limits)
        socket.socket(fileno=asker).send(end_of(0, resource.getrusage(resource.RUSAGE_SELF)))
        return 0


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
