"""Principal colorings: a few pictures that stand for the distribution of colorings.

The first is the mean of all colorings, which is nearer to the truth in expectation than any other
single picture. The mean head predicts it. With hints or a style, which the head does not know, it
is the mean of samples. Averaging removes patches and color casts of single samples. A mean is paler
than what it is the mean of, so a gain restores the contrast of its colors. It leaves the tint, the
mean of the whole photo, as it is: raised too, it looks like a sepia print.

The others differ from the first in things that are open: a coat, a wall, the ground. Each sample's
deviation from the mean is assigned to things by the spatial operator, and its tint and its large
scale, which are casts, count in part. The deviations are clustered, and a mode is the mean of those
few that are nearest to the middle of a cluster: the mean of all of them would be pale, and a single
one may be spoiled.

Reference: Flury 1990 (principal points); Arthur & Vassilvitskii 2007 (k-means++).

Dimensions: n samples, k modes, g a grid's side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import block_means
from colorflow.model.config import FINEST_GRID
from colorflow.model.spatial import SpatialOperator, blurred, contrast_of, resized

Array = NDArray[np.float32]

MEAN_POOL = 16
"""Samples behind a first principal coloring that no mean head predicts: half of them are of the
mirrored photo, and all come in pairs of latents z and -z (antithetic variates, Hammersley & Morton
1956)."""
POOL = 64
"""Samples behind the other principal colorings; where no head predicts the first, its samples are
the first `MEAN_POOL` of them."""
POOL_LEVELS = 2
"""Levels of these samples: chroma on an 8x8 grid. The finer levels complete the mean. A third level
costs 0.15 s and gains nothing (docs/experiments.md, "Principal colorings")."""
VIVIDNESS = 1.2
"""Contrast of the colors of a mean over that of its samples. The colors of a mean vary less from
place to place, so equal contrast looks paler (blind comparison; docs/experiments.md, "Principal
colorings" and "Colors belong to things")."""
LARGEST_GAIN = 2.2
"""Largest factor of the contrast of a mean."""
VIVID_SHARE = 0.9
"""A mean gets at most the contrast of this quantile of all samples."""
MODE_SCALE = 14.0
"""Std of the Gaussian beyond which a deviation is of large scale, in cells of the 64x64 grid."""
TINT_SHARE, LARGE_SHARE = 0.3, 0.6
"""How far the tint and the large scale of a deviation count."""
MODE_GAIN = 1.6
"""Factor of the deviation of a mode: a mean of a few samples is nearer to the mean of all."""
NEAREST = 4
"""Samples of a mode."""
LARGEST_TINT = 2.5
"""Most that the mean color of the whole photo moves, in CIELAB units."""

_CLUSTER_GRID = 16
_ATTEMPTS, _ROUNDS, _SHIFT = 5, 50, 1e-4
_ALIKE = 0.01
"""Deviations that are all smaller, in CIELAB units, make no modes."""


def vivid_mean(samples: Array) -> Array:
    """The mean of samples (n, 2, g, g) with its contrast raised, (2, g, g)."""
    contrasts = contrast_of(samples)
    wanted = min(VIVIDNESS * np.median(contrasts), np.quantile(contrasts, VIVID_SHARE))
    mean = samples.mean(0)
    gain = np.clip(wanted / np.maximum(contrast_of(mean), 1e-6), 1, LARGEST_GAIN)
    return with_gain(mean, float(gain))


def with_gain(mean: Array, gain: float) -> Array:
    """A mean (2, g, g) with its contrast raised by a factor, and the tint that it has."""
    tint = mean.mean((-2, -1), keepdims=True)
    return (tint + gain * (mean - tint)).astype(np.float32)


def modes_of(
    samples: Array, operator: SpatialOperator, k: int
) -> tuple[Array, NDArray[np.float64]]:
    """How the modes of a photo's samples differ from the first principal coloring.

    Args:
        samples: (n, 2, g, g) chroma, CIELAB units, or deviations from what they have in common.
        operator: of the photo.
        k: how many, at most n.

    Returns:
        (k, 2, 64, 64) deviations in order of decreasing share; and the share of the samples in the
        cluster of each, (k,). The shares add up to 1, except for k = 1, which gives the larger of
        two modes.
    """
    deviations = samples - samples.mean(0)
    if np.abs(deviations).max() < _ALIKE:
        return np.zeros((k, 2, FINEST_GRID, FINEST_GRID), np.float32), np.full(k, 1 / k)
    tints = deviations.mean((-2, -1), keepdims=True)
    things = operator.assigned(resized(deviations - tints, FINEST_GRID, cv2.INTER_CUBIC))
    seen = _in_part(block_means(things, _CLUSTER_GRID), tints)
    points = seen.reshape(len(seen), -1)
    count = max(k, 2)
    mode_of, middles = _clusters(points, count)
    counts = np.bincount(mode_of, minlength=count)
    chosen = np.argsort(-counts, kind="stable")[:k]
    modes = []
    for middle in middles[chosen]:
        nearest = np.argsort(np.linalg.norm(points - middle, axis=1), kind="stable")[:NEAREST]
        mode = _in_part(things[nearest].mean(0), tints[nearest].mean(0))
        modes.append(_with_little_tint(MODE_GAIN * mode))
    return np.stack(modes), counts[chosen] / counts.sum()


def _in_part(things: Array, tints: Array) -> Array:
    """Deviations (..., g, g) that have no tint, with their large scale and their tint in part."""
    large = blurred(things, MODE_SCALE * things.shape[-1] / FINEST_GRID)
    return things - (1 - LARGE_SHARE) * large + TINT_SHARE * tints


def _with_little_tint(mode: Array) -> Array:
    """A deviation (2, 64, 64) whose mean is at most `LARGEST_TINT`."""
    tint = mode.mean((-2, -1), keepdims=True)
    keep = min(1.0, LARGEST_TINT / max(float(np.linalg.norm(tint)), 1e-6))
    return np.asarray(mode - (1 - keep) * tint, np.float32)


def _clusters(points: Array, count: int) -> tuple[NDArray[np.int64], Array]:
    """The number of the cluster of each of n points, (n,), and the middles of the clusters."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, _ROUNDS, _SHIFT)
    cv2.setRNGSeed(0)  # of this thread
    _, labels, middles = cv2.kmeans(points, count, None, stop, _ATTEMPTS, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload,unused-ignore]
    return np.asarray(labels[:, 0], np.int64), np.asarray(middles, np.float32)
