"""A coloring on its way from noise to chroma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """What the levels up to one have determined.

    Attributes:
        latents: (C, g, g) of the level alone, in the std that they were drawn with.
        ab: (2, h, h) CIELAB units, on the grid that the level completes.
    """

    latents: NDArray[np.float32]
    ab: NDArray[np.float32]
