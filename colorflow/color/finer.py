"""Chroma of the model's grid on a finer grid, where it stops at the outlines of things.

A cell of the 64x64 grid is 60 pixels of a large photo, so color that stops at the right cell still
spills past the outline. On 256x256 cells, chroma u is what minimizes

    sum_i |u_i - m_i|^2 + 30 sum_ij w_ij |u_i - u_j|^2

with m the upsampled chroma, ij pairs of the eight neighbors, and w_ij = exp(-(L_i - L_j)^2 /
(2 * 1.5^2)) + 1e-4. On the coarse grid (`colorflow.model.spatial`) such a system is solved exactly.
Here that would take a second; ten steps of conjugate gradients, which begin at m, come four fifths
of the way to the solution.

Reference: Farbman et al. 2008 (weighted least squares); Hestenes & Stiefel 1952, with Jacobi's
preconditioner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import GRID_SIZE, Rows, resize_by_area
from colorflow.color.upsample import upsample_ab

Array = NDArray[np.float32]

FINER_SIZE = 256
"""Largest side of the finer grid; a small photo has fewer pixels."""
STRENGTH, EDGE, LEAST_WEIGHT = 30.0, 1.5, 1e-4
"""Weight of smoothness, scale of L* at edges, and the weight across them."""
STEPS = 10
"""Of conjugate gradients."""

_NEIGHBORS = (
    (np.s_[..., :, 1:], np.s_[..., :, :-1]),
    (np.s_[..., 1:, :], np.s_[..., :-1, :]),
    (np.s_[..., 1:, 1:], np.s_[..., :-1, :-1]),
    (np.s_[..., 1:, :-1], np.s_[..., :-1, 1:]),
)
"""Each pair of neighbors once: right, below, and both diagonals."""


def finer(ab_grid: Array, lightness: Rows) -> tuple[Array, Array | None]:
    """Bring chroma of the model's grid to the finer grid.

    Args:
        ab_grid: (2, h, w), CIELAB units.
        lightness: (H, W) of the photo, L* in [0, 100].

    Returns:
        (2, h', w'), and the lightness of these cells; chroma of another grid than the model's, or
        of a photo that has not more pixels, as it is, and None.
    """
    shape = tuple(min(FINER_SIZE, side) for side in lightness.shape)
    is_models = ab_grid.shape == (2, GRID_SIZE, GRID_SIZE) and len(shape) == 2
    if not is_models or min(shape) <= GRID_SIZE:
        return ab_grid, None
    cells = resize_by_area(lightness, *shape)
    return _smoothed(upsample_ab(ab_grid, cells), cells), cells


def _smoothed(m: Array, lightness: Array) -> Array:
    """Approximately the u of the module's first lines; zeros stay zeros, a constant a constant.

    Args:
        m: (2, h, w).
        lightness: (h, w).
    """
    weights = [
        STRENGTH * (np.exp((lightness[i] - lightness[j]) ** 2 / (-2 * EDGE**2)) + LEAST_WEIGHT)
        for i, j in _NEIGHBORS
    ]
    diagonal = np.ones_like(lightness)
    for (i, j), weight in zip(_NEIGHBORS, weights, strict=True):
        diagonal[i] += weight
        diagonal[j] += weight

    def system(x: Array) -> Array:
        y = x.copy()
        for (i, j), weight in zip(_NEIGHBORS, weights, strict=True):
            flow = x[i] - x[j]
            flow *= weight
            y[i] += flow
            y[j] -= flow
        return y

    def dot(x: Array, y: Array) -> Array:
        total: Array = np.einsum("chw,chw->c", x, y)[:, None, None]
        return np.maximum(total, np.float32(1e-12))  # both are zero at the solution

    u = m.copy()
    rest = m - system(m)
    toward = direction = rest / diagonal
    size = dot(rest, toward)
    for _ in range(STEPS):
        change = system(direction)
        length = size / dot(direction, change)
        u += length * direction
        rest -= length * change
        toward = rest / diagonal
        before, size = size, dot(rest, toward)
        direction = toward + size / before * direction
    return u
