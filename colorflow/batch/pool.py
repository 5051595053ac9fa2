"""A plan carried out by several workers, wherever they run: in processes here, or on a cluster.

An engine is a function that takes a plan and yields a record for each input. Engines differ in
their workers alone, and have the rest from `carry_out`.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from queue import SimpleQueue
from typing import Protocol

from colorflow.batch.crew import WorkerEndedError
from colorflow.batch.place import place_for_results
from colorflow.batch.plan import Plan, Task
from colorflow.batch.record import Record
from colorflow.batch.url import Place
from colorflow.batch.worker import Ready
from colorflow.errors import BatchError, ColorflowError, WeightsError


class Worker(Protocol):
    """Something that colors one photo after the other; each method waits for its answer."""

    def ready(self) -> Ready:
        """Waits until the weights are loaded.

        Raises:
            ColorflowError: if they cannot be.
            WorkerEndedError: if the worker is gone.
        """

    def color(self, task: Task) -> Record:
        """Has one photo colored; raises as `ready` does."""

    def end(self) -> None:
        """Ends it at once, whatever it has in hand; may be called by any thread, and again."""


Wanted = Callable[[], bool]
"""Says whether a worker that is still starting has anything left to do."""


def carry_out(
    plan: Plan,
    begin: Callable[[Wanted], Worker],
    workers: int,
    stop: threading.Event | None,
    *,
    tries: int = 1,
) -> Iterator[Record]:
    """Carries a plan out; yields a record for each input.

    Args:
        plan: from `make_plan`.
        begin: starts a worker, without waiting for it.
        workers: how many; at most one a photo is started.
        stop: once it is set no further photo is begun; records of those in hand still come.
        tries: a photo fails when so many workers have ended over it; so often in a row may a worker
            end while it starts.

    Raises:
        ColorflowError: if the run cannot start or go on.
    """
    if not plan.tasks:
        yield from plan.settled
        return
    with place_for_results(plan.output, {task.folder for task in plan.tasks}):
        yield from plan.settled
        size = min(workers, len(plan.tasks))
        yield from _Pool(plan.tasks, begin, size, stop or threading.Event(), tries).records()


def check_hints(tasks: Iterable[Task], *, takes_hints: bool) -> None:
    """Refuses hints for weights that take none, before anything is colored."""
    if not takes_hints and any(task.hints for task in tasks):
        raise WeightsError(
            "these weights take no color hints; use weights trained with "
            "`colorflow train --hints`, or leave --hints away"
        )


class _Pool:
    """Workers, a thread for each that hands it tasks, and a queue of what they answer."""

    def __init__(
        self,
        tasks: list[Task],
        begin: Callable[[Wanted], Worker],
        size: int,
        stop: threading.Event,
        tries: int,
    ) -> None:
        self._all = tasks
        self._tasks = deque(tasks)
        self._begin = begin
        self._stop = stop
        self._tries = tries
        self._begins_no_more = False
        self._given_up = False
        self._ended: Counter[Place] = Counter()
        self._answers: SimpleQueue[Record | ColorflowError | None] = SimpleQueue()
        self._workers = [begin(self._is_wanted) for _ in range(size)]
        self._threads = [
            threading.Thread(target=self._serve, args=(place,), daemon=True)
            for place in range(size)
        ]

    def records(self) -> Iterator[Record]:
        """Records as they come, until all tasks are done or the pool shall stop."""
        failure = None
        try:
            for thread in self._threads:
                thread.start()
            working = len(self._threads)
            while working:
                answer = self._answers.get()
                if answer is None:
                    working -= 1
                elif isinstance(answer, ColorflowError):
                    failure = failure or answer
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
        try:
            if self._started(place):
                while task := self._next():
                    try:
                        self._answers.put(self._colored(self._workers[place], task))
                    except WorkerEndedError as error:
                        self._lost(task, error)
                        if not (self._is_wanted() and self._started(place, anew=True)):
                            break
        except ColorflowError as error:
            self._answers.put(error)
        except (
            Exception
        ) as error:  # what an engine raises; nobody may wait for this thread for ever
            detail = " ".join(str(error).split())
            self._answers.put(
                BatchError(f"the run cannot go on ({type(error).__name__}: {detail})")
            )
        self._workers[place].end()  # so that its memory and its core are free
        self._answers.put(None)

    def _next(self) -> Task | None:
        try:
            return self._tasks.popleft() if self._is_wanted() else None
        except IndexError:  # another thread took the last
            return None

    def _is_wanted(self) -> bool:
        return bool(self._tasks) and not (self._begins_no_more or self._stop.is_set())

    def _colored(self, worker: Worker, task: Task) -> Record:
        record = worker.color(task)
        if record.status == "skipped" and record.colorings and self._ended[task.path]:
            # The worker that ended had written everything, but could not say so any more.
            record = replace(record, status="done", reason=None)
        return record

    def _lost(self, task: Task, error: WorkerEndedError) -> None:
        """A worker ended with this photo in hand: another one tries, or it has failed."""
        self._ended[task.path] += 1
        if self._given_up:
            return
        if self._ended[task.path] < self._tries:
            self._tasks.append(task)
            return
        often = "" if self._tries == 1 else f", {self._tries} times"
        reason = f"the process that colored it ended{often} ({error})"
        self._answers.put(Record(path=task.path, status="failed", reason=reason))

    def _started(self, place: int, *, anew: bool = False) -> bool:
        """Waits for a worker, first putting a new one in the place of one that has ended.

        Returns:
            Whether it can color; False where nobody needs it any more.
        """
        for left in reversed(range(self._tries)):
            if anew:
                self._workers[place].end()
                self._workers[place] = self._begin(self._is_wanted)
            try:
                ready = self._workers[place].ready()
            except WorkerEndedError as error:
                if not self._is_wanted():
                    break
                if not left:
                    raise BatchError(
                        f"a process that colors ended while it started ({error}); "
                        "try fewer --workers"
                    ) from error
                anew = True
            else:
                check_hints(self._all, takes_hints=ready.takes_hints)
                return True
        return False

    def _end(self) -> None:
        self._begins_no_more = self._given_up = True
        for worker in self._workers:
            worker.end()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for worker in self._workers:  # one may have been replaced meanwhile
            worker.end()
