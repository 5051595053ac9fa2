"""Evaluations of a few columns, and their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from colorflow.evaluation.columns import Column, constant
from colorflow.evaluation.evaluate import Evaluation, Table, evaluate

WARM = constant("warm", (3.0, 4.0))


def run(files: list[Path], columns: list[Column], **options: Any) -> Evaluation:
    return evaluate(files, columns, **{"blow_up_chroma": 70.0, "say": str, **options})


def numbers(table: Table) -> dict[tuple[str, str], tuple[float, float | None]]:
    return {
        (name, metric): (estimate.value, estimate.stderr)
        for name, own in table.items()
        for metric, estimate in own.items()
        if metric != "seconds_per_sample"
    }
