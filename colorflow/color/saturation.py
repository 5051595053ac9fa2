"""Stronger or weaker colors, all of them or the pale ones alone; hues stay.

    C' = saturation * C * (1 + (pale - 1) * w),   w = (1 + (C / KNEE)**2)**-2

with C the chroma. w is 1 at gray and nearly 0 where colors are vivid: with ``pale`` 3 a chroma of 5
becomes 13, 15 becomes 22.5, and 50 becomes 51. C' is smooth, and rises with C for each ``pale`` of
the range (up to 5, where (C w)' = -1/4 would stop it).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colorflow.limits import LARGEST_PALE, LARGEST_SATURATION, check_range

KNEE = 15.0
"""Chroma at which `pale` has a quarter of its effect, CIELAB units: that of skin."""


def saturated(
    ab: NDArray[np.float32], saturation: float = 1.0, pale: float = 1.0
) -> NDArray[np.float32]:
    """Multiply chroma.

    Args:
        ab: (2, ...), CIELAB units.
        saturation: factor on all chroma, 0 (gray) to `LARGEST_SATURATION`.
        pale: factor on the chroma of colors near gray, 0 to `LARGEST_PALE`.

    Returns:
        (2, ...), CIELAB units; `ab` to the bit where both factors are 1.

    Raises:
        ValueError: a factor is out of range.
    """
    check_saturation(saturation, pale)
    nearness = (1 + (ab**2).sum(axis=0) / KNEE**2) ** -2
    factor: NDArray[np.float32] = saturation * (1 + (pale - 1) * nearness)
    return (ab * factor).astype(np.float32)


def check_saturation(saturation: float, pale: float) -> None:
    """Raises `ValueError` for a factor that is out of range."""
    check_range("saturation", saturation, 0, LARGEST_SATURATION)
    check_range("pale", pale, 0, LARGEST_PALE)
