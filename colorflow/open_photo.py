"""A photo that was opened for coloring: what the model sees of it, and its colorings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.grid import square_lightness, to_grid
from colorflow.device import one_thread
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import digest_of_open
from colorflow.model.condition import LIGHTNESS_SIZE, Condition, Conditioner
from colorflow.model.hints import hint_planes, thing_hints
from colorflow.model.likeness import Described
from colorflow.model.things import THINGS_GRID
from colorflow.model.weights import LoadedWeights
from colorflow.photo import Kind, Photo, Picture, read_picture
from colorflow.photo_model import CHUNK, Latents, PhotoModel
from colorflow.recipe import ColoringSpec, Colors, Hint, Reach, Recipe, Weights
from colorflow.result import Result

MOST_DESCRIBED = 16
"""References whose descriptions are kept, 1 MB each: those of an album serve all of its photos."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenPhoto:
    """A photo that was read, and the distribution of its colorings.

    Attributes:
        photo: the photo.
        model: the distribution, given hints, references and style.
        canvas: the same without the hints for things, which color its pictures where their things
            are, and change them nowhere else.
        colors: from a spec to what a recipe says.
        weights: of the model.
        digest: of the photo's file.
    """

    photo: Photo
    model: PhotoModel
    canvas: PhotoModel
    colors: Callable[[ColoringSpec], Colors]
    weights: Weights
    digest: str | None

    def made(self, specs: Sequence[ColoringSpec]) -> list[Result]:
        """The colorings of specs."""
        shares = [self.canvas.share(spec) for spec in specs]
        return self.colorings(specs, self.canvas.chroma(specs), shares)

    def sampled(self, first: ColoringSpec, n: int) -> list[Result]:
        """The n samples from the seed of a spec on."""
        specs = [first.sample_spec(seed) for seed in range(first.seed, first.seed + n)]
        return self.colorings(
            specs, self.canvas.decode([self.canvas.sample(spec) for spec in specs])
        )

    def principal(self, first: ColoringSpec, n: int, shown: int | None = None) -> list[Result]:
        """The first principal colorings of n, all by default."""
        count = n if shown is None else shown
        ab, shares = self.canvas.principal(first, 1 if count == 1 else n)
        specs = [first.principal_spec(number, n) for number in range(count)]
        return self.colorings(specs, ab[:count], shares[:count])

    def colorings(
        self,
        specs: Sequence[ColoringSpec],
        ab: NDArray[np.float32],
        shares: Sequence[float | None] = (),
    ) -> list[Result]:
        """Colorings of the chroma `ab` of the canvas, (n, 2, 64, 64).

        Of those that are made together, `CHUNK` get their likelihood together, in half of the time.
        """

        @cache
        def modeled() -> NDArray[np.float32]:
            return ab if self.canvas is self.model else self.model.chroma(specs)

        def chroma(index: int) -> NDArray[np.float32]:
            return modeled()[index]

        @cache
        def log_prob(start: int) -> NDArray[np.float64]:
            return self.model.log_prob(modeled()[start : start + CHUNK])

        def density(index: int) -> float:
            value = float(log_prob(index - index % CHUNK)[index % CHUNK])
            return value if math.isfinite(value) else -math.inf

        shown = self.canvas.paint(ab, specs)
        return [
            Result(
                self.photo,
                Recipe(colors=self.colors(spec)),
                weights=self.weights,
                digest=self.digest,
                grid=painted,
                share=share,
                chroma=partial(chroma, index),
                density=partial(density, index),
                reference_shares=self.model.reference_shares(spec),
            )
            for index, (spec, painted, share) in enumerate(
                zip(specs, shown, shares or [None] * len(specs), strict=True)
            )
        ]


