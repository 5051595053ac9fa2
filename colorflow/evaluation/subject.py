"""One photo of the folder, prepared for coloring and comparison.

All randomness about a photo comes from the seed and the photo's pixels. Its name, its position
among the others and the other measurements do not change its numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.degrade import degrade
from colorflow.color.grid import GRID_SIZE, resize_by_area, resized, square_lightness, to_grid
from colorflow.evaluation.metrics import PSNR_SIDE
from colorflow.model.condition import Condition, Conditioner
from colorflow.model.heads import HEADS_SIZE
from colorflow.photo import Kind, read_photo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A color photo with the model's inputs and the truth.

    Attributes:
        name: for messages.
        digest: of its pixels.
        pixels: (H, W, 3) uint8, sRGB.
        condition: input of a model, one photo.
        mirrored: the same for the mirrored photo.
        large: the same for the photo at the size that heads see.
        ab: (1, 2, 64, 64), the true chroma, CIELAB units.
        lightness: (64, 64), L* in [0, 100] on the grid of the chroma, never degraded.
        rgb: (3, 64, 64), the photo on that grid, sRGB in [0, 1].
        square: (256, 256, 3) uint8, the photo squashed to a square.
    """

    name: str
    digest: str
    pixels: NDArray[np.uint8]
    condition: Condition
    mirrored: Condition
    large: Condition
    ab: Tensor
    lightness: NDArray[np.float32]
    rgb: NDArray[np.float32]
    square: NDArray[np.uint8]

    def generator(self, seed: int, purpose: str) -> torch.Generator:
        """Makes the source of randomness for one purpose."""
        return torch.Generator().manual_seed(seed_for(self.digest, seed, purpose))


class NotColoredError(Exception):
    """A photo without colors, so there is no truth to compare with."""


def read_subject(path: Path, conditioner: Conditioner, seed: int, *, degraded: bool) -> Subject:
    """Reads a photo.

    Args:
        path: of the photo.
        conditioner: makes the model's inputs.
        seed: of the degradation.
        degraded: whether the model sees the lightness of an old, damaged print.

    Raises:
        PhotoError: if the file cannot be read.
        NotColoredError: if it is gray or tinted.
    """
    photo = read_photo(path, isolated=True)
    if photo.kind is not Kind.COLORED:
        raise NotColoredError(f"is {photo.kind}, not colored")
    pixels = photo.pixels
    digest = digest_of(pixels)
    if degraded:
        seen = degrade(pixels, np.random.default_rng(seed_for(digest, seed, "degrade")))
        large = resize_by_area(seen, HEADS_SIZE, HEADS_SIZE)
    else:
        seen = square_lightness(pixels)
        large = square_lightness(pixels, HEADS_SIZE)
    small = resize_by_area(pixels, GRID_SIZE, GRID_SIZE) / 255
    lightness = torch.from_numpy(seen)[None, None]
    return Subject(
        name=str(path),
        digest=digest,
        pixels=pixels,
        condition=conditioner(lightness),
        mirrored=conditioner(lightness.flip(-1)),
        large=conditioner(torch.from_numpy(large)[None, None]),
        ab=torch.from_numpy(to_grid(pixels))[None],
        lightness=square_lightness(pixels, GRID_SIZE),
        rgb=np.moveaxis(small, -1, 0).astype(np.float32),
        square=resized(pixels, PSNR_SIDE, PSNR_SIDE),
    )


def digest_of(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of a picture's size and pixels, hexadecimal."""
    hashed = hashlib.sha256(np.array(pixels.shape, "<i8").tobytes())
    hashed.update(pixels.data)
    return hashed.hexdigest()


def seed_for(digest: str, seed: int, purpose: str) -> int:
    """Derives a seed of 63 bits from a photo, a seed and a purpose."""
    mixed = hashlib.sha256(f"{seed} {purpose} {digest}".encode())
    return int.from_bytes(mixed.digest()[:8], "little") >> 1
