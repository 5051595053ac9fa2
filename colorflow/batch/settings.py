"""Settings of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from colorflow.limits import DIVERSE_POOL, MOST_SAMPLES
from colorflow.photo import DEFAULT_MAX_PIXELS, LETTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the photos of a batch are colored.

    Attributes:
        n: number of colorings of each photo: at most 16 principal ones, or `MOST_SAMPLES` samples.
        seed: of the first sample.
        temperature: multiplies the shipped temperatures.
        samples: make independent samples instead of principal colorings.
        diverse: make the n of many samples that differ most; sets `samples`.
        force: also recolor photos that already have color.
        overwrite: replace existing results.
        likelihood: measure the likelihood of each coloring.
        max_pixels: largest width times height of a photo.
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
        """Seeds of the samples that a photo's results may be."""
        pool = DIVERSE_POOL if self.diverse and self.n > 1 else 1
        return range(self.seed, self.seed + pool * self.n)

    @property
    def labels(self) -> list[str]:
        """Labels of the results that a photo may get; exactly n of them unless `diverse`.

        Principal colorings have letters, with ``a`` for the mean of all samples; samples have ``s``
        and the seed.
        """
        if self.samples:
            return [sample_label(seed) for seed in self.seeds]
        return list(LETTERS[: self.n])

    @property
    def labels_are_known(self) -> bool:
        """Whether the labels are known before sampling, as for all but diverse samples."""
        return len(self.labels) == self.n


def sample_label(seed: int) -> str:
    """The label of the sample with this seed."""
    return f"s{seed}"
