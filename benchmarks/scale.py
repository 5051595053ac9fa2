"""What a photo costs the machine that hands photos out: its task, handing out, the report.

    python -m benchmarks.scale             100,000 photos
    python -m benchmarks.scale --ray       also through Ray, started for it on this machine

Processor seconds are reported, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePath
from queue import SimpleQueue
from typing import Any

from colorflow.batch import (
    ColoredFile,
    PhotoOutcome,
    PhotoTask,
    Plan,
    Settings,
)
from colorflow.batch.pool import run_plan
from colorflow.batch.report import write_report

WORKERS = 16
"""Number of threads that hand photos out."""
CALLS = 2000


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--photos", type=int, default=100_000, help="of the plan")
    options = parser.parse_args()
    print_costs(options.photos)
    if options.ray:
        print_ray()


class Idle:
    """A worker that answers at once."""

    def ready(self) -> None:
        pass

    def work(self, task: PhotoTask) -> PhotoOutcome:
        return outcome_of(task)

    def end(self) -> None:
        pass


def outcome_of(task: PhotoTask) -> PhotoOutcome:
    """The outcome of a photo that was colored without remarks."""
    coloring = ColoredFile(path=task.target("a"), label="a", seed=0, bits_per_dim=1.0)
    return PhotoOutcome(
        path=task.path, status="done", colorings=(coloring,), width=1, height=1, seconds=1.0
    )


def print_costs(count: int) -> None:
    """Prints what planning, handing out and the report cost."""
    print(f"| {count} photos | microseconds a photo | bytes a photo, kept | bytes a photo, peak |")
    print("|---|---|---|---|")
    plan = measured("plan", count, lambda: planned(count))
    outcomes = measured("hand out, keep outcomes", count, lambda: handed_out(plan))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        measured(
            "write the report",
            count,
            lambda: write_report(path, plan, outcomes, began=datetime.now(), seconds=0),
        )
        print(f"\nThe report has {path.stat().st_size / count:.0f} bytes a photo.")


def planned(count: int) -> Plan:
    """A plan as for a folder of folders with a thousand photos each."""
    names = [PurePath(f"{n // 1000:06}/photo_{n:09}.jpg") for n in range(count)]
    tasks = [
        PhotoTask(path=Path("in") / one, folder=Path("out") / one.parent, source=PurePath(one.name))
        for one in names
    ]
    inputs = [task.path for task in tasks]
    return Plan(settings=Settings(), output=Path("out"), inputs=inputs, tasks=tasks)


def handed_out(plan: Plan) -> list[PhotoOutcome]:
    """The outcomes of workers that do nothing."""
    return list(run_plan(plan, lambda _: Idle(), WORKERS, None))


def measured(what: str, count: int, function: Callable[[], Any]) -> Any:
    """Does something twice, for its time and for its memory, and prints a row."""
    began = time.process_time()
    function()
    seconds = time.process_time() - began
    tracemalloc.start()
    result = function()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"| {what} | {seconds / count * 1e6:.0f} | {kept / count:.0f} | {peak / count:.0f} |")
    return result


def print_ray() -> None:
    """Prints how many photos a second can be handed to actors that do nothing."""
    from colorflow.batch.ray_engine import _cluster

    tasks: SimpleQueue[PhotoTask] = SimpleQueue()
    for number in range(CALLS):
        tasks.put(PhotoTask(path=Path(f"{number}.jpg"), folder=Path("out"), source=Path("x.jpg")))
    with _cluster() as ray:
        actors = [ray.remote(num_cpus=0.1)(IdleActor).remote() for _ in range(4)]
        ray.get([actor.color.remote(tasks.get()) for actor in actors])
        threads = [
            threading.Thread(target=_call, args=(ray, actors[n % 4], tasks)) for n in range(WORKERS)
        ]
        began, busy = time.perf_counter(), time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        busy, passed = time.process_time() - busy, time.perf_counter() - began
    calls = CALLS - len(actors)
    print(
        f"\nThrough Ray: {busy / calls * 1e6:.0f} processor microseconds a photo, "
        f"{calls / passed:.0f} photos a second from {WORKERS} threads to {len(actors)} actors here."
    )


class IdleActor:
    """An actor that says at once that it is done."""

    def color(self, task: PhotoTask) -> PhotoOutcome:
        return outcome_of(task)


def _call(ray: Any, actor: Any, tasks: SimpleQueue[PhotoTask]) -> None:
    while not tasks.empty():
        ray.get(actor.color.remote(tasks.get()))


if __name__ == "__main__":
    main()
