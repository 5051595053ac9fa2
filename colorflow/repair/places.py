"""Which places of a print are damage: the two-groups model, by empirical Bayes (Efron 2008).

A print is damaged or it is not, and p(damage here) depends on whether there is damage elsewhere.
The share of damage among the places of a print is unknown: a spike at none, for sound prints, and a
slab over the others. What the places themselves tell of it decides how much evidence each of them
needs: in a print that is surely cracked somewhere, faint cracks count as well.

Reference: Efron 2008, Microarrays, Empirical Bayes and the Two-Groups Model.

A touch says that there is damage: what it means is followed on the same log odds.

Dimensions: H, W pixels of a photo; N places.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.limits import SENSITIVITIES

_LIKELY, _FOLLOWED = -0.5, -2.0
"""Log odds from which on neighboring pixels form places, and belong to what a stroke means."""
_LEAST_PIXELS = 12
"""Of a place; what is smaller counts for nothing."""
_BORDER = 0.02
"""Of the shorter side: what lies within that of an edge is the border of a print, and tells nothing
of damage."""
_LINED, _ALONG = 0.15, 0.8
"""A place is the bed or a wider border if it runs along that border for so much of the picture's
shorter side, and for so much of its own longer side."""
_RIM = 2
"""Pixels by which places are made wider: damage ends softly."""
_EVEN, _SLOPE, _LEAST, _MOST = 3.75, 0.8, -1.5, 12.0
"""Evidence that speaks for neither group; log likelihood ratio per unit of it, and its bounds."""
_STEP = 0.75
"""By how much a step of sensitivity lowers the evidence that speaks for neither group."""
_PRIOR = -3.0
"""Log odds, before looking, that a print is damaged."""
_SURE = 0.5
"""Probability from which on a place is filled: an error destroys what was sound."""
_DOUBTED, _FADES = -7.0, 3.0
"""What a touch follows: log odds that it needs to find something, and how far below those of the
touched pixel they may fall; a click never asks for more than what is likely, a stroke for less."""
_STANDS_OUT, _LEAST_HALF, _NARROW, _WIDE, _SWOLLEN = 1.0, 3, 0.012, 0.04, 1.5
"""What is a band: log odds above those of what is wider, and half its width at most: in pixels;
divided by the photo's longer side; the same where a touch finds what is likely; and how many times
wider than at that touch it may get then."""
_AROUND, _CROWDED = 4, 0.35
"""Where bands crowd they are texture: size of the square looked at, in half widths to each side,
and share of it that is bands."""
_SHARES = np.geomspace(0.02, 0.9, 24)
"""Shares of damage among the places of a damaged print, each as likely as the others."""


def mask_of(odds: NDArray[np.float16], sensitivity: int = 0) -> NDArray[np.bool_]:
    """What to fill: places that are surely damage, and a rim.

    Args:
        odds: (H, W), of `Repairer.find`.
        sensitivity: -2 for what is surely damage, to 2 for all that may be.
    """
    if sensitivity not in SENSITIVITIES:
        raise ValueError(f"sensitivity: expected -2 to 2, got {sensitivity!r}")
    _, found, boxes, _ = cv2.connectedComponentsWithStats(
        (odds > _LIKELY).astype(np.uint8), connectivity=8
    )
    labels = np.asarray(found, np.int32)
    evidence, pixels = _evidence(odds, labels)
    lined, longer = _lined(labels), boxes[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1)
    is_border = (lined > _LINED * min(odds.shape)) & (lined > _ALONG * longer)
    counts = (pixels >= _LEAST_PIXELS) & ~is_border
    even = _EVEN - _STEP * sensitivity
    ratios = np.clip(_SLOPE * (evidence[counts] - even), _LEAST, _MOST)
    is_damage = np.zeros(len(pixels), bool)
    is_damage[counts] = damaged(ratios, _PRIOR) > _SURE
    return _rimmed(is_damage[labels])


def damaged(ratios: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """Probability that each place is damage, given all of them, (N,).

    Args:
        ratios: (N,) log likelihood ratios, of damage to what is sound.
        prior: log odds, before looking, that there is damage at all.
    """
    shares, ratio = _SHARES[:, None], np.exp(ratios)[None]
    mixed = 1 - shares + shares * ratio
    slab = np.log(mixed).sum(1) - np.log(len(_SHARES)) + prior
    weights = np.exp(slab - np.logaddexp.reduce(np.append(slab, 0.0)))  # 0 is the spike's
    result: NDArray[np.float64] = weights @ (shares * ratio / mixed)
    return result


def touched(
    odds: NDArray[np.float16], points: Sequence[tuple[float, float]], radius: float
) -> NDArray[np.bool_]:
    """What a touch means: a click the crack or spot that is there, a stroke what lies under it.

    A click follows a crack in a band: where what hangs together with it is wider, it stops. Where a
    crack crosses a face, the log odds of the face are near.

    Args:
        odds: (H, W), of `Repairer.find`.
        points: (x, y) in pixels, along a stroke; one for a click.
        radius: of the stroke, in pixels.

    Returns:
        (H, W) bool; where the finder sees nothing at all, the stroke itself.
    """
    stroke = np.zeros(odds.shape, np.uint8)
    path = np.array([*points, points[-1]], np.float64).astype(np.int32)
    cv2.polylines(stroke, [path], False, 1, 2 * max(1, round(radius)) + 1)
    under = stroke > 0
    surest = float(odds[under].max(initial=-np.inf))
    if surest < _DOUBTED:
        return under
    least = surest - _FADES
    if len(points) > 1:
        return _reached(odds, under, min(_FOLLOWED, least)) & _rimmed(under)
    least = min(_LIKELY, least)
    side = max(odds.shape)
    half = max(_LEAST_HALF, _NARROW * side)
    if surest > _LIKELY:
        half = max(half, min(_SWOLLEN * _half_width(odds, under) + _RIM, _WIDE * side))
    bands = np.where(_in_bands(odds, least, round(half)), odds, np.float16(-np.inf))
    found = _reached(bands, under, least)
    return _rimmed(found if found.any() else under & (odds > surest - 1))


def _evidence(
    odds: NDArray[np.float16], labels: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Evidence and pixels of each place off the border, (1 + N,); the first is no place.

    The evidence is the log odds of its surest pixel, and half the log of the sum of what its pixels
    have above those of an edge: a long crack needs no pixel as sure as a speck does.
    """
    count, within = int(labels.max()) + 1, _within(labels.shape)
    labels, odds = labels[within], odds[within]
    inside = labels > 0
    place, values = labels[inside], odds[inside].astype(np.float64)
    surest, pixels = np.full(count, _LIKELY), np.bincount(place, minlength=count)
    np.maximum.at(surest, place, values)
    total = np.bincount(place, values - _LIKELY, minlength=count)
    return surest + 0.5 * np.log(np.maximum(total, 1e-6)), pixels


