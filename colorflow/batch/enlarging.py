"""Settings of `colorflow enlarge`, and what carries them out.

Photos get two or four times as many pixels on each side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from colorflow.batch.settings import DETAIL, Digests
from colorflow.enlarge.draws import Draw, draws
from colorflow.errors import WeightsError
from colorflow.files import FileKind
from colorflow.limits import LARGEST_DETAIL_TEMPERATURE, MOST_SAMPLES, SCALES
from colorflow.photo import DEFAULT_MAX_PIXELS, ENLARGED, Enlargement, Photo, Statements

if TYPE_CHECKING:
    from colorflow.batch.plan import PhotoTask
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger


@dataclass(frozen=True, slots=True, kw_only=True)
class EnlargeSettings:
    """How the photos of a batch are enlarged.

    Attributes:
        scale: 2 or 4.
        n: number of results of each photo.
        seed: of the first result; each further one adds 1.
        temperature: factor on what a sample adds to the mean; by default the first result is the
            mean, and the others are samples (`colorflow.enlarge.draws`).
        restore: take blur, noise and compression out.
        overwrite: replace existing results.
        max_pixels: largest width times height of a photo.
    """

    scale: int = 2
    n: int = 1
    seed: int = 0
    temperature: float | None = None
    restore: bool = False
    overwrite: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale: expected 2 or 4, got {self.scale}")
        if not 1 <= self.n <= MOST_SAMPLES:
            raise ValueError(f"n: expected 1 to {MOST_SAMPLES}, got {self.n}")
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number from 0, got {self.seed}")
        temperature = self.temperature or 0
        if not 0 <= temperature <= LARGEST_DETAIL_TEMPERATURE:
            raise ValueError(
                f"temperature: expected 0 to {LARGEST_DETAIL_TEMPERATURE:g}, got {temperature}"
            )

    @property
    def samples(self) -> bool:
        """Whether every result is a sample."""
        return self.temperature is not None

    @property
    def command(self) -> str:
        """The command's name."""
        return "enlarge"

    @property
    def done(self) -> str:
        """What a photo is afterwards."""
        return "enlarged"

    @property
    def kind(self) -> FileKind:
        """The kind of file that a result is; a coloring may be enlarged."""
        return ENLARGED

    @property
    def models(self) -> Sequence[str]:
        """The models that it uses."""
        return (DETAIL,)

    @property
    def labels(self) -> list[str]:
        """Labels such as ``x2_mean`` and ``x2_s1``: the scale, and the mean or a sample's seed."""
        return [f"x{self.scale}_{draw.label}" for draw in self._draws]

    @property
    def _draws(self) -> list[Draw]:
        return draws(self.n, self.temperature, self.seed)

    def statements(
        self,
        photo: str,
        hints: str | None,
        weights: Digests,
    ) -> dict[str, Statements]:
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

    def maker(
        self,
        colorizer: Colorizer | None,
        enlarger: Enlarger | None,
    ) -> EnlargeMaker:
        """What enlarges photos."""
        if enlarger is None:
            raise ValueError("enlarger: expected one, got None")
        if self.restore and not enlarger.can_restore:
            raise WeightsError("these weights cannot restore; leave --restore away")
        return EnlargeMaker(self, enlarger)


class EnlargeMaker:
    """Enlarges photos.

    Args:
        settings: of the batch.
        enlarger: the model.
    """

    def __init__(self, settings: EnlargeSettings, enlarger: Enlarger) -> None:
        self.settings, self.enlarger = settings, enlarger

    @property
    def weights(self) -> Digests:
        """The digest of the model."""
        return {DETAIL: self.enlarger.digest}

    def refusal(self, photo: Photo, task: PhotoTask) -> str | None:
        """Every photo is enlarged."""
        return None

    def results(
        self,
        photo: Photo,
        task: PhotoTask,
        expected: Mapping[str, Statements],
    ) -> Enlargements:
        """The results of one photo."""
        return Enlargements(self, photo, expected)


class Enlargements:
    """The results of one photo, made when asked for."""

    def __init__(
        self, maker: EnlargeMaker, photo: Photo, expected: Mapping[str, Statements]
    ) -> None:
        self._maker, self._photo = maker, photo
        self.statements: Mapping[str, Statements] = expected

    def painted(self, labels: Sequence[str]) -> Iterator[tuple[np.ndarray, Photo]]:
        """Makes pixels, with the photo that says their size and metadata."""
        for label in labels:
            detail = self.statements[label].detail
            assert detail
            large = self._maker.enlarger.enlarge_photo(
                self._photo,
                detail.scale,
                detail.temperature,
                detail.seed,
                restore=detail.restored,
            )
            yield large.full_depth, large

    def remarks(self, task: PhotoTask) -> tuple[str, ...]:
        """None."""
        return ()

    def likelihoods(self) -> list[float] | None:
        """None: the density of a whole photo is not computed."""
        return None
