"""The bed under prints: its color, which changes evenly over a scan, and its texture.

What lies along the edges of a scan says what the bed looks like. A quadratic function of the place
follows the light of a lamp across it; what is left is the texture, such as the grain of wood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Lab = NDArray[np.float32]

_FITS = 5
"""Rounds of fitting the bed's color to the share of the edges that it fits best."""
_LEAST_SPREAD = 1.0
"""CIELAB units that differ even on an even bed."""
SMOOTH = 1.2
"""Pixels (std) of the blur that takes the noise away."""


@dataclass(frozen=True, slots=True)
class Bed:
    """What a bed looks like.

    Attributes:
        color: (6, 3), CIELAB by the terms of the place: 1, x, y, x², y², xy, each from -1 to 1.
        whitening: (3, 3), which makes the texture's differences independent, and 1 on average.
        varied: how far its texture is from its color at the share of the edges that is the bed's.
    """

    color: NDArray[np.float64]
    whitening: NDArray[np.float64]
    varied: float

    def compared(self, lab: Lab) -> Lab:
        """How each place of a scan (H, W, 3) differs from the bed, in spreads of its texture."""
        height, width = lab.shape[:2]
        x, y = np.linspace(-1, 1, width)[:, None], np.linspace(-1, 1, height)
        one, of_x, of_y, of_xx, of_yy, of_xy = self.color
        along = np.stack([one + x * of_x + x**2 * of_xx, of_y + x * of_xy, of_yy + 0 * x])
        down = np.stack([np.ones_like(y), y, y**2], 1).astype(np.float32)
        color = (down @ along.reshape(3, -1).astype(np.float32)).reshape(lab.shape)
        offset = cv2.GaussianBlur(lab, (0, 0), SMOOTH) - color
        return np.asarray(cv2.transform(offset, self.whitening), np.float32)


def edges_of(picture: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """What lies along the upper, lower, left and right edge of a scan."""
    band = max(2, round(0.01 * max(picture.shape[:2])))
    return picture[:band], picture[-band:], picture[:, :band], picture[:, -band:]


def bed_of(edges: Sequence[Lab], share: float) -> Bed:
    """The bed that shows along the edges of a scan.

    Args:
        edges: what lies there, as of `edges_of`.
        share: how much of it is the bed's at least, since prints may lie over the rest.
    """
    colors, places = [], []
    for index, edge in enumerate(edges):
        line = cv2.GaussianBlur(edge, (0, 0), SMOOTH).mean(index // 2)
        along, across = np.linspace(-1, 1, len(line)), np.full(len(line), (-1.0, 1.0)[index % 2])
        colors.append(line)
        places.append((along, across) if index < 2 else (across, along))
    color = np.concatenate(colors).astype(np.float64)
    x, y = np.concatenate(places, axis=1)
    terms = np.stack([np.ones_like(x), x, y, x**2, y**2, x * y], 1)
    offset = color - np.median(color, 0)
    for _ in range(_FITS):
        distance = np.linalg.norm(offset, axis=1)
        fits = distance <= np.quantile(distance, share)
        fitted = np.linalg.lstsq(terms[fits], color[fits], rcond=None)[0]
        offset = color - terms @ fitted
    distance = np.linalg.norm(offset, axis=1)
    varied = float(np.quantile(distance, share))
    texture = offset[distance <= max(3 * np.median(distance), _LEAST_SPREAD)]
    spread = np.cov(texture.T) + _LEAST_SPREAD**2 * np.eye(3)
    return Bed(fitted, np.linalg.cholesky(np.linalg.inv(spread)).T, varied)
