"""A plan carried out on this machine: by a crew of processes, or here by one Colorizer."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.batch.crew import Worker
from colorflow.batch.place import place_for_results
from colorflow.batch.plan import Plan
from colorflow.batch.pool import carry_out, check_hints
from colorflow.batch.record import Record
from colorflow.batch.remote import color_anywhere
from colorflow.batch.worker import Start

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

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
    yield from carry_out(plan, lambda _: Worker(start), size, stop)


def run_here(plan: Plan, colorizer: Colorizer) -> Iterator[Record]:
    """Carries a plan out in this process, one photo after the other; else as `run`."""
    check_hints(plan.tasks, takes_hints=colorizer.takes_hints)
    yield from plan.settled
    if plan.tasks:
        with place_for_results(plan.output, {task.folder for task in plan.tasks}):
            for task in plan.tasks:
                record = color_anywhere(colorizer, task, plan.settings)
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
