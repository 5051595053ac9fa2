"""`colorflow zoo table`: measures all trained architectures; writes JSON, Markdown and a figure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from colorflow.errors import EvaluationError, TrainingError
from colorflow.evaluation.densities import ConditionalDensity
from colorflow.evaluation.report import (
    about_run,
    check_destination,
    json_text,
    markdown_table,
    origin,
    write_text,
)
from colorflow.evaluation.zoo.figure import FIGURE, write_figure
from colorflow.evaluation.zoo.measure import Row, load_trained, measure
from colorflow.evaluation.zoo.train import run_description
from colorflow.files import json_kind
from colorflow.training.loop import choose_device
from colorflow.training.pack import Pack
from colorflow.training.run_folder import RunFolder, has_state
from colorflow.training.trainer import TrainConfig
from colorflow.zoo import ARCHITECTURES

BEGIN = "<!-- table: written by `colorflow zoo table` -->"
END = "<!-- end of table -->"
COMMAND = "colorflow zoo table RUN PACK -o docs"
ROWS = json_kind("table of the zoo", "colorflow zoo table")
"""Kind of zoo.json."""


def write_table(
    run_folder: Path,
    pack_folder: Path,
    output: Path,
    *,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Measures all trained architectures of a run and writes zoo.json, zoo.md and zoo.jpg.

    Text around the two marker comments of an existing zoo.md stays.

    Args:
        run_folder: of `colorflow zoo train`.
        pack_folder: the pack to measure on; its photos are not shown.
        output: folder for the three files.
        seed: of the samples in the figure.
        say: gets one line per architecture.

    Returns:
        The rows, best on dev first.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if nothing is trained or a checkpoint is damaged.
        EvaluationError: if a file cannot be written.
    """
    config = read_config(run_folder)
    pack = Pack(pack_folder)
    document = _read_document(output / "zoo.md")  # before the long work
    keys = [key for key, value in ARCHITECTURES.items() if value.images]
    if not any(has_state(run_folder, key) for key in keys):
        raise TrainingError(
            f"{run_folder}: no architecture is trained; "
            f"train one with `colorflow zoo train NAME PACK -o {run_folder}`"
        )
    check_destination(output / "zoo.json", ROWS)
    check_destination(output / "zoo.jpg", FIGURE)
    rows: list[Row] = []
    densities: dict[str, ConditionalDensity] = {}
    for key in keys:
        trainer = load_trained(key, pack, run_folder, config, choose_device())
        if trainer is None:
            say(f"{key}: not trained in {run_folder}, left out")
            continue
        row = measure(key, trainer)
        rows.append(row)
        densities[row.name] = trainer.ema  # type: ignore[assignment]
        say(
            f"{key}: dev {_number(row.bits_per_dim_dev)} bits/dim, "
            f"{row.seconds_per_step:.3f} s a step, {row.seconds_per_sample:.3f} s a sample"
        )
    rows.sort(key=lambda row: (row.bits_per_dim_dev is None, row.bits_per_dim_dev or 0.0))
    about = _about(config, seed)
    write_text(output / "zoo.json", json_text([asdict(row) | about for row in rows]), ROWS)
    write_text(output / "zoo.md", insert_table(document, markdown(rows, about)), None)
    ordered = {row.name: densities[row.name] for row in rows}
    write_figure(rows, ordered, output / "zoo.jpg", seed=seed, say=say)
    return rows


def read_config(run_folder: Path) -> TrainConfig:
    """Reads the settings of a run of `colorflow zoo train`.

    Raises:
        TrainingError: if the folder holds none.
    """
    path = run_folder / "config.json"
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        config = TrainConfig(**written["train"])
        written["task"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise TrainingError(
            f"{run_folder}: no run of `colorflow zoo train` here ({type(error).__name__})"
        ) from error
    RunFolder(run_folder, run_description(config))  # refuses a run of another task
    return config


def insert_table(document: str, table: str) -> str:
    """Puts the table between the two markers, or at the end with markers if there are none."""
    block = f"{BEGIN}\n\n{table}\n{END}"
    if BEGIN not in document:
        return f"{document.rstrip()}\n\n{block}\n".lstrip()
    before, _, following = document.partition(BEGIN)
    _, _, after = following.partition(END)
    return before + block + after


def markdown(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """Formats the table with its units, photos, command, hardware and date."""
    header = (
        "architecture", "parameters", "bits/dim train", "bits/dim dev", "s a step", "s a sample",
        "inverse error", "minutes", "steps", "notes",
    )  # fmt: skip
    caption = (
        f"Parameters are those of the flow; the context network, {rows[0].context_parameters:,} "
        "more, is the same for all. bits/dim: density per CIELAB unit of the chroma means on the "
        "16x16 grid with Gaussian noise of std 1 unit on each, on up to "
        f"{max(row.photos for row in rows)} photos a split; ± is the standard error over photos. "
        f"A step is a batch of {about['batch']}, without reading the photos; a sample is one photo "
        "alone, with the context network and without the frozen features. Inverse error: the "
        "largest |x - inverse(forward(x))| in CIELAB units, float32. Minutes: processor time of "
        "the training steps per thread."
    )
    end = (
        f"{origin(about)}, seed {about['seed']}; training: batch {about['batch']}, rate "
        f"{about['rate']:g}, seed {about['training_seed']}."
    )
    table = markdown_table([header, *map(_cells, rows)])
    return "\n".join([*table, "", caption, "", end, ""])


def _cells(row: Row) -> list[str]:
    inverse = "none" if row.inverse_error is None else f"{row.inverse_error:.0e}"
    return [
        row.name,
        f"{row.parameters:,}",
        _number(row.bits_per_dim_train),
        f"{_number(row.bits_per_dim_dev)} ± {_number(row.standard_error_dev)}",
        f"{row.seconds_per_step:.3f}",
        f"{row.seconds_per_sample:.3f}",
        inverse,
        f"{row.minutes:.1f}",
        f"{row.steps:,}",
        "; ".join(row.notes),
    ]


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"


def _about(config: TrainConfig, seed: int) -> dict[str, Any]:
    """What all rows have in common."""
    return {
        "batch": config.batch,
        "rate": config.peak_rate,
        "training_seed": config.seed,
        **about_run(f"{COMMAND} --seed {seed}"),
        "threads": torch.get_num_threads(),
        "seed": seed,
    }


def _read_document(path: Path) -> str:
    """Reads the Markdown file; a title if there is none.

    Raises:
        EvaluationError: if it cannot be read, or its markers are not a pair.
    """
    if not path.exists():
        return "# The zoo, compared\n"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: cannot be read ({error})") from error
    found = [text.count(BEGIN), text.count(END)]
    if found not in ([0, 0], [1, 1]) or (found[0] and text.index(END) < text.index(BEGIN)):
        raise EvaluationError(
            f"{path}: expected the comment {BEGIN!r} once and {END!r} once after it, or neither; "
            "restore or remove them"
        )
    return text
