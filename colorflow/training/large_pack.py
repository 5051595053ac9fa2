"""The pack of large photos, which heads learn from, with labels of the things in them.

It is a folder that `python -m data_prep PHOTOS -o PACK --large` writes (`colorflow.training.pack`):

    large.json      format, number of photos, how many are filled
    photos.csv      the table of photos
    lightness.npy   (N, 384, 384) uint8, L* times 2.55
    ab.npy          (N, 2, 96, 96) int8, CIELAB units
    labels.npy      (N, 192, 192) uint32, the set of classes that may be there
                    (`colorflow.model.segmentation`); 0: nothing is known; and above its bits, 1 and
                    the label's value, which neighbors share that are one thing, or 0

Every training row of the heads of segmentation and skin is a view of a photo, made anew at every
step: a random crop, or the photo several times beside itself, so that things have all sizes. Half
of the views for the student, who sees lightness alone, are degraded like old prints. Views for the
teacher, who sees color, have other exposures and casts instead.

The mean head learns from the same photos at their size. The likeness head learns from pairs: a view
of a photo, whose lightness alone is seen, often of another exposure or like an old print, and a
reference in color: another view of the photo, mirrored and scaled at random, or now and then
another photo, which has little to say. Neither reads labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.color.degrade import degrade
from colorflow.color.grid import SQUARE_SIZE
from colorflow.model.condition import (
    CONDITION_GRID,
    LATE_BLOCKS_INPUT,
    LIGHTNESS_SIZE,
    PLANES_GRID,
    Condition,
)
from colorflow.model.heads import HEADS_SIZE
from colorflow.model.likeness import CELLS_GRID
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.segmentation import CLASSES
from colorflow.training.pack import Layout
from colorflow.training.pixels import (
    WHOLE,
    Array,
    Box,
    PixelPack,
    cut,
    random_box,
    resampled,
    to_rgb,
)

AB_SIDE, LABELS_SIDE = 96, CONDITION_GRID * HEADS_SIZE // LIGHTNESS_SIZE
"""Sides of the stored chroma and labels, in cells. Labels are on the grid of the head's classes."""
LAYOUT = Layout(
    info="large.json",
    format="colorflow-large-1",
    option=" --large",
    arrays={
        "lightness": (np.uint8, (HEADS_SIZE, HEADS_SIZE)),
        "ab": (np.int8, (2, AB_SIDE, AB_SIDE)),
        "labels": (np.uint32, (LABELS_SIDE, LABELS_SIDE)),
    },
)
LEAST_AREA, LARGEST_AREA = 0.15, 6.0
"""Smallest and largest area of a view, as a share of the photo. Above 1 the photo is seen several
times, and its people are small."""
WHOLE_SHARE, SMALLER_SHARE = 0.35, 0.12
"""Share of views of the photo as a whole, and of those of it several times."""
DEGRADED_SHARE = 0.5
LEAST_AREA_OF_PAIR = 0.3
DEGRADED_SHARE_OF_PAIR, CHANGED_SHARE_OF_PAIR = 0.3, 0.8
"""Share of views in pairs like old prints, and of those or of another exposure."""
OTHER_PHOTO = 0.25
"""Share of pairs whose reference is another photo."""


class LargePack(PixelPack):
    """The photos of such a pack at the size that heads see, by rows as of `PixelPack`, no labels.

    Args:
        folder: the pack's folder.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    layout = LAYOUT
    side = HEADS_SIZE


class LabeledPack(LargePack):
    """The same photos with labels of the things in them, by rows as of `PixelPack`.

    Args:
        folder: the pack's folder.
        in_color: whether conditions are those of the photos in color, with their chroma as planes.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    def __init__(self, folder: Path, *, in_color: bool = False) -> None:
        super().__init__(folder)
        self.in_color = in_color

    def batch(
        self, rows: NDArray[np.int64], maps: Sequence[int] = (LATE_BLOCKS_INPUT,)
    ) -> tuple[Tensor, Condition]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: sides of the feature maps that are wanted; finer ones come with them.

        Returns:
            (B, 4, 192, 192): the set of classes, the value, and ab in CIELAB units; and the
            condition of each row, float32.
        """
        views = [self._view(int(row)) for row in rows]
        lightness, target = (torch.from_numpy(np.stack(part)) for part in zip(*views, strict=True))
        seen = planes = None
        if self.in_color:
            seen = torch.from_numpy(np.stack([_seen_in_color(*view) for view in views]))
            ab = F.interpolate(target[:, 2:], (PLANES_GRID, PLANES_GRID), mode="area")
            planes = F.pad(ab, (0, 0, 0, 0, 1, 0), value=1.0)
        return target, self._condition(lightness[:, None], maps, seen, planes)

    def _view(self, row: int) -> tuple[Array, Array]:
        """Lightness (384, 384), and sets of classes, values and ab (4, 192, 192), of a row."""
        view, photo = divmod(row, len(self))
        rng = np.random.default_rng([view, photo])
        box, mirrored, is_old = (0.0, 0.0, 1.0, 1.0), False, view == WHOLE.index("whole_degraded")
        if view >= len(WHOLE):
            how, area = rng.random(), 1.0
            if how < SMALLER_SHARE:
                area = float(np.exp(rng.uniform(0, np.log(LARGEST_AREA))))
            elif how > SMALLER_SHARE + WHOLE_SHARE:
                area = float(np.exp(rng.uniform(np.log(LEAST_AREA), 0)))
            if area != 1:
                box = random_box(rng, area)
            mirrored = rng.random() < 0.5
            is_old = rng.random() < DEGRADED_SHARE
        lightness, ab = cut(*self._stored(photo), box, self.side, LABELS_SIDE, mirrored=mirrored)
        labels = _nearest(self._arrays["labels"][photo], box, mirrored=mirrored)
        if self.in_color:
            if view >= len(WHOLE):
                lightness, ab = _recolored(lightness, ab, rng)
        elif is_old:
            lightness = degrade(to_rgb(lightness, ab), rng, self.side)
        bits = len(CLASSES)
        parts = np.stack([labels & (1 << bits) - 1, labels >> bits]).astype(np.float32)
        return lightness, np.concatenate([parts, ab])


def _nearest(labels: NDArray[np.uint32], box: Box, *, mirrored: bool) -> NDArray[np.uint32]:
    """A part of a square of labels, on as many cells; what is beyond it is the photo again."""
    side = len(labels)
    centers = (np.arange(side) + 0.5) / side
    rows, columns = (
        ((start + length * centers) % 1 * side).astype(int) % side
        for start, length in (box[::2], box[1::2])
    )
    part = labels[rows][:, columns]
    return np.ascontiguousarray(part[:, ::-1] if mirrored else part)


def _recolored(lightness: Array, ab: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Another exposure, another saturation, and a slight cast, so that no tone is rare."""
    exposed = 100 * (lightness / 100) ** np.exp(rng.uniform(-0.4, 0.6))
    a, b = ab * rng.uniform(0.7, 1.2)
    turn = np.radians(rng.uniform(-8, 8))
    turned = np.stack([a * np.cos(turn) - b * np.sin(turn), a * np.sin(turn) + b * np.cos(turn)])
    return exposed.astype(np.float32), (turned + rng.normal(0, 2, (2, 1, 1))).astype(np.float32)


