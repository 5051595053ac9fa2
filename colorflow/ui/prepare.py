"""What is done to a print before it is colored: cut out, turned, repaired, its tones brought back.

A `PrintPlan` says what is wished of an upload, and a `Form` is what was made by it. The upload, the
form before and all that are colored stay, so that a step can be taken back at once; others are made
again. Between two clicks there are only files: the pixels of each form, where damage is likely (log
odds), and the mask of what is repaired.

Coordinates are (x, y) in pixels of the upload; those of marks in pixels of what was cut out of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.errors import ColorflowError
from colorflow.photo import Photo
from colorflow.recipe import NOTHING_DONE, Crop, Recipe, Repair, Statement, Weights
from colorflow.repair.fading import unfaded
from colorflow.repair.places import mask_of, touched
from colorflow.repair.repairer import Repairer
from colorflow.result import damage_of
from colorflow.scan import Frame, cut_out
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import (
    PhotoFile,
    disk_errors_told,
    made_photo,
    opened,
    reduced,
    write_preview,
)

Corners = tuple[tuple[float, float], ...]
"""Upper left, upper right, lower right and lower left one; or points along a stroke."""
MOST_MARKS, LONGEST_STROKE = 300, 1000
"""Changes of what is repaired, and points of each, of which stage.js sends no more."""
_INSET = 0.1
"""How far corners that are to be dragged are from the edges, as a share of the sides."""
_LEAST_SIDE = 16
"""Pixels of what is cut out."""
_LARGEST_GROWTH = 4
"""What is cut out has at most so many times the pixels of the upload; a slanting one may grow."""
_CLICK, _FINGER = 1 / 150, 1 / 50
"""How far a click may be from a place that it takes back, and from damage that it means, divided
by the picture's longer side."""
_MOSTLY = 0.5
"""Share of a stroke that is on places if it takes them back."""
_SEEN, _FAR = -2.0, 3.0
"""Log odds of damage that a click near it means, and how many of them a finger's width counts."""
_FOUND = (230, 0, 140)
"""Color in which the places are shown, sRGB."""
_OPACITY = 150
_SENSITIVITY = 1
"""More than elsewhere: a visitor asks for repair of a print that has damage, and sees it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A change of what is repaired.

    Attributes:
        points: (x, y) along a stroke; one for a click.
        radius: of what is added where the finder sees nothing, in pixels; half a stroke's width.
        takes_back: a stroke what is under it, a click the whole place.
    """

    points: Corners
    radius: float
    takes_back: bool = False


class RestoreSteps(NamedTuple):
    """What is done to a photo that is restored, each only if the photo needs it."""

    crop: bool = True
    repair: bool = True
    fading: bool = True
    color: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintPlan:
    """What a photo is to be before it is colored; by default what was uploaded.

    Args:
        frame: what is cut out; None for all of it.
        turns: quarter turns clockwise, 0 to 3.
        repairs: whether damage is filled.
        fades: whether faded tones are brought back.
        sensitivity: how much is damage, -2 to 2.
        marks: changes of what is repaired.
    """

    frame: Corners | None = None
    turns: int = 0
    repairs: bool = False
    fades: bool = False
    sensitivity: int = _SENSITIVITY
    marks: tuple[Mark, ...] = ()

    def restoring(self, steps: RestoreSteps, found: Corners | None) -> PrintPlan:
        """What a photo is to be that is restored: what somebody has cut out or marked stays.

        Args:
            steps: what is done.
            found: where a print was found for sure; None if nowhere.
        """
        frame = (self.frame or found) if steps.crop else None
        plan = replace(self, frame=frame, repairs=steps.repair, fades=steps.fading)
        if plan.marks and plan.shape == self.shape:
            return plan
        return replace(plan, marks=(), sensitivity=0)

    @property
    def shape(self) -> PrintPlan:
        """What it says of the cut and the orientation alone."""
        return PrintPlan(frame=self.frame, turns=self.turns)

    @property
    def plain(self) -> PrintPlan:
        """The same without what does not matter: two plans that give one picture are equal then."""
        return self if self.repairs else replace(self, sensitivity=_SENSITIVITY, marks=())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """What was made of an upload by a plan.

    Args:
        photo: the result.
        base: the same before it was repaired: cut out and turned.
        plan: a plain one.
        statement: what its files say.
    """

    photo: PhotoFile
    base: PhotoFile
    plan: PrintPlan = PrintPlan()
    statement: Statement = NOTHING_DONE


