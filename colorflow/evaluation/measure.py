"""Everything that is measured of one photo, column by column.

The names of the values are those of the table. Errors of colors are squared and in percent of
sRGB's range, so that the root of their mean over photos is the RMSE x 100.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.evaluation.columns import CARDS, MANY, Cards, Column
from colorflow.evaluation.judge import Judge, colored_pictures, divergence, square_picture
from colorflow.evaluation.metrics import (
    colorfulness,
    colors,
    coverage,
    diversity,
    mean_chroma,
    seam_steps,
    squared_error_of_best_pixels,
    squared_errors,
    variance,
)
from colorflow.evaluation.shares import nearest_card
from colorflow.evaluation.subject import Subject
from colorflow.model.intervals import NOMINAL_LEVELS, in_half_widths
from colorflow.training.targets import with_noise
from colorflow.training.tuning import energy_score

DRAWN_AT_ONCE = 32
PERCENT = 100**2
"""Of squared errors in sRGB."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """One column's numbers for one photo.

    Attributes:
        values: by metric.
        levels: bits per dimension of a model with levels, by level.
        seam_steps: mean steps of chroma at the borders of the coarsest cells, and elsewhere.
        tints: (n, 2), mean ab of the sample of each seed; (0, 2) without seeds.
        shares: of the modes among principal colorings, which add up to 1; empty for others.
        nearest: index of the mode that the truth is nearest to, 0 without modes.
        features: (1280,) of the judge, of the first draw.
    """

    values: dict[str, float]
    seam_steps: tuple[float, float]
    levels: dict[str, float] = field(default_factory=dict)
    tints: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    shares: tuple[float, ...] = ()
    nearest: int = 0
    features: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoMeasures:
    """All numbers of one photo.

    Attributes:
        digest: of the photo.
        columns: by name, the truth among them.
        features: (1280,) of the judge, of the true picture.
    """

    digest: str
    columns: dict[str, Measured]
    features: NDArray[np.float32]


class NotFiniteError(Exception):
    """A model gave a value that is no finite number; no average may hide it."""


@torch.no_grad()
def measure(
    subject: Subject,
    columns: Sequence[Column],
    judge: Judge,
    *,
    draws: int,
    seed: int,
    largest_chroma: float,
) -> tuple[PhotoMeasures, Tensor]:
    """Measures the columns, and the truth as a column of its own, on one photo.

    Args:
        subject: the photo.
        columns: what colors it.
        judge: looks at the first draw of each column.
        draws: of the best of n and the like, at least 2.
        seed: of all random choices, together with the photo.
        largest_chroma: mean chroma above which a draw is a blow-up, CIELAB units.

    Returns:
        The numbers, and the first column's draws, (n, 2, 64, 64).

    Raises:
        NotFiniteError: if a column gives a value that is not finite.
    """
    truth = Column(name="truth", draw=lambda *_: subject.ab[:, None], draws="one")
    drawn: dict[str, Tensor] = {}
    found: dict[str, Measured] = {}
    densities: dict[object, tuple[dict[str, float], dict[str, float]]] = {}
    for column in [*columns, truth]:
        if column.cards is not None:
            drawn[column.name], found[column.name] = _measure_cards(
                column.cards, subject, draws, seed, largest_chroma
            )
            continue
        ab, seconds = _draw(column, subject, draws, seed)
        # Columns of one model at several temperatures share its density.
        key = (column.bits_per_dim, column.round_trip)
        if key not in densities:
            densities[key] = _density_values(column, subject, seed)
        own, levels = densities[key]
        values = own | _chroma_values(ab, column, subject, draws, largest_chroma)
        if column is not truth:
            values["seconds_per_sample"] = seconds
        drawn[column.name] = ab
        found[column.name] = Measured(
            values=values,
            levels=levels,
            seam_steps=seam_steps(ab[:draws]),
            tints=_tints(column, subject),
        )
    features = _judge(judge, subject, torch.stack([ab[0] for ab in drawn.values()]), found)
    measures = PhotoMeasures(digest=subject.digest, columns=found, features=features)
    return measures, drawn[columns[0].name]


def _measure_cards(
    cards: Cards, subject: Subject, draws: int, seed: int, largest_chroma: float
) -> tuple[Tensor, Measured]:
    """Principal colorings as users get them, (`CARDS`, 2, 64, 64), and what is measured of them."""
    generator = subject.generator(seed, "principal")
    began = time.perf_counter()
    ab, shares = cards(subject.both, CARDS, generator)
    seconds = time.perf_counter() - began
    more, _ = cards(subject.both, draws, subject.generator(seed, "principal"))
    if not bool(torch.isfinite(torch.cat([ab, more])).all()):
        raise NotFiniteError("principal gave chroma that is not finite")
    rgb = colors(subject.lightness, ab)
    errors = squared_errors(rgb, subject.rgb)
    best = squared_errors(colors(subject.lightness, more), subject.rgb).min()
    one = int(torch.randint(CARDS, (), generator=generator))
    values = {
        "rmse_first": PERCENT * float(errors[0]),
        f"rmse_best{CARDS}": PERCENT * float(errors.min()),
        f"rmse_best{draws}_photo": PERCENT * float(best),
        "rmse_one": PERCENT * float(errors[one]),
        "diversity": diversity(ab),
        "colorfulness": colorfulness(rgb),
        "colorfulness_first": colorfulness(rgb[:1]),
        "blow_ups": float((mean_chroma(ab) > largest_chroma).double().mean()),
        "seconds_per_sample": seconds / CARDS,
    }
    return ab, Measured(
        values=values,
        seam_steps=seam_steps(ab),
        shares=tuple(map(float, shares[1:])),
        nearest=nearest_card(ab[1:], subject.ab[0]),
    )


def _draw(column: Column, subject: Subject, draws: int, seed: int) -> tuple[Tensor, float]:
    """All draws of one photo, (n, 2, 64, 64), and the seconds that each took."""
    generator = subject.generator(seed, column.name)
    count = {"independent": max(draws, MANY), "chosen": draws, "one": 1}[column.draws]
    at_once = DRAWN_AT_ONCE if column.draws == "independent" else count
    began = time.perf_counter()
    parts = [
        column.draw(subject.condition, min(at_once, count - start), generator)[0]
        for start in range(0, count, at_once)
    ]
    seconds = (time.perf_counter() - began) / count
    ab = torch.cat(parts)
    if not bool(torch.isfinite(ab).all()):
        raise NotFiniteError(f"{column.name} drew chroma that is not finite")
    return ab, seconds


def _tints(column: Column, subject: Subject) -> NDArray[np.float64]:
    """Mean ab of what users get, from the photo as it is, seed by seed."""
    if column.numbered is None:
        return np.empty((0, 2))
    return np.asarray(column.numbered(subject.pixels).double().mean((2, 3)))


def _chroma_values(
    ab: Tensor, column: Column, subject: Subject, draws: int, largest_chroma: float
) -> dict[str, float]:
    """What the draws alone tell, beside the truth."""
    truth = subject.ab[0]
    few = ab.expand(2, *ab.shape[1:]) if column.draws == "one" else ab[:draws]
    rgb = colors(subject.lightness, few)
    errors = squared_errors(rgb, subject.rgb)
    values = {
        f"rmse_best{draws}_photo": PERCENT * float(errors.min()),
        f"rmse_best{draws}_pixel": PERCENT * squared_error_of_best_pixels(rgb, subject.rgb),
        "rmse_one": PERCENT * float(errors[0]),
        f"rmse_mean{draws}": PERCENT * error_of_mean(few, subject),
        "variance_pixel": PERCENT * variance(rgb),
        "energy_score": float(energy_score(few[None], truth[None])),
        "diversity": diversity(few),
        "colorfulness": colorfulness(rgb),
        "blow_ups": float((mean_chroma(ab) > largest_chroma).double().mean()),
    }
    if column.draws != "chosen":
        values[f"rmse_mean{MANY}"] = PERCENT * error_of_mean(ab[:MANY], subject)
    if column.draws == "independent":
        values |= {
            "coverage50": coverage(ab[:MANY], truth, 0.5),
            "coverage90": coverage(ab[:MANY], truth, 0.9),
        }
        values |= _map_coverage(ab[:MANY], truth, column.interval_factors)
    return values


def _map_coverage(draws: Tensor, truth: Tensor, factors: Mapping[float, float]) -> dict[str, float]:
    """Share of the photo's numbers in the intervals of the uncertainty map that users see."""
    return {
        f"map_coverage{100 * level:.0f}": float(
            (in_half_widths(draws, truth, level) <= factors[level]).double().mean()
        )
        for level in NOMINAL_LEVELS
        if level in factors
    }


