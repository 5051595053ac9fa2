"""Memory of the process: keeps glibc from handing it back all the time, and measures its peak."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Self

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_GIBIBYTE = 2**30


def keep_freed_memory() -> None:
    """Asks malloc to reuse freed memory instead of unmapping it.

    Otherwise convolutions over large batches spend about half of their time in page faults. Use it
    for long jobs only: the process keeps its peak memory. Without glibc it does nothing.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, _GIBIBYTE)


class PeakMemory:
    """Measures how much memory the code inside a `with` takes at its peak (Linux with glibc).

    Attributes:
        peak: bytes above what the process had before; None where it cannot be measured.
    """

    peak: int | None = None

    def __enter__(self) -> Self:
        trim = _glibc("malloc_trim")
        try:
            if trim is not None:
                trim(0)  # else freed memory would be used again and not be seen
                Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            self._before = _bytes_of("VmRSS") if trim is not None else None
        except OSError:
            self._before = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            self.peak = max(0, _bytes_of("VmHWM") - self._before)


def _bytes_of(name: str) -> int:
    """A line of the process's status (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition(f"{name}:")[2].split()[0])


def _glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library, or None if it has none of this name."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
