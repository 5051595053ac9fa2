"""Settings of `colorflow colorize` and `colorflow enlarge`, and what carries them out.

Photos are colored, and enlarged in one go if asked for; or they are enlarged alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from colorflow.batch.settings import COLORS, DETAIL, BatchSettings, Digests, Models, Results
from colorflow.enlarge.draws import MEAN, Draw, draws
from colorflow.errors import PhotoError
from colorflow.limits import (
    LARGEST_DETAIL_TEMPERATURE,
    LARGEST_TEMPERATURE,
    MOST_LOOKS,
    MOST_SAMPLES,
    SCALES,
)
from colorflow.photo import (
    COLORING,
    ENLARGED,
    LETTERS,
    Enlargement,
    Kind,
    Photo,
    Principal,
    Provenance,
    Statements,
)

if TYPE_CHECKING:
    from colorflow.batch.task import PhotoTask
    from colorflow.colorizer import Coloring, Colorizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(BatchSettings):
    """How the photos of a batch are colored.

    There are at most 16 principal colorings of each photo, or `MOST_SAMPLES` samples. With a scale
    of 2 or 4, all colorings of a photo get one detail.

    Attributes:
        temperature: multiplies the shipped temperatures.
        samples: make independent samples instead of principal colorings.
        looks: how often the model looks at each photo, 1 or `MOST_LOOKS`.
        likelihood: measure the likelihood of each coloring.
    """

    command = "colorize"
    done = "colored"
    kind = COLORING

    temperature: float = 1.0
    samples: bool = False
    looks: int = 1
    likelihood: bool = False

    def __post_init__(self) -> None:
        BatchSettings.__post_init__(self)
        most, kind = (MOST_SAMPLES, "samples") if self.samples else (len(LETTERS), "principal ones")
        if not 1 <= self.n <= most:
            raise ValueError(f"n: expected 1 to {most} {kind}, got {self.n}")
        if not 0 <= self.temperature <= LARGEST_TEMPERATURE:
            raise ValueError(
                f"temperature: expected 0 to {LARGEST_TEMPERATURE:g}, got {self.temperature}"
            )
        if self.looks not in (1, MOST_LOOKS):
            raise ValueError(f"looks: expected 1 or {MOST_LOOKS}, got {self.looks}")
        if self.scale not in (1, *SCALES):
            raise ValueError(f"scale: expected 1, 2 or 4, got {self.scale}")

    @property
    def models(self) -> Sequence[str]:
        """The models that it uses."""
        return (COLORS,) if self.scale == 1 else (COLORS, DETAIL)

    @property
    def has_seeds(self) -> bool:
        """Whether each result is a sample."""
        return self.samples

    @property
    def labels(self) -> list[str]:
        """Labels of the n results: letters, with ``a`` for the mean, or ``s`` and the seed."""
        if self.samples:
            return [f"s{seed}" for seed in range(self.seed, self.seed + self.n)]
        return list(LETTERS[: self.n])

    def statements(self, photo: str, hints: str | None, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label."""
        first = Provenance(
            seed=self.seed,
            temperature=self.temperature,
            model=weights[COLORS],
            photo=photo,
            hints=hints,
            looks=self.looks,
        )
        if self.samples:
            each = [replace(first, seed=self.seed + i) for i in range(self.n)]
        else:
            each = [replace(first, principal=Principal(a, self.n)) for a in LETTERS[: self.n]]
        detail = None
        if self.scale > 1:
            detail = Enlargement(
                scale=self.scale,
                seed=MEAN.seed,
                temperature=MEAN.temperature,
                model=weights[DETAIL],
                photo=photo,
                restored=self.restore,
            )
        return {
            label: Statements(one, detail) for label, one in zip(self.labels, each, strict=True)
        }

    def leaves(self, photo: Photo, task: PhotoTask) -> bool:
        """Whether a photo has colors and is not to be treated as gray."""
        return photo.kind is Kind.COLORED and not task.treat_as_gray

    def results(
        self, models: Models, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Results:
        """The colorings of one photo, whose colors come from the photo as it is.

        All are predicted even if some results exist, so that each is the same whichever others are
        missing.
        """
        assert models.colorizer
        colorings = self._colored(models.colorizer, photo, task)
        by_label = dict(zip(expected, colorings, strict=True))

        @cache
        def lightness() -> np.ndarray | None:
            if self.scale == 1:
                return None
            assert models.enlarger
            return models.enlarger.lightness(
                photo, self.scale, MEAN.temperature, MEAN.seed, restore=self.restore
            )

        def paint(label: str) -> tuple[np.ndarray, Photo]:
            pixels = by_label[label].render(bits=photo.bits, lightness=lightness())
            return pixels, photo if self.scale == 1 else photo.enlarged(pixels)

        colored = photo.kind is Kind.COLORED
        return Results(
            {label: _with_share(said, by_label[label].share) for label, said in expected.items()},
            paint,
            remarks=("has colors, and was treated as gray",) if colored else (),
            bits_per_dim=[one.bits_per_dim for one in colorings] if self.likelihood else None,
        )

    def _colored(self, colorizer: Colorizer, photo: Photo, task: PhotoTask) -> list[Coloring]:
        try:
            return colorizer.colorize(
                photo,
                self.n,
                self.temperature,
                self.seed,
                samples=self.samples,
                looks=self.looks,
                force=True,  # who may be colored was decided before
                hints=task.hints,
            )
        except ValueError as error:  # settings were checked before, so a hint is outside the photo
            if not task.hints:
                raise
            raise PhotoError(str(task.path), str(error)) from error


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


def _with_share(said: Statements, share: float | None) -> Statements:
    """What a coloring says of itself, with its share if it is a principal one."""
    if share is None:
        return said
    assert said.colors
    assert said.colors.principal
    principal = replace(said.colors.principal, share=share)
    return replace(said, colors=replace(said.colors, principal=principal))
