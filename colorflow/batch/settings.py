"""What all photos of a batch have in common."""

from __future__ import annotations

from dataclasses import dataclass

from colorflow.photo import DEFAULT_MAX_PIXELS

MOST_COLORINGS = 1000
"""Of one photo; they are drawn together, at 32 kB each."""

DIVERSE_POOL = 8
"""Seeds, for each coloring, that `Settings.diverse` may choose from, as `Colorizer.draw` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How photos are coloured; the arguments of `Colorizer.draw`, and what is done with photos.

    Attributes:
        n: colourings of each photo, at most `MOST_COLORINGS`.
        seed: of the first one.
        temperature: multiplies the shipped temperatures.
        diverse: the n of many draws that differ most.
        force: colour photos that already have colours, too.
        overwrite: make results anew that are there already.
        likelihood: measure how likely each colouring is.
        max_pixels: width times height of a photo that is refused when exceeded.
    """

    n: int = 1
    seed: int = 0
    temperature: float = 1.0
    diverse: bool = False
    force: bool = False
    overwrite: bool = False
    likelihood: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MOST_COLORINGS:
            raise ValueError(f"n: expected 1 to {MOST_COLORINGS}, got {self.n}")
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number from 0, got {self.seed}")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature: expected a finite number, got {self.temperature}")

    @property
    def seeds(self) -> range:
        """The seeds that a photo's results may have: exactly n of them if they are known."""
        pool = DIVERSE_POOL if self.diverse and self.n > 1 else 1
        return range(self.seed, self.seed + pool * self.n)

    @property
    def seeds_are_known(self) -> bool:
        """Whether they are, or drawing tells which are the most different ones."""
        return len(self.seeds) == self.n