def _within(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """What lies off the border."""
    border = round(_BORDER * min(shape))
    return tuple(slice(border, size - border) for size in shape)


def _lined(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pixels of each place beside the border, (1 + N,)."""
    inner = labels[_within(labels.shape)]
    beside = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    return np.bincount(beside, minlength=int(labels.max()) + 1)


def _reached(
    odds: NDArray[np.float16], start: NDArray[np.bool_], least: float
) -> NDArray[np.bool_]:
    """Pixels above log odds that hang together with some of the start (hysteresis).

    What is found off the border reaches into it, but not along it: it often is a dark frame.
    """
    likely, inner = odds > least, np.zeros(odds.shape, bool)
    inner[_within(odds.shape)] = True
    off_border = likely & inner
    inside = off_border if (start & off_border).any() else likely
    _, labels = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    is_reached = np.zeros(int(labels.max()) + 1, bool)
    is_reached[labels[start]] = True
    is_reached[0] = False
    reached = np.asarray(is_reached[labels])
    border = round(_BORDER * min(odds.shape))
    near = cv2.dilate(reached.astype(np.uint8), np.ones((2 * border + 1,) * 2, np.uint8)) > 0
    return reached | (likely & near & ~inner)


def _half_width(odds: NDArray[np.float16], under: NDArray[np.bool_]) -> float:
    """Radius of the largest disc over the surest pixel of a touch, in what is likely."""
    surest = int(np.where(under, odds, np.float16(-np.inf)).argmax())
    row, column = divmod(surest, odds.shape[1])
    found = _reached(odds, under, _LIKELY)
    radii = cv2.distanceTransform(found.astype(np.uint8), cv2.DIST_L2, 5)
    rows, columns = np.nonzero(found)
    radius = radii[rows, columns]
    return float(radius[radius >= np.hypot(rows - row, columns - column)].max(initial=1.0))


def _in_bands(odds: NDArray[np.float16], least: float, half: int) -> NDArray[np.bool_]:
    """Pixels above log odds that stand out from what is wider than twice that many pixels.

    That is the white top-hat, by a square; but texture, where much of the surroundings does.
    """
    values, square = odds.astype(np.float32), np.ones((2 * half + 1,) * 2, np.uint8)
    wider = cv2.morphologyEx(values, cv2.MORPH_OPEN, square)
    bands = (values > least) & (values - wider > _STANDS_OUT)
    around = (2 * _AROUND * half + 1,) * 2
    share = cv2.blur(bands.astype(np.float32), around, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(bands & (share < _CROWDED))


def _rimmed(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    square = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    return cv2.dilate(found.astype(np.uint8), square).astype(bool)
