"""`colorflow evaluate-enlarge`: measures enlarging on a folder; writes JSON and a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.contact_sheet import row_of, write_contact_sheet
from colorflow.enlarge.damage import damage
from colorflow.enlarge.weights import load_enlarge_weights
from colorflow.errors import EvaluationError, PhotoError
from colorflow.evaluation.bootstrap import (
    Bootstrap,
    Estimate,
    Table,
    mean_of,
    mean_of_pairs,
    ratio_of,
)
from colorflow.evaluation.enlarge.columns import (
    Lightness,
    columns_of,
    columns_of_damaged,
    densities_of,
)
from colorflow.evaluation.enlarge.measure import (
    OCTAVES,
    SAMPLES,
    SIDE,
    Measures,
    measure,
    measures_of,
    measures_of_density,
    reduced,
    square_of,
)
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.judge import Judge
from colorflow.evaluation.metrics import kernel_terms
from colorflow.evaluation.report import (
    about_measurement,
    check_destination,
    json_text,
    progress_bar,
    say_above,
    table_lines,
    write_text,
)
from colorflow.files import json_kind, picture_kind
from colorflow.photo import read_photo
from colorflow.training.allocator import keep_freed_memory

EVALUATION = json_kind("evaluation of enlarging", "colorflow evaluate-enlarge")
SHEET = picture_kind("contact sheet of enlarging")
_SHEET_ROWS = 12
_GAP = 4
_TRUTH = "truth"


def run_enlarge_evaluation(
    folder: Path,
    *,
    scale: int,
    json_file: Path,
    sheet_file: Path | None,
    weights: Path,
    srflow_run: Path | None,
    damaged: bool,
    limit: int | None,
    seed: int,
    command: str,
) -> Table:
    """Measures, writes the files, and prints the table.

    Args:
        folder: photos; the middle 256x256 pixels of each are measured, smaller ones left out.
        scale: 2 or 4.
        json_file: for the numbers.
        sheet_file: for the squares at 100 %, or None.
        weights: an enlarging weights file.
        srflow_run: of `colorflow train-enlarge srflow`, or None.
        damaged: whether the low resolution has blur, noise and compression, as in training; then
            the doubling that restores is measured.
        limit: largest number of photos, or None for all.
        seed: of samples and noise.
        command: repeats the measurement.

    Raises:
        EvaluationError: if there is nothing to measure, the judge is missing, or a file cannot be
            written.
        WeightsError: if the weights cannot be read, or cannot restore what is damaged.
        TrainingError: if SRFlow's architecture is not trained.
    """
    keep_freed_memory()
    check_destination(json_file, EVALUATION)
    check_destination(sheet_file, SHEET)
    judge, loaded = Judge(), load_enlarge_weights(weights)
    if damaged:
        columns = columns_of_damaged(scale, loaded)
    else:
        columns = columns_of(scale, loaded, SIDE, srflow_run)
    has_density = scale == 2 and not damaged
    densities = densities_of(loaded, SIDE, srflow_run) if has_density else {}
    names = [*(column.name for column in columns), _TRUTH]
    records: dict[str, list[Measures]] = {name: [] for name in names}
    of_densities: dict[str, list[dict[str, float]]] = {name: [] for name in densities}
    rows, left_out = [], []
    files = photos_of(folder, limit)
    every = max(1, -(-len(files) // _SHEET_ROWS))
    for number, file in enumerate(progress_bar("evaluate-enlarge")(files)):
        try:
            truth = _square(file)
        except PhotoError as error:
            say_above(str(error))
            left_out.append(str(file))
            continue
        generator, low = torch.Generator().manual_seed(seed + number), reduced(truth, scale)
        if damaged:
            low = damage(low, np.random.default_rng(seed + number))
        shown = [np.repeat(np.repeat(low, scale, 0), scale, 1)]
        for column in columns:
            measures, samples = measure(column, low, truth, generator, judge)
            records[column.name].append(measures)
            shown.append(samples[0])
        records[_TRUTH].append(measures_of(truth[None], truth, scale, judge))
        for name, density in densities.items():
            of_densities[name].append(measures_of_density(density, truth, generator))
        if (len(records[_TRUTH]) - 1) % every == 0:
            rows.append(row_of([_picture(one) for one in [*shown, truth]], _GAP))
    if not records[_TRUTH]:
        raise EvaluationError(f"{folder}: no photo of at least {SIDE} x {SIDE} pixels")
    table = table_of(records, of_densities, seed)
    about = about_measurement(loaded.digest, command)
    settings = {
        "scale": scale,
        "damaged": damaged,
        "photos": len(records[_TRUTH]),
        "samples": SAMPLES,
        "seed": seed,
    }
    about |= {**settings, "left_out": left_out}
    write_text(json_file, _as_json(table, about), EVALUATION)
    if sheet_file is not None:
        write_contact_sheet(sheet_file, rows, _GAP, SHEET)
    print("\n".join(table_lines(f"x{scale}", table)))
    print(f"{settings['photos']} photos measured, {len(left_out)} left out")
    return table


def table_of(
    records: Mapping[str, Sequence[Measures]],
    of_densities: Mapping[str, Sequence[Mapping[str, float]]],
    seed: int,
) -> Table:
    """Means over photos with their standard errors, by column and metric.

    Args:
        records: of every column and of the truth, photo by photo.
        of_densities: by the beginning of a random column's name, photo by photo.
        seed: of the bootstrap.
    """
    truth = records[_TRUTH]
    bootstrap = Bootstrap(len(truth), seed)
    true_features = np.stack([one.features for one in truth])
    table: Table = {}
    for name, measured in records.items():
        own: dict[str, Estimate] = {}
        for metric in measured[0].values:
            values = np.array([one.values[metric] for one in measured])
            own[metric] = bootstrap.estimate(mean_of(values))
        for octave in range(OCTAVES):
            ours, true = (
                np.array([one.spectrum[octave] for one in some]) for some in (measured, truth)
            )
            own[f"power_octave_{octave + 1}"] = bootstrap.estimate(
                ratio_of(mean_of(ours), mean_of(true))
            )
        if len(truth) > 1:
            terms = kernel_terms(true_features, np.stack([one.features for one in measured]))
            own["kd_lite2"] = bootstrap.estimate(mean_of_pairs(terms))
        table[name] = own
    for name, per_photo in of_densities.items():
        last = [column for column in table if column.startswith(name)][-1]
        for metric in per_photo[0]:
            values = np.array([one[metric] for one in per_photo])
            table[last][metric] = bootstrap.estimate(mean_of(values))
    return table


def _square(file: Path) -> Lightness:
    lightness = lightness_of(read_photo(file, isolated=True).pixels)
    if min(lightness.shape) < SIDE:
        raise PhotoError(file, f"is smaller than {SIDE} x {SIDE} pixels; left out")
    return square_of(lightness)


def _picture(lightness: Lightness) -> NDArray[np.uint8]:
    return render(np.ascontiguousarray(lightness), np.zeros((2, 1, 1), np.float32))


def _as_json(table: Table, about: Mapping[str, Any]) -> str:
    columns = {
        name: {metric: asdict(estimate) for metric, estimate in own.items()}
        for name, own in table.items()
    }
    return json_text({"columns": columns, **about})
