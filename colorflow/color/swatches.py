"""Colors to choose from for a point of a photo: likely ones, those of materials, picked ones."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from colorflow.color import cie
from colorflow.color.gamut import rgb_in_gamut

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
_DARK = 65
"""L* below which orange and yellow have other names, and from which red and orange have, unless
they are strong."""
_DARK_NAMES = {"orange": "brown", "yellow": "olive"}
_LIGHT_NAMES = {"red": "salmon", "orange": "peach"}

MATERIALS = {
    "No color": (128, 128, 128),
    "Light or tan skin": (194, 150, 130),
    "Brown or dark skin": (115, 82, 68),
    "Blond hair": (190, 155, 105),
    "Brown hair": (85, 66, 52),
    "Foliage": (87, 108, 67),
    "Sky": (150, 190, 225),
    "Wood": (140, 100, 65),
    "Brick": (150, 90, 75),
    "Navy cloth": (52, 56, 92),
}
"""sRGB; what is white, gray or black has no color. The skins and foliage are patches of the
ColorChecker (McCamy, Marcus & Davidson 1976, "A color-rendition chart"); the others were chosen by
eye. A material that differs from another in lightness alone would be the same color twice."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """A color that a point of a photo can have.

    Args:
        lightness: L* of the point, in [0, 100].
        a: CIELAB units.
        b: likewise.
        share: of a likely color: the share of the samples that have it, in [0, 1].
        material: of the color of a material: its name.
    """

    lightness: float
    a: float
    b: float
    share: float | None = None
    material: str | None = None

    @property
    def hex(self) -> str:
        """The color as #rrggbb, with its chroma reduced until sRGB has it at that lightness."""
        _, linear = _in_gamut(self.lightness, (self.a, self.b))
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
        (a, b), _ = _in_gamut(lightness, left[group].mean(axis=0))
        if all(math.hypot(a - one.a, b - one.b) >= _LEAST_DISTANCE for one in swatches):
            swatches.append(Swatch(lightness, a, b, share=float(group.sum()) / len(ab)))
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
    return [
        Swatch(lightness, float(a), float(b), material=name)
        for name, (a, b) in zip(MATERIALS, scaled, strict=True)
    ]


def ab_of(picked: str) -> tuple[float, float] | None:
    """a and b, in CIELAB units, of a color that was picked; None for text that is not a color.

    Args:
        picked: ``rgb(r, g, b)`` or ``rgba(r, g, b, alpha)``, also with decimals; or as
            `PIL.ImageColor` takes it, such as ``#rrggbb`` or a name.
    """
    text = picked.strip().lower()
    numbers: Sequence[str | int]
    try:
        numbers = re.findall(r"[\d.]+", text) if text[:3] == "rgb" else ImageColor.getrgb(text)
        red, green, blue = (float(number) / 255 for number in numbers[:3])
    except ValueError:
        return None
    if max(red, green, blue) > 1:
        return None
    _, a, b = cie.rgb_to_lab(np.array([[[red, green, blue]]]))[0, 0]
    return float(a), float(b)


def _in_gamut(
    lightness: float, ab: Sequence[float] | NDArray[np.float32]
) -> tuple[list[float], NDArray[np.float32]]:
    """The nearest a and b that sRGB has at that lightness, and the color in linear sRGB."""
    within = np.array(ab, np.float32).reshape(2, 1, 1)
    linear = rgb_in_gamut(np.array([[lightness]], np.float32), within)
    return within.ravel().tolist(), linear.ravel().clip(0, 1)
