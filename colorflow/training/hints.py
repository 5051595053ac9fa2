"""Hints of true color: random patches in training, single cells in evaluation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MOST_HINTS = 16
LARGEST_PATCH = 5
"""Side of the largest patch, in cells of the 64x64 grid."""


def random_hints(ab: Tensor, generator: torch.Generator) -> Tensor:
    """Hints for training: none in half of the photos, 1 to `MOST_HINTS` in the others.

    Their number is log-uniform. Half of them are single cells, half are square patches of 2x2 to
    `LARGEST_PATCH` squared cells, anywhere on the grid, with the mean of the true colors in them.
    The later of two hints in one cell wins.

    Args:
        ab: (B, 2, 64, 64) the true colors, CIELAB units.
        generator: source of randomness, on the CPU.

    Returns:
        (B, 3, 64, 64): mask in {0, 1}, a and b in CIELAB units, 0 where there is no hint.
    """
    batch, side = len(ab), ab.shape[-1]
    with_hints, count = _uniform(generator, 2, batch)
    single, size, top, left = _uniform(generator, 4, batch, MOST_HINTS)
    counts = torch.exp(count * math.log(MOST_HINTS + 1)).long().clamp(max=MOST_HINTS)
    counts *= with_hints < 0.5
    sizes = torch.where(single < 0.5, 1, 2 + (size * (LARGEST_PATCH - 1)).long())
    tops, lefts = ((position * (side - sizes + 1)).long() for position in (top, left))
    truth = ab.detach().cpu().numpy()  # so many small slices are faster there
    planes = torch.zeros(batch, 3, side, side, dtype=ab.dtype)
    painted = planes.numpy()
    for photo in range(batch):
        for hint in range(int(counts[photo])):
            y, x, n = int(tops[photo, hint]), int(lefts[photo, hint]), int(sizes[photo, hint])
            color = truth[photo, :, y : y + n, x : x + n].mean((1, 2), keepdims=True)
            painted[photo, 0, y : y + n, x : x + n] = 1
            painted[photo, 1:, y : y + n, x : x + n] = color
    return planes.to(ab.device)


def true_points(ab: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The same number of single-cell hints for every photo; a smaller set is part of a larger one.

    Args:
        ab: (B, 2, 64, 64) the true colors, CIELAB units.
        count: hints per photo, in different cells.
        generator: source of randomness, on the CPU.

    Returns:
        (B, 3, 64, 64) as `random_hints` gives them.
    """
    cells = torch.rand(len(ab), ab[0, 0].numel(), generator=generator).argsort(1)[:, :count]
    mask = torch.zeros(len(ab), ab[0, 0].numel()).scatter_(1, cells, 1)
    mask = mask.unflatten(1, ab.shape[2:])[:, None].to(ab)
    return torch.cat([mask, mask * ab], 1)


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)
