"""A tint: ab as a smooth function of L, with a linear change over the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNOTS = 9
"""Knots of the piecewise linear function L -> ab, evenly spaced over L in [0, 100]."""
_SMOOTHNESS = 1e-2
"""Weight of the function's squared second differences, beside the mean squared residual."""
_RIDGE = 1e-6
"""Keeps the fit solvable where no cell has the L of a knot."""
_FLATNESS = 1e-3
"""Weight of the linear cast's squared slopes."""


def terms_of(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is fitted to ab: piecewise linear in L, and linear in the place; (cells, terms)."""
    height, width = lightness.shape
    position = np.clip(lightness.reshape(-1) / 100, 0, 1) * (KNOTS - 1)
    knot = np.minimum(position.astype(int), KNOTS - 2)
    right = position - knot
    terms = np.zeros((len(position), KNOTS + 2))
    cells = np.arange(len(position))
    terms[cells, knot] = 1 - right
    terms[cells, knot + 1] = right
    half = max(height, width) / 2
    down, across = np.indices(lightness.shape).reshape(2, -1)
    terms[:, KNOTS] = (across - width / 2) / half
    terms[:, KNOTS + 1] = (down - height / 2) / half
    return terms


def fit(
    terms: NDArray[np.float64], ab: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted least squares for ab (cells, 2); the coefficients, (terms, 2).

    The sums are not left to BLAS, whose threads wait for each other on a busy machine.
    """
    bend = np.diff(np.eye(KNOTS), 2, axis=0)
    penalty = np.diag([_RIDGE] * KNOTS + [_FLATNESS] * 2)
    penalty[:KNOTS, :KNOTS] += _SMOOTHNESS * bend.T @ bend
    weighted = terms * (weights / len(terms))[:, None]
    normal = np.einsum("ci,cj->ij", weighted, terms) + penalty
    return np.asarray(np.linalg.solve(normal, np.einsum("ci,cj->ij", weighted, ab)))
