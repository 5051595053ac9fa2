"""Whether a picture is gray, tinted or colored.

A tint (sepia, selenium, cyanotype, a two-tone print, yellowed paper) gives every tone one chroma,
so that ab is a function of L; colors differ at equal L. The picture is reduced by area averaging,
and a smooth function of L is fitted to ab by least squares. A scan adds chroma that is no color of
the scene, and that is fitted beside it:

- a cast that changes linearly over the picture, such as that of an uneven lamp;
- stains, which are smooth and yellow;
- marks such as ink and stamps, on a small share of the picture.

What lies around the picture does not count: a scanner's bed, a mount, a table. The outermost cells
of a scan are of one material if their ab is a function of L and of the place, as that of paper,
wood and cloth is. Everything that looks like them and is connected with them is ground. If what
remains is a rectangle or an ellipse, it is the picture; the subjects of photos on plain grounds
hardly ever are. A border of paper may be too narrow to be found so: what counts as colored is
judged once more without its outermost cells, and then has to be a clearer tint.

A tint gives each tone one chroma, but the mean of black and of a yellow white has another chroma
than the gray in between. So the function of L is not evaluated at the mean lightness of a cell:
it is averaged over the cell's parts, and fits a tinted print however much contrast it has.

The residual decides, averaged over 3 x 3 cells to reduce grain and JPEG's chroma noise. A tint that
has faded varies in strength at equal L, but hardly in hue: the residual along the tint's hue weighs
less. A strong brown or olive tint may turn to green or red in the darks, where it is hardly seen:
there the residual weighs less, too.

The constants are tuned on the historic photos of `python -m benchmarks.gray_scans` and on color
photos of the training set; docs/reliability.md has the results. Mistaking a pale photo for a tint
is the better error: it is colored as asked, while a sepia print that is mistaken for a color photo
would be refused.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie

GRAY_CHROMA = 2.5
"""CIELAB chroma that 95 % of a gray picture's cells do not exceed; about one visible step."""
TINT_RESIDUAL = 1.0
"""Root mean square of the weighted residual, in CIELAB units, up to which ab is a tint."""
MARK_SHARE = 0.03
"""Share of the cells, those with the largest residuals, that may be marks."""
_INNER_RESIDUAL = 0.7
"""The same for what is left without the outermost cells: these may be a border, or colored."""
_NARROW = 2
"""Width of a border in cells, up to which it cannot be found and may be left out."""
_MOST_FRAMES = 3
"""A scanner's bed, a mount, and the paper around the picture."""
_LEAST_CELLS = 16
"""A part of the picture with fewer cells has no kind of its own."""

_MARK_RESIDUAL = 7.0
"""Weighted residual, in CIELAB units, beyond which a cell has a color of its own, not noise."""
_BRUSH = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
"""What fits into an area that was colored by hand, but into no line of ink, in cells."""
_MOST_AREAS = 1
"""One such area may be a stamp; cheeks and a dress are more."""
_LARGEST_AREA = 32
"""Cells of a stamp, at most, that remain after an erosion with the brush."""
_STEEPEST_CAST = 12.0
"""Largest change of the linear cast, in CIELAB units, over half of the longer side."""
_STAIN = np.array([np.cos(np.radians(80)), np.sin(np.radians(80))])
"""Hue of stains, as a unit vector in the plane of a and b."""
_STRONGEST_STAIN = 24.0
"""Largest chroma that a stain adds, in CIELAB units."""
_STAINED_SHARE = 0.5
"""Largest share of stained cells, to which a stain adds a visible chroma of 2."""
_STAIN_SIGMA = 2.0
"""Smoothness of a stain: std of the Gaussian, in cells."""
_FADING = 2.0
"""The residual of a clear tint along its own hue is divided by 1 plus this."""
_CLEAR_TINT = 8.0
"""Chroma of the mean ab from which a tint counts as clear; the division fades out below."""

_STRONG, _OLIVE = 16.0, 0.25
"""Mean b from which a brown or olive tint is strong, and the largest share that a has of it."""
_DARK = 25.0
"""L* below which what is left of a strong tint counts less, in proportion to L*."""

_ROUNDS = 4
"""Of the fit; in each one cells with large residuals have less weight than in the one before."""

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

_GRID = 64
"""Longer side of the reduced copy, in cells."""
_PARTS = 3
"""Of a cell, along each side; fewer in a picture that has fewer pixels."""
_PRESAMPLE = 1024
"""Larger pictures are subsampled to about this many pixels on the longer side before averaging."""

