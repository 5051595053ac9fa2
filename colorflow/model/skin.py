"""The color of skin in one photo: a distribution of its own.

The flow's chroma of skin is a mean where skin is not recognized, and its gain makes sure faces glow
beside gray hands. The segmentation head says where skin is and which chroma it has there on the
whole, lips and cheeks warmer, shadows and highlights paler. What it leaves open is how far the skin
of one photo is from that: its strength and its hue, the same for all of the photo,

    chroma = turn(exp(t_1) mean, t_2),    t = m + S z,    z ~ N(0, 1) in two dimensions,

with m and S of the training photos. z is the tint of the coarsest level's latents, their normalized
sum, so that seeds, temperature, interpolation, new samples of a level, and a style act on skin
as they act on all colors. Principal colorings have z = 0.

Dimensions: n colorings, g = 64 the grid's side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.grid import block_means

Array = NDArray[np.float32]

FROM, TO = 0.3, 0.6
"""Skin's color begins where skin is as likely as the first, and is whole from the second on."""
MOST = 0.95
"""Largest share of skin's color, so that a little of the model's own variety stays."""
SURE, AROUND, TOLERANCE, SCALE = 0.4, 6.0, 15.0, 12.0
"""Hats, hair and collars beside a face are darker or lighter than it. So a cell counts as far as it
is about as light as the skin around it: the probability above which cells are skin for that, and
count by the square of the rest; the std of the Gaussian that weighs them, in cells of 1/128 of the
side; the difference in L* that does not matter, and the scale beyond it."""


class ToneDistribution(NamedTuple):
    """Logarithm of the strength, and turn of the hue in radians, of the skin of a photo.

    Attributes:
        mean: (2,).
        factor: (2, 2), lower triangular.
    """

    mean: Array
    factor: Array

    def tones(self, latents: Array) -> Array:
        """(n, 2) latents -> (n, 2) tones."""
        return np.asarray(self.mean + latents @ self.factor.T, np.float32)


class Skin:
    """Where the skin of one photo is, and its colors.

    Args:
        probability: (2g, 2g) of skin.
        lightness: (2g, 2g) L*.
        chroma: (2, g, g) mean chroma of skin, CIELAB units.
        distribution: of the tones.
    """

    def __init__(
        self,
        probability: Array,
        lightness: Array,
        chroma: Array,
        distribution: ToneDistribution,
    ) -> None:
        rising = ((probability - FROM) / (TO - FROM)).clip(0, 1)
        weight = (
            MOST * rising * rising * (3 - 2 * rising) * as_light_as_skin(probability, lightness)
        )
        self.weight: Array = block_means(weight, len(probability) // 2).astype(np.float32)
        self._chroma, self._distribution = chroma, distribution

    def painted(self, ab: Array, latents: Array) -> Array:
        """Gives skin its color.

        Args:
            ab: (n, 2, g, g) CIELAB units.
            latents: (n, 2) of the tones.

        Returns:
            (n, 2, g, g).
        """
        tones = self._distribution.tones(latents)
        strength, turn = np.exp(tones[:, :1]), tones[:, 1:]
        a, b = self._chroma.reshape(2, 1, -1)
        own = np.stack(
            [a * np.cos(turn) - b * np.sin(turn), a * np.sin(turn) + b * np.cos(turn)], 1
        )
        own = (strength[:, None] * own).reshape(ab.shape)
        return np.asarray(ab + self.weight * (own - ab), np.float32)


def as_light_as_skin(probability: Array, lightness: Array) -> Array:
    """How far cells are as light as the skin around them, (h, w) in [0, 1]."""
    sure = ((probability - SURE).clip(0) ** 2).astype(np.float32)
    near, weighed = (
        cv2.GaussianBlur(x, (0, 0), AROUND, borderType=cv2.BORDER_REFLECT)
        for x in (sure, (sure * lightness).astype(np.float32))
    )
    away = np.abs(lightness - weighed / np.maximum(near, 1e-7))
    return np.asarray(np.exp(-((away - TOLERANCE).clip(0) ** 2) / (2 * SCALE**2)), np.float32)


def tone_latents(coarsest: Sequence[Tensor]) -> Array:
    """(n, 2): of each coloring, the tint of its coarsest latents (2, g, g); N(0, 1) as they are."""
    sums = torch.stack([z.flatten(1).sum(1) / math.sqrt(z[0].numel()) for z in coarsest])
    return sums.numpy().astype(np.float32)
