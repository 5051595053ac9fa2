"""The teacher: marks the things in color photos, where nothing else does.

`colorflow train --part teacher` trains it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from colorflow.color.grid import resized, square_lightness, to_grid
from colorflow.model.condition import Condition, Features, coarse_lightness
from colorflow.model.heads import HEADS_SIZE, SegmentationHead
from colorflow.model.segmentation import CLASSES
from colorflow.model.weights import load_tensors, read_header
from colorflow.training.heads import TEACHER
from colorflow.training.large_pack import LABELS_SIDE
from colorflow.training.pixels import frozen_maps

PART, STARTS = 0.6, (0.0, 0.4)
"""Share of each side that a crop for the teacher has, and where crops begin."""


class Teacher:
    """Marks things in color photos, which it sees as a whole and in four crops.

    Args:
        path: of the weights that `TEACHER` writes.

    Raises:
        WeightsError: if they cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._head = SegmentationHead(sees_color=True)
        load_tensors(read_header(path, TEACHER.format), self._head)
        self._features = Features()

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How likely each class is, (18, 192, 192), of a photo (H, W, 3): the mean of all looks."""
        crops = [(0.0, 0.0, 1.0), *((top, left, PART) for top in STARTS for left in STARTS)]
        squares = [_square(pixels, *crop) for crop in crops]
        rgb = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float()
        ab = torch.from_numpy(np.stack([to_grid(square) for square in squares]))
        lightness = torch.from_numpy(np.stack([square_lightness(x, HEADS_SIZE) for x in squares]))
        condition = Condition(
            lightness=coarse_lightness(lightness[:, None]),
            features=frozen_maps(self._features, rgb * (100 / 255), 8),
            planes=F.pad(ab, (0, 0, 0, 0, 1, 0), value=1.0),
        )
        likely = self._head(condition)[0].softmax(1).numpy()
        found = np.zeros((len(CLASSES), LABELS_SIDE, LABELS_SIDE), np.float32)
        looks = np.zeros((LABELS_SIDE, LABELS_SIDE), np.float32)
        for (top, left, part), own in zip(crops, likely, strict=True):
            y, x, side = (round(LABELS_SIDE * value) for value in (top, left, part))
            here = np.s_[y : y + side, x : x + side]
            for plane, one in zip(found, own, strict=True):
                plane[here] += cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR)
            looks[here] += 1
        return found / looks


def _square(pixels: NDArray[np.uint8], top: float, left: float, part: float) -> NDArray[np.uint8]:
    """A part of a photo as (384, 384, 3)."""
    height, width = pixels.shape[:2]
    rows = slice(round(top * height), max(round((top + part) * height), 1))
    columns = slice(round(left * width), max(round((left + part) * width), 1))
    cut = pixels[rows, columns]
    cut = np.repeat(cut[..., None], 3, 2) if cut.ndim == 2 else cut
    return resized(np.ascontiguousarray(cut), HEADS_SIZE, HEADS_SIZE)