def corners_in(frames: Sequence[Frame], upload: PhotoFile) -> tuple[Corners, ...]:
    """The corners of the prints of a scan, as far as they are in it."""
    size = upload.width, upload.height
    clipped = (np.array(frame.corners).clip(0, size) for frame in frames)
    return tuple(tuple((float(x), float(y)) for x, y in corners) for corners in clipped)


def whole(width: float, height: float) -> Corners:
    """The corners of a picture."""
    return ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))


def within(width: float, height: float) -> Corners:
    """Corners in a picture, where they are easily taken and dragged to those of a print."""
    return tuple(
        (x + _INSET * (width - 2 * x), y + _INSET * (height - 2 * y))
        for x, y in whole(width, height)
    )


def check_places(places: Corners, across: float, down: float) -> None:
    """Refuse places that are not on a photo.

    Args:
        places: (x, y) from its upper left corner.
        across: the largest x.
        down: the largest y.

    Raises:
        ColorflowError: one is not.
    """
    if any(not (0 <= x <= across and 0 <= y <= down) for x, y in places):
        raise ColorflowError(
            f"Choose a place on the photo: from 0 to {across:g} across and from 0 to {down:g} down."
        )


def checked_corners(corners: Corners, upload: PhotoFile, most: int) -> Corners:
    """The corners, if they enclose a print.

    Args:
        corners: in pixels of the upload.
        upload: the photo.
        most: pixels that a picture may have.

    Raises:
        ColorflowError: they do not enclose a print.
    """
    check_places(corners, upload.width, upload.height)
    try:
        size = Frame(corners).size
    except ValueError as error:
        raise ColorflowError(
            "The corners do not enclose a picture: their sides cross, or one lies between the "
            "others; put the upper left corner at the upper left, and so on."
        ) from error
    if min(size) < _LEAST_SIDE:
        raise ColorflowError(
            f"The corners are too close together; a picture has at least {_LEAST_SIDE} pixels "
            "on each side."
        )
    most = min(_LARGEST_GROWTH * upload.pixels, most)
    if math.prod(size) > most:
        raise ColorflowError(
            f"The picture between these corners would have {math.prod(size) / 1e6:.1f} "
            f"megapixels; here it has at most {most / 1e6:.1f}."
        )
    return corners


def moved(
    points: Sequence[tuple[float, float]], plan: PrintPlan, upload: PhotoFile, *, back: bool = False
) -> list[tuple[float, float]]:
    """Points of an upload in its form.

    Args:
        points: (x, y) in pixels, from 0 at the outer edge of the first one.
        plan: of the form.
        upload: the photo.
        back: whether they are points of the form, wanted in the upload.
    """
    if not points or plan.shape == PrintPlan():
        return list(points)
    corners = plan.frame or whole(upload.width, upload.height)
    width, height = Frame(corners).size
    target = whole(width, height)
    for _ in range(plan.turns):
        target = tuple((height - y, x) for x, y in target)
        width, height = height, width
    matrix = cv2.getPerspectiveTransform(*np.array((corners, target), np.float32))
    matrix = np.linalg.inv(matrix) if back else matrix
    result = cv2.perspectiveTransform(np.array([points], np.float64), matrix)[0]
    return [(float(x), float(y)) for x, y in result]


