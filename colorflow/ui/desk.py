"""What one visitor has on the desk: photos, what was made of them, and what is being made.

A `Desk` knows nothing of Gradio and holds no pixels: specs, small chroma, and files in a folder of
its own. Its methods are what can be done at once; `work` has what takes time. Four rules make quick
clicks and long work safe:

1. A handler takes the desk's one lock, changes the desk, and counts `version` up. It shows the
   whole desk (`render`): the view is made under the lock and sent without it, and whoever has sent
   one looks whether the desk has changed since, and sends again. So the last view is of the last
   state, whatever order handlers end in (`colorize.ColorizeTab`).
2. Long work belongs to a `Wish`, one of a kind. It takes what it needs under the lock and computes
   outside of it; a result is applied, under the lock, only if the desk still has that wish. A new
   wish, or Cancel, is all it takes to end one, and ends no other kind.
3. A field that the visitor edits is sent only if its value is not what the page has (`edits`), so
   that a slider never jumps back under the hand.
4. What is sent are texts, numbers and switches, each whole: never a part of a component's
   properties, which the next message might overtake.

What Gradio guarantees, by its documents: the messages of all handlers of a page arrive in the order
in which they were sent; a generator is asked for its next value after the one before was sent; its
last value is sent once more when it has ended, so handlers end with a `gr.skip()` for every output;
and `.then` is called after a handler has succeeded, whatever was clicked meanwhile.

A desk goes an hour after its last action, whether or not the page was left: who stays after the
browser's question has lost nothing. Its folder is touched by every action, and swept by its age.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from colorflow.color.cie import saturated
from colorflow.color.full_resolution import lightness_of
from colorflow.errors import ColorflowError
from colorflow.photo import Kind, Provenance, read_photo
from colorflow.ui.hints import Hints, Points, Swatch, material_swatches
from colorflow.ui.photos import PhotoFile, write_colored
from colorflow.ui.prepare import (
    MOST_MARKS,
    Corners,
    Form,
    PrintPlan,
    checked_corners,
    mark_of,
    moved,
    whole,
)

if TYPE_CHECKING:
    from colorflow.coloring import ColoringSpec
    from colorflow.colorizer import Reach

WishKind = Literal["open", "prepare", "color", "ask", "album", "finish"]
"""Photos that are opened; a print that is prepared; colorings of one photo; what the model is asked
(likely colors of a point, where it is unsure); colorings of all photos or a zip of them; a file in
full size."""
View = Literal["photo", "frame", "places", "points"]
"""What the large picture is for: to compare, to cut out, to choose what is repaired, to click
points."""
MOST_PHOTOS = 200
"""Photos that may be on a desk."""
MOST_COLORINGS = 200
"""Colorings that a photo may have."""
MARK_RADIUS = 1 / 50
"""How near a click is to a point that it means, divided by the longer side of the photo."""
_NO_PHOTO = "There is no photo here; choose one first."


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePhoto:
    """A photo whose colors another one gets."""

    name: str
    picture: Path
    """Small, and in color."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhotoColoring:
    """One coloring of a photo on a desk."""

    form: Form
    """What it was made on."""
    spec: ColoringSpec
    hints: Hints
    """In pixels of the upload."""
    references: tuple[ReferencePhoto, ...]
    ab: NDArray[np.float32]
    """Its colors as the model made them, CIELAB (2, h, w), on a small grid."""
    provenance: Provenance
    """What its files say."""
    preview: Path
    caption: str
    stem: str
    """Name of its file in full size, without the suffix."""

    @property
    def key(self) -> tuple[object, ...]:
        """Tells it from other colorings of the photo."""
        return self.form.plan, self.spec, self.hints, self.references

    def painted(self, saturation: float) -> Path:
        """A preview with stronger or weaker colors.

        Args:
            saturation: as of `colorflow.color.cie.saturated`.

        Raises:
            ColorflowError: it cannot be written.
        """
        path = self.preview.with_stem(f"saturated-{saturation:.2f}")
        if saturation == 1:
            return self.preview
        if not path.exists():
            small = read_photo(self.form.photo.preview)
            write_colored(path.with_suffix(""), saturated(self.ab, saturation), small)
        return path


