"""The Enlarger: a photo in, larger ones out. A photo's path, top to bottom.

Dimensions: H, W pixels of the photo, s the scale (2 or 4).
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.full_resolution import lightness_of, render
from colorflow.enlarge.tiles import TILE, Doubling
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, EnlargeWeights, load_enlarge_weights
from colorflow.errors import PhotoError, WeightsError
from colorflow.photo import Photo, photo_from_image, read_photo

if TYPE_CHECKING:
    from PIL import Image

    Picture = str | os.PathLike[str] | Image.Image | NDArray[Any] | Photo

SCALES = (2, 4)
DEFAULT_TEMPERATURE = 0.8
MAX_RESULT_PIXELS = 200_000_000
_STRIP_ROWS = 64
LEAST_SIDE = 8
"""Pixels; a smaller photo has nothing to go by."""


class Enlarger:
    """Samples photos of twice or four times the resolution.

    Args:
        weights: what `load_enlarge_weights` gave.
    """

    def __init__(self, weights: EnlargeWeights) -> None:
        self.weights = weights

    @classmethod
    def load(cls, weights: str | os.PathLike[str]) -> Enlarger:
        """Reads a weights file; none is shipped yet.

        Raises:
            WeightsError: if the file is missing, foreign, or does not fit.
        """
        return cls(load_enlarge_weights(Path(weights)))

    def enlarge(
        self,
        image: Picture,
        scale: int = 2,
        n: int = 1,
        temperature: float = DEFAULT_TEMPERATURE,
        seed: int = 0,
        *,
        restore: bool = False,
    ) -> list[Image.Image]:
        """Samples n larger versions of one picture.

        Args:
            image: path, Pillow image, array (uint8, uint16, or float in [0, 1]) or photo.
            scale: 2 or 4.
            n: number of samples.
            temperature: std of the latents, 0 for the most plausible result, 1 for the model's own
                texture.
            seed: sample i depends on `seed + i` and the picture alone.
            restore: take blur, noise and compression out; else the area average of each result is
                the picture.

        Returns:
            n images, gray or RGB as the picture (with alpha if it has transparency).

        Raises:
            PhotoError: if the picture cannot be read, is smaller than 8 pixels, or the result
                would exceed 200 megapixels.
            WeightsError: if the weights cannot restore.
            ValueError: if an argument is out of range.
        """
        from PIL import Image

        if n < 1:
            raise ValueError(f"n: expected 1 or more, got {n}")
        photo = image if isinstance(image, Photo) else _read(image)
        alpha = photo.alpha
        if alpha is not None:
            size = (scale * photo.width, scale * photo.height)
            alpha = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        pictures = []
        for i in range(n):
            lightness = self.lightness(photo, scale, temperature, seed + i, restore=restore)
            picture = Image.fromarray(paint(photo, lightness))
            if alpha is not None:
                picture.putalpha(Image.fromarray(alpha))
            pictures.append(picture)
        return pictures

    def lightness(
        self, photo: Photo, scale: int, temperature: float, seed: int, *, restore: bool = False
    ) -> NDArray[np.float32]:
        """One sample of the lightness, (sH, sW) L* in [0, 100]; arguments as of `enlarge`."""
        steps = self.steps(photo, scale, temperature, seed, restore=restore)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                lightness: NDArray[np.float32] = end.value
                return lightness

    def steps(
        self, photo: Photo, scale: int, temperature: float, seed: int, *, restore: bool = False
    ) -> Generator[float, None, NDArray[np.float32]]:
        """The same in steps, for progress and cancellation: yields the share that is done."""
        self._check(photo, scale, temperature, seed, restore=restore)
        first = RESTORE if restore else LAST if scale == 2 else FIRST
        names = [first] if scale == 2 else [first, LAST]
        lightness = lightness_of(photo.full_depth)
        done, total = 0.0, sum(4**i for i in range(len(names)))
        for stream, name in enumerate(names):
            doubling = Doubling(
                self.weights.models[name],
                lightness,
                seed=seed,
                stream=stream,
                temperature=temperature,
                tile=TILE,
            )
            for tile in doubling.run():
                yield (done + 4**stream * tile / doubling.tiles) / total
            done += 4**stream
            lightness = doubling.lightness
        return lightness

    def _check(
        self, photo: Photo, scale: int, temperature: float, seed: int, *, restore: bool
    ) -> None:
        if scale not in SCALES:
            raise ValueError(f"scale: expected 2 or 4, got {scale!r}")
        if not 0 <= temperature <= 2:
            raise ValueError(f"temperature: expected 0 to 2, got {temperature}")
        if seed < 0:
            raise ValueError(f"seed: expected a whole number from 0, got {seed}")
        if restore and RESTORE not in self.weights.models:
            raise WeightsError("these weights cannot restore; leave restore out")
        if min(photo.width, photo.height) < LEAST_SIDE:
            raise PhotoError(
                photo.source,
                f"is {photo.width} x {photo.height} pixels; enlarging needs at least "
                f"{LEAST_SIDE} x {LEAST_SIDE}",
            )
        pixels = scale**2 * photo.width * photo.height
        if pixels > MAX_RESULT_PIXELS:
            raise PhotoError(
                photo.source,
                f"would become {pixels / 1e6:.0f} megapixels; the limit is "
                f"{MAX_RESULT_PIXELS / 1e6:.0f}: choose a smaller scale or a smaller photo",
            )


def paint(
    photo: Photo, lightness: NDArray[np.float32], *, bits: Literal[8, 16] = 8
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Puts a photo's own chroma on a larger lightness.

    Args:
        photo: (H, W) gray or (H, W, 3).
        lightness: (sH, sW) L* in [0, 100].
        bits: of each channel of the result.

    Returns:
        (sH, sW) for a gray file, (sH, sW, 3) sRGB otherwise.
    """
    if photo.pixels.ndim == 2:
        return render(lightness, np.zeros((2, 1, 1), np.float32), bits=bits)[..., 0].copy()
    return render(lightness, _chroma(photo.pixels), bits=bits)


def _chroma(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """ab of every pixel, (2, H, W) CIELAB units, made a strip of rows at a time."""
    ab = np.empty((2, *pixels.shape[:2]), np.float32)
    for top in range(0, len(pixels), _STRIP_ROWS):
        lab = cie.rgb_to_lab(pixels[top : top + _STRIP_ROWS] / 255)
        ab[:, top : top + _STRIP_ROWS] = np.moveaxis(lab[..., 1:], -1, 0)
    return ab


def _read(image: Any) -> Photo:
    if isinstance(image, str | os.PathLike):
        return read_photo(image)
    return photo_from_image(image)
