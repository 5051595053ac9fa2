"""The pack that repair learns from: squares of photos, of which each row makes a worn print.

A pack is a folder that `python -m data_prep PHOTOS -o PACK --prints` writes:

    prints.json    format, number of photos, how many are filled
    photos.csv     as in every pack, one photo a line
    squares.npy    (N, 2, 320, 320) uint8, L* times 2.55: two squares of each photo

A row is a view of a square, a part of it at some size, mirrored or turned, and worn by a program.
It is always the same, but a square has so many rows that a run hardly sees one twice. A finder
learns from undamaged rows, too, and more often from squares with thin things in them, which look
like damage; what fills learns from rows with something to fill alone.
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

from colorflow.repair.fill import first_guess
from colorflow.repair.network import RANGE, evidence
from colorflow.repair.wear import UNWORN, wear
from colorflow.training.pack import Layout
from colorflow.training.pixels import L_STEPS

SIDE = 320
SQUARES_PER_PHOTO = 2
LAYOUT = Layout(
    info="prints.json",
    format="colorflow-prints-1",
    option=" --prints",
    arrays={"squares": (np.uint8, (SQUARES_PER_PHOTO, SIDE, SIDE))},
)
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
        self._is_hard = np.zeros(len(self._dev), bool)
        if not masked:
            thin = [_thin(self._square(row)) for row in range(len(self._dev))]
            self._is_hard = np.array(thin) >= np.quantile(thin, 1 - _HARD_SHARE)
        self.folder, self.digest = folder, LAYOUT.digest(photos) + ("-masked" if masked else "")

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
        if split != "train" or variant is not None:
            return squares
        every, hard = len(self._dev), squares[self._is_hard[squares]]
        views = [squares + every * view for view in range(VIEWS)]
        views += [hard + every * view for view in range(VIEWS, _HARD_TIMES * VIEWS)]
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
        photo, number = divmod(row % len(self._dev), SQUARES_PER_PHOTO)
        return np.asarray(self._squares[photo, number].astype(np.float32) / np.float32(L_STEPS))

    def _read(self, row: int) -> tuple[NDArray[np.float32], ...]:
        """Where something is to be filled, the first view with damage that is seen."""
        for attempt in count():
            rng = np.random.default_rng([row, attempt])
            target, planes = _worn(
                _view(self._square(row), rng), rng, 0.0 if self._masked else UNWORN
            )
            if planes[2].any() or not self._masked:
                return target, planes
        raise AssertionError("attempts have an end")


def _view(square: Lightness, rng: np.random.Generator) -> Lightness:
    """A part of a square, (`VIEW_SIDE`, `VIEW_SIDE`)."""
    times = rng.uniform(VIEW_SIDE / SIDE, _LARGEST) if rng.random() < _ENLARGED else 1.0
    side = min(SIDE, round(VIEW_SIDE / times))
    top, left = rng.integers(SIDE - side + 1, size=2)
    view = np.rot90(square[top : top + side, left : left + side], int(rng.integers(4)))
    view = np.ascontiguousarray(view[:, ::-1] if rng.random() < 0.5 else view)
    if side == VIEW_SIDE:
        return view
    how = cv2.INTER_AREA if side > VIEW_SIDE else cv2.INTER_CUBIC
    resized = cv2.resize(view, (VIEW_SIDE, VIEW_SIDE), interpolation=how)
    return np.clip(resized, 0, 100).astype(np.float32)


def _thin(lightness: Lightness) -> float:
    """Share of the pixels that are thinner than their surroundings and stand out."""
    return float((evidence(lightness)[1:5] > _THIN / RANGE).any(0).mean())


def _worn(
    lightness: Lightness, rng: np.random.Generator, unworn: float
) -> tuple[NDArray[np.float32], ...]:
    worn, unworn_print, damage = wear(lightness, rng, unworn)
    rim = int(rng.integers(1, WIDEST_RIM, endpoint=True))
    mask = (
        cv2.dilate((damage > 0).astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0
    )
    planes = [worn, damage, mask, first_guess(worn, mask)]
    return unworn_print, np.stack([plane.astype(np.float32) for plane in planes])
