"""Silences Pillow, tifffile and imagecodecs while files are read and written.

They warn about damaged EXIF and the like, which does not matter to the user, and about damaged
pixels, which our errors report. Python's warning filters and the settings of the libraries are
global. Threads that each saved and restored them would undo one another's work, so the first thread
that enters saves them and the last one that leaves restores them.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


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
                for name in ("PIL", "tifffile", "imagecodecs"):
                    library, nowhere = logging.getLogger(name), logging.NullHandler()
                    library.addHandler(nowhere)  # without a handler errors go to stderr
                    self._restore.callback(library.removeHandler, nowhere)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._restore.close()


silent_codecs = _Silence()
"""``with silent_codecs():`` ignores warnings in every thread until the last one leaves."""
