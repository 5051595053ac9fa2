"""Colors of what is often in photos, in the light in which a photo shows it."""

from __future__ import annotations

import numpy as np

from colorflow.color import cie
from colorflow.ui.swatches import Swatch

MATERIALS = {
    "Light skin": (236, 190, 165),
    "Tan skin": (194, 150, 130),
    "Brown skin": (125, 92, 74),
    "Dark skin": (115, 82, 68),
    "Blond hair": (190, 155, 105),
    "Brown hair": (85, 66, 52),
    "Gray hair": (128, 126, 124),
    "Black hair": (58, 54, 51),
    "Foliage": (87, 108, 67),
    "Sky": (150, 190, 225),
    "Water": (70, 110, 125),
    "Wood": (140, 100, 65),
    "Brick": (150, 90, 75),
}
"""sRGB. Tan skin, dark skin and foliage are patches of the ColorChecker (McCamy, Marcus & Davidson
1976, "A color-rendition chart"); the others were chosen by eye."""


def material_swatches(lightness: float) -> list[Swatch]:
    """The colors of `MATERIALS`, in their order, under the light that gives a lightness.

    Light that is k times as strong multiplies linear RGB by k, and so a, b and L* + 16 all by the
    cube root of k.

    Args:
        lightness: L* of the point, in [0, 100].
    """
    lab = cie.rgb_to_lab(np.array([list(MATERIALS.values())]) / 255)[0]
    scaled = lab[:, 1:] * (lightness + 16) / (lab[:, :1] + 16)
    return [Swatch(lightness, float(a), float(b)) for a, b in scaled]
