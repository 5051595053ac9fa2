"""The table: every column measured on every photo of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from torch import Tensor

from colorflow.errors import EvaluationError, PhotoError
from colorflow.evaluation.bootstrap import (
    Bootstrap,
    Estimate,
    Statistic,
    mean_of,
    mean_of_pairs,
    ratio_of,
    root_mean_of,
    shared_of_pairs,
)
from colorflow.evaluation.columns import Column, constant
from colorflow.evaluation.judge import Judge
from colorflow.evaluation.measure import NotFiniteError, PhotoMeasures, measure
from colorflow.evaluation.metrics import kernel_terms
from colorflow.evaluation.shares import share_calibration
from colorflow.evaluation.subject import NotColoredError, Subject, SubjectReader
from colorflow.photo import find_photos

Table = dict[str, dict[str, Estimate]]
"""By column and metric."""

Record = TypeVar("Record")
"""What is measured of one photo."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not in the table."""

    file: str
    why: Literal["unreadable", "not colored", "not finite"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a run measured.

    Attributes:
        photos: how many.
        draws: of each photo, for the best of n and the like.
        seed: of all random choices.
        degraded: whether the models saw degraded lightness.
        columns: the table.
        ratios: RMSE by gray's, colorfulness by the truth's.
        levels: bits per dimension by level, of the columns that have levels.
        left_out: files without numbers.
    """

    photos: int
    draws: int
    seed: int
    degraded: bool
    columns: Table
    ratios: Table
    levels: Table
    left_out: list[LeftOut]


def photos_of(folder: Path, limit: int | None = None) -> list[Path]:
    """The photos below a folder, sorted; with a limit, so many evenly spread among them.

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
    largest_chroma: float,
    draws: int = 8,
    seed: int = 0,
    degraded: bool = False,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
    say: Callable[[str], None] = print,
    show: Callable[[Subject, Tensor], None] | None = None,
) -> Evaluation:
    """Measures columns, and beside them gray and the truth, on photos, one photo after the other.

    Args:
        files: color photos.
        columns: what colors them.
        largest_chroma: mean chroma above which a draw is a blow-up, CIELAB units.
        draws: of each photo, for the best of n and the like, at least 2.
        seed: together with a photo's pixels it decides all numbers of the photo but the seconds.
        degraded: the models see the lightness as an old print would show it; what they are
            compared with stays the photo as it is.
        progress: wraps the files, to show how far the run is.
        say: gets a line for each file that is left out.
        show: gets each photo with the first column's draws (n, 2, 64, 64).

    Raises:
        EvaluationError: if no photo can be measured, or the judge is not installed.
    """
    if draws < 2:
        raise ValueError(f"draws: expected at least 2, got {draws}")
    columns = [*columns, constant("gray", (0.0, 0.0))]
    judge, reader = Judge(), SubjectReader(seed, degraded=degraded)

    def of_photo(subject: Subject) -> PhotoMeasures:
        measures, shown = measure(
            subject, columns, judge, draws=draws, seed=seed, largest_chroma=largest_chroma
        )
        if show is not None:
            show(subject, shown)
        return measures

    records, left_out = over_photos(files, reader, of_photo, progress=progress, say=say)
    table, ratios, levels = _tables(records, seed)
    return Evaluation(
        photos=len(records),
        draws=draws,
        seed=seed,
        degraded=degraded,
        columns=table,
        ratios=ratios,
        levels=levels,
        left_out=left_out,
    )


