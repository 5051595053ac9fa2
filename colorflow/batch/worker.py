"""A process that colors: `main`, started by `crew.py` in an interpreter of its own.

It reads tasks from its stdin and writes records to its stdout, pickled. When its stdin ends, its
parent is gone, and it ends at once, whatever it has in hand. A process for each worker, rather than
a thread, so that a picture that crashes a decoder or eats all memory costs that picture and nothing
else.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from colorflow.batch.record import Record
from colorflow.batch.remote import color_anywhere
from colorflow.batch.settings import Settings
from colorflow.errors import BatchError, ColorflowError

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a worker is told first.

    Attributes:
        weights: file; None for the shipped ones.
        device: where to compute.
        threads: that handle pixels at full resolution; the model has one.
        settings: of all photos.
    """

    weights: Path | None
    device: str
    threads: int
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What a worker answers.

    Attributes:
        takes_hints: whether its weights take color hints.
    """

    takes_hints: bool


def main() -> None:
    """Serves until there is nothing to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    with os.fdopen(os.dup(0), "rb") as tasks, io.FileIO(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what libraries print must not get among the answers
        given: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=_receive, args=(tasks, given), daemon=True).start()
        with suppress(BrokenPipeError):  # the parent is gone
            _serve(given, answers)


def _receive(tasks: BinaryIO, given: SimpleQueue[Any]) -> None:
    """Takes what the parent sends, and ends the process when there is no parent any more."""
    with suppress(EOFError, OSError):
        while True:
            given.put(pickle.load(tasks))
    os._exit(1)  # what is being written is not finished; nobody waits for it


def _serve(given: SimpleQueue[Any], answers: io.FileIO) -> None:
    def answer(value: Ready | Record | ColorflowError) -> None:
        unsent = memoryview(pickle.dumps(value))
        while unsent:
            unsent = unsent[answers.write(unsent) :]

    start: Start = given.get()
    try:
        colorizer = loaded(start)
    except ColorflowError as error:
        answer(error)
        return
    answer(Ready(takes_hints=colorizer.takes_hints))
    while True:
        answer(color_anywhere(colorizer, given.get(), start.settings))


def loaded(start: Start) -> Colorizer:
    """A Colorizer as it was asked for.

    Raises:
        ColorflowError: if the weights cannot be loaded, or the device is not there.
    """
    import cv2
    import torch

    from colorflow.colorizer import Colorizer

    cv2.setNumThreads(start.threads)
    try:
        torch.empty(1, device=start.device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: a build without CUDA
        detail = str(error).split("\n")[0]
        raise BatchError(
            f"--device {start.device}: cannot be computed on here ({detail})"
        ) from error
    return Colorizer.load(start.weights, device=start.device)
