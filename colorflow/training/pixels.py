"""The pack that colors are learned from: lightness and chroma of whole photos.

It is a folder that `python -m data_prep PHOTOS -o PACK` writes (`colorflow.training.pack`):

    pixels.json     format, number of photos, how many are filled
    photos.csv      the table of photos
    lightness.npy   (N, 256, 256) uint8, L* times 2.55
    ab.npy          (N, 2, 64, 64) int8, CIELAB units

Every training row is a view of a photo, made anew at every step: a random crop, mirrored half of
the time, with lightness degraded like old prints in three of ten views. The maps of the frozen
feature network are computed when rows are read, as far as they are wanted: the late blocks of a
model compute the coarse ones themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.degrade import degrade
from colorflow.color.grid import GRID_SIZE, SQUARE_SIZE, resize_by_area
from colorflow.device import has_bfloat16
from colorflow.errors import PackError
from colorflow.model.condition import LATE_BLOCKS_INPUT, Condition, Features, coarse_lightness
from colorflow.training.pack import EVALUATED_PHOTO_SIDE, Layout

LAYOUT = Layout(
    info="pixels.json",
    format="colorflow-pixels-1",
    arrays={
        "lightness": (np.uint8, (SQUARE_SIZE, SQUARE_SIZE)),
        "ab": (np.int8, (2, GRID_SIZE, GRID_SIZE)),
    },
)
L_STEPS = 2.55
"""Stored steps per unit of L*."""
PIXELS_AT_ONCE = 2**21
"""That pass the feature network together; they take 150 bytes each."""
VIEWS = 64
"""Different views of a training photo."""
DEGRADED_SHARE = 0.3
LEAST_AREA = 0.45
"""Smallest area of a crop, as a share of the photo."""
LARGEST_STRETCH = 0.2
"""Largest logarithm of the factor that stretches a crop's sides."""
WHOLE = ("whole", "whole_degraded")
"""Variants of every photo; the rows of these come before the views."""
_BLOW_UP_QUANTILE = 0.999


