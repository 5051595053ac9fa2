"""Every error that colorflow raises on purpose.

    ColorflowError
    ├── PhotoError            a file that should be a photo
    │   ├── UnreadablePhotoError   missing, empty, truncated, or not an image
    │   ├── PhotoTooLargeError     more pixels than the limit
    │   └── WritePhotoError        the result could not be written
    ├── WeightsError          a weights file that is missing, foreign or does not fit
    ├── OptionError           an option of a command whose value does not fit
    │   └── DeviceError            a device to compute on that is not there
    ├── PackError             a training pack that is missing, foreign or damaged
    ├── TrainingError         a run that cannot start or go on
    ├── BatchError            a batch of photos that cannot start or go on
    └── EvaluationError       nothing to measure, or the result cannot be written

The message is one sentence for a person: what happened, to which file, and what to do. The command
line prints it and exits with 1, or with 2 for an option; the page shows it. `ValueError` stays for
wrong arguments in code.

Messages name files, and a name may contain what a terminal takes for commands. `printable` escapes
it, in every message and in every line that a command prints about a file.
"""

from __future__ import annotations

import unicodedata
from os import PathLike


class ColorflowError(Exception):
    """Base of all errors that are meant for a person to read.

    Args:
        message: one sentence; what is not `printable` in it is escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class PhotoError(ColorflowError):
    """Something about one photo file.

    Args:
        source: the file's path, or a name such as ``<image>`` for a picture from memory.
        reason: what is wrong and what to do, without the file's name.
    """

    def __init__(self, source: str | PathLike[str], reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = str(source)
        self.reason = printable(reason)


class UnreadablePhotoError(PhotoError):
    """The file is missing, empty, truncated, or not a picture."""


class PhotoTooLargeError(PhotoError):
    """The picture has more pixels than the limit."""


class WritePhotoError(PhotoError):
    """The result could not be written; nothing is left half-written."""


class WeightsError(ColorflowError):
    """A weights file that is missing, not ours, or whose header and tensors do not fit."""


class OptionError(ColorflowError):
    """An option of a command has a value that does not fit what it is used with."""


class DeviceError(OptionError):
    """A device to compute on that is not there."""


class PackError(ColorflowError):
    """A training pack that is missing, not ours, or damaged."""


class TrainingError(ColorflowError):
    """A training run that cannot start or go on."""


class BatchError(ColorflowError):
    """A batch of photos that cannot start or go on."""


class EvaluationError(ColorflowError):
    """An evaluation without photos, without its judge, or whose result cannot be written."""


def printable(text: str) -> str:
    """A text on one line, with control characters, and bytes that are no UTF-8, escaped."""
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else escaped(c) for c in text
    )


def escaped(character: str) -> str:
    """A character as its code, such as ``\\u5199``."""
    return character.encode("unicode_escape").decode("ascii")
