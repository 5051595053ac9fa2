"""All measurements of one photo, column by column.

The names of the values are those of the table. Errors of colors are squared and in percent of
sRGB's range, so that the root of their mean over photos is the RMSE x 100.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import lightness_of, render
from colorflow.evaluation import metrics
from colorflow.evaluation.columns import MANY, PRINCIPAL, Column, Density, PrincipalSampler
from colorflow.evaluation.judge import Judge, colored_pictures, divergence, square_picture
from colorflow.evaluation.subject import Subject
from colorflow.model.intervals import energy_score, in_half_widths
from colorflow.training.levels import with_noise

SAMPLED_AT_ONCE = 32
PERCENT = 100**2
"""Factor of squared errors in sRGB."""


@dataclass(slots=True, kw_only=True)
class ColumnMeasures:
    """The numbers of one column for one photo.

    Attributes:
        values: by metric.
        levels: bits per dimension by level, for a model with levels.
        seam_steps: mean steps of chroma at the borders of the coarsest cells, and elsewhere.
        thing_steps: of the first sample, as of `metrics.thing_steps`.
        skin_sums: of the first sample, as of `metrics.skin_sums`.
        tints: (n, 2), mean ab of the sample of each seed; (0, 2) without seeds.
        shares: of the modes among principal colorings, with the sum 1; empty for other columns.
        nearest: index of the mode that the truth is nearest to; 0 without modes.
        features: (1280,) of the judge, of the first sample.
    """

    values: dict[str, float]
    seam_steps: tuple[float, float]
    thing_steps: tuple[float, float] = (float("nan"), float("nan"))
    skin_sums: tuple[float, ...] = (0.0,) * 6
    levels: dict[str, float] = field(default_factory=dict)
    tints: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    shares: tuple[float, ...] = ()
    nearest: int = 0
    features: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoMeasures:
    """All numbers of one photo.

    Attributes:
        columns: by name, the truth among them.
        features: (1280,) of the judge, of the true picture.
    """

    columns: dict[str, ColumnMeasures]
    features: NDArray[np.float32]


class NotFiniteError(Exception):
    """A model gave a value that is not finite; the photo is left out of all averages."""


@torch.no_grad()
def measure(
    subject: Subject,
    columns: Sequence[Column],
    judge: Judge,
    *,
    n: int,
    seed: int,
    blow_up_chroma: float,
) -> PhotoMeasures:
    """Measures the columns on one photo, and the truth as a further column.

    Args:
        subject: the photo.
        columns: the ways of coloring.
        judge: classifies the first sample of each column.
        n: samples for the best of n and the like, at least 2.
        seed: of all random choices, together with the photo.
        blow_up_chroma: mean chroma above which a sample is a blow-up, CIELAB units.

    Raises:
        NotFiniteError: if a column gives a value that is not finite.
    """
    truth = Column(name="truth", sample=lambda *_: subject.ab, one=True)
    finders = [column.skin for column in columns if column.skin is not None]
    skin = finders[0](subject) if finders else np.zeros(subject.lightness.shape, bool)
    samples: dict[str, Tensor] = {}
    found: dict[str, ColumnMeasures] = {}
    densities: dict[Density | None, tuple[dict[str, float], dict[str, float]]] = {}
    for column in [*columns, truth]:
        if column.principal is not None:
            samples[column.name], found[column.name] = _measure_principal(
                column.principal, subject, n, seed, blow_up_chroma
            )
            continue
        ab, seconds = _timed_samples(column, subject, n, seed)
        # Columns of one model at several temperatures share its density.
        if column.density not in densities:
            densities[column.density] = _density_values(column, subject, seed)
        density, levels = densities[column.density]
        values = density | _chroma_values(ab, column, subject, n, blow_up_chroma)
        if column is not truth:
            values["seconds_per_sample"] = seconds
        samples[column.name] = ab
        found[column.name] = ColumnMeasures(
            values=values,
            levels=levels,
            seam_steps=metrics.seam_steps(ab[:n]),
            tints=_tints(column, subject),
        )
    for name, ab in samples.items():
        found[name].values["psnr"] = _psnr(subject, ab[0])
        found[name].thing_steps = metrics.thing_steps(ab[0], subject.ab[0])
        found[name].skin_sums = metrics.skin_sums(ab[0], subject.ab[0], skin)
    features = _judge(judge, subject, torch.stack([ab[0] for ab in samples.values()]), found)
    return PhotoMeasures(columns=found, features=features)


def _error_of_mean(ab: Tensor, subject: Subject) -> float:
    """Squared error of the picture of the mean chroma of (n, 2, 64, 64)."""
    mean = ab.mean(0, keepdim=True)
    return float(metrics.squared_errors(metrics.colors(subject.lightness, mean), subject.rgb)[0])


def _finite(ab: Tensor, name: str) -> Tensor:
    if not bool(torch.isfinite(ab).all()):
        raise NotFiniteError(f"{name} gave chroma that is not finite")
    return ab


def _timed_samples(column: Column, subject: Subject, n: int, seed: int) -> tuple[Tensor, float]:
    """Makes all samples of a column, (n, 2, 64, 64); returns the seconds per sample too."""
    assert column.sample is not None
    count = 1 if column.one else max(n, MANY)
    generator = subject.generator(seed, column.name)
    began = time.perf_counter()
    parts = [
        column.sample(subject, min(SAMPLED_AT_ONCE, count - start), generator)
        for start in range(0, count, SAMPLED_AT_ONCE)
    ]
    ab = _finite(torch.cat(parts), column.name)
    return ab, (time.perf_counter() - began) / count


def _measure_principal(
    principal: PrincipalSampler, subject: Subject, n: int, seed: int, blow_up_chroma: float
) -> tuple[Tensor, ColumnMeasures]:
    """Measures principal colorings as users get them, (`PRINCIPAL`, 2, 64, 64)."""
    generator = subject.generator(seed, "principal")
    began = time.perf_counter()
    ab, shares = principal(subject, PRINCIPAL)
    seconds = time.perf_counter() - began
    more, _ = principal(subject, n)
    _finite(torch.cat([ab, more]), "principal")
    rgb = metrics.colors(subject.lightness, ab)
    errors = metrics.squared_errors(rgb, subject.rgb)
    best = metrics.squared_errors(metrics.colors(subject.lightness, more), subject.rgb).min()
    one = int(torch.randint(PRINCIPAL, (), generator=generator))
    values = {
        "rmse_first": PERCENT * float(errors[0]),
        f"rmse_best{PRINCIPAL}": PERCENT * float(errors.min()),
        f"rmse_best{n}_photo": PERCENT * float(best),
        "rmse_one": PERCENT * float(errors[one]),
        "diversity": metrics.diversity(ab),
        "colorfulness": metrics.colorfulness(rgb),
        "colorfulness_first": metrics.colorfulness(rgb[:1]),
        "blow_ups": _blow_ups(ab, blow_up_chroma),
        "seconds_per_sample": seconds / PRINCIPAL,
    }
    return ab, ColumnMeasures(
        values=values,
        seam_steps=metrics.seam_steps(ab),
        shares=tuple(map(float, shares[1:])),
        nearest=metrics.nearest_mode(ab[1:], subject.ab[0]),
    )


def _blow_ups(ab: Tensor, blow_up_chroma: float) -> float:
    return float((metrics.mean_chroma(ab) > blow_up_chroma).double().mean())


def _tints(column: Column, subject: Subject) -> NDArray[np.float64]:
    """Mean ab of the samples that users get, by seed; the photo is never degraded."""
    if column.samples_by_seed is None:
        return np.empty((0, 2))
    return np.asarray(column.samples_by_seed(subject.pixels).double().mean((2, 3)))


def _chroma_values(
    ab: Tensor, column: Column, subject: Subject, n: int, blow_up_chroma: float
) -> dict[str, float]:
    """Compares samples with the truth and with each other."""
    truth = subject.ab[0]
    few = ab.expand(2, *ab.shape[1:]) if column.one else ab[:n]
    rgb = metrics.colors(subject.lightness, few)
    errors = metrics.squared_errors(rgb, subject.rgb)
    values = {
        f"rmse_best{n}_photo": PERCENT * float(errors.min()),
        f"rmse_best{n}_pixel": PERCENT * metrics.squared_error_of_best_pixels(rgb, subject.rgb),
        "rmse_one": PERCENT * float(errors[0]),
        f"rmse_mean{n}": PERCENT * _error_of_mean(few, subject),
        "variance_pixel": PERCENT * metrics.variance(rgb),
        "energy_score": float(energy_score(few[None], truth[None])),
        "diversity": metrics.diversity(few),
        "colorfulness": metrics.colorfulness(rgb),
        "blow_ups": _blow_ups(ab, blow_up_chroma),
        f"rmse_mean{MANY}": PERCENT * _error_of_mean(ab[:MANY], subject),
        f"psnr_mean{MANY}": _psnr(subject, ab[:MANY].mean(0)),
    }
    if not column.one:
        for percent in (50, 90):
            values[f"coverage{percent}"] = metrics.coverage(ab[:MANY], truth, percent / 100)
    for nominal, factor in column.interval_factors.items():
        inside = in_half_widths(ab[:MANY], truth, nominal) <= factor
        values[f"map_coverage{100 * nominal:.0f}"] = float(inside.double().mean())
    return values


def _density_values(
    column: Column, subject: Subject, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Likelihood of the noisy true chroma, for the whole model and by level, and inverse error."""
    if column.density is None:
        return {}, {}
    ab = with_noise(subject.ab, subject.generator(seed, "noise"))
    levels, back = column.density(ab, subject.condition)
    values = {
        "bits_per_dim": levels.pop("all"),
        "inverse_error": float((back - ab).abs().max()),
    }
    if not np.isfinite([*values.values(), *levels.values()]).all():
        raise NotFiniteError(f"{column.name} gave a likelihood or an inverse that is not finite")
    return values, levels


def _psnr(subject: Subject, ab: Tensor) -> float:
    """Of the picture of chroma (2, 64, 64), dB."""
    picture = render(lightness_of(subject.square), ab.numpy())
    return metrics.psnr(picture, subject.square)


def _judge(
    judge: Judge, subject: Subject, first: Tensor, found: dict[str, ColumnMeasures]
) -> NDArray[np.float32]:
    """Adds the judge's values to the columns, whose first samples are (N, 2, 64, 64).

    All pictures of a photo are one batch, so that other photos do not change its numbers.

    Returns:
        The features of the true picture.
    """
    picture = square_picture(subject.pixels)
    verdict = judge.look(np.concatenate([picture[None], colored_pictures(picture, first)]))
    truth, ours = verdict.log_probs[:1], verdict.log_probs[1:]
    agrees = truth.argmax(1) == ours.argmax(1)
    diverges = divergence(truth, ours)
    true_features, *features = (row.copy() for row in verdict.features.numpy())
    for index, measures in enumerate(found.values()):
        measures.values["judge_agreement"] = float(agrees[index])
        measures.values["judge_kl"] = float(diverges[index])
        measures.features = features[index]
    return true_features
