"""`colorflow evaluate`: measures a weights file on a folder; the numbers, and a table of them."""

from __future__ import annotations

import datetime
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from colorflow.device import keep_freed_memory, one_thread
from colorflow.evaluation.bootstrap import RESAMPLES, Estimate, Table
from colorflow.evaluation.columns import MANY, baseline_columns, columns_of, training_colors_of
from colorflow.evaluation.evaluate import LeftOut, count_reasons, evaluate, photos_of, say_above
from colorflow.model.weights import load_weights


class Report(NamedTuple):
    """What was measured: values for JSON, the table in Markdown, and files without numbers."""

    values: dict[str, Any]
    text: str
    left_out: list[LeftOut]


@one_thread()
def run_evaluation(
    folder: Path,
    *,
    weights: Path,
    baselines: Path,
    limit: int | None,
    n: int,
    seed: int,
    degraded: bool,
    command: str,
) -> Report:
    """Measures the photos of a folder; stderr gets progress and left-out files.

    Args:
        folder: color photos.
        weights: a weights file.
        baselines: folder of the baselines' weights files.
        limit: largest number of photos, or None for all.
        n: as in `evaluate`.
        seed: as in `evaluate`.
        degraded: as in `evaluate`.
        command: repeats the measurement.

    Raises:
        EvaluationError: if there is nothing to measure, or the judge is missing.
        WeightsError: if the weights cannot be read.
    """
    keep_freed_memory()
    loaded = load_weights(weights)
    files = photos_of(folder, limit)
    others = baseline_columns(baselines, say_above)
    found = evaluate(
        files,
        [*columns_of(loaded), *others],
        blow_up_chroma=training_colors_of(loaded).blow_up_chroma,
        n=n,
        seed=seed,
        degraded=degraded,
    )
    values: dict[str, Any] = {
        "photos": found.photos,
        "seed": seed,
        **{
            key: {
                name: {metric: asdict(estimate) for metric, estimate in own.items()}
                for name, own in table.items()
            }
            for key, table in found.tables.items()
        },
        "samples": n,
        "degraded": degraded,
        "left_out": [asdict(item) for item in found.left_out],
        "weights": loaded.digest,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(),
        "threads": torch.get_num_threads(),
    }
    return Report(values, report_text(found.tables, values, found.left_out), found.left_out)


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


def report_text(
    tables: dict[str, Table], values: dict[str, Any], left_out: Sequence[LeftOut]
) -> str:
    """Formats the tables in Markdown, and says how they were made.

    Args:
        tables: as in `Evaluation`.
        values: the rest, as in `Report`.
        left_out: files without numbers.
    """
    n = values["samples"]
    lightness = "degraded" if values["degraded"] else "as it is"
    reasons = count_reasons(left_out)
    paragraphs = [
        f"{values['photos']} photos, lightness {lightness}; left out: {reasons or 'none'}. {n} "
        f"samples of each photo, {MANY} for rmse_mean{MANY}, coverage, blow_ups and tint_by_seed; "
        f"± is the bootstrap standard error over photos ({RESAMPLES} resamples). "
        "docs/evaluation.md says what each row is.",
        f"`{values['command']}`, {values['date']}, weights {values['weights']}, "
        f"{values['hardware']}, threads: {values['threads']}.",
    ]
    table = table_lines("", tables["columns"], tables["ratios"])
    return "\n".join([*table, *(line for text in paragraphs for line in ("", text))])


def table_lines(corner: str, *tables: Table) -> list[str]:
    """Formats tables of the same columns as one Markdown table, one row per metric.

    Args:
        corner: header of the column of metric names.
        tables: one below the other.
    """
    names = list(tables[0])
    rows = [[corner, *names]]
    for table in tables:
        for metric in dict.fromkeys(metric for own in table.values() for metric in own):
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
