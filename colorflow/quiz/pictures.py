"""Pairs of pictures that differ in their colours alone.

The truth takes the way of every colouring: its chroma is averaged on the 64x64 grid, brought back
to full size along its lightness and mapped into the gamut. Otherwise a judge would see which of two
pictures has the finer colours, and not which has the right ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import to_grid
from colorflow.color.resize import resize_by_area
from colorflow.colorize import Colorizer
from colorflow.photo import Photo, photo_from_image, write_image

GAP = 24
"""Between the two pictures, in pixels."""
NEUTRAL = 119
"""The sRGB grey of L* 50, which favours neither bright pictures nor dark ones."""

Pixels = NDArray[np.uint8]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A photo in its own colours and in drawn ones, (h, w, 3) uint8 sRGB both."""

    truth: Pixels
    colouring: Pixels

    def side_by_side(self, truth: Side) -> Pixels:
        """One picture: both with a neutral gap between them, the truth on the given side."""
        left, right = self.truth, self.colouring
        if truth == "right":
            left, right = right, left
        gap = np.full((left.shape[0], GAP, 3), NEUTRAL, np.uint8)
        return np.concatenate([left, gap, right], axis=1)


def pair_of(colorizer: Colorizer, photo: Photo, *, seed: int, size: int) -> Pair:
    """Makes a pair: the photo's own colours, and one draw at the shipped temperatures.

    Args:
        colorizer: what draws.
        photo: a colour photo.
        seed: of the draw; `colorize` with it gives the same colours.
        size: as in `shown`.
    """
    lightness = lightness_of(photo.pixels)
    return Pair(
        truth=shown(lightness, to_grid(photo.pixels), size),
        colouring=shown(lightness, colorizer.draw(photo, 1, seed=seed).ab[0], size),
    )


def shown(lightness: NDArray[np.float32], ab: NDArray[np.float32], size: int) -> Pixels:
    """A picture as judges see it: the whole photo, coloured at full size and then made smaller.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (2, 64, 64) CIELAB units, true or drawn.
        size: the longer side at most, in pixels; smaller photos keep their size.

    Returns:
        (h, w, 3) uint8, sRGB.
    """
    height, width = lightness.shape
    scale = min(1.0, size / max(height, width))
    rows, columns = (max(1, round(side * scale)) for side in (height, width))
    return np.round(resize_by_area(render(lightness, ab), rows, columns)).astype(np.uint8)


def write_pair(path: Path, pair: Pair, truth: Side) -> None:
    """Writes a pair as one picture, with nothing beside its pixels that tells one from the other.

    Args:
        path: NAME.png; its folder exists.
        pair: the two pictures.
        truth: the side of the true one.

    Raises:
        WritePhotoError: if that is not possible.
    """
    pixels = pair.side_by_side(truth)
    write_image(path, pixels, photo_from_image(pixels))


def balanced_sides(n: int, rng: np.random.Generator) -> list[Side]:
    """Sides for the truths of n pairs, in random order, left as often as right.

    Whoever always says the same side is then right in half of the cases, whatever the seed. With an
    odd number one side, by chance, has one more.
    """
    order = rng.permutation(n + n % 2)[:n]
    return [SIDES[place % 2] for place in order]
