"""Whether loops over pixels run in NumPy or compiled: the same to the bit, so that either may do.

numba takes half a second and 100 MB to load, even if it finds its machine code in its cache. That
is what it saves on a dozen photos of 1 megapixel: a process that colors one or two does without it.
"""

from __future__ import annotations

from types import ModuleType

PIXELS = 12_000_000
"""Upsampled by NumPy in a process before the loops are compiled."""

_upsampled = 0


def compiled_loops(pixels: int = 0) -> ModuleType | None:
    """Gives `colorflow.color.loops` once it pays to load it.

    Args:
        pixels: that are upsampled next.
    """
    global _upsampled
    _upsampled += pixels
    if _upsampled <= PIXELS:
        return None
    from colorflow.color import loops

    return loops