Array = NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Top, left, height and width of a part of a photo, as shares of it."""


class PixelPack:
    """Reads a finished or partly filled pack.

    Row r of N photos is the whole photo r, row N + r the same with degraded lightness; later rows
    are views of the training photos, which depend on the row number only.

    Args:
        folder: the pack's folder.

    Attributes:
        digest: digest of the filled photos and their split.
        train_chroma: mean chroma of the training photos, CIELAB units.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    layout: ClassVar[Layout] = LAYOUT
    side: ClassVar[int] = SQUARE_SIZE
    """Of the lightness of a row."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        photos, self._arrays = self.layout.open(folder)
        self._dev, self._short_side = photos.dev, photos.short_side
        self.train_chroma: NDArray[np.float64] = photos.mean_chroma[~photos.dev]
        self.digest = self.layout.digest(photos, photos.short_side)
        self._features: Features | None = None

    def __len__(self) -> int:
        """Number of photos."""
        return len(self._dev)

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, ascending.

        Args:
            split: ``train`` or ``dev``.
            variant: ``whole`` or ``whole_degraded``, or None for all views of training photos and
                both of dev photos.
            larger_than: keep photos whose short side in pixels exceeds this.
        """
        chosen = (self._dev == (split == "dev")) & (self._short_side > larger_than)
        if variant is not None:
            views = [WHOLE.index(variant)]
        else:
            views = [0, 1] if split == "dev" else list(range(len(WHOLE), len(WHOLE) + VIEWS))
        return np.concatenate([view * len(self) + np.flatnonzero(chosen) for view in views])

    def batch(
        self, rows: NDArray[np.int64], maps: Sequence[int] = (LATE_BLOCKS_INPUT,)
    ) -> tuple[Tensor, Condition]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: sides of the feature maps that are wanted; finer ones come with them.

        Returns:
            ab (B, 2, 64, 64) in CIELAB units, and the condition of each row, float32.
        """
        views = [self._view(int(row)) for row in rows]
        lightness, ab = (torch.from_numpy(np.stack(part)) for part in zip(*views, strict=True))
        return ab, self._condition(lightness[:, None], maps)

    def _condition(
        self,
        lightness: Tensor,
        maps: Sequence[int],
        seen: Tensor | None = None,
        planes: Tensor | None = None,
    ) -> Condition:
        """The condition of photos (B, 1, s, s); the network sees them, or what is `seen` instead.

        Args:
            lightness: L*.
            maps: sides of the feature maps that are wanted; finer ones come with them.
            seen: (B, 1 or 3, s, s): L*, or sRGB times 100.
            planes: (B, 3, 64, 64) of the condition, or None.
        """
        features = {}
        if maps:
            self._features = self._features or Features()
            shown = lightness if seen is None else seen
            features = frozen_maps(self._features, shown, min(maps))
        return Condition(lightness=coarse_lightness(lightness), features=features, planes=planes)

    def _stored(self, photo: int) -> tuple[Array, Array]:
        """Lightness (S, S) in L*, and ab (2, S/4, S/4) in CIELAB units, of a photo."""
        lightness = self._arrays["lightness"][photo].astype(np.float32) / L_STEPS
        return lightness, self._arrays["ab"][photo].astype(np.float32)

    def _view(self, row: int) -> tuple[Array, Array]:
        """Lightness, `side` squared, and ab (2, 64, 64) of a row."""
        view, photo = divmod(row, len(self))
        lightness, ab = self._stored(photo)
        rng = np.random.default_rng([view, photo])
        is_old = view == WHOLE.index("whole_degraded")
        if view >= len(WHOLE):
            box, mirrored = random_box(rng, rng.uniform(LEAST_AREA, 1.0)), rng.random() < 0.5
            lightness, ab = cut(lightness, ab, box, self.side, GRID_SIZE, mirrored=mirrored)
            is_old = rng.random() < DEGRADED_SHARE
        else:
            ab = np.stack([resize_by_area(plane, GRID_SIZE, GRID_SIZE) for plane in ab])
        return degrade(to_rgb(lightness, ab), rng, self.side) if is_old else lightness, ab


def frozen_maps(features: Features, photos: Tensor, coarsest: int) -> dict[int, Tensor]:
    """The maps of the frozen network, in bfloat16 where the CPU has it: twice as fast."""
    parts = photos.split(max(1, PIXELS_AT_ONCE // photos[0, 0].numel()))
    enabled = has_bfloat16(torch.device("cpu"))
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        maps = [features(part, coarsest=coarsest) for part in parts]
    return {grid: torch.cat([part[grid] for part in maps]).float() for grid in maps[0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingColors:
    """Statistics of the colors of the training photos.

    Attributes:
        mean_ab: the mean chroma of large photos, (a, b) in CIELAB units.
        blow_up_chroma: the 99.9th percentile of the photos' mean chroma, CIELAB units; a sample
            beyond it is a blow-up.
    """

    mean_ab: tuple[float, float]
    blow_up_chroma: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingColors:
        """Reads the result of `asdict`, or of files that call the limit `largest_chroma`."""
        a, b = values["mean_ab"]
        name = "blow_up_chroma" if "blow_up_chroma" in values else "largest_chroma"
        return cls(mean_ab=(a, b), blow_up_chroma=values[name])


def training_colors(pack: PixelPack) -> TrainingColors:
    """Measures the colors of a pack's training photos.

    Raises:
        PackError: if the pack has no large training photo.
    """
    rows = pack.rows("train", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    if len(rows) == 0:
        raise PackError(f"{pack.folder}: no large photo among train to measure colors on")
    means = [pack.batch(rows[i : i + 1], maps=())[0].mean((0, 2, 3)) for i in range(len(rows))]
    a, b = torch.stack(means).double().mean(0)
    blow_up_chroma = float(np.quantile(pack.train_chroma, _BLOW_UP_QUANTILE))
    return TrainingColors(mean_ab=(float(a), float(b)), blow_up_chroma=blow_up_chroma)


def cut(
    lightness: Array, cells: Array, box: Box, side: int, grid: int, *, mirrored: bool
) -> tuple[Array, Array]:
    """A part of a photo, resized, and mirrored if wanted.

    Args:
        lightness: (S, S).
        cells: (C, T, T) of the same photo, such as ab.
        box: the part.
        side: of its lightness.
        grid: side of its cells.
        mirrored: whether it is.

    Returns:
        (side, side) and (C, grid, grid).
    """
    own = resampled(cells.transpose(1, 2, 0), box, grid, mirrored=mirrored).transpose(2, 0, 1)
    return resampled(lightness, box, side, mirrored=mirrored), np.ascontiguousarray(own)


def random_box(rng: np.random.Generator, area: float) -> Box:
    """A part of a photo with this share of its area, somewhat stretched, anywhere.

    With a share above 1 the photo is anywhere in it.
    """
    stretch, most = np.exp(rng.uniform(-LARGEST_STRETCH, LARGEST_STRETCH)), max(1.0, np.sqrt(area))
    height, width = min(most, np.sqrt(area) * stretch), min(most, np.sqrt(area) / stretch)
    return (
        rng.uniform(*sorted((0, 1 - height))),
        rng.uniform(*sorted((0, 1 - width))),
        height,
        width,
    )


def resampled(image: Array, box: Box, side: int, *, mirrored: bool = False) -> Array:
    """A part of a square image (S, S, ...), resized to (side, side, ...), bilinear.

    A part that is larger than the image shows it several times.
    """
    top, left, height, width = box
    if max(height, width) > 1:
        n, reduced = math.ceil(max(height, width)) + 1, max(1, round(side / max(height, width)))
        small = cv2.resize(image, (reduced, reduced), interpolation=cv2.INTER_AREA)
        image = np.tile(small, (n, n, 1)[: image.ndim]).astype(np.float32)
        top, left = top % 1 / n, left % 1 / n
        height, width = height / n, width / n
    size = image.shape[0]
    step = size / side
    # Centers of pixels: x + 0.5 of the result lies at left * S + width * step * (x + 0.5) of the
    # image.
    matrix = np.array(
        [
            [width * step, 0, left * size + width * step / 2 - 0.5],
            [0, height * step, top * size + height * step / 2 - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    source, border = np.ascontiguousarray(image), cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(source, matrix, (side, side), flags=flags, borderMode=border)
    return np.ascontiguousarray(warped[:, ::-1] if mirrored else warped, np.float32)


def to_rgb(lightness: Array, ab: Array) -> NDArray[np.uint8]:
    """(s, s, 3) sRGB of lightness (s, s) and chroma of any grid, enlarged."""
    size, grid = lightness.shape[::-1], np.ascontiguousarray(ab.transpose(1, 2, 0))
    chroma = cv2.resize(grid, size, interpolation=cv2.INTER_LINEAR)
    lab = np.dstack([lightness, chroma]).astype(np.float32)
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    return np.asarray(np.round(255 * rgb), np.uint8)
