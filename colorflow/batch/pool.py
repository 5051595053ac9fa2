"""Works a plan off with several workers, wherever they are: processes here, or actors of a cluster.

An engine is a function that takes a plan and yields an outcome for each input. Engines differ only
in their workers; `run_plan` does the rest.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from colorflow.batch.alike import work_off
from colorflow.batch.one_photo import make_folder
from colorflow.batch.plan import Plan
from colorflow.batch.task import PhotoOutcome, PhotoTask
from colorflow.errors import BatchError, ColorflowError, WritePhotoError
from colorflow.files import locked, remove_leftovers, temporary_name


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
        workers: how many at most; no more than there are photos start.
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
        with closing(_Pool(start_worker, workers, stop or threading.Event(), tries)) as pool:
            yield from work_off(plan, pool.outcomes)


@contextmanager
def output_folder(plan: Plan) -> Iterator[None]:
    """Creates the output folder, keeps other runs out of it, and removes what killed runs left.

    Two runs on one folder would color everything twice. File systems without locks do not prevent
    that, but files appear whole in any case.

    Raises:
        BatchError: if another run is writing there.
        WritePhotoError: if the folder cannot be created or written to.
    """
    output = plan.output
    clean(plan)
    make_folder(output)
    check_writable(output)
    busy = BatchError(
        f"{output}: another run of colorflow is writing to this folder; "
        "wait until it has ended, or choose another folder"
    )
    with locked(output, busy):
        yield


def clean(plan: Plan) -> None:
    """Removes what killed runs left in the folders of all results."""
    for folder in {plan.output, *(task.folder for task in plan.tasks)}:
        remove_leftovers(folder)


def check_writable(folder: Path) -> None:
    """Raises `WritePhotoError` if no file can be created in a folder, or there is no folder."""
    probe = folder / temporary_name()
    try:
        probe.touch(exist_ok=False)
        probe.unlink(missing_ok=True)  # another run may have taken it for a leftover
    except OSError as error:
        raise WritePhotoError(
            folder, f"nothing can be written here ({error.strerror}); choose another folder"
        ) from error


class _Slot:
    """A place for a worker, which is started when there is work for it, and anew if it ended."""

    worker: Worker | None = None

    def end(self) -> None:
        """Ends the worker that is there."""
        if worker := self.worker:
            worker.end()
            self.worker = None


class _Pool:
    """Workers, one thread for each that hands it tasks, and a queue of their answers."""

    def __init__(
        self,
        start_worker: Callable[[StillNeeded], Worker],
        size: int,
        stop: threading.Event,
        tries: int,
    ) -> None:
        self._start_worker, self._stop, self._tries = start_worker, stop, tries
        self._slots = [_Slot() for _ in range(size)]
        self._threads: list[threading.Thread] = []
        self._tasks: deque[PhotoTask] = deque()
        self._in_hand = 0
        self._changed = threading.Condition()
        self._answers: SimpleQueue[PhotoOutcome | ColorflowError | None] = SimpleQueue()
        self._workers_lost: Counter[str] = Counter()
        self._begins_no_more = self._given_up = False

    def outcomes(self, tasks: Sequence[PhotoTask]) -> Iterator[PhotoOutcome]:
        """Yields outcomes as they come, until all tasks are done or the pool is stopped."""
        self._tasks.extend(tasks)
        self._threads = [
            threading.Thread(target=self._serve, args=(slot,), daemon=True)
            for number, slot in enumerate(self._slots)
            if slot.worker or number < len(tasks)
        ]
        for thread in self._threads:
            thread.start()
        failure = None
        at_work = len(self._threads)
        while at_work:
            answer = self._answers.get()
            if answer is None:
                at_work -= 1
            elif isinstance(answer, ColorflowError):
                failure = failure or answer
                self._begins_no_more = True
            else:
                yield answer
        if failure:
            raise failure

    def close(self) -> None:
        """Ends all workers, whatever they have in hand."""
        self._begins_no_more = self._given_up = True
        for slot in self._slots:
            slot.end()
        for thread in self._threads:
            thread.join()
        for slot in self._slots:  # one may have been started meanwhile
            slot.end()

    def _serve(self, slot: _Slot) -> None:
        """Hands tasks to one worker, in that worker's thread."""
        try:
            while (worker := self._worker_in(slot)) and (task := self._next()):
                try:
                    self._answers.put(self._work(worker, task))
                except WorkerEndedError as error:
                    slot.end()
                    self._report_lost(task, error)
                finally:
                    self._put_down()
        except ColorflowError as error:
            self._answers.put(error)
        except Exception as error:  # from an engine; without an answer the run would never end
            detail = " ".join(str(error).split())
            reason = f"the run cannot go on ({type(error).__name__}: {detail})"
            self._answers.put(BatchError(reason))
        self._answers.put(None)

    def _worker_in(self, slot: _Slot) -> Worker | None:
        """The worker of a slot, which is started if none is there; None if nobody needs it."""
        tries = 0
        while self._is_needed() and not slot.worker:
            worker = slot.worker = self._start_worker(self._is_needed)
            try:
                worker.ready()
            except WorkerEndedError as error:
                slot.end()
                tries += 1
                if tries == self._tries and self._is_needed():
                    raise BatchError(
                        f"a worker process ended while it started ({error}); try fewer workers"
                    ) from error
        return slot.worker

    def _next(self) -> PhotoTask | None:
        """The next task; None once all are done.

        While one is in hand, it may be lost with its worker, and a cluster may have no room for
        another worker: those that have nothing to do wait, and take it over.
        """
        with self._changed:
            while not self._tasks and self._in_hand:
                self._changed.wait()
            if not self._is_needed():
                return None
            self._in_hand += 1
            return self._tasks.popleft()

    def _put_down(self) -> None:
        """A task is done, has failed or is to be tried again."""
        with self._changed:
            self._in_hand -= 1
            self._changed.notify_all()

    def _is_needed(self) -> bool:
        return bool(self._tasks) and not (self._begins_no_more or self._stop.is_set())

    def _work(self, worker: Worker, task: PhotoTask) -> PhotoOutcome:
        outcome = worker.work(task)
        self._begins_no_more |= outcome.ends_the_run
        if outcome.status == "skipped" and outcome.colorings and self._workers_lost[str(task)]:
            # The lost worker had written everything, but could not report it any more.
            outcome = replace(outcome, status="done", reason=None)
        return outcome

    def _report_lost(self, task: PhotoTask, error: WorkerEndedError) -> None:
        """A worker ended with this photo in hand: it is tried again, or it has failed."""
        self._workers_lost[str(task)] += 1
        if self._given_up:
            return
        if self._workers_lost[str(task)] < self._tries:
            self._tasks.append(task)
            return
        often = "" if self._tries == 1 else f", {self._tries} times"
        reason = f"the process that worked on it ended{often} ({error})"
        self._answers.put(task.failed(reason))
