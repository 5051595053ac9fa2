"""Boxes of a photo that networks work on, and what they see around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from colorflow.enlarge.tiles import noise_at
from colorflow.repair.network import CELL
from colorflow.repair.strips import Strips

Box: TypeAlias = tuple[slice, slice]
"""Rows and columns of a photo."""

STRIP_PIXELS = 1 << 19
"""Pixels of a strip that goes through the networks at once, about."""
_LEAST_ROWS = 64
BORDER = 64
"""Pixels by which a photo goes on beyond its sides, mirrored; a multiple of the largest cells. What
is beyond these is zero to the networks, as it is beyond the patches that they learned from."""


class Seen:
    """A box and the pixels around it, mirrored beyond the photo up to `BORDER`.

    Args:
        box: its first row and column are multiples of `multiple`.
        shape: (H, W) of the photo.
        margin: pixels around the box that what is made inside depends on.
        multiple: of it the numbers of all rows and columns are multiples.
    """

    def __init__(self, box: Box, shape: tuple[int, ...], margin: int, multiple: int) -> None:
        self.box, self._shape = box, shape
        margin = _up_to(margin, multiple)
        self.rows, self.columns = (
            range(
                max(-BORDER, side.start - margin),
                min(_up_to(length, multiple) + BORDER, _up_to(side.stop, multiple) + margin),
            )
            for side, length in zip(box, shape, strict=True)
        )

    def strips(self) -> Iterator[range]:
        """Rows of each strip, from top to bottom."""
        height = max(1, STRIP_PIXELS // (len(self.columns) * _LEAST_ROWS)) * _LEAST_ROWS
        for first in range(0, len(self.rows), height):
            yield self.rows[first : first + height]

    def part_of(self, plane: NDArray[Any], rows: range) -> NDArray[np.float32]:
        """Rows of a plane (H, W)."""
        places = []
        for side, length in zip((rows, self.columns), self._shape, strict=True):
            place = np.array(side) % (2 * length)
            places.append(np.minimum(place, 2 * length - 1 - place))
        return plane[np.ix_(*places)].astype(np.float32)

    def noise(self, seed: int, rows: range) -> NDArray[np.float32]:
        """Rows of standard normal noise, a function of seed and place."""
        rows_of_cells, columns = (
            slice(side.start // 2, side.stop // 2) for side in (rows, self.columns)
        )
        cells = noise_at(seed, 0, CELL, rows_of_cells, columns)
        return F.pixel_shuffle(cells, 2)[0, 0].numpy()

    def inside(self, strips: Strips) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows of the photo with what was made of them, (h, w), cut to the box.

        Args:
            strips: (1, 1, h, W) of all rows and columns.
        """
        (rows, columns), at = self.box, self.rows.start
        cut = slice(columns.start - self.columns.start, columns.stop - self.columns.start)
        for strip in strips:
            first, stop = max(at, rows.start), min(at + strip.shape[2], rows.stop)
            if first < stop:
                made = strip[0, 0, first - at : stop - at, cut]
                yield slice(first, stop), made.float().cpu().numpy()
            at += strip.shape[2]


def boxes_of(mask: NDArray[np.bool_], margin: int, multiple: int) -> list[Box]:
    """Boxes that hold all of a mask; halved where that saves margins.

    Args:
        mask: (H, W).
        margin: pixels that are seen around each box.
        multiple: of the first row and column of each: cells of all scales stay where they are.
    """
    whole = slice(0, mask.shape[0]), slice(0, mask.shape[1])
    return _halved(mask, whole, margin, multiple)


def _halved(mask: NDArray[np.bool_], part: Box, margin: int, multiple: int) -> list[Box]:
    box = narrowed(part, mask, multiple)
    if box is None:
        return []
    axis = max((0, 1), key=lambda one: box[one].stop - box[one].start)
    side = box[axis]
    middle = side.start + (side.stop - side.start) // 2 // multiple * multiple
    if side.stop - side.start <= margin or middle == side.start:
        return [box]
    boxes = []
    for half in (slice(side.start, middle), slice(middle, side.stop)):
        part = (half, box[1]) if axis == 0 else (box[0], half)
        boxes += _halved(mask, part, margin, multiple)

    def seen(boxes: list[Box]) -> int:
        sides = (np.array([x.stop - x.start for x in one]) + 2 * margin for one in boxes)
        return sum(int(x.prod()) for x in sides)

    return min([box], boxes, key=seen)


def narrowed(part: Box, mask: NDArray[np.bool_], multiple: int) -> Box | None:
    """The box that holds all of a mask that a part of it holds, if any."""
    sides = []
    for axis, side in enumerate(part):
        hidden = side.start + np.flatnonzero(mask[part].any(1 - axis))
        if not len(hidden):
            return None
        sides.append(slice(int(hidden[0]) // multiple * multiple, int(hidden[-1]) + 1))
    return sides[0], sides[1]


def _up_to(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
