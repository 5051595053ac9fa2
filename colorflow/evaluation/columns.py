"""The columns of the table: the ways of coloring that are compared.

To compare another way, make a `Column` of it.

Dimensions: n samples of one photo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colorflow.colorizer import Colorizer
from colorflow.errors import WeightsError
from colorflow.evaluation.baselines import BASELINES, ConditionalDensity, load_baseline
from colorflow.evaluation.metrics import bits_per_dim
from colorflow.evaluation.subject import Subject
from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.heads import HEADS_SIZE
from colorflow.model.level import MEAN_CHANNELS
from colorflow.model.skin import tone_latents
from colorflow.model.weights import LoadedWeights
from colorflow.photo_model import Latents, PhotoModel
from colorflow.recipe import ColoringSpec
from colorflow.training.pixels import TrainingColors

MANY = 64
"""Samples of one photo for metrics that need many: the mean, intervals, blow-ups, tint by seed."""

PRINCIPAL = 4
"""Principal colorings that a user sees by default."""

Density = Callable[[Tensor, Condition], tuple[dict[str, float], Tensor]]
Sampler = Callable[[Subject, int, torch.Generator], Tensor]
PrincipalSampler = Callable[[Subject, int], tuple[Tensor, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One way of coloring.

    Attributes:
        name: in the table.
        sample: from a photo, n, and a source of randomness to (n, 2, 64, 64) chroma in CIELAB
            units: independent samples of a distribution.
        one: whether `sample` gives the same result each time instead.
        density: from (1, 2, 64, 64) chroma and a condition to its negative log-likelihood in bits
            per dimension, density per CIELAB unit, ``all`` for the whole model and by level where a
            model has levels; and to the same chroma after it went through the latents and back.
            None without a density.
        interval_factors: of the uncertainty map that is made of these samples, as in
            `LoadedWeights`; empty if there is no such map.
        samples_by_seed: from a photo's pixels to samples (n, 2, 64, 64) as users get them, sample i
            for seed i. `sample` has its own random numbers for each photo, so only these samples
            show what one seed has in common on all photos. None without seeds.
        principal: from a photo and k to its principal colorings (k, 2, 64, 64) and their shares
            (k,), which are measured instead of samples.
        skin: from a photo to the cells that are taken for skin, (64, 64), on which all columns are
            compared. None without a head for skin.
    """

    name: str
    sample: Sampler | None = None
    one: bool = False
    density: Density | None = None
    interval_factors: Mapping[float, float] = field(default_factory=dict)
    samples_by_seed: Callable[[NDArray[np.uint8]], Tensor] | None = None
    principal: PrincipalSampler | None = None
    skin: Callable[[Subject], NDArray[np.bool_]] | None = None


def columns_of(weights: LoadedWeights) -> list[Column]:
    """Makes the columns of a weights file, the training photos' mean color among them."""
    pyramid = weights.pyramid
    model_of = lru_cache(maxsize=1)(partial(_photo_model, weights))

    def density(ab: Tensor, condition: Condition) -> tuple[dict[str, float], Tensor]:
        nats = [-float(term) for term in pyramid.level_log_probs(ab, condition)]
        back = pyramid.decode(pyramid.encode(ab, condition), condition)
        return pyramid.bits_by_level(nats), back

    return [
        Column(
            name="colorflow",
            sample=partial(_painted, weights, model_of),
            density=density,
            samples_by_seed=partial(_samples_by_seed, Colorizer(weights)),
            skin=partial(_skin, model_of) if pyramid.skin_head is not None else None,
        ),
        Column(
            name="colorflow_std1",
            sample=lambda subject, n, generator: pyramid.sample(
                subject.condition, n, [1.0] * len(weights.temperatures), generator
            )[0],
            density=density,
            interval_factors=weights.interval_factors,
        ),
        Column(name="principal", principal=partial(_principal, model_of)),
        constant("mean_color", training_colors_of(weights).mean_ab),
    ]


def baseline_columns(folder: Path, say: Callable[[str], None]) -> list[Column]:
    """Makes the columns of a folder of baselines, `NAME.safetensors` each.

    Args:
        folder: of weights files.
        say: gets a line for each missing file.

    Raises:
        WeightsError: if a file cannot be read, or holds another baseline than its name says.
    """
    columns = []
    for name in BASELINES:
        path = folder / f"{name}.safetensors"
        if not path.exists():
            say(f"{path}: is missing, so the table has no column {name}")
            continue
        columns.append(_baseline(name, *load_baseline(path, name)))
    return columns


