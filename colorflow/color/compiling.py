"""Whether loops over pixels run in NumPy or compiled: the same to the bit, so that either may do.

numba takes half a second and 100 MB to load, even if it finds its machine code in its cache. That
is what it saves on a dozen photos of 1 megapixel: a process that colors one or two does without it.
"""

from __future__ import annotations

import math
from functools import cache
from types import ModuleType

PIXELS = 12_500_000
"""NumPy upsamples as many in a process, among them a photo of 12 megapixels, and compiled loops do
all later ones."""

_upsampled: float = 0


def compiled_loops(pixels: int = 0) -> ModuleType | None:
    """Gives `colorflow.color.loops` once it pays to load it.

    Args:
        pixels: that are upsampled next.
    """
    global _upsampled
    _upsampled += pixels
    return None if _upsampled <= PIXELS else _loaded()


def stay_in_numpy() -> None:
    """Loads them no more in this process, whatever it upsamples: it has to be small."""
    global _upsampled
    _upsampled = -math.inf


@cache
def _loaded() -> ModuleType | None:
    try:
        from colorflow.color import loops
    except Exception:  # a NumPy that numba does not know, a damaged or full cache
        return None
    return loops
