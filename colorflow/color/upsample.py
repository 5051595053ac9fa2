"""Chroma from the model's grid to full resolution, guided by lightness.

Bicubic chroma knows no edges. Where chroma follows lightness on the grid, the detail that lightness
has at full resolution is added to it:

    ab = bicubic(sharp(ab_grid)) + bilinear(slope) * (L - bicubic(L_grid))

with L_grid the area average of L on the grid, and both of

- slope = GAIN * r**2 * cov(L, ab) / var(L), at most MAX_SLOPE, from Gaussian-weighted moments of
  the grid around each cell. The squared correlation r**2 trusts a slope only where lightness really
  explains chroma; the bound keeps a dark line from becoming a neon one.
- sharp(ab) = 2 ab - area_average(bicubic(ab)), one step of back-projection: the grid holds area
  averages, and bicubic interpolation treats them as point samples.

Error of ab (root mean square over both channels, CIELAB units), the grid made of the photo itself:

                             bilinear   bicubic   half slope   this
    astronaut   512x512          4.34      4.01         3.68   3.54
    chelsea     451x300          1.71      1.57         1.50   1.44
    coffee      600x400          4.14      3.84         3.55   3.28
    hubble      1000x872         3.89      3.84         3.74   3.68
    motorcycle  741x500          5.06      4.76         4.71   4.52
    retina      1411x1411        3.14      2.88         1.97   1.89
    rocket      640x427          4.80      4.73         4.20   4.20

Printed by ``git show 3b3e9f9:benchmarks/full_resolution.py``; "half slope" is half of a 5x5 guided
filter's slope with neither r**2 nor bound nor sharpening: on photos of colorful detail (the pagoda
of scikit-learn's samples: 4.68) it can be worse than bicubic (4.46), this is not (4.38). Joint
bilateral upsampling over 4x4 cells was worse alone, and averaged with this no better on the whole.

A cell of the 64x64 grid is 60 pixels of a large photo, so color that stops at the right cell still
spills past the outline. So chroma of the model's grid goes to 256x256 cells first, where u is what
minimizes

    sum_i |u_i - m_i|^2 + 30 sum_ij w_ij |u_i - u_j|^2

with m the upsampled chroma, ij pairs of the eight neighbors, and w_ij = exp(-(L_i - L_j)^2 /
(2 * 1.5^2)) + 1e-4. On the coarse grid (`colorflow.model.spatial`) such a system is solved exactly.
Here that would take a second; ten steps of conjugate gradients, which begin at m, come four fifths
of the way to the solution.

Reference: He, Sun and Tang 2010 (guided filter); Kopf et al. 2007 (joint bilateral upsampling);
Farbman et al. 2008 (weighted least squares); Hestenes & Stiefel 1952, with Jacobi's preconditioner.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import GRID_SIZE, Rows, resize_by_area
from colorflow.device import one_blas_thread

# Chosen on these photos, five others and 60 small ones; the optimum is flat.
GAIN = 0.6
MAX_SLOPE = 0.5  # chroma per unit of lightness
WINDOW_SIGMA = 0.7  # cells
EPSILON = 1.0  # squared CIELAB units, beside the variances

FINER_SIZE = 256
"""Largest side of the finer grid; a small photo has fewer pixels."""
STRENGTH, EDGE, LEAST_WEIGHT = 30.0, 1.5, 1e-4
"""Weight of smoothness, scale of L* at edges, and the weight across them. The tight scale matters:
with 3 to 6 L* colors leak, and a face turns gray."""
STEPS = 10
"""Of conjugate gradients."""

NEIGHBORS = (
    (np.s_[..., :, 1:], np.s_[..., :, :-1]),
    (np.s_[..., 1:, :], np.s_[..., :-1, :]),
    (np.s_[..., 1:, 1:], np.s_[..., :-1, :-1]),
    (np.s_[..., 1:, :-1], np.s_[..., :-1, 1:]),
)
"""Each pair of neighbors once: right, below, and both diagonals."""


@one_blas_thread()
def upsample_ab(ab_grid: NDArray[np.float32], lightness: Rows) -> NDArray[np.float32]:
    """Bring chroma from the grid to the resolution of the lightness.

    Args:
        ab_grid: (2, h, w), CIELAB units.
        lightness: (H, W), L* in [0, 100].

    Returns:
        (2, H, W), CIELAB units; exactly zero for a grid of zeros. It may lie outside sRGB.

    Raises:
        ValueError: an argument has another shape, or the chroma is not finite.
    """
    return GuidedUpsampler(ab_grid, lightness).rows(0, lightness.shape[0])


class GuidedUpsampler:
    """The same for one strip of rows at a time, so that memory stays bounded.

    Args:
        ab_grid: (2, h, w), CIELAB units.
        lightness: (H, W), L* in [0, 100].
        cells: (h, w), the area average of the lightness, where it is at hand.

    Raises:
        ValueError: an argument has another shape, or the chroma is not finite.
    """

    def __init__(
        self,
        ab_grid: NDArray[np.float32],
        lightness: Rows,
        cells: NDArray[np.float32] | None = None,
    ) -> None:
        if len(lightness.shape) != 2 or 0 in lightness.shape:
            raise ValueError(f"lightness: expected shape (H, W), not empty, got {lightness.shape}")
        if ab_grid.ndim != 3 or ab_grid.shape[0] != 2 or ab_grid.size == 0:
            raise ValueError(f"ab_grid: expected shape (2, h, w), not empty, got {ab_grid.shape}")
        if not np.isfinite(ab_grid).all():
            raise ValueError("ab_grid: expected finite values, got NaN or infinity")
        height, width = lightness.shape
        grid_height, grid_width = ab_grid.shape[1:]
        if cells is None:
            cells = resize_by_area(lightness, grid_height, grid_width)
        self._lightness = lightness
        self._cubic = _weights(grid_height, height, cv2.INTER_CUBIC)
        self._linear = _weights(grid_height, height, cv2.INTER_LINEAR)
        horizontal = _weights(grid_width, width, cv2.INTER_CUBIC)
        # Horizontally everything is upsampled now (only as many rows as the grid has).
        values = np.stack([*_sharpen(ab_grid, self._cubic, horizontal), cells])
        self._values = _widened(values, width, cv2.INTER_CUBIC)
        self._slopes = _widened(local_slope(ab_grid, cells), width, cv2.INTER_LINEAR)

    def rows(
        self, top: int, bottom: int, lightness: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Give the chroma of rows ``top`` to ``bottom`` (excluded): (2, bottom - top, W).

        Their lightness, (bottom - top, W), may be given where it is at hand.
        """
        if lightness is None:
            lightness = self._lightness[top:bottom]
        ab_and_lightness = _weigh(self._cubic[top:bottom], self._values)
        slopes = _weigh(self._linear[top:bottom], self._slopes)
        ab, smooth = ab_and_lightness[:2], ab_and_lightness[2]
        slopes *= np.subtract(lightness, smooth, out=smooth)
        ab += slopes
        return ab


