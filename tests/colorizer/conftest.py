"""A Colorizer with small weights, photos, and the pyramid beside it to compare with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data

from colorflow.colorizer import Colorizer
from colorflow.model.config import HINT_PLANES
from colorflow.photo import Photo, photo_from_image
from tests.colorizer.made import ByHand
from tests.small_weights import FACTORS, save_small_weights


@pytest.fixture(scope="package")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They take hints and have interval factors."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    return save_small_weights(path, HINT_PLANES, FACTORS)


@pytest.fixture(scope="package")
def colorizer(weights: Path) -> Colorizer:
    return Colorizer.load(weights)


@pytest.fixture(scope="package")
def plain_colorizer(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """Its weights take no hints and have no interval factors."""
    path = tmp_path_factory.mktemp("weights") / "plain.safetensors"
    return Colorizer.load(save_small_weights(path))


@pytest.fixture(scope="package")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """Its weights have neither of the heads."""
    path = tmp_path_factory.mktemp("weights") / "headless.safetensors"
    return Colorizer.load(save_small_weights(path, mean_head=False, segmentation_head=False))


@pytest.fixture(scope="package")
def skinless(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """Its weights have no head for skin, and are those of `colorizer` otherwise."""
    path = tmp_path_factory.mktemp("weights") / "skinless.safetensors"
    return Colorizer.load(save_small_weights(path, HINT_PLANES, FACTORS, segmentation_head=False))


@pytest.fixture(scope="package")
def photo() -> Photo:
    """In color, though only its lightness counts where it is colored."""
    return photo_from_image(skimage.data.astronaut()[50:140, 100:230])


@pytest.fixture(scope="package")
def cup() -> Photo:
    return photo_from_image(skimage.data.coffee()[60:260, 150:400])


@pytest.fixture(scope="package")
def gray() -> Photo:
    rgb = skimage.data.coffee()[60:260, 150:400]
    return photo_from_image(
        np.round(255 * skimage.color.rgb2gray(rgb)).astype(np.uint8), "gray one"
    )


@pytest.fixture(scope="package")
def by_hand(weights: Path) -> ByHand:
    return ByHand(weights)
