"""Settings of `colorflow enlarge`, and what carries them out.

Photos get two or four times as many pixels on each side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from colorflow.batch.settings import DETAIL, BatchSettings, Digests, Models, Results
from colorflow.enlarge.draws import Draw, draws
from colorflow.limits import LARGEST_DETAIL_TEMPERATURE, MOST_SAMPLES, SCALES
from colorflow.photo import ENLARGED, Enlargement, Photo, Statements

if TYPE_CHECKING:
    from colorflow.batch.task import PhotoTask


@dataclass(frozen=True, slots=True, kw_only=True)
class EnlargeSettings(BatchSettings):
    """How the photos of a batch are enlarged, colorings among them.

    Attributes:
        scale: 2 or 4.
        temperature: factor on what a sample adds to the mean; by default the first result is the
            mean, and the others are samples (`colorflow.enlarge.draws`).
    """

    command = "enlarge"
    done = "enlarged"
    kind = ENLARGED

    scale: int = 2
    temperature: float | None = None

    def __post_init__(self) -> None:
        BatchSettings.__post_init__(self)
        if self.scale not in SCALES:
            raise ValueError(f"scale: expected 2 or 4, got {self.scale}")
        if not 1 <= self.n <= MOST_SAMPLES:
            raise ValueError(f"n: expected 1 to {MOST_SAMPLES}, got {self.n}")
        temperature = self.temperature or 0
        if not 0 <= temperature <= LARGEST_DETAIL_TEMPERATURE:
            raise ValueError(
                f"temperature: expected 0 to {LARGEST_DETAIL_TEMPERATURE:g}, got {temperature}"
            )

    @property
    def models(self) -> Sequence[str]:
        """The models that it uses."""
        return (DETAIL,)

    @property
    def has_seeds(self) -> bool:
        """Whether each result is a sample."""
        return self.temperature is not None

    @property
    def labels(self) -> list[str]:
        """Labels such as ``x2_mean`` and ``x2_s1``: the scale, and the mean or a sample's seed."""
        return [f"x{self.scale}_{draw.label}" for draw in self._draws]

    @property
    def _draws(self) -> list[Draw]:
        return draws(self.n, self.temperature, self.seed)

    def statements(self, photo: str, hints: str | None, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label."""
        return {
            label: Statements(
                detail=Enlargement(
                    scale=self.scale,
                    seed=draw.seed,
                    temperature=draw.temperature,
                    model=weights[DETAIL],
                    photo=photo,
                    restored=self.restore,
                )
            )
            for label, draw in zip(self.labels, self._draws, strict=True)
        }

    def leaves(self, photo: Photo, task: PhotoTask) -> bool:
        """Every photo is enlarged."""
        return False

    def results(
        self, models: Models, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Results:
        """The results of one photo; the density of a whole photo is not computed."""
        enlarger = models.enlarger
        assert enlarger

        def paint(label: str) -> tuple[np.ndarray, Photo]:
            detail = expected[label].detail
            assert detail
            large = enlarger.enlarge_photo(
                photo, detail.scale, detail.temperature, detail.seed, restore=detail.restored
            )
            return large.full_depth, large

        return Results(expected, paint)
