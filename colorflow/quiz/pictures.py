"""Pictures for judges and players: small, and two of them side by side.

The true picture is made like every coloring: its chroma is averaged on the 64x64 grid, upsampled
along its lightness and mapped into the gamut. Otherwise a judge would see which picture has the
finer colors, and not which has the right ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.color.grid import to_grid
from colorflow.photo import Photo, photo_from_image, write_image

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

WIDTH, HEIGHT = 420, 620
"""Largest size of each picture of a pair, in pixels: two fit on a screen."""
GAP = 24
"""Pixels between the two pictures of a pair."""
NEUTRAL = 119
"""The sRGB gray of L* 50, which favors neither bright nor dark pictures."""
QUALITY = 92
"""JPEG quality of a pair."""

Pixels = NDArray[np.uint8]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


def true_picture(photo: Photo) -> Pixels:
    """A photo in its own colors, as a coloring shows them: (H, W, 3), sRGB."""
    return render(LightnessRows(photo.pixels), to_grid(photo.pixels))


def sampled_pictures(
    colorizer: Colorizer, photo: Photo, seed: int, n: int = 1, *, temperature: float = 1.0
) -> list[Pixels]:
    """A photo in n sampled colors, with the seeds from `seed` on."""
    samples = colorizer.colorize(photo, n, temperature, seed, samples=True, force=True)
    return [one.render() for one in samples]


def write_pair(path: Path, left: Pixels, right: Pixels) -> None:
    """Write two pictures side by side, without metadata.

    Args:
        path: a name with .jpg in an existing folder.
        left: (h, w, 3), sRGB.
        right: the same shape.

    Raises:
        WritePhotoError: the file cannot be written.
    """
    gap = np.full((left.shape[0], GAP, 3), NEUTRAL, np.uint8)
    pixels = np.concatenate([left, gap, right], axis=1)
    write_image(path, pixels, photo_from_image(pixels), quality=QUALITY)


def balanced_sides(n: int, rng: np.random.Generator) -> list[Side]:
    """Sides for n pairs in random order, left as often as right.

    A judge who always chooses the same side is then right in half of the pairs. If n is odd, a
    random side has one more.
    """
    order = rng.permutation(n + n % 2)[:n]
    return [SIDES[index % 2] for index in order]
