"""Latents of a coloring: sampled from seeds, with signs of the photo, and interpolated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

COARSE_LEVELS = 2
"""Levels that decide tint and the colors of objects; together they give chroma on an 8x8 grid."""
_SIGN_GRID = 16
_SIGN_SEED = 2002
_LEAST_SINE = 1e-6
"""Smallest sine of the angle between vectors that do not count as parallel."""


def sample_latents(shapes: Sequence[tuple[int, ...]], seeds: Sequence[int]) -> list[Tensor]:
    """Standard normal latents of one coloring.

    The latents of a level depend on the level and its seed only, whatever the seeds of the others.

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


def signs_of_photo(lightness: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Signs that a photo gives to the latents of the coarse levels.

    Without them one seed gives every photo nearly the same color cast. Each sign is that of a
    random projection of the photo's coarse lightness: different photos agree in half of their
    signs, and a resized or recompressed photo keeps all signs but those whose projection is nearly
    0. Latents times signs are still standard normal.

    Args:
        lightness: (1, 1, h, w) L* of the photo, h and w multiples of 16.
        shapes: (C, g, g) of each level, coarse to fine.

    Returns:
        -1 or 1 for each number of the first `COARSE_LEVELS` levels, 1 for the others.

    Reference: Charikar 2002 (signs of random projections).
    """
    x = F.adaptive_avg_pool2d(lightness.float().cpu(), _SIGN_GRID).flatten().double()
    x = x - x.mean()
    counts = [math.prod(shape) for shape in shapes[:COARSE_LEVELS]]
    projected = _projection(sum(counts)) @ x
    signs = torch.where(projected < 0, -1.0, 1.0).split(counts)
    signed = [own.view(shape) for own, shape in zip(signs, shapes, strict=False)]
    return signed + [torch.ones(shape) for shape in shapes[COARSE_LEVELS:]]


@cache
def _projection(rows: int) -> Tensor:
    """A fixed random matrix (rows, 256)."""
    generator = torch.Generator().manual_seed(_SIGN_SEED)
    return torch.randn(rows, _SIGN_GRID**2, generator=generator, dtype=torch.float64)


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Interpolates between two vectors: the direction along the arc, the length linearly.

    Nearly all vectors of D standard normal numbers lie close to the sphere of radius sqrt(D). The
    straight line between two of them leaves it: its middle has the length of a sample at
    temperature 0.7, whose colors are paler than those of either end.

    Two samples of one temperature give a result as long as they are; two temperatures give one
    between them. Parallel and zero vectors are interpolated along the line.

    Args:
        start: any shape, one vector as a whole.
        end: of the same shape.
        share: position between start (0) and end (1).

    Returns:
        Of the same shape; exactly `start` at 0 and exactly `end` at 1.

    Raises:
        ValueError: if `share` is out of range.

    Reference: Shoemake 1985 (interpolation on the sphere); White 2016 (in latent spaces).
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
