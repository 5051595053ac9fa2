"""The pack of patches: sharp lightness in squares, from which the doublings learn.

A pack is a folder that `python -m data_prep PHOTOS -o PACK --patches` writes:

    patches.json    format, number of photos, how many are filled
    photos.csv      as in every pack, one photo a line
    patches.npy     (N, 4, 128, 128) uint8, L* times 2.55: four patches of each photo

Every training row is a patch in one of eight positions (mirrored and turned). The low resolution is
its area average. For a doubling that restores it is damaged: blurred, noisy and compressed, as
scans and the web make small pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.training.pack import Layout
from colorflow.training.pixels import L_STEPS

SIDE = 128
PATCHES_PER_PHOTO = 4
LAYOUT = Layout(
    info="patches.json",
    format="colorflow-patches-1",
    option=" --patches",
    arrays={"patches": (np.uint8, (PATCHES_PER_PHOTO, SIDE, SIDE))},
)
POSITIONS = 8
"""Mirrored or not, times four quarter turns."""

DAMAGE_SHARE = 0.75
"""Probability of each damage."""
LARGEST_BLUR = 1.2
"""Std of the blur in pixels."""
LARGEST_NOISE = 6.0
"""Std of the noise in L* units."""
JPEG_QUALITY = (30, 95)

Damage = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]
"""From lightness (H, W), L* in [0, 100], to what is left of it."""


class PatchPack:
    """Reads a finished or partly filled pack of patches, as the trainer wants it.

    With P patches, row r is the patch r % P in position r // P % 8.

    Args:
        folder: the pack's folder.
        reduced: how many times each patch is halved first; 1 gives a doubling coarser patches.
        damage: done to the low resolution.

    Attributes:
        digest: digest of the filled photos and their split.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    def __init__(self, folder: Path, *, reduced: int = 0, damage: Damage | None = None) -> None:
        self.folder, self._reduced, self._damage = folder, reduced, damage
        photos, arrays = LAYOUT.open(folder)
        self._patches = arrays["patches"]
        self._dev = np.repeat(photos.dev, PATCHES_PER_PHOTO)
        self.digest = LAYOUT.digest(photos)

    def __len__(self) -> int:
        """Number of patches."""
        return len(self._dev)

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, ascending.

        Args:
            split: ``train`` or ``dev``.
            variant: ``whole`` for upright patches, None for all positions of training patches;
                there is no other.
            larger_than: in pixels; patches at least as large as this are all there are.
        """
        if variant not in (None, "whole") or larger_than > SIDE:
            return np.zeros(0, np.int64)
        patches = np.flatnonzero(self._dev == (split == "dev"))
        positions = POSITIONS if variant is None and split == "train" else 1
        return np.concatenate([turn * len(self) + patches for turn in range(positions)])

    def batch(self, rows: NDArray[np.int64], maps: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: of features, which patches do not have.

        Returns:
            (B, 1, S, S) L*, with S = 128 or what `reduced` makes of it, and its low resolution
            (B, 1, S/2, S/2).
        """
        high = torch.from_numpy(np.stack([self._patch(int(row)) for row in rows]))[:, None]
        high = F.avg_pool2d(high, 2**self._reduced)
        low = F.avg_pool2d(high, 2)
        if self._damage is not None:
            damaged = [
                self._damage(one, np.random.default_rng(int(row)))
                for one, row in zip(low[:, 0].numpy(), rows, strict=True)
            ]
            low = torch.from_numpy(np.stack(damaged))[:, None]
        return high, low

    def _patch(self, row: int) -> NDArray[np.float32]:
        position, index = divmod(row, len(self))
        position %= POSITIONS
        photo, number = divmod(index, PATCHES_PER_PHOTO)
        patch = np.rot90(self._patches[photo, number].astype(np.float32) / L_STEPS, position % 4)
        return np.ascontiguousarray(patch[:, ::-1] if position >= 4 else patch)


def damage(lightness: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Blurs lightness, adds noise, and compresses it, each with probability `DAMAGE_SHARE`.

    Args:
        lightness: (H, W) L* in [0, 100].
        rng: source of the random choices.

    Returns:
        (H, W) float32 in [0, 100], in steps of 8 bits.
    """
    if rng.random() < DAMAGE_SHARE:
        sigma = rng.uniform(0.2, LARGEST_BLUR)
        lightness = _blurred(lightness, sigma)
    if rng.random() < DAMAGE_SHARE:
        lightness = lightness + rng.uniform(0, LARGEST_NOISE) * _grain(lightness.shape, rng)
    levels = np.clip(np.round(lightness * L_STEPS), 0, 255).astype(np.uint8)
    if rng.random() < DAMAGE_SHARE:
        quality = int(rng.integers(*JPEG_QUALITY, endpoint=True))
        _, file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        levels = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
    return levels.astype(np.float32) / np.float32(L_STEPS)


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of std 1: of single pixels, or of grains that are a little larger."""
    noise = rng.standard_normal(shape, np.float32)
    if rng.random() < 0.5:
        noise = _blurred(noise, rng.uniform(0.3, 0.8))
        noise /= max(float(noise.std()), 1e-6)
    return noise


def _blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32
    )