def constant(name: str, ab: tuple[float, float]) -> Column:
    """Makes a column with the same chroma at every pixel of every photo."""
    chroma = torch.tensor(ab).view(2, 1, 1)
    return Column(
        name=name,
        sample=lambda _, n, __: chroma.expand(n, 2, FINEST_GRID, FINEST_GRID),
        one=True,
    )


def training_colors_of(weights: LoadedWeights) -> TrainingColors:
    """Returns the colors of the photos that the weights were trained on.

    Raises:
        WeightsError: if their header lacks them.
    """
    try:
        return TrainingColors.from_dict(weights.training["colors"])
    except (LookupError, TypeError, ValueError) as error:
        raise WeightsError(
            "the weights do not say which colors they were trained on, which the table compares "
            "with; write them again with `colorflow export`"
        ) from error


def _baseline(name: str, module: nn.Module, temperature: float) -> Column:
    """Makes the column of a density, or of the one result of the deterministic network."""
    if not isinstance(module, ConditionalDensity):
        return Column(
            name=name,
            sample=lambda subject, n, _: module(subject.condition).expand(n, -1, -1, -1),
            one=True,
        )

    def density(ab: Tensor, condition: Condition) -> tuple[dict[str, float], Tensor]:
        nats = -float(module(ab, condition))
        context, bijection = module.context_of(condition), module.flow.bijection
        back = bijection.inverse(bijection(ab, context)[0], context)[0]
        return {"all": bits_per_dim(nats, MEAN_CHANNELS * FINEST_GRID**2)}, back

    return Column(
        name=name,
        sample=lambda subject, n, generator: module.sample(
            subject.condition, n, generator, temperature
        )[0],
        density=density,
    )


def _painted(
    weights: LoadedWeights,
    model_of: Callable[[Subject], PhotoModel],
    subject: Subject,
    n: int,
    generator: torch.Generator,
) -> Tensor:
    """Makes samples at the shipped temperatures as people see them."""
    model = model_of(subject)
    latents = _latents(weights, n, generator)
    ab = model.decode(latents)
    specs = [ColoringSpec(seeds=(0,) * len(weights.temperatures))] * n
    tones = tone_latents([levels[0] for levels in latents])
    return torch.from_numpy(model.paint(ab, specs, tones))


def _samples_by_seed(colorizer: Colorizer, pixels: NDArray[np.uint8]) -> Tensor:
    """Makes the samples of `colorize` for the seeds from 0 on."""
    colorings = colorizer.colorize(pixels, MANY, samples=True, force=True)
    return torch.from_numpy(np.stack([one.ab for one in colorings]))


def _principal(
    model_of: Callable[[Subject], PhotoModel], subject: Subject, k: int
) -> tuple[Tensor, NDArray[np.float64]]:
    """Makes principal colorings as users get them."""
    model = model_of(subject)
    first = ColoringSpec(seeds=(0,) * len(model.temperatures))
    ab, shares = model.principal(first, k)
    specs = [first.principal_spec(number, k) for number in range(k)]
    return torch.from_numpy(model.paint(ab, specs)), np.array(shares)


def _skin(model_of: Callable[[Subject], PhotoModel], subject: Subject) -> NDArray[np.bool_]:
    """Finds the cells that mostly get the color of skin."""
    skin = model_of(subject).skin
    assert skin is not None
    return skin.weight > 0.5


def _photo_model(weights: LoadedWeights, subject: Subject) -> PhotoModel:
    """Makes the distribution of a photo."""

    def condition(side: int, *, mirrored: bool) -> Condition:
        whole = subject.mirrored if mirrored else subject.condition
        return subject.large if side == HEADS_SIZE else whole

    return PhotoModel(weights, condition)


def _latents(weights: LoadedWeights, n: int, generator: torch.Generator) -> list[Latents]:
    """Samples the latents of n samples at the shipped temperatures, level by level."""
    levels = [
        std * torch.randn(n, *shape, generator=generator)
        for shape, std in zip(weights.pyramid.latent_shapes(), weights.temperatures, strict=True)
    ]
    return [list(latents) for latents in zip(*levels, strict=True)]
