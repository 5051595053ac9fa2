"""The Colorizer: a picture in, colored ones out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.colorize.chroma import DEFAULT_STRENGTH, ChromaColorizer
from colorflow.files import default_weights
from colorflow.model.hints import Hint
from colorflow.model.weights import load_weights
from colorflow.photo import Photo, photo_from_image, read_photo

if TYPE_CHECKING:
    from PIL import Image

    Picture = str | os.PathLike[str] | Image.Image | NDArray[Any] | Photo


class Colorizer(ChromaColorizer):
    """Colors photos.

    Args:
        weights: what `load_weights` gave.
        device: where to compute.
    """

    @classmethod
    def load(
        cls, weights: str | os.PathLike[str] | None = None, *, device: str = "cpu"
    ) -> Colorizer:
        """Reads a weights file, the shipped one by default.

        Raises:
            WeightsError: if the file is missing, foreign, or does not fit.
        """
        return cls(load_weights(Path(weights) if weights else default_weights()), device)

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
        """Colors one picture, whether it has colors already or not.

        By default with its principal colorings: first the mean of all samples, then the mean of
        each of the n - 1 largest modes, by falling share.

        Args:
            image: path, Pillow image, array (uint8, uint16, or float in [0, 1]) or photo, any size.
            n: number of colorings, at most 16 principal ones.
            temperature: how far samples differ; 0 gives n times the same colors.
            seed: of the randomness. Sample i depends on `seed + i` and the picture alone.
            samples: independent samples of the distribution instead of its principal colorings.
            diverse: of 8n samples the n that differ most.
            hints: colors of points, in pixels of the upright picture; the later of two in one
                cell of the 64x64 grid wins.
            reference: a color picture, given in the same ways, whose colors are carried over.
            strength: how far colors go towards the reference's, in [0, 1].

        Returns:
            n RGB images (RGBA where the picture has transparency) at full resolution.

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
    ) -> list[NDArray[np.uint8]]:
        """As `colorize`, from a photo to n arrays (H, W, 3) uint8 sRGB."""
        draws = self.draw(
            photo,
            n,
            temperature,
            seed,
            samples=samples,
            diverse=diverse,
            hints=hints,
            reference=reference,
            strength=strength,
        )
        lightness = LightnessRows(photo.pixels)
        return [render(lightness, ab) for ab in draws.ab]

    def paint(
        self, photo: Photo, chroma: NDArray[np.float32], *, bits: Literal[8, 16] = 8
    ) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
        """Puts chroma on a photo's own lightness, one coloring after the other.

        Args:
            photo: the photo.
            chroma: (n, 2, 64, 64) CIELAB units, such as `Draws.ab`.
            bits: of each channel of the results; 16 needs a photo of 16 to be more than 8.

        Yields:
            n arrays (H, W, 3) of sRGB, uint8 or uint16.
        """
        lightness = LightnessRows(photo.pixels if bits == 8 else photo.full_depth)
        for ab in chroma:
            yield render(lightness, ab, bits=bits)


def _photo(picture: Picture) -> Photo:
    if isinstance(picture, Photo):
        return picture
    if isinstance(picture, str | os.PathLike):
        return read_photo(picture)
    return photo_from_image(picture)
