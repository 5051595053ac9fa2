"""`colorflow evaluate`: from a folder and a weights file to the files that report on them."""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from colorflow.comparison.table import hardware
from colorflow.errors import EvaluationError
from colorflow.evaluation.columns import baseline_columns, columns_of, training_colors_of
from colorflow.evaluation.evaluate import Evaluation, LeftOut, evaluate, photos_of
from colorflow.evaluation.report import (
    EVALUATION,
    TABLE,
    TABLE_OPENING,
    as_json,
    as_markdown,
    to_text,
    write_text,
)
from colorflow.evaluation.sheet import SHEET, Sheet
from colorflow.files import FileKind, check_replaceable
from colorflow.model.weights import load_weights
from colorflow.training.allocator import keep_freed_memory

_SHEET_SUFFIXES = (".jpg", ".jpeg", ".png")


def run_evaluation(
    folder: Path,
    *,
    json_file: Path,
    markdown_file: Path | None,
    sheet_file: Path | None,
    weights: Path,
    baselines: Path,
    limit: int | None,
    draws: int,
    seed: int,
    degraded: bool,
    command: str,
) -> Evaluation:
    """Measures, writes the files, and prints the table; progress and files left out go to stderr.

    Args:
        folder: color photos.
        json_file: where the numbers go.
        markdown_file: where the table goes, if anywhere.
        sheet_file: where the contact sheet goes, if anywhere.
        weights: a weights file.
        baselines: folder of the baselines' weights files.
        limit: so many photos, or None for all.
        draws: as in `evaluate`.
        seed: as in `evaluate`.
        degraded: as in `evaluate`.
        command: what gives the same numbers again.

    Raises:
        EvaluationError: if there is nothing to measure, the judge is missing, or a file cannot be
            written.
        WeightsError: if the weights cannot be read.
    """
    tqdm = progress_bar()
    keep_freed_memory()
    if sheet_file and sheet_file.suffix.lower() not in _SHEET_SUFFIXES:
        raise EvaluationError(f"{sheet_file}: choose one of {', '.join(_SHEET_SUFFIXES)}")
    files_to_write = ((json_file, EVALUATION), (markdown_file, TABLE), (sheet_file, SHEET))
    for path, kind in files_to_write:
        check_place(path, kind)  # before the long work

    def say(line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    loaded = load_weights(weights)
    files = photos_of(folder, limit)
    rivals = baseline_columns(baselines, say)
    sheet = Sheet(len(files)) if sheet_file else None
    evaluation = evaluate(
        files,
        [*columns_of(loaded), *rivals],
        largest_chroma=training_colors_of(loaded).blow_up_chroma,
        draws=draws,
        seed=seed,
        degraded=degraded,
        progress=lambda paths: tqdm(paths, unit="photo", desc="evaluate"),
        say=say,
        show=sheet.add if sheet else None,
    )
    about = about_run(loaded.digest, command)
    write_text(json_file, to_text(as_json(evaluation, about)), EVALUATION)
    table = as_markdown(evaluation, about)
    if markdown_file:
        write_text(markdown_file, TABLE_OPENING + table, TABLE)
    if sheet and sheet_file:
        sheet.write(sheet_file)
    print(table)
    print(summary(evaluation.photos, evaluation.left_out))
    return evaluation


def about_run(digest: str, command: str) -> dict[str, Any]:
    """How numbers came about: the end of a run tells it, when memory has had its peak."""
    return {
        "weights": digest,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(),
        "threads": torch.get_num_threads(),
        "peak_megabytes": _peak_megabytes(),
    }


def summary(photos: int, left_out: Sequence[LeftOut]) -> str:
    """One line: how many photos were measured, and how many were not."""
    counts = Counter(item.why for item in left_out)
    text = ", ".join(f"{count} {why}" for why, count in sorted(counts.items()))
    return f"{photos} photos measured" + (f"; left out: {text}" if text else "")


def _peak_megabytes() -> int | None:
    """The most memory that this process has had, in 10^6 bytes; None where nobody counts it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)


def check_place(path: Path | None, kind: FileKind) -> None:
    """Raises `EvaluationError` unless a file of a kind can be made there, if anywhere."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_replaceable(path, kind)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror})") from error


def progress_bar() -> Any:
    """tqdm's class.

    Raises:
        EvaluationError: if it is not installed.
    """
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise EvaluationError(
            "tqdm, which shows the progress, is missing; "
            "install it with `pip install 'colorflow[eval]'`"
        ) from error
    return tqdm
