"""What tests read from colorings, the specs of samples, and the pyramid by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

from colorflow.color.grid import square_lightness
from colorflow.colorizer import Colorizer
from colorflow.model.condition import Condition, Conditioner
from colorflow.model.hints import hint_planes
from colorflow.model.level import signs_of_photo
from colorflow.model.weights import load_weights
from colorflow.photo import Photo, Picture
from colorflow.recipe import ColoringSpec, Hint
from colorflow.result import Result
from tests.small_weights import GAIN


def chroma(colorings: Sequence[Result]) -> NDArray[np.float32]:
    """(n, 2, 64, 64)."""
    return np.stack([one.ab for one in colorings])


def model_chroma(colorings: Sequence[Result]) -> NDArray[np.float32]:
    """The same as the model gave it, (n, 2, 64, 64)."""
    return np.stack([one.model_ab for one in colorings])


def pixels(colorings: Sequence[Result]) -> list[NDArray[np.uint8]]:
    return [one.render() for one in colorings]


def specs(colorings: Sequence[Result]) -> list[ColoringSpec]:
    return [one.spec for one in colorings]


def seeds(colorings: Sequence[Result]) -> list[int]:
    return [one.seed for one in colorings]


def shares(colorings: Sequence[Result]) -> list[float | None]:
    return [one.share for one in colorings]


def sampled(
    colorizer: Colorizer,
    picture: Picture,
    n: int,
    temperature: float = 1.0,
    seed: int | None = 0,
    **options: Any,
) -> list[Result]:
    """Samples, whatever colors the picture has."""
    given = {"samples": True, "force": True, **options}
    return colorizer.colorize(picture, n, temperature, seed, **given)


def sample_spec(
    seed: int = 0, temperature: float = 1.0, style: float = 0.0, strength: float = 0.0
) -> ColoringSpec:
    """A plain sample, whose coarse levels go towards a style, and what is alike to references."""
    return ColoringSpec(
        seeds=(seed,) * 5,
        temperature=temperature,
        style_strengths=(style,) * 2 + (0.0,) * 3,
        strength=strength,
    )


class ByHand:
    """The pyramid itself, with which a Colorizer is compared.

    Args:
        weights: of the pyramid.
    """

    def __init__(self, weights: Path) -> None:
        self.pyramid, self._conditioner = load_weights(weights).pyramid, Conditioner()

    def condition(self, photo: Photo, hints: Sequence[Hint] = (), side: int = 256) -> Condition:
        """That of a photo and of hints; heads also take it at a larger side."""
        planes = hint_planes(hints, photo.height, photo.width)[None] if hints else None
        lightness = torch.from_numpy(square_lightness(photo.pixels, side))[None, None]
        return self._conditioner(lightness, planes)

    @torch.no_grad()
    def encode(self, photo: Photo, ab: NDArray[np.float32]) -> list[Tensor]:
        """Latents of chroma, (n, 2, 64, 64) or (2, 64, 64)."""
        condition = self.condition(photo)
        each = torch.from_numpy(ab).reshape(-1, 1, 2, 64, 64)
        rows = [self.pyramid.encode(one, condition, GAIN) for one in each]
        return [torch.cat(level) for level in zip(*rows, strict=True)]

    @torch.no_grad()
    def sample(
        self,
        photo: Photo,
        seeds: Sequence[int],
        stds: Sequence[float] = (1.0,) * 5,
        condition: Condition | None = None,
        gain: float = 1.0,
    ) -> tuple[NDArray[np.float32], list[Tensor]]:
        """Chroma (n, 2, 64, 64) of a photo, and its latents.

        These are normal numbers from one generator a seed, coarse to fine, times a std a level and
        the photo's signs.
        """
        condition = condition or self.condition(photo)
        shapes, rows = self.pyramid.latent_shapes(), list[list[Tensor]]()
        signs = signs_of_photo(condition.lightness, shapes)
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            levels = zip(shapes, signs, stds, strict=True)
            rows.append(
                [std * sign * torch.randn(1, *s, generator=generator) for s, sign, std in levels]
            )
        latents = [torch.cat(level) for level in zip(*rows, strict=True)]
        return self.pyramid.decode(latents, condition, gain).numpy(), latents

    @torch.no_grad()
    def skin(self, photo: Photo) -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
        """How much skin's color counts, and its mean chroma a + ib, both (64, 64)."""
        head = self.pyramid.skin_head
        assert head is not None
        large = self.condition(photo, (), 384)
        log_odds, ab = head(large)
        size = (128, 128)
        odds = cv2.resize(log_odds[0, 0].numpy(), size, interpolation=cv2.INTER_LINEAR)
        share = 1 / (1 + np.exp(-odds))
        x = ((share - 0.3) / 0.3).clip(0, 1)
        sure, cells = (
            (share - 0.4).clip(0) ** 2,
            adaptive_avg_pool2d(large.lightness, 128)[0, 0].numpy(),
        )
        near, weighed = (gaussian_filter(y, 6, mode="reflect") for y in (sure, sure * cells))
        away = np.maximum(np.abs(cells - weighed / np.maximum(near, 1e-7)) - 15, 0)
        weight = 0.95 * (3 * x**2 - 2 * x**3) * np.exp(-((away / 12) ** 2) / 2)
        a, b = adaptive_avg_pool2d(ab, 64)[0].numpy()
        return avg_pool2d(torch.from_numpy(weight)[None], 2)[0].numpy(), a + 1j * b

    def with_skin(
        self, photo: Photo, ab: NDArray[np.float32], z: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Chroma (n, 2, 64, 64) with the color of skin, whose tones have latents z (n, 2)."""
        weight, mean = self.skin(photo)
        head = self.pyramid.skin_head
        assert head is not None
        tones = head.tone_mean.numpy() + z @ head.tone_factor.numpy().T
        own = mean * np.exp(tones[:, 0] + 1j * tones[:, 1])[:, None, None]
        return ab + weight * (np.stack([own.real, own.imag], 1) - ab)
