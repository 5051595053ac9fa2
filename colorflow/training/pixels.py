"""The pixel pack: lightness and chroma of whole photos, seen anew at every step.

A pack is a folder that `python -m data_prep --pixels` writes:

    pixels.json     format, number of photos
    photos.csv      file, source, split, short_side, hash, mean_chroma
    lightness.npy   (N, 256, 256) uint8, L* times 2.55
    ab.npy          (N, 2, 64, 64) int8, CIELAB units

Every training row is a view of a photo: a random crop, mirrored half of the time, its lightness
degraded as old prints are in a third of the views. Features are computed as rows are read, so what
is trained may hold all of the feature network but its first blocks.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.color.degrade import degrade
from colorflow.color.grid import SQUARE_SIZE
from colorflow.errors import PackError
from colorflow.model.condition import CONDITION_GRID, Condition
from colorflow.model.features import LATE_BLOCKS_INPUT, Features

FORMAT = "colorflow-pixels-1"
L_STEPS = 2.55
"""Steps of the stored lightness a unit of L*."""
VIEWS = 64
"""Views of a training photo before they are the same again."""
DEGRADED_SHARE = 0.3
LEAST_AREA = 0.45
"""Of a crop, as a share of the photo."""
LARGEST_STRETCH = 0.2
"""Of a crop's sides, as the logarithm of a factor."""


class PixelPack:
    """Read access to a pixel pack, with the interface of `Pack`.

    Row r of N photos is photo r as it is; row N + r the same with degraded lightness; later rows
    are views of the training photos.

    Args:
        folder: the pack's folder.

    Raises:
        PackError: if the folder is not a pixel pack or is damaged.
    """

    finest_map = LATE_BLOCKS_INPUT

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read()
        self._features: Features | None = None

    def _read(self) -> None:
        path = self.folder / "pixels.json"
        if not path.is_file():
            raise PackError(
                f"{self.folder}: no pixel pack here; "
                f"make one with `python -m data_prep PHOTOS -o {self.folder} --pixels`"
            )
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            if info["format"] != FORMAT:
                raise ValueError(f"format {info['format']!r}, this version reads {FORMAT!r}")
            table = self.folder / "photos.csv"
            with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                photos = list(csv.DictReader(file))[: int(info["photos"])]
            self.dev = np.array([photo["split"] == "dev" for photo in photos])
            self._short_side = np.array([int(photo["short_side"]) for photo in photos])
            mean_chroma = np.array([float(photo["mean_chroma"]) for photo in photos])
            self.train_chroma: NDArray[np.float64] = mean_chroma[~self.dev]
            self.source = np.array([photo["source"] for photo in photos])
            self._lightness = np.load(self.folder / "lightness.npy", mmap_mode="r")
            self._ab = np.load(self.folder / "ab.npy", mmap_mode="r")
        except (OSError, EOFError, LookupError, ValueError, TypeError, csv.Error) as error:
            raise PackError(f"{self.folder}: the pack is damaged ({error}); make it again") from error
        if min(len(self._lightness), len(self._ab)) < len(photos):
            raise PackError(f"{self.folder}: arrays and photos.csv do not fit; make the pack again")

    def __len__(self) -> int:
        return len(self.dev)

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers: of all views for ``train``, or of one variant.

        Args:
            split: ``train`` or ``dev``.
            variant: ``whole``, ``whole_degraded``, or None for all.
            larger_than: keep photos whose short side in pixels exceeds this.
        """
        photos = np.flatnonzero((self.dev == (split == "dev")) & (self._short_side > larger_than))
        n = len(self)
        if variant is not None:
            return photos + n * ("whole", "whole_degraded").index(variant)
        first, last = (0, 2) if split == "dev" else (2, 2 + VIEWS)
        return np.concatenate([photos + n * view for view in range(first, last)])

    def batch(
        self, rows: NDArray[np.int64], maps: Sequence[int] = ()
    ) -> tuple[Tensor, Condition]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: ignored; the condition has the maps that the feature network's first blocks make.

        Returns:
            ab (B, 2, 64, 64) in CIELAB units, and the condition of each row, float32.
        """
        views = [self._view(int(row)) for row in rows]
        lightness = torch.from_numpy(np.stack([view[0] for view in views]))[:, None]
        self._features = self._features or Features()
        with torch.autocast("cpu", torch.bfloat16):
            features = self._features(lightness, coarsest=LATE_BLOCKS_INPUT)
        return torch.from_numpy(np.stack([view[1] for view in views])), Condition(
            lightness=F.avg_pool2d(lightness, SQUARE_SIZE // CONDITION_GRID),
            features={LATE_BLOCKS_INPUT: features[LATE_BLOCKS_INPUT].float()},
        )

    def _view(self, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        view, photo = divmod(row, len(self))
        lightness = self._lightness[photo].astype(np.float32) / L_STEPS
        ab = self._ab[photo].astype(np.float32)
        rng = np.random.default_rng([view, photo])
        if view >= 2:
            lightness, ab = _crop(lightness, ab, rng)
        if view == 1 or (view >= 2 and rng.random() < DEGRADED_SHARE):
            lightness = degrade(_rgb(lightness, ab), rng)
        return lightness, ab


def _crop(
    lightness: NDArray[np.float32], ab: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A random crop of both, brought back to their sizes, mirrored half of the time."""
    area = rng.uniform(LEAST_AREA, 1.0)
    stretch = np.exp(rng.uniform(-LARGEST_STRETCH, LARGEST_STRETCH))
    height, width = min(1.0, np.sqrt(area) * stretch), min(1.0, np.sqrt(area) / stretch)
    top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
    box = (top, left, height, width)
    cut = _resample(lightness, box), np.moveaxis(_resample(np.moveaxis(ab, 0, -1), box), -1, 0)
    if rng.random() < 0.5:
        cut = cut[0][:, ::-1], cut[1][..., ::-1]
    return np.ascontiguousarray(cut[0]), np.ascontiguousarray(cut[1])


def _resample(
    image: NDArray[np.float32], box: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """The part of an image (S, S, ...) that a box in [0, 1] holds, at the image's own size."""
    size = image.shape[0]
    top, left, height, width = box
    # Centers of pixels: x + 0.5 of the result is left * S + width * (x + 0.5) of the image.
    matrix = np.array(
        [
            [width, 0, left * size + width / 2 - 0.5],
            [0, height, top * size + height / 2 - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(
        np.ascontiguousarray(image), matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.float32)


def _rgb(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(256, 256, 3) uint8 sRGB of lightness and enlarged chroma, as film would see it."""
    chroma = cv2.resize(
        np.ascontiguousarray(np.moveaxis(ab, 0, -1)), (SQUARE_SIZE, SQUARE_SIZE),
        interpolation=cv2.INTER_LINEAR,
    )  # fmt: skip
    lab = np.dstack([lightness, chroma]).astype(np.float32)
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    return np.asarray(np.round(255 * rgb), np.uint8)