_QUICK_PRESAMPLE = 256
"""The same for a quick look."""
_LARGE_PART, _CLEARLY = 0.25, 2 * GRAY_CHROMA
"""Share of the cells, and their chroma, from which a result has color."""

_KNOTS = 9
"""Knots of the piecewise linear function L -> ab, evenly spaced over L in [0, 100]."""
_SMOOTHNESS = 3e-3
"""Weight of the function's squared second differences, beside the mean squared residual."""
_RIDGE = 1e-6
"""Keeps the fit solvable where no cell has the L of a knot."""
_FLATNESS = 1e-3
"""Weight of the linear cast's squared slopes."""


class Kind(enum.StrEnum):
    """How much color a picture holds."""

    GRAY = "gray"
    """No visible chroma."""
    TINTED = "tinted"
    """Chroma that is a function of lightness; colored like a gray picture."""
    COLORED = "colored"
    """Colors of its own."""


def kind_of(pixels: np.ndarray, alpha: np.ndarray | None = None) -> Kind:
    """Tell a gray picture from a tinted one and from one that is already colored.

    Args:
        pixels: (H, W) or sRGB (H, W, 3), uint8 or uint16; of 16 bits the lower ones do not count.
        alpha: uint8 (H, W), in [0, 255]; mostly transparent cells do not count.

    Returns:
        GRAY for (H, W); otherwise the kind of the reduced copy.
    """
    if pixels.ndim == 2:
        return Kind.GRAY
    cells = _cells_of(pixels)
    seen = np.ones(cells.lab.shape[:2], bool) if alpha is None else _reduced(alpha) > 127
    if not seen.any():
        return Kind.GRAY
    kind = _kind_of_part(cells, seen)
    for _ in range(_MOST_FRAMES):
        inside = _inside_frame(cells, seen) if kind is Kind.COLORED else None
        if inside is None or inside.sum() < _LEAST_CELLS:
            break
        kind, seen = _kind_of_part(cells, inside), inside
    inner = _inner(seen, _NARROW)
    if kind is Kind.COLORED and inner.sum() >= _LEAST_CELLS:
        kind = _kind_of_part(cells, inner, _INNER_RESIDUAL)
    return kind


def is_gray(pixels: np.ndarray) -> bool:
    """Tell whether a result has no color: `kind_of` gives GRAY, and no large part is colored.

    A frame counts, since it was colored, too. The part is seen at once, mostly.

    Args:
        pixels: as of `kind_of`.
    """
    if pixels.ndim == 3:
        lab = cie.rgb_to_lab(_reduced(pixels, presample=_QUICK_PRESAMPLE) / 255)
        if np.mean(np.hypot(lab[..., 1], lab[..., 2]) > _CLEARLY) > _LARGE_PART:
            return False
    return kind_of(pixels) is Kind.GRAY


def _kind_of_part(
    cells: Cells, seen: NDArray[np.bool_], most_residual: float = TINT_RESIDUAL
) -> Kind:
    """The kind of the seen cells."""
    lab = cells.lab
    left = _unexplained(cells, seen)
    if left is None:
        return Kind.COLORED
    mean = lab[seen][:, 1:].mean(axis=0)
    marks = (_weighted(left, mean) > _MARK_RESIDUAL).astype(np.uint8)
    areas, _, sizes, _ = cv2.connectedComponentsWithStats(cv2.erode(marks, _BRUSH))
    if areas - 1 > _MOST_AREAS or (sizes[1:, cv2.CC_STAT_AREA] > _LARGEST_AREA).any():
        return Kind.COLORED
    if np.percentile(np.hypot(lab[..., 1], lab[..., 2])[seen], 95) <= GRAY_CHROMA:
        return Kind.GRAY
    each = _weighted(_mean_of_neighbors(left), mean)[seen]
    if mean[1] > _STRONG and abs(mean[0]) < _OLIVE * mean[1]:
        each *= np.minimum(lab[..., 0][seen] / _DARK, 1)
    each = np.sort(each)
    without_marks = each[: max(1, round((1 - MARK_SHARE) * len(each)))]
    if np.sqrt(np.mean(without_marks**2)) <= most_residual:
        return Kind.TINTED
    return Kind.COLORED


