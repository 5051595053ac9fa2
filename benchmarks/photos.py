"""Gray photos for the benchmarks, made from scikit-image's, and their pass through codecs alone."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from colorflow.limits import QUALITY

GRAIN = 4.0
"""Std of the noise, in steps of 255. It gives JPEG data the size of a real photo's."""


def size_of(megapixels: float) -> tuple[int, int]:
    """Width and height of a 4:3 photo, in pixels."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    return round(height * 4 / 3), height


def gray_photo(width: int, height: int, number: int = 0) -> NDArray[np.uint8]:
    """A different gray photo for each number: an enlarged, perhaps mirrored crop with grain."""
    rng = np.random.default_rng(number)
    whole = (skimage.data.coffee, skimage.data.astronaut, skimage.data.chelsea, skimage.data.rocket)
    picture = cv2.cvtColor(whole[number % len(whole)](), cv2.COLOR_RGB2GRAY)
    rows = round(picture.shape[0] * rng.uniform(0.7, 1))
    columns = min(picture.shape[1], round(rows * width / height))
    top = rng.integers(picture.shape[0] - rows + 1)
    left = rng.integers(picture.shape[1] - columns + 1)
    crop = picture[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    photo = cv2.resize(crop, (width, height), interpolation=cv2.INTER_CUBIC)
    for strip in np.array_split(photo, max(1, photo.size >> 20)):  # one strip in floats
        noise = GRAIN * rng.standard_normal(strip.shape, dtype=np.float32)
        strip[:] = np.clip(strip + noise, 0, 255)
    return photo


def save_gray(path: Path, photo: NDArray[np.uint8]) -> None:
    """Writes a gray file: JPEG of quality 95, or TIFF without compression."""
    options = {} if path.suffix == ".tif" else {"quality": QUALITY}
    Image.fromarray(photo).save(path, **options)


def codec_only(source: Path, colors: Image.Image, target: Path) -> None:
    """Decodes the gray file, and encodes colors of its size with the settings of results."""
    with Image.open(source) as gray:
        gray.load()
    colors.save(target, "JPEG", quality=QUALITY, subsampling=0)
