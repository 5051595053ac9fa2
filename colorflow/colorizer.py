"""The path of a photo: read -> condition -> sample or principal -> render -> write.

    read        photo = read_photo("gray.jpg")               pixels (H, W) or (H, W, 3)
    condition   L* (1, 1, 256, 256) -> feature maps           `Colorizer.model_of`
    sample      seeds -> latents -> ab (n, 2, 64, 64)         `PhotoModel.sample`, `decode`
    principal   64 samples -> n means -> ab (n, 2, 64, 64)    `PhotoModel.principal`
    render      ab on the photo's own L* -> (H, W, 3) sRGB    `Colorizer.render`
    write       write_image("color.png", pixels, photo)

`Colorizer.colorize` goes this way from a picture to finished images; `colorflow.batch` goes it from
files to files. Reading and writing are the work of `colorflow.photo`.

Dimensions: n colorings of one photo, k principal colorings, C and g channels and grid of a level.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.color.grid import Rows, square_lightness, to_grid
from colorflow.coloring import (
    ColoringSpec,
    LevelOutput,
    Predictions,
    PrincipalSpec,
    Uncertainty,
    check_seed,
)
from colorflow.errors import PhotoError, WeightsError
from colorflow.exploration import Exploration
from colorflow.files import default_weights
from colorflow.limits import DIVERSE_POOL, MOST_PRINCIPAL
from colorflow.model.condition import Condition, Conditioner, coarse_lightness
from colorflow.model.hints import Hint, hint_planes
from colorflow.model.principal import POOL
from colorflow.model.weights import LoadedWeights, load_weights
from colorflow.photo import Kind, Photo, photo_from_image, read_photo
from colorflow.photo_model import COARSE_LEVELS, Latents, PhotoModel

if TYPE_CHECKING:
    from PIL import Image

    Picture = str | os.PathLike[str] | Image.Image | NDArray[Any] | Photo

__all__ = [
    "MOST_PRINCIPAL",
    "ColoringSpec",
    "Colorizer",
    "Hint",
    "LevelOutput",
    "PhotoModel",
    "Predictions",
    "PrincipalSpec",
    "Uncertainty",
    "default_weights",
]

DEFAULT_STRENGTH = 0.7
"""How far colors go towards those of a reference photo by default."""


class Colorizer(Exploration):
    """Colors photos with trained weights.

    The default answer is a photo's principal colorings, the means of its samples and of their modes
    (`colorflow.model.principal`). Sample i of a call depends on `seed + i` and the photo only, not
    on the number of samples, the batch, or the order of the photos.

    Several methods share these arguments:

    - `temperature`: multiplies the temperatures of the levels that come with the weights; 0 gives n
      times the same colors.
    - `hints`: colors of points, in pixels of the upright photo; the later of two in one cell of the
      64x64 grid wins.
    - `reference`: a color photo whose colors are transferred through its latents. The two coarsest
      levels, which decide the colors of objects, go the share `strength`, in [0, 1], from their
      sampled latents to the reference's; the fine levels are sampled. Latents say how the colors at
      each point differ from what lightness suggests there, so the reference should show a similar
      scene; for dissimilar scenes colors may well turn into others.

    The methods raise `WeightsError` if there are hints and the weights take none, `PhotoError` if
    the reference is gray, and `ValueError` if an argument is out of range or a hint lies outside
    the photo.

    Args:
        weights: what `load_weights` returned.
        device: where to compute.
    """

    def __init__(self, weights: LoadedWeights, device: str = "cpu") -> None:
        weights.pyramid.to(device)
        self._weights, self._device = weights, torch.device(device)
        self._conditioner = Conditioner(weights.pyramid.late_blocks).to(device)
        self.digest = weights.digest
        self.temperatures = weights.temperatures

    @classmethod
    def load(
        cls, weights: str | os.PathLike[str] | None = None, *, device: str = "cpu"
    ) -> Colorizer:
        """Reads a weights file, the shipped one by default.

        Raises:
            WeightsError: if the file is missing, foreign, or does not fit.
        """
        return cls(load_weights(Path(weights) if weights else default_weights()), device)

    @property
    def takes_hints(self) -> bool:
        """Whether the weights take color hints."""
        return self._weights.pyramid.config.takes_hints

    @property
    def levels(self) -> tuple[int, ...]:
        """Names of the levels, coarse to fine: the sides of the chroma grids that they complete."""
        return self._weights.pyramid.config.chroma_grids

    def colorize(
        self,
        image: Picture,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        samples: bool = False,
        diverse: bool = False,
        hints: Sequence[Hint] = (),
        reference: Picture | None = None,
        strength: float = DEFAULT_STRENGTH,
    ) -> list[Image.Image]:
        """Colors one picture, whether it already has colors or not.

        Args:
            image: path, Pillow image, array (uint8, uint16, or float in [0, 1]) or photo, any size.
            n: number of colorings; at most 16 principal colorings.
            temperature: see the class.
            seed: seed of the first sample.
            samples: return independent samples instead of principal colorings.
            diverse: return the n samples of 8n that differ most.
            hints: see the class.
            reference: see the class; given in the same ways as the image.
            strength: see the class.

        Returns:
            n RGB images at full resolution, RGBA where the picture has transparency. Principal
            colorings begin with the mean of all samples, then the means of the n - 1 largest modes
            follow, in order of decreasing share.

        Raises:
            PhotoError: if a picture cannot be read, or the reference is gray.
            WeightsError: if there are hints and the weights take none.
            ValueError: if an argument is out of range, or a hint outside the picture.
        """
        from PIL import Image

        photo = _photo(image)
        pictures = []
        for rgb in self.colorize_photo(
            photo,
            n,
            temperature,
            seed,
            samples=samples,
            diverse=diverse,
            hints=hints,
            reference=None if reference is None else _photo(reference),
            strength=strength,
        ):
            picture = Image.fromarray(rgb)
            if photo.alpha is not None:
                picture.putalpha(Image.fromarray(photo.alpha))
            pictures.append(picture)
        return pictures

    def colorize_photo(
        self, photo: Photo, n: int = 4, temperature: float = 1.0, seed: int = 0, **options: Any
    ) -> list[NDArray[np.uint8]]:
        """Colors a photo: n arrays (H, W, 3) uint8 sRGB; arguments as those of `predict`."""
        predictions = self.predict(photo, n, temperature, seed, **options)
        lightness = LightnessRows(photo.pixels)
        return [render(lightness, ab) for ab in predictions.ab]

    def predict(
        self,
        photo: Photo,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        samples: bool = False,
        diverse: bool = False,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
        strength: float = DEFAULT_STRENGTH,
    ) -> Predictions:
        """Computes the chroma of n colorings on the 64x64 grid.

        Args:
            photo: the photo; its own colors are not used.
            n: see `colorize`.
            temperature: see the class.
            seed: see `colorize`; principal colorings are means of the 64 samples from `seed` on.
            samples: see `colorize`.
            diverse: see `colorize`.
            hints: see the class.
            reference: see the class.
            strength: see the class; 0 gives the same as no reference.
        """
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        check_seed(seed, following=max(n * DIVERSE_POOL, POOL))
        first = self.spec(seed, temperature, strength)
        if reference is None:
            first = replace(first, strengths=())
        if not samples and not diverse:
            if n > MOST_PRINCIPAL:
                raise ValueError(
                    f"n: expected at most {MOST_PRINCIPAL} principal colorings, got {n}; "
                    "there may be any number of samples"
                )
            ab, shares = self.model_of(photo, hints, reference).principal(first, n)
            principal = [first.principal_spec(i, n) for i in range(n)]
            return Predictions(specs=principal, ab=ab, shares=shares)
        pool = n * DIVERSE_POOL if diverse and n > 1 else n
        specs = [first.sample_spec(s) for s in range(seed, seed + pool)]
        model = self.model_of(photo, hints, reference)
        latents = [model.sample(spec) for spec in specs]
        if pool > n:
            chosen = model.most_different(latents, n)
            specs, latents = [specs[i] for i in chosen], [latents[i] for i in chosen]
        return Predictions(specs=specs, ab=model.decode(latents))

    def spec(self, seed: int = 0, temperature: float = 1.0, strength: float = 0.0) -> ColoringSpec:
        """The spec of a plain sample: one seed for all levels.

        Args:
            seed: from 0.
            temperature: see the class.
            strength: see the class; more than 0 needs a reference.
        """
        check_seed(seed)
        strengths = (strength,) * COARSE_LEVELS + (0.0,) * (len(self.levels) - COARSE_LEVELS)
        return ColoringSpec(
            seeds=(seed,) * len(self.levels), temperature=temperature, strengths=strengths
        )

    def reproduce(
        self,
        photo: Photo,
        specs: Sequence[ColoringSpec],
        *,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
    ) -> Predictions:
        """Computes the colorings of given specs; other arguments: see the class."""
        if not specs:
            raise ValueError("specs: expected at least one, got none")
        ab = self.model_of(photo, hints, reference).chroma(specs)
        return Predictions(specs=list(specs), ab=ab)

    def render(
        self,
        photo: Photo,
        chroma: NDArray[np.float32],
        *,
        bits: Literal[8, 16] = 8,
        lightness: Rows | None = None,
    ) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
        """Renders chroma on a photo's lightness at full resolution, one coloring at a time.

        Args:
            photo: the photo.
            chroma: (n, 2, 64, 64) CIELAB units, such as `Predictions.ab`.
            bits: bits of each channel; 16 is more precise than 8 only for a photo of 16 bits.
            lightness: of the enlarged photo, (H, W) L* in [0, 100]; by default the photo's own.

        Yields:
            n arrays (H, W, 3) of sRGB, uint8 or uint16.
        """
        if lightness is None:
            lightness = LightnessRows(photo.pixels if bits == 8 else photo.full_depth)
        for ab in chroma:  # (2, 64, 64) -> (H, W, 3)
            yield render(lightness, ab, bits=bits)

    def model_of(
        self, photo: Photo, hints: Sequence[Hint] = (), reference: Photo | None = None
    ) -> PhotoModel:
        """The distribution of a photo's colorings; arguments: see the class."""
        square = torch.from_numpy(square_lightness(photo.pixels))  # (256, 256)
        lightness = square[None, None].to(self._device)

        def condition(*, mirrored: bool) -> Condition:
            planes = self._hint_planes(hints, photo)
            parts = [lightness, planes] if planes is not None else [lightness]
            if mirrored:
                parts = [torch.cat([x, x.flip(-1)]) for x in parts]
            return self._conditioner(*parts)

        latents = None if reference is None else self._latents_of(reference)
        return PhotoModel(self._weights, coarse_lightness(lightness), condition, latents)

    def _hint_planes(self, hints: Sequence[Hint], photo: Photo) -> Tensor | None:
        """Mask, a and b of the hints: (1, 3, 64, 64)."""
        if not hints:
            return None
        if not self.takes_hints:
            raise WeightsError(
                "these weights take no color hints; use weights trained with "
                "`colorflow train --hints`"
            )
        return hint_planes(hints, *photo.pixels.shape[:2])[None].to(self._device)

    def _latents_of(self, reference: Photo) -> Latents:
        """Latents of a photo's own colors."""
        if reference.kind is Kind.GRAY:
            raise PhotoError(
                reference.source,
                "has no colors that could be carried over; choose a color photo as the reference",
            )
        return self.model_of(reference).encode(to_grid(reference.pixels)[None])[0]


def _photo(picture: Picture) -> Photo:
    if isinstance(picture, Photo):
        return picture
    if isinstance(picture, str | os.PathLike):
        return read_photo(picture)
    return photo_from_image(picture)
