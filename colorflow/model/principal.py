"""Principal colorings: a few pictures that stand for the distribution of colorings.

The first is the mean of all samples, which is nearer to the truth in expectation than any other
single picture. The others are means of clusters of samples, the modes of the distribution.
Averaging removes patches and color casts of single samples; several modes keep the choice. Means
are paler than their samples, so a gain restores the contrast of their colors. It leaves the tint,
the mean of the whole photo, as it is: raised too, it looks like a sepia print.

The cells of the coarsest level leave visible steps at their borders. A guided filter removes the
steps where lightness is smooth and keeps the borders of objects.

Reference: Flury 1990 (principal points); Arthur & Vassilvitskii 2007 (k-means++); He, Sun & Tang
2013 (guided filter).

Dimensions: n samples, k principal colorings, g a grid's side.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.limits import MOST_PRINCIPAL
from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid

POOL = 64
"""Samples behind the principal colorings; half of them are of the mirrored photo."""
POOL_LEVELS = 2
"""Levels of these samples: chroma on an 8x8 grid. The finer levels are completed once per principal
coloring. A third level costs 0.15 s and gains nothing (docs/experiments.md, "Principal
colorings")."""
VIVIDNESS = 1.2
"""Contrast of the colors of a mean over that of its samples. The colors of a mean vary less from
place to place, so equal contrast looks paler (blind comparison; docs/experiments.md, "Principal
colorings" and "The tint gets no gain")."""
LARGEST_GAIN = 2.2
"""Largest factor of the contrast of a mean."""
VIVID_SHARE = 0.9
"""A mean gets at most the contrast of this quantile of all samples."""
LEAST_OF_MODE = 3
"""Samples of a mode; smaller clusters are strays, which belong to no mode."""
TINT_WEIGHT = 0.5
"""Weight of the whole photo's mean chroma in the distance between samples; all else has weight 1.
With 1, some modes are the same picture in several color casts. Chosen on dev (docs/experiments.md,
"Principal colorings")."""

_ATTEMPTS, _ROUNDS, _SHIFT = 5, 50, 1e-4
_ALIKE = 0.01
"""Samples that differ by less, in CIELAB units, count as equal."""
_WINDOW, _FLATNESS = 9, 1e-3
"""Guided filter: side of the window in cells of the 64x64 grid, variance of flat L* / 100."""


@torch.no_grad()
def principal_colorings(
    pyramid: ChromaPyramid,
    latents: Sequence[Tensor],
    both: Condition,
    k: int,
    gain: float = 1.0,
) -> tuple[Tensor, NDArray[np.float64]]:
    """The principal colorings of one photo.

    Samples have the coarse levels only, half of them for the mirrored photo. Their vivid means are
    completed by the finer levels, and smoothed where lightness is smooth.

    Args:
        pyramid: the model.
        latents: (n, C, g, g) of at least the first `POOL_LEVELS` levels, n even.
        both: condition of the photo and of the mirrored photo.
        k: how many, at most `MOST_PRINCIPAL` and n.
        gain: of the samples, as of `ChromaPyramid.decode`.

    Returns:
        (k, 2, 64, 64) CIELAB units, and shares (k,) as of `principal_points`.
    """
    plain, mirrored = pyramid.decode(latents[:POOL_LEVELS], both, gain).cpu().chunk(2)
    halves = plain, mirrored.flip(-1)
    # A different answer to the mirrored photo is no mode.
    deviations = torch.cat([half - half.mean(0) for half in halves])
    means, shares = principal_points(torch.cat(halves).numpy(), k, deviations.numpy())
    condition = both.map(lambda x: x[:1])
    ab = pyramid.complete(torch.from_numpy(means).to(both.lightness.device), condition)
    lightness = F.adaptive_avg_pool2d(condition.lightness, ab.shape[-1])
    return pyramid.pull_to_hints(follow_lightness(ab, lightness), condition), shares


def principal_points(
    samples: NDArray[np.float32], k: int, deviations: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The mean of all samples, and the means of their k - 1 largest modes.

    Args:
        samples: (n, 2, g, g) chroma, CIELAB units.
        k: how many, at most `MOST_PRINCIPAL` and n.
        deviations: (n, 2, g, g), clustered in place of the samples.

    Returns:
        (k, 2, g, g) means, made as vivid as the samples: first of all samples, then of the modes in
        order of decreasing share; and the share of the samples behind each, (k,): 1 for the first.
        The shares of the modes, without strays, add up to 1, except for k = 2, which gives the
        larger of two modes.

    Raises:
        ValueError: if k is out of range.
    """
    most = min(MOST_PRINCIPAL, len(samples))
    if not 1 <= k <= most:
        raise ValueError(f"k: expected 1 to {most}, got {k}")
    limit = float(np.quantile(_contrast(samples), VIVID_SHARE))
    first = _vivid_mean(samples, limit)
    if k == 1:
        return first[None], np.ones(1)
    count = max(k - 1, 2)
    mode_of = _modes(samples if deviations is None else deviations, count)
    counts = np.bincount(mode_of[mode_of >= 0], minlength=count)
    chosen = np.argsort(-counts, kind="stable")[: k - 1]
    # A mode without samples (all samples are equal) is the mean of all.
    modes = [_vivid_mean(samples[mode_of == i], limit) if counts[i] else first for i in chosen]
    return np.stack([first, *modes]), np.array([1.0, *(counts[chosen] / counts.sum())])


def most_different(points: NDArray[np.float32], n: int) -> list[int]:
    """Chooses n points far from each other: the first, then repeatedly the farthest.

    Args:
        points: (N, D), N at least n.
        n: how many to choose.

    Returns:
        n different indices in the order of choice.

    Reference: Gonzalez 1985 (farthest-first traversal).
    """
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < n:
        distance[chosen[-1]] = -1  # no point twice, even if all points are equal
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def follow_lightness(ab: Tensor, lightness: Tensor) -> Tensor:
    """Smooths chroma where lightness is smooth.

    Args:
        ab: (k, 2, g, g) CIELAB units.
        lightness: (1, 1, g, g) L* in [0, 100].

    Returns:
        (k, 2, g, g).
    """
    from kornia.filters import guided_blur

    guide = lightness.expand(len(ab), -1, -1, -1) / 100
    smooth: Tensor = guided_blur(guide, ab, _WINDOW, _FLATNESS)
    return smooth


def _vivid_mean(samples: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
    """The mean of (n, 2, g, g) with its contrast raised, at most to the limit: (2, g, g)."""
    mean = samples.mean(0)
    wanted = min(VIVIDNESS * float(np.median(_contrast(samples))), limit)
    gain = np.clip(wanted / max(float(_contrast(mean)), 1e-6), 1, LARGEST_GAIN)
    vivid: NDArray[np.float32] = (_tint(mean) + gain * (mean - _tint(mean))).astype(np.float32)
    return vivid


def _tint(ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """The whole picture's mean of (..., 2, g, g), as (..., 2, 1, 1)."""
    tint: NDArray[np.float32] = ab.mean((-2, -1), keepdims=True)
    return tint


def _contrast(ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean distance of the colors of (..., 2, g, g) from the tint, CIELAB units."""
    mean: NDArray[np.float32] = np.linalg.norm(ab - _tint(ab), axis=-3).mean((-2, -1))
    return mean


def _modes(samples: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The number of the mode of each sample, -1 for strays, (n,)."""
    points = (samples - (1 - TINT_WEIGHT) * _tint(samples)).reshape(len(samples), -1)
    mode_of = np.zeros(len(points), np.int64)
    if np.abs(points - points[0]).max() < _ALIKE:
        return mode_of
    while True:
        kept = np.flatnonzero(mode_of >= 0)
        mode_of[kept] = _clusters(points[kept], count)
        stray = np.isin(mode_of, np.flatnonzero(np.bincount(mode_of[kept]) < LEAST_OF_MODE))
        if not stray.any() or (~stray[kept]).sum() < count * LEAST_OF_MODE:
            return mode_of
        mode_of[stray] = -1


def _clusters(points: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The number of the cluster of each of n points, (n,)."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, _ROUNDS, _SHIFT)
    cv2.setRNGSeed(0)  # of this thread
    _, labels, _ = cv2.kmeans(points, count, None, stop, _ATTEMPTS, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    return np.asarray(labels[:, 0], np.int64)
