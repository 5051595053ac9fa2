"""Latents of one colouring, level by level: drawn from seeds, and mixed with others.

Under the model the latents of a level are D standard normal numbers, and nearly all such vectors
lie close to the sphere of radius sqrt(D). The straight way between two of them leaves the sphere:
half-way the latents have the length of a draw at temperature 0.7, whose colours are paler than
those of either end. Mixtures therefore go along the arc.

Reference: Shoemake 1985 (interpolation on the sphere); White 2016 (in latent spaces).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_LEAST_SINE = 1e-6
"""Of the angle between two vectors that do not count as parallel."""


def draw_latents(shapes: Sequence[tuple[int, ...]], seeds: Sequence[int]) -> list[Tensor]:
    """Standard normal latents of one colouring.

    Those of a level depend on the level and on its seed alone: one seed gives the same numbers to
    a level whatever the other levels are drawn from.

    Args:
        shapes: (C, g, g) of each level, coarse to fine.
        seeds: one a level, each from 0.

    Returns:
        One tensor a level, float32, on the CPU.
    """
    of_seed = {}
    for seed in set(seeds):
        generator = torch.Generator().manual_seed(seed)
        of_seed[seed] = [torch.randn(shape, generator=generator) for shape in shapes]
    return [of_seed[seed][index] for index, seed in enumerate(seeds)]


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """A point on the way between two vectors: its direction on the arc, its length between theirs.

    Directions turn at a constant rate and lengths change at a constant rate, so a mixture of two
    draws of one temperature is as long as they are, and one of two temperatures has one between
    them. Parallel vectors, and zero with any other, are mixed along the line.

    Args:
        start: any shape, one vector as a whole.
        end: of the same shape.
        share: of the way, in [0, 1].

    Returns:
        Of the same shape; exactly `start` at 0 and exactly `end` at 1.

    Raises:
        ValueError: if `share` is out of range.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share: expected 0 to 1, got {share}")
    if share in (0, 1):
        return (end if share else start).clone()
    a, b = start.double(), end.double()
    lengths = float(a.norm()), float(b.norm())
    weights = 1 - share, share
    if min(lengths) > 0:
        cosine = float((a * b).sum()) / (lengths[0] * lengths[1])
        angle = math.acos(max(-1.0, min(1.0, cosine)))
        if math.sin(angle) > _LEAST_SINE:
            length = weights[0] * lengths[0] + weights[1] * lengths[1]
            first, second = (
                length * math.sin(weight * angle) / (math.sin(angle) * own)
                for weight, own in zip(weights, lengths, strict=True)
            )
            weights = first, second
    return (weights[0] * a + weights[1] * b).to(start)
