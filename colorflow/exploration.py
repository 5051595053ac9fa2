"""What else a `Colorizer` can do with colorings: vary, interpolate, take apart, and judge them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.color.grid import to_grid
from colorflow.limits import check_seed, check_whole
from colorflow.model.config import FINEST_GRID
from colorflow.model.intervals import NOMINAL_LEVELS, central_interval, check_sample_count
from colorflow.model.level import slerp
from colorflow.model.likeness import overview
from colorflow.model.skin import tone_latents
from colorflow.model.weights import LoadedWeights
from colorflow.open_photo import Opener
from colorflow.photo import Picture, read_picture
from colorflow.photo_model import PhotoModel
from colorflow.recipe import ColoringSpec, Hint
from colorflow.result import LevelOutput, Result, Uncertainty


class Exploration:
    """Uses of the distribution of a photo's colorings, beside coloring the photo.

    Methods share the arguments and errors that `Colorizer` describes. `coloring` is one that was
    made before, its spec, or the seed of a plain sample.
    """

    levels: tuple[int, ...]
    """Names of the levels, coarse to fine: the sides of the chroma grids that they complete."""
    _weights: LoadedWeights
    _opener: Opener

    def reproduce(
        self,
        picture: Picture,
        specs: Sequence[ColoringSpec | Result],
        *,
        hints: Sequence[Hint] = (),
        reference: Picture | Sequence[Picture] = (),
        style: Picture | None = None,
    ) -> list[Result]:
        """Makes the colorings of given specs; other arguments: see `Colorizer`."""
        if not specs:
            raise ValueError("specs: expected at least one, got none")
        known = [self._spec_of(one) for one in specs]
        opened = self._opener.open(picture, hints, reference, style)
        return opened.made(known)

    def resample(
        self,
        picture: Picture,
        coloring: int | ColoringSpec | Result,
        levels: Collection[int],
        seed: int,
        n: int = 1,
        *,
        hints: Sequence[Hint] = (),
        reference: Picture | Sequence[Picture] = (),
        style: Picture | None = None,
    ) -> list[Result]:
        """Samples some levels of a coloring anew and keeps the others.

        With new fine levels, such as (16, 32, 64), the colors of objects stay and the details
        change. With new coarse levels the colors change and the details keep their latents.

        Args:
            picture: see `Colorizer`.
            coloring: see the class.
            levels: some of the names in `levels`.
            seed: coloring i has `seed + i` in these levels.
            n: number of colorings.
            hints: see `Colorizer`.
            reference: see `Colorizer`.
            style: see `Colorizer`.
        """
        names = self.levels
        some = isinstance(levels, Collection) and len(levels) > 0
        if not (some and all(level in names for level in levels)):
            raise ValueError(
                f"levels: expected some of {', '.join(map(str, names))}, got {levels!r}"
            )
        check_whole("n", n, 1)
        check_seed(seed)
        spec, indices = self._spec_of(coloring), [names.index(name) for name in levels]
        specs = [spec.resampled(indices, s) for s in range(seed, seed + n)]
        return self.reproduce(picture, specs, hints=hints, reference=reference, style=style)

    def interpolate(
        self,
        picture: Picture,
        start: int | ColoringSpec | Result,
        end: int | ColoringSpec | Result,
        steps: int,
        *,
        hints: Sequence[Hint] = (),
        reference: Picture | Sequence[Picture] = (),
        style: Picture | None = None,
    ) -> NDArray[np.float32]:
        """Interpolates between two colorings, in every level on the arc between their latents.

        Args:
            picture: see `Colorizer`.
            start: a coloring, see the class.
            end: a coloring, see the class.
            steps: number of colorings, both ends included; at least 2.
            hints: see `Colorizer`.
            reference: see `Colorizer`.
            style: see `Colorizer`.

        Returns:
            (steps, 2, 64, 64) CIELAB units, for `Colorizer.render`. The ends are, to the bit, what
            `reproduce` gives for each of the two specs alone. Those in between are painted like
            the start.
        """
        check_whole("steps", steps, 2)
        ends = [self._spec_of(start), self._spec_of(end)]
        model = self._opener.open(picture, hints, reference, style).canvas
        first, last = (model.latents(spec) for spec in ends)
        between = [
            [slerp(a, b, step / (steps - 1)) for a, b in zip(first, last, strict=True)]
            for step in range(1, steps - 1)
        ]
        # Each end alone: the last bits depend on how many colorings are decoded at once.
        outer = [model.paint(model.chroma([spec]), [spec]) for spec in ends]
        inner = []
        if between:
            way = np.linspace(0, 1, steps, dtype=np.float32)[1:-1, None]
            start_tone, end_tone = model.tones(ends)
            tones = (1 - way) * start_tone + way * end_tone
            inner = [model.paint(model.decode(between), [ends[0]] * len(between), tones)]
        return np.concatenate([outer[0], *inner, outer[1]])

    def decode_by_level(
        self,
        picture: Picture,
        coloring: int | ColoringSpec | Result,
        *,
        hints: Sequence[Hint] = (),
    ) -> list[LevelOutput]:
        """Shows a coloring without a style after each level, coarse to fine.

        The last chroma is `Result.model_ab` of `reproduce`, before it is assigned to things: to
        the bit for a sample alone, and nearly for a principal coloring.

        Args:
            picture: see `Colorizer`.
            coloring: see the class.
            hints: see `Colorizer`; they take effect at the last level, which completes the grid.
        """
        model = self._opener.open(picture, hints).model
        latents = model.latents(self._spec_of(coloring))
        return [
            LevelOutput(latents=z.numpy(), ab=model.decode([latents[: index + 1]])[0])
            for index, z in enumerate(latents)
        ]

    def uncertainty(
        self,
        picture: Picture,
        n: int = 64,
        seed: int = 0,
        *,
        level: float = NOMINAL_LEVELS[-1],
        hints: Sequence[Hint] = (),
    ) -> Uncertainty:
        """Estimates central intervals of the colors in every cell.

        The samples have std 1, which is the model itself: the shipped temperatures are a matter of
        taste and would make it look too certain. The intervals are stretched by the factor in the
        weights that made their coverage nominal on photos outside the training set. On skin they
        are those of its own colors.

        Args:
            picture: see `Colorizer`.
            n: number of samples; 64 in the calibration, at least 19 for the interval of 0.9.
            seed: sample i depends on `seed + i` only.
            level: nominal coverage, 0.5 or 0.9.
            hints: see `Colorizer`.
        """
        if level not in NOMINAL_LEVELS:
            known = " or ".join(f"{share:g}" for share in NOMINAL_LEVELS)
            raise ValueError(f"level: expected {known}, got {level}")
        check_sample_count(n, level)
        check_seed(seed)
        model, std1 = self._opener.open(picture, hints).model, [1.0] * len(self.levels)
        latents = [model.sample(self._spec_of(s), std1) for s in range(seed, seed + n)]
        ab = model.decode(latents, gain=1.0)
        ab = model.with_skin(ab, tone_latents([one[0] for one in latents]))
        middle, half_width = central_interval(torch.from_numpy(ab), level)
        factors = self._weights.interval_factors
        return Uncertainty(
            level=level,
            middle=middle.numpy(),
            half_width=(factors.get(level, 1.0) * half_width).numpy(),
            calibrated=level in factors,
        )

    def skin(self, picture: Picture) -> NDArray[np.float32]:
        """How far each cell gets the color of skin, (64, 64) from 0 to 1.

        All zero where the weights have no head for skin.
        """
        found = self._opener.open(picture).model.skin
        return np.zeros((FINEST_GRID, FINEST_GRID), np.float32) if found is None else found.weight

    def likeness(
        self, picture: Picture, reference: Picture | Sequence[Picture]
    ) -> NDArray[np.float32]:
        """How far the references give each cell its color, (64, 64) from 0 to 1.

        Args:
            picture: see `Colorizer`.
            reference: see `Colorizer`; at least one.
        """
        found = self._opener.open(picture, (), reference).model.likeness
        if found is None:
            raise ValueError("reference: expected at least one photo, got none")
        return found.weight

    def looks(self, picture: Picture) -> NDArray[np.float32]:
        """What a photo looks like as a whole: a vector to compare it with others by."""
        return overview(self._opener.open(picture).model.condition)

    def log_prob(
        self,
        picture: Picture,
        ab: NDArray[np.float32] | None = None,
        *,
        hints: Sequence[Hint] = (),
    ) -> NDArray[np.float64]:
        """Exact log density of colors under the model, given the photo's lightness and the hints.

        Reported bits per dimension are of chroma with noise of std 1 on every pixel; this is the
        density of the chroma without noise.

        Args:
            picture: see `Colorizer`.
            ab: (n, 2, 64, 64) CIELAB units, within +-128; None for the photo's own colors, which
                are zero everywhere in a gray photo.
            hints: see `Colorizer`.

        Returns:
            (n,) nats, density per CIELAB unit of each of 8192 numbers.
        """
        opened = self._opener.open(picture, hints)
        if ab is None:
            ab = to_grid(opened.photo.pixels)[None]
        _check_shape("ab", ab)
        limit = self._weights.pyramid.config.chroma_limit
        if not (np.abs(ab) < limit).all():
            raise ValueError(f"ab: expected values within +-{limit:g}, got some outside")
        return opened.model.log_prob(ab)

    def render(
        self, picture: Picture, chroma: NDArray[np.float32], *, bits: Literal[8, 16] = 8
    ) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
        """Renders chroma on the photo's own lightness at full resolution, one coloring at a time.

        Args:
            picture: see the class.
            chroma: (n, 2, 64, 64) CIELAB units, such as what `interpolate` returns.
            bits: bits of each channel; 16 is more precise than 8 only for a photo of 16 bits.

        Yields:
            n arrays (H, W, 3) of sRGB, uint8 or uint16.
        """
        _check_shape("chroma", chroma)
        photo, _ = read_picture(picture)
        lightness = LightnessRows(photo.pixels if bits == 8 else photo.full_depth)
        for ab in chroma:  # (2, 64, 64) -> (H, W, 3)
            yield render(lightness, ab, bits=bits)

    def model_of(
        self,
        picture: Picture,
        hints: Sequence[Hint] = (),
        reference: Picture | Sequence[Picture] = (),
        style: Picture | None = None,
    ) -> PhotoModel:
        """The distribution of a photo's colorings; arguments: see the class."""
        return self._opener.open(picture, hints, reference, style).model

    def _spec_of(self, coloring: int | ColoringSpec | Result) -> ColoringSpec:
        if isinstance(coloring, Result):
            return coloring.spec
        if isinstance(coloring, ColoringSpec):
            return coloring
        return ColoringSpec(seeds=(coloring,) * len(self.levels))


def _check_shape(name: str, ab: NDArray[np.float32]) -> None:
    """Raises `ValueError` unless an argument is the chroma of at least one coloring."""
    shape = np.shape(ab)
    if len(shape) != 4 or shape[1:] != (2, FINEST_GRID, FINEST_GRID) or shape[0] == 0:
        expected = f"(n, 2, {FINEST_GRID}, {FINEST_GRID})"
        raise ValueError(f"{name}: expected shape {expected}, got {shape}")
