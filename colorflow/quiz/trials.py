"""Trials of the page's quiz: k pictures of one photo, the true one at a random position.

A trial is shown as one sheet, its pictures one below the other. So no picture has a name, a size or
a time of its own that could tell which one is true.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
    from colorflow.colorize import Colorizer

MIN_PICTURES, MAX_PICTURES = 2, 5
"""Pictures to choose from."""
SIDE = 480
"""Longest side of each picture, in pixels."""
MARGIN = 2
"""Repetitions of each picture's first and last row. A browser that reduces the sheet mixes the
edge with these and not with the neighboring picture."""
TEMPERATURE = 1.0
"""The shipped temperatures."""

_SEED_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """One photo in its own colors and in sampled ones, all (h, w, 3) uint8 sRGB."""

    photo: QuizPhoto
    seed: int
    """Seed of the first sample; the next samples have the next seeds. Decides crop and grain."""
    truth: Pixels
    samples: Sequence[Pixels]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """One question to a player."""

    token: str
    """Random name, by which the trial is answered."""
    photo: QuizPhoto
    seed: int
    k: int
    truth: int = field(repr=False)
    """Position of the true picture, from 0; secret until the answer."""
    width: int
    height: int
    """Size of each picture in pixels, without margins."""
    sheet: Path
    """PNG: the k pictures one below the other, each with MARGIN rows above and below."""


class TrialMaker:
    """Makes candidates, one photo at a time, in a thread of its own.

    Args:
        colorizer: samples the colors.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self._colorizer = colorizer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="quiz")

    @property
    def weights(self) -> str:
        """Digest of the model."""
        return self._colorizer.digest

    def candidates(self, photo: QuizPhoto, n: int) -> Future[Candidates]:
        """Request n colorings of a photo; a PhotoError comes with the result."""
        return self._thread.submit(self._make, photo, n)

    def close(self) -> None:
        """Cancel all requests except the current one, and wait for that."""
        self._thread.shutdown(cancel_futures=True)

    def _make(self, photo: QuizPhoto, n: int) -> Candidates:
        seed = secrets.randbits(_SEED_BITS)
        rng = np.random.default_rng(seed)
        crop = random_crop(photo.read(), rng)
        samples = self._colorizer.draw(crop, n, TEMPERATURE, seed, samples=True)
        lightness = lightness_of(crop.pixels)
        truth = colored(lightness, to_grid(crop.pixels), SIDE)
        grain = random_grain(truth.shape, rng)
        return Candidates(
            photo=photo,
            seed=seed,
            truth=with_grain(truth, grain),
            samples=[with_grain(colored(lightness, ab, SIDE), grain) for ab in samples.ab],
        )


def make_trial(candidates: Candidates, k: int, folder: Path) -> Trial:
    """Insert the truth among the first k - 1 samples, at an unpredictable position.

    Args:
        candidates: with at least k - 1 samples.
        k: number of pictures, MIN_PICTURES to MAX_PICTURES.
        folder: where the sheet is written, under a random name.

    Raises:
        WritePhotoError: the sheet cannot be written.
        ValueError: k is out of range.
    """
    if not MIN_PICTURES <= k <= min(MAX_PICTURES, 1 + len(candidates.samples)):
        expected = f"{MIN_PICTURES} to {1 + len(candidates.samples)}"
        raise ValueError(f"k: expected {expected}, got {k}")
    truth = secrets.randbelow(k)
    pictures = list(candidates.samples[: k - 1])
    pictures.insert(truth, candidates.truth)
    pixels = np.concatenate(
        [np.pad(one, ((MARGIN, MARGIN), (0, 0), (0, 0)), mode="edge") for one in pictures]
    )
    sheet = folder / f"{secrets.token_hex(16)}.png"
    write_image(sheet, pixels, photo_from_image(pixels))
    height, width = candidates.truth.shape[:2]
    return Trial(
        token=secrets.token_hex(16),
        photo=candidates.photo,
        seed=candidates.seed,
        k=k,
        truth=truth,
        width=width,
        height=height,
        sheet=sheet,
    )