def finer(
    ab_grid: NDArray[np.float32], lightness: Rows
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
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


def smoothness(
    lightness: NDArray[np.float32], strength: float
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """The system of weighted least squares.

    Args:
        lightness: (h, w), L* in [0, 100].
        strength: weight of smoothness.

    Returns:
        The weights strength * w_ij for each kind of `NEIGHBORS`; and the system's diagonal, (h, w).
    """
    weights = [
        strength * (np.exp((lightness[i] - lightness[j]) ** 2 / (-2 * EDGE**2)) + LEAST_WEIGHT)
        for i, j in NEIGHBORS
    ]
    diagonal = np.ones_like(lightness)
    for (i, j), weight in zip(NEIGHBORS, weights, strict=True):
        diagonal[i] += weight
        diagonal[j] += weight
    return weights, diagonal


def local_slope(
    ab_grid: NDArray[np.float32], lightness_grid: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How much of the lightness detail around each cell chroma takes over.

    Args:
        ab_grid: (2, h, w), CIELAB units.
        lightness_grid: (h, w), L* in [0, 100].

    Returns:
        (2, h, w), chroma per unit of lightness, within MAX_SLOPE of zero.
    """
    ab, lightness = ab_grid.astype(np.float64), lightness_grid.astype(np.float64)
    lightness_mean = _local_mean(lightness)
    lightness_variance = _local_mean(lightness**2) - lightness_mean**2 + EPSILON
    slopes = np.empty_like(ab)
    for slope, chroma in zip(slopes, ab, strict=True):
        mean = _local_mean(chroma)
        variance = _local_mean(chroma**2) - mean**2 + EPSILON
        covariance = _local_mean(chroma * lightness) - mean * lightness_mean
        r_squared = covariance**2 / (lightness_variance * variance)
        slope[:] = r_squared * covariance / lightness_variance
    return np.clip(GAIN * slopes, -MAX_SLOPE, MAX_SLOPE).astype(np.float32)


def _weights(cells: int, pixels: int, interpolation: int) -> NDArray[np.float32]:
    """The weights (P, N) by which an axis goes from N cells to P pixels; of areas where P <= N."""
    identity = np.eye(cells, dtype=np.float32)
    if pixels <= cells:
        return resize_by_area(identity, pixels, cells)
    return np.asarray(cv2.resize(identity, (cells, pixels), interpolation=interpolation))


def _round_trip(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """From N cells to P pixels and averaged back, (N, N); identity where P <= N."""
    pixels, cells = weights.shape
    if pixels <= cells:
        return np.eye(cells, dtype=np.float32)
    return resize_by_area(weights, cells, cells)


def _widened(planes: NDArray[np.float32], pixels: int, interpolation: int) -> NDArray[np.float32]:
    """(C, h, w) -> (C, h, pixels); area averages where that is less."""
    height, width = planes.shape[1:]
    if pixels <= width:
        return np.stack([resize_by_area(plane, height, pixels) for plane in planes])
    size = (pixels, height)
    return np.stack([cv2.resize(plane, size, interpolation=interpolation) for plane in planes])


def _sharpen(
    ab_grid: NDArray[np.float32], vertical: NDArray[np.float32], horizontal: NDArray[np.float32]
) -> NDArray[np.float32]:
    blurred = _round_trip(vertical) @ ab_grid @ _round_trip(horizontal).T
    return np.subtract(2 * ab_grid, blurred, dtype=np.float32)


def _weigh(weights: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply (P, N) weights into (C, N, W) values, leaving out the rows without weight."""
    used = np.flatnonzero(weights.any(axis=0))
    rows = slice(used[0], used[-1] + 1)
    return np.matmul(weights[:, rows], values[:, rows])


def _local_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    blurred = cv2.GaussianBlur(values, (0, 0), WINDOW_SIGMA, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float64)


def _smoothed(m: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Approximately the u of the module's documentation; zeros stay zeros, a constant a constant.

    Args:
        m: (2, h, w).
        lightness: (h, w).
    """
    weights, diagonal = smoothness(lightness, STRENGTH)

    def system(x: NDArray[np.float32]) -> NDArray[np.float32]:
        y = x.copy()
        for (i, j), weight in zip(NEIGHBORS, weights, strict=True):
            flow = x[i] - x[j]
            flow *= weight
            y[i] += flow
            y[j] -= flow
        return y

    def dot(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        total: NDArray[np.float32] = np.einsum("chw,chw->c", x, y)[:, None, None]
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
