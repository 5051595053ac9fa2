"""What a coloring is made from, and what a `Colorizer` returns.

Everything here is small enough to be kept beside a picture and needs no network.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from colorflow.color.upsample import upsample_ab

_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalSpec:
    """One of the k principal colorings of a photo.

    Args:
        number: 0 for the mean of all samples, then the modes in order of decreasing share.
        of: k.
        seed: seed of the first sample.
    """

    number: int
    of: int
    seed: int

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not 0 <= self.number < self.of:
            raise ValueError(f"number: expected 0 to {self.of - 1}, got {self.number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColoringSpec:
    """All that defines one coloring, given the photo, the weights, the hints and the reference.

    A plain sample has the same seed in all levels. Coarse levels decide the colors of objects and
    fine levels the details, so a new seed for some levels changes one and keeps the other.

    Args:
        seeds: one a level, coarse to fine; the latents of a level depend on its own seed and the
            photo only. None where a level is that of the principal coloring.
        principal: the principal coloring that supplies the levels without a seed.
        temperature: multiplies the shipped temperatures.
        strengths: how far each level goes from its sampled latents (0) to the latents of the
            reference photo (1); empty without a reference.

    Raises:
        ValueError: if a number is out of range, or the numbers of seeds and strengths differ.
    """

    seeds: tuple[int | None, ...]
    principal: PrincipalSpec | None = None
    temperature: float = 1.0
    strengths: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for seed in self.seeds:
            if seed is not None:
                check_seed(seed)
            elif self.principal is None:
                raise ValueError(
                    "seeds: expected a number for every level, as there is no principal coloring"
                )
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature: expected a finite number from 0, got {self.temperature}"
            )
        for strength in self.strengths:
            if not 0 <= strength <= 1:
                raise ValueError(f"strength: expected 0 to 1, got {strength}")
        if len(self.strengths) not in (0, len(self.seeds)):
            raise ValueError(
                f"strengths: expected none or {len(self.seeds)}, as many as seeds, "
                f"got {len(self.strengths)}"
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Colorings of one photo on the 64x64 grid, before they are rendered at full resolution.

    Attributes:
        specs: one a coloring; `reproduce(photo, [specs[i]])` gives coloring i again.
        ab: (n, 2, 64, 64) CIELAB units.
        shares: share of the samples that each principal coloring is the mean of; empty for samples.
    """

    specs: list[ColoringSpec]
    ab: NDArray[np.float32]
    shares: tuple[float, ...] = ()

    @property
    def seeds(self) -> list[int]:
        """Seed of the coarsest level of each coloring.

        `predict(photo, 1, seed=seeds[i], samples=True)` gives sample i again.
        """
        return [spec.seed for spec in self.specs]


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


def check_seed(seed: int, following: int = 0) -> None:
    """Raises `ValueError` if a seed or one of the `following` ones is out of range."""
    if not 0 <= seed <= _LARGEST_SEED - following:
        raise ValueError(f"seed: expected a whole number from 0, got {seed}")
