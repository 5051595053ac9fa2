"""Whether a picture is gray, tinted or colored.

A tint (sepia, selenium, cyanotype, a two-tone print, yellowed paper) gives every tone one chroma,
so that ab is a function of L; colors differ at equal L. The picture is reduced by area averaging,
and a smooth function of L is fitted to ab by least squares. A scan adds chroma that is no color of
the scene, and that is fitted beside it:

- a cast that changes linearly over the picture, such as that of an uneven lamp;
- stains, which are smooth and yellow;
- marks such as ink and stamps, on a small share of the picture.

What lies around the picture does not count (`frame.py`). The residual decides, averaged over 3 x 3
cells to reduce grain and JPEG's chroma noise. A tint that has faded varies in strength at equal L,
but hardly in hue: the residual along the tint's hue weighs less.

The constants are tuned on half of the photos of `python -m benchmarks.gray_scans`, whose results
are in docs/reliability.md. Mistaking a pale photo for a tint is the better error: it is colored as
asked, while a sepia print that is mistaken for a color photo would be refused.
"""

from __future__ import annotations

import enum

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color import cie
from colorflow.photo.frame import inside_frame
from colorflow.photo.tint import KNOTS, fit, terms_of

GRID = 64
"""Longer side of the reduced copy, in cells."""
_PRESAMPLE = 1024
"""Larger pictures are subsampled to about this many pixels on the longer side before averaging."""

GRAY_CHROMA = 2.5
"""CIELAB chroma that 95 % of a gray picture's cells do not exceed; about one visible step."""
TINT_RESIDUAL = 1.05
"""Root mean square of the weighted residual, in CIELAB units, up to which ab is a tint."""
MARK_SHARE = 0.03
"""Share of the cells, those with the largest residuals, that may be marks."""
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

_ROUNDS = 4
"""Of the fit; in each one cells with large residuals have less weight than in the one before."""


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
        pixels: uint8 (H, W) or sRGB (H, W, 3), in [0, 255].
        alpha: uint8 (H, W), in [0, 255]; mostly transparent cells do not count.

    Returns:
        GRAY for (H, W); otherwise the kind of the reduced copy.
    """
    if pixels.ndim == 2:
        return Kind.GRAY
    lab = np.asarray(cie.rgb_to_lab(_reduced(pixels) / 255), np.float64)
    seen = np.ones(lab.shape[:2], bool) if alpha is None else _reduced(alpha) > 127
    if not seen.any():
        return Kind.GRAY
    kind = _kind_of_part(lab, seen)
    for _ in range(_MOST_FRAMES):
        inside = inside_frame(lab, seen) if kind is Kind.COLORED else None
        if inside is None or inside.sum() < _LEAST_CELLS:
            break
        kind, seen = _kind_of_part(lab, inside), inside
    return kind


def _kind_of_part(lab: NDArray[np.float64], seen: NDArray[np.bool_]) -> Kind:
    """The kind of the seen cells of (H, W, 3)."""
    left = _unexplained(lab, seen)
    if left is None:
        return Kind.COLORED
    mean = lab[seen][:, 1:].mean(axis=0)
    marks = (_weighted(left, mean) > _MARK_RESIDUAL).astype(np.uint8)
    areas, _ = cv2.connectedComponents(cv2.erode(marks, _BRUSH))
    if areas - 1 > _MOST_AREAS:
        return Kind.COLORED
    if np.percentile(np.hypot(lab[..., 1], lab[..., 2])[seen], 95) <= GRAY_CHROMA:
        return Kind.GRAY
    each = np.sort(_weighted(_mean_of_neighbors(left), mean)[seen])
    without_marks = each[: max(1, round((1 - MARK_SHARE) * len(each)))]
    if np.sqrt(np.mean(without_marks**2)) <= TINT_RESIDUAL:
        return Kind.TINTED
    return Kind.COLORED


def _unexplained(lab: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """What neither a tint, nor a linear cast, nor stains explain of ab at the seen cells.

    Returns:
        (H, W, 2) in CIELAB units, 0 at the other cells; None if the cast or the stains would be
        larger than those of scans.
    """
    shape = seen.shape
    ab = lab[..., 1:].reshape(-1, 2)
    terms = terms_of(lab[..., 0])
    counts = seen.reshape(-1).astype(float)
    weights, stain = counts, np.zeros(shape)
    for round_ in range(_ROUNDS):
        fitted = fit(terms, ab, weights)
        left = ((ab - terms @ fitted) * counts[:, None]).reshape(*shape, 2)
        if round_:
            stain = _stain(left, seen)
        size = np.hypot(*np.moveaxis(_mean_of_neighbors(left), -1, 0)).reshape(-1)
        usual = 2 * np.median(size[counts > 0])
        weights = counts / (1 + (size / max(usual, 1)) ** 2)
    if np.hypot(*fitted[KNOTS:].T).sum() > _STEEPEST_CAST:
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


def _reduced(pixels: np.ndarray) -> NDArray[np.uint8]:
    """Area average of the picture with at most GRID cells a side."""
    step = max(1, max(pixels.shape[:2]) // _PRESAMPLE)
    image = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step]))
    scale = min(1.0, GRID / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BOX))
