"""How many threads compute: one for the model of colors, and afterwards as many as before.

The model of colors makes thousands of small calls. Several threads of PyTorch, or of OpenBLAS,
which multiplies NumPy's matrices, wait for each other after every call, and busily. On a machine
that has other work, too, this takes ten times as long as one thread (docs/performance.md).

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

import numpy.linalg._umath_linalg as numpy_linalg

_OPENBLAS_NAMES = (
    "scipy_openblas_{}_num_threads64_",  # in NumPy's wheels
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",  # of a system's own build
)


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
