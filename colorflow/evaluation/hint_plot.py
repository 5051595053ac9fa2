"""The hint curve as a figure: errors, and distances from the hints, against their number."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from colorflow.errors import EvaluationError
from colorflow.evaluation.hint_curve import KEPT_WITHIN, QUANTILE, QUANTILE_METRIC, HintCurve
from colorflow.files import picture_kind, statement_of, write_whole

PLOT_SUFFIXES = (".png", ".svg")
PLOT = picture_kind("plot of a hint curve")

_LINES = {
    "rmse_one": ("one draw", "o-", "#1b6ca8"),
    "rmse_mean": ("mean of {draws} draws", "s-", "#5b8c5a"),
}
_DISTANCES = {
    "hint_error_mean": ("mean", "o-", "#1b6ca8"),
    QUANTILE_METRIC: (f"{QUANTILE:.0%} quantile", "s-", "#d1495b"),
}


def figure_class() -> Any:
    """Matplotlib's `Figure`, which draws without a screen and without global state.

    Raises:
        EvaluationError: if matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EvaluationError(
            "matplotlib is missing, which draws the plot; "
            "install it with `pip install 'colorflow[eval]'`"
        ) from error
    return Figure


def write_plot(curve: HintCurve, path: Path) -> None:
    """Writes the figure.

    Args:
        curve: what was measured.
        path: a file whose name ends in one of `PLOT_SUFFIXES`.

    Raises:
        EvaluationError: if matplotlib is missing, or the file cannot be written.
    """
    figure = figure_class()(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _plot(left, curve, _LINES)
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
    drawn = io.BytesIO()
    about = {"Description": statement_of(PLOT)}
    figure.savefig(drawn, format=path.suffix[1:].lower(), dpi=120, metadata=about)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, drawn.getvalue(), PLOT)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror})") from error


def _plot(axis: Any, curve: HintCurve, lines: dict[str, tuple[str, str, str]]) -> None:
    """Lines with standard errors; the numbers of hints stand side by side."""
    columns = curve.columns
    for metric, (label, style, color) in lines.items():
        counts = [count for count in columns if metric in columns[count]]
        own = [columns[count][metric] for count in counts]
        axis.errorbar(
            counts,
            [estimate.value for estimate in own],
            yerr=[estimate.stderr or 0.0 for estimate in own],
            fmt=style,
            color=color,
            capsize=2,
            markersize=4,
            label=label.format(draws=curve.draws),
        )
