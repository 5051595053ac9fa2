"""Finds the picture inside what it lies on: a scanner's bed, a mount, a table.

The outermost cells of a scan are of one material if their ab is a function of L and of the place,
as that of paper, wood and cloth is. Everything that looks like them and is connected with them is
ground. If what remains is a rectangle or an ellipse, it is the picture. The subjects of photos on
plain grounds hardly ever are.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.photo.tint import fit, terms_of

_RING = 2
"""Width of the ring of outermost cells that decides on the material."""
_LEAST_RING = 30
"""Cells of the smallest ring."""
_ONE_MATERIAL = 3.0
"""Root mean square of the ring's residual, in CIELAB units, up to which it is of one material."""
_OTHER_THINGS = 0.05
"""Share of the ring, with the largest residuals, that may be something else."""
_LIKE_GROUND = 5.0
"""Largest residual, in CIELAB units, of a cell that looks like the ring."""
_LIGHTNESS_MARGIN = 8.0
"""How far the L* of such a cell may be outside the range of the ring."""
_LEAST_SHARE = 0.2
"""Of the whole, that a picture has at least."""
_FULL = 0.88
"""Share of the smallest rectangle around the picture that it fills, at least."""
_FULL_ELLIPSE = 0.74
"""The same for an ellipse, which fills pi / 4 of it, less at its edge of cells."""
_CONVEX = 0.96
"""Share of its convex hull that an ellipse fills, at least."""
_MOST_DEGREES = 10.0
"""How far a print may be turned."""
_CROSS = np.ones((3, 3), np.uint8)


def inside_frame(lab: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Find the picture inside its outermost frame.

    Args:
        lab: CIELAB (H, W, 3) of a small copy.
        seen: (H, W), the part to look at.

    Returns:
        (H, W), the cells inside the frame without those at its edge; None if there is no frame.
    """
    ring = seen & ~cv2.erode(_padded(seen), _CROSS, iterations=_RING)[1:-1, 1:-1].astype(bool)
    if ring.sum() < _LEAST_RING:
        return None
    residual = _residual(lab, ring)
    of_ring = np.sort(residual[ring])
    usual = of_ring[: round((1 - _OTHER_THINGS) * len(of_ring))]
    if np.sqrt(np.mean(usual**2)) > _ONE_MATERIAL:
        return None
    low, high = np.percentile(lab[ring][:, 0], [2, 98])
    light = (lab[..., 0] > low - _LIGHTNESS_MARGIN) & (lab[..., 0] < high + _LIGHTNESS_MARGIN)
    ground = _connected(ring | (seen & light & (residual < _LIKE_GROUND)), ring)
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(
        (seen & ~ground).astype(np.uint8), connectivity=4
    )
    if count < 2:
        return None
    picture = labels == 1 + sizes[1:, cv2.CC_STAT_AREA].argmax()
    picture = ~_connected(~picture, ~seen | ring)  # without holes
    if picture.sum() < _LEAST_SHARE * seen.size or not _is_framed(picture):
        return None
    inner = cv2.erode(_padded(picture), _CROSS)[1:-1, 1:-1].astype(bool)
    return inner if inner.any() else None


def _residual(lab: NDArray[np.float64], ring: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each cell's ab from what it would be if it were of the ring's material."""
    terms, ab = terms_of(lab[..., 0]), lab[..., 1:].reshape(-1, 2)
    left = ab - terms @ fit(terms, ab, ring.reshape(-1).astype(float))
    return np.asarray(np.hypot(left[:, 0], left[:, 1]).reshape(ring.shape))


def _connected(part: NDArray[np.bool_], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells of a part that are connected with the cells of it from which one starts."""
    _, labels = cv2.connectedComponents(part.astype(np.uint8), connectivity=4)
    return np.isin(labels, np.unique(labels[start & part]))


def _is_framed(picture: NDArray[np.bool_]) -> bool:
    """Whether the cells fill a rectangle that is hardly turned, or an ellipse."""
    points = np.argwhere(picture)[:, ::-1].astype(np.float32)
    _, (width, height), degrees = cv2.minAreaRect(points)
    filled = picture.sum() / ((width + 1) * (height + 1))
    if filled >= _FULL:
        return bool(min(degrees % 90, 90 - degrees % 90) <= _MOST_DEGREES)
    hull = cv2.convexHull(points)
    # The hull goes through the centers of cells; by Pick's theorem, this is how many it holds.
    around = cv2.contourArea(hull) + cv2.arcLength(hull, closed=True) / 2
    return bool(filled >= _FULL_ELLIPSE and picture.sum() >= _CONVEX * around)


def _padded(cells: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """With a border of cells that are not seen, so that erosion also begins at the edges."""
    return np.pad(cells.astype(np.uint8), 1)
