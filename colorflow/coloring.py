"""What a coloring is made from, and what a `Colorizer` returns; nothing here imports torch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, astuple, dataclass, replace
from functools import cached_property, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.cie import saturated
from colorflow.color.full_resolution import LightnessRows, render
from colorflow.color.grid import Rows
from colorflow.color.upsample import upsample_ab
from colorflow.files import digest_of_open
from colorflow.limits import (
    LARGEST_SEED,
    LARGEST_TEMPERATURE,
    MOST_PRINCIPAL,
    check_range,
    check_whole,
)
from colorflow.photo import LETTERS, Photo, Principal, Provenance, write_image

if TYPE_CHECKING:
    from colorflow.model.hints import Hint

_DIMENSIONS = 2 * 64**2
"""Numbers of a coloring's ab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalSpec:
    """One of the k principal colorings of a photo.

    Args:
        number: 0 for the mean, then the clusters in order of decreasing share.
        of: k.
        seed: seed of the first sample.
    """

    number: int
    of: int
    seed: int

    def __post_init__(self) -> None:
        _check_own_seed(self.seed)
        check_whole("of", self.of, 1, MOST_PRINCIPAL)
        check_whole("number", self.number, 0, self.of - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColoringSpec:
    """All that defines one coloring, given the photo, weights, hints, references and style.

    A plain sample has the same seed in all levels. Coarse levels decide the colors of objects and
    fine levels the details, so a new seed for some levels changes one and keeps the other.

    Args:
        seeds: one a level, coarse to fine; the latents of a level depend on its own seed and the
            photo only. None where a level is that of the principal coloring.
        principal: the principal coloring that supplies the levels without a seed.
        temperature: multiplies the shipped temperatures, 0 to `LARGEST_TEMPERATURE`.
        style_strengths: how far each level goes from its sampled latents (0) to the latents of the
            photo whose style is wanted (1); empty without one.
        skin: whether skin gets its own color, see `colorflow.model.skin`.
        strength: how far what looks alike in the references gets its colors there, 0 to 1; 0
            without references.

    Raises:
        ValueError: if a number is out of range, or the numbers of seeds and strengths differ.
    """

    seeds: tuple[int | None, ...]
    principal: PrincipalSpec | None = None
    temperature: float = 1.0
    style_strengths: tuple[float, ...] = ()
    skin: bool = True
    strength: float = 0.0

    def __post_init__(self) -> None:
        for seed in self.seeds:
            if seed is not None:
                _check_own_seed(seed)
            elif self.principal is None:
                raise ValueError(
                    "seeds: expected a number for every level, as there is no principal coloring"
                )
        own = (seed if seed is None else int(seed) for seed in self.seeds)
        object.__setattr__(self, "seeds", tuple(own))  # torch takes none of NumPy's
        check_range("temperature", self.temperature, 0, LARGEST_TEMPERATURE)
        check_range("strength", self.strength, 0, 1)
        for strength in self.style_strengths:
            check_range("style_strength", strength, 0, 1)
        if len(self.style_strengths) not in (0, len(self.seeds)):
            raise ValueError(
                f"style_strengths: expected none or {len(self.seeds)}, as many as seeds, "
                f"got {len(self.style_strengths)}"
            )

    @property
    def seed(self) -> int:
        """Seed of the coarsest level, or of the samples of the principal coloring."""
        own = self.seeds[0]
        if own is not None:
            return own
        assert self.principal is not None
        return self.principal.seed

    @property
    def filled(self) -> ColoringSpec:
        """The same with the first seed where a principal coloring supplies a level."""
        return replace(self, seeds=tuple(self.seed if s is None else s for s in self.seeds))

    @property
    def is_principal(self) -> bool:
        """Whether it is a principal coloring with no level sampled anew."""
        return self.principal is not None and not any(seed is not None for seed in self.seeds)

    def principal_spec(self, number: int, of: int) -> ColoringSpec:
        """One of the principal colorings of the samples from this one on."""
        principal = PrincipalSpec(number=number, of=of, seed=self.seed)
        return replace(self, seeds=(None,) * len(self.seeds), principal=principal)

    def sample_spec(self, seed: int) -> ColoringSpec:
        """The plain sample of a seed, with the same temperature and strengths."""
        return replace(self, seeds=(seed,) * len(self.seeds), principal=None)

    def resampled(self, levels: Collection[int], seed: int) -> ColoringSpec:
        """The same with another seed in some levels, given by their indices."""
        seeds = tuple(seed if i in levels else own for i, own in enumerate(self.seeds))
        return replace(self, seeds=seeds)


@dataclass(eq=False, repr=False)
class Coloring:
    """One coloring of one photo; the picture in full size is made when it is first asked for.

    Attributes:
        photo: what was colored.
        spec: what the coloring is made from; `Colorizer.reproduce` makes it again.
        ab: (2, 64, 64) CIELAB units, as the picture shows it.
        share: share of the samples that a principal coloring stands for; None for others.
        provenance: what a saved file says about its colors: seed, temperature, weights, and digests
            of the photo's file, of the hints and of the references.
        chroma: computes `model_ab`.
        density: computes `log_prob`.
        reference_shares: of the photo, to which each reference gives its color; empty without any.
        plain: the same before `saturated`; None for one that was not changed.
    """

    photo: Photo
    spec: ColoringSpec
    ab: NDArray[np.float32]
    _: KW_ONLY
    share: float | None
    provenance: Provenance
    chroma: Callable[[], NDArray[np.float32]]
    density: Callable[[], float]
    reference_shares: tuple[float, ...] = ()
    plain: Coloring | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Its fields, with chroma and likelihood in place of the model that computes them."""
        chroma, density = partial(np.asarray, self.model_ab), partial(float, self.log_prob)
        return {**vars(self), "chroma": chroma, "density": density}

    def __repr__(self) -> str:
        principal = self.provenance.principal
        kind = f"principal coloring {principal.letter} of {principal.of}" if principal else "sample"
        return f"<Coloring of {self.photo.source}: {kind}, seed {self.seed}>"

    @property
    def seed(self) -> int:
        """Seed of the coarsest level; of a principal coloring, of the first of its samples."""
        return self.spec.seed

    @cached_property
    def image(self) -> Image.Image:
        """The picture in full size: RGB, or RGBA where the photo has transparency."""
        picture = Image.fromarray(self.render())
        if self.photo.alpha is not None:
            picture.putalpha(Image.fromarray(self.photo.alpha))
        return picture

    @cached_property
    def model_ab(self) -> NDArray[np.float32]:
        """The chroma (2, 64, 64) of the model, given the hints, before it was assigned to things.

        Latents and `log_prob` are of this one. With hints for things it is computed when it is
        first asked for.
        """
        return self.chroma()

    @cached_property
    def log_prob(self) -> float:
        """Log density of `model_ab`, given the hints, in nats; see `Colorizer.log_prob`.

        It is computed when it is first asked for. -inf at the edge of the model's range.
        """
        return self.density()

    @property
    def bits_per_dim(self) -> float:
        """The same in bits per number of ab; lower is more likely."""
        return bits_per_dim(self.log_prob)

    def render(self, *, bits: Literal[8, 16] = 8, lightness: Rows | None = None) -> NDArray[Any]:
        """The picture in full size as an array.

        Args:
            bits: of each channel; 16 is more precise than 8 only for a photo of 16 bits.
            lightness: of the enlarged photo, (H, W) L* in [0, 100]; by default the photo's own.

        Returns:
            (H, W, 3) sRGB, uint8 or uint16.
        """
        if lightness is None:
            lightness = LightnessRows(self.photo.pixels if bits == 8 else self.photo.full_depth)
        return render(lightness, self.ab, bits=bits)

    def saturated(self, saturation: float = 1.0, pale: float = 1.0) -> Coloring:
        """The same coloring with stronger or weaker colors; hues and lightness stay.

        `ab` and the picture change, and saved files say so; `model_ab` and `log_prob` stay. Of
        several calls in a row the last one counts.

        Args:
            saturation: factor on all chroma, 0 (gray) to 2.
            pale: factor on the chroma of colors near gray, such as timid clothes and faces, 0 to 3;
                the more vivid a color, the less it changes.

        Raises:
            ValueError: if a factor is out of range.
        """
        plain = self.plain or self
        return replace(
            plain,
            ab=saturated(plain.ab, saturation, pale),
            provenance=replace(plain.provenance, saturation=saturation, pale=pale),
            plain=plain,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture as the command does.

        The file has the format of its suffix (.jpg, .png, .webp, .tif), the photo's metadata,
        transparency and, in PNG and TIFF, 16 bits, and it says what its colors were generated from.
        It appears whole or not at all.

        Raises:
            WritePhotoError: if the file cannot be written, or another file is there that is no
                coloring.
        """
        pixels = self.render(bits=self.photo.bits)
        write_image(path, pixels, self.photo, provenance=self.provenance)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelOutput:
    """A coloring after one level of the model, on its way from noise to chroma.

    Attributes:
        latents: (C, g, g) of the level only, with the std that they were sampled with.
        ab: (2, h, h) CIELAB units, on the grid that the level completes.
    """

    latents: NDArray[np.float32]
    ab: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uncertainty:
    """Central intervals of a and of b in every cell of the 64x64 grid.

    Attributes:
        level: nominal coverage: share of cells whose true value lies inside.
        middle: (2, 64, 64) of the intervals of a and b, CIELAB units.
        half_width: (2, 64, 64) CIELAB units.
        calibrated: whether the weights contain the factor that makes the coverage nominal on photos
            outside the training set; otherwise the intervals are the model's own.
    """

    level: float
    middle: NDArray[np.float32]
    half_width: NDArray[np.float32]
    calibrated: bool

    @property
    def map(self) -> NDArray[np.float32]:
        """(64, 64): distance in ab between corner and middle of the intervals, CIELAB units."""
        return np.hypot(*self.half_width)

    def at_full_size(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upsamples the map as chroma is upsampled, guided by lightness.

        Args:
            lightness: (H, W), L* in [0, 100].

        Returns:
            (H, W), CIELAB units, from 0.
        """
        a, b = upsample_ab(self.half_width, lightness)
        return np.hypot(a.clip(min=0), b.clip(min=0))


def provenance_of(
    spec: ColoringSpec,
    share: float | None,
    weights: str,
    *,
    photo: str | None = None,
    hints: str | None = None,
    references: tuple[str, ...] = (),
) -> Provenance:
    """What a file says about how its coloring was made.

    Args:
        spec: of the coloring.
        share: of a principal coloring, if it is known.
        weights: their digest.
        photo: digest of the photo's file. It is left out where the statement does not determine
            the coloring: with a style, with references that are no files, and where levels were
            resampled.
        hints: digest of the hints.
        references: digests of the files of the references; empty if any is no file.
    """
    principal = None
    if (which := spec.principal) is not None and None in spec.seeds:
        principal = Principal(LETTERS[which.number], which.of, share)
    from_no_files = spec.strength and not references
    if any(spec.style_strengths) or len(set(spec.seeds)) > 1 or from_no_files:
        photo = None
    return Provenance(
        spec.seed,
        spec.temperature,
        weights,
        photo,
        hints,
        principal,
        skin=spec.skin,
        references=references if spec.strength else (),
        strength=spec.strength if spec.strength and references else None,
    )


def digest_of_hints(hints: Sequence[Hint], start: ColoringSpec | None = None) -> str | None:
    """The digest that files state; None for no hints.

    Args:
        hints: of a photo.
        start: of the coloring on which they were given, if they say so themselves.
    """
    if not hints and start is None:
        return None
    given = [_numbers_of(one) for one in hints]
    if start is not None:
        given.append(astuple(start)[:-1])  # without `strength`: it is 0, and came later
    return digest_of_open(BytesIO(json.dumps(given).encode()))


def _numbers_of(hint: Hint) -> tuple[object, ...]:
    """The fields of a hint, without the last ones if they are the default: they came later."""
    if hint.adds or hint.takes:
        return astuple(hint)
    return astuple(hint)[: 4 if hint.reach == "thing" else 5]


def bits_per_dim(log_prob: float) -> float:
    """-log2 of a density of `log_prob`, divided by the 2 x 64 x 64 numbers of ab."""
    return -log_prob / (_DIMENSIONS * math.log(2))


def check_seed(seed: int) -> None:
    """Raises `ValueError` if a seed that is asked for is no whole number, or out of range."""
    check_whole("seed", seed, 0, LARGEST_SEED)


def _check_own_seed(seed: int) -> None:
    """Raises `ValueError` for a seed that no sample has; counting leads above the largest seed."""
    check_whole("seed", seed, 0, 2 * LARGEST_SEED)
