"""Settings of any batch, and the models that carry them out.

Photos are colored or enlarged (`coloring.py`); everything else in this package serves both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from colorflow.coloring import check_seed
from colorflow.errors import WeightsError
from colorflow.files import COLORING_WEIGHTS, ENLARGE_WEIGHTS, FileKind, default_weights, digest_of
from colorflow.photo import DEFAULT_MAX_PIXELS, Photo, Statements

if TYPE_CHECKING:
    from colorflow.batch.task import PhotoTask
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger

COLORS, DETAIL = "colors", "detail"
"""Models that a batch may use, by what they add to a photo."""
_SHIPPED = {COLORS: COLORING_WEIGHTS, DETAIL: ENLARGE_WEIGHTS}

Files = Mapping[str, Path]
"""Weights files of the models that a batch uses."""
Digests = Mapping[str, str]
"""Their digests."""


@dataclass(frozen=True, slots=True)
class Models:
    """Loaded models; None for one that is not used."""

    colorizer: Colorizer | None = None
    enlarger: Enlarger | None = None

    @property
    def digests(self) -> Digests:
        """The digests of their weights."""
        loaded = {COLORS: self.colorizer, DETAIL: self.enlarger}
        return {model: one.digest for model, one in loaded.items() if one}


@dataclass(frozen=True, slots=True)
class Results:
    """What is made of one photo.

    Attributes:
        statements: what each result says of itself, by label.
        paint: makes the pixels of the result with a label, uint8 or uint16, with the photo that
            says their size and metadata.
        remarks: what the user should know about the results.
        bits_per_dim: of each result, NaN for one without; None if not asked for.
    """

    statements: Mapping[str, Statements]
    paint: Callable[[str], tuple[np.ndarray, Photo]]
    remarks: tuple[str, ...] = ()
    bits_per_dim: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings(ABC):
    """Settings of any batch.

    Attributes:
        command: the command's name, such as ``colorize``.
        done: what a photo is afterwards, such as ``colored``.
        kind: the kind of file that a result is; such a file is never taken as a photo.
        n: number of results of each photo.
        seed: of the first sample; each further one adds 1.
        scale: how many times larger each side becomes.
        restore: take blur, noise and compression out while enlarging.
        overwrite: replace existing results.
        max_pixels: largest width times height of a photo.
    """

    command: ClassVar[str]
    done: ClassVar[str]
    kind: ClassVar[FileKind]

    n: int = 1
    seed: int = 0
    scale: int = 1
    restore: bool = False
    overwrite: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        check_seed(self.seed)

    @property
    @abstractmethod
    def models(self) -> Sequence[str]:
        """The models that it uses: `COLORS`, `DETAIL` or both."""

    @property
    @abstractmethod
    def labels(self) -> list[str]:
        """Labels of the n results of a photo."""

    @property
    @abstractmethod
    def has_seeds(self) -> bool:
        """Whether each result is a sample with a seed of its own."""

    @abstractmethod
    def statements(self, photo: str, hints: str | None, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label; shares are known only after sampling.

        Args:
            photo: digest of the photo's file.
            hints: digest of its color hints, if it has any.
            weights: of the models.
        """

    @abstractmethod
    def leaves(self, photo: Photo, task: PhotoTask) -> bool:
        """Whether a photo is left as it is, because it has colors."""

    @abstractmethod
    def results(
        self, models: Models, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Results:
        """Decides on the results of one photo; their pixels are made later.

        Args:
            models: those that are used.
            photo: the photo.
            task: with its hints.
            expected: from `statements`.
        """

    def check(self, models: Models, *, has_hints: bool) -> None:
        """Raises `WeightsError` if the models cannot do what is asked for, before any photo."""
        missing = set(self.models) - set(models.digests)
        if missing:
            raise ValueError(f"models: expected {', '.join(self.models)}, got none for {missing}")
        if self.restore and models.enlarger and not models.enlarger.can_restore:
            raise WeightsError("these weights cannot restore; choose others, or do not restore")
        if has_hints and not (models.colorizer and models.colorizer.takes_hints):
            raise WeightsError(
                "these weights take no color hints; use weights trained with "
                "`colorflow train --hints`, or leave the hints away"
            )


def weights_files(settings: BatchSettings, given: Mapping[str, Path | None]) -> dict[str, Path]:
    """The weights files that a batch needs: those given, otherwise the shipped ones."""
    return {
        model: given.get(model) or default_weights(_SHIPPED[model]) for model in settings.models
    }


def digests_of(files: Files) -> Digests | None:
    """The digests of weights files; None if one cannot be read, which loading it reports."""
    try:
        return {model: digest_of(path) for model, path in files.items()}
    except OSError:
        return None
