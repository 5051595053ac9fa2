"""Handing photos to workers that end, that cannot start, and that nobody needs any more."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from colorflow.batch import ColoredFile, PhotoOutcome, PhotoTask, Plan, Settings, alike
from colorflow.batch.models import WorkerConfig
from colorflow.batch.pool import WorkerEndedError, run_plan
from colorflow.batch.ray_engine import _RayWorker
from colorflow.errors import BatchError


def planned(folder: Path, *names: str) -> Plan:
    tasks = [PhotoTask(path=Path(n), folder=folder, source=Path(n)) for n in names]
    return Plan(settings=Settings(), output=folder, inputs=[t.path for t in tasks], tasks=tasks)


class WorkerFactory:
    """Starts workers that behave as told by the names of photos."""

    def __init__(self, ends: dict[str, int] | None = None, ends_at_start: int = 0) -> None:
        self.left = Counter(ends or {})
        self.ends_at_start = ends_at_start
        self.given: list[str] = []
        self.started: list[FakeWorker] = []

    def __call__(self, wanted: Callable[[], bool]) -> FakeWorker:
        self.started.append(FakeWorker(self))
        return self.started[-1]


class FakeWorker:
    def __init__(self, factory: WorkerFactory) -> None:
        self.factory = factory
        self.ended = False

    def ready(self) -> None:
        if self.factory.ends_at_start:
            self.factory.ends_at_start -= 1
            raise WorkerEndedError("no memory")

    def work(self, task: PhotoTask) -> PhotoOutcome:
        name = task.path.name
        self.factory.given.append(name)
        if self.factory.left[name]:
            self.factory.left[name] -= 1
            self.ended = True
            raise WorkerEndedError("killed")
        if task.is_look:
            return task.outcome("done", looks=np.array([ord(name)], np.float32))
        one = ColoredFile(path=task.target("a"), label="a", seed=0)
        if name.startswith("skipped"):
            return PhotoOutcome(
                path=task.path, status="skipped", reason="is there", colorings=(one,)
            )
        return PhotoOutcome(path=task.path, status="done", colorings=(one,))

    def end(self) -> None:
        self.ended = True


def run_all(
    factory: WorkerFactory, plan: Plan, workers: int = 1, tries: int = 3
) -> dict[str, PhotoOutcome]:
    outcomes = list(run_plan(plan, factory, workers, None, tries=tries))
    by_name = {outcome.path.name: outcome for outcome in outcomes}
    assert len(outcomes) == len(by_name)
    assert all(worker.ended for worker in factory.started)
    return by_name


@pytest.mark.parametrize("ends", [{}, {"c": 1}, {"c": 1, "h": 2}, {"e": 3}])
def test_workers_go_on_from_one_turn_of_an_album_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: dict[str, int]
) -> None:
    monkeypatch.setattr(alike, "_made", lambda *_: [])
    factory, plan = WorkerFactory(ends), planned(tmp_path, *"abcdefghi")
    plan.settings = Settings(alike=True)
    by_name = run_all(factory, plan, workers=2)
    assert [one.status for one in by_name.values()] == ["done"] * 9
    assert len(factory.started) <= 2 + sum(ends.values())
    in_vain = Counter(name for name, times in ends.items() if times == 3)  # it is no reference
    assert Counter(factory.given) == Counter("abcdefghi" * 2) + Counter(ends) - in_vain


@pytest.mark.parametrize("workers", [1, 3])
def test_a_photo_whose_worker_ended_is_given_to_another(tmp_path: Path, workers: int) -> None:
    factory = WorkerFactory({"b": 2, "c": 1})
    outcomes = run_all(factory, planned(tmp_path, "a", "b", "c", "d"), workers)
    assert {name: outcome.status for name, outcome in outcomes.items()} == dict.fromkeys(
        "abcd", "done"
    )
    assert Counter(factory.given) == {"a": 1, "b": 3, "c": 2, "d": 1}
    assert len(factory.started) <= workers + 3


def test_no_more_workers_than_photos_start(tmp_path: Path) -> None:
    factory = WorkerFactory()
    run_all(factory, planned(tmp_path, "a"), workers=3)
    assert len(factory.started) == 1


@pytest.mark.parametrize(("tries", "often"), [(1, ""), (3, ", 3 times")])
def test_a_photo_that_ends_every_worker_fails_and_the_others_go_on(
    tmp_path: Path, tries: int, often: str
) -> None:
    factory = WorkerFactory({"b": 99})
    outcomes = run_all(factory, planned(tmp_path, "a", "b", "c"), tries=tries)
    assert outcomes["b"].status == "failed"
    assert outcomes["b"].reason == f"the process that worked on it ended{often} (killed)"
    assert factory.given.count("b") == tries
    assert outcomes["a"].status == outcomes["c"].status == "done"


def test_what_a_lost_worker_had_written_counts_as_done(tmp_path: Path) -> None:
    factory = WorkerFactory({"skipped after all": 1})
    outcomes = run_all(factory, planned(tmp_path, "skipped before", "skipped after all"))
    assert (outcomes["skipped before"].status, outcomes["skipped before"].reason) == (
        "skipped",
        "is there",
    )
    after = outcomes["skipped after all"]
    assert (after.status, after.reason, len(after.colorings)) == ("done", None, 1)


def test_a_worker_may_end_while_it_starts_but_not_for_ever(tmp_path: Path) -> None:
    factory = WorkerFactory(ends_at_start=2)
    assert run_all(factory, planned(tmp_path, "a"))["a"].status == "done"
    assert len(factory.started) == 3
    with pytest.raises(BatchError, match=r"ended while it started \(no memory\); try fewer"):
        run_all(WorkerFactory(ends_at_start=3), planned(tmp_path, "a"))


def test_whatever_an_engine_raises_ends_the_run_in_words(tmp_path: Path) -> None:
    class Broken(FakeWorker):
        def work(self, task: PhotoTask) -> PhotoOutcome:
            raise RuntimeError("no\ncluster")

    run = run_plan(planned(tmp_path, "a", "b"), lambda _: Broken(WorkerFactory()), 2, None)
    with pytest.raises(BatchError, match=r"the run cannot go on \(RuntimeError: no cluster\)"):
        list(run)


def test_a_photo_in_hand_when_the_run_is_stopped_is_not_tried_again(tmp_path: Path) -> None:
    stop = threading.Event()
    factory = WorkerFactory({"a": 1})
    give = FakeWorker.work

    class Stopping(FakeWorker):
        def work(self, task: PhotoTask) -> PhotoOutcome:
            stop.set()
            return give(self, task)

    begin = lambda _: Stopping(factory)  # noqa: E731
    assert list(run_plan(planned(tmp_path, "a", "b"), begin, 1, stop, tries=3)) == []
    assert factory.given == ["a"]


# Waiting for a cluster


class Cluster(WorkerFactory):
    """Has room for two workers; half of it is lost while the photo x is in hand.

    Args:
        before: photos that are done by then.
    """

    def __init__(self, before: int) -> None:
        super().__init__({"x": 1})
        self.before, self.room = before, 2

    def __call__(self, wanted: Callable[[], bool]) -> FakeWorker:
        self.started.append(Lodger(self, wanted))
        return self.started[-1]


class Lodger(FakeWorker):
    """Starts once there is room for it."""

    has_room = False

    def __init__(self, factory: Cluster, wanted: Callable[[], bool]) -> None:
        super().__init__(factory)
        self.cluster, self.wanted = factory, wanted

    def ready(self) -> None:
        until = time.monotonic() + 10
        others = self.cluster.started
        while sum(one.has_room and not one.ended for one in others) >= self.cluster.room:
            if not self.wanted():
                raise WorkerEndedError("there was no room for it")
            if time.monotonic() > until:
                raise RuntimeError("idle workers hold all the room")
            time.sleep(0.01)
        self.has_room = True

    def work(self, task: PhotoTask) -> PhotoOutcome:
        if task.is_look:
            time.sleep(0.05)  # both workers look at photos
            return task.outcome("done", looks=np.array([ord(task.path.name)], np.float32))
        if self.factory.left[task.path.name]:
            while len(self.factory.given) < self.cluster.before:
                time.sleep(0.01)
            time.sleep(0.1)  # the other worker looks for more to do
            self.cluster.room = 1
        return super().work(task)


@pytest.mark.parametrize(("names", "before", "is_alike"), [("xabc", 3, False), ("wxy", 0, True)])
def test_whoever_has_room_takes_over_what_was_in_hand_on_a_lost_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str, before: int, is_alike: bool
) -> None:
    """When the other worker has nothing to do, at the end or in a turn of few photos."""
    monkeypatch.setattr(alike, "_made", lambda *_: [])
    cluster, plan = Cluster(before), planned(tmp_path, *names)
    plan.settings = Settings(alike=is_alike)
    outcomes = run_all(cluster, plan, workers=2)
    assert {one.status for one in outcomes.values()} == {"done"}
    assert cluster.given.count("x") == 2


class BusyRay(SimpleNamespace):
    """Stands in for Ray where there is no room: what was asked for is never ready."""

    def __init__(self) -> None:
        super().__init__(waits=0, killed=0)

    def remote(self, **resources: Any) -> Any:
        self.resources = resources
        method = SimpleNamespace(remote=lambda *_: object())
        return lambda _: SimpleNamespace(remote=lambda *_: SimpleNamespace(ready=method))

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        self.waits += 1
        return [], references

    def kill(self, _: Any) -> None:
        self.killed += 1


def test_nobody_waits_for_room_when_nothing_is_left_to_do() -> None:
    ray = BusyRay()
    answers = iter([True] * 4 + [False])
    config = WorkerConfig(weights={}, device="cuda", threads=1, settings=Settings())
    with pytest.raises(WorkerEndedError, match="no room"):
        _RayWorker(ray, config, lambda: next(answers)).ready()
    assert ray.waits == 5
    assert ray.resources["num_gpus"] == 1
