"""Keep Pillow's warnings from the user while files are read and written.

Pillow warns about damaged EXIF and the like, which we ignore and which is no news to a user.
Python's warning filters are global, so threads that each saved and restored them would undo one
another's work: the first to come saves them, the last to go restores them.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Quiet:
    """A context manager that several threads may be in at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._saved.__exit__(None, None, None)


quiet_pillow = _Quiet()
"""``with quiet_pillow():`` ignores warnings in every thread until the last one leaves."""
