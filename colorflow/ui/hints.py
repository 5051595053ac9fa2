"""Hints: points of a photo that a visitor gives colors, and the colors to choose from.

What clicks and choices do to points; files of them; likely colors, materials, and picked ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from colorflow.batch.hints import PhotoHints, read_hints
from colorflow.color import cie
from colorflow.color.cie import rgb_in_gamut
from colorflow.colorizer import Hint, Reach
from colorflow.errors import ColorflowError

MOST_POINTS = 100
"""Of one photo; nobody clicks more."""

Hints = tuple[Hint, ...]


@dataclass(slots=True, eq=False)
class Points:
    """The points of one photo, in pixels of the upload.

    One of them may be current: it gets the next color that is chosen. A current point may also be
    held: the next click moves it. Otherwise a click begins a new point, which joins the others when
    it gets a color.

    Args:
        hints: the points that have colors.
        current: index of the current one.
        held: whether it is held.
        new: row and column of a new point that has no color yet.
        before: the points before each change.
        next_reach: what a new point will color.
    """

    hints: Hints = ()
    current: int | None = None
    held: bool = False
    new: tuple[float, float] | None = None
    before: list[Hints] = field(default_factory=list)
    next_reach: Reach = "thing"

    @property
    def reach(self) -> Reach:
        """What the current point colors; without one, what a new point will color."""
        return self.next_reach if self.current is None else self.hints[self.current].reach

    @property
    def target(self) -> tuple[float, float, Hints] | None:
        """Row and column of the point that gets the next color, and the other points."""
        if self.new is not None:
            return *self.new, self.hints
        if self.current is None:
            return None
        at = self.hints[self.current]
        return at.row, at.column, (*self.hints[: self.current], *self.hints[self.current + 1 :])

    def click(self, row: float, column: float, radius: float) -> None:
        """Make the point at a position the current one; `put` if there is none.

        Args:
            row: in pixels of the upload.
            column: likewise.
            radius: how far away a point may be to count, in the same pixels.
        """
        near = [math.hypot(hint.row - row, hint.column - column) for hint in self.hints]
        if not self.held and near and min(near) <= radius:
            self.current, self.new = near.index(min(near)), None
        else:
            self.put(row, column)

    def put(self, row: float, column: float) -> None:
        """Move the held point to a position, or begin a new one there."""
        if self.held and self.current is not None:
            moved = replace(self.hints[self.current], row=row, column=column)
            self._splice(self.current, moved)
        else:
            self.current, self.held, self.new = None, False, (row, column)

    def spread(self, reach: Reach) -> None:
        """Let the current point, or the next one, color what `Hint` calls a reach.

        So do new ones from now on, but for "alike", which is for one point: it colors so much that
        nobody should choose it by accident.
        """
        if self.current is not None:
            self._splice(self.current, replace(self.hints[self.current], reach=reach))
        if self.current is None or reach != "alike":
            self.next_reach = reach

    def color(self, a: float, b: float) -> None:
        """Give the new point, or the current one, a color in CIELAB units.

        Raises:
            ColorflowError: there is neither, or there are too many points.
        """
        if self.new is not None:
            if len(self.hints) >= MOST_POINTS:
                raise ColorflowError(f"There are {MOST_POINTS} points already; delete one first.")
            self._splice(len(self.hints), Hint(*self.new, a, b, self.next_reach))
            if self.next_reach == "alike":
                self.next_reach = "thing"
        elif self.current is not None:
            self._splice(self.current, replace(self.hints[self.current], a=a, b=b))
        else:
            raise ColorflowError("Click a point on the photo first, then choose its color.")

    def hold(self, index: int) -> None:
        """Make a point the current one; the next click moves it.

        Raises:
            ColorflowError: there is none of that index.
        """
        self._check(index)
        self.current, self.held, self.new = index, True, None

    def delete(self, index: int) -> None:
        """Remove a point.

        Raises:
            ColorflowError: there is none of that index.
        """
        self._check(index)
        self._splice(index)

    def replace(self, hints: Hints) -> None:
        """Replace all points."""
        self._change(hints, None)

    def undo(self) -> None:
        """Undo the last change.

        Raises:
            ColorflowError: there was none.
        """
        if not self.before:
            raise ColorflowError("There is nothing to undo.")
        self.hints = self.before.pop()
        self.current, self.held, self.new = None, False, None

    def _splice(self, index: int, *new: Hint) -> None:
        """Put a point, which becomes the current one, or none in the place of another."""
        hints = (*self.hints[:index], *new, *self.hints[index + 1 :])
        self._change(hints, index if new else None)

    def _change(self, hints: Hints, current: int | None) -> None:
        self.before.append(self.hints)
        self.hints, self.current, self.held, self.new = hints, current, False, None

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.hints):
            raise ColorflowError("That point is gone.")


def read_points(path: Path, photo: str, height: int, width: int) -> PhotoHints:
    """Read a file of hints, as `colorflow colorize --hints` takes it.

    Args:
        path: JSON with hints for the photo's name, or for one photo of any name.
        photo: name of the photo's file.
        height: of the photo, in pixels.
        width: of the photo, in pixels.

    Raises:
        ColorflowError: the file cannot be read, or has no hints that fit this photo.
    """
    try:
        by_name = read_hints(path)
    except ColorflowError as error:
        reason = str(error).replace(f"{path}", path.name)
        raise ColorflowError(f"{reason}.") from error
    if photo not in by_name and len(by_name) != 1:
        raise ColorflowError(f"{path.name}: has no hints for {photo}.")
    given = by_name[photo] if photo in by_name else next(iter(by_name.values()))
    check_points(given.hints, path.name, height, width)
    return given


def check_points(hints: Hints, source: str, height: int, width: int) -> None:
    """Refuse hints that do not fit a photo.

    Args:
        hints: of the photo.
        source: where they come from, for messages.
        height: of the photo, in pixels.
        width: of the photo, in pixels.

    Raises:
        ColorflowError: there are too many, or one is outside the photo.
    """
    if len(hints) > MOST_POINTS:
        raise ColorflowError(
            f"{source}: has {len(hints)} hints; this page takes {MOST_POINTS} at most."
        )
    for number, hint in enumerate(hints, 1):
        if not (hint.row < height and hint.column < width):
            raise ColorflowError(
                f"{source}: hint {number} lies outside the photo, which has {width} × {height} "
                "pixels; is it for another one?"
            )


# colors

REACHES: dict[str, Reach] = {
    "This thing": "thing",
    "Around it": "around",
    "Everything like it": "alike",
}
"""How the page calls what a point colors."""
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
