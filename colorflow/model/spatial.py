"""Colors belong to things: a spatial operator on chroma.

The model's chroma ignores the borders of things: patches cross them, one thing has two colors, and
color spills past outlines. The operator gives chroma m of one photo back as

    1. a non-local mean on 32x32: each cell becomes the mean of the cells that look like it, are as
       light, and are near; weights exp(-1/2 (|f_i - f_j|^2 / 0.5^2 + (L_i - L_j)^2 / 6^2
       + |p_i - p_j|^2 / 0.25^2)), with f the principal components of a feature map over the photo
       and p the place in units of the side. The change is upsampled and added.
    2. weighted least squares on 64x64: the u that minimizes

           sum_i |u_i - m_i|^2 + 300 sum_ij w_ij |u_i - u_j|^2

       over pairs ij of the eight neighbors, w_ij = exp(-(L_i - L_j)^2 / (2 * 1.5^2)) + 1e-4: chroma
       is smooth where lightness is, and may step where lightness steps.
    3. a gain on the deviations from the tint, which gives the contrast back that 1 and 2 took.

Steps 1 and 2 are linear maps that depend on the photo alone, so colorings of one photo share them.
The system of step 2 is block tridiagonal, one block a row of the grid, and solved exactly.

Reference: Buades, Coll & Morel 2005 (non-local means); Levin, Lischinski & Weiss 2004 (colors
follow lightness); Farbman et al. 2008 (weighted least squares).

Dimensions: n colorings, g = 64 the grid's side, q = 32 that of the non-local mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from colorflow.color.grid import block_means
from colorflow.color.upsample import smoothness

Array = NDArray[np.float32]

FEATURES_GRID = 16
"""Side of the feature map."""
COMPONENTS = 12
"""Principal components of the feature map; together their rms norm is 1."""
LIKENESS, TONES, REACH = 0.5, 6.0, 0.25
"""Scales of the non-local mean: of the components, of L*, of places in units of the side."""
LEAST = 1e-8
"""Weights of the non-local mean that are smaller are 0; sums of numbers below 1e-38 are slow."""
STRENGTH = 300.0
"""Weighted least squares: weight of smoothness. Scale and least weight are those of
`colorflow.color.upsample`."""
FILL = 5e-5
"""Response to a hint's cell at which the hint has half of its effect."""
AROUND = 1.2
"""Std of the Gaussian that confines the response for a hint that reaches only around it, in cells;
where nothing else does, it has half of its effect 3 to 4 cells away."""
ALIKE, ALIKE_SCALE, ALIKE_TONES = 0.4, 0.06, 14.0
"""What is like a thing: the cosine of the components at which it is half as likely to be, the scale
of that, and the scale of the difference in L*. Chosen by eye."""
LARGEST_GAIN = 2.0
"""Largest factor of the contrast."""


