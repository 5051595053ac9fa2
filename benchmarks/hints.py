"""Measures the benefit of color hints: the error against their number (docs/evaluation.md).

    python -m benchmarks.hints PHOTOS [--limit 50] [--samples 8] [--weights FILE]

Hints are points of the photo's true color at random positions; fewer hints are the first of more,
and the samples' random numbers are the same for every number of hints, so what photos have in
common cancels. RMSE: sRGB x 100 on the 64x64 grid, root of the mean over photos. bits_per_dim: of
the model at std 1 given the hints. hint_error: distance in ab from the hint's color, of the pixels
near it in pictures of the photo's own size. hints_kept: share of hints from which no such pixel of
any sample is further than 5; by_truth: of the photo's own chroma through the grid; like_truth: of
the hints that the truth keeps, the share that the samples keep too. far_diversity_ratio: diversity
of cells more than 16 cells away from one hint, over that of the same cells without it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.measuring import SEED, print_machine
from colorflow.color import cie
from colorflow.color.cie import rgb_in_gamut
from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import GRID_SIZE
from colorflow.evaluation.bootstrap import Bootstrap, Statistic, mean_of, ratio_of
from colorflow.evaluation.evaluate import estimated, photos_of, statistics_of
from colorflow.evaluation.measure import PERCENT, error_of_mean, noisy_truth
from colorflow.evaluation.metrics import bits_per_dim, colors, diversity, squared_errors
from colorflow.evaluation.report import table_lines
from colorflow.evaluation.subject import NotColoredError, Subject, SubjectReader
from colorflow.files import default_weights
from colorflow.model.hints import Hint, cell_of, cells_of
from colorflow.model.weights import LoadedWeights, load_weights
from colorflow.training.targets import true_points
from colorflow.training.tuning import energy_score

HINT_COUNTS = (0, 1, 2, 4, 8, 16)
REACH_CELLS = 2
"""Cells around a hint's own cell in which the output must have the hint's color."""
KEPT_WITHIN = 5.0
"""A coloring keeps to a hint if no pixel near it is further off; CIELAB units of ab."""
FAR_CELLS = 16
"""Distance in rows or columns of the 64x64 grid from which a hint should leave colors open."""
QUANTILE = 0.95
BINS = np.linspace(0, 300, 3001)
"""Bin edges of distances in ab; no two colors of sRGB are further apart."""

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Measures:
    """One photo's numbers by number of hints, and its far diversity with one hint and without."""

    values: dict[int, dict[str, float]]
    distances: dict[int, Floats]
    far_diversity: tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--limit", type=int, metavar="N", help="photos, evenly spread")
    parser.add_argument("--samples", type=int, default=8, metavar="N")
    parser.add_argument("--weights", type=Path, default=default_weights())
    options = parser.parse_args()
    torch.set_num_threads(1)
    weights, reader = load_weights(options.weights), SubjectReader(SEED, degraded=False)
    records = []
    for path in photos_of(options.folder, options.limit):
        try:
            records.append(measure(reader.read(path), weights, options.samples))
        except NotColoredError as error:
            print(f"{path}: left out ({error})")
    bootstrap = Bootstrap(len(records), SEED)
    table = estimated({str(n): statistics(records, n) for n in HINT_COUNTS}, bootstrap)
    print_machine()
    print(f"{len(records)} photos, {options.samples} samples, weights {weights.digest}\n")
    print("\n".join(table_lines("hints", table)))


