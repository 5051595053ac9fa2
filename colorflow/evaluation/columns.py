"""The ways of coloring that are compared: the columns of the table.

To compare another one, make a `Column` of it.

Dimensions: B photos, n draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.baselines import BASELINES, LoadedBaseline, load_baseline
from colorflow.colorizer import Colorizer
from colorflow.errors import WeightsError
from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.density import ConditionalDensity
from colorflow.model.diverse import COARSE_LEVELS, DIVERSE_POOL, most_different
from colorflow.model.level import MEAN_CHANNELS
from colorflow.model.principal import POOL, principal_colorings
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import LoadedWeights
from colorflow.photo import photo_from_image
from colorflow.training.colors import TrainingColors

COLORS_OF_FIRST_PACK = TrainingColors(mean_ab=(1.47, 7.64), blow_up_chroma=72.8)
"""For weights whose header does not hold the colors of their training photos: those of the first
shipped weights, measured by `training_colors` on their pack (25,649 photos, 13,647 of them
large)."""

MANY = 64
"""Samples of one photo for what takes many: the mean, intervals, blow-ups, tint by seed."""

CARDS = 4
"""Principal colorings that a user sees by default."""

Draw = Callable[[Condition, int, torch.Generator], Tensor]
Cards = Callable[[Condition, int, torch.Generator], tuple[Tensor, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One way of coloring.

    Attributes:
        name: in the table.
        draw: from a condition of B photos, n, and a source of randomness to (B, n, 2, 64, 64)
            chroma in CIELAB units.
        draws: whether they are independent samples of a distribution, a few chosen from many, or
            one and the same result each time.
        bits_per_dim: from (B, 2, 64, 64) chroma and a condition to its negative log-likelihood in
            bits per dimension, (B,), density per CIELAB unit: ``all`` for the whole, and beside it
            by level where a model has levels. None without a density.
        round_trip: from chroma and a condition through the latents and back, to the same chroma as
            far as the model's inverse is exact. None without latents.
        interval_factors: of the uncertainty map that is made of these draws, as in `LoadedWeights`;
            empty where there is no such map.
        numbered: from a photo's pixels to samples (n, 2, 64, 64) as users get them, sample i for
            seed i. `draw` has random numbers of its own for each photo, users choose a seed; so
            what samples of one seed have in common is seen here alone. None without seeds.
        cards: from the condition of a photo and the mirrored photo, k, and a source of randomness
            to k principal colorings (k, 2, 64, 64) and their shares (k,); what is measured is then
            of them, and `draw` is not asked. None for other columns.
    """

    name: str
    draw: Draw
    draws: Literal["independent", "chosen", "one"]
    bits_per_dim: Callable[[Tensor, Condition], Mapping[str, Tensor]] | None = None
    round_trip: Callable[[Tensor, Condition], Tensor] | None = None
    interval_factors: Mapping[float, float] = field(default_factory=dict)
    numbered: Callable[[NDArray[np.uint8]], Tensor] | None = None
    cards: Cards | None = None


def columns_of(weights: LoadedWeights) -> list[Column]:
    """The columns that a weights file gives, the training photos' mean color among them."""
    pyramid = weights.pyramid
    shipped, honest = weights.temperatures, [1.0] * len(weights.temperatures)
    density: dict[str, Any] = {
        "bits_per_dim": lambda ab, condition: _bits_by_level(pyramid, ab, condition),
        "round_trip": lambda ab, condition: pyramid.decode(
            pyramid.encode(ab, condition), condition
        ),
    }
    return [
        Column(
            name="colorflow",
            draw=_sampler(pyramid, shipped, weights.gain),
            draws="independent",
            numbered=_numbered(weights),
            **density,
        ),
        Column(
            name="colorflow_std1",
            draw=_sampler(pyramid, honest),
            draws="independent",
            interval_factors=weights.interval_factors,
            **density,
        ),
        Column(
            name="colorflow_diverse", draw=_diverse(pyramid, shipped, weights.gain), draws="chosen"
        ),
        Column(
            name="principal",
            draw=_no_draw,
            draws="chosen",
            cards=_cards(pyramid, shipped, weights.gain),
        ),
        constant("mean_color", training_colors_of(weights).mean_ab),
    ]


def _cards(pyramid: ChromaPyramid, temperatures: Sequence[float], gain: float) -> Cards:
    """Principal colorings, of as many samples as users get."""

    def cards(
        both: Condition, k: int, generator: torch.Generator
    ) -> tuple[Tensor, NDArray[np.float64]]:
        latents = [
            std * torch.randn(POOL, *shape, generator=generator)
            for shape, std in zip(pyramid.latent_shapes(), temperatures, strict=True)
        ]
        return principal_colorings(pyramid, latents, both, k, gain)

    return cards


