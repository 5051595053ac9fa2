"""The Enlarger: a photo in, larger ones out. A photo's path, top to bottom.

    read       photo, _ = read_picture("small.jpg")          pixels (H, W) or (H, W, 3)
    enlarge    L* (H, W) -> L* (sH, sW), tile by tile         `Enlarger.steps`
    paint      the photo's own ab on it -> (sH, sW, 3) sRGB   `paint`
    write      write_image("large.png", pixels, large)        with the photo's metadata

Dimensions: H, W pixels of the photo, s the scale (2 or 4).
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from colorflow.color import cie
from colorflow.color.full_resolution import lightness_of, render_upsampled
from colorflow.color.upsample import GuidedUpsampler
from colorflow.coloring import check_seed
from colorflow.device import device_of
from colorflow.enlarge.draws import draws
from colorflow.enlarge.tiles import TILE, Doubling, result_of, tiles_of
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, EnlargeWeights, load_enlarge_weights
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import ENLARGE_WEIGHTS, default_weights
from colorflow.limits import LARGEST_DETAIL_TEMPERATURE, SCALES, check_range, check_whole
from colorflow.photo import Photo, Picture, read_picture

if TYPE_CHECKING:
    from PIL import Image

MAX_RESULT_PIXELS = 200_000_000
_MAX_DENSITY_PIXELS = 4_000_000
_SQUARE, _MARGIN = 256, 16
"""Pixels of the photo: side of a square that is painted at once, and what is seen around it."""
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
        image: Picture,
        scale: int = 2,
        n: int = 1,
        temperature: float | None = None,
        seed: int = 0,
        *,
        restore: bool = False,
    ) -> list[Image.Image]:
        """Makes n larger versions of one picture: the mean, then samples.

        Args:
            image: a picture as `Colorizer` takes it; files are read in this process, see there.
            scale: 2 or 4.
            n: number of results.
            temperature: factor on what a sample adds to the mean, for all n results; 0 for the
                mean, 1 for the model's own texture. By default the first is the mean, and the
                others are samples at `DETAIL_TEMPERATURE`.
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

        check_whole("n", n, 1)
        photo = read_picture(image)[0]
        pictures = []
        for draw in draws(n, temperature, seed):
            large = self.enlarge_photo(photo, scale, draw.temperature, draw.seed, restore=restore)
            picture = Image.fromarray(large.pixels)
            if large.alpha is not None:
                picture.putalpha(Image.fromarray(large.alpha))
            pictures.append(picture)
        return pictures

    def log_prob(self, image: Picture, scale: int = 2) -> float:
        """Log density of a picture's lightness, given that of the picture at a lower resolution.

        The density is that of the Haar details, in nats for L* units; 8-bit pictures are not
        dequantized.

        Args:
            image: the picture at the high resolution, given as to `enlarge`; both sides are
                multiples of twice the scale.
            scale: 2 or 4.

        Raises:
            PhotoError: if the picture cannot be read or has more than 4 megapixels.
            ValueError: if an argument is out of range or the sides do not fit.
        """
        names = self._names(scale, restore=False)
        photo, multiple = read_picture(image)[0], 2 * scale
        if photo.width % multiple or photo.height % multiple:
            raise ValueError(
                f"image: expected sides that are multiples of {multiple}, "
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

    def enlarge_photo(
        self, photo: Photo, scale: int, temperature: float, seed: int, *, restore: bool = False
    ) -> Photo:
        """One sample, of the photo's depth, with its metadata; arguments as of `enlarge`."""
        lightness = self.lightness(photo, scale, temperature, seed, restore=restore)
        return photo.enlarged(paint(photo, lightness, bits=photo.bits))

    def lightness(
        self, photo: Photo, scale: int, temperature: float, seed: int, *, restore: bool = False
    ) -> NDArray[np.float32]:
        """One sample of the lightness, (sH, sW) L* in [0, 100]; arguments as of `enlarge`."""
        return result_of(self.steps(photo, scale, temperature, seed, restore=restore))

    def steps(
        self, photo: Photo, scale: int, temperature: float, seed: int, *, restore: bool = False
    ) -> Generator[float, None, NDArray[np.float32]]:
        """The same in steps, for progress and cancellation: yields the share that is done."""
        names = self._names(scale, restore=restore)
        self._check(photo, scale, temperature, seed)
        lightness = lightness_of(photo.full_depth)
        done, total = 0, sum(4**i for i in range(len(names)))
        for stream, name in enumerate(names):
            model, share = self.weights.models[name], 4**stream
            doubling = Doubling(
                model, lightness, seed=seed, stream=stream, temperature=temperature, tile=TILE
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

    def _check(self, photo: Photo, scale: int, temperature: float, seed: int) -> None:
        check_range("temperature", temperature, 0, LARGEST_DETAIL_TEMPERATURE)
        if seed < 0:  # that of a further sample may be larger than what may be asked for
            check_seed(seed)
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
    """Puts a photo's own chroma on a larger lightness, square by square.

    Args:
        photo: (H, W) gray or (H, W, 3).
        lightness: (sH, sW) L* in [0, 100].
        bits: of each channel of the result.

    Returns:
        (sH, sW) for a gray file, (sH, sW, 3) sRGB otherwise.
    """
    scale = lightness.shape[0] // photo.height
    gray = photo.pixels.ndim == 2
    depth = np.uint8 if bits == 8 else np.uint16
    painted = np.empty(lightness.shape if gray else (*lightness.shape, 3), depth)
    for tile in tiles_of(photo.pixels.shape[:2], _SQUARE):
        # Chroma depends on what is around a square, which is cut off at the end.
        seen = tuple(slice(max(0, side.start - _MARGIN), side.stop + _MARGIN) for side in tile)
        if gray:
            ab = np.zeros((2, 1, 1), np.float32)
        else:
            lab = cie.rgb_to_lab(photo.pixels[seen] / 255)
            ab = np.moveaxis(lab[..., 1:], -1, 0).astype(np.float32)
        larger = np.ascontiguousarray(lightness[tuple(_times(scale, side) for side in seen)])
        square = render_upsampled(GuidedUpsampler(ab, larger), larger, bits=bits)
        inner = tuple(
            slice(scale * (side.start - around.start), scale * (side.stop - around.start))
            for side, around in zip(tile, seen, strict=True)
        )
        own = square[inner]
        painted[tuple(_times(scale, side) for side in tile)] = own[..., 0] if gray else own
    return painted


def _times(scale: int, pixels: slice) -> slice:
    return slice(scale * pixels.start, scale * pixels.stop)
