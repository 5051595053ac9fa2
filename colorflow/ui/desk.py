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
   wish, or Cancel, is all it takes to end one, and ends no other kind; a photo that is taken away
   ends those that are for it alone. A wish that is begun goes with its handler, whatever ends that;
   one that is not is begun by the next handler of its queue. Several wishes may need the same print
   prepared: one of them does it (`DeskPhoto.is_in_work`), and the others wait.
3. A field that the visitor edits is sent only if its value is not what the page has (`edits`), so
   that a slider never jumps back under the hand. If the desk sent a value just before, the page may
   have got it after the visitor's: then the field is sent once more (`page_has`). A field's event
   has the value of this field alone, and waits until the one before is answered ("always_last").
4. What is sent are texts, numbers and switches, each whole: never a part of a component's
   properties, which the next message might overtake.

What Gradio guarantees, by its documents: the messages of all handlers of a page arrive in the order
in which they were sent; a generator is asked for its next value after the one before was sent; its
last value is sent once more when it has ended, so handlers end with a `gr.skip()` for every output;
and `.then` is called after a handler has succeeded, whatever was clicked meanwhile. What it does
not guarantee: when the stream to a page breaks, its handlers are closed where they are, and those
in the queue, or to follow by `.then`, never begin; nor do these if the queue is full.

