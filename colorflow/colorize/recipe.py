"""What a coloring is made of, small enough to be kept beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_LARGEST_SEED = 2**63 - 1
"""Of torch's generator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One of k principal colorings of a photo.

    Args:
        number: 0 for the mean of all samples, then the modes by falling share.
        of: k.
        seed: of the samples.
    """

    number: int
    of: int
    seed: int

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not 0 <= self.number < self.of:
            raise ValueError(f"number: expected 0 to {self.of - 1}, got {self.number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one coloring is made; the same photo, weights, hints and reference give it again.

    A plain sample has one seed for all levels. Coarse levels hold the colors of objects, fine ones
    details, so other seeds for some levels change the one and keep the other.

    Args:
        seeds: one a level of the weights, coarse to fine; the numbers of a level depend on its
            own seed and the photo alone. None where a level is that of the card.
        card: the principal coloring that levels without a seed are taken from.
        temperature: multiplies the shipped temperatures.
        strengths: how far each level goes from its drawn latents (0) to those of the reference
            photo (1); empty without a reference.

    Raises:
        ValueError: if a number is out of range, or seeds and strengths differ in number.
    """

    seeds: tuple[int | None, ...]
    card: Card | None = None
    temperature: float = 1.0
    strengths: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for seed in self.seeds:
            if seed is not None:
                check_seed(seed)
            elif self.card is None:
                raise ValueError("seeds: expected a number for every level, as there is no card")
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
        """Of the coarsest level; of a card's that of its samples."""
        own = self.seeds[0]
        if own is not None:
            return own
        assert self.card is not None
        return self.card.seed

    @property
    def is_card(self) -> bool:
        """Whether it is a principal coloring as it is, no level drawn anew."""
        return self.card is not None and not any(seed is not None for seed in self.seeds)

    def redrawn(self, levels: Collection[int], seed: int) -> Recipe:
        """The recipe with another seed for some levels, given by their indices."""
        seeds = tuple(seed if i in levels else own for i, own in enumerate(self.seeds))
        return replace(self, seeds=seeds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Colorings of one photo before they are painted at full resolution.

    Attributes:
        recipes: of each coloring; `draw_recipes(photo, [recipes[i]])` gives coloring i again.
        ab: (n, 2, 64, 64) CIELAB units.
        shares: of principal colorings, the share of the samples that each is the mean of; empty
            for others.
    """

    recipes: list[Recipe]
    ab: NDArray[np.float32]
    shares: tuple[float, ...] = ()

    @property
    def seeds(self) -> list[int]:
        """Of the coarsest level of each coloring; of a card that of its samples.

        `draw(photo, 1, seed=seeds[i], samples=True)` gives sample i again.
        """
        return [recipe.seed for recipe in self.recipes]


def check_seed(seed: int, following: int = 0) -> None:
    """Refuses a seed that is below 0, or too large for some `following` ones to be counted on."""
    if not 0 <= seed <= _LARGEST_SEED - following:
        raise ValueError(f"seed: expected a whole number from 0, got {seed}")
