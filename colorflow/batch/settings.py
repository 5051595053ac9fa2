"""What all photos of a batch have in common."""

from __future__ import annotations

from dataclasses import dataclass

from colorflow.photo import DEFAULT_MAX_PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How photos are coloured; the arguments of `Colorizer.draw`, and what is done with photos.

    Attributes:
        n: colourings of each photo.
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
        if self.n < 1:
            raise ValueError(f"n: expected at least 1, got {self.n}")
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number from 0, got {self.seed}")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature: expected a finite number, got {self.temperature}")
