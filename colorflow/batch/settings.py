"""What is done to each photo of a batch, as far as the engine needs to know.

`BatchSettings` say it before anything is loaded, a `Maker` does it with loaded models, and
`Results` are what it makes of one photo. Photos are colored (`coloring.py`) or enlarged
(`enlarging.py`); everything else in this package serves both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from colorflow.files import COLORING_WEIGHTS, ENLARGE_WEIGHTS, FileKind, default_weights, digest_of
from colorflow.photo import Photo, Statements

if TYPE_CHECKING:
    from colorflow.batch.plan import PhotoTask
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger

COLORS, DETAIL = "colors", "detail"
"""Models that a batch may use, by what they add to a photo."""
_SHIPPED = {COLORS: COLORING_WEIGHTS, DETAIL: ENLARGE_WEIGHTS}

Files = Mapping[str, Path]
"""Weights files of the models that a batch uses."""
Digests = Mapping[str, str]
"""Their digests."""


class BatchSettings(Protocol):
    """Settings of a batch.

    Attributes:
        n: number of results of each photo.
        scale: how many times larger each side becomes.
        overwrite: replace existing results.
        max_pixels: largest width times height of a photo.
        samples: whether each result is a sample with a seed of its own.
    """

    @property
    def n(self) -> int: ...
    @property
    def scale(self) -> int: ...
    @property
    def overwrite(self) -> bool: ...
    @property
    def max_pixels(self) -> int: ...
    @property
    def samples(self) -> bool: ...

    @property
    def command(self) -> str:
        """The command's name, such as ``colorize``."""

    @property
    def done(self) -> str:
        """What a photo is afterwards, such as ``colored``."""

    @property
    def kind(self) -> FileKind:
        """The kind of file that a result is; such a file is never taken as a photo."""

    @property
    def models(self) -> Sequence[str]:
        """The models that it uses: `COLORS`, `DETAIL` or both."""

    @property
    def labels(self) -> list[str]:
        """Labels of the results that a photo gets, each once."""

    def statements(self, photo: str, hints: str | None, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label.

        Args:
            photo: digest of the photo's file.
            hints: digest of its color hints, if it has any.
            weights: of the models.
        """

    def maker(self, colorizer: Colorizer | None, enlarger: Enlarger | None) -> Maker:
        """What makes the results, with the models that it uses.

        Raises:
            WeightsError: if the models cannot do what the settings ask for.
        """


class Maker(Protocol):
    """Loaded models that know what to make."""

    @property
    def weights(self) -> Digests:
        """The digests of the models."""

    def refusal(self, photo: Photo, task: PhotoTask) -> str | None:
        """Why a photo is left as it is, or None."""

    def results(self, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]) -> Results:
        """Decides on the results of one photo; their pixels are made later.

        Args:
            photo: the photo.
            task: with its hints; the photo is on this machine.
            expected: from `BatchSettings.statements`, for all labels that are possible.
        """


class Results(Protocol):
    """What is made of one photo.

    Attributes:
        statements: what each result says of itself, by label.
    """

    statements: Mapping[str, Statements]

    def painted(self, labels: Sequence[str]) -> Iterator[tuple[np.ndarray, Photo]]:
        """Makes pixels, uint8 or uint16, with the photo that says their size and metadata."""

    def remarks(self, task: PhotoTask) -> tuple[str, ...]:
        """What the user should know about the results that were painted."""

    def likelihoods(self) -> list[float] | None:
        """Bits per dimension of each result, NaN for one without; None if not asked for."""


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
