"""What the tests of the pyramid share: its sizes, an independent analysis, and samples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid

BATCH = 3
LEVELS = 5
ROUND_TRIP_BUDGET = 0.1
"""CIELAB units, in float32, of the largest error of a chroma value: 0.05 on one processor, 0.065 on
another."""


def double(condition: Condition) -> Condition:
    return condition.map(lambda x: x.double())


def unbounded(ab: np.ndarray, limit: float) -> np.ndarray:
    return limit * np.arctanh(ab / limit)


def split(u: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], list[float]]:
    """An independent analysis: each level's numbers, its coarser means, and Haar's ladj.

    The Haar step as a 4x4 matrix on the 2x2 cells (rows: mean, horizontal, vertical, diagonal).
    """
    cell = np.array([[0.5, 0.5, 0.5, 0.5], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    parts, coarse, ladjs = [], [], []
    while u.shape[-1] > 4:
        size = u.shape[-1] // 2
        cells = u.reshape(len(u), 2, size, 2, size, 2).transpose(0, 1, 2, 4, 3, 5)
        z = cells.reshape(len(u), 2, size, size, 4) @ cell.T
        u = z[..., 0]
        parts.insert(0, np.concatenate([z[..., kind] for kind in (1, 2, 3)], 1))
        coarse.insert(0, u)
        ladjs.insert(0, 2 * size * size * np.linalg.slogdet(cell).logabsdet)
    return [u, *parts], coarse, ladjs


def sample_latents(pyramid: ChromaPyramid, count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(count, *shape, generator=generator) for shape in pyramid.latent_shapes()]


def sample(
    pyramid: ChromaPyramid, condition: Condition, n: int, temperatures: list[float], seed: int = 0
) -> Tensor:
    with torch.no_grad():
        return pyramid.sample(condition, n, temperatures, torch.Generator().manual_seed(seed))
