"""What tests read from colorings, and the specs of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorflow.colorizer import Coloring, ColoringSpec, Colorizer, Picture


def chroma(colorings: Sequence[Coloring]) -> NDArray[np.float32]:
    """(n, 2, 64, 64)."""
    return np.stack([one.ab for one in colorings])


def model_chroma(colorings: Sequence[Coloring]) -> NDArray[np.float32]:
    """The same as the model gave it, (n, 2, 64, 64)."""
    return np.stack([one.model_ab for one in colorings])


def pixels(colorings: Sequence[Coloring]) -> list[NDArray[np.uint8]]:
    return [one.render() for one in colorings]


def specs(colorings: Sequence[Coloring]) -> list[ColoringSpec]:
    return [one.spec for one in colorings]


def seeds(colorings: Sequence[Coloring]) -> list[int]:
    return [one.seed for one in colorings]


def shares(colorings: Sequence[Coloring]) -> list[float | None]:
    return [one.share for one in colorings]


def sampled(
    colorizer: Colorizer,
    picture: Picture,
    n: int,
    temperature: float = 1.0,
    seed: int | None = 0,
    **options: Any,
) -> list[Coloring]:
    """Samples at one look, whatever colors the picture has."""
    given = {"samples": True, "force": True, "looks": 1, **options}
    return colorizer.colorize(picture, n, temperature, seed, **given)


def sample_spec(seed: int = 0, temperature: float = 1.0, strength: float = 0.0) -> ColoringSpec:
    """A plain sample, whose coarse levels go towards a reference by a strength."""
    strengths = (strength,) * 2 + (0.0,) * 3
    return ColoringSpec(seeds=(seed,) * 5, temperature=temperature, strengths=strengths)
