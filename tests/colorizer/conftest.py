"""A Colorizer with small weights, photos, and the pyramid beside it to compare with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.grid import square_lightness
from colorflow.colorizer import Colorizer, Hint
from colorflow.model.condition import Condition, Conditioner
from colorflow.model.config import HINT_PLANES
from colorflow.model.hints import hint_planes
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.photo import Photo, photo_from_image
from tests.small_weights import FACTORS, GAIN, save_small_weights


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
    return Colorizer.load(save_small_weights(path, mean_head=False, skin_head=False))


@pytest.fixture(scope="package")
def skinless(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """Its weights have no head for skin, and are those of `colorizer` otherwise."""
    path = tmp_path_factory.mktemp("weights") / "skinless.safetensors"
    return Colorizer.load(save_small_weights(path, HINT_PLANES, FACTORS, skin_head=False))


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
def pyramid(weights: Path) -> ChromaPyramid:
    return load_weights(weights).pyramid


@pytest.fixture(scope="package")
def condition_of() -> Callable[..., Condition]:
    """The pyramid's condition of a photo and of hints; heads also take it at a larger side."""
    conditioner = Conditioner()

    def of(photo: Photo, hints: tuple[Hint, ...] = (), side: int = 256) -> Condition:
        planes = hint_planes(hints, photo.height, photo.width)[None] if hints else None
        lightness = torch.from_numpy(square_lightness(photo.pixels, side))[None, None]
        return conditioner(lightness, planes)

    return of


@pytest.fixture(scope="package")
def encode(
    pyramid: ChromaPyramid, condition_of: Callable[..., Condition]
) -> Callable[..., list[Tensor]]:
    """Latents of chroma, (n, 2, 64, 64) or (2, 64, 64), by the pyramid itself."""

    @torch.no_grad()
    def of(photo: Photo, ab: NDArray[np.float32]) -> list[Tensor]:
        condition = condition_of(photo)
        each = torch.from_numpy(ab).reshape(-1, 1, 2, 64, 64)
        rows = [pyramid.encode(one, condition, GAIN) for one in each]
        return [torch.cat(level) for level in zip(*rows, strict=True)]

    return of
