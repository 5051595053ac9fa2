"""A plan carried out: by a crew of processes, or here by one Colorizer."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from colorflow.batch.colour import colour
from colorflow.batch.crew import Worker, WorkerEndedError
from colorflow.batch.place import place_for_results
from colorflow.batch.plan import Plan, Task
from colorflow.batch.record import Record
from colorflow.batch.worker import Ready, Start
from colorflow.errors import BatchError, ColorflowError, WeightsError

if TYPE_CHECKING:
    from colorflow.colorize import Colorizer

MOST_USUAL_WORKERS = 4
"""Each takes about 0.5 GB, and more for large photos."""


def run(
    plan: Plan,
    *,
    weights: Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    stop: threading.Event | None = None,
) -> Iterator[Record]:
    """Carries a plan out with a crew of processes; yields a record for each input.

    What becomes of a photo depends on the photo and the settings alone, up to 1/255 in a pixel:
    not on the order, on the number of workers, or on what was done before.

    Args:
        plan: from `make_plan`.
        weights: file; None for the shipped ones.
        device: where to compute.
        workers: processes, each with its own Colorizer; at most one a photo is started.
        stop: once it is set no further photo is begun; records of those in hand still come.

    Raises:
        ColorflowError: if the run cannot start or go on.
    """
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    size = min(workers, len(plan.tasks))
    start = Start(
        weights=weights,
        device=device,
        threads=max(1, usable_cores() // max(1, size)),
        settings=plan.settings,
    )
    if not size:
        yield from plan.settled
        return
    with place_for_results(plan.output, {task.folder for task in plan.tasks}):
        yield from plan.settled
        yield from _Crew(start, size, plan.tasks, stop or threading.Event()).records()


def run_here(plan: Plan, colorizer: Colorizer) -> Iterator[Record]:
    """Carries a plan out in this process, one photo after the other; else as `run`."""
    _check_hints(plan.tasks, takes_hints=colorizer.takes_hints)
    yield from plan.settled
    if plan.tasks:
        with place_for_results(plan.output, {task.folder for task in plan.tasks}):
            for task in plan.tasks:
                record = colour(colorizer, task, plan.settings)
                yield record
                if record.ends_the_run:
                    return


def usual_workers(device: str) -> int:
    """How many workers to take if nobody says: on a CPU one a core, but no more than memory bears.

    Small convolutions gain little from a second core, and photos beside one another gain all of it.
    """
    return min(usable_cores(), MOST_USUAL_WORKERS) if device == "cpu" else 1


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Crew:
    """Workers, a thread for each that hands it tasks, and a queue of what they answer."""

    def __init__(self, start: Start, size: int, tasks: list[Task], stop: threading.Event) -> None:
        self._start = start
        self._tasks = deque(tasks)
        self._stop = stop
        self._begins_no_more = False
        self._given_up = False
        self._answers: SimpleQueue[Record | ColorflowError | None] = SimpleQueue()
        self._workers = [Worker(start) for _ in range(size)]
        self._threads = [
            threading.Thread(target=self._serve, args=(place,), daemon=True)
            for place in range(size)
        ]

    def records(self) -> Iterator[Record]:
        """Records as they come, until all tasks are done or the crew shall stop."""
        failure = None
        try:
            for worker in self._workers:
                ready = _started(worker)
                _check_hints(self._tasks, takes_hints=ready.takes_hints)
            for thread in self._threads:
                thread.start()
            working = len(self._threads)
            while working:
                answer = self._answers.get()
                if answer is None:
                    working -= 1
                elif isinstance(answer, ColorflowError):
                    failure = answer
                    self._begins_no_more = True
                else:
                    self._begins_no_more |= answer.ends_the_run
                    yield answer
        finally:
            self._end()
        if failure:
            raise failure

    def _serve(self, place: int) -> None:
        """What the thread of one worker does."""
        while not (self._begins_no_more or self._stop.is_set()):
            try:
                task = self._tasks.popleft()
            except IndexError:  # all are taken
                break
            try:
                self._answers.put(self._workers[place].colour(task))
            except WorkerEndedError as error:
                if self._given_up:
                    break
                reason = f"the process that coloured it ended ({error})"
                self._answers.put(Record(path=task.path, status="failed", reason=reason))
                if not self._tasks or not self._replaced(place):
                    break
        self._answers.put(None)

    def _replaced(self, place: int) -> bool:
        """Whether a new worker is in the place of one that has ended."""
        self._workers[place].end()
        self._workers[place] = Worker(self._start)
        try:
            _started(self._workers[place])
        except ColorflowError as error:
            self._answers.put(error)
            return False
        return True

    def _end(self) -> None:
        self._begins_no_more = self._given_up = True
        for worker in self._workers:
            worker.end()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for worker in self._workers:  # one may have been replaced meanwhile
            worker.end()


def _started(worker: Worker) -> Ready:
    try:
        return worker.ready()
    except WorkerEndedError as error:
        raise BatchError(
            f"a process that colours ended while it started ({error}); try fewer --workers"
        ) from error


def _check_hints(tasks: Iterable[Task], *, takes_hints: bool) -> None:
    """Refuses hints for weights that take none, before anything is coloured."""
    if not takes_hints and any(task.hints for task in tasks):
        raise WeightsError(
            "these weights take no colour hints; use weights trained with "
            "`colorflow train --hints`, or leave --hints away"
        )