def _unexplained(cells: Cells, seen: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """What neither a tint, nor a linear cast, nor stains explain of ab at the seen cells.

    Returns:
        (H, W, 2) in CIELAB units, 0 at the other cells; None if the cast or the stains would be
        larger than those of scans.
    """
    counts = seen.reshape(-1).astype(float)
    weights, stain = counts, np.zeros(seen.shape)
    for round_ in range(_ROUNDS):
        left, cast = cells.fit(weights)
        left *= seen[..., None]
        if round_:
            stain = _stain(left, seen)
        size = np.hypot(*np.moveaxis(_mean_of_neighbors(left), -1, 0)).reshape(-1)
        usual = 2 * np.median(size[counts > 0])
        weights = counts / (1 + (size / max(usual, 1)) ** 2)
    if np.hypot(*cast.T).sum() > _STEEPEST_CAST:
        return None
    if stain.max() > _STRONGEST_STAIN or np.mean(stain[seen] > 2) > _STAINED_SHARE:
        return None
    return np.asarray(left - stain[..., None] * _STAIN)


def _weighted(left: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths of (H, W, 2), of which the part along the hue of a clear tint counts less."""
    strength = float(np.hypot(mean[0], mean[1]))
    hue = mean / strength if strength > 0 else np.array([1.0, 0.0])
    fading = 1 + _FADING * min(strength / _CLEAR_TINT, 1)
    along, across = left @ hue, left @ np.array([-hue[1], hue[0]])
    return np.asarray(np.hypot(along / fading, across))


def _stain(left: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The chroma that smooth yellow stains add, (H, W)."""
    yellow, covered = (
        cv2.GaussianBlur(one, (0, 0), _STAIN_SIGMA, borderType=cv2.BORDER_REPLICATE)
        for one in (np.maximum(left @ _STAIN, 0), seen.astype(float))
    )
    return np.asarray(yellow / np.maximum(covered, 1e-3) * seen)


def _mean_of_neighbors(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over 3 x 3 cells of (H, W, 2), edges repeated."""
    return np.asarray(cv2.blur(grid, (3, 3), borderType=cv2.BORDER_REPLICATE))


def _inside_frame(cells: Cells, seen: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Find the picture inside its outermost frame.

    Args:
        cells: the small copy.
        seen: (H, W), the part to look at.

    Returns:
        (H, W), the cells inside the frame without those at its edge; None if there is no frame.
    """
    ring = seen & ~_inner(seen, _RING)
    left, _ = cells.fit(ring.reshape(-1).astype(float))
    residual = np.hypot(left[..., 0], left[..., 1])  # from what it would be of the ring's material
    usual = np.sort(residual[ring])[: round((1 - _OTHER_THINGS) * ring.sum())]
    if ring.sum() < _LEAST_RING or np.sqrt(np.mean(usual**2)) > _ONE_MATERIAL:
        return None
    lightness = cells.lab[..., 0]
    low, high = np.percentile(lightness[ring], [2, 98])
    light = (lightness > low - _LIGHTNESS_MARGIN) & (lightness < high + _LIGHTNESS_MARGIN)
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
    inner = _inner(picture, 1)
    return inner if inner.any() else None


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


def _inner(part: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """A part without its outermost cells, which also lie at the edges of the picture."""
    padded = np.pad(part.astype(np.uint8), 1)
    return np.asarray(cv2.erode(padded, _CROSS, iterations=width)[1:-1, 1:-1].astype(bool))


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
        ab = self.lab[..., 1:].reshape(-1, 2)
        weighted = self.terms * (weights / len(weights))[:, None]
        normal = np.einsum("ci,cj->ij", weighted, self.terms) + penalty
        fitted = np.linalg.solve(normal, np.einsum("ci,cj->ij", weighted, ab))
        left = (ab - self.terms @ fitted).reshape(*self.lab.shape[:2], 2)
        return np.asarray(left), np.asarray(fitted[_KNOTS:])


def _cells_of(rgb: NDArray[np.uint8 | np.uint16]) -> Cells:
    """Reduce sRGB (H, W, 3) to at most 64 cells a side."""
    parts = max(1, min(_PARTS, max(rgb.shape[:2]) // _GRID))
    lab = np.asarray(cie.rgb_to_lab(_reduced(rgb, parts) / 255), np.float64)
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


def _reduced(
    pixels: NDArray[np.uint8 | np.uint16], parts: int = 1, presample: int = _PRESAMPLE
) -> NDArray[np.uint8]:
    """Area average of (H, W) or (H, W, 3) over parts of cells, `parts` to each side of a cell."""
    step = max(1, max(pixels.shape[:2]) // presample)
    sample = pixels[::step, ::step]
    sample = (sample >> 8).astype(np.uint8) if sample.dtype == np.uint16 else sample
    scale = min(1.0, _GRID / max(sample.shape[:2]))
    height, width = (parts * max(1, round(scale * side)) for side in sample.shape[:2])
    return np.asarray(cv2.resize(sample, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
