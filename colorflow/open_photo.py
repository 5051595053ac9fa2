"""A photo that was opened for coloring: what the model sees of it, and its colorings.

What `Colorizer.open` returns can color the photo, vary colorings, go from one to another, take them
apart, and judge them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.color.grid import square_lightness, to_grid
from colorflow.device import one_thread
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import digest_of_open
from colorflow.limits import check_seed, check_whole
from colorflow.model.condition import LIGHTNESS_SIZE, Condition, Conditioner
from colorflow.model.config import FINEST_GRID
from colorflow.model.hints import hint_planes, thing_hints
from colorflow.model.intervals import NOMINAL_LEVELS, central_interval, check_sample_count
from colorflow.model.level import slerp
from colorflow.model.likeness import Described, overview
from colorflow.model.skin import tone_latents
from colorflow.model.things import THINGS_GRID
from colorflow.model.weights import LoadedWeights
from colorflow.photo import Kind, Photo, Picture, read_picture
from colorflow.photo_model import CHUNK, Latents, PhotoModel
from colorflow.recipe import ColoringSpec, Colors, Hint, Reach, Recipe, Weights
from colorflow.result import LevelOutput, Result, Uncertainty

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
        loaded: the model's weights.
        digest: of the photo's file.
    """

    photo: Photo
    model: PhotoModel
    canvas: PhotoModel
    colors: Callable[[ColoringSpec], Colors]
    loaded: LoadedWeights
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
                weights=Weights(colors=self.loaded.digest),
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

    def reproduce(self, specs: Sequence[ColoringSpec | Result]) -> list[Result]:
        """Makes colorings again, from their specs."""
        if not specs:
            raise ValueError("specs: expected at least one, got none")
        return self.made([self._spec_of(coloring) for coloring in specs])

    def resample(
        self,
        coloring: int | ColoringSpec | Result,
        levels: Collection[int],
        seed: int,
        n: int = 1,
    ) -> list[Result]:
        """Samples some levels of a coloring anew and keeps the others.

        With new fine levels, such as (16, 32, 64), the colors of objects stay and the details
        change. With new coarse levels the colors change and the details keep their latents.

        Args:
            coloring: made before, its spec, or the seed of a plain sample.
            levels: some of the names in `Colorizer.levels`.
            seed: coloring i has `seed + i` in these levels.
            n: number of colorings.
        """
        names = self.loaded.pyramid.config.chroma_grids
        some = isinstance(levels, Collection) and len(levels) > 0
        if not (some and all(level in names for level in levels)):
            raise ValueError(
                f"levels: expected some of {', '.join(map(str, names))}, got {levels!r}"
            )
        check_whole("n", n, 1)
        check_seed(seed)
        spec, indices = self._spec_of(coloring), [names.index(name) for name in levels]
        specs = [spec.resampled(indices, s) for s in range(seed, seed + n)]
        return self.made(specs)

    def interpolate(
        self,
        start: int | ColoringSpec | Result,
        end: int | ColoringSpec | Result,
        steps: int,
    ) -> NDArray[np.float32]:
        """Interpolates between two colorings, in every level on the arc between their latents.

        Args:
            start: a coloring, made before, its spec, or the seed of a plain sample.
            end: a coloring, made before, its spec, or the seed of a plain sample.
            steps: number of colorings, both ends included; at least 2.

        Returns:
            (steps, 2, 64, 64) CIELAB units, for `render`. The ends are, to the bit, what
            `reproduce` gives for each of the two specs alone. Those in between are painted like
            the start.
        """
        check_whole("steps", steps, 2)
        ends = [self._spec_of(start), self._spec_of(end)]
        model = self.canvas
        first, last = (model.latents(spec) for spec in ends)
        between = [
            [slerp(a, b, step / (steps - 1)) for a, b in zip(first, last, strict=True)]
            for step in range(1, steps - 1)
        ]
        # Each end alone: the last bits depend on how many colorings are decoded at once.
        outer = [model.paint(model.chroma([spec]), [spec]) for spec in ends]
        inner = []
        if between:
            way = np.linspace(0, 1, steps, dtype=np.float32)[1:-1, None]
            start_tone, end_tone = model.tones(ends)
            tones = (1 - way) * start_tone + way * end_tone
            inner = [model.paint(model.decode(between), [ends[0]] * len(between), tones)]
        return np.concatenate([outer[0], *inner, outer[1]])

    def decode_by_level(
        self,
        coloring: int | ColoringSpec | Result,
    ) -> list[LevelOutput]:
        """Shows a coloring without a style after each level, coarse to fine.

        The last chroma is `Result.model_ab` of `reproduce`, before it is assigned to things: to
        the bit for a sample alone, and nearly for a principal coloring.

        Args:
            coloring: made before, its spec, or the seed of a plain sample.
        """
        model = self.model
        latents = model.latents(self._spec_of(coloring))
        return [
            LevelOutput(latents=z.numpy(), ab=model.decode([latents[: index + 1]])[0])
            for index, z in enumerate(latents)
        ]

    def uncertainty(
        self,
        n: int = 64,
        seed: int = 0,
        *,
        level: float = NOMINAL_LEVELS[-1],
    ) -> Uncertainty:
        """Estimates central intervals of the colors in every cell.

        The samples have std 1, which is the model itself: the shipped temperatures are a matter of
        taste and would make it look too certain. The intervals are stretched by the factor in the
        weights that made their coverage nominal on photos outside the training set. On skin they
        are those of its own colors.

        Args:
            n: number of samples; 64 in the calibration, at least 19 for the interval of 0.9.
            seed: sample i depends on `seed + i` only.
            level: nominal coverage, 0.5 or 0.9.
        """
        if level not in NOMINAL_LEVELS:
            known = " or ".join(f"{share:g}" for share in NOMINAL_LEVELS)
            raise ValueError(f"level: expected {known}, got {level}")
        check_sample_count(n, level)
        check_seed(seed)
        model, std1 = self.model, [1.0] * len(self.loaded.pyramid.config.chroma_grids)
        latents = [model.sample(self._spec_of(s), std1) for s in range(seed, seed + n)]
        ab = model.decode(latents, gain=1.0)
        ab = model.with_skin(ab, tone_latents([one[0] for one in latents]))
        middle, half_width = central_interval(torch.from_numpy(ab), level)
        factors = self.loaded.interval_factors
        return Uncertainty(
            level=level,
            middle=middle.numpy(),
            half_width=(factors.get(level, 1.0) * half_width).numpy(),
            calibrated=level in factors,
        )

    def skin(self) -> NDArray[np.float32]:
        """How far each cell gets the color of skin, (64, 64) from 0 to 1.

        All zero where the weights have no head for skin.
        """
        found = self.model.skin
        return np.zeros((FINEST_GRID, FINEST_GRID), np.float32) if found is None else found.weight

    def likeness(self) -> NDArray[np.float32]:
        """How far the references give each cell its color, (64, 64) from 0 to 1.

        Raises:
            ValueError: if it was opened without references.
        """
        found = self.model.likeness
        if found is None:
            raise ValueError("reference: expected at least one photo, got none")
        return found.weight

    def looks(self) -> NDArray[np.float32]:
        """What a photo looks like as a whole: a vector to compare it with others by."""
        return overview(self.model.condition)

    def log_prob(
        self,
        ab: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float64]:
        """Exact log density of colors under the model, given the photo's lightness and the hints.

        Reported bits per dimension are of chroma with noise of std 1 on every pixel; this is the
        density of the chroma without noise.

        Args:
            ab: (n, 2, 64, 64) CIELAB units, within +-128; None for the photo's own colors, which
                are zero everywhere in a gray photo.

        Returns:
            (n,) nats, density per CIELAB unit of each of 8192 numbers.
        """
        if ab is None:
            ab = to_grid(self.photo.pixels)[None]
        _check_shape("ab", ab)
        limit = self.loaded.pyramid.config.chroma_limit
        if not (np.abs(ab) < limit).all():
            raise ValueError(f"ab: expected values within +-{limit:g}, got some outside")
        return self.model.log_prob(ab)

    def render(
        self, chroma: NDArray[np.float32], *, bits: Literal[8, 16] = 8
    ) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
        """Renders chroma on the photo's own lightness at full resolution, one coloring at a time.

        Args:
            chroma: (n, 2, 64, 64) CIELAB units, such as what `interpolate` returns.
            bits: bits of each channel; 16 is more precise than 8 only for a photo of 16 bits.

        Yields:
            n arrays (H, W, 3) of sRGB, uint8 or uint16.
        """
        _check_shape("chroma", chroma)
        pixels = self.photo.pixels if bits == 8 else self.photo.full_depth
        lightness = LightnessRows(pixels)
        for ab in chroma:  # (2, 64, 64) -> (H, W, 3)
            yield render(lightness, ab, bits=bits)

    def _spec_of(self, coloring: int | ColoringSpec | Result) -> ColoringSpec:
        if isinstance(coloring, Result):
            return coloring.spec
        if isinstance(coloring, ColoringSpec):
            return coloring
        return ColoringSpec(seeds=(coloring,) * len(self.loaded.pyramid.config.chroma_grids))


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
            loaded=self._weights,
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


def _check_shape(name: str, ab: NDArray[np.float32]) -> None:
    """Raises `ValueError` unless an argument is the chroma of at least one coloring."""
    shape = np.shape(ab)
    if len(shape) != 4 or shape[1:] != (2, FINEST_GRID, FINEST_GRID) or shape[0] == 0:
        expected = f"(n, 2, {FINEST_GRID}, {FINEST_GRID})"
        raise ValueError(f"{name}: expected shape {expected}, got {shape}")