@torch.no_grad()
def measure(subject: Subject, weights: LoadedWeights, n: int) -> Measures:
    """Measures one photo with every number of hints."""
    lightness = lightness_of(subject.pixels)
    truth = render(lightness, subject.ab[0].numpy())
    found = Measures({}, {}, (0.0, 0.0))
    samples, planes = {}, {}
    for count in HINT_COUNTS:
        planes[count] = true_points(subject.ab, count, subject.generator(SEED, "hints"))
        condition = replace(subject.condition, planes=planes[count])
        ab = samples[count] = weights.pyramid.sample(
            condition, n, weights.temperatures, subject.generator(SEED, "draws"), weights.gain
        )[0]
        noisy = noisy_truth(subject, SEED)
        nats = -float(weights.pyramid.log_prob(noisy, condition))
        errors = squared_errors(colors(subject.lightness, ab), subject.rgb)
        found.values[count] = {
            "rmse_one": PERCENT * float(errors.mean()),
            "rmse_mean": PERCENT * error_of_mean(ab, subject),
            "energy_score": float(energy_score(ab[None], subject.ab)),
            "diversity": diversity(ab),
            "bits_per_dim": bits_per_dim(nats, noisy.numel()),
        }
        if count:
            hints = hints_of(planes[count][0], *subject.pixels.shape[:2])
            near, found.distances[count] = near_hints(hints, lightness, ab, truth)
            found.values[count] |= near
    ((row, column),) = planes[1][0, 0].nonzero().tolist()
    index = torch.arange(GRID_SIZE)
    near_row, near_column = (index - row).abs() <= FAR_CELLS, (index - column).abs() <= FAR_CELLS
    far = ~(near_row[:, None] & near_column)
    found.far_diversity = diversity(samples[1][:, :, far]), diversity(samples[0][:, :, far])
    return found


def hints_of(planes: Tensor, height: int, width: int) -> list[Hint]:
    """Planes (3, 64, 64) as hints in the middle of their cells, as a user would give them."""
    return [
        Hint(
            (row + 0.5) * height / GRID_SIZE,
            (column + 0.5) * width / GRID_SIZE,
            *planes[1:, row, column].tolist(),
        )
        for row, column in planes[0].nonzero().tolist()
    ]


def near_hints(
    hints: Sequence[Hint], lightness: NDArray[np.float32], ab: Tensor, truth: NDArray[np.uint8]
) -> tuple[dict[str, float], Floats]:
    """How pictures of samples keep to hints; also the share of distances in each of `BINS`."""
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


def hint_errors(hint: Hint, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Distances between a hint and the colors around it in a colored photo.

    Args:
        hint: a hint that the photo was colored with.
        pixels: (H, W, 3) uint8 sRGB, the colored photo.

    Returns:
        (N,) distances in ab, CIELAB units, for the N pixels in the hint's cell and in the cells at
        most `REACH_CELLS` away, each to the hint's color as sRGB can show it at that pixel's
        lightness. A colored photo keeps its hint if no distance is above 5.

    Raises:
        ValueError: if the hint lies outside the photo.
    """
    height, width = pixels.shape[:2]
    cells = cell_of(hint, height, width)
    near_rows, near_columns = (
        np.abs(cells_of(np.arange(length), length) - cell) <= REACH_CELLS
        for length, cell in zip((height, width), cells, strict=True)
    )
    near = np.ascontiguousarray(pixels[near_rows][:, near_columns])
    lightness = lightness_of(near)
    color = np.array([hint.a, hint.b], np.float32)[:, None, None]
    wanted = np.array(np.broadcast_to(color, (2, *lightness.shape)))
    rgb_in_gamut(lightness, wanted)
    ab = np.moveaxis(cie.rgb_to_lab(near / 255)[..., 1:], -1, 0)
    errors: NDArray[np.float32] = np.hypot(*(ab - wanted)).astype(np.float32).ravel()
    return errors


def quantile_of(shares: Floats, level: float) -> Statistic:
    """A quantile of the distances of all photos, (N, bins), in which each photo counts the same."""

    def statistic(weights: Floats) -> Floats:
        below = np.cumsum(weights @ shares / weights.sum(1, keepdims=True), axis=1)
        edges = np.concatenate([np.zeros((len(below), 1)), below], axis=1)
        return np.array([np.interp(level, row, BINS) for row in edges])

    return statistic


def statistics(records: Sequence[Measures], count: int) -> dict[str, Statistic]:
    """Combines the photos' values with one number of hints, by metric."""
    values = [record.values[count] for record in records]
    found = statistics_of(values)
    if both := found.pop("hints_kept_by_both", None):
        shares = np.stack([record.distances[count] for record in records])
        found[f"hint_error_{100 * QUANTILE:.0f}"] = quantile_of(shares, QUANTILE)
        if any(own["hints_kept_by_truth"] for own in values):
            found["hints_kept_like_truth"] = ratio_of(both, found["hints_kept_by_truth"])
    if count == 1:
        hinted, free = np.array([record.far_diversity for record in records]).T
        if free.any():
            found["far_diversity_ratio"] = ratio_of(mean_of(hinted), mean_of(free))
    return found


if __name__ == "__main__":
    main()
