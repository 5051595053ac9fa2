"""The benefit of color hints: error against the number of hints, and the colors near them.

Hints are points of the photo's true color at random positions; fewer hints are the first of more.
The random numbers of the samples are the same for every number of hints, so the curve is paired
within a photo. It holds for correct hints: a user's hints may be less correct, and a person does
not choose their positions at random.

Dimensions: n samples of one photo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import GRID_SIZE
from colorflow.evaluation.bootstrap import Bootstrap, Statistic, Table, mean_of, ratio_of
from colorflow.evaluation.densities import bits_per_dim
from colorflow.evaluation.evaluate import (
    Evaluation,
    Progress,
    estimated,
    measure_photos,
    statistics_of,
)
from colorflow.evaluation.measure import (
    PERCENT,
    NotFiniteError,
    error_of_mean,
    noisy_truth,
    sample_in_parts,
)
from colorflow.evaluation.metrics import colors, diversity, squared_errors
from colorflow.evaluation.subject import Subject, SubjectReader
from colorflow.model.hints import Hint, hint_errors
from colorflow.model.weights import LoadedWeights
from colorflow.training.targets import true_points
from colorflow.training.tuning import energy_score

HINT_COUNTS = (0, 1, 2, 4, 8, 16)
KEPT_WITHIN = 5.0
"""A coloring keeps to a hint if no pixel near it is further off; CIELAB units of ab."""
FAR_CELLS = 16
"""Distance in rows or columns of the 64x64 grid from which a hint should leave colors open."""
QUANTILE = 0.95
QUANTILE_METRIC = f"hint_error_{100 * QUANTILE:.0f}"

BINS = np.linspace(0, 300, 3001)
"""Bin edges of distances in ab; no two colors of sRGB are further apart."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HintMeasures:
    """All numbers of one photo.

    Attributes:
        values: by number of hints and metric; squared errors where the table has their root.
        distances: by number of hints, the share of distances to hints in each of `BINS`.
        far_diversity: diversity of the cells far from the hint, with one hint and without hints,
            CIELAB units.
    """

    values: dict[int, dict[str, float]]
    distances: dict[int, Floats]
    far_diversity: tuple[float, float]


def hint_curve(
    files: Sequence[Path],
    weights: LoadedWeights,
    *,
    n: int = 8,
    seed: int = 0,
    progress: Progress = iter,
    say: Callable[[str], None] = print,
) -> Evaluation:
    """Measures samples at the shipped temperatures for every number of hints.

    The table is ``hints``; its columns are the numbers of hints, as text.

    Args:
        files: color photos.
        weights: of a model that takes hints.
        n: samples of each photo and number of hints, at least 2.
        seed: together with a photo's pixels it determines all numbers of the photo.
        progress: shows how far the run is.
        say: gets a line for each file that is left out.

    Raises:
        EvaluationError: if no photo can be measured.
    """
    return measure_photos(
        files,
        SubjectReader(seed, degraded=False),
        lambda subject: measure_hints(subject, weights, n=n, seed=seed),
        _tables,
        n=n,
        seed=seed,
        progress=progress,
        say=say,
    )


@torch.no_grad()
def measure_hints(subject: Subject, weights: LoadedWeights, *, n: int, seed: int) -> HintMeasures:
    """Measures one photo with every number of hints; arguments as in `hint_curve`.

    Raises:
        NotFiniteError: if the model gives a value that is not finite.
    """
    lightness = lightness_of(subject.pixels)
    truth = render(lightness, subject.ab[0].numpy())
    values: dict[int, dict[str, float]] = {}
    distances: dict[int, Floats] = {}
    samples: dict[int, Tensor] = {}
    planes: dict[int, Tensor] = {}
    for count in HINT_COUNTS:
        planes[count] = true_points(subject.ab, count, subject.generator(seed, "hints"))
        hinted = replace(subject, condition=replace(subject.condition, planes=planes[count]))
        ab = samples[count] = _samples(hinted, weights, n, seed)
        values[count] = _chroma_values(ab, subject)
        values[count]["bits_per_dim"] = _bits(hinted, weights, seed)
        if count:
            hints = hints_of(planes[count][0], *subject.pixels.shape[:2])
            near, distances[count] = _near_hints(hints, lightness, ab, truth)
            values[count] |= near
    far = _farther_than(FAR_CELLS, planes[1][0, 0])
    return HintMeasures(
        values=values,
        distances=distances,
        far_diversity=(diversity(samples[1][:, :, far]), diversity(samples[0][:, :, far])),
    )


def hints_of(planes: Tensor, height: int, width: int) -> list[Hint]:
    """Converts planes to hints in the middle of their cells, as a user would give them.

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
    """A quantile of the distances of all photos, in which each photo has the same weight.

    Args:
        shares: (N, bins), each photo's share of distances in each of `BINS`.
        level: of the quantile, in (0, 1).
    """

    def statistic(weights: Floats) -> Floats:
        below = np.cumsum(weights @ shares / weights.sum(1, keepdims=True), axis=1)
        edges = np.concatenate([np.zeros((len(below), 1)), below], axis=1)
        return np.array([np.interp(level, row, BINS) for row in edges])

    return statistic


def _samples(subject: Subject, weights: LoadedWeights, n: int, seed: int) -> Tensor:
    """Makes samples (n, 2, 64, 64) from the same random numbers for all hints."""
    return sample_in_parts(
        "the model",
        lambda subject, count, generator: weights.pyramid.sample(
            subject.condition, count, weights.temperatures, generator, weights.gain
        )[0],
        subject,
        n,
        subject.generator(seed, "draws"),
    )


def _bits(subject: Subject, weights: LoadedWeights, seed: int) -> float:
    """Exact negative log-likelihood of the true chroma given the hints, in bits per dimension."""
    ab = noisy_truth(subject, seed)
    bits = bits_per_dim(-float(weights.pyramid.log_prob(ab, subject.condition)), ab.numel())
    if not np.isfinite(bits):
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
    """Measures how pictures of samples keep to hints; also the share of distances in each bin."""
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
    """Cells that are farther from the only 1 of the mask, in row or column: (64, 64)."""
    ((row, column),) = mask.nonzero().tolist()
    index = torch.arange(GRID_SIZE)
    near_row, near_column = (index - row).abs() <= cells, (index - column).abs() <= cells
    return ~(near_row[:, None] & near_column)


def _tables(records: Sequence[HintMeasures], bootstrap: Bootstrap) -> dict[str, Table]:
    statistics = {str(count): _statistics(records, count) for count in HINT_COUNTS}
    return {"hints": estimated(statistics, bootstrap)}


def _statistics(records: Sequence[HintMeasures], count: int) -> dict[str, Statistic]:
    """Combines the photos' values with one number of hints, by metric."""
    values = [record.values[count] for record in records]
    found = statistics_of(values)
    if both := found.pop("hints_kept_by_both", None):
        found[QUANTILE_METRIC] = quantile_of(
            np.stack([record.distances[count] for record in records]), QUANTILE
        )
        if any(own["hints_kept_by_truth"] for own in values):
            found["hints_kept_like_truth"] = ratio_of(both, found["hints_kept_by_truth"])
    if count == 1:
        hinted, free = np.array([record.far_diversity for record in records]).T
        if free.any():
            found["far_diversity_ratio"] = ratio_of(mean_of(hinted), mean_of(free))
    return found
