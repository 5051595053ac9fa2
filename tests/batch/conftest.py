"""Albums of small gray photos, and weights that cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from colorflow.colorizer import Colorizer
from tests.small_weights import save_small_weights

HEIGHT, WIDTH = 48, 64


def gray_pixels(number: int = 0) -> np.ndarray:
    """A piece of a photo in gray, each number another one."""
    top, left = 40 + 3 * number % 200, 100 + 7 * number % 200
    rgb = skimage.data.astronaut()[top : top + HEIGHT, left : left + WIDTH]
    return np.round(255 * skimage.color.rgb2gray(rgb)).astype(np.uint8)


@pytest.fixture
def save_photo() -> Callable[..., Path]:
    """Writes a gray photo, with the folders that it needs."""

    def save(path: Path, number: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(gray_pixels(number)).save(path)
        return path

    return save


@pytest.fixture
def album(tmp_path: Path, save_photo: Callable[..., Path]) -> Path:
    """A folder with two photos and a folder with one."""
    for number, name in enumerate(("a.jpg", "b.png", "inner/c.jpg")):
        save_photo(tmp_path / "album" / name, number)
    return tmp_path / "album"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="session")
def colorizer(weights: Path) -> Colorizer:
    return Colorizer.load(weights)
