"""The path of a photo: read -> condition -> sample or principal -> render -> write.

    read        photo, digest = read_picture("gray.jpg")     pixels (H, W) or (H, W, 3)
    condition   L* (1, 1, 256, 256) -> feature maps           `Opener.opened`
    sample      seeds -> latents -> ab (n, 2, 64, 64)         `PhotoModel.sample`, `decode`
    principal   mean of all, clusters of 64 samples -> (n, 2, 64, 64)  `PhotoModel.principal`
    paint       ab assigned to things, skin in its own color   `PhotoModel.paint`
    render      ab on the photo's own L* -> (H, W, 3) sRGB    `Result.render`
    write       write_image("color.png", pixels, photo)       `Result.save`

`Colorizer.colorize` goes this way from pictures to colorings, which render and write themselves
when they are asked to; `colorflow.batch` goes it from files to files. Reading and writing are the
work of `colorflow.photo`.

Dimensions: n colorings of one photo, k principal colorings, C and g channels and grid of a level.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from colorflow.device import device_of, one_thread
from colorflow.errors import PhotoError
from colorflow.files import default_weights as default_weights
from colorflow.limits import (
    LARGEST_SEED,
    MOST_PRINCIPAL,
    REFERENCE_STRENGTH,
    STYLE_STRENGTH,
    check_seed,
    check_whole,
)
from colorflow.model.level import COARSE_LEVELS
from colorflow.model.things import Thing as Thing
from colorflow.model.weights import LoadedWeights, load_weights
from colorflow.open_photo import Opener, OpenPhoto, pictures_of
from colorflow.photo import Kind, Photo
from colorflow.photo import Picture as Picture
from colorflow.photo_model import PhotoModel as PhotoModel
from colorflow.recipe import ColoringSpec, Colors, Hint
from colorflow.result import Result


class Colorizer:
    """Colors photos with trained weights.

    The default answer is a photo's principal colorings: the mean of them all, and what the
    clusters of its samples change in it (`colorflow.model.principal`). Sample i of a call depends
    on `seed + i` and the photo only, not on the number of samples, the batch, or the order of the
    photos.

    Several methods share these arguments:

    - `picture`: a path, bytes of a file, an open file, a Pillow image, an array (uint8, uint16, or
      float in [0, 1]) or a `Photo`, of any size. Files are read in this process, without limits of
      time and memory; for those of people whom you do not know, use `isolated=True` of `colorize`,
      or pass what `colorflow.photo.read_photo` returns with `isolated=True`.
    - `temperature`: multiplies the temperatures of the levels that come with the weights; 0 gives n
      times the same colors.
    - `hints`: colors of points, in pixels of the upright photo; the later of two in one cell of the
      64x64 grid wins.
    - `reference`: a color photo, or several: what looks alike in them gives its colors, as far as
      `strength` says, in [0, 1] (`colorflow.model.likeness`). The same dress, house or face gets
      the same color wherever it is in the picture; where the references show nothing alike, nothing
      changes. It acts on what people see, after skin and before hints, which win; `model_ab` and
      `log_prob` stay the model's.
    - `style`: a color photo whose colors are transferred through its latents. The two coarsest
      levels, which decide the colors of objects, go the share `style_strength`, in [0, 1], from
      their sampled latents to the style's; the fine levels are sampled. Latents say how the colors
      at each point differ from what lightness suggests there, so it is for the mood of a whole
      picture of nearly the same view; for dissimilar scenes colors may well turn into others.

    The methods raise `PhotoError` if a picture cannot be read or a reference or style is gray,
    `WeightsError` if there are hints or references and the weights take none, and `ValueError` if
    an argument is out of range or a hint lies outside the photo.

    They compute with one thread of PyTorch and of NumPy, whatever these are set to
    (`colorflow.device`); several threads of the caller may compute at once.

    Args:
        weights: what `load_weights` returned.
        device: where to compute.
    """

    def __init__(self, weights: LoadedWeights, device: str | torch.device = "cpu") -> None:
        self._weights, self._opener = weights, Opener(weights, torch.device(device))
        self.digest = weights.digest
        self.temperatures = weights.temperatures
        self.levels = weights.pyramid.config.chroma_grids

    @classmethod
    @one_thread()
    def load(
        cls, weights: str | os.PathLike[str] | None = None, *, device: str = "auto"
    ) -> Colorizer:
        """Reads a weights file, the shipped one by default.

        Args:
            weights: the file.
            device: where to compute: ``auto`` for a CUDA GPU if there is one and otherwise the CPU,
                or a device of PyTorch by name, such as ``cpu``, ``cuda`` or ``cuda:1``.

        Raises:
            WeightsError: if the file is missing, foreign, or does not fit.
            DeviceError: if there is no such device.
        """
        chosen = device_of(device)
        return cls(load_weights(Path(weights) if weights else default_weights()), chosen)

    @property
    def takes_hints(self) -> bool:
        """Whether the weights take color hints."""
        return self._opener.takes_hints

    @property
    def takes_references(self) -> bool:
        """Whether the weights take references, other than for their style."""
        return self._opener.takes_references

    def open(
        self,
        picture: Picture,
        *,
        hints: Sequence[Hint] = (),
        reference: Picture | Sequence[Picture] = (),
        style: Picture | None = None,
        isolated: bool = False,
    ) -> OpenPhoto:
        """Opens a picture, to vary its colorings, and to judge them.

        Args:
            picture: see the class.
            hints: see the class.
            reference: see the class.
            style: see the class.
            isolated: as of `colorize`.

        Raises:
            PhotoError: if a picture cannot be read, or a reference or style is gray.
            WeightsError: if there are hints or references and the weights take none.
            ValueError: if a hint lies outside the picture.
        """
        return self._opener.open(picture, hints, reference, style, isolated=isolated)

    @one_thread()
    def colorize(
        self,
        picture: Picture,
        n: int = 4,
        temperature: float = 1.0,
        seed: int | None = 0,
        *,
        samples: bool = False,
        force: bool = False,
        hints: Sequence[Hint] = (),
        reference: Picture | Sequence[Picture] = (),
        strength: float = REFERENCE_STRENGTH,
        style: Picture | None = None,
        style_strength: float = STYLE_STRENGTH,
        skin: bool = True,
        isolated: bool = False,
    ) -> list[Result]:
        """Colors a picture.

        Args:
            picture: see the class.
            n: number of colorings; at most 16 principal colorings.
            temperature: see the class.
            seed: seed of the first sample; principal colorings are those of the 64 samples from it
                on. None draws one, which `Result.seed` tells.
            samples: make independent samples instead of principal colorings.
            force: also color a photo that already has colors; only its lightness is used then.
            hints: see the class.
            reference: see the class.
            strength: see the class; 0 gives the same as no reference.
            style: see the class; best with samples, as the mean of several mixes its colors.
            style_strength: see the class; 0 gives the same as no style.
            skin: whether skin gets its own color, see `colorflow.model.skin`; False for a picture
                in which something else is taken for skin.
            isolated: whether to read files in a process of its own, with limits, as
                `colorflow.photo.read_photo` does; for files of people whom you do not know.

        Returns:
            n colorings. Principal colorings begin with the mean, then those of the n - 1 largest
            clusters follow, in order of decreasing share.

        Raises:
            PhotoError: if a picture cannot be read or already has colors, or a reference or style
                is gray.
            WeightsError: if there are hints or references and the weights take none.
            ValueError: if an argument is out of range, or a hint outside the picture.
        """
        if samples:
            check_whole("n", n, 1)
        else:
            _check_principal(n)
        seed = secrets.randbelow(LARGEST_SEED + 1) if seed is None else seed
        check_seed(seed)
        first = ColoringSpec(
            seeds=(seed,) * len(self.levels),
            temperature=temperature,
            style_strengths=() if style is None else self._style_strengths(style_strength),
            skin=skin,
            strength=strength if pictures_of(reference) else 0.0,
        )
        opened = self._opener.open(picture, hints, reference, style, isolated=isolated)
        if not force and opened.photo.kind is Kind.COLORED:
            raise PhotoError(opened.photo.source, "already has colors; force=True colors it again")
        return opened.sampled(first, n) if samples else opened.principal(first, n)

    def colorize_progressively(
        self,
        picture: Picture,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        skin: bool = True,
    ) -> Iterator[Result]:
        """Makes principal colorings, the first one at once, before the samples of the others.

        Args:
            picture: see the class; one that already has colors is colored again.
            n: as of `colorize`.
            temperature: see the class.
            seed: as of `colorize`.
            skin: as of `colorize`.

        Yields:
            What `colorize` returns, one after the other.
        """
        _check_principal(n)
        check_seed(seed)
        opened = self._opener.open(picture)
        seeds = (seed,) * len(self.levels)
        first = ColoringSpec(seeds=seeds, temperature=temperature, skin=skin)
        yield from opened.principal(first, n, shown=1)
        if n > 1:
            yield from opened.principal(first, n)[1:]

    @one_thread()
    def colored(
        self,
        photo: Photo,
        digest: str | None,
        colors: Sequence[Colors],
        references: Sequence[tuple[Photo, str | None]] = (),
    ) -> list[Result]:
        """Colors a photo as recipes say, as a part of `colorflow.run`.

        Args:
            photo: the photo.
            digest: of its file, or None.
            colors: with the same hints and references.
            references: those, with their digests.
        """
        if len({(each.hints, each.references) for each in colors}) > 1:
            raise ValueError("colors: expected the same hints and references")
        hints = colors[0].hints
        if isinstance(hints, str) or any(each.style for each in colors):
            raise ValueError("colors: expected hints, not their digest, and no style")
        opened = self._opener.opened(photo, digest, hints, references)
        made = opened.made([each.spec for each in colors])
        return [
            result
            if (each.saturation, each.pale) == (1, 1)
            else result.saturated(each.saturation, each.pale)
            for result, each in zip(made, colors, strict=True)
        ]

    @one_thread()
    def things(self, picture: Picture) -> list[Thing]:
        """Finds the things in a picture, which hints color: where they end, and what they may be.

        Returns:
            Things that cover the picture, from large to small.
        """
        return self._opener.open(picture).model.things.all

    def _style_strengths(self, strength: float) -> tuple[float, ...]:
        """Of each level: the coarse ones, which decide the colors of objects, go all the way."""
        return (strength,) * COARSE_LEVELS + (0.0,) * (len(self.levels) - COARSE_LEVELS)


def _check_principal(n: int) -> None:
    """Raises `ValueError` if there are no n principal colorings."""
    check_whole("n", n, 1)
    if n > MOST_PRINCIPAL:
        raise ValueError(
            f"n: expected at most {MOST_PRINCIPAL} principal colorings, got {n}; "
            "there may be any number of samples"
        )
