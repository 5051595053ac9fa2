"""`colorflow zoo table`: every trained architecture measured, as JSON, Markdown and a figure."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from colorflow.comparison.figure import FIGURE, write_figure
from colorflow.comparison.measure import Row, load_trained, measure
from colorflow.comparison.train import run_recipe
from colorflow.errors import TrainingError
from colorflow.files import FileKind, check_replaceable, json_kind, write_whole
from colorflow.model.density import ConditionalDensity
from colorflow.training.loop import choose_device
from colorflow.training.pack import Pack
from colorflow.training.run_folder import RunFolder
from colorflow.training.trainer import TrainConfig
from colorflow.zoo import ARCHITECTURES

BEGIN = "<!-- table: written by `colorflow zoo table` -->"
END = "<!-- end of table -->"
COMMAND = "colorflow zoo table RUN PACK -o docs"
ROWS = json_kind("table of the zoo", "colorflow zoo table")
"""Of zoo.json."""


def write_table(
    run_folder: Path,
    pack_folder: Path,
    output: Path,
    *,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Measures all trained architectures of a run and writes zoo.json, zoo.md and zoo.jpg.

    Prose in an existing zoo.md around the two marker comments stays as it is.

    Args:
        run_folder: of `colorflow zoo train`.
        pack_folder: the pack; its photos are measured on and not shown.
        output: folder for the three files.
        seed: of the samples in the figure.
        say: gets one line an architecture.

    Returns:
        The rows, best on dev first.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if nothing is trained, a checkpoint is damaged, or a file cannot be written.
    """
    config = read_recipe(run_folder)
    pack = Pack(pack_folder)
    document = _document(output / "zoo.md")  # before the long work
    for name, kind in (("zoo.json", ROWS), ("zoo.jpg", FIGURE)):
        check_file(output / name, kind)
    rows: list[Row] = []
    densities: dict[str, ConditionalDensity] = {}
    for key, architecture in ARCHITECTURES.items():
        if not architecture.images:
            continue
        trainer = load_trained(key, pack, run_folder, config, choose_device())
        if trainer is None:
            say(f"{key}: not trained in {run_folder}, left out")
            continue
        row = measure(key, trainer)
        rows.append(row)
        densities[architecture.name] = trainer.ema  # type: ignore[assignment]
        say(
            f"{key}: dev {_number(row.bits_per_dim_dev, 3)} bits/dim, "
            f"{row.seconds_per_step:.3f} s a step, {row.seconds_per_sample:.3f} s a sample"
        )
    if not rows:
        raise TrainingError(
            f"{run_folder}: no architecture is trained; "
            f"train one with `colorflow zoo train NAME PACK -o {run_folder}`"
        )
    rows.sort(key=lambda row: (row.bits_per_dim_dev is None, row.bits_per_dim_dev or 0.0))
    about = _about(config, seed)
    objects = [asdict(row) | about for row in rows]
    try:
        output.mkdir(parents=True, exist_ok=True)
        text = json.dumps(objects, indent=1, allow_nan=False) + "\n"
        write_whole(output / "zoo.json", text.encode(), ROWS)
        edited = insert_table(document, markdown(rows, about))
        write_whole(output / "zoo.md", edited.encode(), None)  # all else in it is kept
        ordered = {row.name: densities[row.name] for row in rows}
        write_figure(rows, ordered, output / "zoo.jpg", seed=seed, say=say)
    except OSError as error:
        raise TrainingError(f"{output}: the table cannot be written ({error})") from error
    return rows


def check_file(path: Path, kind: FileKind) -> None:
    """Raises `TrainingError` where a file of a kind must not be written."""
    try:
        check_replaceable(path, kind)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({error.strerror})") from error


def read_recipe(run_folder: Path) -> TrainConfig:
    """The recipe of a run of `colorflow zoo train`.

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
    RunFolder(run_folder, run_recipe(config))  # refuses that of another task
    return config


def insert_table(document: str, table: str) -> str:
    """Puts the table between the two markers, or with them at the end if there are none."""
    block = f"{BEGIN}\n\n{table}\n{END}"
    if BEGIN not in document:
        return f"{document.rstrip()}\n\n{block}\n".lstrip()
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + block + after


def markdown(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """The table with what it needs to be read: units, photos, command, hardware, date."""
    head = (
        "| architecture | parameters | bits/dim train | bits/dim dev | s a step | s a sample "
        "| inverse error | minutes | steps | notes |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    lines = [
        f"| {row.name} | {row.parameters:,} | {_number(row.bits_per_dim_train, 3)} "
        f"| {_number(row.bits_per_dim_dev, 3)} ± {_number(row.standard_error_dev, 3)} "
        f"| {row.seconds_per_step:.3f} | {row.seconds_per_sample:.3f} "
        f"| {_scientific(row.inverse_error)} | {row.minutes:.1f} | {row.steps:,} "
        f"| {'; '.join(row.notes)} |"
        for row in rows
    ]
    context = rows[0].context_parameters
    caption = (
        f"Parameters are those of the flow; the context network, {context:,} more, is the same "
        "for all. bits/dim: density per CIELAB unit of the chroma means on the 16x16 grid with "
        "Gaussian noise of std 1 unit on each, on up to "
        f"{max(row.photos for row in rows)} photos a split; ± is the standard error over photos. "
        f"A step is a batch of {about['batch']}, without reading the photos; a sample is one photo "
        "alone, context network included, the frozen features not. Inverse error: the largest "
        "|x - inverse(forward(x))| in CIELAB units, float32. Minutes: processor time of the "
        "training steps a thread."
    )
    origin = (
        f"`{about['command']}`, {about['date']}, {about['hardware']}, "
        f"{about['threads']} thread{'s' if about['threads'] > 1 else ''}, seed {about['seed']}; "
        f"training: batch {about['batch']}, rate {about['rate']:g}, seed {about['training_seed']}."
    )
    return "\n".join([head, *lines, "", caption, "", origin, ""])


def hardware() -> str:
    """The processor's name and how many it has; the GPU's, if that is what computes."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # no Linux
    return f"{name}, {os.cpu_count()} cores"


def _about(config: TrainConfig, seed: int) -> dict[str, Any]:
    """What all rows have in common."""
    return {
        "batch": config.batch,
        "rate": config.peak_rate,
        "training_seed": config.seed,
        "command": f"{COMMAND} --seed {seed}",
        "hardware": hardware(),
        "threads": torch.get_num_threads(),
        "date": datetime.date.today().isoformat(),
        "seed": seed,
    }


def _document(path: Path) -> str:
    """The Markdown file as it is, a title if there is none."""
    if not path.exists():
        return "# The zoo, compared\n"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: cannot be read ({error})") from error
    found = [text.count(BEGIN), text.count(END)]
    if found not in ([0, 0], [1, 1]) or (found[0] and text.index(END) < text.index(BEGIN)):
        raise TrainingError(
            f"{path}: expected the comment {BEGIN!r} once and {END!r} once after it, or neither; "
            "restore or remove them"
        )
    return text


def _number(value: float | None, digits: int) -> str:
    return "not finite" if value is None else f"{value:.{digits}f}"


def _scientific(value: float | None) -> str:
    return "none" if value is None else f"{value:.0e}"
