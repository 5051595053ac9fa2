"""What color hints buy: the error against the number of hints, and the colors near them.

The hints are points of the photo's true color at random places, fewer ones being the first of
more, and the random numbers of the draws are the same for every number of hints: the curve is
paired within a photo. It holds for hints that are right: those that a user gives may be more wrong
than true ones, and are placed by a person and not at random.

Dimensions: n draws of one photo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import GRID_SIZE
from colorflow.evaluation.bootstrap import Bootstrap, Statistic, mean_of, root_mean_of
from colorflow.evaluation.evaluate import LeftOut, Table, over_photos
from colorflow.evaluation.measure import (
    DRAWN_AT_ONCE,
    PERCENT,
    NotFiniteError,
    error_of_mean,
    noisy_truth,
)
from colorflow.evaluation.metrics import colors, diversity, squared_errors
from colorflow.evaluation.subject import Subject, SubjectReader
from colorflow.model.hints import Hint, hint_errors
from colorflow.model.weights import LoadedWeights
from colorflow.training.hints import true_points
from colorflow.training.tuning import energy_score

HINT_COUNTS = (0, 1, 2, 4, 8, 16)
KEPT_WITHIN = 5.0
"""A coloring keeps to a hint where no pixel near it is further off; CIELAB units of ab."""
FAR_CELLS = 16
"""Cells of the 64x64 grid, in row or column, beyond which a hint should leave colors open."""
QUANTILE = 0.95
QUANTILE_METRIC = f"hint_error_{100 * QUANTILE:.0f}"

BINS = np.linspace(0, 300, 3001)
"""Edges of the bins of distances in ab; no two colors of sRGB are further apart."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HintMeasures:
    """All numbers of one photo.

    Attributes:
        digest: of the photo.
        values: by number of hints and metric; squared errors where the table has their root.
        distances: by number of hints, the share of distances to hints in each of `BINS`.
        far_diversity: of the cells far from the hint where there is one, and of the same cells
            where there is none, CIELAB units.
    """

    digest: str
    values: dict[int, dict[str, float]]
    distances: dict[int, Floats]
    far_diversity: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class HintCurve:
    """What a run measured.

    Attributes:
        photos: how many.
        draws: of each photo and number of hints.
        seed: of all random choices.
        columns: the table; its columns are the numbers of hints, as text.
        left_out: files without numbers.
    """

    photos: int
    draws: int
    seed: int
    columns: Table
    left_out: list[LeftOut]


def hint_curve(
    files: Sequence[Path],
    weights: LoadedWeights,
    *,
    draws: int = 8,
    seed: int = 0,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
    say: Callable[[str], None] = print,
) -> HintCurve:
    """Measures draws at the shipped schedule for every number of hints.

    Args:
        files: color photos.
        weights: of a model that takes hints.
        draws: of each photo and number of hints, at least 2.
        seed: together with a photo's pixels it decides all numbers of the photo.
        progress: wraps the files, to show how far the run is.
        say: gets a line for each file that is left out.

    Raises:
        EvaluationError: if no photo can be measured.
    """
    if draws < 2:
        raise ValueError(f"draws: expected at least 2, got {draws}")
    records, left_out = over_photos(
        files,
        SubjectReader(seed, degraded=False),
        lambda subject: measure_hints(subject, weights, draws=draws, seed=seed),
        progress=progress,
        say=say,
    )
    return HintCurve(
        photos=len(records),
        draws=draws,
        seed=seed,
        columns=_table(records, seed),
        left_out=left_out,
    )


@torch.no_grad()
def measure_hints(
    subject: Subject, weights: LoadedWeights, *, draws: int, seed: int
) -> HintMeasures:
    """Measures one photo with every number of hints; arguments as in `hint_curve`.

    Raises:
        NotFiniteError: if the model gives a value that is not finite.
    """
    lightness = lightness_of(subject.pixels)
    truth = render(lightness, subject.ab[0].numpy())
    values: dict[int, dict[str, float]] = {}
    distances: dict[int, Floats] = {}
    drawn: dict[int, Tensor] = {}
    planes: dict[int, Tensor] = {}
    for count in HINT_COUNTS:
        planes[count] = true_points(subject.ab, count, subject.generator(seed, "hints"))
        hinted = replace(subject, condition=replace(subject.condition, planes=planes[count]))
        ab = drawn[count] = _draw(hinted, weights, draws, seed)
        values[count] = _chroma_values(ab, subject)
        values[count]["bits_per_dim"] = _bits(hinted, weights, seed)
        if count:
            hints = hints_of(planes[count][0], *subject.pixels.shape[:2])
            near, distances[count] = _near_hints(hints, lightness, ab, truth)
            values[count] |= near
    far = _farther_than(FAR_CELLS, planes[1][0, 0])
    return HintMeasures(
        digest=subject.digest,
        values=values,
        distances=distances,
        far_diversity=(diversity(drawn[1][:, :, far]), diversity(drawn[0][:, :, far])),
    )


def hints_of(planes: Tensor, height: int, width: int) -> list[Hint]:
    """Hints in the middle of their cells, as a user would give them.

    Args:
        planes: (3, 64, 64) mask, a and b.
        height: of the photo, in pixels.
        width: of the photo, in pixels.
    """
    return [
        Hint(
            (row + 0.5) * height / GRID_SIZE,
            (column + 0.5) * width / GRID_SIZE,
            *planes[1:, row, column].tolist(),
        )
        for row, column in planes[0].nonzero().tolist()
    ]


