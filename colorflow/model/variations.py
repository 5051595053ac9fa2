"""Variations: what other colors the things in a photo may have.

The first principal coloring is one answer. The others change what is open in it and leave the rest
as it is: a coat, a wall, a car. Each gives up to three things that end clearly a color that the
model's samples give them together, far enough from the first one's to be seen. Skin, hair, sky,
plants, water and animals have few colors, and keep theirs.

Reference: Flury 1990 (principal points), of the colors of things.

Dimensions: n samples, k variations, t things that vary, g a grid's side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import block_means
from colorflow.model.hints import ThingHint
from colorflow.model.principal import clusters
from colorflow.model.things import Thing

Array = NDArray[np.float32]

FREE = (
    *("upper clothes", "lower clothes", "hat", "accessory", "building", "vehicle"),
    *("wall", "furniture", "textile", "other"),
)
"""Classes of things whose colors are open."""
MOST_THINGS = 3
"""Things that vary."""
SMALLEST, LARGEST = 0.012, 0.6
"""Shares of the photo that a thing that varies has."""
CLEAR = 0.3
"""Least clearness of a thing that varies."""
LEAST_CHANGE, MOST_CHANGE = 10.0, 18.0
"""How far, in CIELAB units, the color of the thing that changes most moves."""
LEAST_MOVE = 3.0
"""Things that move less keep their color."""
MOST_CHROMA = 26.0
"""Chroma of a thing in a variation, at most, in CIELAB units, or that which it had."""
INSIDE = 0.9
"""Share of a cell that lies in a thing whose color it tells."""
FEWEST = 12
"""Least number of such cells."""
NEAREST = 4
"""Samples that tell the colors of a variation: those nearest to the middle of a cluster."""


def variations(
    things: Sequence[Thing], first: Array, deviations: Array, skin: Array, k: int
) -> tuple[list[list[ThingHint]], NDArray[np.float64]]:
    """Other colors of things.

    Args:
        things: of the photo.
        first: (2, g, g), the first coloring, as it is painted, in CIELAB units.
        deviations: (n, 2, g, g), of samples from what they have in common, assigned to things.
        skin: (g, g), share of skin in each cell.
        k: how many variations.

    Returns:
        k hints for things each, or none at all where nothing is free and clear; and the share of
        the samples that is nearest to each variation, in decreasing order.
    """
    found = []
    for thing in things:
        if not (thing.name in FREE and SMALLEST <= thing.area <= LARGEST):
            continue
        mask = block_means(thing.mask.astype(np.float32), first.shape[-1])
        weight = np.where(mask > INSIDE, mask, 0) * (1 - skin)
        if thing.clearness < CLEAR or weight.sum() < FEWEST:
            continue
        colors = (deviations * weight).sum((2, 3)) / weight.sum()
        spread = float(np.sqrt((colors**2).sum(1).mean()))
        own = (first * weight).sum((1, 2)) / weight.sum()
        found.append((spread * thing.area**0.5, thing, colors, own))
    found.sort(key=lambda one: -one[0])
    chosen = found[:MOST_THINGS]
    if not chosen:
        return [], np.zeros(0)
    points = np.concatenate([score**0.5 * colors for score, _, colors, _ in chosen], 1)
    which, middles = clusters(points.astype(np.float32), k)
    counts = np.bincount(which, minlength=k)
    varied = []
    order = np.argsort(-counts, kind="stable")
    for middle in middles[order]:
        near = np.argsort(np.linalg.norm(points - middle, axis=1), kind="stable")[:NEAREST]
        moves = np.stack([colors[near].mean(0) for _, _, colors, _ in chosen])
        largest = float(np.linalg.norm(moves, axis=1).max())
        moves *= np.clip(largest, LEAST_CHANGE, MOST_CHANGE) / max(largest, 1e-6)
        hints = []
        for (_, thing, _, own), move in zip(chosen, moves, strict=True):
            if np.linalg.norm(move) < LEAST_MOVE:
                continue
            a, b = own + move
            most = max(MOST_CHROMA, float(np.hypot(*own)))
            calm = min(1.0, most / max(float(np.hypot(a, b)), 1e-6))
            hints.append(ThingHint(*thing.middle, float(calm * a), float(calm * b), False))
        varied.append(hints)
    return varied, counts[order] / counts.sum()
