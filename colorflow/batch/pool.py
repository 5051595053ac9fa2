"""Works a plan off with several workers, wherever they are: processes here, or actors of a cluster.

An engine is a function that takes a plan and yields an outcome for each input. Engines differ only
in their workers; `run_plan` does the rest.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Protocol

from colorflow.batch.alike import work_off
from colorflow.batch.locations import check_writable, is_local, make_folder
from colorflow.batch.plan import Plan
from colorflow.batch.task import PhotoOutcome, PhotoTask
from colorflow.errors import BatchError, ColorflowError
from colorflow.files import locked, remove_leftovers

_PHOTOS_AT_ONCE = 3
"""Photos for which a worker starts at once: the work on so many takes as long as the start."""
_STARTS = 2
"""Further workers start when the photos left would take so many times as long as a start."""
_LOOK_AGAIN = 0.1
"""Seconds between looks at how long the photos take."""


class WorkerEndedError(Exception):
    """A worker is gone; the message says how it ended."""


class Worker(Protocol):
    """Works on one photo after the other; each method waits for its answer."""

    def ready(self) -> None:
        """Waits until the weights are loaded; called once, before `work`.

        Raises:
            ColorflowError: if they cannot be.
            WorkerEndedError: if the worker is gone.
        """

    def work(self, task: PhotoTask) -> PhotoOutcome:
        """Works on one photo.

        Raises:
            WorkerEndedError: if the worker is gone.
        """

    def end(self) -> None:
        """Ends it at once, whatever it has in hand; may be called by any thread, and again."""


StillNeeded = Callable[[], bool]
"""Says whether a worker that is still starting has anything left to do."""


def run_plan(
    plan: Plan,
    start_worker: Callable[[StillNeeded], Worker],
    workers: int,
    stop: threading.Event | None,
    *,
    tries: int = 1,
) -> Iterator[PhotoOutcome]:
    """Works a plan off; yields an outcome for each input.

    Args:
        plan: from `make_plan`.
        start_worker: starts a worker, without waiting for it.
        workers: how many at most. Starting one takes seconds of the processor, so each starts when
            the photos are many, or take long.
        stop: once it is set, no further photo is begun; the photos in hand are finished.
        tries: how many workers may end over a photo before it fails, and how many in a row may end
            while they start before the run fails.

    Raises:
        ColorflowError: if the run cannot start or go on.
    """
    if not plan.tasks:
        clean(plan)
        yield from plan.settled
        return
    with output_folder(plan):
        yield from plan.settled
        stop = stop or threading.Event()
        with _kept(start_worker) if plan.is_alike else nullcontext(start_worker) as start:

            def work(tasks: Sequence[PhotoTask]) -> Iterator[PhotoOutcome]:
                size = min(workers, len(tasks))
                return _Pool(deque(tasks), start, size, stop, tries).outcomes()

            yield from work_off(plan, work)


@dataclass(eq=False)
class _Kept:
    """A worker that waits for further tasks when the pool that used it ends it between two."""

    worker: Worker
    idle: list[_Kept]
    is_ready: bool = False
    is_busy: bool = False

    def ready(self) -> None:
        if not self.is_ready:
            self.worker.ready()
            self.is_ready = True

    def work(self, task: PhotoTask) -> PhotoOutcome:
        self.is_busy = True
        outcome = self.worker.work(task)
        self.is_busy = False  # it stays busy if it is gone
        return outcome

    def end(self) -> None:
        if not self.is_ready or self.is_busy:
            self.worker.end()
        elif self not in self.idle:
            self.idle.append(self)


@contextmanager
def _kept(
    start_worker: Callable[[StillNeeded], Worker],
) -> Iterator[Callable[[StillNeeded], Worker]]:
    """Starts workers, or takes those that an earlier pool has ended; all end in the end."""
    idle: list[_Kept] = []

    def start(is_needed: StillNeeded) -> Worker:
        try:
            return idle.pop()
        except IndexError:  # there is none, or another thread took the last
            return _Kept(start_worker(is_needed), idle)

    try:
        yield start
    finally:
        for one in idle:
            one.worker.end()


@contextmanager
def output_folder(plan: Plan) -> Iterator[None]:
    """Creates the output folder, keeps other runs out of it, and removes what killed runs left.

    Two runs on one folder would color everything twice. Stores, and file systems without locks, do
    not prevent that, but files appear whole in any case.

    Raises:
        BatchError: if another run is writing there.
        WritePhotoError: if the folder cannot be created or written to.
    """
    output = plan.output
    clean(plan)
    if not is_local(output):
        check_writable(output)
        yield
        return
    make_folder(output)
    check_writable(output)
    busy = BatchError(
        f"{output}: another run of colorflow is writing to this folder; "
        "wait until it has ended, or choose another folder"
    )
    with locked(output, busy):
        yield


def clean(plan: Plan) -> None:
    """Removes what killed runs left in the folders of all results, on this machine."""
    results = (coloring.path for outcome in plan.settled for coloring in outcome.colorings)
    folders = {task.folder for task in plan.tasks} | {result.parent for result in results}
    for folder in {plan.output, *folders}:
        if is_local(folder):
            remove_leftovers(folder)


@dataclass
class _Pool:
    """Workers, one thread for each that hands it tasks, and a queue of their answers."""

    tasks: deque[PhotoTask]
    start_worker: Callable[[StillNeeded], Worker]
    size: int
    stop: threading.Event
    tries: int

    def __post_init__(self) -> None:
        self._begins_no_more = self._given_up = False
        self._workers_lost: Counter[str] = Counter()
        self._answers: SimpleQueue[PhotoOutcome | ColorflowError | None] = SimpleQueue()
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._began = self._ready = time.monotonic()

    def outcomes(self) -> Iterator[PhotoOutcome]:
        """Yields outcomes as they come, until all tasks are done or the pool is stopped."""
        failure = None
        ended = answered = 0
        try:
            self._start(max(1, min(self.size, len(self.tasks) // _PHOTOS_AT_ONCE)))
            while ended < len(self._threads):
                try:
                    may_start = self._is_needed() and len(self._threads) < self.size
                    answer = self._answers.get(timeout=_LOOK_AGAIN if may_start else None)
                except Empty:
                    if self._is_slow(answered):
                        self._start(self.size - len(self._threads))
                    continue
                if answer is None:
                    ended += 1
                elif isinstance(answer, ColorflowError):
                    failure = failure or answer
                    self._begins_no_more = True
                else:
                    answered += 1
                    self._begins_no_more |= answer.ends_the_run
                    yield answer
        finally:
            self._end()
        if failure:
            raise failure

    def _start(self, number: int) -> None:
        for _ in range(number):
            index = len(self._workers)
            self._workers.append(self.start_worker(self._is_needed))
            thread = threading.Thread(target=self._serve, args=(index,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _is_slow(self, answered: int) -> bool:
        """Whether the photos left take so long that the start of further workers pays."""
        a_start = self._ready - self._began
        a_photo = (time.monotonic() - self._ready) / max(1, answered)
        return a_start > 0 and len(self.tasks) * a_photo > _STARTS * a_start

    def _serve(self, index: int) -> None:
        """Hands tasks to one worker, in that worker's thread."""
        try:
            if self._wait_for_start(index):
                if self._ready == self._began:
                    self._ready = time.monotonic()
                while task := self._next():
                    try:
                        self._answers.put(self._work(self._workers[index], task))
                    except WorkerEndedError as error:
                        self._report_lost(task, error)
                        if not (self._is_needed() and self._wait_for_start(index, restart=True)):
                            break
        except ColorflowError as error:
            self._answers.put(error)
        except Exception as error:  # from an engine; without an answer the run would never end
            detail = " ".join(str(error).split())
            reason = f"the run cannot go on ({type(error).__name__}: {detail})"
            self._answers.put(BatchError(reason))
        self._workers[index].end()  # frees its memory and its core
        self._answers.put(None)

    def _next(self) -> PhotoTask | None:
        try:
            return self.tasks.popleft() if self._is_needed() else None
        except IndexError:  # another thread took the last
            return None

    def _is_needed(self) -> bool:
        return bool(self.tasks) and not (self._begins_no_more or self.stop.is_set())

    def _work(self, worker: Worker, task: PhotoTask) -> PhotoOutcome:
        outcome = worker.work(task)
        if outcome.status == "skipped" and outcome.colorings and self._workers_lost[str(task)]:
            # The lost worker had written everything, but could not report it any more.
            outcome = replace(outcome, status="done", reason=None, remedy=None)
        return outcome

    def _report_lost(self, task: PhotoTask, error: WorkerEndedError) -> None:
        """A worker ended with this photo in hand: it is tried again, or it has failed."""
        self._workers_lost[str(task)] += 1
        if self._given_up:
            return
        if self._workers_lost[str(task)] < self.tries:
            self.tasks.append(task)
            return
        often = "" if self.tries == 1 else f", {self.tries} times"
        reason = f"the process that worked on it ended{often} ({error})"
        self._answers.put(task.failed(reason))

    def _wait_for_start(self, index: int, *, restart: bool = False) -> bool:
        """Waits for a worker, after replacing it if it has ended.

        Returns:
            Whether it can work; False if nobody needs it any more.
        """
        for tries_left in reversed(range(self.tries)):
            if restart:
                self._workers[index].end()
                self._workers[index] = self.start_worker(self._is_needed)
            try:
                self._workers[index].ready()
            except WorkerEndedError as error:
                if not self._is_needed():
                    break
                if not tries_left:
                    raise BatchError(
                        f"a worker process ended while it started ({error}); try fewer workers"
                    ) from error
                restart = True
            else:
                return True
        return False

    def _end(self) -> None:
        self._begins_no_more = self._given_up = True
        for worker in self._workers:
            worker.end()
        for thread in self._threads:
            thread.join()
        for worker in self._workers:  # one may have been replaced meanwhile
            worker.end()
