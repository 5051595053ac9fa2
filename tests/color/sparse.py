"""Weighted least squares of chroma, assembled and solved by SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, identity
from scipy.sparse.linalg import splu


def least_squares(
    m: NDArray[Any], lightness: NDArray[np.float32], strength: float
) -> NDArray[np.float64]:
    """The u (..., h, w) that minimizes |u - m|^2 + strength sum_ij w_ij |u_i - u_j|^2."""
    h, w = lightness.shape
    number, flat = np.arange(h * w).reshape(h, w), lightness.ravel().astype(float)
    system = identity(h * w, format="csr")
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = number[: h - down, max(0, -right) : w - max(0, right)].ravel()
        other = number[down:, max(0, right) : w + min(0, right)].ravel()
        weight = strength * (np.exp(-((flat[one] - flat[other]) ** 2) / 4.5) + 1e-4)
        pairs = coo_matrix((weight, (one, other)), (h * w, h * w)).tocsr()
        pairs = pairs + pairs.T
        total = np.asarray(pairs.sum(axis=1)).ravel()
        system = system + coo_matrix((total, (number.ravel(),) * 2), (h * w, h * w)) - pairs
    planes = m.reshape(-1, h * w).T.astype(np.float64)
    return splu(system.tocsc()).solve(planes).T.reshape(m.shape)