@dataclass(slots=True, kw_only=True, eq=False)
class DeskPhoto:
    """A photo on a desk."""

    name: str
    """Of its file, with the folders of its album."""
    source: Path
    """The file or archive as it was uploaded."""
    upload: PhotoFile
    form: Form
    """What is colored: the upload, or what was made of it."""
    prints: tuple[Corners, ...] = ()
    """That were found in it."""
    plan: PrintPlan = field(default_factory=PrintPlan)
    """What it is to be; `form` follows."""
    corners: Corners = ()
    """Of the frame as it is shown, in pixels of the upload."""
    forms: dict[PrintPlan, Form] = field(default_factory=dict)
    """All that were made, with that of the upload."""
    places: Path | None = None
    """A picture of what is repaired."""
    points: Points = field(default_factory=Points)
    likely: tuple[Swatch, ...] | None = None
    """Colors that the point may have which gets the next color; None until they are known."""
    references: tuple[ReferencePhoto, ...] = ()
    colorings: list[PhotoColoring] = field(default_factory=list)
    """In the order in which they were made; they stay until the photo goes."""
    picked: PhotoColoring | None = None
    saturation: float = 1.0
    shown: Path | None = None
    """The chosen coloring with its saturation."""
    maps: dict[str, Path] = field(default_factory=dict)
    """Pictures of the form that tell where the model is unsure, or found the reference's colors."""
    treated_as_gray: bool = False
    """Whether the visitor wants its lightness colored even if it has colors."""
    saved: object = None
    """What of it has been downloaded last: a coloring and its saturation."""
    lightness: dict[tuple[float, float], float] = field(default_factory=dict)
    """L* at rows and columns of the upload that were asked for."""

    @property
    def folder(self) -> Path:
        """Holds everything that is made of it."""
        return self.upload.folder

    @property
    def has_colors(self) -> bool:
        """Whether it has colors of its own."""
        return self.upload.kind is Kind.COLORED

    @property
    def is_left_alone(self) -> bool:
        """Whether it has colors that the visitor has not asked to leave out."""
        return self.has_colors and not self.treated_as_gray

    @property
    def gallery(self) -> list[PhotoColoring]:
        """The colorings of its present form: cut and turned as it is, repaired or not."""
        shape = self.plan.shape
        return [one for one in self.colorings if one.form.plan.shape == shape]

    @property
    def chosen(self) -> PhotoColoring | None:
        """The coloring that is shown; None if the photo itself is."""
        return self.picked if self.picked in self.gallery else None

    @property
    def shown_form(self) -> Form:
        """What the chosen coloring was made on; without one, what would be colored."""
        return self.chosen.form if self.chosen else self.form

    @property
    def is_stale(self) -> bool:
        """Whether the plan has not been made yet."""
        return self.plan.plain != self.form.plan

    @property
    def state(self) -> object:
        """What a download would save; None where that is nothing new."""
        return (self.chosen.key, self.saturation) if self.chosen else None

    @property
    def is_unsaved(self) -> bool:
        """Whether there are colorings, and what is chosen has not been downloaded."""
        return bool(self.colorings) and (self.state or self.colorings[0].key) != self.saved

    def hints_on(self, form: Form, hints: Hints) -> Hints:
        """Hints of the upload in pixels of a form, without those that are not on it."""
        places = [(hint.column + 0.5, hint.row + 0.5) for hint in hints]
        found = zip(hints, moved(places, form.plan, self.upload), strict=True)
        size = form.photo.width, form.photo.height
        return tuple(
            replace(hint, row=y - 0.5 if y >= 0.5 else 0.0, column=max(0.0, x - 0.5))
            for hint, (x, y) in found
            if 0 <= x < size[0] and 0 <= y < size[1]
        )

    def lightness_at(self, row: float, column: float) -> float:
        """L* at a pixel of the upload: the mean of 3x3 of the preview, to leave grain out."""
        if (known := self.lightness.get((row, column))) is not None:
            return known
        small = read_photo(self.upload.preview)
        top = int((int(row) + 0.5) * small.height / self.upload.height)
        left = int((int(column) + 0.5) * small.width / self.upload.width)
        around = small.pixels[max(top - 1, 0) : top + 2, max(left - 1, 0) : left + 2]
        mean = float(lightness_of(np.ascontiguousarray(around)).mean())
        return self.lightness.setdefault((row, column), mean)


