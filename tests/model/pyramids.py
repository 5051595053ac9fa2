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


def filter_bank(size: int) -> np.ndarray:
    """The analysis filters of CDF 9/7 as a matrix: first the coarse numbers, then the details.

    The taps are those of JPEG 2000 (ISO/IEC 15444-1, annex F), from the middle outwards.
    """
    margin = 4
    mirrored = np.pad(np.eye(size), ((margin, margin), (0, 0)), mode="reflect")

    def filtered(taps: list[float], first: int) -> np.ndarray:
        total = np.zeros((size // 2, size))
        for offset in range(1 - len(taps), len(taps)):
            start = margin + first + offset
            total += taps[abs(offset)] * mirrored[start : start + size - 1 : 2]
        return total

    low = [
        0.6029490182363579,
        0.2668641184428723,
        -0.0782232665289879,
        -0.0168641184428750,
        0.0267487574108098,
    ]
    high = [-1.1150870524569994, 0.5912717631142470, 0.0575435262284996, -0.0912717631142495]
    return np.concatenate([filtered(low, 0), filtered(high, 1)])


def split(u: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], list[float]]:
    """An independent analysis: each level's numbers, its coarser band, and the ladj of the step.

    Rows and columns pass the filters; diagonal details are halved.
    """
    parts, coarse, ladjs = [], [], []
    while u.shape[-1] > 4:
        size = u.shape[-1] // 2
        filters = filter_bank(2 * size)
        z = filters @ u @ filters.T
        details = z[..., :size, size:], z[..., size:, :size], z[..., size:, size:] / 2
        u = z[..., :size, :size]
        parts.insert(0, np.concatenate(details, 1))
        coarse.insert(0, u)
        of_filters = 4 * size * np.linalg.slogdet(filters).logabsdet  # rows and columns of a plane
        ladjs.insert(0, 2 * (of_filters + size * size * np.log(0.5)))
    return [u, *parts], coarse, ladjs


def band(ab: np.ndarray, side: int) -> np.ndarray:
    """The coarse band (..., 2, side, side) of chroma (..., 2, 64, 64), side below 64."""
    u = unbounded(ab.astype(np.float64), 128).reshape(-1, 2, 64, 64)
    found = next(u for u in split(u)[1] if u.shape[-1] == side)
    return found.reshape(*ab.shape[:-2], side, side)


def sample_latents(pyramid: ChromaPyramid, count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(count, *shape, generator=generator) for shape in pyramid.latent_shapes()]


def sample(
    pyramid: ChromaPyramid, condition: Condition, n: int, temperatures: list[float], seed: int = 0
) -> Tensor:
    with torch.no_grad():
        return pyramid.sample(condition, n, temperatures, torch.Generator().manual_seed(seed))
