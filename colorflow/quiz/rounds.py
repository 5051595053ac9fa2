"""Rounds of the page's quiz: one photo, k pictures of it, the truth among them at a random place.

A round is shown as one sheet, its pictures one below the other. So no picture has a name, a size or
a time of its own: who looks at the file learns what the pictures show and nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of
from colorflow.color.grid import to_grid
from colorflow.photo import Photo, photo_from_image, write_image
from colorflow.quiz.deck import Picture
from colorflow.quiz.pictures import Pixels, shown
from colorflow.quiz.variation import crop, grain, with_grain

LEAST, MOST = 2, 5
"""Pictures to choose from."""
SIZE = 480
"""Longer side of each picture at most, in pixels."""
MARGIN = 2
"""Rows that each picture's first and last one is repeated for: a browser that makes the sheet
smaller mixes those with the neighbor's, and not what is to be seen."""
TEMPERATURE = 1.0
"""The shipped temperatures as they are."""

_SEED_BITS = 32


class Drawn(Protocol):
    """Colors of several colorings."""

    @property
    def ab(self) -> NDArray[np.float32]:
        """(n, 2, h, w), CIELAB units."""
        ...


class QuizColorizer(Protocol):
    """What the quiz needs of `colorflow.colorizer.Colorizer`."""

    digest: str

    def predict(
        self, photo: Photo, n: int, temperature: float, seed: int, /, *, samples: Literal[True]
    ) -> Drawn:
        """Draw n samples; the i-th depends on `seed + i` and the photo alone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """One photo in its own colors and in drawn ones, (h, w, 3) uint8 sRGB all of them."""

    picture: Picture
    seed: int
    """Of the first drawn one; the others count on. It also decides crop and grain of all."""
    truth: Pixels
    drawn: Sequence[Pixels]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Round:
    """What is asked once."""

    token: str
    """A random name, by which it is answered."""
    picture: Picture
    seed: int
    k: int
    truth: int = field(repr=False)
    """Place of the true picture, from 0; whoever plays does not learn it before the answer."""
    width: int
    height: int
    """Of each picture, in pixels, without margins."""
    sheet: Path
    """PNG: the k pictures one below the other, MARGIN rows above and below each."""


class RoundMaker:
    """Draws candidates, one picture at a time, in a thread of its own.

    Args:
        colorizer: what draws.
    """

    def __init__(self, colorizer: QuizColorizer) -> None:
        self._colorizer = colorizer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="quiz")

    @property
    def weights(self) -> str:
        """Digest of the model."""
        return self._colorizer.digest

    def ask_for(self, picture: Picture, n: int) -> Future[Candidates]:
        """Have n colorings of a picture drawn; its PhotoError comes with the result."""
        return self._thread.submit(self._draw, picture, n)

    def close(self) -> None:
        """Forget what has been asked for, and wait for the picture that is being drawn."""
        self._thread.shutdown(cancel_futures=True)

    def _draw(self, picture: Picture, n: int) -> Candidates:
        seed = secrets.randbits(_SEED_BITS)
        rng = np.random.default_rng(seed)
        photo = crop(picture.read(), rng)
        drawn = self._colorizer.predict(photo, n, TEMPERATURE, seed, samples=True)
        lightness = lightness_of(photo.pixels)
        truth = shown(lightness, to_grid(photo.pixels), SIZE)
        fine = grain(truth.shape, rng)
        return Candidates(
            picture=picture,
            seed=seed,
            truth=with_grain(truth, fine),
            drawn=[with_grain(shown(lightness, ab, SIZE), fine) for ab in drawn.ab],
        )


def make_round(candidates: Candidates, k: int, folder: Path) -> Round:
    """Puts the truth among the first k - 1 drawn pictures, at a place that nobody can foresee.

    Args:
        candidates: at least k - 1 drawn ones.
        k: LEAST to MOST.
        folder: where the sheet is written, under a random name.

    Raises:
        WritePhotoError: if that is not possible.
        ValueError: if k is out of range.
    """
    if not LEAST <= k <= min(MOST, 1 + len(candidates.drawn)):
        raise ValueError(f"k: expected {LEAST} to {1 + len(candidates.drawn)}, got {k}")
    truth = secrets.randbelow(k)
    pictures = list(candidates.drawn[: k - 1])
    pictures.insert(truth, candidates.truth)
    pixels = np.concatenate(
        [np.pad(one, ((MARGIN, MARGIN), (0, 0), (0, 0)), mode="edge") for one in pictures]
    )
    sheet = folder / f"{secrets.token_hex(16)}.png"
    write_image(sheet, pixels, photo_from_image(pixels))
    height, width = candidates.truth.shape[:2]
    return Round(
        token=secrets.token_hex(16),
        picture=candidates.picture,
        seed=candidates.seed,
        k=k,
        truth=truth,
        width=width,
        height=height,
        sheet=sheet,
    )
