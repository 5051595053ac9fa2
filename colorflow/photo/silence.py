"""Silences Pillow, tifffile, libtiff and OpenCV while files are read and written.

They warn about damaged EXIF and the like, which does not matter to the user, and about damaged
pixels, which our errors report. Python's warning filters and the settings of the libraries are
global. Threads that each saved and restored them would undo one another's work, so the first thread
that enters saves them and the last one that leaves restores them.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from cv2.utils import logging as opencv
from PIL import _imaging


class _Silence:
    """A context manager that several threads may enter at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._restore = ExitStack()
                self._restore.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                for name in ("PIL", "tifffile"):
                    library, nowhere = logging.getLogger(name), logging.NullHandler()
                    library.addHandler(nowhere)  # without a handler errors go to stderr
                    self._restore.callback(library.removeHandler, nowhere)
                self._restore.callback(opencv.setLogLevel, opencv.getLogLevel())
                opencv.setLogLevel(opencv.LOG_LEVEL_SILENT)
                if set_handler := _libtiff_error_handler():
                    self._restore.callback(set_handler, set_handler(None))
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._restore.close()


def _libtiff_error_handler() -> Callable[[int | None], int | None] | None:
    """The function that sets the error handler of Pillow's libtiff and returns the previous one.

    None where the library cannot be reached because it is linked into Pillow; it then writes to
    stderr.
    """
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = (ctypes.c_void_p,), ctypes.c_void_p
    return function


silent_codecs = _Silence()
"""``with silent_codecs():`` ignores warnings in every thread until the last one leaves."""
