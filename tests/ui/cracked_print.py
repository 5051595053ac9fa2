"""A cracked print on a scanner's bed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import data

from tests.test_scan import bed, laid
from tests.ui.handling import IMAGE_DESCRIPTION, SUBJECT

WIDTH, HEIGHT = 300, 220
SIDE = 420
"""Of a scan of one print."""
CRACK = ((40, 20), (120, 90), (110, 200))
"""(x, y) along it."""
SPOT = (220, 60)


def whole_print() -> np.ndarray:
    """(H, W), without any damage, and nowhere white."""
    return np.round(cv2.resize(data.camera(), (WIDTH, HEIGHT)) * 0.7).astype(np.uint8)


def cracked_print() -> np.ndarray:
    """The same with a white crack and a white spot."""
    cracked = cv2.polylines(whole_print(), [np.array(CRACK)], False, 255, 3)
    return np.asarray(cv2.circle(cracked, SPOT, 4, 255, cv2.FILLED))


def save_scan(path: Path, *tilts: float) -> list[np.ndarray]:
    """Write a scan of such a print for each tilt, in degrees, one beside the other.

    Returns:
        The corners of each, (4, 2).
    """
    scan = bed("black", SIDE, SIDE * len(tilts), np.random.default_rng(0))
    paper = cracked_print()[..., None].repeat(3, 2)
    corners = [
        laid(scan, paper, (SIDE * (index + 0.5), SIDE / 2), tilt, border=0)
        for index, tilt in enumerate(tilts)
    ]
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = SUBJECT
    image = Image.fromarray(scan[..., 0])
    image.save(path, quality=95, exif=exif, dpi=(600, 600))
    return corners