def mark_of(base: PhotoFile, points: Corners, radius: float) -> Mark:
    """What a click or a stroke over the places means.

    A click on a place takes it back; beside it, a click means the damage that is surest and nearest
    within a finger's width, or else the point itself. A stroke takes back what is under it if most
    of that is repaired already: one that prolongs a crack begins on a place, too.

    Args:
        base: what is repaired.
        points: (x, y) in its pixels, at least one; one for a click.
        radius: of a stroke, and of what a click adds where the finder sees nothing, divided by the
            longer side.

    Raises:
        ColorflowError: they are outside, or what was found has gone.
    """
    check_places(points, base.width, base.height)
    side, mask = max(base.width, base.height), _load(_mask_of(base), "r")
    if len(points) == 1:
        near, takes_back = _meant(mask, _load(_odds_of(base), "r"), *points[0], side)
        return Mark((near,), radius * side, takes_back)
    line = np.zeros(mask.shape, np.uint8)
    cv2.polylines(line, [np.array(points).astype(np.int32)], False, 1)
    under = np.count_nonzero(mask[line > 0])
    return Mark(points, radius * side, bool(under > _MOSTLY * np.count_nonzero(line)))


def cut(upload: PhotoFile, plan: PrintPlan, of_print: Statement, budget: MemoryBudget) -> Form:
    """Cut out and turn what is planned; takes and raises what `make` does."""
    frame = Frame(plan.frame or whole(upload.width, upload.height))
    with opened(upload.path, budget, math.prod(frame.size)) as photo:
        base = made_photo(cut_out(photo, frame, plan.turns), upload, budget)
    return Form(photo=base, base=base, plan=plan.shape, statement=_cut_stated(plan, of_print))


def make(
    upload: PhotoFile,
    plan: PrintPlan,
    known: Mapping[PrintPlan, Form],
    of_print: Statement,
    repairer: Repairer | None,
    budget: MemoryBudget,
) -> Iterator[float | Path | Form]:
    """Make what is planned: gives what share is done, and forms; the last one is the result.

    Where something is repaired, also a picture of the places, to be put over a preview. If there
    is no damage, the result is the photo as it is without repair.

    Args:
        upload: the photo.
        plan: a plain one.
        known: forms that were made of the upload before, with that of no plan.
        of_print: what files say of the cut, if anything is cut out.
        repairer: finds and fills damage; may be None if that is not planned.
        budget: memory and disk.

    Raises:
        ColorflowError: something cannot be read or written.
    """
    yield 0.0
    form = known.get(plan.shape) or cut(upload, plan, of_print, budget)
    yield form
    if plan == plan.shape:
        return
    base, wanted = form.base, plan
    statement = replace(form.statement, recipe=replace(form.statement.recipe, unfaded=plan.fades))
    if plan.repairs and repairer:
        mask = yield from _find(base, plan, repairer, budget)
        statement = _repaired_stated(statement, plan, repairer, mask)
        if not mask.any():
            plan = replace(plan, repairs=False).plain
    if plan in known or plan == plan.shape:
        yield replace(known.get(plan, form), plan=wanted, statement=statement)
        return
    with opened(base.path, budget) as photo:
        if plan.repairs and repairer:
            photo, _ = yield from repairer.steps(photo, Repair(), mask=mask > 0)
        if plan.fades:
            photo = unfaded(photo)
        result = made_photo(photo, upload, budget)
    made = Form(photo=result, base=base, plan=plan, statement=statement)
    yield made
    yield replace(made, plan=wanted)


def _cut_stated(plan: PrintPlan, of_print: Statement) -> Statement:
    """What files say of what is cut out and turned."""
    if not plan.frame:
        crop = Crop(turns=plan.turns) if plan.turns else None
        return Statement(recipe=Recipe(crop=crop), photo=of_print.photo)
    corners = tuple(x for corner in plan.frame for x in corner)
    crop = replace(of_print.recipe.crop or Crop(), frame=corners, turns=plan.turns)
    return replace(of_print, recipe=Recipe(crop=crop))


def _repaired_stated(
    statement: Statement, plan: PrintPlan, repairer: Repairer, mask: NDArray[np.uint8]
) -> Statement:
    """What files say of a repair; the digest of the photo is left out if marks changed it."""
    share, marks = damage_of(mask > 0)
    return replace(
        statement,
        recipe=replace(statement.recipe, repair=Repair(sensitivity=plan.sensitivity)),
        weights=Weights(repair=repairer.digest),
        photo=None if plan.marks else statement.photo,
        repaired=share,
        marks=marks,
    )