def over_photos(
    files: Sequence[Path],
    reader: SubjectReader,
    of_photo: Callable[[Subject], Record],
    *,
    progress: Callable[[Sequence[Path]], Iterable[Path]],
    say: Callable[[str], None],
) -> tuple[list[Record], list[LeftOut]]:
    """Measures photos one after the other.

    Args:
        files: color photos.
        reader: reads them.
        of_photo: measures one.
        progress: as in `evaluate`.
        say: as in `evaluate`.

    Returns:
        What was measured, and the files without numbers, sorted by name.

    Raises:
        EvaluationError: if no photo can be measured.
    """
    records: list[Record] = []
    left_out: list[LeftOut] = []
    for path in progress(files):
        try:
            record = of_photo(reader.read(path))
        except PhotoError as error:
            left_out.append(LeftOut(str(path), "unreadable", error.reason))
        except NotColoredError as error:
            left_out.append(LeftOut(str(path), "not colored", str(error)))
        except NotFiniteError as error:
            left_out.append(LeftOut(str(path), "not finite", str(error)))
        else:
            records.append(record)
            continue
        say(f"{path}: left out ({left_out[-1].reason})")
    if not records:
        counts = Counter(item.why for item in left_out)
        text = ", ".join(f"{count} {why}" for why, count in counts.items())
        raise EvaluationError(f"none of the {len(files)} photos can be measured: {text}")
    return records, sorted(left_out, key=lambda item: item.file)


def _tables(records: Sequence[PhotoMeasures], seed: int) -> tuple[Table, Table, Table]:
    """All photos together, in an order that does not depend on that of the files."""
    records = sorted(records, key=lambda record: record.digest)
    bootstrap = Bootstrap(len(records), seed)
    names = list(records[0].columns)
    statistics = {name: _statistics(records, name) for name in names}
    table = {
        name: {metric: bootstrap.estimate(statistic) for metric, statistic in own.items()}
        for name, own in statistics.items()
    }
    if len(records) > 1:
        for name in names:
            tints = np.stack([record.columns[name].tints for record in records])
            deviations = tints - tints.mean(1, keepdims=True) if tints.size else tints
            if deviations.any():
                products = np.einsum("pnc,qnc->pq", deviations, deviations)
                table[name]["tint_by_seed"] = bootstrap.estimate(shared_of_pairs(products))
            terms = kernel_terms(
                np.stack([record.features for record in records]),
                np.stack([record.columns[name].features for record in records]),
            )
            table[name]["kd_lite2"] = bootstrap.estimate(mean_of_pairs(terms))
    for name in names:
        seams, others = np.array([record.columns[name].seam_steps for record in records]).T
        if others.any():
            ratio = ratio_of(mean_of(seams), mean_of(others))
            table[name]["seam_ratio"] = bootstrap.estimate(ratio)
    for name, first in records[0].columns.items():
        if first.shares:
            shares = np.array([record.columns[name].shares for record in records])
            nearest = np.array([record.columns[name].nearest for record in records])
            calibration = share_calibration(shares, nearest, bootstrap)
            table[name]["shares_off_by"] = Estimate(calibration.largest_difference, 0.0)
    ratios = {
        name: {
            metric: bootstrap.estimate(ratio) for metric, ratio in _ratios(statistics, name).items()
        }
        for name in names
    }
    levels = {
        name: {
            level: bootstrap.estimate(
                mean_of(np.array([record.columns[name].levels[level] for record in records]))
            )
            for level in first.levels
        }
        for name, first in records[0].columns.items()
        if first.levels
    }
    return table, ratios, levels


def _statistics(records: Sequence[PhotoMeasures], name: str) -> dict[str, Statistic]:
    """How the values of one column's photos become one value, by metric."""
    return {
        metric: (root_mean_of if metric.startswith("rmse_") else mean_of)(
            np.array([record.columns[name].values[metric] for record in records])
        )
        for metric in records[0].columns[name].values
    }


def _ratios(statistics: dict[str, dict[str, Statistic]], name: str) -> dict[str, Statistic]:
    """RMSE by gray's, whose best and mean are its only coloring, and colorfulness by truth's."""
    ratios = {
        f"{metric}_to_gray": ratio_of(statistic, statistics["gray"]["rmse_one"])
        for metric, statistic in statistics[name].items()
        if metric.startswith("rmse_")
    }
    true = statistics["truth"]["colorfulness"]
    return ratios | {
        f"{metric}_to_truth": ratio_of(statistic, true)
        for metric, statistic in statistics[name].items()
        if metric.startswith("colorfulness")
    }
