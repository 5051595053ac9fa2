"""What is done to an old print before it is colored: cut out, turned, repaired, its tones back.

A visitor wishes something (`Wish`), and `OldPrint.steps` makes it: a file in the folder of the
upload, which is colored in the place of the upload. The upload stays, so every wish can be taken
back. Between two clicks nothing but files is kept: the prints' own pixels, where damage is likely
(log odds), and the mask of what will be repaired.

Coordinates are (x, y) in pixels of the upload, those of marks in pixels of what was cut out of it.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.errors import ColorflowError
from colorflow.photo import Photo, Preparation, read_photo
from colorflow.repair.fading import unfaded
from colorflow.repair.repairer import mask_of
from colorflow.scan import Frame, cut_out, find_frames
from colorflow.ui.photos import UploadedPhoto, opened, prepared_photo, storing, write_preview

if TYPE_CHECKING:
    from colorflow.repair.repairer import Repairer

Corners = tuple[tuple[float, float], ...]
"""Upper left, upper right, lower right and lower left one."""
MOST_MARKS, MOST_PLACES = 300, 1000
"""Changes of what is repaired, and points of each; nobody draws more."""
_LEAST_SIDE = 16
"""Pixels of what is cut out."""
_LARGEST_GROWTH = 4
"""What is cut out has at most so many times the pixels of the upload; a slanting one may grow."""
_CLICK = 1 / 150
"""How far from a place a click may be that means it, divided by the picture's longer side."""
_FOUND = (230, 0, 140)
"""Color in which the places are shown, sRGB."""
_OPACITY = 150


