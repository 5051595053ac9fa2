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

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color.compiling import compiled_loops
from colorflow.color.grid import GRID_SIZE, Rows, resize_by_area
from colorflow.device import one_blas_thread

Taps = tuple[NDArray[np.intp], NDArray[np.float32]]
"""For each pixel of an axis the numbers of some cells and their weights, both (P, taps)."""

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
_TINY = np.float32(1e-12)
"""In place of zero, at the solution."""
_PERIOD = 8
"""Cells of an axis, more than the seven around a cell that its pixels see."""
_REACH = 3
"""Cells to either side of a cell that its pixels see."""

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
        compiled_loops(height * width)  # before the first of them, so that all are fast
        self._lightness = lightness
        values = np.stack([*_sharpened(ab_grid, height, width), cells])
        self._values = _widened(values, height, width, cv2.INTER_CUBIC)
        self._slopes = _widened(local_slope(ab_grid, cells), height, width, cv2.INTER_LINEAR)
        rows = min(grid_height, height)
        self._cubic = _taps(4, _axis(rows, height, cv2.INTER_CUBIC), rows)
        self._linear = _taps(2, _axis(rows, height, cv2.INTER_LINEAR), rows)

    def rows(
        self, top: int, bottom: int, lightness: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Give the chroma of rows ``top`` to ``bottom`` (excluded): (2, bottom - top, W).

        Their lightness, (bottom - top, W), may be given where it is at hand.

        Raises:
            ValueError: the lightness has another shape.
        """
        if lightness is None:
            lightness = self._lightness[top:bottom]
        lightness = np.require(lightness, np.float32, ("C", "W"))
        if lightness.shape != (len(self._cubic[0][top:bottom]), self._values.shape[2]):
            raise ValueError(f"lightness: expected rows {top} to {bottom}, got {lightness.shape}")
        ab = np.empty((2, *lightness.shape), np.float32)
        cubic, linear = (
            (cells[top:bottom], weights[top:bottom])
            for cells, weights in (self._cubic, self._linear)
        )
        if loops := compiled_loops():
            loops.upsample(lightness, self._values, self._slopes, cubic, linear, ab)
            return ab
        detail = lightness - _mixed(self._values[2], cubic)
        for plane, slope, result in zip(self._values, self._slopes, ab, strict=False):
            np.multiply(_mixed(slope, linear), detail, out=result)
            result += _mixed(plane, cubic)
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
    lightness_mean = _local_mean(lightness_grid)
    lightness_variance = _local_mean(lightness_grid**2) - lightness_mean**2 + EPSILON
    slopes = np.empty_like(ab_grid)
    for slope, chroma in zip(slopes, ab_grid, strict=True):
        mean = _local_mean(chroma)
        variance = _local_mean(chroma**2) - mean**2 + EPSILON
        covariance = _local_mean(chroma * lightness_grid) - mean * lightness_mean
        r_squared = covariance**2 / (lightness_variance * variance)
        slope[:] = r_squared * covariance / lightness_variance
    return np.clip(GAIN * slopes, -MAX_SLOPE, MAX_SLOPE)


def _axis(cells: int, pixels: int, interpolation: int) -> NDArray[np.float32]:
    """The weights by which an axis goes from cells to more pixels, (P, _PERIOD).

    Column c holds the weight of that cell c, c + _PERIOD, ... which is near the pixel.
    """
    comb = np.eye(_PERIOD, dtype=np.float32)[np.arange(cells) % _PERIOD]
    return np.asarray(cv2.resize(comb, (_PERIOD, pixels), interpolation=interpolation))


def _taps(number: int, axis: NDArray[np.float32], cells: int) -> Taps:
    """The cells around each pixel, and their weights."""
    pixels = np.arange(len(axis))[:, None]
    first = np.floor((pixels + 0.5) * (cells / len(axis)) - 0.5).astype(np.intp) - number // 2 + 1
    near = first + np.arange(number)
    return near.clip(0, cells - 1), np.take_along_axis(axis, near % _PERIOD, axis=1)


def _mixed(plane: NDArray[np.float32], taps: Taps) -> NDArray[np.float32]:
    """Rows of a plane, mixed for each row of pixels."""
    cells, weights = taps
    mixed = plane[cells[:, 0]] * weights[:, :1]
    for tap in range(1, cells.shape[1]):
        mixed += plane[cells[:, tap]] * weights[:, tap, None]
    return mixed


def _averaged(planes: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """(C, N, M) from N cells to P pixels and averaged back; as it is where P <= N."""
    cells = planes.shape[1]
    if pixels <= cells:
        return planes
    bands = resize_by_area(_axis(cells, pixels, cv2.INTER_CUBIC), cells, _PERIOD)
    averaged = np.zeros(planes.shape, np.float32)
    if loops := compiled_loops():
        loops.add_bands(np.require(planes, np.float32, ("C", "W")), bands, _REACH, averaged)
        return averaged
    number = np.arange(cells)
    for away in range(-min(_REACH, cells - 1), min(_REACH, cells - 1) + 1):
        own = number[max(0, -away) : cells - max(0, away)]
        near = own + away
        weights = bands[own, near % _PERIOD, None]
        averaged[:, own[0] : own[-1] + 1] += weights * planes[:, near[0] : near[-1] + 1]
    return averaged


def _sharpened(ab_grid: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    across = _averaged(_averaged(ab_grid, height).swapaxes(1, 2), width)
    return np.subtract(2 * ab_grid, across.swapaxes(1, 2), dtype=np.float32)


def _widened(
    planes: NDArray[np.float32], height: int, width: int, interpolation: int
) -> NDArray[np.float32]:
    """(C, h, w) -> (C, h, width); fewer rows where the height is less, too; area averages then."""
    rows = min(height, planes.shape[1])
    if rows < planes.shape[1] or width <= planes.shape[2]:
        middle = min(width, planes.shape[2])
        planes = np.stack([resize_by_area(plane, rows, middle) for plane in planes])
    widened = np.empty((len(planes), rows, width), np.float32)
    for plane, wide in zip(planes, widened, strict=True):
        cv2.resize(plane, (width, rows), wide, interpolation=interpolation)
    return widened


def _local_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(values, (0, 0), WINDOW_SIGMA, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32)


def _smoothed(m: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Approximately the u of the module's documentation; zeros stay zeros, a constant a constant.

    Args:
        m: (2, h, w).
        lightness: (h, w).
    """
    weights, diagonal = _framed(*smoothness(lightness, STRENGTH))
    width = lightness.shape[1] + 2
    u = np.pad(m, ((0, 0), (1, 1), (1, 1))).reshape(2, -1)
    for plane in u:
        if loops := compiled_loops():
            loops.descend(plane, weights, diagonal, width, STEPS, _TINY)
        else:
            _descend(plane, weights, diagonal, width)
    return np.ascontiguousarray(u.reshape(2, -1, width)[:, 1:-1, 1:-1])


def _descend(
    u: NDArray[np.float32], weights: NDArray[np.float32], diagonal: NDArray[np.float32], width: int
) -> None:
    """Conjugate gradients from m to u, in place: (n,), with a frame."""
    rest = u - _system(u, weights, width)
    toward = direction = rest / diagonal
    size = _dot(rest, toward, width)
    for _ in range(STEPS):
        change = _system(direction, weights, width)
        length = size / _dot(direction, change, width)
        u += length * direction
        rest -= length * change
        toward = rest / diagonal
        before, size = size, _dot(rest, toward, width)
        direction = toward + size / before * direction


def _framed(
    weights: Sequence[NDArray[np.float32]], diagonal: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The system with a frame of cells that no other cell sees, line after line: (4, n) and (n,).

    A weight stands at the upper cell of its pair, or at the left one.
    """
    framed = np.zeros((4, *np.add(diagonal.shape, 2)), np.float32)
    framed[0, 1:-1, 1:-2], framed[1, 1:-2, 1:-1] = weights[:2]
    framed[2, 1:-2, 1:-2], framed[3, 1:-2, 2:-1] = weights[2:]
    return framed.reshape(4, -1), np.pad(diagonal, 1, constant_values=1).ravel()


def _system(
    u: NDArray[np.float32], weights: NDArray[np.float32], width: int
) -> NDArray[np.float32]:
    """The left side of the system."""
    result = u.copy()
    for away, weight in zip((1, width, width + 1, width - 1), weights, strict=True):
        flow = u[away:] - u[:-away]
        flow *= weight[:-away]
        result[away:] += flow
        result[:-away] -= flow
    return result


def _dot(x: NDArray[np.float32], y: NDArray[np.float32], width: int) -> np.float32:
    """The sum of products, one after the other: line by line, then across."""
    total = np.cumsum((x * y).reshape(-1, width).sum(axis=0))[-1]
    return np.maximum(total, _TINY)
