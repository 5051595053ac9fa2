"""The pack of patches as repair learns from it: each patch is worn by a program.

A row is worn in one way, always the same, but a patch has so many rows that a run hardly sees one
twice. A finder learns from undamaged rows, too, and more often from patches with thin things in
them, which look like damage; what fills learns from rows with something to fill alone.
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

from colorflow.enlarge.patches import POSITIONS, PatchPack
from colorflow.repair.fill import first_guess
from colorflow.repair.network import RANGE, evidence
from colorflow.repair.wear import UNWORN, wear

WEARS = 4
"""Ways in which a training patch is worn, in each of its positions."""
_HARD_SHARE, _HARD_TIMES = 0.25, 3
"""Share of patches with the most thin things, and how many times more often a finder sees them."""
_THIN = 10.0
"""L* units by which a thin thing stands out."""
WIDEST_RIM = 3
"""Pixels by which a mask to fill is made wider, at most: a found mask is not exact."""


class WornPatches:
    """Reads a pack of patches (`PatchPack`), as the trainer wants it.

    Args:
        folder: the pack's folder.
        masked: whether every row has a mask; else `UNWORN` is the share of those without damage.

    Attributes:
        digest: digest of the filled photos, their split, and whether their rows are `masked`.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    def __init__(self, folder: Path, *, masked: bool) -> None:
        self._pack, self._masked = PatchPack(folder), masked
        self._is_hard = np.zeros(len(self._pack), bool)
        if not masked:
            upright = np.arange(len(self._pack))
            thin = [_thin(self._pack.batch(upright[i : i + 1])[0][0, 0].numpy()) for i in upright]
            self._is_hard = np.array(thin) >= np.quantile(thin, 1 - _HARD_SHARE)
        self.folder, self.digest = folder, self._pack.digest + ("-masked" if masked else "")

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, as of `PatchPack`."""
        rows = self._pack.rows(split, variant=variant, larger_than=larger_than)
        if split != "train" or variant is not None:
            return rows
        every, hard = POSITIONS * len(self._pack), rows[self._is_hard[rows % len(self._pack)]]
        worn = [rows + every * wear for wear in range(WEARS)]
        worn += [hard + every * wear for wear in range(WEARS, _HARD_TIMES * WEARS)]
        return np.concatenate(worn)

    def batch(self, rows: NDArray[np.int64], maps: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: of features, which patches do not have.

        Returns:
            (B, 1, H, W) L* without damage; and as planes (B, 4, H, W): L* with damage; how
            plain that is, 0 to 1; a mask to fill, 0 or 1; L* with a first guess inside this mask.
        """
        high, _ = self._pack.batch(rows)
        draw = _masked if self._masked else _worn
        read = [draw(one, int(row)) for one, row in zip(high[:, 0].numpy(), rows, strict=True)]
        targets, planes = (torch.from_numpy(np.stack(part)) for part in zip(*read, strict=True))
        return targets[:, None], planes


def _thin(lightness: NDArray[np.float32]) -> float:
    """Share of the pixels that are thinner than their surroundings and stand out."""
    return float((evidence(lightness)[1:5] > _THIN / RANGE).any(0).mean())


def _masked(lightness: NDArray[np.float32], row: int) -> tuple[NDArray[np.float32], ...]:
    """Drawn until something is hidden: damage may fall beside the patch, or not be seen."""
    drawn = (_worn(lightness, row, attempt, unworn=0.0) for attempt in count())
    return next((target, planes) for target, planes in drawn if planes[2].any())


def _worn(
    lightness: NDArray[np.float32], row: int, attempt: int = 0, unworn: float = UNWORN
) -> tuple[NDArray[np.float32], ...]:
    rng = np.random.default_rng([row, attempt])
    worn, unworn_print, damage = wear(lightness, rng, unworn)
    rim = int(rng.integers(1, WIDEST_RIM, endpoint=True))
    mask = (
        cv2.dilate((damage > 0).astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0
    )
    planes = [worn, damage, mask, first_guess(worn, mask)]
    return unworn_print, np.stack([plane.astype(np.float32) for plane in planes])
