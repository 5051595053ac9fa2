"""Files of measurements, how they were made, and tables."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from colorflow.errors import EvaluationError
from colorflow.evaluation.bootstrap import Estimate, Table
from colorflow.files import FileKind, check_replaceable, write_whole

_LAST_METRICS = ("inverse_error", "seconds_per_sample")


# files


def check_destination(path: Path | None, kind: FileKind) -> None:
    """Makes the folder of a file and checks that the file may be written there.

    Args:
        path: of the file; None if it is not wanted.
        kind: of the file.

    Raises:
        EvaluationError: if it cannot or must not be written.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_replaceable(path, kind)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror})") from error


def write_text(path: Path, text: str, kind: FileKind | None) -> None:
    """Writes a text file in one step and makes its folder; `kind` as in `write_whole`.

    Raises:
        EvaluationError: if it cannot or must not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode(), kind)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror})") from error


def json_text(values: Any) -> str:
    """Formats values as JSON; refuses NaN, which JSON does not have."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


# how numbers were made


def about_measurement(digest: str, command: str) -> dict[str, Any]:
    """Says how numbers were made; call it when the measurement has ended."""
    return {
        "weights": digest,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(),
        "threads": torch.get_num_threads(),
        "peak_megabytes": _peak_megabytes(),
    }


def hardware() -> str:
    """Names the GPU, or the processor and its number of cores where no GPU computes."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux
    return f"{name}, {os.cpu_count()} cores"


def _peak_megabytes() -> int | None:
    """Peak memory of this process in 10^6 bytes; None where the system does not count it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)


# tables


def table_lines(corner: str, *tables: Table) -> list[str]:
    """Formats tables of the same columns as one Markdown table, one row per metric.

    Args:
        corner: header of the column of metric names.
        tables: one below the other.
    """
    names = list(tables[0])
    rows = [[corner, *names]]
    for table in tables:
        for metric in _metrics(table):
            rows.append([metric, *(format_estimate(table[name].get(metric)) for name in names)])
    lines = ["|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def format_estimate(estimate: Estimate | None) -> str:
    """Formats a value to two digits of its standard error."""
    if estimate is None:
        return ""
    value, stderr = estimate.value, estimate.stderr
    if not stderr:
        return f"{value:.3g}"
    digits = 1 - math.floor(math.log10(stderr))
    if digits > 6:
        return f"{value:.1e} ± {stderr:.0e}"
    return f"{value:.{max(digits, 0)}f} ± {stderr:.{max(digits, 0)}f}"


def _metrics(table: Table) -> list[str]:
    """All metrics of a table in order, those of cost last."""
    found = dict.fromkeys(metric for own in table.values() for metric in own)
    return [m for m in found if m not in _LAST_METRICS] + [m for m in _LAST_METRICS if m in found]