def quantile_of(shares: Floats, level: float) -> Statistic:
    """A quantile of the distances of all photos, each with the same say.

    Args:
        shares: (N, bins), each photo's share of distances in each of `BINS`.
        level: of the quantile, in (0, 1).
    """

    def statistic(weights: Floats) -> Floats:
        below = np.cumsum(weights @ shares / weights.sum(1, keepdims=True), axis=1)
        edges = np.concatenate([np.zeros((len(below), 1)), below], axis=1)
        return np.array([np.interp(level, row, BINS) for row in edges])

    return statistic


def share_of(part: Floats, whole: Floats) -> Statistic:
    """The sum of one number a photo, (N,), divided by that of another, without resamples of 0."""

    def statistic(weights: Floats) -> Floats:
        total = weights @ whole
        return (weights @ part)[total > 0] / total[total > 0]

    return statistic


def _draw(subject: Subject, weights: LoadedWeights, draws: int, seed: int) -> Tensor:
    """(n, 2, 64, 64), from the same random numbers whatever the hints are."""
    generator = subject.generator(seed, "draws")
    parts = [
        weights.pyramid.sample(
            subject.condition,
            min(DRAWN_AT_ONCE, draws - start),
            weights.temperatures,
            generator,
            weights.gain,
        )[0]
        for start in range(0, draws, DRAWN_AT_ONCE)
    ]
    ab = torch.cat(parts)
    if not bool(torch.isfinite(ab).all()):
        raise NotFiniteError("the model drew chroma that is not finite")
    return ab


def _bits(subject: Subject, weights: LoadedWeights, seed: int) -> float:
    """Exact negative log-likelihood of the true chroma given the hints, in bits per dimension."""
    ab = noisy_truth(subject, seed)
    bits = -float(weights.pyramid.log_prob(ab, subject.condition)) / (ab.numel() * math.log(2))
    if not math.isfinite(bits):
        raise NotFiniteError("the model gave a likelihood that is not finite")
    return bits


def _chroma_values(ab: Tensor, subject: Subject) -> dict[str, float]:
    errors = squared_errors(colors(subject.lightness, ab), subject.rgb)
    return {
        "rmse_one": PERCENT * float(errors.mean()),
        "rmse_mean": PERCENT * error_of_mean(ab, subject),
        "energy_score": float(energy_score(ab[None], subject.ab)),
        "diversity": diversity(ab),
    }


def _near_hints(
    hints: Sequence[Hint], lightness: NDArray[np.float32], ab: Tensor, truth: NDArray[np.uint8]
) -> tuple[dict[str, float], Floats]:
    """How the pictures of draws keep to hints, and the share of distances in each bin."""
    errors: list[NDArray[np.float32]] = []
    kept = np.full(len(hints), True)
    for grid in ab.numpy():
        pixels = render(lightness, grid)
        own = [hint_errors(hint, pixels) for hint in hints]
        kept &= [one.max() <= KEPT_WITHIN for one in own]
        errors += own
    true_errors = [hint_errors(hint, truth) for hint in hints]
    true = np.array([one.max() <= KEPT_WITHIN for one in true_errors])
    every = np.concatenate(errors)
    values = {
        "hints_kept": float(kept.mean()),
        "hints_kept_by_truth": float(true.mean()),
        "hints_kept_by_both": float((kept & true).mean()),
        "hint_error_mean": float(every.mean(dtype=np.float64)),
        "hint_error_mean_of_truth": float(np.concatenate(true_errors).mean(dtype=np.float64)),
    }
    return values, np.histogram(every, BINS)[0] / every.size


def _farther_than(cells: int, mask: Tensor) -> Tensor:
    """Cells of the grid that are farther from the only 1 in row or column, (64, 64)."""
    ((row, column),) = mask.nonzero().tolist()
    places = torch.arange(GRID_SIZE)
    near_row, near_column = (places - row).abs() <= cells, (places - column).abs() <= cells
    return ~(near_row[:, None] & near_column)


def _table(records: Sequence[HintMeasures], seed: int) -> Table:
    """All photos together, in an order that does not depend on that of the files."""
    records = sorted(records, key=lambda record: record.digest)
    bootstrap = Bootstrap(len(records), seed)
    return {
        str(count): {
            metric: bootstrap.estimate(statistic)
            for metric, statistic in _statistics(records, count).items()
        }
        for count in HINT_COUNTS
    }


def _statistics(records: Sequence[HintMeasures], count: int) -> dict[str, Statistic]:
    """How the photos' values with so many hints become one value, by metric."""
    values = {
        metric: np.array([record.values[count][metric] for record in records])
        for metric in records[0].values[count]
    }
    both = values.pop("hints_kept_by_both", None)
    found = {
        metric: (root_mean_of if metric.startswith("rmse_") else mean_of)(own)
        for metric, own in values.items()
    }
    if both is not None:
        shares = np.stack([record.distances[count] for record in records])
        found[QUANTILE_METRIC] = quantile_of(shares, QUANTILE)
        if values["hints_kept_by_truth"].any():
            found["hints_kept_like_truth"] = share_of(both, values["hints_kept_by_truth"])
    if count == 1:
        hinted, free = np.array([record.far_diversity for record in records]).T
        if free.any():
            found["far_diversity_ratio"] = share_of(hinted, free)
    return found
