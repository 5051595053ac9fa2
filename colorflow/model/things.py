"""The things in a photo: a tree of regions that end where things end.

The smallest regions are basins of the steps of lightness and of the classes' probabilities, and of
the outlines that the segmentation head sees. Two
neighbors, each of which seems to belong to the other more than to any, become one, again and again,
until the photo is one region. How little two seem to belong together is a logistic regression on
seven numbers, learned on labels (see `COEFFICIENTS`). The regions of a cell, from the smallest to
the whole, are what somebody may mean who points there: a sleeve, a coat, a person.

Reference: Arbelaez et al. 2011 (hierarchical segmentation); Ren & Malik 2003 (merging superpixels
by a learned classifier).

Dimensions: g = 192 the grid's side, m smallest regions, p pairs of neighbors, C = 18 classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color.grid import block_means
from colorflow.model.hints import ThingHint
from colorflow.model.segmentation import CLASSES

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]
Leaves = NDArray[np.bool_]
"""(m,), which of the smallest regions."""

THINGS_GRID = 192
"""Side of the grid."""
COEFFICIENTS = (6.63, 0.159, 0.03, 0.04, 1.743, 3.931, 0.376)
"""Of root of divergence and total variation of the classes, difference in L*, step of L* at the
border, that step relative to the contrast inside, probability of an outline there, and logarithm of
the smaller area."""
CONSTANT = -8.9
SAME = -2.0
"""Log odds of a border up to which regions are one thing. Chosen with the rest, and by eye."""
LARGER = 1.4
"""Least factor of the area from one thing to the next larger one."""
_BASIN = 7
"""Least distance of the centers of two basins, in cells."""
OUTLINE_HEIGHT = 1.0
"""How high an outline is, on the heights whose basins the smallest regions are."""
_FINE_BLUR, _BLUR = 0.8, 1.2
"""Std of the Gaussians before lightness steps, and before basins are looked for, in cells."""
_NEIGHBORS: list[tuple[Any, Any]] = [(np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])]


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """A region of a photo that is one thing.

    Attributes:
        name: of its likeliest class, see `colorflow.model.segmentation`.
        probability: of that class, in [0, 1].
        mask: (192, 192), whether each cell of the photo belongs to it.
        regions: (192, 192), of each cell, the number of its smallest region. All things of a photo
            have the same regions, which hints may add to a thing or take from it.
    """

    name: str
    probability: float
    mask: NDArray[np.bool_]
    regions: NDArray[np.int64]

    @property
    def area(self) -> float:
        """Share of the photo."""
        return float(self.mask.mean())

    @property
    def outlines(self) -> list[NDArray[np.float64]]:
        """Closed polygons, (n, 2): shares of the photo's width and height in [0, 1]."""
        side = 4 * len(self.mask)
        finer = self.mask.repeat(4, 0).repeat(4, 1).astype(np.uint8)
        found, _ = cv2.findContours(finer, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
        return [(line[:, 0] + 0.5) / side for line in found]


class Things:
    """The tree of regions of one photo.

    Args:
        probabilities: (C, g, g), of each class.
        outlines: (g, g), how likely a thing ends there, in [0, 1].
        lightness: (g, g) L* in [0, 100].
    """

    def __init__(self, probabilities: Array, outlines: Array, lightness: Array) -> None:
        steps = _steps(_blurred(lightness, _FINE_BLUR))
        self._regions = _basins(steps, probabilities, outlines)
        flat, count = self._regions.ravel(), int(self._regions.max()) + 1
        planes = [*probabilities, lightness, lightness**2]
        sums = np.stack([np.bincount(flat, plane.ravel(), count) for plane in planes], 1).astype(
            float
        )
        areas = np.bincount(flat, minlength=count)
        self._tree = RegionTree(areas, sums, *_borders(self._regions, steps, outlines))

    @cached_property
    def all(self) -> list[Thing]:
        """The things that the photo is made of, from large to small."""
        tree = self._tree
        tops = {tree.chain(leaf)[0] for leaf in range(tree.leaves)}
        found = [self._thing(node) for node in tops]
        return sorted(found, key=lambda thing: -thing.area)

    def at(self, row: int, column: int) -> list[Thing]:
        """The thing that a cell belongs to, and those around it, from small to large."""
        return [self._thing(node) for node in self._tree.chain(int(self._regions[row, column]))]

    def colored(self, ab: Array, hints: Sequence[ThingHint]) -> Array:
        """Gives the things that hints lie on the colors of the hints, and changes nothing else.

        A thing in a larger one keeps its own hints. Where hints share a thing, each has its own
        part of it for itself, and of the rest near ones count most. The smallest regions that a
        hint adds get its color, whatever else lies there, and not those that it takes.

        Args:
            ab: (n, 2, h, h) CIELAB units.
            hints: cells of the things' grid, and colors; at least one.

        Returns:
            (n, 2, h, h).
        """
        leaves = [int(self._regions[hint.row, hint.column]) for hint in hints]
        nodes = [
            self._tree.chain(leaf)[: 1 + hint.is_larger][-1]
            for leaf, hint in zip(leaves, hints, strict=True)
        ]
        added = [self._touched(hint.adds) for hint in hints]
        kept = [~self._touched(hint.takes) for hint in hints]
        painted = {node: [i for i, other in enumerate(nodes) if other == node] for node in nodes}
        for node in sorted(painted, key=lambda node: -self._tree.areas[node]):
            sharing, thing = painted[node], self._tree.leaves_of(node)
            regions = [(thing | added[i]) & kept[i] for i in sharing]
            ab = self._painted(ab, regions, [hints[i] for i in sharing])
            for i in sharing if len(sharing) > 1 else ():
                own = self._tree.without(leaves[i], leaves)
                if own is not None:
                    ab = self._painted(ab, [self._tree.leaves_of(own) & kept[i]], [hints[i]])
        for i, hint in enumerate(hints):  # over smaller things, too
            if hint.adds:
                ab = self._painted(ab, [added[i] & kept[i]], [hint])
        g, side = len(self._regions), ab.shape[-1]
        for i, hint in enumerate(hints):  # whose cells may lie half on other things
            if kept[i][leaves[i]]:
                ab[:, :, hint.row * side // g, hint.column * side // g] = [hint.a, hint.b]
        return ab

    def _touched(self, cells: Sequence[tuple[int, int]]) -> Leaves:
        touched = np.zeros(self._tree.leaves, bool)
        touched[[self._regions[cell] for cell in cells]] = True
        return touched

    def _painted(self, ab: Array, regions: list[Leaves], hints: Sequence[ThingHint]) -> Array:
        """Gives the regions of hints their colors; where several overlap, near hints count most."""
        g, side = len(self._regions), ab.shape[-1]
        masks = np.stack([self._mask(region, side) for region in regions])
        mask = self._mask(np.any(regions, 0), side)
        parts = np.divide(masks, mask, out=np.ones_like(masks), where=mask > 0)
        places = (np.indices((side, side)) + 0.5) * g / side
        at = np.array([hint[:2] for hint in hints], np.float32)[..., None, None] + 0.5
        shares = parts / (((places - at) ** 2).sum(1) + 1)
        colors = np.array([(hint.a, hint.b) for hint in hints], np.float32)
        wanted = np.einsum("hc,hyx->cyx", colors, shares / shares.sum(0))
        return np.asarray(ab + mask * (wanted - ab), np.float32)

    def _mask(self, leaves: Leaves, side: int) -> Array:
        """The share of each cell of a grid that belongs to one of the leaves."""
        return block_means(leaves[self._regions].astype(np.float32), side)

    def _thing(self, node: int) -> Thing:
        likely = self._tree.sums[node, : len(CLASSES)] / self._tree.areas[node]
        best = int(likely.argmax())
        mask = self._tree.leaves_of(node)[self._regions]
        return Thing(CLASSES[best], float(likely[best]), mask, self._regions)


class RegionTree:
    """Regions, and those that come of two of them.

    Args:
        areas: (m,) cells of the smallest regions.
        sums: (m, C + 2), over their cells: of probabilities, L*, and its square.
        pairs: (p, 2) neighbors.
        borders: (p, 3), of each pair, length of the border, and sums along it, of the steps and of
            the probability of an outline.
    """

    def __init__(
        self, areas: NDArray[np.int64], sums: Numbers, pairs: NDArray[np.int64], borders: Numbers
    ) -> None:
        self.leaves = len(areas)
        count = 2 * self.leaves - 1
        self.areas: Numbers = np.zeros(count)
        self.sums: Numbers = np.zeros((count, sums.shape[1]))
        self.areas[: self.leaves], self.sums[: self.leaves] = areas, sums
        self._parts = np.zeros((count, 2), np.int64)
        self._parents = np.full(count, -1)
        self._odds = np.full(count, -np.inf)
        self._grow(pairs, borders)

    def _grow(self, pairs: NDArray[np.int64], borders: Numbers) -> None:
        """Makes one of each two regions that are surest of each other, until one is left."""
        new = self.leaves
        while len(pairs):
            odds = CONSTANT + self.numbers(pairs, borders) @ np.array(COEFFICIENTS)
            order = np.argsort(odds, kind="stable")
            regions, first = np.unique(pairs[order].ravel(), return_index=True)
            surest = np.full(new, -1)
            surest[regions] = order[first // 2]
            chosen = np.flatnonzero((surest[pairs] == np.arange(len(pairs))[:, None]).all(1))
            one, other = pairs[chosen].T
            nodes = np.arange(new, new + len(chosen))
            self._parts[nodes] = pairs[chosen]
            self._parents[one] = self._parents[other] = nodes
            self.areas[nodes] = self.areas[one] + self.areas[other]
            self.sums[nodes] = self.sums[one] + self.sums[other]
            below = np.maximum(self._odds[one], self._odds[other])
            self._odds[nodes] = np.maximum(odds[chosen], below)
            new += len(chosen)
            after = np.where(self._parents[pairs] >= 0, self._parents[pairs], pairs)
            pairs, borders = _joined(after, borders)

    def chain(self, leaf: int) -> list[int]:
        """The thing that a region belongs to, and those around it, each clearly larger."""
        chain = [leaf]
        for node in self._line(leaf):
            if self._odds[node] <= SAME:
                chain = [node]
            elif self.areas[node] > LARGER * self.areas[chain[-1]]:
                chain.append(node)
        return chain

    def without(self, leaf: int, leaves: Sequence[int]) -> int | None:
        """The largest region of a leaf without others of `leaves`; None if it is there twice."""
        if leaves.count(leaf) > 1:
            return None
        others = {node for other in leaves if other != leaf for node in self._line(other)}
        return [node for node in self._line(leaf) if node not in others][-1]

    def _line(self, leaf: int) -> Iterator[int]:
        """A region and all that it became a part of."""
        node = leaf
        while node >= 0:
            yield node
            node = int(self._parents[node])

    def leaves_of(self, node: int) -> Leaves:
        """Which of the smallest regions are parts of a region."""
        found, open_ = np.zeros(self.leaves, bool), [node]
        while open_:
            one = open_.pop()
            if one < self.leaves:
                found[one] = True
            else:
                open_.extend(self._parts[one].tolist())
        return found

    def numbers(self, pairs: NDArray[np.int64], borders: Numbers) -> Numbers:
        """What tells whether pairs of regions are of one thing, (p, 7); see `COEFFICIENTS`."""
        x, y = (self.sums[i] / self.areas[i, None] for i in pairs.T)
        c = len(CLASSES)
        p, q = x[:, :c] + 1e-6, y[:, :c] + 1e-6
        middle = np.log((p + q) / 2)
        divergence = ((p * (np.log(p) - middle)).sum(1) + (q * (np.log(q) - middle)).sum(1)) / 2
        inside = sum(np.sqrt(np.maximum(z[:, c + 1] - z[:, c] ** 2, 0)) for z in (x, y))
        step, outline = (borders[:, 1:] / borders[:, :1]).T
        told = [
            np.sqrt(np.maximum(divergence, 0)),
            np.abs(p - q).sum(1) / 2,
            np.abs(x[:, c] - y[:, c]),
            step,
            step / (2 + inside),
            outline,
            np.log(self.areas[pairs].min(1)),
        ]
        return np.stack(told, 1)


def _joined(pairs: NDArray[np.int64], borders: Numbers) -> tuple[NDArray[np.int64], Numbers]:
    """Pairs of two regions, each once, the smaller number first, with the sums of their borders."""
    is_border = pairs[:, 0] != pairs[:, 1]
    low, high = np.sort(pairs[is_border], 1).T
    base = int(pairs.max(initial=0)) + 1
    keys, where = np.unique(low * base + high, return_inverse=True)
    sums = [np.bincount(where.ravel(), column, len(keys)) for column in borders[is_border].T]
    return np.stack([keys // base, keys % base], 1), np.stack(sums, 1)


def _steps(plane: Array) -> Array:
    """Length of the gradient of a plane, or of each channel, per cell."""
    x, y = (cv2.Sobel(plane, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(x, y), np.float32)


def _blurred(plane: Array, std: float) -> Array:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), std), np.float32)


def _basins(steps: Array, probabilities: Array, outlines: Array) -> NDArray[np.int64]:
    """Numbers of the smallest regions, (g, g), from 0: each holds one hollow of the steps."""
    from skimage.segmentation import watershed  # 0.3 s, which few need

    borders = _steps(np.ascontiguousarray(probabilities.transpose(1, 2, 0))).sum(2)
    heights = _blurred(steps / 4 + 2 * borders + OUTLINE_HEIGHT * outlines, _BLUR)
    lowest = cv2.erode(heights, np.ones((_BASIN, _BASIN), np.uint8))
    _, hollows = cv2.connectedComponents((heights <= lowest + 1e-6).astype(np.uint8))
    return np.asarray(watershed(heights, hollows), np.int64) - 1


def _borders(
    regions: NDArray[np.int64], steps: Array, outlines: Array
) -> tuple[NDArray[np.int64], Numbers]:
    """Neighbors (p, 2), the smaller number first; and of each border what `RegionTree` takes."""
    pairs = np.concatenate(
        [np.stack([regions[i].ravel(), regions[j].ravel()], 1) for i, j in _NEIGHBORS]
    )
    highest = [
        np.concatenate([np.maximum(plane[i], plane[j]).ravel() for i, j in _NEIGHBORS])
        for plane in (steps, outlines)
    ]
    return _joined(pairs, np.stack([np.ones(len(pairs)), *highest], 1))
