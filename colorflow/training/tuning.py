"""Choosing the shipped temperature of each level, on dev photos, by a proper score."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.pack import Pack

CANDIDATES = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0)
DRAWS = 8
BLOW_UP_QUANTILE = 0.999
ROUNDS = 2


def energy_score(draws: Tensor, truth: Tensor) -> Tensor:
    """Energy score of a set of draws, lower is better; proper for the distribution of one draw.

    E|X - y| - E|X - X'| / 2, with the root mean square over all numbers as the norm.

    Args:
        draws: (B, n, ...) with n at least 2.
        truth: (B, ...).

    Returns:
        (B,) in the unit of the draws.

    Reference: Gneiting & Raftery 2007, section 4.3.
    """
    flat, target = draws.flatten(2), truth.flatten(1)
    scale = flat.shape[-1] ** 0.5
    n = flat.shape[1]
    to_truth = (flat - target[:, None]).norm(dim=-1).mean(1)
    between = torch.cdist(flat, flat).sum((1, 2)) / (n * (n - 1))
    return (to_truth - between / 2) / scale


@torch.no_grad()
def tune_temperatures(
    pyramid: ChromaPyramid,
    pack: Pack,
    photos: int = 200,
    say: Callable[[str], None] = print,
) -> tuple[float, ...]:
    """Temperatures that minimise the energy score of ab on the 64x64 grid over dev photos.

    Coordinate descent, coarse to fine, with the same random numbers for every candidate.

    Args:
        pyramid: trained model.
        pack: whose dev split is used, whole photos, clean.
        photos: number of dev photos.
        say: gets a line a level.

    Returns:
        One temperature a level, coarse to fine.
    """
    rows = pack.rows("dev", variant="whole")
    rows = np.random.default_rng(2).permutation(rows)[:photos]
    batches = [pack.batch(part) for part in np.array_split(rows, -(-len(rows) // 50))]
    temperatures = [1.0] * len(pyramid.levels)
    for round_number in range(ROUNDS):
        for level in range(len(temperatures)):
            scores = {
                candidate: _mean_score(
                    pyramid,
                    batches,
                    [*temperatures[:level], candidate, *temperatures[level + 1 :]],
                )
                for candidate in CANDIDATES
            }
            temperatures[level] = min(scores, key=lambda t: (round(scores[t], 4), t))
            text = ", ".join(f"{t:g}: {score:.3f}" for t, score in scores.items())
            say(f"round {round_number + 1}, level {level}: {text} -> {temperatures[level]:g}")
    return tuple(temperatures)


@torch.no_grad()
def blow_ups(
    pyramid: ChromaPyramid,
    pack: Pack,
    temperatures: Sequence[float],
    photos: int = 200,
    draws: int = 10,
) -> float:
    """Share of draws on dev photos whose mean chroma no training photo has.

    A draw is a blow-up if its mean chroma exceeds the 99.9th percentile of the training photos'.

    Args:
        pyramid: trained model.
        pack: whose dev split is used, whole photos, clean.
        temperatures: std of the latents, one a level.
        photos: number of dev photos.
        draws: of each.
    """
    limit = float(np.quantile(pack.train_chroma, BLOW_UP_QUANTILE))
    rows = np.random.default_rng(2).permutation(pack.rows("dev", variant="whole"))[:photos]
    generator = torch.Generator().manual_seed(6)
    count = 0
    for part in np.array_split(rows, -(-len(rows) // 20)):
        ab = pyramid.sample(pack.batch(part)[1], draws, temperatures, generator)
        count += int((ab.norm(dim=2).mean((2, 3)) > limit).sum())
    return count / (len(rows) * draws)


def _mean_score(
    pyramid: ChromaPyramid,
    batches: Sequence[tuple[Tensor, Condition]],
    temperatures: Sequence[float],
) -> float:
    generator = torch.Generator().manual_seed(3)
    scores = [
        energy_score(pyramid.sample(condition, DRAWS, temperatures, generator), ab)
        for ab, condition in batches
    ]
    return float(torch.cat(scores).mean())
