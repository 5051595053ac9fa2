"""An album in its own colors: photos that stand for it first, then all others like them.

The references are the photos with hints, and at most eight others, medoids of what all photos look
like. They are chosen from all photos of the album before any is colored, so that neither the order
of the photos nor the workers nor an earlier run change a result. Photos with hints are colored by
themselves, the medoids with these as references, and all other photos with both.

A reference is told by what its file says about how it was made, which another machine or another
number of workers does not change, unlike its pixels.

Reference: Kaufman & Rousseeuw 1990 (partitioning around medoids; this is the first half of it).

Dimensions: n photos, C numbers that say what each looks like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from colorflow.batch.plan import Plan
from colorflow.batch.task import MOST_REFERENCES, PhotoOutcome, PhotoTask, Reference
from colorflow.files import digest_of_open
from colorflow.photo import read_statements
from colorflow.recipe import text_of

MOST_MEDOIDS = 8
"""References without hints; the square root of the number of photos, if that is less."""
_ROWS = 256
"""Photos whose distances to all others are computed at once."""

Work = Callable[[Sequence[PhotoTask]], Iterator[PhotoOutcome]]
"""Works tasks off, in any order; ends early if the run is stopped."""


def work_off(plan: Plan, work: Work) -> Iterator[PhotoOutcome]:
    """Works a plan off; if its settings ask for that, in the album's own colors.

    Args:
        plan: from `make_plan`.
        work: of an engine.

    Yields:
        An outcome for each task.
    """
    if not plan.is_alike:
        yield from work(plan.tasks)
        return
    looks = list(work([replace(task, is_look=True) for task in plan.tasks]))
    if len(looks) < len(plan.tasks):  # the run was stopped
        return
    seen = {_key(one): one.looks for one in looks if one.looks is not None}
    *chosen, others = stages_of(plan.tasks, seen)
    references: list[Reference] = []
    for stage in (*chosen, others):
        given = tuple(sorted(references, key=lambda one: one.digest))
        tasks = {_key(task): replace(task, references=given) for task in stage}
        reached = 0
        for outcome in work(list(tasks.values())) if tasks else ():
            reached += 1
            yield outcome
            if stage is not others:
                references += _made(outcome)
        if reached < len(tasks):
            return


def stages_of(
    tasks: Sequence[PhotoTask],
    looks: Mapping[object, NDArray[np.float32]],
) -> tuple[list[PhotoTask], list[PhotoTask], list[PhotoTask]]:
    """The references with hints, those without, and all other photos.

    Args:
        tasks: of all photos.
        looks: what those look like that may get colors, (C,) each.
    """
    known = [task for task in tasks if _key(task) in looks]
    # Any order that is that of the photos themselves, as sums depend on it in the last bit.
    known.sort(key=lambda one: (looks[_key(one)].tobytes(), str(one)))
    hinted = [task for task in known if task.hints or task.start]
    plain = [task for task in known if not (task.hints or task.start)]
    first = _chosen(hinted, MOST_REFERENCES, looks)
    most = min(MOST_MEDOIDS, MOST_REFERENCES - len(first), math.isqrt(len(plain)))
    second = _chosen(plain, most, looks, first)
    chosen = {_key(task) for task in (*first, *second)}
    return first, second, [task for task in tasks if _key(task) not in chosen]


def medoids(rows: NDArray[np.float32], k: int, given: int = 0) -> list[int]:
    """Chooses rows so that the others are near to them, one after the other.

    Args:
        rows: (n, C), in the same unit.
        k: how many to choose.
        given: the first rows are chosen already.

    Returns:
        Their indices, as they were chosen.
    """
    nearest = _distances(rows, rows[:given]).min(1, initial=np.inf)
    chosen: list[int] = []
    while len(chosen) < min(k, len(rows) - given):
        left = np.concatenate(
            [
                np.minimum(nearest, _distances(rows[start : start + _ROWS], rows)).sum(1)
                for start in range(0, len(rows), _ROWS)
            ]
        )
        left[[*range(given), *chosen]] = np.inf
        chosen.append(int(left.argmin()))
        nearest = np.minimum(nearest, _distances(rows, rows[chosen[-1:]])[:, 0])
    return chosen


def _chosen(
    tasks: Sequence[PhotoTask],
    k: int,
    looks: Mapping[object, NDArray[np.float32]],
    given: Sequence[PhotoTask] = (),
) -> list[PhotoTask]:
    """The medoids among tasks, beside some that are given; all tasks if they are not too many."""
    if len(tasks) <= k or not k:
        return list(tasks[:k])
    rows = np.stack([looks[_key(task)] for task in (*given, *tasks)])
    rows = (rows - rows.mean(0)) / (rows.std(0) + 1e-6)
    return [tasks[index - len(given)] for index in medoids(rows, k, len(given))]


def _distances(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, C), (m, C) -> (n, m)."""
    a, b = rows.astype(np.float64), others.astype(np.float64)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(squares.clip(0)))


def _made(outcome: PhotoOutcome) -> list[Reference]:
    """The first coloring of a photo, or of its first print, as a reference if there is one now."""
    if outcome.status not in ("done", "skipped") or not outcome.colorings:
        return []
    path = outcome.colorings[0].path
    (*_, statement) = read_statements(path, isolated=True)
    return [Reference(path, digest_of_open(BytesIO(text_of([statement]).encode())))]


def _key(of: PhotoTask | PhotoOutcome) -> object:
    """A photo: its file and page."""
    return of.path, of.page