Change = Callable[[], None]
"""Applies a result, under the lock."""


@dataclass(slots=True, eq=False)
class Wish:
    """Long work that a desk wants."""

    kind: WishKind
    said: str
    """What is being done."""
    steps: Iterator[Change] = field(init=False)
    """Computes on `next`, outside of the lock."""
    share: float | None = None
    """How much of it is done, 0 to 1; None where that is not known."""
    is_begun: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """An uploaded file that is no photo."""

    name: str
    """Of the file, with its folders in the upload."""
    reason: str
    is_left_out: bool = False
    """Whether nothing is wrong but that it is not named like a photo."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that has been uploaded and is not open yet."""

    path: Path
    source: Path
    name: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A file for the visitor, which the browser saves as soon as it is there."""

    path: Path
    number: int
    """Of all that this desk has made."""


@dataclass(slots=True, eq=False)
class Desk:
    """Everything of one visitor; see the module for the rules.

    Args:
        folder: for its files; is made with the first of them.
        most_pixels: that a picture may have.
    """

    folder: Path
    most_pixels: int = 10**9
    photos: list[DeskPhoto] = field(default_factory=list)
    at: DeskPhoto | None = None
    """The one that the visitor looks at."""
    view: View = "photo"
    compares_gray: bool = False
    """Whether colorings are compared with the photo's gray even if it has colors."""
    waiting: list[Waiting] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    wishes: dict[WishKind, Wish] = field(default_factory=dict)
    finished: Finished | None = None
    said: str = ""
    is_bad: bool = False
    """Whether what is said is about something that failed."""
    version: int = 0
    lock: threading.Condition = field(default_factory=threading.Condition)
    used: float = field(default_factory=time.monotonic)
    """When its visitor last did something."""
    _page_has: dict[str, Any] = field(default_factory=dict)

    # the lock

    def say(self, text: str, *, bad: bool = False) -> None:
        """Tell the visitor something in a sentence."""
        self.said, self.is_bad = text, bad

    def touch(self) -> None:
        """Note an action of the visitor: the desk stays for an hour from now on."""
        self.used = time.monotonic()
        if self.folder.exists():
            os.utime(self.folder)

    def changed(self) -> None:
        """Note that something is to be shown."""
        self.version += 1
        self.touch()
        self.lock.notify_all()

    def want(self, kind: WishKind, said: str, steps: Callable[[Wish], Iterator[Change]]) -> None:
        """Wish for something in the place of what was wished of that kind.

        Args:
            kind: of the wish.
            said: what is being done, until the steps say more.
            steps: gives what `Wish.steps` is.
        """
        wish = Wish(kind, said)
        wish.steps = steps(wish)
        self.wishes[kind] = wish

    def cancel(self, kind: str) -> None:
        """Wish for something no longer; what is done of it stays."""
        known: dict[str, WishKind] = {one: one for one in self.wishes}
        if kind not in known:
            return
        del self.wishes[known[kind]]
        if kind == "open":
            self.waiting.clear()
        if kind == "prepare":
            for photo in self.photos:
                photo.plan = photo.form.plan
        self.say("Cancelled; what is done stays.")

    # fields

    @property
    def fields(self) -> dict[str, Any]:
        """Values of the fields that the visitor and the desk change."""
        photo = self.at
        plan = photo.plan if photo else PrintPlan()
        return {
            "saturation": photo.saturation if photo else 1.0,
            "repairs": plan.repairs,
            "fades": plan.fades,
            "sensitivity": plan.sensitivity,
            "reach": photo.points.reach if photo else "thing",
            "upload": None,  # its files are on the desk
        }

    def edits(self) -> dict[str, Any]:
        """The fields that the page shows otherwise, as it will have them from now on."""
        now = self.fields
        edits = {name: value for name, value in now.items() if self._page_has.get(name) != value}
        self._page_has = now
        return edits

    def page_has(self, fields: dict[str, Any] | None = None) -> None:
        """Note what the visitor has put into fields; by default, that the page is new."""
        self._page_has = {} if fields is None else {**self._page_has, **fields}

    # photos

    @property
    def photo(self) -> DeskPhoto:
        """The photo that the visitor looks at.

        Raises:
            ColorflowError: there is none.
        """
        if self.at is None:
            raise ColorflowError(_NO_PHOTO)
        return self.at

    def add(self, photo: DeskPhoto, *, look: bool = False) -> None:
        """Put a photo on the desk, and show it if there is no other."""
        self.photos.append(photo)
        if look or self.at is None:
            self._show(photo)

    def look_at(self, index: int) -> None:
        """Show another photo; what is at work goes on.

        Raises:
            ColorflowError: there is none of that index.
        """
        self._check(index, self.photos, "That photo is gone; choose another one.")
        self._show(self.photos[index])
        self.say("")

    def remove(self, index: int) -> None:
        """Take a photo away with everything that was made of it.

        Raises:
            ColorflowError: there is none of that index.
        """
        self._check(index, self.photos, "That photo is gone already.")
        gone = self.photos.pop(index)
        if self.at is gone:
            for kind in ("color", "ask", "finish"):
                self.wishes.pop(kind, None)
            self.view = "photo"
            self.at = self.photos[min(index, len(self.photos) - 1)] if self.photos else None
        shutil.rmtree(gone.folder, ignore_errors=True)
        self.say(f"{gone.name} was taken away.")

    def _show(self, photo: DeskPhoto) -> None:
        self.at = photo
        if self.view == "places" and not photo.plan.repairs:
            self.view = "frame"

    def treat_as_gray(self, *, everything: bool = False) -> None:
        """Let the lightness of a photo, or of all, be colored though they have colors."""
        for photo in self.photos if everything else [self.photo]:
            photo.treated_as_gray = True

    def look_for(self, view: str) -> None:
        """Use the large picture for something else.

        Raises:
            ColorflowError: there is nothing of that kind to see.
        """
        if view == "places" and not (self.at and self.at.plan.repairs):
            raise ColorflowError("Tick Repair cracks and spots first.")
        self.view = next(one for one in get_args(View) if one == view)

    # the print

    def put_corners(self, act: str, seen: object, turns: object) -> None:
        """Take the corners as they are on the page, and do what was pressed beside them.

        Args:
            act: "cut" to cut out what they enclose, "whole" to take the whole scan, "left" or
                "right" to turn it, or "print0", "print1", ... for a print that was found.
            seen: the corners in pixels of the upload, turned as it was on the page.
            turns: quarters by which it was turned there.

        Raises:
            ColorflowError: they do not enclose a print.
        """
        photo, number = self.photo, act.removeprefix("print")
        if act == "whole":
            photo.corners = whole(photo.upload.width, photo.upload.height)
        elif number in map(str, range(len(photo.prints))):
            photo.corners = photo.prints[int(number)]
        else:
            # Of two quick turns, the second one still has them as they were before the first.
            quarters = turns if isinstance(turns, int) and turns in range(4) else photo.plan.turns
            corners = points_of(seen)
            photo.corners = checked_corners(corners, quarters, photo.upload, self.most_pixels)
        plan = photo.plan
        if act in ("left", "right"):
            plan = replace(plan, turns=(plan.turns + (1 if act == "right" else -1)) % 4)
        if act in ("cut", "whole"):
            is_whole = photo.corners == whole(photo.upload.width, photo.upload.height)
            plan = replace(plan, frame=None if is_whole else photo.corners)
            self.view = "photo"
        if plan.shape != photo.plan.shape:  # marks are on what was cut out
            photo.plan, photo.places = replace(plan, marks=()), None

    def repair(self, repairs: bool, fades: bool) -> None:
        """Take the switches of the repair."""
        photo = self.photo
        photo.plan = replace(photo.plan, repairs=repairs, fades=fades)
        if repairs:
            self.view = "places"
        elif self.view == "places":
            self.view = "photo"

    def find(self, sensitivity: int) -> None:
        """Find less or more damage, from -2 to 2."""
        self.photo.plan = replace(self.photo.plan, sensitivity=sensitivity)

    def mark(self, points: object, radius: float) -> None:
        """Add a place that is repaired, or take the one away that a click means.

        Args:
            points: (x, y) along a stroke in pixels of what was cut out; one for a click.
            radius: of what is added, divided by the longer side of what was cut out.

        Raises:
            ColorflowError: they are outside, or too many, or nothing is repaired.
        """
        photo = self.photo
        if not photo.plan.repairs or photo.places is None:
            raise ColorflowError("The damage has not been looked for yet; wait for it.")
        if len(photo.plan.marks) >= MOST_MARKS:
            raise ColorflowError(f"A photo takes {MOST_MARKS} changes; undo some first.")
        mark = mark_of(photo.form.base, points_of(points), radius)
        photo.plan = replace(photo.plan, marks=(*photo.plan.marks, mark))

    def mark_place(self, across: int | None, down: int | None, radius: float) -> None:
        """Do the same at a place that is given in numbers."""
        self.mark([(across, down)], radius)

    def undo_mark(self) -> None:
        """Take the last change of the places back."""
        self.photo.plan = replace(self.photo.plan, marks=self.photo.plan.marks[:-1])

    def take_form(self, photo: DeskPhoto, form: Form) -> None:
        """Color from now on what was made of a photo."""
        photo.forms[form.plan] = photo.form = form
        photo.picked = photo.shown = None
        photo.maps.clear()

    # points

    def click(self, x: float, y: float) -> None:
        """Begin or choose a point, or move the held one.

        Args:
            x: from the left edge of what is shown, as a share of its width.
            y: likewise from its upper edge.
        """
        photo = self.photo
        size = photo.shown_form.photo
        across = min(max(int(x * size.width), 0), size.width - 1)
        down = min(max(int(y * size.height), 0), size.height - 1)
        row, column = self._on_upload(across, down)
        radius = MARK_RADIUS * max(photo.upload.width, photo.upload.height)
        photo.points.click(row, column, radius)
        self._aim()

    def put_point(self, across: int | None, down: int | None) -> None:
        """Do the same at a place that is given in pixels of what is shown.

        Raises:
            ColorflowError: it is not on the photo.
        """
        size = self.photo.shown_form.photo
        if across is None or down is None:
            raise ColorflowError("Across and Down: two whole numbers, in pixels of the photo.")
        if not (0 <= across < size.width and 0 <= down < size.height):
            raise ColorflowError(
                f"The photo has {size.width} × {size.height} pixels; choose a place from 0 to "
                f"{size.width - 1} across and from 0 to {size.height - 1} down."
            )
        self.photo.points.put(*self._on_upload(int(across), int(down)))
        self._aim()

    def press_point(self, act: str, index: int) -> None:
        """Do what a button says: "pick" a color for the point, "delete" or "hold" a point.

        Raises:
            ColorflowError: there is no such color or point.
        """
        photo = self.photo
        if act == "pick":
            swatches = self.swatches(photo)
            self._check(index, swatches, "That color is gone; click the point again.")
            photo.points.color(swatches[index].a, swatches[index].b)
        elif act == "delete":
            photo.points.delete(index)
        else:
            photo.points.hold(index)
        self._aim()

    def color_point(self, ab: tuple[float, float] | None) -> None:
        """Give the current point any color, in CIELAB units.

        Raises:
            ColorflowError: it is none, or there is no point.
        """
        if ab is None:
            raise ColorflowError("That is no color; write it as #rrggbb.")
        self.photo.points.color(*ab)
        self._aim()

    def spread(self, reach: Reach) -> None:
        """Let the current point, or the next one, color what `Hint` calls a reach."""
        self.photo.points.spread(reach)

    def undo_point(self) -> None:
        """Undo the last change of the points.

        Raises:
            ColorflowError: there was none.
        """
        self.photo.points.undo()
        self._aim()

    def swatches(self, photo: DeskPhoto) -> list[Swatch]:
        """Colors for the point that gets the next one: of materials, then likely ones."""
        if (target := photo.points.target) is None:
            return []
        return [*material_swatches(photo.lightness_at(*target[:2])), *(photo.likely or ())]

    def _aim(self) -> None:
        """Another point gets the next color, or none: the colors that were likely are not its."""
        self.photo.likely = None

    def _on_upload(self, across: int, down: int) -> tuple[float, float]:
        """Row and column of the upload that a pixel of what is shown has."""
        photo = self.photo
        place = [(across + 0.5, down + 0.5)]
        ((x, y),) = moved(place, photo.shown_form.plan, photo.upload, back=True)
        most = photo.upload.height - 1, photo.upload.width - 1
        row, column = (min(max(one - 0.5, 0), top) for one, top in zip((y, x), most, strict=True))
        return row, column

    # references

    def remove_reference(self, index: int) -> None:
        """Take a reference away.

        Raises:
            ColorflowError: there is none of that index.
        """
        photo = self.photo
        self._check(index, photo.references, "That reference is gone already.")
        photo.references = (*photo.references[:index], *photo.references[index + 1 :])
        photo.maps.pop("reference", None)

    # colorings

    def known(self, photo: DeskPhoto, key: tuple[object, ...]) -> PhotoColoring | None:
        """A coloring that was made before."""
        return next((one for one in photo.colorings if one.key == key), None)

    def take_coloring(
        self, photo: DeskPhoto, coloring: PhotoColoring, *, choose: bool = False
    ) -> None:
        """Add a coloring, unless it is there; a quick one is replaced by the same in full.

        Args:
            photo: is colored.
            coloring: of it.
            choose: whether it is shown; otherwise it is if none is.

        Raises:
            ColorflowError: there are too many.
        """
        plain = replace(coloring.spec, quick=False)
        full, quick = (
            self.known(photo, replace(coloring, spec=replace(plain, quick=is_quick)).key)
            for is_quick in (False, True)
        )
        before = full or (quick if coloring.spec.quick else None)
        if before is None and quick:
            photo.colorings[photo.colorings.index(quick)] = coloring
            choose = choose or photo.picked is quick
        elif before is None:
            if len(photo.colorings) >= MOST_COLORINGS:
                raise ColorflowError(f"A photo has {MOST_COLORINGS} colorings at most.")
            photo.colorings.append(coloring)
        coloring = before or coloring
        if choose or photo.chosen is None:
            self.pick(photo, coloring)

    def choose(self, index: int) -> None:
        """Show a coloring of the gallery; -1 is the photo itself.

        Raises:
            ColorflowError: there is none of that index.
        """
        photo = self.photo
        gallery = photo.gallery
        self._check(index + 1, [None, *gallery], "That coloring is gone; choose another one.")
        self.pick(photo, gallery[index] if index >= 0 else None)

    def pick(self, photo: DeskPhoto, coloring: PhotoColoring | None) -> None:
        """Show a coloring of a photo, or the photo itself, with the photo's saturation."""
        photo.shown = coloring.painted(photo.saturation) if coloring else None
        photo.picked = coloring

    def saturate(self, saturation: float) -> None:
        """Show what is chosen in stronger or weaker colors.

        Raises:
            ColorflowError: the preview cannot be written.
        """
        if self.at:
            self.at.saturation = saturation
            self.pick(self.at, self.at.chosen)

    def compare_with(self, is_gray: bool) -> None:
        """Compare colorings with the photo's own colors, or with its gray."""
        self.compares_gray = is_gray

    def require_chosen(self) -> PhotoColoring:
        """The coloring that is shown.

        Raises:
            ColorflowError: there is none.
        """
        if self.photo.chosen is None:
            raise ColorflowError("Choose a coloring first; the photo has none yet, or shows none.")
        return self.photo.chosen

    @staticmethod
    def _check(index: int, things: Sequence[object], gone: str) -> None:
        if not 0 <= index < len(things):
            raise ColorflowError(gone)


def points_of(value: object) -> Corners:
    """Points that the page has sent.

    Raises:
        ColorflowError: it has sent something else.
    """
    sent = value if isinstance(value, list | tuple) and len(value) <= 1000 else []
    found: list[tuple[float, float]] = []
    for point in sent:
        if isinstance(point, list | tuple) and len(point) == 2:
            x, y = point
            if isinstance(x, int | float) and isinstance(y, int | float) and np.isfinite(x + y):
                found.append((float(x), float(y)))
    if not found or len(found) < len(sent):
        raise ColorflowError("Each place is two numbers, across and down; fill in the fields.")
    return tuple(found)
