"""`colorflow evaluate-hints`: from a folder and a weights file to the files that report on them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from colorflow.errors import EvaluationError
from colorflow.evaluation.bootstrap import RESAMPLES
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.hint_curve import FAR_CELLS, KEPT_WITHIN, QUANTILE, HintCurve, hint_curve
from colorflow.evaluation.hint_plot import PLOT, PLOT_SUFFIXES, figure_class, write_plot
from colorflow.evaluation.report import origin, plain, table_lines, to_text, write_text
from colorflow.evaluation.run import about_run, check_place, progress_bar, summary
from colorflow.files import json_kind
from colorflow.model.hints import REACH_CELLS
from colorflow.model.weights import load_weights
from colorflow.training.allocator import keep_freed_memory

HINT_CURVE = json_kind("hint curve", "colorflow evaluate-hints")
"""Of the JSON file."""


def run_hint_curve(
    folder: Path,
    *,
    json_file: Path,
    plot_file: Path | None,
    weights: Path,
    limit: int | None,
    draws: int,
    seed: int,
    command: str,
) -> HintCurve:
    """Measures, writes the files, and prints the table; progress and files left out go to stderr.

    Args:
        folder: color photos.
        json_file: where the numbers go.
        plot_file: where the curve goes, if anywhere.
        weights: a weights file.
        limit: so many photos, or None for all.
        draws: as in `hint_curve`.
        seed: as in `hint_curve`.
        command: what gives the same numbers again.

    Raises:
        EvaluationError: if the weights take no hints, there is nothing to measure, a package is
            missing, or a file cannot be written.
        WeightsError: if the weights cannot be read.
    """
    tqdm = progress_bar()
    keep_freed_memory()
    if plot_file:
        figure_class()  # before the long work
        if plot_file.suffix.lower() not in PLOT_SUFFIXES:
            raise EvaluationError(f"{plot_file}: choose one of {', '.join(PLOT_SUFFIXES)}")
    check_place(json_file, HINT_CURVE)
    check_place(plot_file, PLOT)
    loaded = load_weights(weights)
    if not loaded.pyramid.config.takes_hints:
        raise EvaluationError(
            f"{weights}: takes no color hints, so there is nothing to measure; "
            "choose weights trained with `colorflow train --hints`"
        )
    curve = hint_curve(
        photos_of(folder, limit),
        loaded,
        draws=draws,
        seed=seed,
        progress=lambda paths: tqdm(paths, unit="photo", desc="evaluate-hints"),
        say=lambda line: tqdm.write(line, file=sys.stderr),
    )
    about = about_run(loaded.digest, command)
    write_text(json_file, to_text(as_json(curve, about)), HINT_CURVE)
    if plot_file:
        write_plot(curve, plot_file)
    print(as_markdown(curve, about))
    print(summary(curve.photos, curve.left_out))
    return curve


def as_json(curve: HintCurve, about: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for JSON; `about` as in `about_run`."""
    return {
        "photos": curve.photos,
        "seed": curve.seed,
        "weights": about["weights"],
        "hints": plain(curve.columns),
        "draws": curve.draws,
        "left_out": [asdict(item) for item in curve.left_out],
        **about,
    }


def as_markdown(curve: HintCurve, about: Mapping[str, Any]) -> str:
    """The table, a row a metric and a column a number of hints, with what it needs to be read."""
    lines = table_lines("hints", curve.columns)
    end = origin(about, len(curve.left_out))
    return "\n".join([*lines, "", _caption(curve), "", end, ""])


def _caption(curve: HintCurve) -> str:
    near = f"within {REACH_CELLS} cells of the 64x64 grid"
    return (
        f"{curve.photos} photos, {curve.draws} draws each at the shipped schedule; ± is the "
        f"bootstrap standard error over photos ({RESAMPLES} resamples), and what photos have in "
        "common cancels between numbers of hints: hints are points of the photo's true color at "
        "random places, fewer are the first of more, and random numbers are the same. "
        "RMSE: sRGB x 100 on the 64x64 grid with the photo's own lightness, root of the mean over "
        "photos (rmse_one: over draws too). energy_score, diversity: CIELAB units. bits_per_dim: "
        "of the model at std 1 given the hints, per CIELAB unit, with Gaussian noise of std 1 on "
        f"every pixel. hint_error: distance in ab of pixels {near} from the hint's color, as sRGB "
        "shows it at the pixel's lightness, of pictures in the photo's own size; mean and "
        f"{QUANTILE:.0%} quantile. hints_kept: share of hints from which no such pixel of any draw "
        f"is further than {KEPT_WITHIN:g}. Colors may end beside a point, so the same is told "
        "of the photo's own chroma through the grid (of_truth, by_truth); like_truth: of the "
        "hints that the truth keeps, the share that the draws keep too. far_diversity_ratio: "
        f"diversity of cells more than {FAR_CELLS} cells away from the hint, divided by that of "
        "the same cells without it."
    )
