"""What else a `Colorizer` can do with colorings: vary, interpolate, take apart, and judge them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.grid import to_grid
from colorflow.coloring import ColoringSpec, LevelOutput, Predictions, Uncertainty, check_seed
from colorflow.model.config import FINEST_GRID
from colorflow.model.hints import Hint
from colorflow.model.intervals import NOMINAL_LEVELS, central_interval, check_sample_count
from colorflow.model.weights import LoadedWeights
from colorflow.photo import Photo
from colorflow.photo_model import PhotoModel, slerp


class Exploration(ABC):
    """Uses of the distribution of a photo's colorings, beside coloring the photo.

    Methods share the arguments and errors that `Colorizer` describes. `coloring` is a spec, or
    the seed of a plain sample.
    """

    _weights: LoadedWeights

    @property
    @abstractmethod
    def levels(self) -> tuple[int, ...]: ...

    @abstractmethod
    def spec(
        self, seed: int = 0, temperature: float = 1.0, strength: float = 0.0
    ) -> ColoringSpec: ...

    @abstractmethod
    def model_of(
        self, photo: Photo, hints: Sequence[Hint] = (), reference: Photo | None = None
    ) -> PhotoModel: ...

    def resample(
        self,
        photo: Photo,
        coloring: int | ColoringSpec,
        levels: Collection[int],
        seed: int,
        n: int = 1,
        *,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
    ) -> Predictions:
        """Samples some levels of a coloring anew and keeps the others.

        With new fine levels, such as (16, 32, 64), the colors of objects stay and the details
        change. With new coarse levels the colors change and the details keep their latents.

        Args:
            photo: the photo.
            coloring: see the class.
            levels: some of the names in `levels`.
            seed: coloring i has `seed + i` in these levels.
            n: number of colorings.
            hints: see `Colorizer`.
            reference: see `Colorizer`.
        """
        names = self.levels
        if not levels or not set(levels) <= set(names):
            raise ValueError(
                f"levels: expected some of {', '.join(map(str, names))}, got {list(levels)}"
            )
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        check_seed(seed, following=n)
        spec, indices = self._spec_of(coloring), [names.index(name) for name in levels]
        specs = [spec.resampled(indices, s) for s in range(seed, seed + n)]
        ab = self.model_of(photo, hints, reference).chroma(specs)
        return Predictions(specs=specs, ab=ab)

    def interpolate(
        self,
        photo: Photo,
        start: int | ColoringSpec,
        end: int | ColoringSpec,
        steps: int,
        *,
        hints: Sequence[Hint] = (),
        reference: Photo | None = None,
    ) -> NDArray[np.float32]:
        """Interpolates between two colorings, in every level on the arc between their latents.

        Args:
            photo: the photo.
            start: a coloring, see the class.
            end: a coloring, see the class.
            steps: number of colorings, both ends included; at least 2.
            hints: see `Colorizer`.
            reference: see `Colorizer`.

        Returns:
            (steps, 2, 64, 64) CIELAB units. The ends are, to the bit, what `reproduce` gives for
            each of the two specs alone.
        """
        if steps < 2:
            raise ValueError(f"steps: expected at least 2, got {steps}")
        ends = [self._spec_of(start), self._spec_of(end)]
        model = self.model_of(photo, hints, reference)
        first, last = (model.latents(spec) for spec in ends)
        between = [
            [slerp(a, b, step / (steps - 1)) for a, b in zip(first, last, strict=True)]
            for step in range(1, steps - 1)
        ]
        # Each end alone: the last bits depend on how many colorings are decoded at once.
        outer = [model.chroma([spec]) for spec in ends]
        inner = [model.decode(between)] if between else []
        return np.concatenate([outer[0], *inner, outer[1]])

    def decode_by_level(
        self, photo: Photo, coloring: int | ColoringSpec, *, hints: Sequence[Hint] = ()
    ) -> list[LevelOutput]:
        """Shows a coloring without a reference after each level, coarse to fine.

        The last chroma is that of `reproduce`: to the bit for a sample alone, and
        nearly for a principal coloring.

        Args:
            photo: the photo.
            coloring: see the class.
            hints: see `Colorizer`; they take effect at the last level, which completes the grid.
        """
        model = self.model_of(photo, hints)
        latents = model.latents(self._spec_of(coloring))
        return [
            LevelOutput(latents=z.numpy(), ab=model.decode([latents[: index + 1]])[0])
            for index, z in enumerate(latents)
        ]

    def uncertainty(
        self,
        photo: Photo,
        n: int = 64,
        seed: int = 0,
        *,
        level: float = NOMINAL_LEVELS[-1],
        hints: Sequence[Hint] = (),
    ) -> Uncertainty:
        """Estimates central intervals of the colors in every cell.

        The samples have std 1, which is the model itself: the shipped temperatures are a matter of
        taste and would make it look too certain. The intervals are stretched by the factor in the
        weights that made their coverage nominal on photos outside the training set.

        Args:
            photo: the photo.
            n: number of samples; 64 in the calibration, at least 19 for the interval of 0.9.
            seed: sample i depends on `seed + i` only.
            level: nominal coverage, 0.5 or 0.9.
            hints: see `Colorizer`.
        """
        if level not in NOMINAL_LEVELS:
            known = " or ".join(f"{share:g}" for share in NOMINAL_LEVELS)
            raise ValueError(f"level: expected {known}, got {level}")
        check_sample_count(n, level)
        check_seed(seed, following=n)
        model, std1 = self.model_of(photo, hints), [1.0] * len(self.levels)
        latents = [model.sample(self.spec(s), std1) for s in range(seed, seed + n)]
        ab = model.decode(latents, gain=1.0)
        middle, half_width = central_interval(torch.from_numpy(ab), level)
        factors = self._weights.interval_factors
        return Uncertainty(
            level=level,
            middle=middle.numpy(),
            half_width=(factors.get(level, 1.0) * half_width).numpy(),
            calibrated=level in factors,
        )

    def log_prob(
        self,
        photo: Photo,
        ab: NDArray[np.float32] | None = None,
        *,
        hints: Sequence[Hint] = (),
    ) -> NDArray[np.float64]:
        """Exact log density of colors under the model, given the photo's lightness and the hints.

        Reported bits per dimension are of chroma with noise of std 1 on every pixel; this is the
        density of the chroma without noise.

        Args:
            photo: the photo.
            ab: (n, 2, 64, 64) CIELAB units, within +-128; None for the photo's own colors, which
                are zero everywhere in a gray photo.
            hints: see `Colorizer`.

        Returns:
            (n,) nats, density per CIELAB unit of each of 8192 numbers; n is 1 without `ab`.
        """
        if ab is None:
            ab = to_grid(photo.pixels)[None]
        if ab.ndim != 4 or ab.shape[1:] != (2, FINEST_GRID, FINEST_GRID) or len(ab) == 0:
            raise ValueError(
                f"ab: expected shape (n, 2, {FINEST_GRID}, {FINEST_GRID}), got {ab.shape}"
            )
        limit = self._weights.pyramid.config.chroma_limit
        if not (np.abs(ab) < limit).all():
            raise ValueError(f"ab: expected values within +-{limit:g}, got some outside")
        return self.model_of(photo, hints).log_prob(ab)

    def bits_per_dim(
        self,
        photo: Photo,
        ab: NDArray[np.float32] | None = None,
        *,
        hints: Sequence[Hint] = (),
    ) -> NDArray[np.float64]:
        """-log2 of the density of `log_prob`, divided by the 2 x 64 x 64 numbers of ab."""
        dimensions = 2 * FINEST_GRID**2
        return -self.log_prob(photo, ab, hints=hints) / (dimensions * math.log(2))

    def rank(
        self, photo: Photo, colorings: Predictions, *, hints: Sequence[Hint] = ()
    ) -> Predictions:
        """Sorts colorings of a photo by their `log_prob`, the most likely first.

        The density is that of the model itself, whatever the temperatures of the samples. It favors
        calm colors: the most likely coloring is calmer than most samples.

        Args:
            photo: the photo.
            colorings: colorings of the photo.
            hints: the hints of these colorings.
        """
        order = np.argsort(-self.log_prob(photo, colorings.ab, hints=hints), kind="stable")
        shares = tuple(colorings.shares[i] for i in order) if colorings.shares else ()
        specs = [colorings.specs[i] for i in order]
        return Predictions(specs=specs, ab=colorings.ab[order], shares=shares)

    def _spec_of(self, coloring: int | ColoringSpec) -> ColoringSpec:
        return coloring if isinstance(coloring, ColoringSpec) else self.spec(coloring)
