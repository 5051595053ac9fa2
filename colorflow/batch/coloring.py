"""Settings of `colorflow colorize`, and what carries them out.

Photos are colored, and enlarged in one go if asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from colorflow.batch.settings import COLORS, DETAIL, Digests
from colorflow.enlarge.draws import MEAN
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import FileKind
from colorflow.limits import LARGEST_TEMPERATURE, MOST_LOOKS, MOST_SAMPLES, SCALES
from colorflow.photo import (
    COLORING,
    DEFAULT_MAX_PIXELS,
    LETTERS,
    Enlargement,
    Kind,
    Photo,
    Principal,
    Provenance,
    Statements,
)

if TYPE_CHECKING:
    from colorflow.batch.plan import PhotoTask
    from colorflow.colorizer import Coloring, Colorizer
    from colorflow.enlarge.enlarger import Enlarger


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the photos of a batch are colored.

    Attributes:
        n: number of colorings of each photo: at most 16 principal ones, or `MOST_SAMPLES` samples.
        seed: of the first sample.
        temperature: multiplies the shipped temperatures.
        samples: make independent samples instead of principal colorings.
        looks: how often the model looks at each photo, 1 or `MOST_LOOKS`.
        overwrite: replace existing results.
        likelihood: measure the likelihood of each coloring.
        scale: how many times larger each side becomes; all colorings of a photo get one detail.
        restore: take blur, noise and compression out while enlarging.
        max_pixels: largest width times height of a photo.
    """

    n: int = 1
    seed: int = 0
    temperature: float = 1.0
    samples: bool = False
    looks: int = 1
    overwrite: bool = False
    likelihood: bool = False
    scale: int = 1
    restore: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        most, kind = (MOST_SAMPLES, "samples") if self.samples else (len(LETTERS), "principal ones")
        if not 1 <= self.n <= most:
            raise ValueError(f"n: expected 1 to {most} {kind}, got {self.n}")
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number from 0, got {self.seed}")
        if not 0 <= self.temperature <= LARGEST_TEMPERATURE:
            raise ValueError(
                f"temperature: expected 0 to {LARGEST_TEMPERATURE:g}, got {self.temperature}"
            )
        if self.looks not in (1, MOST_LOOKS):
            raise ValueError(f"looks: expected 1 or {MOST_LOOKS}, got {self.looks}")
        if self.scale not in (1, *SCALES):
            raise ValueError(f"scale: expected 1, 2 or 4, got {self.scale}")

    @property
    def command(self) -> str:
        """The command's name."""
        return "colorize"

    @property
    def done(self) -> str:
        """What a photo is afterwards."""
        return "colored"

    @property
    def kind(self) -> FileKind:
        """The kind of file that a result is."""
        return COLORING

    @property
    def models(self) -> Sequence[str]:
        """The models that it uses."""
        return (COLORS,) if self.scale == 1 else (COLORS, DETAIL)

    @property
    def seeds(self) -> range:
        """Seeds of the samples that a photo's results may be."""
        return range(self.seed, self.seed + self.n)

    @property
    def labels(self) -> list[str]:
        """Labels of the n results that a photo gets.

        Principal colorings have letters, with ``a`` for the mean; samples have ``s``
        and the seed.
        """
        if self.samples:
            return [_sample_label(seed) for seed in self.seeds]
        return list(LETTERS[: self.n])

    def statements(self, photo: str, hints: str | None, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label; shares are known only after sampling."""
        first = Provenance(
            seed=self.seed,
            temperature=self.temperature,
            model=weights[COLORS],
            photo=photo,
            hints=hints,
            looks=self.looks,
        )
        if self.samples:
            each = [replace(first, seed=seed) for seed in self.seeds]
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

    def maker(self, colorizer: Colorizer | None, enlarger: Enlarger | None) -> ColoringMaker:
        """What colors photos."""
        if self.scale == 1:
            enlarger = None
        if colorizer is None or (enlarger is None and self.scale > 1):
            raise ValueError(f"models: expected those of {', '.join(self.models)}")
        if enlarger and self.restore and not enlarger.can_restore:
            raise WeightsError("these weights cannot restore; leave --restore away")
        return ColoringMaker(self, colorizer, enlarger)


class ColoringMaker:
    """Colors photos.

    Args:
        settings: of the batch.
        colorizer: the model of colors.
        enlarger: the model of detail, for a scale above 1.
    """

    def __init__(self, settings: Settings, colorizer: Colorizer, enlarger: Enlarger | None) -> None:
        self.settings, self.colorizer, self.enlarger = settings, colorizer, enlarger

    @property
    def weights(self) -> Digests:
        """The digests of the models."""
        detail = {DETAIL: self.enlarger.digest} if self.enlarger else {}
        return {COLORS: self.colorizer.digest, **detail}

    def refusal(self, photo: Photo, task: PhotoTask) -> str | None:
        """Why a photo is left as it is, or None."""
        if photo.kind is Kind.COLORED and not task.treat_as_gray:
            return "already has colors; --treat-as-gray with its name colors it from its lightness"
        return None

    def results(
        self, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Colorings:
        """The colorings of one photo.

        All are predicted even if some results exist, so that each is the same whichever others are
        missing. Colors come from the photo as it is.
        """
        colorings = _colored(self.colorizer, photo, task, self.settings)
        return Colorings(self, photo, colorings, expected)


class Colorings:
    """The colorings of one photo, which are painted when asked for."""

    def __init__(
        self,
        maker: ColoringMaker,
        photo: Photo,
        colorings: Sequence[Coloring],
        expected: Mapping[str, Statements],
    ) -> None:
        self._maker, self._photo, self._colorings = maker, photo, colorings
        self._gray: list[str] = []
        self.statements: Mapping[str, Statements] = _stated(colorings, expected)

    def painted(self, labels: Sequence[str]) -> Iterator[tuple[np.ndarray, Photo]]:
        """Makes pixels, with the photo that says their size and metadata."""
        settings, photo, enlarger = self._maker.settings, self._photo, self._maker.enlarger
        lightness = None
        if enlarger and labels:
            lightness = enlarger.lightness(
                photo,
                settings.scale,
                MEAN.temperature,
                MEAN.seed,
                restore=settings.restore,
            )
        by_label = dict(zip(self.statements, self._colorings, strict=True))
        for label in labels:
            pixels = by_label[label].render(bits=photo.bits, lightness=lightness)
            if _is_gray(pixels):
                self._gray.append(label)
            yield pixels, photo if lightness is None else photo.enlarged(pixels)

    def remarks(self, task: PhotoTask) -> tuple[str, ...]:
        """Says whether the photo's colors were left out, and what shows hardly any color."""
        said = []
        if task.treat_as_gray and self._photo.kind is Kind.COLORED:
            said.append("has colors, and was treated as gray")
        if names := ", ".join(task.name(label) for label in self._gray):
            said.append(f"nearly gray, since black and white show no color: {names}")
        return tuple(said)

    def likelihoods(self) -> list[float] | None:
        """Bits per dimension of each coloring."""
        if not self._maker.settings.likelihood:
            return None
        return [one.bits_per_dim for one in self._colorings]


def _colored(
    colorizer: Colorizer, photo: Photo, task: PhotoTask, settings: Settings
) -> list[Coloring]:
    try:
        return colorizer.colorize(
            photo,
            settings.n,
            settings.temperature,
            settings.seed,
            samples=settings.samples,
            looks=settings.looks,
            force=True,  # who may be colored was decided before
            hints=task.hints,
        )
    except ValueError as error:  # settings were checked before, so a hint is outside the photo
        if not task.hints:
            raise
        raise PhotoError(str(task.path), str(error)) from error


def _stated(
    colorings: Sequence[Coloring], expected: Mapping[str, Statements]
) -> dict[str, Statements]:
    """What each coloring will say of itself, with its share, by label."""
    if colorings[0].share is None:
        return {label: expected[label] for label in (_sample_label(one.seed) for one in colorings)}
    stated = {}
    for (label, said), one in zip(expected.items(), colorings, strict=True):
        assert said.colors
        assert said.colors.principal
        principal = replace(said.colors.principal, share=one.share)
        stated[label] = replace(said, colors=replace(said.colors, principal=principal))
    return stated


def _is_gray(pixels: np.ndarray) -> bool:
    """Whether a coloring (H, W, 3), of 8 or 16 bits, shows hardly any color."""
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    return Photo(pixels=eight).kind is Kind.GRAY


def _sample_label(seed: int) -> str:
    return f"s{seed}"