def error_of_mean(ab: Tensor, subject: Subject) -> float:
    """Squared error of the picture that the mean chroma makes, (n, 2, 64, 64)."""
    mean = ab.mean(0, keepdim=True)
    return float(squared_errors(colors(subject.lightness, mean), subject.rgb)[0])


def _density_values(
    column: Column, subject: Subject, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Likelihood of the true chroma with noise on every pixel, in all and by level; inverse."""
    ab = noisy_truth(subject, seed)
    values: dict[str, float] = {}
    levels: dict[str, float] = {}
    if column.bits_per_dim is not None:
        levels = {
            name: float(bits) for name, bits in column.bits_per_dim(ab, subject.condition).items()
        }
        values["bits_per_dim"] = levels.pop("all")
    if column.round_trip is not None:
        back = column.round_trip(ab, subject.condition)
        values["inverse_error"] = float((back - ab).abs().max())
    if not np.isfinite([*values.values(), *levels.values()]).all():
        raise NotFiniteError(f"{column.name} gave a likelihood or an inverse that is not finite")
    return values, levels


def noisy_truth(subject: Subject, seed: int) -> Tensor:
    """The true chroma with the noise of every reported likelihood on it, (1, 2, 64, 64)."""
    generator = subject.generator(seed, "noise")
    return with_noise(subject.ab, generator)


def _judge(
    judge: Judge, subject: Subject, first: Tensor, found: dict[str, Measured]
) -> NDArray[np.float32]:
    """Adds the judge's values to the columns, whose first draws are (N, 2, 64, 64).

    Returns:
        The features of the true picture. All pictures of a photo are one batch, so that other
        photos do not change its numbers.
    """
    picture = square_picture(subject.pixels)
    verdict = judge.look(np.concatenate([picture[None], colored_pictures(picture, first)]))
    truth, ours = verdict.log_probs[:1], verdict.log_probs[1:]
    agrees = truth.argmax(1) == ours.argmax(1)
    diverges = divergence(truth, ours)
    true_features, *features = (row.copy() for row in verdict.features.numpy())
    for index, measured in enumerate(found.values()):
        measured.values["judge_agreement"] = float(agrees[index])
        measured.values["judge_kl"] = float(diverges[index])
        measured.features = features[index]
    return true_features
