"""What a doubling learns: the density of sharp patches, given their low resolution."""

from __future__ import annotations

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.enlarge.model import DEQUANTIZATION_STD

PREVIEW_TEMPERATURES = (0.0, 0.8, 1.0)


class ConditionalPhotos(Protocol):
    """A density of photos given their low resolution, such as `DetailModel`."""

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes the fixed statistics from training patches."""

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Photos (B, 1, 2H, 2W) of a low resolution (B, 1, H, W)."""


class DetailObjective:
    """Maximum likelihood of patches with noise; an `Objective` of the trainer.

    Args:
        name: of what is trained, in messages and as the folder's name.
        numbers: modeled numbers per pixel of low resolution; the loss counts bits per number.
    """

    unit = "bits/dim"
    stream = 200
    maps = ()
    small_photo_side = 0

    def __init__(self, name: str, numbers: int) -> None:
        self.name = self.folder = name
        self.numbers = numbers

    def fit(self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /) -> None:
        """Sets the statistics of the modeled numbers."""
        cast(ConditionalPhotos, module).fit(noisy(high, noise), low)

    def loss(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Negative log-likelihood in bits per modeled number, density per L* unit, (B,)."""
        log_prob: Tensor = module(noisy(high, noise), low)
        return -log_prob / (self.numbers * low[0].numel() * math.log(2))

    def preview(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Low resolution, truth, and samples with the temperatures of `PREVIEW_TEMPERATURES`."""
        return preview(module, high, low, noise)

    def paint(self, low: Tensor, shown: Tensor, /) -> Tensor:
        """(B, N, 1, H, W) L* -> (B * N, 3, H, W) sRGB in [0, 1]."""
        return gray_pictures(shown)


class MeanObjective:
    """Squared error of a mean; an `Objective` of the trainer.

    Args:
        name: of what is trained, in messages and as the folder's name.
    """

    unit = "squared L* units"
    stream = DetailObjective.stream
    maps = ()
    small_photo_side = 0

    def __init__(self, name: str) -> None:
        self.name = self.folder = name

    def fit(self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /) -> None:
        """Takes the linear prediction."""
        cast(ConditionalPhotos, module).fit(high, low)

    def loss(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Mean squared error of the modeled numbers, (B,)."""
        error: Tensor = module(high, low)
        return error

    def preview(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Low resolution, truth, and the result."""
        return preview(module, high, low, noise)[:, :3]

    def paint(self, low: Tensor, shown: Tensor, /) -> Tensor:
        """(B, N, 1, H, W) L* -> (B * N, 3, H, W) sRGB in [0, 1]."""
        return gray_pictures(shown)


def preview(module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator) -> Tensor:
    """Low resolution, truth, and samples, (B, N, 1, H, W) L*."""
    model = cast(ConditionalPhotos, module)
    samples = [model.sample(low, temperature, noise) for temperature in PREVIEW_TEMPERATURES]
    return torch.stack([F.interpolate(low, scale_factor=2), high, *samples], 1)


def gray_pictures(shown: Tensor) -> Tensor:
    """(B, N, 1, H, W) L* -> (B * N, 3, H, W) sRGB in [0, 1]."""
    from kornia.color import lab_to_rgb

    lightness = shown.flatten(0, 1).clamp(0, 100)
    rgb: Tensor = lab_to_rgb(F.pad(lightness, (0, 0, 0, 0, 0, 2)))  # ab is zero
    return rgb


def noisy(high: Tensor, generator: torch.Generator) -> Tensor:
    """Patches with the noise that densities need, generated on the CPU."""
    return high + DEQUANTIZATION_STD * torch.randn(high.shape, generator=generator).to(high)