@dataclass(frozen=True, slots=True)
class Mark:
    """A change of what is repaired.

    Attributes:
        points: (x, y) along a stroke; one for a click.
        radius: of the stroke, in pixels; 0 takes the place at the point away.
    """

    points: Corners
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a photo is to be before it is colored; by default what was uploaded."""

    frame: Corners | None = None
    """What is cut out; None for all of it."""
    turns: int = 0
    """Quarter turns clockwise, 0 to 3."""
    repairs: bool = False
    fades: bool = False
    """Whether faded tones are brought back."""
    sensitivity: int = 1
    """More than elsewhere: a visitor asks for repair of a print that has damage, and sees it."""
    marks: tuple[Mark, ...] = ()

    @property
    def repair(self) -> tuple[object, ...] | None:
        """What decides which places are repaired; None where none are."""
        return (self.sensitivity, self.marks) if self.repairs else None

    @property
    def shape(self) -> tuple[object, ...]:
        """What decides which part of the upload it is, and how it is turned."""
        return self.frame, self.turns

    def is_as(self, other: Wish) -> bool:
        """Whether both give the same picture."""
        return (self.shape, self.repair, self.fades) == (other.shape, other.repair, other.fades)


class OldPrint:
    """What is wished of an upload, and what has been made of it.

    Args:
        scan: the upload.

    Raises:
        ColorflowError: its preview cannot be read any more.
    """

    def __init__(self, scan: UploadedPhoto) -> None:
        self.scan = self.base = self.photo = scan
        """The upload, what was cut out of it, and what is colored."""
        small = read_photo(scan.preview)
        scale = np.array((scan.width / small.width, scan.height / small.height))
        self.frames: Sequence[Corners] = [
            _corners((np.array(frame.corners) * scale).clip(0, (scan.width, scan.height)))
            for frame in find_frames(small)
        ]
        """Prints that were found."""
        self.corners = self.frames[0] if self.frames else self.whole
        """As they are shown."""
        self.wish = self.made = Wish()
        self.share = 0.0
        """How much of the photo is repaired, 0 to 1."""
        self._shown: Path | None = None
        """What `places` has given, unless they have changed."""

    @property
    def whole(self) -> Corners:
        """The corners of the upload."""
        return _whole(self.scan.width, self.scan.height)

    @property
    def is_stale(self) -> bool:
        """Whether the wish has not been made yet."""
        return not self.wish.is_as(self.made)

    @property
    def _odds(self) -> Path:
        return self.base.preview.with_name("odds.npy")

    @property
    def _mask(self) -> Path:
        return self.base.preview.with_name("mask.npy")

    # cut out

    @property
    def turned_size(self) -> tuple[int, int]:
        """Width and height of the upload, turned as is wished."""
        width, height = self.scan.width, self.scan.height
        return (height, width) if self.wish.turns % 2 else (width, height)

    @property
    def turned_corners(self) -> Corners:
        """The corners in pixels of the upload, turned as is wished."""
        return _turned(self.corners, self.wish.turns, self.scan.width, self.scan.height)

    def turned_preview(self) -> Path:
        """A preview of the upload, turned as is wished.

        Raises:
            ColorflowError: it cannot be read or written.
        """
        if not self.wish.turns:
            return self.scan.preview
        path = self.scan.folder / f"turned-{self.wish.turns}.png"
        if not path.exists():
            small = read_photo(self.scan.preview)
            whole = Frame(_whole(small.width, small.height))
            turned = cut_out(small, whole, self.wish.turns)
            write_preview(path, turned.pixels, turned)
        return path

    def put_corners(self, turned: Corners, turns: int) -> None:
        """Take corners in pixels of the upload, turned clockwise by so many quarters.

        Raises:
            ColorflowError: they do not enclose a print.
        """
        width, height = self.scan.width, self.scan.height
        if turns % 2:
            width, height = height, width
        corners = _turned(turned, -turns % 4, width, height)
        if any(not (0 <= x <= width and 0 <= y <= height) for x, y in turned):
            raise ColorflowError(
                f"The corners have to be on the photo: from 0 to {width} across and from 0 to "
                f"{height} down."
            )
        try:
            frame = Frame(corners)
        except ValueError as error:
            raise ColorflowError(
                "The corners do not enclose a picture: their sides cross, or one lies between the "
                "others; put the upper left corner at the upper left, and so on."
            ) from error
        size = frame.size
        if min(size) < _LEAST_SIDE:
            raise ColorflowError(
                f"The corners are too close together; a picture has at least {_LEAST_SIDE} pixels "
                "on each side."
            )
        most = min(_LARGEST_GROWTH * width * height, self.scan.budget.pixels)
        if math.prod(size) > most:
            raise ColorflowError(
                f"The picture between these corners would have {math.prod(size) / 1e6:.1f} "
                f"megapixels; here it has at most {most / 1e6:.1f}."
            )
        self.corners = corners

    def cut(self) -> None:
        """Wish for what is between the corners."""
        frame = None if self.corners == self.whole else self.corners
        self.wish = replace(self.wish, frame=frame)

    def turn(self, quarters: int) -> None:
        """Wish for another orientation."""
        self.wish = replace(self.wish, turns=(self.wish.turns + quarters) % 4)

    # repair

    def mark(self, points: Sequence[tuple[float, float]], radius: float) -> None:
        """Add a place, or take the one away that a click means.

        Args:
            points: (x, y) along a stroke in pixels of what was cut out; one for a click.
            radius: of what is added, divided by the longer side of what was cut out.

        Raises:
            ColorflowError: they are outside, or too many.
        """
        width, height = self.base.width, self.base.height
        if not points or any(not (0 <= x <= width and 0 <= y <= height) for x, y in points):
            raise ColorflowError(
                f"The photo has {width} × {height} pixels; choose a place from 0 to {width} across "
                f"and from 0 to {height} down."
            )
        if len(self.wish.marks) >= MOST_MARKS or len(points) > MOST_PLACES:
            raise ColorflowError(f"A photo takes {MOST_MARKS} changes; undo some first.")
        with self._reserved():
            mask = self._load(self._mask)
            near = _nearest(mask, *points[0]) if len(points) == 1 else None
            radius *= max(width, height)
            mark = Mark((near,), 0) if near else Mark(tuple(points), radius)
            _draw(mask, mark)
            self._keep(mask)
            self.wish = replace(self.wish, marks=(*self.wish.marks, mark))

    def undo(self) -> None:
        """Take the last change back."""
        self.wish = replace(self.wish, marks=self.wish.marks[:-1])
        self._decide_anew()

    def find(self, sensitivity: int) -> None:
        """Find less or more, from -2 to 2.

        Raises:
            ColorflowError: what was found is gone.
        """
        self.wish = replace(self.wish, sensitivity=sensitivity)
        self._decide_anew()

    def _decide_anew(self) -> None:
        with self._reserved():
            self._decide(self._load(self._odds))

    def places(self) -> Path:
        """A picture of what is repaired to put over a preview, transparent elsewhere.

        Raises:
            ColorflowError: what was found is gone, or the picture not written.
        """
        if self._shown and self._shown.exists():
            return self._shown
        with self._reserved():
            mask = self._load(self._mask)
            scale = self.base.preview_scale
            size = [max(1, round(scale * side)) for side in mask.shape[::-1]]
            small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        alpha = np.minimum(small.astype(np.uint16) * 3, _OPACITY).astype(np.uint8)
        pixels = np.empty((*alpha.shape, 3), np.uint8)
        pixels[:] = _FOUND
        for old in self._mask.parent.glob("places-*.png"):
            old.unlink(missing_ok=True)
        # A name of its own for each: browsers keep what they have seen.
        path = self._mask.with_name(f"places-{time.monotonic_ns()}.png")
        self._shown = write_preview(path, pixels, Photo(pixels=pixels, alpha=alpha))
        return self._shown

    # make

    def steps(
        self, repairer: Repairer | None, use: Callable[[UploadedPhoto], None]
    ) -> Generator[float, None, None]:
        """Make what is wished: yields the share that is done.

        If it ends before, the wish becomes what was made, but for marks and sensitivity. Marks go
        with the shape that they were made for.

        Args:
            repairer: finds and fills damage; may be None if that is not wished.
            use: is called with what is colored from now on.

        Raises:
            ColorflowError: something cannot be read or written.
        """
        wish = self.wish
        try:
            yield 0.0
            if wish.shape != self.made.shape:
                self._put(self._cut(wish), Wish(frame=wish.frame, turns=wish.turns), use)
                self._mask.unlink(missing_ok=True)  # may be of marks before
                wish = self.wish = replace(wish, marks=())
                yield 0.05
            improved = self.base
            if wish.repairs or wish.fades:
                improved = yield from self._improved(wish, repairer)
            self._put(improved, wish, use, base=self.base)
        finally:
            if self.made is not wish:
                sensitivity, marks = wish.sensitivity, wish.marks
                self.wish = replace(self.made, sensitivity=sensitivity, marks=marks)

    def _put(
        self,
        photo: UploadedPhoto,
        made: Wish,
        use: Callable[[UploadedPhoto], None],
        base: UploadedPhoto | None = None,
    ) -> None:
        """Have another photo colored, and delete what is no longer needed."""
        before = self.photo, self.base
        self.photo, self.base, self.made = photo, base or photo, made
        use(photo)
        for one in before:
            if one not in (self.scan, self.base, self.photo):
                shutil.rmtree(one.path.parent, ignore_errors=True)

    def _cut(self, wish: Wish) -> UploadedPhoto:
        if wish.shape == Wish().shape:
            return self.scan
        scan = self.scan
        frame = Frame(wish.frame or self.whole)
        with opened(scan.path, scan.budget, math.prod(frame.size)) as photo:
            said = self._said(wish) if wish.frame else None
            return prepared_photo(cut_out(photo, frame, wish.turns), scan, said)

    def _improved(
        self, wish: Wish, repairer: Repairer | None
    ) -> Generator[float, None, UploadedPhoto]:
        said = replace(self._said(wish), unfaded=wish.fades)
        with self.base.read() as photo:
            if wish.repairs:
                assert repairer
                if not self._odds.exists():
                    self._save(self._odds, (yield from repairer.finding(photo)))
                if not self._mask.exists():
                    self._decide(self._load(self._odds))
                mask = self._load(self._mask) > 0
                done = yield from repairer.steps(photo, mask=mask)
                photo = done.photo
                said = replace(
                    said,
                    model=repairer.digest,
                    sensitivity=wish.sensitivity,
                    share=done.share,
                )
            if wish.fades:
                photo = unfaded(photo)
            return prepared_photo(photo, self.scan, said)

    def _said(self, wish: Wish) -> Preparation:
        """What files say of the cut: which of the prints it is, or the only one, cut by hand."""
        if wish.frame is None:
            return Preparation()
        away = [np.abs(np.subtract(one, wish.frame)).sum() for one in self.frames] or [0]
        return Preparation(prints=len(away), number=1 + int(np.argmin(away)))

    # files

    def _decide(self, odds: NDArray[np.float16]) -> None:
        mask = 255 * mask_of(odds, self.wish.sensitivity).astype(np.uint8)
        for mark in self.wish.marks:
            _draw(mask, mark)
        self._keep(mask)

    def _keep(self, mask: NDArray[np.uint8]) -> None:
        self._save(self._mask, mask)
        self._shown = None
        self.share = cv2.countNonZero(mask) / mask.size

    def _reserved(self) -> AbstractContextManager[None]:
        return self.base.budget.reserve(self.base.cost)

    def _save(self, path: Path, array: NDArray[Any]) -> None:
        self.base.budget.disk.check(array.nbytes)
        whole = path.with_suffix(".part")
        with storing(), open(whole, "wb") as file:
            np.save(file, array)
        with storing():
            whole.replace(path)

    def _load(self, path: Path) -> NDArray[Any]:
        try:
            loaded: NDArray[Any] = np.load(path)
        except (OSError, ValueError) as error:
            raise ColorflowError("What was found is gone; choose the photo again.") from error
        return loaded


def _nearest(mask: NDArray[np.uint8], x: float, y: float) -> tuple[float, float] | None:
    """The pixel of a place that a click at (x, y) means, if any."""
    radius = max(2, round(_CLICK * max(mask.shape)))
    top, left = max(0, int(y) - radius), max(0, int(x) - radius)
    rows, columns = np.nonzero(mask[top : int(y) + radius + 1, left : int(x) + radius + 1])
    distance = np.hypot(rows + top - y, columns + left - x)
    if not len(distance) or distance.min() > radius:
        return None
    nearest = int(distance.argmin())
    return float(columns[nearest] + left), float(rows[nearest] + top)


def _draw(mask: NDArray[np.uint8], mark: Mark) -> None:
    """Change a mask, 0 or 255."""
    points = np.array(mark.points).astype(np.int32)
    if mark.radius:
        radius = max(1, round(mark.radius))
        cv2.polylines(mask, [points], False, 255, 2 * radius + 1)
        for point in points[[0, -1]]:
            cv2.circle(mask, point.tolist(), radius, 255, cv2.FILLED)
    elif mask[points[0][1], points[0][0]]:
        cv2.floodFill(mask, None, points[0].tolist(), 0, flags=8)


def _corners(points: NDArray[np.float64]) -> Corners:
    return tuple((float(x), float(y)) for x, y in points)


def _whole(width: float, height: float) -> Corners:
    return ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))


def _turned(corners: Corners, turns: int, width: float, height: float) -> Corners:
    """Corners of a picture that is turned clockwise, from its upper left one on."""
    for _ in range(turns):
        turned = tuple((height - y, x) for x, y in corners)
        corners, width, height = (*turned[-1:], *turned[:-1]), height, width
    return corners
