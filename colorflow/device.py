"""Where to compute, with how many threads, and how memory is kept.

Importing this module does not load PyTorch.

The model of colors computes with one thread, and gives back afterwards what was set before. It
makes thousands of small calls. Several threads of PyTorch, or of OpenBLAS, which multiplies NumPy's
matrices, wait for each other after every call, and busily. On a machine that has other work, too,
this takes ten times as long as one thread (docs/performance.md).

The number of threads of either library is not only the caller's:

- PyTorch's belongs to a thread, but whoever sets it also sets it for the threads that begin later.
- OpenBLAS's belongs to the process. The first thread that enters sets it, and the last one that
  leaves gives it back; in between the caller's other threads, too, multiply with one. threadpoolctl
  3.6 sets it by a function of OpenBLAS that several threads at once cannot rely on.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy.linalg._umath_linalg as numpy_linalg

from colorflow.errors import DeviceError

if TYPE_CHECKING:
    import torch

_OPENBLAS_NAMES = (
    "scipy_openblas_{}_num_threads64_",  # in NumPy's wheels
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",  # of a system's own build
)
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_GIBIBYTE = 2**30


def device_of(name: str) -> torch.device:
    """The device of a name.

    Args:
        name: ``auto`` for the best device that is there, or one of PyTorch's by name, such as
            ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        DeviceError: if nothing can be computed there.
    """
    import torch

    try:
        device = torch.device(best_device() if name == "auto" else name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: a build without CUDA
        missing = (
            "this machine has no such CUDA GPU that PyTorch can use"
            if name.startswith("cuda")
            else "PyTorch has no such device here"
        )
        raise DeviceError(f"{name}: {missing}; choose cpu, or auto for the best one") from error
    return device


def best_device() -> str:
    """A CUDA GPU if there is one, otherwise the CPU; Apple's GPUs lack the float64 of hints."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself.

    A CPU that does not imitates it, and a convolution takes twenty times as long as in float32.
    """
    import torch

    if device.type != "cpu":
        return True
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def keep_freed_memory() -> None:
    """Asks malloc to reuse freed memory instead of unmapping it.

    Otherwise convolutions over large batches spend about half of their time in page faults. Use it
    for long jobs only: the process keeps its peak memory. Without glibc it does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, _GIBIBYTE)


@contextmanager
def one_thread() -> Iterator[None]:
    """Computes with one thread of PyTorch and of NumPy; also decorates functions, not generators.

    Other threads of the process keep PyTorch's setting. Inside itself it does nothing.
    """
    import torch

    with _torch_lock:  # otherwise a new thread may see what another one sets for a moment
        before = torch.get_num_threads()
    with one_blas_thread():
        if before == 1:
            yield
            return
        try:
            _set_own_threads(1)
            yield
        finally:
            _set_own_threads(before)


class Shared:
    """A context manager that several threads may enter at once; it also decorates functions.

    Settings that belong to the process cannot be saved and restored by each thread, which would
    undo one another's work. So the first thread that enters makes the setting, and the last one
    that leaves gives it back.

    Args:
        setting: what is entered and left.
    """

    def __init__(self, setting: Callable[[], AbstractContextManager[None]]) -> None:
        self._setting = setting
        self._lock = threading.Lock()
        self._inside = 0
        self._undo = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._undo.enter_context(self._setting())
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._undo.close()


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    get, set_to = _openblas() or (lambda: 1, lambda _: None)
    before = get()
    if before != 1:
        set_to(1)
    yield
    if before != 1:
        set_to(before)


one_blas_thread = Shared(_one_blas_thread)
"""``with one_blas_thread():`` NumPy multiplies with one thread until the last one leaves."""

_torch_lock = threading.Lock()


def _set_own_threads(number: int) -> None:
    """Sets PyTorch's number of this thread, and not of those that begin later.

    A new thread has, and sets, what threads begin with.
    """
    import torch

    with _torch_lock, ThreadPoolExecutor(1) as new:
        usual = new.submit(torch.get_num_threads).result()
        torch.set_num_threads(number)
        new.submit(torch.set_num_threads, usual).result()


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """How to get and set OpenBLAS's number of threads; None if NumPy has another library."""
    library = ctypes.CDLL(numpy_linalg.__file__)
    for name in _OPENBLAS_NAMES:
        if hasattr(library, name.format("set")):
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None