A desk goes an hour after its last action, whether or not the page was left: who stays after the
browser's question has lost nothing, and the next page of the same browser gets it. Its folder is
touched by every action, for some hours also by work that waits for its turn
(`colorize.Desks.keep`), and swept by its age (`server.sweep`); the desk goes with it.
"""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from colorflow.errors import ColorflowError
from colorflow.scan import Frame, overlaps
from colorflow.ui.coloring import DeskPhoto, PhotoColoring, ReferencePhoto
from colorflow.ui.hints import Brush
from colorflow.ui.lines import cells_under, places_in, places_of
from colorflow.ui.photos import Origin
from colorflow.ui.prepare import (
    LONGEST_STROKE,
    MOST_MARKS,
    Corners,
    Form,
    PrintPlan,
    RestoreSteps,
    check_places,
    checked_corners,
    mark_of,
    moved,
    whole,
)

WishKind = Literal["open", "prepare", "color", "refer", "ask", "detail", "album", "finish"]
"""Photos that are opened; a print that is prepared; colorings of one photo; references of one; what
the model is asked (likely colors of a point, where it is unsure); all pixels of the large picture;
colorings of all photos or a zip of them; a file in full size."""
View = Literal["photo", "frame", "places", "points"]
"""What the large picture is for: to compare, to cut out, to choose what is repaired, to click
points."""
MOST_PHOTOS = 200
"""Photos on a desk from which on no file is opened."""
MARK_RADIUS = 1 / 50
"""How near a click is to a point that it means, divided by the longer side of the photo."""
FIELDS = ("saturation", "repairs", "fades", "sensitivity", "reach", "brush", "upload")
"""Of the page, that both the visitor and the desk change."""
_ON_ITS_WAY = 2.0
"""Seconds for which a message to the page may be on its way."""


Steps = Generator[Callable[[], object] | float, None, None]
"""Long work: gives what applies a result, under the lock, or what share is done, 0 to 1."""


@dataclass(slots=True, eq=False)
class Wish:
    """Long work that a desk wants.

    Args:
        kind: of the wish.
        said: what is being done.
        steps: computes on `next`, outside of the lock.
        photo: with which it goes; None if it is for several.
        progress: how much of it is done, 0 to 1; None where that is not known.
        is_begun: whether somebody works on it.
        since: of `time.monotonic`, when it was made.
    """

    kind: WishKind
    said: str
    steps: Steps
    photo: DeskPhoto | None = None
    progress: float | None = None
    is_begun: bool = False
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Problem:
    """An uploaded file that is no photo, or an archive that holds such.

    Args:
        name: of the file, with its folders in the upload.
        reason: what is wrong.
    """

    name: str
    reason: str


@dataclass(slots=True, eq=False)
class Desk:
    """Everything of one visitor; see the module for the rules.

    Args:
        folder: for its files.
        most_pixels: that a picture may have.
        photos: in their order.
        at: the one that the visitor looks at.
        view: what the large picture is for.
        brush: what a line over the picture does where points are clicked.
        compares_gray: whether colorings are compared with the photo's gray even if it has colors.
        waiting: files that are opened next.
        problems: files with which something is wrong.
        wishes: long work that is wanted, one of a kind.
        files: that were made for the visitor; the browser saves the last one at once.
        had: how many of them there were when the page was opened.
        said: a sentence for the visitor.
        is_bad: whether it is about something that failed.
        version: is counted up by every change.
        lock: is held by whoever looks at the desk or changes it.
    """

    folder: Path
    most_pixels: int = 10**9
    photos: list[DeskPhoto] = field(default_factory=list)
    at: DeskPhoto | None = None
    view: View = "photo"
    brush: Brush = "moves"
    compares_gray: bool = False
    waiting: list[Origin] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    wishes: dict[WishKind, Wish] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    had: int = 0
    said: str = ""
    is_bad: bool = False
    version: int = 0
    lock: threading.Condition = field(default_factory=threading.Condition)
    _page_has: dict[str, Any] = field(default_factory=dict)
    _sent: dict[str, float] = field(default_factory=dict)

    # the lock

    def say(self, text: str, *, bad: bool = False) -> None:
        """Tell the visitor something in a sentence."""
        self.said, self.is_bad = text, bad

    def touch(self) -> None:
        """Note an action of the visitor: the desk stays for an hour from now on."""
        if self.folder.exists():
            os.utime(self.folder)

    def changed(self) -> None:
        """Note that something is to be shown."""
        self.version += 1
        self.touch()
        self.lock.notify_all()

    def want(self, kind: WishKind, said: str, steps: Steps, photo: DeskPhoto | None = None) -> None:
        """Wish for something, in the place of what was wished of that kind; see `Wish`."""
        self.wishes[kind] = Wish(kind, said, steps, photo)

    def cancel(self, kind: str) -> None:
        """Wish for something no longer; what is done of it stays."""
        if self.wishes.pop(cast(WishKind, kind), None) is None:
            return
        if kind == "open":
            self.waiting.clear()
        if kind == "prepare":
            for photo in self.photos:
                if photo.plan.plain != photo.form.plan:
                    photo.plan = photo.form.plan
                    photo.is_unmarked = photo.plan.repairs
            self.look_for(self.view)
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
            "brush": self.brush,
            "upload": None,  # its files are on the desk
        }

    def edits(self) -> dict[str, Any]:
        """The fields that the page shows otherwise, as it will have them from now on."""
        now = self.fields
        has = self._page_has
        edits = {name: now[name] for name in now if name not in has or has[name] != now[name]}
        self._sent |= dict.fromkeys(edits.keys() & has.keys(), time.monotonic())
        self._page_has = now
        return edits

    def page_has(self, fields: dict[str, Any]) -> None:
        """Note what the visitor has put into fields.

        What the page shows is not known, and is sent again, if the desk's own value may have been
        on its way to a field meanwhile.
        """
        for name, value in fields.items():
            if time.monotonic() - self._sent.get(name, -math.inf) < _ON_ITS_WAY:
                self._page_has.pop(name, None)
            else:
                self._page_has[name] = value

    def begin_page(self) -> None:
        """Note that the page is new, and shows nothing yet but files that are on their way.

        It may take the place of one that was left: work that was begun ended with that, the tools
        are closed, and files have been saved.
        """
        self._page_has = {"upload": None}
        self.wishes = {kind: one for kind, one in self.wishes.items() if not one.is_begun}
        self.view = "frame" if self.view == "frame" else "photo"
        self.had = len(self.files)

    # photos

    @property
    def photo(self) -> DeskPhoto:
        """The photo that the visitor looks at.

        Raises:
            ColorflowError: there is none.
        """
        if self.at is None:
            raise ColorflowError("There is no photo here; choose one first.")
        return self.at

    def take_photos(self, file: Origin, photos: Sequence[DeskPhoto], *, look: bool) -> None:
        """Put a photo on the desk that has been opened, or prints; the first one may be shown."""
        self.waiting.remove(file)
        self.photos += photos
        if look or self.at is None:
            self._show(photos[0])
        first = photos[0]
        if look and first.prints and not (first.plan.frame or first.may_be_cut):
            self.view = "frame"

    def take_found(
        self, file: Origin, found: Sequence[Origin], problems: Sequence[Problem]
    ) -> None:
        """Put what an upload holds in its place; nothing if it is no photo."""
        at = self.waiting.index(file)
        self.waiting[at : at + 1] = found
        self.problems += problems

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
        self.wishes = {kind: one for kind, one in self.wishes.items() if one.photo is not gone}
        if self.at is gone:
            self.view = "points" if self.view == "points" else "photo"
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
        """Use the large picture for something else; for the result, if there is nothing of that."""
        is_there = self.at and self.at.plan.repairs if view == "places" else view in get_args(View)
        self.view = cast(View, view) if is_there else "photo"

    # the print

    def cut_out(self, corners: object = None) -> None:
        """Cut out what corners enclose, in pixels of the upload; by default take the whole scan.

        Raises:
            ColorflowError: they do not enclose a print.
        """
        photo, frame = self.photo, None
        if corners is not None:
            frame = checked_corners(points_of(corners), photo.upload, self.most_pixels)
            photo.corners = frame
        everything = whole(photo.upload.width, photo.upload.height)
        self.replan(frame=None if frame == everything else frame)
        self.view, photo.may_be_cut = "photo", False
        self.say(self.said_of_overlap(photo))

    def add_frame(self, corners: object) -> None:
        """Cut out what corners enclose, and show the scan once more for another of its prints.

        Raises:
            ColorflowError: they do not enclose a print, or there is no room for another photo.
        """
        photo = self.photo
        if len(self.photos) >= MOST_PHOTOS:
            raise ColorflowError(f"A desk takes {MOST_PHOTOS} photos; take some away first.")
        self.cut_out(corners)
        numbers = [one.number for one in (photo, *self.others_of(photo))]
        other = photo.of_print(max(numbers) + 1)
        self.photos.insert(self.photos.index(photo) + 1, other)
        self._show(other)
        self.view = "frame"

    def others_of(self, photo: DeskPhoto) -> list[DeskPhoto]:
        """The other prints of its scan."""
        return [one for one in self.photos if one is not photo and one.origin == photo.origin]

    def said_of_overlap(self, photo: DeskPhoto) -> str:
        """A sentence about the prints whose frames have a part in common with that of a photo."""
        if not photo.plan.frame:
            return ""
        frame = Frame(photo.plan.frame)
        others = [(one.name, one.plan.frame) for one in self.others_of(photo) if one.plan.frame]
        names = [name for name, corners in others if overlaps([frame, Frame(corners)])]
        if not names:
            return ""
        return f"It overlaps {', '.join(names)}; what lies in both frames is in both pictures."

    def turn(self, quarters: int) -> None:
        """Turn what is cut out, clockwise."""
        self.replan(turns=(self.photo.plan.turns + quarters) % 4)

    def replan(self, **changes: Any) -> None:
        """Let the photo become something else; changes are of the fields of `PrintPlan`.

        Marks go if it is cut or turned, since they are on what was cut out before.
        """
        photo = self.photo
        plan = replace(photo.plan, **changes)
        if plan.shape != photo.plan.shape:
            plan, photo.places, photo.is_unmarked = replace(plan, marks=()), None, plan.repairs
            self.view = "points" if self.view == "points" else "photo"
        photo.plan = plan
        self.look_for("places" if changes.get("repairs") else self.view)

    def restore(self, photo: DeskPhoto, steps: RestoreSteps) -> None:
        """Let a photo become what it is when it is restored, and show that."""
        plan = photo.plan.restoring(steps, photo.found)
        if plan.shape != photo.plan.shape:
            photo.places = None
        photo.is_unmarked = plan.repairs and photo.places is None
        photo.plan = plan
        if photo is self.at and self.view != "points":
            self.view = "photo"

    def mark(self, points: object, radius: float) -> None:
        """Add a place that is repaired, or take the one away that a click means.

        Args:
            points: (x, y) along a stroke in pixels of what was cut out; one for a click.
            radius: as of `mark_of`.

        Raises:
            ColorflowError: they are outside, or too many, or nothing is repaired.
        """
        photo = self.photo
        if not photo.plan.repairs or photo.places is None:
            raise ColorflowError("The damage has not been looked for yet; wait for it.")
        if len(photo.plan.marks) >= MOST_MARKS:
            raise ColorflowError(f"A photo takes {MOST_MARKS} changes; undo some first.")
        mark = mark_of(photo.form.base, points_of(points), radius)
        self.replan(marks=(*photo.plan.marks, mark))

    def undo_mark(self) -> None:
        """Take the last change of the places back."""
        self.replan(marks=self.photo.plan.marks[:-1])

    def take_form(self, photo: DeskPhoto, form: Form) -> None:
        """Color from now on what was made of a photo; what was chosen of that is shown again."""
        before = photo.form
        photo.forms[form.plan] = photo.form = form
        if form.photo is not before.photo:
            photo.maps.clear()
        if self.wishes.keys() <= {"prepare"}:  # others may work on a form
            self._forget_forms(photo, before)

    def _forget_forms(self, photo: DeskPhoto, before: Form) -> None:
        """Delete what was made of a photo, but for what is seen, was just before, or is colored."""
        used = [photo.form, before, *(one.form for one in photo.colorings)]
        kept = {photo.upload, *(one.photo for one in used), *(one.base for one in used)}
        for plan, form in list(photo.forms.items()):
            folder = form.photo.folder
            if form.photo in kept or any(folder in one.parents for one in self.files[-1:]):
                continue
            del photo.forms[plan]
            shutil.rmtree(folder, ignore_errors=True)

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

    def put_point(self, across: int | None, down: int | None) -> None:
        """Do the same at a place that is given in pixels of what is shown.

        Raises:
            ColorflowError: it is not on the photo.
        """
        size = self.photo.shown_form.photo
        if across is None or down is None:
            raise ColorflowError("Across and Down: two whole numbers, in pixels of the photo.")
        check_places(((across, down),), size.width - 1, size.height - 1)
        self.photo.points.put(*self._on_upload(int(across), int(down)))
        self.view = "points"  # where its colors are

    @property
    def draws(self) -> bool:
        """Whether a line over the picture changes what a point colors."""
        has_points = self.at is not None and bool(self.at.points.hints)
        return self.view == "points" and self.brush != "moves" and has_points

    def choose_brush(self, brush: Brush) -> None:
        """Let a line over the picture move it, or change what the current point colors."""
        self.brush = brush

    def draw(self, line: object) -> None:
        """Add the smallest regions under a line to what the current point colors, or take them.

        Args:
            line: (x, y) along it, in pixels of what is shown.

        Raises:
            ColorflowError: it is not on the photo, there is no point to change, or the regions are
                not known yet.
        """
        photo, points = self.photo, points_of(line)
        form = photo.shown_form
        check_places(points, form.photo.width, form.photo.height)
        found, current = photo.things.get(form.photo), photo.points.current
        if found is None:
            raise ColorflowError("The things in the photo are still being looked for; wait a bit.")
        cells = cells_under(points, form, len(found.regions))
        touched = np.isin(found.regions, found.regions[cells])
        hint = None if current is None else photo.points.hints[current]
        known = (*hint.adds, *hint.takes) if hint else ()
        under = places_in(touched, form, photo, known)
        photo.points.draw(self.brush, places_of(cells, form, photo), under)

    def hold_point(self, index: int) -> None:
        """Take a point up, to move it or to change its color."""
        self.photo.points.hold(index)
        self.view = "points"

    def pick_swatch(self, index: int) -> None:
        """Give the current point one of the colors that are offered.

        Raises:
            ColorflowError: there is no such color.
        """
        swatches = self.photo.swatches
        self._check(index, swatches, "That color is gone; click the point again.")
        self.photo.points.color(swatches[index].a, swatches[index].b)

    def color_point(self, ab: tuple[float, float] | None) -> None:
        """Give the current point any color, in CIELAB units.

        Raises:
            ColorflowError: it is none, or there is no point.
        """
        if ab is None:
            raise ColorflowError("That is no color; write it as #rrggbb.")
        self.photo.points.color(*ab)

    def _on_upload(self, across: int, down: int) -> tuple[float, float]:
        """Row and column of the upload that a pixel of what is shown has."""
        upload, plan = self.photo.upload, self.photo.shown_form.plan
        ((x, y),) = moved([(across + 0.5, down + 0.5)], plan, upload, back=True)
        return min(max(y - 0.5, 0), upload.height - 1), min(max(x - 0.5, 0), upload.width - 1)

    # references

    def add_reference(self, photo: DeskPhoto, reference: ReferencePhoto) -> None:
        """Let a photo get the colors of another one."""
        photo.references = (*photo.references, reference)

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

    def take_coloring(
        self, photo: DeskPhoto, coloring: PhotoColoring, *, choose: bool = False
    ) -> None:
        """Add a coloring, unless it is there.

        Args:
            photo: is colored.
            coloring: of it.
            choose: whether it is shown; otherwise it is if none is.
        """
        before = photo.made_before(coloring.key)
        if before is None:
            photo.colorings.append(coloring)
        else:
            coloring = before
        if coloring not in photo.gallery:  # the photo was cut or turned meanwhile
            photo.picks.setdefault(coloring.form.photo, coloring)
        elif choose or photo.chosen is None:
            photo.chosen = coloring

    def choose(self, index: int) -> None:
        """Show a coloring of the gallery; -1 is the photo itself.

        Raises:
            ColorflowError: there is none of that index.
        """
        shown = [None, *self.photo.gallery]
        self._check(index + 1, shown, "That coloring is gone; choose another one.")
        self.photo.chosen = shown[index + 1]

    def saturate(self, saturation: float) -> None:
        """Show what is chosen in stronger or weaker colors."""
        if self.at:
            self.at.saturation = saturation

    def compare_with(self, is_gray: bool) -> None:
        """Compare colorings with the photo's own colors, or with its gray."""
        self.compares_gray = is_gray

    def take_file(self, path: Path, said: str) -> None:
        """Give the visitor a file."""
        self.files.append(path)
        self.say(said)

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
    try:
        points = np.array(value, np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    are_places = points.shape[1:] == (2,) and np.isfinite(points).all()
    if not are_places or not 0 < len(points) <= LONGEST_STROKE:
        raise ColorflowError("Each place is two numbers, across and down; fill in the fields.")
    return tuple((float(x), float(y)) for x, y in points)
