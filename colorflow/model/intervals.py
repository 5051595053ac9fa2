"""Central intervals of many samples, how far the truth lies from their middle, and a score.

The intervals are based on ranks, so they assume nothing about the distribution's shape. Their ends
are the (n + 1) p-th smallest of n samples, interpolated between two neighbors: if samples and truth
come from one distribution, the expected coverage is p exactly for uniform numbers and very nearly
for others, whatever n is. One factor of the half-widths corrects intervals of a model that is
overconfident or underconfident.

Reference: Gumbel 1939 (the plotting position i / (n + 1)).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from colorflow.limits import check_whole

NOMINAL_LEVELS = (0.5, 0.9)
"""Nominal coverage of the intervals that are calibrated."""


def central_interval(samples: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """Middle and half-width of the central interval at each position.

    Args:
        samples: (n, ...) samples; the interval needs at least 3 for 0.5 and 19 for 0.9.
        level: share of the distribution inside, in (0, 1).

    Returns:
        Two tensors (...), in the unit of the samples.

    Raises:
        ValueError: if `level` is out of range, or there are too few samples.
    """
    check_sample_count(len(samples), level)
    ordered = samples.sort(0).values
    low, high = (_quantile(ordered, p) for p in ((1 - level) / 2, (1 + level) / 2))
    return (low + high) / 2, (high - low) / 2


def check_sample_count(n: int, level: float) -> None:
    """Checks that the ends of the central interval lie among n samples.

    Raises:
        ValueError: if there are too few samples, or `level` is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: expected a share between 0 and 1, got {level}")
    least = math.ceil(round(2 / (1 - level), 6)) - 1  # (n + 1) (1 - level) / 2 reaches 1
    check_whole("n", n, 1)
    if n < least:
        raise ValueError(f"n: expected at least {least} for an interval of {level}, got {n}")


def in_half_widths(samples: Tensor, truth: Tensor, level: float) -> Tensor:
    """Distance of the truth from the middle of the central interval, in half-widths.

    Intervals stretched by f cover the share of distances up to f.

    Args:
        samples: (n, ...).
        truth: (...).
        level: of the interval.

    Returns:
        (...), from 0; infinite outside an interval of zero width.
    """
    middle, half_width = central_interval(samples, level)
    distance = (truth - middle).abs()
    return torch.where(distance > 0, distance / half_width, 0.0)


def energy_score(samples: Tensor, truth: Tensor) -> Tensor:
    """Energy score of samples, lower is better; a proper score of their distribution.

    E|X - y| - E|X - X'| / 2, with the root mean square over all numbers as the norm.

    Args:
        samples: (B, n, ...) with n at least 2.
        truth: (B, ...).

    Returns:
        (B,) in the unit of the samples.

    Reference: Gneiting & Raftery 2007, section 4.3.
    """
    flat, target = samples.flatten(2), truth.flatten(1)
    scale = flat.shape[-1] ** 0.5
    n = flat.shape[1]
    to_truth = (flat - target[:, None]).norm(dim=-1).mean(1)
    pairs = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")  # exact
    between = pairs.sum((1, 2)) / (n * (n - 1))
    return (to_truth - between / 2) / scale


def _quantile(ordered: Tensor, p: float) -> Tensor:
    """The (n + 1) p-th smallest of n, counted from 1."""
    rank = max(0.0, (len(ordered) + 1) * p - 1)
    below = min(int(rank), len(ordered) - 2)
    return torch.lerp(ordered[below], ordered[below + 1], rank - below)