def _seen_in_color(lightness: Array, target: Array) -> Array:
    """(3, 384, 384) sRGB times 100."""
    rgb = to_rgb(lightness, target[2:]).transpose(2, 0, 1)
    return np.ascontiguousarray(rgb, np.float32) * (100 / 255)


class Pair(NamedTuple):
    """Conditions of B views and of their references, of the whole and of the large photo."""

    own: Condition
    own_large: Condition
    other: Condition
    other_large: Condition

    def to(self, device: torch.device) -> Pair:
        """The same on another device."""
        return Pair(*(one.to(device) for one in self))

    def refined(self, pyramid: ChromaPyramid) -> Pair:
        """The same with the maps of a model's late blocks."""
        return Pair(*(pyramid.refine(one) for one in self))


class PairPack(PixelPack):
    """Views of the photos of a pack, each with a reference; rows as of `PixelPack`.

    The pack is one of `python -m data_prep PHOTOS -o PACK --large`; labels are not read.

    Args:
        folder: the pack's folder.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    layout = LAYOUT

    def batch(  # type: ignore[override]
        self, rows: NDArray[np.int64], maps: Sequence[int] = ()
    ) -> tuple[Tensor, Pair]:
        """Reads the given rows, in the given order.

        Returns:
            ab of the views and of their references, (B, 2, 2, q, q) in CIELAB units; and their
            conditions.
        """
        views = [self._pair(int(row)) for row in rows]
        ab = torch.from_numpy(np.stack([np.stack([one[1] for one in pair]) for pair in views]))
        conditions = []
        for which in range(2):
            large = torch.from_numpy(np.stack([pair[which][0] for pair in views]))[:, None]
            conditions += [
                self._condition(lightness, (LATE_BLOCKS_INPUT,))
                for lightness in (F.avg_pool2d(large, 2), large)
            ]
        return ab, Pair(*conditions)

    def _pair(self, row: int) -> list[tuple[Array, Array]]:
        """Lightness (512, 512) and ab (2, 32, 32) of a view and of its reference."""
        view, photo = divmod(row, len(self))
        rng = np.random.default_rng([view, photo, 7])
        other = photo
        if rng.random() < OTHER_PHOTO:
            other = int(rng.choice(np.flatnonzero(self._dev == self._dev[photo])))
        return [
            self._seen(photo, rng, is_old=view != WHOLE.index("whole")),
            self._seen(other, rng, is_old=False),
        ]

    def _seen(self, photo: int, rng: np.random.Generator, *, is_old: bool) -> tuple[Array, Array]:
        box, mirrored = random_box(rng, rng.uniform(LEAST_AREA_OF_PAIR, 1)), rng.random() < 0.5
        large = 2 * SQUARE_SIZE
        seen, ab = cut(*self._stored(photo), box, large, CELLS_GRID, mirrored=mirrored)
        how = rng.random() if is_old else 1.0
        if how < DEGRADED_SHARE_OF_PAIR:
            square = F.avg_pool2d(torch.from_numpy(seen)[None], 2)[0].numpy()
            print_ = degrade(to_rgb(square, ab), rng)
            seen = resampled(print_, (0.0, 0.0, 1.0, 1.0), large)
        elif how < CHANGED_SHARE_OF_PAIR:
            black, white = rng.uniform(0, 8), rng.uniform(88, 100)
            curve = (seen / 100) ** np.exp(rng.uniform(-0.45, 0.45))
            seen = (black + (white - black) * curve).astype(np.float32)
        return seen, ab
