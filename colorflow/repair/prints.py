"""The pack that repair learns from: squares of photos, of which each row makes a worn print.

A pack is a folder that `python -m data_prep PHOTOS -o PACK --prints` writes:

    prints.json    format, number of photos, how many are filled
    photos.csv     as in every pack, one photo a line
    squares.npy    (N, 2, 320, 320) uint8, L* times 2.55: two squares of each photo
    marks.npy      (N, 2, 320, 320) uint8: 0 unmarked, 1 sound, 2 damaged, 3 unsure

A row is a view of a square, a part of it at some size, mirrored or turned, and worn by a program.
It is always the same, but a square has so many rows that a run hardly sees one twice. A finder
learns from undamaged rows, too, and more often from squares with thin things in them, which look
like damage; what fills learns from rows with something to fill alone.

Real damage is another thing than drawn damage. On squares of old prints it is marked: a finder
learns from these as they are, a quarter of its rows, and from other squares with the marked damage
laid over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.repair.aging import blurred, scanned
from colorflow.repair.fill import first_guess
from colorflow.repair.network import top_hats
from colorflow.repair.wear import UNWORN, scratch, wear
from colorflow.training.pack import Layout
from colorflow.training.pixels import L_STEPS

SIDE = 320
SQUARES_PER_PHOTO = 2
LAYOUT = Layout(
    info="prints.json",
    format="colorflow-prints-2",
    option=" --prints",
    arrays={name: (np.uint8, (SQUARES_PER_PHOTO, SIDE, SIDE)) for name in ("squares", "marks")},
)
UNMARKED, SOUND, DAMAGED, UNSURE = range(4)
"""What marks are."""
_PLAIN = np.array([0.0, 0.0, 1.0, 0.5], np.float32)
"""How plain marked damage is; a half counts for nothing."""
_MARKED_SHARE, _LAID_SHARE, _SHARP_SHARE = 0.25, 0.2, 0.45
"""Of a finder's rows: marked squares; of the others: those that have marked damage over them; of
the rest: sharp ones with scratches."""
VIEW_SIDE = 288
"""Pixels, a multiple of what the networks ask for."""
_LARGEST, _ENLARGED = 1.6, 0.35
"""Of views: how many times they are enlarged at most, and how many are."""
VIEWS = 128
"""Of a square."""
_HARD_SHARE, _HARD_TIMES = 0.25, 3
"""Share of squares with the most thin things, and how many times more often a finder sees them."""
_THIN = 10.0
"""L* units by which a thin thing stands out."""
WIDEST_RIM = 3
"""Pixels by which a mask to fill is made wider, at most: a found mask is not exact."""

Lightness = NDArray[np.float32]


class WornPrints:
    """Reads a finished or partly filled pack of squares, as the trainer wants it.

    With P squares, row r is a view of the square r % P.

    Args:
        folder: the pack's folder.
        masked: whether every row has a mask; else `UNWORN` is the share of those without damage.

    Attributes:
        digest: digest of the filled photos, their split, and whether their rows are `masked`.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    def __init__(self, folder: Path, *, masked: bool) -> None:
        photos, arrays = LAYOUT.open(folder)
        self._squares, self._masked = arrays["squares"], masked
        self._dev = np.repeat(photos.dev, SQUARES_PER_PHOTO)
        self._marks = arrays["marks"]
        largest = [int(self._of(self._marks, row).max()) for row in range(len(self._dev))]
        self._is_marked = np.array(largest) > UNMARKED
        self._damaged = [
            row
            for row in map(int, np.flatnonzero(self._is_marked & ~self._dev))
            if (self._of(self._marks, row) == DAMAGED).any()
        ]
        self._is_hard = np.zeros(len(self._dev), bool)
        if not masked:
            thin = [_thin(self._square(row)) for row in range(len(self._dev))]
            self._is_hard = np.array(thin) >= np.quantile(thin, 1 - _HARD_SHARE)
        self.folder = folder
        self.digest = LAYOUT.digest(photos, self._is_marked) + ("-masked" if masked else "")

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers.

        Args:
            split: ``train`` or ``dev``.
            variant: ``whole`` for one view of each square, None for all views of training squares;
                there is no other.
            larger_than: in pixels; squares at least as large as this are all there are.
        """
        if variant not in (None, "whole") or larger_than > SIDE:
            return np.zeros(0, np.int64)
        squares = np.flatnonzero(self._dev == (split == "dev"))
        if self._masked:  # nobody knows what marked damage hides
            squares = squares[~self._is_marked[squares]]
        if split != "train" or variant is not None:
            return squares
        every, marked = len(self._dev), squares[self._is_marked[squares]]
        others = squares[~self._is_marked[squares]]
        hard = others[self._is_hard[others]]
        views = [others + every * view for view in range(VIEWS)]
        views += [hard + every * view for view in range(VIEWS, _HARD_TIMES * VIEWS)]
        if len(marked):
            wanted = sum(map(len, views)) * _MARKED_SHARE / (1 - _MARKED_SHARE)
            times = max(VIEWS, round(wanted / len(marked)))
            views += [marked + every * view for view in range(times)]
        return np.concatenate(views)

    def batch(self, rows: NDArray[np.int64], maps: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: of features, which prints do not have.

        Returns:
            (B, 1, H, W) L* without damage; and as planes (B, 4, H, W): L* with damage; how
            plain that is, 0 to 1; a mask to fill, 0 or 1; L* with a first guess inside this mask.
        """
        read = [self._read(int(row)) for row in rows]
        targets, planes = (torch.from_numpy(np.stack(part)) for part in zip(*read, strict=True))
        return targets[:, None], planes

    def _square(self, row: int) -> Lightness:
        return np.asarray(self._of(self._squares, row).astype(np.float32) / np.float32(L_STEPS))

    def _of(self, array: NDArray[np.generic], row: int) -> NDArray[np.generic]:
        photo, number = divmod(row % len(self._dev), SQUARES_PER_PHOTO)
        return np.asarray(array[photo, number])

    def _view(self, row: int, rng: np.random.Generator) -> tuple[Lightness, Lightness]:
        """A part of a square, and how plain its marked damage is, (`VIEW_SIDE`, `VIEW_SIDE`)."""
        times = rng.uniform(VIEW_SIDE / SIDE, _LARGEST) if rng.random() < _ENLARGED else 1.0
        side = min(SIDE, round(VIEW_SIDE / times))
        (top, left), turns = rng.integers(SIDE - side + 1, size=2), int(rng.integers(4))
        parts, flip = [], -1 if rng.random() < 0.5 else 1
        for square in (self._square(row), _PLAIN[self._of(self._marks, row)]):
            part = np.rot90(square[top : top + side, left : left + side], turns)
            parts.append(np.ascontiguousarray(part[:, ::flip]))
        if side != VIEW_SIDE:
            hows = (cv2.INTER_AREA if side > VIEW_SIDE else cv2.INTER_CUBIC, cv2.INTER_LINEAR)
            size = (VIEW_SIDE, VIEW_SIDE)
            parts = [cv2.resize(x, size, interpolation=h) for x, h in zip(parts, hows, strict=True)]
        return np.clip(parts[0], 0, 100), parts[1]

    def _read(self, row: int) -> tuple[NDArray[np.float32], ...]:
        """Where something is to be filled, the first view with damage that is seen."""
        for attempt in count():
            rng = np.random.default_rng([row, attempt])
            view, plain = self._view(row, rng)
            if self._is_marked[row % len(self._dev)]:
                return _planes(scanned(view, rng), view, plain, rng)
            if self._masked:
                worn, clean, plain = wear(view, rng, 0.0)
            elif rng.random() < _LAID_SHARE and (laid := self._laid(rng)):
                worn, clean, plain = wear(view, rng, UNWORN, laid)
            elif rng.random() < _SHARP_SHARE:
                worn, clean, plain = scratch(view, rng)
            else:
                worn, clean, plain = wear(view, rng, UNWORN)
            if plain.any() or not self._masked:
                return _planes(worn, clean, plain, rng)
        raise AssertionError("attempts have an end")

    def _laid(self, rng: np.random.Generator) -> tuple[Lightness, Lightness] | None:
        """Damage of another print: how much it covers, 0 to 1, and its L*."""
        if not self._damaged:
            return None
        view, plain = self._view(int(rng.choice(self._damaged)), rng)
        covers = blurred(np.asarray(plain > 0.5, np.float32), 0.7) * rng.uniform(0.7, 1.0)
        value = view if rng.random() < 0.75 else 100 - view
        return np.asarray(covers, np.float32), value


def _thin(lightness: Lightness) -> float:
    """Share of the pixels that are thinner than their surroundings and stand out."""
    return float((top_hats(lightness)[:4] > _THIN).any(0).mean())


def _planes(
    worn: Lightness, clean: Lightness, plain: Lightness, rng: np.random.Generator
) -> tuple[NDArray[np.float32], ...]:
    rim = int(rng.integers(1, WIDEST_RIM, endpoint=True))
    square = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    mask = cv2.dilate((plain > 0).astype(np.uint8), square) > 0
    planes = [worn, plain, mask, first_guess(worn, mask)]
    return clean, np.stack([plane.astype(np.float32) for plane in planes])
