"""Trials of the page's quiz: k pictures of one photo, the true one at a random position.

A trial is shown as one sheet, its pictures one below the other. So no picture has a name, a size or
a time of its own that could tell which one is true.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import to_grid
from colorflow.photo import photo_from_image, write_image
from colorflow.quiz.photos import QuizPhoto
from colorflow.quiz.pictures import Pixels, colored, random_crop, random_grain, with_grain

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

MIN_PICTURES, MAX_PICTURES = 2, 5
"""Pictures to choose from."""
SIDE = 720
"""Longest side of each picture, in pixels; two fit beside each other in a wide window."""
MARGIN = 4
"""Repetitions of each picture's first and last row. A browser that reduces the sheet mixes the
edge with these and not with the neighboring picture."""
TEMPERATURE = 1.0
"""The shipped temperatures."""

_SEED_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """One question to a player."""

    token: str
    """Random name, by which the trial is answered."""
    photo: QuizPhoto
    seed: int
    """Seed of the first sample; the next samples have the next seeds. Decides crop and grain."""
    k: int
    truth: int = field(repr=False)
    """Position of the true picture, from 0; secret until the answer."""
    width: int
    height: int
    """Size of each picture in pixels, without margins."""
    sheet: Path
    """PNG: the k pictures one below the other, each with MARGIN rows above and below."""


def make_trial(colorizer: Colorizer, photo: QuizPhoto, k: int, folder: Path) -> Trial:
    """Color a photo k - 1 times, and insert the truth at an unpredictable position.

    Args:
        colorizer: samples the colors.
        photo: the photo.
        k: number of pictures, MIN_PICTURES to MAX_PICTURES.
        folder: where the sheet is written, under a random name.

    Raises:
        PhotoError: the photo cannot be read, or the sheet not written.
        ValueError: k is out of range.
    """
    if not MIN_PICTURES <= k <= MAX_PICTURES:
        raise ValueError(f"k: expected {MIN_PICTURES} to {MAX_PICTURES}, got {k}")
    seed = secrets.randbits(_SEED_BITS)
    true_picture, *pictures = _pictures(colorizer, photo, k - 1, seed)
    truth = secrets.randbelow(k)
    pictures.insert(truth, true_picture)
    pixels = np.concatenate(
        [np.pad(one, ((MARGIN, MARGIN), (0, 0), (0, 0)), mode="edge") for one in pictures]
    )
    sheet = folder / f"{secrets.token_hex(16)}.png"
    write_image(sheet, pixels, photo_from_image(pixels))
    height, width = true_picture.shape[:2]
    return Trial(
        token=secrets.token_hex(16),
        photo=photo,
        seed=seed,
        k=k,
        truth=truth,
        width=width,
        height=height,
        sheet=sheet,
    )


def _pictures(colorizer: Colorizer, photo: QuizPhoto, n: int, seed: int) -> list[Pixels]:
    """A photo in its own colors and in n sampled ones, (h, w, 3) uint8, with one crop and grain."""
    rng = np.random.default_rng(seed)
    crop = random_crop(photo.read(), rng)
    samples = colorizer.colorize(crop, n, TEMPERATURE, seed, samples=True, force=True)
    lightness = lightness_of(crop.pixels)
    chroma = [to_grid(crop.pixels), *(one.ab for one in samples)]
    pictures = [colored(lightness, ab, SIDE) for ab in chroma]
    grain = random_grain(pictures[0].shape, rng)
    return [with_grain(picture, grain) for picture in pictures]