class SpatialOperator:
    """Assigns chroma to the things in one photo.

    Args:
        lightness: (64, 64) L* in [0, 100].
        features: (C, 16, 16) feature map.
    """

    def __init__(self, lightness: Array, features: Array) -> None:
        components = principal_components(features)
        self._affinity = affinity(block_means(lightness, len(lightness) // 2), components)
        self._smoother = WeightedLeastSquares(lightness)
        self._lightness, self._components = lightness, resized(components, len(lightness))

    def __call__(self, ab: Array, contrast: Array) -> Array:
        """Assigns chroma to things, and restores its contrast.

        Args:
            ab: (n, 2, 64, 64) CIELAB units.
            contrast: (n,) wanted, see `contrast_of`.

        Returns:
            (n, 2, 64, 64).
        """
        smooth = self.assigned(ab)
        tint = smooth.mean((-2, -1), keepdims=True)
        gain = (contrast / np.maximum(contrast_of(smooth), 1e-6)).clip(1, LARGEST_GAIN)
        return tint + gain[:, None, None, None] * (smooth - tint)

    def assigned(self, ab: Array) -> Array:
        """Steps 1 and 2 for (n, 2, 64, 64), which are linear."""
        return self._smoother(self._alike(ab))

    def filled(self, ab: Array, mask: NDArray[np.bool_], colors: Array) -> Array:
        """Fills the things that hints lie on, and what goes on from there, with the hints' colors.

        A hint shifts each cell by what it misses at its own, weighted by the response of step 2 to
        the hint's cell: about 10 cells far where lightness is smooth, and hardly past an outline.

        Args:
            ab: (n, 2, 64, 64) CIELAB units.
            mask: (64, 64), where the hints are.
            colors: (2, 64, 64) of the hints, where the mask is true.

        Returns:
            (n, 2, 64, 64).
        """
        return _shifted(ab, mask, colors, self._responses(mask))

    def likened(self, ab: Array, mask: NDArray[np.bool_], colors: Array) -> Array:
        """Gives everything like the things that hints lie on the colors of the hints.

        Like a thing is what has components of nearly the same direction and nearly its lightness,
        however far away it is; step 2 brings that to the outlines. Things with hints of their own
        are left alone. Arguments as of `filled`.
        """
        responses = self._responses(mask)
        shares = responses / (responses.sum(0) + FILL)
        others = shares.sum(0) - shares
        weights = self._likeness(responses) * (1 - others)
        for weight, (row, column) in zip(weights, np.argwhere(mask), strict=True):
            ab = ab + weight * (colors[:, row, column, None, None] - ab)
        return ab

    def dabbed(self, ab: Array, mask: NDArray[np.bool_], colors: Array) -> Array:
        """Colors the surroundings of hints, but not past an outline; arguments as of `filled`."""
        near = _nearness(_squared_distances(mask))
        return _shifted(ab, mask, colors, near * self._responses(mask))

    def _responses(self, mask: NDArray[np.bool_]) -> Array:
        """The responses of step 2 to each cell of a mask, (hints, 64, 64)."""
        places = np.argwhere(mask)
        impulses = np.zeros((len(places), *mask.shape), np.float32)
        impulses[np.arange(len(places)), *places.T] = 1
        return self._smoother(impulses)

    def _likeness(self, responses: Array) -> Array:
        """How far each cell is like the things with these responses, (hints, 64, 64) in [0, 1]."""
        own = responses / responses.sum((1, 2), keepdims=True)
        like = np.einsum("cyx,hyx->hc", self._components, own)
        tones = (self._lightness * own).sum((1, 2))[:, None, None]
        length = np.linalg.norm(like, axis=1)[:, None, None]
        cosine = np.einsum("cyx,hc->hyx", self._components, like) / (
            np.linalg.norm(self._components, axis=0) * length + 1e-6
        )
        rough = _logistic((cosine - ALIKE) / ALIKE_SCALE) * np.exp(
            -((self._lightness - tones) ** 2) / (2 * ALIKE_TONES**2)
        )
        return _logistic((self._smoother(rough.astype(np.float32)) - 0.4) / 0.05)

    def _alike(self, ab: Array) -> Array:
        """The non-local mean of (n, 2, g, g)."""
        planes = ab.reshape(-1, *ab.shape[-2:])
        half = block_means(planes, ab.shape[-1] // 2)
        flat = half.reshape(len(half), -1)
        change = (flat @ self._affinity.T - flat).reshape(half.shape)
        return ab + resized(change, ab.shape[-1]).reshape(ab.shape)


class WeightedLeastSquares:
    """The linear map of step 2, factorized once a photo.

    Args:
        lightness: (g, g) L*.
    """

    def __init__(self, lightness: Array) -> None:
        (right, down, falling, rising), diagonal = smoothness(lightness, STRENGTH)
        g = len(lightness)
        i = np.arange(g)
        rows = np.zeros((g, g, g), np.float32)  # the block of each row
        rows[:, i, i] = diagonal
        rows[:, i[1:], i[:-1]] = rows[:, i[:-1], i[1:]] = -right
        self._below = np.zeros((g - 1, g, g), np.float32)  # from each row to the one below it
        self._below[:, i, i] = -down
        self._below[:, i[1:], i[:-1]] = -falling
        self._below[:, i[:-1], i[1:]] = -rising
        schur, *later = torch.from_numpy(rows)
        inverses = [torch.cholesky_inverse(torch.linalg.cholesky(schur))]
        for row, below in zip(later, torch.from_numpy(self._below), strict=True):
            schur = torch.addmm(row, below @ inverses[-1], below.T, alpha=-1)
            inverses.append(torch.cholesky_inverse(torch.linalg.cholesky(schur)))
        self._inverse = torch.stack(inverses).numpy()

    def __call__(self, ab: Array) -> Array:
        """Solves for all planes of (..., g, g) at once."""
        g = ab.shape[-1]
        x = np.ascontiguousarray(np.moveaxis(ab.reshape(-1, g, g), 0, -1))  # (row, column, plane)
        for row, below in enumerate(self._below):
            x[row + 1] -= below @ (self._inverse[row] @ x[row])
        x[-1] = self._inverse[-1] @ x[-1]
        for row in reversed(range(g - 1)):
            x[row] = self._inverse[row] @ (x[row] - self._below[row].T @ x[row + 1])
        return np.ascontiguousarray(np.moveaxis(x, -1, 0)).reshape(ab.shape)


def affinity(lightness: Array, components: Array) -> Array:
    """Weights of the non-local mean.

    Args:
        lightness: (q, q) L*.
        components: (C, h, h) from `principal_components`.

    Returns:
        (q^2, q^2); each row adds up to 1, to 1e-5.
    """
    q = len(lightness)
    place = np.mgrid[:q, :q].astype(np.float32) / q
    parts = [
        resized(components, q) / LIKENESS,
        lightness[None] / TONES,
        place / REACH,
    ]
    x = torch.from_numpy(np.concatenate([part.reshape(len(part), -1) for part in parts]))
    half_square = x.square().sum(0, keepdim=True) / 2
    one = torch.cat([x, -torch.ones_like(half_square)])
    other = torch.cat([x, half_square])
    # -|x_i - x_j|^2 / 2 but for a constant of the row, which the softmax takes off.
    weights = torch.softmax(one.T @ other, 1)
    return F.threshold(weights, LEAST, 0.0, inplace=True).numpy()


def principal_components(features: Array) -> Array:
    """The first principal components of a feature map over the photo.

    Args:
        features: (C, h, h); each channel is standardized.

    Returns:
        (`COMPONENTS`, h, h) with the rms norm 1 over the places.
    """
    x = features.reshape(len(features), -1)
    x = (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + 1e-3)
    _, vectors = np.linalg.eigh(x @ x.T)  # eigenvalues rise
    y = vectors[:, : -COMPONENTS - 1 : -1].T @ x
    y /= np.sqrt((y**2).sum(0).mean()) + 1e-6
    return y.reshape(-1, *features.shape[1:])


def contrast_of(ab: Array) -> Array:
    """Mean distance of the colors of (..., 2, g, g) from their mean, the tint; CIELAB units."""
    tint = ab.mean((-2, -1), keepdims=True)
    return np.linalg.norm(ab - tint, axis=-3).mean((-2, -1))


def _by_plane(function: Callable[[Array], Any], planes: Array) -> Array:
    """Applies a function to each plane of (..., h, w)."""
    results = np.stack([function(plane) for plane in planes.reshape(-1, *planes.shape[-2:])])
    return results.reshape(*planes.shape[:-2], *results.shape[1:]).astype(np.float32)


def resized(planes: Array, side: int, interpolation: int = cv2.INTER_LINEAR) -> Array:
    """(..., h, h) -> (..., side, side)."""
    size = (side, side)
    return _by_plane(lambda plane: cv2.resize(plane, size, interpolation=interpolation), planes)


def blurred(ab: Array, std: float) -> Array:
    """The large scale of (..., g, g): a Gaussian of this std, in cells."""
    return _by_plane(lambda x: cv2.GaussianBlur(x, (0, 0), std, borderType=cv2.BORDER_REFLECT), ab)


def _squared_distances(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """From each cell of a mask to all cells, (hints, 64, 64), in squared cells."""
    places = np.indices(mask.shape)
    away = [((places - at[:, None, None]) ** 2).sum(0) for at in np.argwhere(mask)]
    return np.stack(away)


def _nearness(away: NDArray[np.int64]) -> Array:
    """What confines hints to their surroundings, of squared distances."""
    return np.exp(-away / (2 * AROUND**2)).astype(np.float32)


def _shifted(ab: Array, mask: NDArray[np.bool_], colors: Array, responses: Array) -> Array:
    """Shifts each cell by what hints miss at their own; arguments as of `SpatialOperator.filled`.

    Args:
        responses: (hints, 64, 64), how far each hint reaches, beside `FILL`.
    """
    rows, columns = np.nonzero(mask)
    weights = responses / (responses.sum(0) + FILL)
    missed = colors[:, rows, columns] - ab[:, :, rows, columns]  # (n, 2, hints)
    return ab + np.einsum("nch,hyx->ncyx", missed, weights)


def _logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)
