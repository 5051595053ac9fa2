"""What all photos of a batch have in common."""

from __future__ import annotations

from dataclasses import dataclass

from colorflow.photo import DEFAULT_MAX_PIXELS, LETTERS

MOST_SAMPLES = 1000
"""Of one photo; they are drawn together, at 32 kB each."""

DIVERSE_POOL = 8
"""Seeds, for each coloring, that `Settings.diverse` may choose from, as `Colorizer.predict`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How photos are colored; the arguments of `Colorizer.predict`, and what is done with photos.

    Attributes:
        n: colorings of each photo: at most 16 principal ones, or `MOST_SAMPLES` samples.
        seed: of the first sample.
        temperature: multiplies the shipped temperatures.
        samples: independent samples instead of principal colorings.
        diverse: the n of many samples that differ most; sets `samples`.
        force: color photos that already have colors, too.
        overwrite: make results anew that are there already.
        likelihood: measure how likely each coloring is.
        max_pixels: width times height of a photo that is refused when exceeded.
    """

    n: int = 1
    seed: int = 0
    temperature: float = 1.0
    samples: bool = False
    diverse: bool = False
    force: bool = False
    overwrite: bool = False
    likelihood: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", self.samples or self.diverse)
        most, kind = (MOST_SAMPLES, "samples") if self.samples else (len(LETTERS), "principal ones")
        if not 1 <= self.n <= most:
            raise ValueError(f"n: expected 1 to {most} {kind}, got {self.n}")
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number from 0, got {self.seed}")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature: expected a finite number, got {self.temperature}")

    @property
    def seeds(self) -> range:
        """The seeds that a photo's samples may have."""
        pool = DIVERSE_POOL if self.diverse and self.n > 1 else 1
        return range(self.seed, self.seed + pool * self.n)

    @property
    def labels(self) -> list[str]:
        """What tells a photo's results from each other: exactly n labels if they are known.

        Letters for principal colorings, the first of them the mean of all samples; ``s`` and the
        seed for samples.
        """
        if self.samples:
            return [sample_label(seed) for seed in self.seeds]
        return list(LETTERS[: self.n])

    @property
    def labels_are_known(self) -> bool:
        """Whether they are, or drawing tells which samples are the most different ones."""
        return len(self.labels) == self.n


def sample_label(seed: int) -> str:
    """What tells the sample with this seed from a photo's other results."""
    return f"s{seed}"
