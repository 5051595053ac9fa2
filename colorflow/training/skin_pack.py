"""The pack that skin is learned from: color photos with marks of where their skin is.

It is a folder that `python -m data_prep PHOTOS -o PACK --skin` writes (`colorflow.training.pack`):

    skin.json       format, number of photos, how many are filled
    photos.csv      the table of photos
    lightness.npy   (N, 384, 384) uint8, L* times 2.55
    ab.npy          (N, 2, 96, 96) int8, CIELAB units
    skin.npy        (N, 2, 96, 96) uint8, 255 times the share of skin, and how much the mark counts

Every training row is a view of a photo, made anew at every step: a random crop down to a tenth of
the photo, or the photo several times beside itself, so that faces have all sizes. Half of the views
for the student, who sees lightness alone, are degraded like old prints. Views for the teacher, who
sees color, have other exposures and casts instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.color.degrade import degrade
from colorflow.color.grid import GRID_SIZE, SQUARE_SIZE
from colorflow.model.condition import LATE_BLOCKS_INPUT, Condition, Features, coarse_lightness
from colorflow.training.pack import Layout
from colorflow.training.pixels import (
    L_STEPS,
    WHOLE,
    PixelPack,
    frozen_maps,
    random_box,
    resampled,
    to_rgb,
)

LIGHTNESS_SIDE, MARKS_SIDE = 384, 96
"""Sides of the stored squares, in pixels and in cells."""
LAYOUT = Layout(
    info="skin.json",
    format="colorflow-skin-1",
    option=" --skin",
    arrays={
        "lightness": (np.uint8, (LIGHTNESS_SIDE, LIGHTNESS_SIDE)),
        "ab": (np.int8, (2, MARKS_SIDE, MARKS_SIDE)),
        "skin": (np.uint8, (2, MARKS_SIDE, MARKS_SIDE)),
    },
)
LEAST_AREA, LARGEST_AREA = 0.1, 10.0
"""Smallest and largest area of a view, as a share of the photo. Above 1 the photo is seen several
times, and its people are small."""
DEGRADED_SHARE = 0.5

Array = NDArray[np.float32]


class SkinPack(PixelPack):
    """Reads a finished or partly filled pack, by rows as of `PixelPack`.

    Args:
        folder: the pack's folder.
        in_color: whether conditions are those of the photos in color, with their chroma as planes.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    layout = LAYOUT

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
            (B, 4, 64, 64): share of skin, how much it counts, and ab in CIELAB units; and the
            condition of each row, float32.
        """
        views = [self._view(int(row)) for row in rows]
        lightness = torch.from_numpy(np.stack([view[0] for view in views]))[:, None]
        target = torch.from_numpy(np.stack([view[1] for view in views]))
        planes = F.pad(target[:, 2:], (0, 0, 0, 0, 1, 0), value=1.0) if self.in_color else None
        seen = lightness
        self._features = self._features or Features()
        if self.in_color:
            seen = torch.from_numpy(np.stack([_seen_in_color(*view) for view in views]))
        condition = Condition(
            lightness=coarse_lightness(lightness),
            features=frozen_maps(self._features, seen, min(maps)),
            planes=planes,
        )
        return target, condition

    def _view(self, row: int) -> tuple[Array, Array]:
        """Lightness (256, 256), and share, weight and ab (4, 64, 64), of a row."""
        view, photo = divmod(row, len(self))
        lightness = self._arrays["lightness"][photo].astype(np.float32) / L_STEPS
        skin = self._arrays["skin"][photo].astype(np.float32) / 255
        target = np.concatenate([skin, self._arrays["ab"][photo].astype(np.float32)])
        rng = np.random.default_rng([view, photo])
        box, mirrored = (0.0, 0.0, 1.0, 1.0), False
        degraded = view == WHOLE.index("whole_degraded") and not self.in_color
        if view >= len(WHOLE):
            box = random_box(rng, np.exp(rng.uniform(np.log(LEAST_AREA), np.log(LARGEST_AREA))))
            mirrored = rng.random() < 0.5
            degraded = rng.random() < DEGRADED_SHARE and not self.in_color
        lightness = resampled(lightness, box, SQUARE_SIZE, mirrored=mirrored)
        cells = resampled(target.transpose(1, 2, 0), box, GRID_SIZE, mirrored=mirrored)
        target = np.ascontiguousarray(cells.transpose(2, 0, 1))
        if degraded:
            return degrade(to_rgb(lightness, target[2:]), rng), target
        if self.in_color and view >= len(WHOLE):
            return _recolored(lightness, target, rng)
        return lightness, target


def _recolored(lightness: Array, target: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Another exposure, another saturation, and a slight cast, so that no tone is rare."""
    exposed = 100 * (lightness / 100) ** np.exp(rng.uniform(-0.4, 0.6))
    a, b = target[2:] * rng.uniform(0.7, 1.2)
    turn = np.radians(rng.uniform(-8, 8))
    turned = np.stack([a * np.cos(turn) - b * np.sin(turn), a * np.sin(turn) + b * np.cos(turn)])
    cast = rng.normal(0, 2, (2, 1, 1))
    recolored = np.concatenate([target[:2], turned + cast])
    return exposed.astype(np.float32), recolored.astype(np.float32)


def _seen_in_color(lightness: Array, target: Array) -> Array:
    """(3, 256, 256) sRGB times 100."""
    rgb = to_rgb(lightness, target[2:]).transpose(2, 0, 1)
    return np.ascontiguousarray(rgb, np.float32) * (100 / 255)
