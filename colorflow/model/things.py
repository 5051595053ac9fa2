"""The things in a photo: a tree of regions that end where things end.

The smallest regions are basins of the steps of lightness and of the classes' probabilities. Two
neighbors that seem most to belong to one thing become one, again and again, until the photo is one
region. How little two seem to belong together is a logistic regression on six numbers, learned on
labels (see `COEFFICIENTS`). The regions of a cell, from the smallest to the whole, are what
somebody may mean who points there: a sleeve, a coat, a person.

Reference: Arbelaez et al. 2011 (hierarchical segmentation); Ren & Malik 2003 (merging superpixels
by a learned classifier).

Dimensions: g = 192 the grid's side, m regions, p pairs of neighbors, C = 15 classes.
"""

from __future__ import annotations

import heapq
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

THINGS_GRID = 192
"""Side of the grid."""
COEFFICIENTS = (4.85, 5.5, 0.03, 0.058, 0.409, 0.185)
"""Of root of divergence and total variation of the classes, difference in L*, step of L* at the
border, that step relative to the contrast inside, and logarithm of the smaller area."""
CONSTANT = -6.11
SAME, SAME_UNKNOWN = -1.5, -3.5
"""Log odds of a border up to which regions are one thing: where one class is likelier than `KNOWN`,
and elsewhere. Chosen with the rest, and by eye."""
KNOWN = 0.5
_SINGLE = [i for i, name in enumerate(CLASSES) if name not in ("interior", "other")]
"""Classes that are things; the others are what rooms are full of."""
LARGER = 1.4
"""Least factor of the area from one thing to the next larger one."""
_BASIN = 7
"""Least distance of the centers of two basins, in cells."""
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
    """

    name: str
    probability: float
    mask: NDArray[np.bool_]

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
        lightness: (g, g) L* in [0, 100].
    """

    def __init__(self, probabilities: Array, lightness: Array) -> None:
        steps = _steps(_blurred(lightness, _FINE_BLUR))
        self._regions = _basins(steps, probabilities)
        flat, count = self._regions.ravel(), int(self._regions.max()) + 1
        planes = [*probabilities, lightness, lightness**2]
        sums = np.stack([np.bincount(flat, plane.ravel(), count) for plane in planes], 1).astype(
            float
        )
        tree = _Tree(np.bincount(flat, minlength=count), sums)
        for (one, other), border in zip(*_borders(self._regions, steps), strict=True):
            tree.connect(int(one), int(other), border)
        tree.grow()
        self._tree = tree

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
        part of it for itself, and of the rest near ones count most.

        Args:
            ab: (n, 2, h, h) CIELAB units.
            hints: cells of the things' grid, and colors.

        Returns:
            (n, 2, h, h).
        """
        leaves = [int(self._regions[hint.row, hint.column]) for hint in hints]
        nodes = [
            self._tree.chain(leaf)[: 1 + hint.is_larger][-1]
            for leaf, hint in zip(leaves, hints, strict=True)
        ]
        painted = {node: [i for i, other in enumerate(nodes) if other == node] for node in nodes}
        for node in sorted(painted, key=lambda node: -self._tree.areas[node]):
            sharing = [hints[i] for i in painted[node]]
            ab = self._painted(ab, node, sharing)
            for i in painted[node] if len(sharing) > 1 else ():
                own = self._tree.without(leaves[i], leaves)
                if own is not None:
                    ab = self._painted(ab, own, [hints[i]])
        g, side = len(self._regions), ab.shape[-1]
        for hint in hints:  # whose cells may lie half on other things
            ab[:, :, hint.row * side // g, hint.column * side // g] = [hint.a, hint.b]
        return ab

    def _painted(self, ab: Array, node: int, hints: Sequence[ThingHint]) -> Array:
        g, side = len(self._regions), ab.shape[-1]
        mask = block_means(self._thing(node).mask.astype(np.float32), side)
        places = (np.indices((side, side)) + 0.5) * g / side
        at = np.array([hint[:2] for hint in hints], np.float32)[..., None, None] + 0.5
        shares = 1 / (((places - at) ** 2).sum(1) + 1)
        colors = np.array([(hint.a, hint.b) for hint in hints], np.float32)
        wanted = np.einsum("hc,hyx->cyx", colors, shares / shares.sum(0))
        return np.asarray(ab + mask * (wanted - ab), np.float32)

    def _thing(self, node: int) -> Thing:
        inside = np.zeros(self._tree.leaves, bool)
        inside[self._tree.leaves_of(node)] = True
        likely = self._tree.sums[node, : len(CLASSES)] / self._tree.areas[node]
        best = int(likely.argmax())
        return Thing(CLASSES[best], float(likely[best]), inside[self._regions])


class _Tree:
    """Regions, and those that come of two of them.

    Args:
        areas: (m,) cells of the smallest regions.
        sums: (m, C + 2), over their cells: of probabilities, L*, and its square.
    """

    def __init__(self, areas: NDArray[np.int64], sums: Numbers) -> None:
        self.leaves = len(areas)
        self.areas: Numbers = np.concatenate([areas, np.zeros(self.leaves)])
        self.sums = np.concatenate([sums, np.zeros_like(sums)])
        self._parts: dict[int, tuple[int, int]] = {}
        self._parents: dict[int, int] = {}
        self._odds: dict[int, float] = {}
        # Of each region, its neighbors: length of the border, and sum of the steps along it.
        self._borders: dict[int, dict[int, Numbers]] = {i: {} for i in range(self.leaves)}

    def connect(self, one: int, other: int, border: Numbers) -> None:
        """Let two regions be neighbors."""
        self._borders[one][other] = self._borders[other][one] = border

    def grow(self) -> None:
        """Make one of two regions, those first that are surest to be of one thing."""
        heap = [
            pair for one in range(self.leaves) for pair in self._pairs(one) if pair[1] < pair[2]
        ]
        heapq.heapify(heap)
        surest = -np.inf
        new = self.leaves
        while heap:
            odds, one, other = heapq.heappop(heap)
            if one not in self._borders or other not in self._borders:
                continue
            surest = max(surest, odds)
            self._join(one, other, new, surest)
            for pair in self._pairs(new):
                heapq.heappush(heap, pair)
            new += 1

    def chain(self, leaf: int) -> list[int]:
        """The thing that a region belongs to, and those around it, each clearly larger."""
        chain = [leaf]
        for node in self._line(leaf):
            is_known = self.sums[node, _SINGLE].max() > KNOWN * self.areas[node]
            if self._odds.get(node, -np.inf) <= (SAME if is_known else SAME_UNKNOWN):
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
            node = self._parents.get(node, -1)

    def leaves_of(self, node: int) -> list[int]:
        """The smallest regions of a region."""
        found, open_ = [], [node]
        while open_:
            one = open_.pop()
            if one < self.leaves:
                found.append(one)
            else:
                open_.extend(self._parts[one])
        return found

    def _join(self, one: int, other: int, new: int, odds: float) -> None:
        self._parts[new], self._odds[new] = (one, other), odds
        self._parents[one] = self._parents[other] = new
        self.areas[new] = self.areas[one] + self.areas[other]
        self.sums[new] = self.sums[one] + self.sums[other]
        around: dict[int, Numbers] = {}
        for part in (one, other):
            for neighbor, border in self._borders.pop(part).items():
                if neighbor not in (one, other):
                    self._borders[neighbor].pop(part)
                    around[neighbor] = border + around.get(neighbor, 0.0)
        self._borders[new] = around
        for neighbor, border in around.items():
            self._borders[neighbor][new] = border

    def _pairs(self, one: int) -> Iterator[tuple[float, int, int]]:
        """Log odds of a region's borders to its neighbors, and the two regions."""
        around = self._borders[one]
        if not around:
            return
        others = np.fromiter(around, int)
        odds = self._log_odds(np.full(len(others), one), others, np.stack(list(around.values())))
        yield from zip(odds.tolist(), [one] * len(others), others.tolist(), strict=True)

    def _log_odds(
        self, one: NDArray[np.int64], other: NDArray[np.int64], border: Numbers
    ) -> Numbers:
        """How likely pairs (p,) of regions are of two things; border is (p, 2)."""
        (x, y), areas = (self.sums[i] / self.areas[i, None] for i in (one, other)), self.areas
        c = len(CLASSES)
        p, q = x[:, :c] + 1e-6, y[:, :c] + 1e-6
        middle = np.log((p + q) / 2)
        divergence = ((p * (np.log(p) - middle)).sum(1) + (q * (np.log(q) - middle)).sum(1)) / 2
        inside = sum(np.sqrt(np.maximum(z[:, c + 1] - z[:, c] ** 2, 0)) for z in (x, y))
        step = border[:, 1] / border[:, 0]
        numbers = [
            np.sqrt(np.maximum(divergence, 0)),
            np.abs(p - q).sum(1) / 2,
            np.abs(x[:, c] - y[:, c]),
            step,
            step / (2 + inside),
            np.log(np.minimum(areas[one], areas[other])),
        ]
        return CONSTANT + np.stack(numbers, 1) @ np.array(COEFFICIENTS)


