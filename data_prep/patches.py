"""A pack of patches: four squares of lightness of every large and sharp photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge.patches import LAYOUT, PATCHES_PER_PHOTO, SIDE
from colorflow.training.pixels import L_STEPS
from data_prep.arrays import Batch
from data_prep.photo_pack import PackKind
from data_prep.scan import read_pixels, reduced

_CANDIDATES = 3
"""Places that are compared for each patch."""


def patches_of(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Patches of a photo, (4, 128, 128) uint8, L* times 2.55.

    Of three random places, the one with the most contrast at half the resolution is taken: the sky
    teaches little. What the low resolution shows may decide; the details must not, since they are
    what is learned.

    Args:
        pixels: (H, W) or (H, W, 3), both sides at least 128 after `reduced`.
        rng: source of the random places.
    """
    lightness = lightness_of(reduced(pixels))
    height, width = lightness.shape
    found = []
    for _ in range(PATCHES_PER_PHOTO):
        places = [
            (int(rng.integers(height - SIDE + 1)), int(rng.integers(width - SIDE + 1)))
            for _ in range(_CANDIDATES)
        ]
        patches = [lightness[top : top + SIDE, left : left + SIDE] for top, left in places]
        found.append(max(patches, key=_contrast))
    return np.clip(np.round(np.stack(found) * L_STEPS), 0, 255).astype(np.uint8)


def _contrast(patch: NDArray[np.float32]) -> float:
    """Std of the steps between neighbors at half the resolution."""
    half = patch.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3))
    return float(np.diff(half, axis=0).std() + np.diff(half, axis=1).std())


class _Rows:
    """Computes the patches of photos; the places depend on the number of the photo."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __call__(self, rows: range) -> Batch:
        patches = [
            patches_of(read_pixels(self.files[row]), np.random.default_rng(row)) for row in rows
        ]
        return {"patches": torch.from_numpy(np.stack(patches))}


PATCHES = PackKind(layout=LAYOUT, rows=_Rows)
