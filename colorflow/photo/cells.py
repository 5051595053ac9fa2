"""A picture reduced to cells, and the smooth functions of lightness and place that fit its ab.

A tint gives each tone one chroma, but the mean of black and of a yellow white has another chroma
than the gray in between. So the function of L is not evaluated at the mean lightness of a cell:
it is averaged over the cell's parts, and fits a tinted print however much contrast it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie

GRID = 64
"""Longer side of the reduced copy, in cells."""
_PARTS = 3
"""Of a cell, along each side; fewer in a picture that has fewer pixels."""
_PRESAMPLE = 1024
"""Larger pictures are subsampled to about this many pixels on the longer side before averaging."""

_KNOTS = 9
"""Knots of the piecewise linear function L -> ab, evenly spaced over L in [0, 100]."""
_SMOOTHNESS = 3e-3
"""Weight of the function's squared second differences, beside the mean squared residual."""
_RIDGE = 1e-6
"""Keeps the fit solvable where no cell has the L of a knot."""
_FLATNESS = 1e-3
"""Weight of the linear cast's squared slopes."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A reduced copy of a picture.

    Attributes:
        lab: CIELAB (H, W, 3), the mean over each cell.
        terms: (H * W, terms), what is fitted to ab: piecewise linear in L, the mean over each cell,
            and linear in the place, across and down.
    """

    lab: NDArray[np.float64]
    terms: NDArray[np.float64]

    @property
    def ab(self) -> NDArray[np.float64]:
        """The chroma of each cell, (H * W, 2)."""
        return self.lab[..., 1:].reshape(-1, 2)

    def fit(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fit the terms to ab by weighted least squares.

        The sums are not left to BLAS, whose threads wait for each other on a busy machine.

        Args:
            weights: (H * W,), of each cell.

        Returns:
            What the terms leave of ab, (H, W, 2), and the slopes of the linear cast across and
            down, (2, 2), in CIELAB units over half of the longer side.
        """
        bend = np.diff(np.eye(_KNOTS), 2, axis=0)
        penalty = np.diag([_RIDGE] * _KNOTS + [_FLATNESS] * 2)
        penalty[:_KNOTS, :_KNOTS] += _SMOOTHNESS * bend.T @ bend
        weighted = self.terms * (weights / len(weights))[:, None]
        normal = np.einsum("ci,cj->ij", weighted, self.terms) + penalty
        fitted = np.linalg.solve(normal, np.einsum("ci,cj->ij", weighted, self.ab))
        left = (self.ab - self.terms @ fitted).reshape(*self.lab.shape[:2], 2)
        return np.asarray(left), np.asarray(fitted[_KNOTS:])


def cells_of(rgb: NDArray[np.uint8]) -> Cells:
    """Reduce sRGB (H, W, 3) in [0, 255] to at most GRID cells a side."""
    parts = max(1, min(_PARTS, max(rgb.shape[:2]) // GRID))
    lab = np.asarray(cie.rgb_to_lab(reduced(rgb, parts) / 255), np.float64)
    height, width = (side // parts for side in lab.shape[:2])
    mean = lab.reshape(height, parts, width, parts, 3).mean(axis=(1, 3))
    cells = np.arange(height * width).reshape(height, width)
    cell = cells.repeat(parts, axis=0).repeat(parts, axis=1).reshape(-1)
    position = np.clip(lab[..., 0].reshape(-1) / 100, 0, 1) * (_KNOTS - 1)
    knot = np.minimum(position.astype(int), _KNOTS - 2)
    right = position - knot
    sums = sum(
        np.bincount(cell * _KNOTS + at, share, height * width * _KNOTS)
        for at, share in ((knot, 1 - right), (knot + 1, right))
    )
    down, across = np.indices((height, width)).reshape(2, -1)
    half = max(height, width) / 2
    place = np.stack([across - width / 2, down - height / 2], axis=1) / half
    return Cells(mean, np.hstack([np.reshape(sums, (-1, _KNOTS)) / parts**2, place]))


def reduced(pixels: NDArray[np.uint8], parts: int = 1) -> NDArray[np.uint8]:
    """Area average of (H, W) or (H, W, 3) over parts of cells, `parts` to each side of a cell."""
    step = max(1, max(pixels.shape[:2]) // _PRESAMPLE)
    sample = pixels[::step, ::step]
    scale = min(1.0, GRID / max(sample.shape[:2]))
    height, width = (parts * max(1, round(scale * side)) for side in sample.shape[:2])
    return np.asarray(cv2.resize(sample, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