def _steps(plane: Array) -> Array:
    """Length of the gradient of a plane, per cell."""
    x, y = (cv2.Sobel(plane, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(x, y), np.float32)


def _blurred(plane: Array, std: float) -> Array:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), std), np.float32)


def _basins(steps: Array, probabilities: Array) -> NDArray[np.int64]:
    """Numbers of the smallest regions, (g, g), from 0: each holds one hollow of the steps."""
    from skimage.segmentation import watershed  # 0.3 s, which few need

    borders = np.stack([_steps(one) for one in probabilities]).sum(0)
    heights = _blurred(steps / 4 + 2 * borders, _BLUR)
    lowest = cv2.erode(heights, np.ones((_BASIN, _BASIN), np.uint8))
    _, hollows = cv2.connectedComponents((heights <= lowest + 1e-6).astype(np.uint8))
    return np.asarray(watershed(heights, hollows), np.int64) - 1


def _borders(regions: NDArray[np.int64], steps: Array) -> tuple[NDArray[np.int64], Numbers]:
    """Neighbors (p, 2), the smaller number first; and of each border, length and sum of steps."""
    pairs = np.concatenate(
        [np.stack([regions[i].ravel(), regions[j].ravel()], 1) for i, j in _NEIGHBORS]
    )
    high = np.concatenate([np.maximum(steps[i], steps[j]).ravel() for i, j in _NEIGHBORS])
    is_border = pairs[:, 0] != pairs[:, 1]
    unique, inverse = np.unique(np.sort(pairs[is_border], 1), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    sums = np.bincount(inverse, high[is_border])
    return unique, np.stack([np.bincount(inverse), sums], 1).astype(float)
