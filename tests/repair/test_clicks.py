"""Clicks on drawn cracks that cross a face, with the shipped finder: a band, and no more."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import skimage.data

from colorflow.photo import photo_from_image
from colorflow.repair.places import touched
from colorflow.repair.repairer import Repairer

ROWS, COLUMNS = slice(0, 256), slice(90, 346)
"""The astronaut's head, hair and collar."""
PATH = np.array([(-5, 130), (60, 118), (120, 112), (170, 96), (220, 92), (261, 80)])
"""(x, y) of a crack through hair and face, in pixels of that."""


@pytest.fixture(scope="module")
def finder() -> Repairer:
    return Repairer.load(device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "width", "contrast"),
    [(1, 2, 90), (1, 3, -70), (1, 4, 45), (2, 3, -70), (2, 6, 20), (3, 4, 45)],
)
def test_a_click_takes_a_band_along_a_crack_that_crosses_a_face(
    finder: Repairer, scale: int, width: int, contrast: int
) -> None:
    """On the crack, and beside it; near the click most of what the finder sees is taken."""
    face = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)[ROWS, COLUMNS]
    size = scale * len(face)
    face = cv2.resize(face, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    crack = np.zeros(face.shape, np.uint8)
    for one, other in pairwise(PATH * scale):
        cv2.line(crack, one.tolist(), other.tolist(), 1, width * scale)
    drawn = cv2.GaussianBlur(crack.astype(np.float32), (0, 0), 0.6)
    worn = np.clip(face + contrast * drawn, 0, 255).astype(np.uint8)
    odds = finder.find(photo_from_image(worn))
    away = cv2.distanceTransform(1 - crack, cv2.DIST_L2, 5)
    for x, y in PATH[1:-1] * scale:
        for beside in (0.0, width * scale / 2 + size / 300):
            mask = touched(odds, [(float(x), y + beside)], size / 150)
            near = (crack > 0) & (np.hypot(*np.indices(crack.shape) - [[[y]], [[x]]]) < size / 12)
            assert mask.mean() < 0.06
            assert (mask & (away > width * scale + 6)).mean() < 0.005
            seen = odds[y - 3 : y + 4, x - 3 : x + 4].max() > -2
            assert not seen or mask[near].mean() > 0.65
