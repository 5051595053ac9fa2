"""The engine of this machine: works a plan off in worker processes.

Each worker is an interpreter of its own, so a picture that crashes a decoder or uses up all memory
costs that picture and nothing else. It reads pickled tasks from its stdin and writes pickled
outcomes to its stdout. When its stdin ends, its parent is gone, and it ends at once, in the middle
of a photo if need be.

Libraries for this were tried with the tests of killed processes, and failed: pebble 5.2 imports the
caller's script again, so a script without a main guard cannot start its workers, and a worker whose
parent was killed first finishes its photo; with loky 3.7 and mpire 2.10 one killed worker costs the
photos of all workers, and workers go on after their parent was killed.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, BinaryIO

from colorflow.batch.models import WorkerConfig, load_models
from colorflow.batch.one_photo import work_on
from colorflow.batch.plan import Plan
from colorflow.batch.pool import WorkerEndedError, run_plan
from colorflow.batch.task import PhotoOutcome, PhotoTask
from colorflow.errors import ColorflowError
from colorflow.worker import worker_process

Tell = Callable[[PhotoTask, str | None], None]
"""Takes what is done to a photo; None once it is not in hand any more."""
MOST_USUAL_WORKERS, MOST_USUAL_REPAIRING = 4, 2
"""Each takes about 0.5 GB, or 1 GB where it repairs, and more for large photos."""


def run(
    plan: Plan,
    *,
    weights: Mapping[str, Path | None] = MappingProxyType({}),
    device: str = "cpu",
    workers: int | None = 1,
    stop: threading.Event | None = None,
    tell: Tell = lambda task, step: None,
) -> Iterator[PhotoOutcome]:
    """Works a plan off in worker processes; yields an outcome for each input.

    The result for a photo depends on the photo and the settings alone, up to 1/255 in a pixel: not
    on the order, the number of workers, or other photos.

    Args:
        plan: from `make_plan`.
        weights: files by model, see `settings.py`; the shipped ones for those that are missing.
        device: where to compute.
        workers: processes at most, each with models of its own; None for `usual_workers`.
        stop: once it is set, no further photo is begun; the photos in hand are finished.
        tell: gets what is done to a photo, whenever that changes, and None at its end; called by
            the threads of all workers.

    Raises:
        ColorflowError: if the run cannot start or go on.
    """
    workers = usual_workers(device, repairs=plan.settings.repair) if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    size = min(workers, len(plan.tasks))
    config = WorkerConfig(
        weights=dict(weights),
        device=device,
        threads=max(1, usable_cores() // max(1, size)),
        settings=plan.settings,
    )
    yield from run_plan(plan, lambda _: WorkerProcess(config, tell), size, stop)


def usual_workers(device: str, *, repairs: bool = False) -> int:
    """The default number of workers: one a core on a CPU, limited by memory; one on a GPU.

    Small convolutions gain little from a second core, while photos side by side gain all of it.
    Those of repair are large, and take the cores that are left.
    """
    if device == "auto":
        from colorflow.device import best_device

        device = best_device()
    most = MOST_USUAL_REPAIRING if repairs else MOST_USUAL_WORKERS
    return min(usable_cores(), most) if device == "cpu" else 1


def usable_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerProcess:
    """The parent's side of one process, which loads the weights once for photo after photo."""

    def __init__(self, config: WorkerConfig, tell: Tell) -> None:
        self._tell = tell
        self._process = worker_process()
        with suppress(OSError):  # if it has ended already, its first answer is missing
            self._send(config)

    def ready(self) -> None:
        """Waits until the weights are loaded.

        Raises:
            ColorflowError: if they cannot be.
            WorkerEndedError: if the process ended.
        """
        if isinstance(answer := self._answer(), ColorflowError):
            raise answer

    def work(self, task: PhotoTask) -> PhotoOutcome:
        """Has one photo worked on, once it is ready.

        Raises:
            WorkerEndedError: if the process ended.
        """
        try:
            self._send(task)
        except OSError as error:
            raise WorkerEndedError(self._exit_reason()) from error
        try:
            while isinstance(answer := self._answer(), str):
                self._tell(task, answer)
        finally:
            self._tell(task, None)
        assert isinstance(answer, PhotoOutcome)
        return answer

    def end(self) -> None:
        """Kills the process, whatever it has in hand."""
        self._process.kill()  # before the pipes are closed, which waits for whoever reads them
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # the process ended before it had read everything
                pipe.close()

    def _send(self, value: WorkerConfig | PhotoTask) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps(value))
        self._process.stdin.flush()

    def _answer(self) -> object:
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)
        except (EOFError, OSError, UnpicklingError, ValueError) as error:
            raise WorkerEndedError(self._exit_reason()) from error

    def _exit_reason(self) -> str:
        code = self._process.wait()
        if code >= 0:
            return f"exit code {code}"
        name = signal.strsignal(-code) or str(-code)
        return f"{name}, perhaps out of memory" if -code == signal.SIGKILL else name


def serve() -> None:
    """The worker's side: loads the weights, then works until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    with os.fdopen(os.dup(0), "rb") as tasks, io.FileIO(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what libraries print must not get among the answers
        received: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=_receive, args=(tasks, received), daemon=True).start()
        with suppress(BrokenPipeError):  # the parent is gone
            _answer_all(received, answers)


def _receive(tasks: BinaryIO, received: SimpleQueue[Any]) -> None:
    """Takes what the parent sends, and ends this process when there is no parent any more."""
    with suppress(EOFError, OSError):
        while True:
            received.put(pickle.load(tasks))
    os._exit(1)  # a file that is being written stays hidden


def _answer_all(received: SimpleQueue[Any], answers: io.FileIO) -> None:
    def answer(value: PhotoOutcome | ColorflowError | str | None) -> None:
        unsent = memoryview(pickle.dumps(value))
        while unsent:
            unsent = unsent[answers.write(unsent) :]

    config: WorkerConfig = received.get()
    gc.disable()  # what is loaded stays; looking through it on the way takes a tenth of the time
    try:
        models = load_models(config)
    except ColorflowError as error:
        answer(error)
        return
    finally:
        gc.freeze()
        gc.enable()
    answer(None)
    while True:
        answer(work_on(models, received.get(), config.settings, answer))
