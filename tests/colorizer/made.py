"""What tests read from colorings, and the specs of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn.functional import avg_pool2d

from colorflow.colorizer import Coloring, ColoringSpec, Colorizer, Picture
from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid


def chroma(colorings: Sequence[Coloring]) -> NDArray[np.float32]:
    """(n, 2, 64, 64)."""
    return np.stack([one.ab for one in colorings])


def model_chroma(colorings: Sequence[Coloring]) -> NDArray[np.float32]:
    """The same as the model gave it, (n, 2, 64, 64)."""
    return np.stack([one.model_ab for one in colorings])


def pixels(colorings: Sequence[Coloring]) -> list[NDArray[np.uint8]]:
    return [one.render() for one in colorings]


def specs(colorings: Sequence[Coloring]) -> list[ColoringSpec]:
    return [one.spec for one in colorings]


def seeds(colorings: Sequence[Coloring]) -> list[int]:
    return [one.seed for one in colorings]


def shares(colorings: Sequence[Coloring]) -> list[float | None]:
    return [one.share for one in colorings]


def sampled(
    colorizer: Colorizer,
    picture: Picture,
    n: int,
    temperature: float = 1.0,
    seed: int | None = 0,
    **options: Any,
) -> list[Coloring]:
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


@torch.no_grad()
def skin_of(
    pyramid: ChromaPyramid, whole: Condition, large: Condition
) -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
    """How much skin's color counts, and its mean chroma a + ib, both (64, 64)."""
    head = pyramid.skin_head
    assert head is not None
    (small_odds, small_ab), (log_odds, ab) = head(whole), head(large)
    size = (128, 128)
    both = cv2.resize(small_odds[0, 0].numpy(), size, interpolation=cv2.INTER_LINEAR)
    odds = torch.from_numpy(both)[None, None] / 2 + log_odds / 2
    share = 1 / (1 + (-odds[0, 0]).exp().numpy())
    x = ((share - 0.18) / 0.32).clip(0, 1)
    sure, cells = (share - 0.4).clip(0) ** 2, whole.lightness[0, 0].numpy()
    near, weighed = (gaussian_filter(y, 6, mode="reflect") for y in (sure, sure * cells))
    away = np.maximum(np.abs(cells - weighed / np.maximum(near, 1e-7)) - 15, 0)
    weight = 0.95 * (3 * x**2 - 2 * x**3) * np.exp(-((away / 12) ** 2) / 2)
    a, b = (avg_pool2d(ab, 2) / 2 + small_ab / 2)[0].numpy()
    return avg_pool2d(torch.from_numpy(weight)[None], 2)[0].numpy(), a + 1j * b


def with_skin(
    pyramid: ChromaPyramid,
    whole: Condition,
    large: Condition,
    ab: NDArray[np.float32],
    z: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Chroma (n, 2, 64, 64) with the color of skin, whose tones have latents z (n, 2)."""
    weight, mean = skin_of(pyramid, whole, large)
    head = pyramid.skin_head
    assert head is not None
    tones = head.tone_mean.numpy() + z @ head.tone_factor.numpy().T
    own = mean * np.exp(tones[:, 0] + 1j * tones[:, 1])[:, None, None]
    return ab + weight * (np.stack([own.real, own.imag], 1) - ab)
