"""A picture of how far the colors of a photo are open: a glow over its gray."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import render

if TYPE_CHECKING:
    from colorflow.colorizer import Uncertainty

MOST = 60
"""CIELAB units at which the glow is full; few places of a photo are more open than that."""

STOPS = ((60, 60, 120), (150, 60, 130), (225, 100, 75), (250, 190, 70), (255, 240, 150))
"""Colors of the glow, from 0 to MOST: sRGB, ever lighter, told apart by color-blind people."""
_OPACITY = 0.6


def openness(lightness: NDArray[np.float32], uncertainty: Uncertainty) -> NDArray[np.uint8]:
    """Lay the map of uncertainty over a gray picture.

    Args:
        lightness: (H, W), L* in [0, 100].
        uncertainty: of the photo.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    share = uncertainty.at_full_size(lightness).clip(0, MOST) / MOST
    stops = np.array(STOPS, np.float32)
    places = np.linspace(0, 1, len(stops))
    glow = np.stack([np.interp(share, places, channel) for channel in stops.T], axis=-1)
    gray = render(lightness, np.zeros((2, 1, 1), np.float32))
    return np.rint((1 - _OPACITY) * gray + _OPACITY * glow).astype(np.uint8)


def legend() -> str:
    """A bar with the glow's colors, and what its ends mean, as HTML."""
    colors = ", ".join("rgb({}, {}, {})".format(*stop) for stop in STOPS)
    return (
        '<div class="scale"><span>Settled</span>'
        f'<span class="bar" style="background: linear-gradient(90deg, {colors})"></span>'
        "<span>Open</span></div>"
        "<p>Where it is dark, the photo tells its colors; where it is bright, many would fit. At "
        f"the bright end nine in ten lie within ± {MOST} CIELAB units, or more.</p>"
    )
