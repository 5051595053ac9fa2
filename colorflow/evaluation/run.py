"""`colorflow evaluate`: measures a weights file on a folder; writes JSON and a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from colorflow.device import one_thread
from colorflow.errors import printable
from colorflow.evaluation.bootstrap import RESAMPLES, Table
from colorflow.evaluation.columns import (
    MANY,
    PRINCIPAL,
    baseline_columns,
    columns_of,
    training_colors_of,
)
from colorflow.evaluation.evaluate import Evaluation, count_reasons, evaluate, photos_of
from colorflow.evaluation.report import (
    about_measurement,
    check_destination,
    format_estimate,
    json_text,
    table_lines,
    write_text,
)
from colorflow.files import json_kind, text_kind
from colorflow.model.weights import load_weights
from colorflow.training.trainer import keep_freed_memory

EVALUATION = json_kind("evaluation", "colorflow evaluate")
"""Kind of the JSON file."""
TABLE_OPENING = "<!-- Written by `colorflow evaluate`, which replaces this file as a whole. -->\n\n"
MARKDOWN = text_kind("table of an evaluation", TABLE_OPENING)
"""Kind of the Markdown file."""


@one_thread()
def run_evaluation(
    folder: Path,
    *,
    json_file: Path,
    markdown_file: Path | None,
    weights: Path,
    baselines: Path,
    limit: int | None,
    n: int,
    seed: int,
    degraded: bool,
    command: str,
) -> Evaluation:
    """Measures, writes the files, and prints the table; stderr gets progress and left-out files.

    Args:
        folder: color photos.
        json_file: for the numbers.
        markdown_file: for the table, or None.
        weights: a weights file.
        baselines: folder of the baselines' weights files.
        limit: largest number of photos, or None for all.
        n: as in `evaluate`.
        seed: as in `evaluate`.
        degraded: as in `evaluate`.
        command: repeats the measurement.

    Raises:
        EvaluationError: if there is nothing to measure, the judge is missing, or a file cannot be
            written.
        WeightsError: if the weights cannot be read.
    """
    keep_freed_memory()
    for path, kind in ((json_file, EVALUATION), (markdown_file, MARKDOWN)):
        check_destination(path, kind)  # before the long work
    loaded = load_weights(weights)
    files = photos_of(folder, limit)
    others = baseline_columns(baselines, say_above)
    evaluation = evaluate(
        files,
        [*columns_of(loaded), *others],
        blow_up_chroma=training_colors_of(loaded).blow_up_chroma,
        n=n,
        seed=seed,
        degraded=degraded,
        progress=partial(tqdm, unit="photo", desc="evaluate"),
        say=say_above,
    )
    about = about_measurement(loaded.digest, command)
    text = report_text(evaluation, about)
    write_text(json_file, as_json(evaluation, about), EVALUATION)
    if markdown_file:
        write_text(markdown_file, TABLE_OPENING + text, MARKDOWN)
    reasons = count_reasons(evaluation.left_out)
    print(text)
    print(f"{evaluation.photos} photos measured" + (f"; left out: {reasons}" if reasons else ""))
    return evaluation


def say_above(line: str) -> None:
    """Prints a line to stderr, above the progress bar."""
    tqdm.write(printable(line), file=sys.stderr)


def as_json(evaluation: Evaluation, about: Mapping[str, Any]) -> str:
    """Formats an evaluation as JSON; `about` as in `about_measurement`."""
    tables = {
        key: {
            name: {metric: asdict(estimate) for metric, estimate in own.items()}
            for name, own in table.items()
        }
        for key, table in evaluation.tables.items()
    }
    return json_text(
        {
            "photos": evaluation.photos,
            "seed": evaluation.seed,
            **tables,
            "samples": evaluation.n,
            "degraded": evaluation.degraded,
            "left_out": [asdict(item) for item in evaluation.left_out],
            **about,
        }
    )


def report_text(evaluation: Evaluation, about: Mapping[str, Any]) -> str:
    """Formats the table with its caption; `about` as in `about_measurement`."""
    tables, count = evaluation.tables, len(evaluation.left_out)
    table = table_lines("", tables["columns"], tables["ratios"])
    end = (
        f"`{about['command']}`, {about['date']}, weights {about['weights']}, {about['hardware']}, "
        f"{about['threads']} thread{'s' if about['threads'] > 1 else ''}, "
        f"{about['peak_megabytes']} MB at most"
        + (f"; {count} files left out, named in the JSON file." if count else ".")
    )
    paragraphs = [_caption(evaluation), *_levels(tables["bits_per_dim_by_level"]), end]
    return "\n".join([*table, *(line for text in paragraphs for line in ("", text)), ""])


def _caption(evaluation: Evaluation) -> str:
    n = evaluation.n
    lightness = "degraded" if evaluation.degraded else "as it is"
    return (
        f"{evaluation.photos} photos, lightness {lightness}; {n} samples of each photo, {MANY} for "
        f"rmse_mean{MANY}, coverage and blow_ups; ± is the bootstrap standard error over photos "
        f"({RESAMPLES} resamples). RMSE and variance: sRGB x 100 on the 64x64 grid with the "
        "photo's own lightness, root of the mean over photos; best per photo and best per pixel "
        "differ, and the means are means of ab. energy_score, diversity, inverse_error: CIELAB "
        "units. bits_per_dim: of the model at std 1, per CIELAB unit, with Gaussian noise of std 1 "
        "on every pixel. coverage: of ab per pixel, by ranks. map_coverage: share of ab in the "
        f"intervals of the uncertainty map that users see, from {MANY} samples at std 1 and the "
        "factors in the weights, nominally 0.5 and 0.9; no row if the weights hold none. "
        "colorfulness: Hasler & Suesstrunk. blow_ups: share of samples whose mean chroma only one "
        "of 1,000 training photos exceeds. judge and kd_lite2: EfficientNet-Lite2 on the first "
        "sample, 260x260, compared with the untouched photo; truth is the photo's own chroma "
        "through the 64x64 grid. seam_ratio: mean step of ab between neighboring cells across rows "
        "and columns 16, 32 and 48 of the grid, the borders of the coarsest cells, divided by that "
        "elsewhere; no value for one color everywhere. flat_steps, true_steps: mean step of ab "
        "between cells 6 apart where the truth's is below 3, and above 15, over the coloring's "
        "contrast. skin: where the weights find it and the true color can be that of skin, error "
        "of ab over gray's, share left gray (chroma below 8, above 11 in truth), and share that "
        f"glows (12 above the truth). psnr: of sRGB at 256x256, dB; psnr_mean{MANY}: of the mean. "
        "tint_by_seed: of "
        f"the variance of a photo's mean ab between the samples of seeds 0 to {MANY - 1} of "
        "`colorize`, the share that the seed explains on all photos alike, 0 by chance. principal: "
        f"the mean (first) and its {PRINCIPAL - 1} largest clusters; rmse_one is that of one of "
        f"them at random, rmse_best{n}_photo the best of {n}; shares_off_by: largest difference, "
        "in points, between their shares and how often the truth is nearest to them, in five "
        "bins. seconds_per_sample: wall time, many samples of one photo at once, without the "
        "frozen features, which all columns share."
    )


def _levels(table: Table) -> list[str]:
    """Formats bits/dim by level, once for the columns that share a density."""
    names: dict[str, list[str]] = {}
    for name, levels in table.items():
        text = ", ".join(f"{level}: {format_estimate(value)}" for level, value in levels.items())
        names.setdefault(text, []).append(name)
    return [
        f"bits/dim by the grid that a level completes, {' and '.join(own)}, with the noise on the "
        f"pixels alone: {text}."
        for text, own in names.items()
    ]