class Opener:
    """Opens photos for a model.

    Args:
        weights: the model.
        device: where to compute.
    """

    def __init__(self, weights: LoadedWeights, device: torch.device) -> None:
        weights.pyramid.to(device)
        self._weights, self._device = weights, device
        self._conditioner = Conditioner(weights.pyramid.late_blocks).to(device)
        self._described: dict[bytes, Described] = {}
        """What the last references look like, by a digest of their pixels, as an album has them."""

    @property
    def takes_hints(self) -> bool:
        """Whether the weights take color hints."""
        return self._weights.pyramid.config.takes_hints

    @property
    def takes_references(self) -> bool:
        """Whether the weights take references, other than for their style."""
        return self._weights.pyramid.likeness_head is not None

    def open(
        self,
        picture: Picture,
        hints: Sequence[Hint] = (),
        reference: Picture | Sequence[Picture] = (),
        style: Picture | None = None,
        *,
        isolated: bool = False,
    ) -> OpenPhoto:
        """Reads pictures, and gives the distribution of the first one's colorings."""
        references = [read_picture(other, isolated=isolated) for other in pictures_of(reference)]
        other = None if style is None else read_picture(style, isolated=isolated)
        photo, digest = read_picture(picture, isolated=isolated)
        return self.opened(photo, digest, hints, references, other)

    @one_thread()
    def opened(
        self,
        photo: Photo,
        digest: str | None,
        hints: Sequence[Hint],
        references: Sequence[tuple[Photo, str | None]] = (),
        style: tuple[Photo, str | None] | None = None,
    ) -> OpenPhoto:
        """The distribution of the colorings of a photo, whose file has this digest.

        References and style have digests of their files, too; those from memory, of their pixels.
        """
        if references and not self.takes_references:
            raise WeightsError("these weights take no references; use weights with a likeness head")
        others = [_with_colors(other) for other, _ in references]
        digests = tuple(own or _digest_of_pixels(other) for other, own in references)
        size = photo.pixels.shape[:2]
        planes = self._hint_planes(hints, size, ("thing", "larger", "alike"))
        reaches: list[Reach] = ["around", "alike"]
        painted = {reach: self._hint_planes(hints, size, (reach,)) for reach in reaches}
        on_things = thing_hints(hints, size[0], size[1], THINGS_GRID)
        latents = None if style is None else self._latents_of(style[0])

        @cache
        def lightness(side: int) -> Tensor:
            """What the model sees, (1, 1, side, side) L*."""
            square = square_lightness(photo.pixels, side)
            return torch.from_numpy(square)[None, None].to(self._device)

        def condition(planes: Tensor | None, side: int, *, mirrored: bool = False) -> Condition:
            parts = [lightness(side)]
            if planes is not None and side == LIGHTNESS_SIZE:
                parts.append(planes)
            return self._conditioner(*(x.flip(-1) if mirrored else x for x in parts))

        def model(planes: Tensor | None) -> PhotoModel:
            return PhotoModel(
                self._weights,
                partial(condition, planes),
                planes is not None,
                latents,
                {reach: planes for reach, planes in painted.items() if planes is not None},
                on_things,
                (lambda: [self._described_of(other) for other in others]) if others else None,
            )

        def colors(spec: ColoringSpec) -> Colors:
            return Colors(
                spec=spec,
                hints=tuple(hints),
                references=digests if spec.strength else (),
                style=(style[1] or _digest_of_pixels(style[0]))
                if style and any(spec.style_strengths)
                else None,
            )

        whole = model(planes)
        return OpenPhoto(
            photo=photo,
            model=whole,
            canvas=model(painted["alike"]) if on_things else whole,
            colors=colors,
            weights=Weights(colors=self._weights.digest),
            digest=digest,
        )

    def _hint_planes(
        self, hints: Sequence[Hint], size: tuple[int, int], reaches: Collection[Reach]
    ) -> Tensor | None:
        """Mask, a and b of the hints with some reaches, (1, 3, 64, 64); None without any."""
        if hints and not self.takes_hints:
            raise WeightsError("these weights take no color hints; use others")
        chosen = [hint for hint in hints if not isinstance(hint, Hint) or hint.reach in reaches]
        return hint_planes(chosen, *size)[None].to(self._device) if chosen else None

    def _described_of(self, reference: Photo) -> Described:
        """What a photo in color looks like, with its colors."""
        pixels = np.ascontiguousarray(reference.pixels)
        seen = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
        described = self._described.get(seen)
        if described is None:
            own = self.opened(reference, None, ()).model.described
            described = own._replace(ab=to_grid(pixels))
            if len(self._described) >= MOST_DESCRIBED:  # another thread may change it, too
                self._described.pop(next(iter(list(self._described))), None)
            self._described[seen] = described
        return described

    def _latents_of(self, style: Photo) -> Latents:
        """Latents of a photo's own colors."""
        ab = to_grid(_with_colors(style).pixels)
        return self.opened(style, None, ()).model.encode(ab[None])[0]


def pictures_of(reference: Picture | Sequence[Picture]) -> list[Picture]:
    """One picture, or all of a list or tuple of them."""
    if isinstance(reference, (list, tuple)):
        return list(reference)
    return [cast(Picture, reference)]


def _digest_of_pixels(photo: Photo) -> str:
    return digest_of_open(BytesIO(photo.pixels.tobytes()))


def _with_colors(photo: Photo) -> Photo:
    """The photo.

    Raises:
        PhotoError: if it is gray.
    """
    if photo.kind is Kind.GRAY:
        reason = "has no colors that could be carried over; choose a color photo"
        raise PhotoError(photo.source, reason)
    return photo
