"""The table as JSON and as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from colorflow.errors import EvaluationError
from colorflow.evaluation.bootstrap import RESAMPLES, Estimate
from colorflow.evaluation.columns import CARDS, MANY
from colorflow.evaluation.evaluate import Evaluation, Table
from colorflow.files import FileKind, json_kind, text_kind, write_whole

EVALUATION = json_kind("evaluation", "colorflow evaluate")
"""Of the JSON file."""
TABLE_OPENING = "<!-- Written by `colorflow evaluate`, which replaces this file as a whole. -->\n\n"
TABLE = text_kind("table of an evaluation", TABLE_OPENING)
"""Of the Markdown file."""

_LAST = ("inverse_error", "seconds_per_sample")


def as_json(evaluation: Evaluation, about: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for JSON.

    Args:
        evaluation: what was measured.
        about: how: ``weights``, ``command``, ``date``, ``hardware``, ``threads``,
            ``peak_megabytes``.
    """
    return {
        "photos": evaluation.photos,
        "seed": evaluation.seed,
        "weights": about["weights"],
        "columns": plain(evaluation.columns),
        "ratios": plain(evaluation.ratios),
        "bits_per_dim_by_level": plain(evaluation.levels),
        "draws": evaluation.draws,
        "degraded": evaluation.degraded,
        "left_out": [asdict(item) for item in evaluation.left_out],
        **about,
    }


def as_markdown(evaluation: Evaluation, about: Mapping[str, Any]) -> str:
    """The table, a row a metric, with what it needs to be read; arguments as in `as_json`."""
    lines = table_lines("", evaluation.columns, evaluation.ratios)
    end = origin(about, len(evaluation.left_out))
    return "\n".join([*lines, "", _caption(evaluation), "", *_levels(evaluation), end, ""])


def table_lines(corner: str, *tables: Table) -> list[str]:
    """Tables of the same columns as one in Markdown, a row a metric.

    Args:
        corner: what stands above the names of the metrics.
        tables: by column and metric, one below the other.
    """
    names = list(tables[0])
    lines = [f"| {corner}{' ' if corner else ''}| {' | '.join(names)} |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for table in tables:
        for metric in _metrics(table):
            cells = [_cell(table[name].get(metric)) for name in names]
            lines.append(f"| {metric} | {' | '.join(cells)} |")
    return lines


def origin(about: Mapping[str, Any], left_out: int) -> str:
    """How a table came about, and how many files are not in it; `about` as in `as_json`."""
    return (
        f"`{about['command']}`, {about['date']}, weights {about['weights']}, {about['hardware']}, "
        f"{about['threads']} thread{'s' if about['threads'] > 1 else ''}, "
        f"{about['peak_megabytes']} MB at most"
        + (f"; {left_out} files left out, named in the JSON file." if left_out else ".")
    )


def plain(table: Table) -> dict[str, dict[str, dict[str, float | None]]]:
    """A table's values for JSON."""
    return {
        name: {metric: asdict(estimate) for metric, estimate in own.items()}
        for name, own in table.items()
    }


def write_text(path: Path, text: str, kind: FileKind | None) -> None:
    """Writes a file as `write_whole` does; its folder is made if missing.

    Raises:
        EvaluationError: if that is not possible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode(), kind)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror})") from error


def to_text(values: Mapping[str, Any]) -> str:
    """JSON as text; NaN, which JSON does not have, is refused."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _metrics(table: Table) -> list[str]:
    """All metrics of a table in their order, those of cost last."""
    found = dict.fromkeys(metric for own in table.values() for metric in own)
    return [metric for metric in found if metric not in _LAST] + [m for m in _LAST if m in found]


def _cell(estimate: Estimate | None) -> str:
    """A value to two digits of its standard error."""
    if estimate is None:
        return ""
    value, stderr = estimate.value, estimate.stderr
    if not stderr:
        return f"{value:.3g}"
    digits = 1 - math.floor(math.log10(stderr))
    if digits > 6:
        return f"{value:.1e} ± {stderr:.0e}"
    return f"{value:.{max(digits, 0)}f} ± {stderr:.{max(digits, 0)}f}"


def _caption(evaluation: Evaluation) -> str:
    n = evaluation.draws
    lightness = "degraded" if evaluation.degraded else "as it is"
    return (
        f"{evaluation.photos} photos, lightness {lightness}; {n} draws a photo, {MANY} for "
        f"rmse_mean{MANY}, coverage and blow_ups; ± is the bootstrap standard error over photos "
        f"({RESAMPLES} resamples). RMSE and variance: sRGB x 100 on the 64x64 grid with the "
        "photo's own lightness, root of the mean over photos; best per photo and per pixel are "
        "different things, and the means are those of ab. energy_score, diversity, inverse_error: "
        "CIELAB units. bits_per_dim: of the model at std 1, per CIELAB unit, with Gaussian noise "
        "of std 1 on every pixel. coverage: of ab per pixel, by ranks. map_coverage: share of ab "
        f"in the intervals of the uncertainty map that users see, from {MANY} draws at std 1 and "
        "the factors in the weights, nominally 0.5 and 0.9; no row where the weights hold none. "
        "colorfulness: Hasler & Suesstrunk. blow_ups: share of draws whose mean chroma only one "
        "of 1,000 training photos has. judge and kd_lite2: EfficientNet-Lite2 on the first draw, "
        "260x260, beside the untouched photo; truth is the photo's own chroma through the 64x64 "
        "grid. seam_ratio: mean step of ab between neighboring cells across rows and columns 16, "
        "32 and 48 of the grid, the borders of the coarsest cells, by that elsewhere; no value for "
        "one color everywhere. tint_by_seed: of the variance of a photo's mean ab between the "
        f"samples of seeds 0 to {MANY - 1} of `colorize`, the share that the seed explains on all "
        "photos alike, 0 by chance. principal: the mean of a photo's samples (first) and its "
        f"{CARDS - 1} largest modes; rmse_one is of one of them at random, rmse_best{n}_photo of "
        f"{n}; shares_off_by: largest difference, in points, of the modes' shares and of how often "
        "the truth is nearest to them, in five bins. seconds_per_sample: wall time, many draws of "
        "one photo at once, without the frozen features, which all share."
    )


def _levels(evaluation: Evaluation) -> list[str]:
    """bits/dim by level, once for the columns that share a density."""
    texts: dict[str, list[str]] = {}
    for name, levels in evaluation.levels.items():
        text = ", ".join(f"{level}: {_cell(estimate)}" for level, estimate in levels.items())
        texts.setdefault(text, []).append(name)
    lines = [
        f"bits/dim by the grid that a level completes, {' and '.join(names)}, with no noise but "
        f"that of the pixels: {text}."
        for text, names in texts.items()
    ]
    return [part for line in lines for part in (line, "")]
