"""The process that reads files from outside: a child for each file, with limits.

`isolated` starts one server for a process and sends it, for each file, what to read, the open file,
memory for the answer, and a socket. The server forks a child. The child limits its memory, first to
what a header needs, then to what a picture of that size needs, and its seconds likewise; reads;
writes the answer, see `isolated`; and says so by the socket. If it ends otherwise, the server says
how. When the server's own parent is gone, it ends, and the children end with it.

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
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from colorflow.errors import PhotoError
from colorflow.photo.decode import read_open, read_open_header
from colorflow.photo.formats import MOST_BYTES
from colorflow.photo.isolated import (
    LARGEST_TEXT,
    LENGTH_BYTES,
    PATIENCE,
    STATUS_BYTES,
    TOO_LITTLE_MEMORY,
    TOO_SMALL_FILES,
    aligned,
    seconds_for,
)
from colorflow.photo.photo import Photo

LARGEST_REQUEST = 4096
"""Bytes."""
FIXED_BYTES = 128 << 20
"""Memory for whatever does not depend on the size of the picture."""
LARGEST_FILE = 500_000_000
"""Bytes of a file that may be in memory twice as they are stored, where the pixels take less."""
BYTES_A_PIXEL = 10
"""Of the arrays at most: 8 and 16 bits of RGB, and alpha."""
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
    """Fork a child for each request, and tell how it ended, until nobody can send any more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    server, size = os.getpid(), pages * resource.getpagesize()
    children: dict[int, tuple[int, socket.socket]] = {}  # process and asker, by pidfd
    events = select.poll()
    events.register(requests, select.POLLIN)
    while True:
        for ready, _ in events.poll():
            if ready in children:
                child, asker = children.pop(ready)
                events.unregister(ready)
                os.close(ready)
                with asker:
                    _tell(asker, os.waitpid(child, 0)[1])
                continue
            message, descriptors, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 3)
            if not message:
                return
            child = os.fork()
            if child == 0:
                _be_a_child(json.loads(message), descriptors, server, size)
            *files, asker_descriptor = descriptors
            for descriptor in files:
                os.close(descriptor)
            ended = os.pidfd_open(child)
            children[ended] = child, socket.socket(fileno=asker_descriptor)
            events.register(ended, select.POLLIN)


def _tell(asker: socket.socket, status: int) -> None:
    """Tell a child's exit status, unless nobody waits for it."""
    with suppress(OSError):
        asker.send(status.to_bytes(STATUS_BYTES, sys.byteorder))


def _be_a_child(
    request: Mapping[str, Any], descriptors: Sequence[int], server: int, size: int
) -> None:
    """Read the file, and end this process.

    Args:
        request: what to read, the largest number of pixels, and the page.
        descriptors: of the file, of memory for the answer, and of the socket of who asks.
        server: the process that this one ends with.
        size: of its address space, in bytes.
    """
    code = 1
    try:
        _end_with(server)
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
        _tell(socket.socket(fileno=asker), 0)  # its end takes a while: much memory is given back
        code = 0
    except MemoryError:
        code = TOO_LITTLE_MEMORY
    except OSError as error:
        code = TOO_SMALL_FILES if error.errno == errno.EFBIG else code
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Have this process killed when its parent ends."""
    ctypes.CDLL(None).prctl(_KILL_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


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
        if request["what"] == "photo":
            write_photo(answer, read_open(file, "", most, limits.allow, request["page"]))
        else:
            _write(answer, read_open_header(file, "", most, limits.allow)._asdict())
    except PhotoError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError from error
        _write(answer, {"error": [type(error).__name__, error.reason]})


def write_photo(descriptor: int, photo: Photo) -> None:
    """Write the answer of a photo into an empty file."""
    metadata = photo.metadata
    found = {"pixels": photo.pixels, "pixels16": photo.pixels16, "alpha": photo.alpha}
    arrays = {name: array for name, array in found.items() if array is not None}
    places, end = {}, 0
    for name, array in arrays.items():
        places[name] = [list(array.shape), end]
        end += aligned(array.nbytes)
    content = {
        "arrays": places,
        "format": metadata.format,
        "exif": None if metadata.exif is None else metadata.exif.decode("latin-1"),
        "dpi": metadata.dpi,
        "text": dict(metadata.text),
        "stated": metadata.stated,
        "remarks": photo.remarks,
    }
    _write(descriptor, content, list(arrays.values()))


def _write(
    descriptor: int, content: Mapping[str, object], arrays: Sequence[np.ndarray] = ()
) -> None:
    """Write an answer into an empty file, see `isolated`."""
    text = json.dumps(content).encode()
    if len(text) > LARGEST_TEXT:
        raise OSError("its texts are too long")
    start = aligned(LENGTH_BYTES + len(text))
    with open(descriptor, "wb", closefd=False) as file:
        file.write((len(text).to_bytes(LENGTH_BYTES, sys.byteorder) + text).ljust(start, b"\0"))
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)
            file.write(bytes(aligned(array.nbytes) - array.nbytes))
