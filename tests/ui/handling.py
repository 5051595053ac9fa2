"""What tests of a desk share: to work on its wishes, and to read its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from colorflow.ui.desk import Desk
from colorflow.ui.work import run

SUBJECT = "Ada, 1931"
IMAGE_DESCRIPTION = 0x010E
"""EXIF tag."""


def fulfil(desk: Desk) -> None:
    """Work on all wishes of a desk."""
    while desk.wishes:
        for _ in run(desk, next(iter(desk.wishes))):
            pass


def file_of(desk: Desk) -> Path:
    """The last file that was made for the visitor."""
    assert desk.finished, desk.said
    return desk.finished.path


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)
