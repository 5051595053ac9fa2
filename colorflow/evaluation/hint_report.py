"""`colorflow evaluate-hints`: measures color hints; writes JSON, a table and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from colorflow.errors import EvaluationError
from colorflow.evaluation.bootstrap import RESAMPLES
from colorflow.evaluation.evaluate import Evaluation, photos_of
from colorflow.evaluation.hint_curve import (
    FAR_CELLS,
    KEPT_WITHIN,
    QUANTILE,
    QUANTILE_METRIC,
    hint_curve,
)
from colorflow.evaluation.report import (
    about_measurement,
    as_json,
    as_markdown,
    check_destination,
    figure_class,
    print_report,
    progress_bar,
    save_figure,
    say_above,
    table_lines,
    write_text,
)
from colorflow.files import json_kind, picture_kind
from colorflow.model.hints import REACH_CELLS
from colorflow.model.weights import load_weights
from colorflow.threads import one_thread
from colorflow.training.allocator import keep_freed_memory

HINT_CURVE = json_kind("hint curve", "colorflow evaluate-hints")
"""Kind of the JSON file."""
PLOT_SUFFIXES = (".png", ".svg")
PLOT = picture_kind("plot of a hint curve")

_ERRORS = {
    "rmse_one": ("one sample", "o-", "#1b6ca8"),
    "rmse_mean": ("mean of {n} samples", "s-", "#5b8c5a"),
}
_DISTANCES = {
    "hint_error_mean": ("mean", "o-", "#1b6ca8"),
    QUANTILE_METRIC: (f"{QUANTILE:.0%} quantile", "s-", "#d1495b"),
}


@one_thread()
def run_hint_curve(
    folder: Path,
    *,
    json_file: Path,
    plot_file: Path | None,
    weights: Path,
    limit: int | None,
    n: int,
    seed: int,
    command: str,
) -> Evaluation:
    """Measures, writes the files, and prints the table; stderr gets progress and left-out files.

    Args:
        folder: color photos.
        json_file: for the numbers.
        plot_file: for the curve, or None.
        weights: a weights file.
        limit: largest number of photos, or None for all.
        n: as in `hint_curve`.
        seed: as in `hint_curve`.
        command: repeats the measurement.

    Raises:
        EvaluationError: if the weights take no hints, there is nothing to measure, a package is
            missing, or a file cannot be written.
        WeightsError: if the weights cannot be read.
    """
    progress = progress_bar("evaluate-hints")
    keep_freed_memory()
    if plot_file:
        figure_class()  # before the long work
        if plot_file.suffix.lower() not in PLOT_SUFFIXES:
            raise EvaluationError(f"{plot_file}: choose one of {', '.join(PLOT_SUFFIXES)}")
    check_destination(json_file, HINT_CURVE)
    check_destination(plot_file, PLOT)
    loaded = load_weights(weights)
    if not loaded.pyramid.config.takes_hints:
        raise EvaluationError(
            f"{weights}: takes no color hints, so there is nothing to measure; "
            "choose weights trained with `colorflow train --hints`"
        )
    files = photos_of(folder, limit)
    curve = hint_curve(files, loaded, n=n, seed=seed, progress=progress, say=say_above)
    about = about_measurement(loaded.digest, command)
    table = table_lines("hints", curve.tables["hints"])
    text = as_markdown(table, [_caption(curve)], curve, about)
    write_text(json_file, as_json(curve, about), HINT_CURVE)
    if plot_file:
        write_plot(curve, plot_file)
    print_report(text, curve)
    return curve


def write_plot(curve: Evaluation, path: Path) -> None:
    """Plots errors, and distances from the hints, against the number of hints.

    Args:
        curve: the measurements.
        path: a file whose name ends in one of `PLOT_SUFFIXES`.

    Raises:
        EvaluationError: if Matplotlib is missing, or the file cannot be written.
    """
    figure = figure_class()(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _plot(left, curve, _ERRORS)
    left.set_ylabel("RMSE, sRGB x 100")
    _plot(right, curve, _DISTANCES)
    right.axhline(KEPT_WITHIN, color="#777777", linestyle=":", label="promised at most")
    right.set_ylabel("distance in ab near hints")
    for axis in (left, right):
        axis.set_xlabel("hints")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    figure.suptitle(f"{curve.photos} photos, hints of their true colors", fontsize="medium")
    save_figure(figure, path, PLOT, dpi=120)


def _plot(axis: Any, curve: Evaluation, lines: dict[str, tuple[str, str, str]]) -> None:
    """Plots metrics with their standard errors; the numbers of hints are evenly spaced."""
    for metric, (label, style, color) in lines.items():
        counts = [count for count, own in curve.tables["hints"].items() if metric in own]
        estimates = [curve.tables["hints"][count][metric] for count in counts]
        axis.errorbar(
            counts,
            [estimate.value for estimate in estimates],
            yerr=[estimate.stderr or 0.0 for estimate in estimates],
            fmt=style,
            color=color,
            capsize=2,
            markersize=4,
            label=label.format(n=curve.n),
        )


def _caption(curve: Evaluation) -> str:
    near = f"within {REACH_CELLS} cells of the 64x64 grid"
    return (
        f"{curve.photos} photos, {curve.n} samples each at the shipped temperatures. ± is the "
        f"bootstrap standard error over photos ({RESAMPLES} resamples); what photos have in common "
        "cancels between numbers of hints, since hints are points of the photo's true color at "
        "random positions, fewer hints are the first of more, and the random numbers are the same. "
        "RMSE: sRGB x 100 on the 64x64 grid with the photo's own lightness, root of the mean over "
        "photos (rmse_one: over samples too). energy_score, diversity: CIELAB units. bits_per_dim: "
        "of the model at std 1 given the hints, per CIELAB unit, with Gaussian noise of std 1 on "
        f"every pixel. hint_error: distance in ab of pixels {near} from the hint's color, as sRGB "
        "shows it at the pixel's lightness, of pictures in the photo's own size; mean and "
        f"{QUANTILE:.0%} quantile. hints_kept: share of hints from which no such pixel of any "
        f"sample is further than {KEPT_WITHIN:g}. Colors may end beside a point, so of_truth and "
        "by_truth tell the same of the photo's own chroma through the grid; like_truth: of the "
        "hints that the truth keeps, the share that the samples keep too. far_diversity_ratio: "
        f"diversity of cells more than {FAR_CELLS} cells away from the hint, divided by that of "
        "the same cells without it."
    )
