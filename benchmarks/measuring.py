"""Shared by the benchmarks: description of the machine, timings in turns, tables."""

from __future__ import annotations

import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

SEED = 0
_INTERVAL = 0.02
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of each of several repetitions.

    Attributes:
        wall: wall time.
        busy: processor time of all cores; other work on the machine changes it little.
    """

    wall: list[float]
    busy: list[float]


def side_by_side(steps: dict[str, Callable[[], object]], repetitions: int) -> dict[str, Timings]:
    """Times several steps in turns, under equal conditions; the first turn is a warm-up."""
    timings = {name: Timings([], []) for name in steps}
    for turn in range(repetitions + 1):
        for name, step in steps.items():
            began, busy = time.perf_counter(), time.process_time()
            step()
            if turn:
                timings[name].wall.append(time.perf_counter() - began)
                timings[name].busy.append(time.process_time() - busy)
    return timings


def ratios(timings: Timings, baseline: Timings, *, busy: bool = False) -> list[float]:
    """Ratio of something to the baseline in each turn."""
    if busy:
        return [a / b for a, b in zip(timings.busy, baseline.busy, strict=True)]
    return [a / b for a, b in zip(timings.wall, baseline.wall, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range as the text of a table's cell."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_machine(packages: Sequence[str] = ()) -> None:
    """Prints the date, machine, seed and versions of the numbers below it."""
    import torch

    names = ("torch", "numpy", "pillow", "opencv-python-headless", *packages)
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{date.today()}, {_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} torch "
        f"threads, load {load:.1f} at the start; seed {SEED}; Python {platform.python_version()}, "
        f"{versions}\n"
    )


def memory(name: str) -> float:
    """Memory of this process in MB: VmRSS is the current value, VmHWM the peak (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def forget_peak() -> None:
    """Resets the peak VmHWM (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def family_of(process: int) -> dict[int, int]:
    """Resident bytes of a process and of all below it, by their numbers (Linux)."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if state != "Z":
            parents[int(folder.name)] = int(parent)
            sizes[int(folder.name)] = int(rest[19]) * os.sysconf("SC_PAGE_SIZE")
    found = {process} & sizes.keys()
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return {one: sizes[one] for one in found}


@contextmanager
def watched(process: int) -> Iterator[Callable[[], float]]:
    """Yields a function that tells how much memory a process's family took more, in MB (Linux)."""
    start = sum(family_of(process).values())
    most, ended = start, threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(_INTERVAL):
            most = max(most, sum(family_of(process).values()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: (most - start) / 1e6
    finally:
        ended.set()
        thread.join()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
        return text.partition("model name")[2].partition(":")[2].splitlines()[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
