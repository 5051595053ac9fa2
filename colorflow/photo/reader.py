"""The process that reads files from outside: a child for each file, with limits.

`isolated` starts one server for a process and sends it, for each file, what to read, the open file,
memory for the answer, and a socket. The server forks a child. The child limits its memory and its
seconds, first to what a header needs, then to what a picture of that size needs; reads; and writes
the answer, see `isolated`. The server tells its exit code by the socket. When the server's own
parent is gone, it ends, and the children end with it.

A child is forked from a process that has read nothing, so its memory holds no other file's pixels.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from colorflow.errors import PhotoError
from colorflow.photo.decode import read_open, read_open_header
from colorflow.photo.formats import Allow, photo_errors
from colorflow.photo.isolated import (
    ARRAYS,
    LARGEST_MESSAGE,
    LARGEST_TEXT,
    PATIENCE,
    arrays_at,
    seconds_for,
)
from colorflow.photo.photo import Header, Photo

FIXED_BYTES = 128 << 20
"""Memory for whatever does not depend on the size of the picture."""
MOST_BYTES = 1_700_000_000
"""Memory for the pixels of any picture and for whatever it takes to read them. With the 0.6 GB of a
worker and of this server, it stays under 2.5 GB."""
LARGEST_FILE = 500_000_000
"""Bytes of a file that may be in memory twice as they are stored, where the pixels take less."""
_THREADS = 4
"""Of the decoders of AVIF and HEIC; each has a stack in the limited address space."""
_KILL_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def serve(control: int) -> None:
    """Fork a child for each request, and tell how it ended, until nobody can send any more.

    Args:
        control: descriptor of the socket that requests come from.
    """
    _load_readers()
    gc.freeze()
    server = os.getpid()
    askers: dict[int, socket.socket] = {}  # by the pidfd of their child
    events = select.poll()
    events.register(control, select.POLLIN)
    with socket.socket(fileno=control) as requests:
        while True:
            for ready, _ in events.poll():
                if ready != control:
                    events.unregister(ready)
                    _tell(askers.pop(ready), ready)
                    continue
                message, descriptors, _, _ = socket.recv_fds(requests, LARGEST_MESSAGE, 3)
                if not message:
                    return
                child = os.fork()
                if child == 0:
                    _be_a_child(json.loads(message), descriptors, server)
                *files, asker = descriptors
                for descriptor in files:
                    os.close(descriptor)
                ended = os.pidfd_open(child)
                askers[ended] = socket.socket(fileno=asker)
                events.register(ended, select.POLLIN)


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


def _tell(asker: socket.socket, ended: int) -> None:
    """Tell the exit code of a child by its pidfd: negative, if a signal ended it."""
    status = os.waitid(os.P_PIDFD, ended, os.WEXITED)
    assert status is not None  # only without waiting
    os.close(ended)
    code = status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
    with asker, suppress(OSError):  # nobody waits for it any more
        asker.send(str(code).encode())


def _be_a_child(request: dict[str, Any], descriptors: Sequence[int], server: int) -> None:
    """Read the file, and end this process.

    Args:
        request: what to read, the largest number of pixels, and the page.
        descriptors: of the file, of memory for the answer, and of the socket of who asks.
        server: the process that this one ends with.
    """
    code = 1
    try:
        ctypes.CDLL(None).prctl(_KILL_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        photo, answer, asker = descriptors
        allow = _limits(os.fstat(photo).st_size)
        if os.getppid() == server:
            with open("photo", "rb", opener=lambda *_: photo) as file:  # tifffile needs a name
                file.seek(0)
                _answer(request, file, answer, allow)
            socket.socket(fileno=asker).send(b"0")  # before much memory is given back
            code = 0
    finally:
        os._exit(code)


def _limits(file_size: int) -> Allow:
    """Limit this process to what a header needs; returns what allows it more.

    Args:
        file_size: in bytes.
    """
    fixed = _own_bytes() + FIXED_BYTES
    stored = 2 * min(file_size, LARGEST_FILE)

    def allow(pixels: int, pixel_bytes: int) -> None:
        for limit, value in (
            (resource.RLIMIT_AS, fixed + max(min(pixels * pixel_bytes, MOST_BYTES), stored)),
            (resource.RLIMIT_CPU, seconds_for(pixels)),
        ):
            _, most = resource.getrlimit(limit)
            inherited = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(limit, (inherited, most))
        signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds_for(pixels))

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    allow(0, 0)
    return allow


def _own_bytes() -> int:
    """Address space of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _answer(request: dict[str, Any], file: IO[bytes], answer: int, allow: Allow) -> None:
    read: Callable[..., Photo | Header]
    read = read_open if request.pop("what") == "photo" else read_open_header
    try:
        with photo_errors(""):
            _write_answer(answer, read(file, "", allow=allow, **request))
    except PhotoError as error:
        _write(answer, {"error": [type(error).__name__, error.reason]})


def _write_answer(descriptor: int, found: Photo | Header) -> None:
    """Write an answer into an empty file, see `isolated`.

    Raises:
        MemoryError: with the answer, which is memory, too, this process would exceed its limit.
    """
    if isinstance(found, Header):
        _write(descriptor, found._asdict())
        return
    arrays = {name: array for name in ARRAYS if (array := getattr(found, name)) is not None}
    if found.pixels16 is not None:
        del arrays["pixels"]  # they are made of the others
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if _own_bytes() + sum(array.nbytes for array in arrays.values()) > limit:
        raise MemoryError
    shapes = [(name, array.shape) for name, array in arrays.items()]
    content = {"arrays": shapes, "remarks": found.remarks, **asdict(found.metadata)}
    _write(descriptor, content, *arrays.values())


def _write(descriptor: int, content: dict[str, Any], *arrays: np.ndarray) -> None:
    text = json.dumps(content, default=lambda some_bytes: some_bytes.decode("latin-1")).encode()
    if len(text) >= LARGEST_TEXT:
        raise OSError("its texts are too long")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(text.ljust(arrays_at(text), b"\0"))
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)