def _find(
    base: PhotoFile, plan: PrintPlan, repairer: Repairer, budget: MemoryBudget
) -> Generator[float | Path, None, NDArray[np.uint8]]:
    """Find damage, unless it is known, and decide which of it is repaired: gives the picture.

    Returns:
        (H, W), 255 where the base is repaired and 0 elsewhere. The file of it is for `mark_of`, and
        may be of another plan soon.
    """
    found = _odds_of(base)
    if not found.exists():
        with opened(base.path, budget) as photo:
            odds = yield from repairer.finding(photo)
            _save(found, odds, budget)
    with budget.reserve(base.pixels):
        odds = _load(found)
        mask: NDArray[np.uint8] = 255 * mask_of(odds, plan.sensitivity).astype(np.uint8)
        for mark in plan.marks:
            _draw(mask, odds, mark)
        _save(_mask_of(base), mask, budget)
        small = reduced(Photo(pixels=mask)).pixels
    alpha = np.minimum(small.astype(np.uint16) * 3, _OPACITY).astype(np.uint8)
    pixels = np.full((*alpha.shape, 3), _FOUND, np.uint8)
    # A name of its own for each: browsers keep what they have seen.
    path = base.folder / f"places-{time.monotonic_ns()}.png"
    yield write_preview(path, pixels, Photo(pixels=pixels, alpha=alpha))
    return mask


def _odds_of(base: PhotoFile) -> Path:
    return base.folder / "odds.npy"


def _mask_of(base: PhotoFile) -> Path:
    return base.folder / "mask.npy"


def _save(path: Path, array: NDArray[Any], budget: MemoryBudget) -> None:
    budget.disk.check()
    with disk_errors_told():  # `mark_of` may be reading the one before
        with NamedTemporaryFile(dir=path.parent, delete=False) as part:
            np.save(part, array)
        Path(part.name).replace(path)


def _load(path: Path, mode: Any = None) -> NDArray[Any]:
    try:
        return np.load(path, mmap_mode=mode)
    except (OSError, ValueError) as error:
        raise ColorflowError("The damage has not been looked for yet; wait for it.") from error


def _meant(
    mask: NDArray[np.uint8], odds: NDArray[np.float16], x: float, y: float, side: int
) -> tuple[tuple[float, float], bool]:
    """The pixel that a click at (x, y) means, and whether it is repaired already."""
    finger = max(3.0, _FINGER * side)
    top, left = max(0, int(y - finger)), max(0, int(x - finger))
    window = np.s_[top : int(y + finger) + 1, left : int(x + finger) + 1]
    marked, near = mask[window] > 0, odds[window].astype(np.float32)
    rows, columns = np.indices(marked.shape)
    distance = np.hypot(rows + top - y, columns + left - x)
    places = np.where(marked, distance, np.inf)
    near -= _FAR * distance / finger
    near[marked | (distance > finger)] = -np.inf
    takes_back = bool(places.min() <= max(2.0, _CLICK * side))
    at = int(places.argmin() if takes_back else near.argmax())
    if not takes_back and near.flat[at] < _SEEN:
        return (x, y), False
    return (float(columns.flat[at] + left), float(rows.flat[at] + top)), takes_back


def _draw(mask: NDArray[np.uint8], odds: NDArray[np.float16], mark: Mark) -> None:
    """Change a mask, 0 or 255."""
    points = np.array(mark.points).astype(np.int32)
    if not mark.takes_back:
        mask[touched(odds, mark.points, mark.radius)] = 255
    elif len(points) > 1:
        cv2.polylines(mask, [points], False, 0, 2 * max(1, round(mark.radius)) + 1)
    elif mask[points[0][1], points[0][0]]:
        cv2.floodFill(mask, None, points[0].tolist(), 0, flags=8)