def _no_draw(*_: object) -> Tensor:
    raise AssertionError("principal colorings are made by `cards`")


def baseline_columns(folder: Path, say: Callable[[str], None]) -> list[Column]:
    """The trained baselines of a folder, `NAME.safetensors` each.

    Args:
        folder: of weights files.
        say: gets a line for each one that is missing.

    Raises:
        WeightsError: if a file cannot be read, or holds another baseline than its name says.
    """
    columns = []
    for name in BASELINES:
        path = folder / f"{name}.safetensors"
        if not path.exists():
            say(f"{path}: is missing, so the table has no column {name}")
            continue
        baseline = load_baseline(path)
        if baseline.name != name:
            raise WeightsError(f"{path}: holds the baseline {baseline.name}; rename the file")
        columns.append(_baseline(baseline))
    return columns


def _baseline(baseline: LoadedBaseline) -> Column:
    """One result of the deterministic network, draws of a density."""
    module, temperature = baseline.module, baseline.temperature
    if not isinstance(module, ConditionalDensity):
        return Column(
            name=baseline.name,
            draw=lambda condition, n, _: module(condition)[:, None].expand(-1, n, -1, -1, -1),
            draws="one",
        )
    dims = MEAN_CHANNELS * FINEST_GRID**2

    def bits_per_dim(ab: Tensor, condition: Condition) -> dict[str, Tensor]:
        return {"all": -module.log_prob(ab, condition) / (dims * math.log(2))}

    def round_trip(ab: Tensor, condition: Condition) -> Tensor:
        context = module.context_of(condition)
        bijection = module.flow.bijection
        return bijection.inverse(bijection(ab, context)[0], context)[0]

    return Column(
        name=baseline.name,
        draw=lambda condition, n, generator: module.sample(condition, n, generator, temperature),
        draws="independent",
        bits_per_dim=bits_per_dim,
        round_trip=round_trip,
    )


def training_colors_of(weights: LoadedWeights) -> TrainingColors:
    """The colors of the photos that the weights were trained on."""
    stored = weights.training.get("colors")
    if stored is None:
        return COLORS_OF_FIRST_PACK
    return TrainingColors.from_dict(stored)


def constant(name: str, ab: tuple[float, float]) -> Column:
    """The same chroma at every pixel of every photo."""

    def draw(condition: Condition, n: int, _: torch.Generator) -> Tensor:
        return torch.tensor(ab).view(2, 1, 1).expand(len(condition), n, 2, FINEST_GRID, FINEST_GRID)

    return Column(name=name, draw=draw, draws="one")


def _sampler(pyramid: ChromaPyramid, temperatures: Sequence[float], gain: float = 1.0) -> Draw:
    return lambda condition, n, generator: pyramid.sample(
        condition, n, temperatures, generator, gain
    )


def _numbered(weights: LoadedWeights) -> Callable[[NDArray[np.uint8]], Tensor]:
    """The samples of `colorize` with its own seed, 0, and those that follow."""
    colorizer = Colorizer(weights)

    def numbered(pixels: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(
            colorizer.predict(photo_from_image(pixels), MANY, seed=0, samples=True).ab
        )

    return numbered


def _diverse(pyramid: ChromaPyramid, temperatures: Sequence[float], gain: float) -> Draw:
    """The n most different of 8n draws, as `Colorizer` chooses them."""

    def draw(condition: Condition, n: int, generator: torch.Generator) -> Tensor:
        pool = n * DIVERSE_POOL
        latents = [
            temperature * torch.randn(len(condition) * pool, *shape, generator=generator)
            for shape, temperature in zip(pyramid.latent_shapes(), temperatures, strict=True)
        ]
        coarse = pyramid.decode(latents[:COARSE_LEVELS], condition, gain).unflatten(0, (-1, pool))
        chosen = [
            photo * pool + index
            for photo, points in enumerate(coarse.flatten(2).numpy())
            for index in most_different(points, n)
        ]
        ab = pyramid.decode([level[chosen] for level in latents], condition, gain)
        return ab.unflatten(0, (-1, n))

    return draw


def _bits_by_level(pyramid: ChromaPyramid, ab: Tensor, condition: Condition) -> dict[str, Tensor]:
    """Each level's value counts the bits of its own numbers, as in `colorflow export`."""
    terms = pyramid.level_log_probs(ab, condition)
    dims = [math.prod(shape) for shape in pyramid.latent_shapes()]
    bits = {
        str(name): -term / (dim * math.log(2))
        for name, term, dim in zip(pyramid.config.chroma_grids, terms, dims, strict=True)
    }
    return bits | {"all": -torch.stack(terms).sum(0) / (sum(dims) * math.log(2))}
