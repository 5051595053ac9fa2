"""The parent's side of the processes that color."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from pickle import UnpicklingError

from colorflow.batch.plan import Task
from colorflow.batch.record import Record
from colorflow.batch.worker import Ready, Start
from colorflow.errors import ColorflowError


class WorkerEndedError(Exception):
    """A worker's process is gone; the message says how it ended."""


class Worker:
    """One process, which loads the weights once and then colors photo after photo.

    It is in a session of its own, so that Ctrl-C in the terminal reaches the parent alone.

    Args:
        start: what it is told first.
    """

    def __init__(self, start: Start) -> None:
        # The model makes many small calls, which one thread does faster than several.
        own = {"OMP_NUM_THREADS": "1"}  # unless the user says otherwise
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from colorflow.batch.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=own | os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._ready: Ready | None = None
        with suppress(OSError):  # if it is gone already, the first answer is missing
            self._send(start)

    def ready(self) -> Ready:
        """Waits until the weights are loaded.

        Raises:
            ColorflowError: if they cannot be.
            WorkerEndedError: if the process ended.
        """
        if self._ready is None:
            answer = self._answer()
            if isinstance(answer, ColorflowError):
                raise answer
            assert isinstance(answer, Ready)
            self._ready = answer
        return self._ready

    def color(self, task: Task) -> Record:
        """Has one photo colored.

        Raises:
            ColorflowError: if the weights cannot be loaded.
            WorkerEndedError: if the process ended.
        """
        self.ready()
        try:
            self._send(task)
        except OSError as error:
            raise WorkerEndedError(self._how_it_ended()) from error
        record = self._answer()
        assert isinstance(record, Record)
        return record

    def end(self) -> None:
        """Ends the process at once, whatever it has in hand."""
        self._process.kill()  # before the pipes are closed, which waits for those who read
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # the process was gone before it had read everything
                pipe.close()

    def _send(self, value: Start | Task) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps(value))
        self._process.stdin.flush()

    def _answer(self) -> object:
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)
        except (EOFError, OSError, UnpicklingError, ValueError) as error:
            raise WorkerEndedError(self._how_it_ended()) from error

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        if code >= 0:
            return f"exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:  # a real-time signal has no name
            return f"signal {-code}"
        return f"{name}, perhaps out of memory" if -code == signal.SIGKILL else name
