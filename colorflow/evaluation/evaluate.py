"""Measures every column on every photo of a folder."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from colorflow.errors import EvaluationError, PhotoError, printable
from colorflow.evaluation.bootstrap import (
    Bootstrap,
    Estimate,
    Statistic,
    Table,
    mean_of,
    mean_of_pairs,
    ratio_of,
    root_mean_of,
    shared_of_pairs,
)
from colorflow.evaluation.columns import Column, constant
from colorflow.evaluation.judge import Judge
from colorflow.evaluation.measure import ColumnMeasures, NotFiniteError, PhotoMeasures, measure
from colorflow.evaluation.metrics import kernel_terms, share_differences
from colorflow.evaluation.subject import NotColoredError, read_subject
from colorflow.model.condition import Conditioner
from colorflow.photo import find_photos

Statistics = dict[str, dict[str, Statistic]]
"""By column and metric."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not measured, or not shown in a blind test."""

    file: str
    why: Literal["unreadable", "not colored", "not finite", "cannot be shown", "shown already"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The measurements of a folder.

    Attributes:
        photos: number of photos.
        tables: by their key in the JSON file.
        left_out: files without numbers, sorted by name.
    """

    photos: int
    tables: dict[str, Table]
    left_out: list[LeftOut]


def photos_of(folder: Path, limit: int | None = None) -> list[Path]:
    """Finds the photos below a folder, sorted; a limit picks photos evenly spread among them.

    Raises:
        UnreadablePhotoError: if there is no such folder.
        EvaluationError: if it holds no photo.
    """
    files = find_photos([folder])
    if not files:
        raise EvaluationError(f"{folder}: holds no photo to measure on")
    count = min(limit or len(files), len(files))
    return [files[index * len(files) // count] for index in range(count)]


def evaluate(
    files: Sequence[Path],
    columns: Sequence[Column],
    *,
    blow_up_chroma: float,
    n: int = 8,
    seed: int = 0,
    degraded: bool = False,
) -> Evaluation:
    """Measures columns, gray and the truth on photos; stderr gets progress and left-out files.

    The tables are ``columns``; ``ratios``, RMSE by gray's and colorfulness by the truth's; and
    ``bits_per_dim_by_level``, for the columns that have levels.

    Args:
        files: color photos.
        columns: the ways of coloring.
        blow_up_chroma: mean chroma above which a sample is a blow-up, CIELAB units.
        n: samples of each photo, for the best of n and the like, at least 2.
        seed: together with a photo's pixels it determines all numbers except the seconds.
        degraded: whether the models see the lightness of an old print; they are still compared
            with the photo as it is.

    Raises:
        EvaluationError: if no photo can be measured, or the judge is not installed.
    """
    if n < 2:
        raise ValueError(f"n: expected at least 2, got {n}")
    columns = [*columns, constant("gray", (0.0, 0.0))]
    judge, conditioner = Judge(), Conditioner()
    records: list[tuple[str, PhotoMeasures]] = []
    left_out: list[LeftOut] = []
    for path in tqdm(files, unit="photo", desc="evaluate"):
        try:
            subject = read_subject(path, conditioner, seed, degraded=degraded)
            measures = measure(
                subject, columns, judge, n=n, seed=seed, blow_up_chroma=blow_up_chroma
            )
            records.append((subject.digest, measures))
            continue
        except PhotoError as error:
            left_out.append(LeftOut(str(path), "unreadable", error.reason))
        except NotColoredError as error:
            left_out.append(LeftOut(str(path), "not colored", str(error)))
        except NotFiniteError as error:
            left_out.append(LeftOut(str(path), "not finite", str(error)))
        say_above(f"{path}: left out ({left_out[-1].reason})")
    if not records:
        text = count_reasons(left_out)
        raise EvaluationError(f"none of the {len(files)} photos can be measured: {text}")
    # The order does not depend on that of the files.
    ordered = [record for _, record in sorted(records, key=lambda pair: pair[0])]
    return Evaluation(
        photos=len(ordered),
        tables=_tables(ordered, Bootstrap(len(ordered), seed)),
        left_out=sorted(left_out, key=lambda item: item.file),
    )


def say_above(line: str) -> None:
    """Prints a line to stderr, above the progress bar."""
    tqdm.write(printable(line), file=sys.stderr)


def count_reasons(left_out: Sequence[LeftOut]) -> str:
    """Counts the files that were left out, by reason."""
    counts = Counter(item.why for item in left_out)
    return ", ".join(f"{count} {why}" for why, count in sorted(counts.items()))


def statistics_of(values: Sequence[Mapping[str, float]]) -> dict[str, Statistic]:
    """Combines the values of photos by metric: the root of the mean for RMSE, or else the mean.

    Args:
        values: of each photo, by metric; squared errors where the metric is an RMSE.
    """
    return {
        metric: (root_mean_of if metric.startswith("rmse_") else mean_of)(
            np.array([own[metric] for own in values])
        )
        for metric in values[0]
    }


def estimated(statistics: Statistics, bootstrap: Bootstrap) -> Table:
    """Estimates all statistics of a table."""
    return {
        name: {metric: bootstrap.estimate(statistic) for metric, statistic in own.items()}
        for name, own in statistics.items()
    }


def _tables(records: Sequence[PhotoMeasures], bootstrap: Bootstrap) -> dict[str, Table]:
    columns = {name: [record.columns[name] for record in records] for name in records[0].columns}
    truth = np.stack([record.features for record in records])
    by_photo = {name: statistics_of([one.values for one in own]) for name, own in columns.items()}
    by_level = {
        name: statistics_of([one.levels for one in own])
        for name, own in columns.items()
        if own[0].levels
    }
    every = {name: by_photo[name] | _set_statistics(own, truth) for name, own in columns.items()}
    table = estimated(every, bootstrap)
    for name, own in columns.items():
        if own[0].shares:
            table[name]["shares_off_by"] = _shares_off_by(own)
    return {
        "columns": table,
        "ratios": estimated({name: _ratios(by_photo, name) for name in columns}, bootstrap),
        "bits_per_dim_by_level": estimated(by_level, bootstrap),
    }


def _set_statistics(
    own: Sequence[ColumnMeasures], true_features: NDArray[np.float32]
) -> dict[str, Statistic]:
    """Statistics of one column that are not means of one number per photo."""
    found: dict[str, Statistic] = {}
    if len(own) > 1:
        tints = np.stack([one.tints for one in own])
        deviations = tints - tints.mean(1, keepdims=True) if tints.size else tints
        if deviations.any():
            products = np.einsum("pnc,qnc->pq", deviations, deviations)
            found["tint_by_seed"] = shared_of_pairs(products)
        terms = kernel_terms(true_features, np.stack([one.features for one in own]))
        found["kd_lite2"] = mean_of_pairs(terms)
    seams, others = np.array([one.seam_steps for one in own]).T
    if others.any():
        found["seam_ratio"] = ratio_of(mean_of(seams), mean_of(others))
    flat, true = np.array([one.thing_steps for one in own]).T
    for metric, values in {"flat_steps": flat, "true_steps": true}.items():
        known = np.isfinite(values)
        if known.any() and others.any():
            found[metric] = ratio_of(
                mean_of(np.where(known, values, 0.0)), mean_of(known.astype(np.float64))
            )
    error, true, gray, colored, glows, cells = np.array([one.skin_sums for one in own]).T
    little = 1e-9  # a bootstrap sample may be without skin
    if true.any():
        found["skin_error_to_gray"] = ratio_of(root_mean_of(error), root_mean_of(true + little))
        found["skin_glowing"] = ratio_of(mean_of(glows), mean_of(cells + little))
    if colored.any():
        found["skin_left_gray"] = ratio_of(mean_of(gray), mean_of(colored + little))
    return found


def _shares_off_by(own: Sequence[ColumnMeasures]) -> Estimate:
    shares, nearest = np.array([one.shares for one in own]), np.array([one.nearest for one in own])
    return Estimate(float(np.abs(share_differences(shares, nearest)).max()), 0.0)


def _ratios(statistics: Statistics, name: str) -> dict[str, Statistic]:
    """RMSE by gray's, whose best and mean are its only coloring, and colorfulness by truth's."""
    gray, true = statistics["gray"]["rmse_one"], statistics["truth"]["colorfulness"]
    own = statistics[name].items()
    errors = {f"{m}_to_gray": ratio_of(x, gray) for m, x in own if m.startswith("rmse_")}
    return errors | {
        f"{m}_to_truth": ratio_of(x, true) for m, x in own if m.startswith("colorfulness")
    }
