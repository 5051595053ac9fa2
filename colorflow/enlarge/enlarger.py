"""The Enlarger: a photo in, larger ones out. A photo's path, top to bottom.

    read       photo, _ = read_picture("small.jpg")          pixels (H, W) or (H, W, 3)
    enlarge    L* (H, W) -> L* (sH, sW), tile by tile         `Enlarger.steps`
    paint      the photo's own ab on it -> (sH, sW, 3) sRGB   `Result.render`
    write      result.save("large.png")                       with the photo's metadata

Dimensions: H, W pixels of the photo, s the scale (2 or 4).
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from colorflow.color.full_resolution import lightness_of
from colorflow.device import device_of
from colorflow.enlarge.draws import draws
from colorflow.enlarge.tiles import TILE, Doubling, result_of
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, EnlargeWeights, load_enlarge_weights
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import ENLARGE_WEIGHTS, default_weights
from colorflow.limits import SCALES, check_whole
from colorflow.photo import Photo, Picture, read_picture
from colorflow.recipe import Enlargement, Recipe, Weights
from colorflow.result import Result

MAX_RESULT_PIXELS = 200_000_000
_MAX_DENSITY_PIXELS = 4_000_000
LEAST_SIDE = 8
"""Pixels; a smaller photo has nothing to go by."""


class Enlarger:
    """Makes photos of twice or four times the resolution.

    Args:
        weights: what `load_enlarge_weights` gave.
        device: where to compute.
    """

    def __init__(self, weights: EnlargeWeights, device: str | torch.device = "cpu") -> None:
        for model in weights.models.values():
            model.to(device)
        self.weights = weights
        self.digest = weights.digest

    @classmethod
    def load(
        cls, weights: str | os.PathLike[str] | None = None, *, device: str = "auto"
    ) -> Enlarger:
        """Reads a weights file, the shipped one by default; `device` is as of `Colorizer.load`.

        Raises:
            WeightsError: if the file is missing, foreign, or does not fit.
            DeviceError: if there is no such device.
        """
        chosen = device_of(device)
        path = Path(weights) if weights else default_weights(ENLARGE_WEIGHTS)
        return cls(load_enlarge_weights(path), chosen)

    @property
    def can_restore(self) -> bool:
        """Whether the weights take blur, noise and compression out."""
        return RESTORE in self.weights.models

    def enlarge(
        self,
        picture: Picture,
        scale: int = 2,
        n: int = 1,
        temperature: float | None = None,
        seed: int = 0,
        *,
        restore: bool = False,
    ) -> list[Result]:
        """Makes n larger versions of one picture: the mean, then samples.

        Args:
            picture: as `Colorizer` takes it; files are read in this process, see there.
            scale: 2 or 4.
            n: number of results.
            temperature: factor on what a sample adds to the mean, for all n results; 0 for the
                mean, 1 for the model's own texture. By default the first is the mean, and the
                others are samples at `DETAIL_TEMPERATURE`.
            seed: sample i depends on `seed + i` and the picture alone.
            restore: take blur, noise and compression out; else the area average of each result is
                the picture.

        Raises:
            PhotoError: if the picture cannot be read, is smaller than 8 pixels, or the result
                would exceed 200 megapixels.
            WeightsError: if the weights cannot restore.
            ValueError: if an argument is out of range.
        """
        check_whole("n", n, 1)
        photo, digest = read_picture(picture)
        results = []
        for draw in draws(n, temperature, seed):
            made = Enlargement(
                scale=scale, restored=restore, temperature=draw.temperature, seed=draw.seed
            )
            results.append(
                Result(
                    photo,
                    Recipe(enlargement=made),
                    weights=Weights(detail=self.digest),
                    digest=digest,
                    lightness=result_of(self.steps(photo, made)),
                )
            )
        return results

    def log_prob(self, picture: Picture, scale: int = 2) -> float:
        """Log density of a picture's lightness, given that of the picture at a lower resolution.

        The density is that of the Haar details, in nats for L* units; 8-bit pictures are not
        dequantized.

        Args:
            picture: the picture at the high resolution, given as to `enlarge`; both sides are
                multiples of twice the scale.
            scale: 2 or 4.

        Raises:
            PhotoError: if the picture cannot be read or has more than 4 megapixels.
            ValueError: if an argument is out of range or the sides do not fit.
        """
        names = self._names(scale, restore=False)
        photo, multiple = read_picture(picture)[0], 2 * scale
        if photo.width % multiple or photo.height % multiple:
            raise ValueError(
                f"picture: expected sides that are multiples of {multiple}, "
                f"got {photo.width} x {photo.height}"
            )
        if (pixels := photo.width * photo.height) > _MAX_DENSITY_PIXELS:
            raise PhotoError(
                photo.source,
                f"has {pixels / 1e6:.1f} megapixels; the density is computed for at most "
                f"{_MAX_DENSITY_PIXELS / 1e6:.0f} at once: cut a piece out",
            )
        planes = [torch.from_numpy(lightness_of(photo.full_depth))[None, None]]
        for _ in names:
            planes.insert(0, functional.avg_pool2d(planes[0], 2))
        total = 0.0
        with torch.inference_mode():
            for name, low, high in zip(names, planes, planes[1:], strict=False):
                model = self.weights.models[name]
                device = next(model.parameters()).device
                total += float(model(high.to(device), low.to(device)))
        return total

    def steps(
        self, photo: Photo, wanted: Enlargement
    ) -> Generator[float, None, NDArray[np.float32]]:
        """The lightness of a larger photo, in steps, for progress and cancellation.

        Yields:
            The share that is done.

        Returns:
            (sH, sW) L* in [0, 100].

        Raises:
            PhotoError, WeightsError: as of `enlarge`.
        """
        names = self._names(wanted.scale, restore=wanted.restored)
        _check_size(photo, wanted.scale)
        lightness = lightness_of(photo.full_depth)
        done, total = 0, sum(4**i for i in range(len(names)))
        for stream, name in enumerate(names):
            model, share = self.weights.models[name], 4**stream
            doubling = Doubling(
                model,
                lightness,
                seed=wanted.seed,
                stream=stream,
                temperature=wanted.temperature,
                tile=TILE,
            )
            for tile in doubling.run():
                yield (done + share * tile / doubling.tiles) / total
            done, lightness = done + share, doubling.lightness
        return lightness

    def _names(self, scale: int, *, restore: bool) -> list[str]:
        """The doublings of a scale, by their names in the weights."""
        if scale not in SCALES:
            raise ValueError(f"scale: expected 2 or 4, got {scale!r}")
        if restore and not self.can_restore:
            raise WeightsError("these weights cannot restore; leave restore out")
        first = RESTORE if restore else LAST if scale == 2 else FIRST
        return [first] if scale == 2 else [first, LAST]


def _check_size(photo: Photo, scale: int) -> None:
    """Raises `PhotoError` for a photo that is too small or too large."""
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
