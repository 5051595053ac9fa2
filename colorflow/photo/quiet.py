"""Keep what Pillow, libtiff and OpenCV print from the user while files are read and written.

They warn about damaged EXIF and the like, which we ignore and which is no news to a user, and about
damaged pixels, which our errors tell. Python's warning filters and the libraries' settings are
global, so threads that each saved and restored them would undo one another's work: the first to
come saves them, the last to go restores them.
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


class _Quiet:
    """A context manager that several threads may be in at once."""

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
                pillow, nowhere = logging.getLogger("PIL"), logging.NullHandler()
                pillow.addHandler(nowhere)  # or errors go to stderr where nobody listens
                self._restore.callback(pillow.removeHandler, nowhere)
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
    """What sets the handler of Pillow's libtiff, which writes to stderr, and gives the former one.

    None where the library is not to be reached, as where it is linked into Pillow: then it writes.
    """
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = (ctypes.c_void_p,), ctypes.c_void_p
    return function


quiet_codecs = _Quiet()
"""``with quiet_codecs():`` ignores warnings in every thread until the last one leaves."""
