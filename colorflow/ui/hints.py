"""Hints: points of a photo that a visitor gives colors; what clicks do to them, and their files."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from colorflow.batch.hints import PhotoHints, read_hints
from colorflow.errors import ColorflowError
from colorflow.recipe import MOST_PLACES, Hint, Place, Reach

REACHES: dict[str, Reach] = {
    "This thing": "thing",
    "The larger thing": "larger",
    "Around it": "around",
    "Everything like it": "alike",
}
"""How the page calls what a point colors."""
_LARGER: dict[Reach, Reach] = {"thing": "larger", "larger": "thing"}
_ONCE = ("larger", "alike")
Brush = Literal["moves", "adds", "takes"]
BRUSHES: dict[str, Brush] = {
    "Moves the picture": "moves",
    "Adds to the thing": "adds",
    "Takes from the thing": "takes",
}
"""How the page calls what a line over the picture does where points are clicked."""
MOST_POINTS = 100
"""Of one photo; nobody clicks more."""
MOST_DRAWN = 10_000
"""Places that all points of one photo add and take: in a file of hints, 0.4 MB."""
_MOST_UNDONE = 100
"""Changes of one photo's points that can be undone."""

Hints = tuple[Hint, ...]
Target = tuple[float, float, Hints]
"""Row and column of the point that gets the next color, and the other points."""


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
        before: the points before each of the last changes.
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
    def target(self) -> Target | None:
        """What gets the next color, if there is a point."""
        if self.new is not None:
            return *self.new, self.hints
        if self.current is None:
            return None
        at = self.hints[self.current]
        return at.row, at.column, (*self.hints[: self.current], *self.hints[self.current + 1 :])

    def click(self, row: float, column: float, radius: float) -> None:
        """Make the point at a position the current one; `put` if there is none.

        Who clicks the point again that gets the next color means the larger thing, or the thing
        itself once more.

        Args:
            row: in pixels of the upload.
            column: likewise.
            radius: how far away a point may be to count, in the same pixels.
        """
        target = self.target
        if not self.held and target and math.dist(target[:2], (row, column)) <= radius:
            if self.reach in _LARGER:
                self.spread(_LARGER[self.reach])
            return
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

        So do new ones from now on, but for "larger" and "alike", which are for one point: they
        color so much that nobody should choose them by accident. Where a point colors no thing any
        more, what lines have added to it and taken from it is forgotten.
        """
        if self.current is not None:
            hint = self.hints[self.current]
            adds, takes = (hint.adds, hint.takes) if reach in _LARGER else ((), ())
            self._splice(self.current, replace(hint, reach=reach, adds=adds, takes=takes))
        if self.current is None or reach not in _ONCE:
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
            if self.next_reach in _ONCE:
                self.next_reach = "thing"
        elif self.current is not None:
            self._splice(self.current, replace(self.hints[self.current], a=a, b=b))
        else:
            raise ColorflowError("Click a point on the photo first, then choose its color.")

    def draw(self, brush: Brush, places: Collection[Place], under: Collection[Place] = ()) -> None:
        """Add regions to what the current point colors, or take them from it.

        Args:
            brush: whether it adds or takes.
            places: along a line.
            under: those that the point has already in regions that the line touches; the new ones
                take their place.

        Raises:
            ColorflowError: no point with a color is current, or it colors no thing, or there are
                too many places.
        """
        if brush == "moves":
            raise ColorflowError("Choose whether a line adds to the thing or takes from it.")
        if self.current is None or self.new is not None:
            raise ColorflowError(
                "Click a thing and choose its color first; a line then adds to it or takes from it."
            )
        hint = self.hints[self.current]
        if hint.reach not in _LARGER:
            raise ColorflowError(
                "A line changes the color of a thing; choose that this point colors a thing."
            )
        adds, takes = (
            (*(one for one in own if one not in under), *(places if brush == name else ()))
            for name, own in (("adds", hint.adds), ("takes", hint.takes))
        )
        others = drawn((*self.hints[: self.current], *self.hints[self.current + 1 :]))
        count = len(adds) + len(takes)
        if count > MOST_PLACES or count + others > MOST_DRAWN:
            raise ColorflowError("There are too many lines; undo some first, or draw shorter ones.")
        self._splice(self.current, replace(hint, adds=adds, takes=takes))

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
        """Undo the last change; the current point stays so if it is where it was.

        Raises:
            ColorflowError: there was none.
        """
        if not self.before:
            raise ColorflowError("There is nothing to undo.")
        after, self.hints = self.hints, self.before.pop()
        pairs = zip(after, self.hints, strict=False)
        stays = [(one.row, one.column) == (other.row, other.column) for one, other in pairs]
        if len(after) != len(self.hints) or not all(stays):
            self.current = None
        self.held, self.new = False, None

    def _splice(self, index: int, *new: Hint) -> None:
        """Put a point, which becomes the current one, or none in the place of another."""
        hints = (*self.hints[:index], *new, *self.hints[index + 1 :])
        self._change(hints, index if new else None)

    def _change(self, hints: Hints, current: int | None) -> None:
        self.before = [*self.before[1 - _MOST_UNDONE :], self.hints]
        self.hints, self.current, self.held, self.new = hints, current, False, None

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.hints):
            raise ColorflowError("That point is gone.")


def drawn(hints: Hints) -> int:
    """How many places hints add and take."""
    return sum(len(one.adds) + len(one.takes) for one in hints)


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
        ColorflowError: there are too many, or one is outside the photo, or adds or takes too much.
    """
    if len(hints) > MOST_POINTS:
        raise ColorflowError(
            f"{source}: has {len(hints)} hints; this page takes {MOST_POINTS} at most."
        )
    if (count := drawn(hints)) > MOST_DRAWN:
        raise ColorflowError(
            f"{source}: the hints add and take {count} places; this page takes {MOST_DRAWN} at "
            "most."
        )
    for number, hint in enumerate(hints, 1):
        places = ((hint.row, hint.column), *hint.adds, *hint.takes)
        if not all(row < height and column < width for row, column in places):
            raise ColorflowError(
                f"{source}: hint {number} lies outside the photo, which has {width} × {height} "
                "pixels; is it for another one?"
            )
