"""Networks over pictures of any size, strip by strip, with the numbers of one pass over all.

Each layer sees a strip together with the rows above that it still needs, and holds back the rows
that need the next strip. No margin is computed twice, and memory grows with the width alone.
Where little is to be made, boxes of the picture take its place.

Strips are (B, C, h, W), come from top to bottom, and have an even number of rows h, so that pooling
never splits a cell; the last one alone may have an odd number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.enlarge.tiles import noise_at

Strips: TypeAlias = Iterator[Tensor]
Box: TypeAlias = tuple[slice, slice]
"""Rows and columns of a photo."""
CELL = 4
"""Pixels of a cell."""
STRIP_PIXELS = 1 << 19
"""Pixels of a strip that goes through the networks at once, about."""
_LEAST_ROWS = 64
BORDER = 64
"""Pixels by which a photo goes on beyond its sides, mirrored; a multiple of the largest cells. What
is beyond these is zero to the networks, as it is beyond the patches that they learned from."""


def reach_of(module: nn.Module) -> int:
    """Rows, in each direction, that a row of a module's result depends on: those of a chain.

    Args:
        module: its convolutions follow each other; those of 1x1 beside them do not count.
    """
    kernels = (x.kernel_size for x in module.modules() if isinstance(x, nn.Conv2d))
    return sum(rows // 2 for rows, _ in kernels)


def mapped(layer: Callable[[Tensor], Tensor], reach: int, strips: Strips) -> Strips:
    """Applies a layer that keeps the number of rows.

    Args:
        layer: of (B, C, h, W); what is above and below the picture is its own affair.
        reach: rows, in each direction, that one row of its result depends on.
        strips: of what it is applied to.
    """
    kept, above = None, 0  # rows that are still needed, and how many of these have been made
    for strip in strips:
        kept = strip if kept is None else torch.cat([kept, strip], 2)
        del strip
        ready = (kept.shape[2] - reach - above) // 2 * 2
        if ready > 0:
            made = layer(kept)[:, :, above : above + ready]
            unneeded = max(0, above + ready - reach)
            kept, above = kept[:, :, unneeded:].clone(), above + ready - unneeded
            yield made
    if kept is not None and kept.shape[2] > above:
        yield layer(kept)[:, :, above:]


def remembered(strips: Strips, waiting: deque[Tensor]) -> Strips:
    """Puts each strip that is passed on into a queue, too, which `beside` empties."""
    for strip in strips:
        waiting.append(strip)
        yield strip


def beside(strips: Strips, waiting: deque[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs strips with the same rows of those that wait, which were there earlier."""
    for strip in strips:
        rows = strip.shape[2]
        parts = [waiting.popleft()]
        while sum(part.shape[2] for part in parts) < rows:
            parts.append(waiting.popleft())
        own = torch.cat(parts, 2) if len(parts) > 1 else parts[0]
        if own.shape[2] > rows:
            waiting.appendleft(own[:, :, rows:].clone())
        yield strip, own[:, :, :rows]


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
