"""Colors for one point of a photo: likely ones, materials, picked ones, and their names."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.cie import rgb_in_gamut

SAME = 12.0
"""Colors no farther apart than this count as one; distance in the ab plane, CIELAB units."""
_LEAST_DISTANCE = 8.0
"""Least distance between two swatches as they are shown, in the same units."""
_GRAYISH, _PALE, _STRONG = 4.0, 22.0, 50.0
"""Chroma up to which a color is called gray or dull, and from which it is called strong."""
_HUES = (
    (15, "pink"),
    (50, "red"),
    (75, "orange"),
    (105, "yellow"),
    (125, "olive"),
    (170, "green"),
    (225, "teal"),
    (300, "blue"),
    (335, "violet"),
    (360, "pink"),
)
"""Names of hues up to an angle in the ab plane, in degrees."""
_NUMBER = r"\s*(\d{1,3}(?:\.\d*)?)\s*"
_RGB = re.compile(rf"rgba?\({_NUMBER},{_NUMBER},{_NUMBER}(?:,[\s\d.]*)?\)", re.ASCII)
_DARK = 65
"""L* below which orange and yellow have other names, and from which red and orange have, unless
they are strong."""
_DARK_NAMES = {"orange": "brown", "yellow": "olive"}
_LIGHT_NAMES = {"red": "salmon", "orange": "peach"}

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


@dataclass(frozen=True, slots=True)
class Swatch:
    """A color that a point of a photo can have."""

    lightness: float
    """L* of the point, in [0, 100]."""
    a: float
    """CIELAB units."""
    b: float
    """CIELAB units."""
    share: float = 0.0
    """Share of the samples that have the color, in [0, 1]."""

    @property
    def hex(self) -> str:
        """The color as #rrggbb, with its chroma reduced until sRGB has it at that lightness."""
        lightness = np.array([[self.lightness]], np.float32)
        ab = np.array([self.a, self.b], np.float32).reshape(2, 1, 1)
        linear = rgb_in_gamut(lightness, ab).ravel().clip(0, 1)
        red, green, blue = np.rint(255 * cie.linear_to_srgb(linear)).astype(int)
        return f"#{red:02x}{green:02x}{blue:02x}"

    @property
    def name(self) -> str:
        """An everyday name of the color."""
        chroma = math.hypot(self.a, self.b)
        if chroma < _GRAYISH:
            return "Gray"
        angle = math.degrees(math.atan2(self.b, self.a)) % 360
        hue = next(name for upper, name in _HUES if angle <= upper)
        if chroma < _STRONG:
            hue = (_DARK_NAMES if self.lightness < _DARK else _LIGHT_NAMES).get(hue, hue)
        if chroma < _PALE and hue == "red":
            return "Reddish brown"
        if chroma < _PALE:
            return f"Dull {hue}"
        return f"Strong {hue}" if chroma > _STRONG else hue.capitalize()


def likely(ab: NDArray[np.float32], lightness: float, most: int) -> list[Swatch]:
    """The distinct colors among those of several samples, the most frequent first.

    Args:
        ab: (n, 2) colors that n samples have at the point, CIELAB units.
        lightness: L* of the point.
        most: largest number of colors to return.
    """
    swatches: list[Swatch] = []
    left = ab
    while len(left) and len(swatches) < most:
        near = np.linalg.norm(left[:, None] - left[None], axis=-1) <= SAME
        group = near[np.argmax(near.sum(axis=1))]
        a, b = _shown(left[group].mean(axis=0), lightness)
        if all(math.hypot(a - one.a, b - one.b) >= _LEAST_DISTANCE for one in swatches):
            swatches.append(Swatch(lightness, a, b, float(group.sum()) / len(ab)))
        left = left[~group]
    return swatches


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


def ab_of(picked: str) -> tuple[float, float] | None:
    """a and b, in CIELAB units, of a color that was picked; None for text that is not a color.

    Args:
        picked: ``#rrggbb``, ``#rgb``, ``rgb(r, g, b)`` or ``rgba(r, g, b, alpha)``.
    """
    text = picked.strip().lower()
    if re.fullmatch(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", text):
        digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
        numbers = [float(int(digits[i : i + 2], 16)) for i in (0, 2, 4)]
    elif found := _RGB.fullmatch(text):
        numbers = [float(number) for number in found.groups()]
    else:
        return None
    if max(numbers) > 255:
        return None
    _, a, b = cie.rgb_to_lab(np.array([[numbers]]) / 255)[0, 0]
    return float(a), float(b)


def _shown(ab: NDArray[np.float32], lightness: float) -> tuple[float, float]:
    """The nearest color that sRGB has at that lightness."""
    within = ab.astype(np.float32).reshape(2, 1, 1).copy()
    rgb_in_gamut(np.array([[lightness]], np.float32), within)
    return float(within[0, 0, 0]), float(within[1, 0, 0])
