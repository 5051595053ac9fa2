"""What takes time on a desk, as its wishes: photos are opened, prepared, colored, and written.

Each method of `DeskWorker` is called under the lock of a desk, takes what it needs, and makes a
wish. `run` works on it. Its steps compute outside of the lock, and take it for a moment where they
look at the desk again. What they give is a change of the desk, or what share is done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from colorflow.batch.hints import PhotoHints, Start
from colorflow.batch.task import left_out_text
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.errors import ColorflowError, PhotoError
from colorflow.photo import Kind
from colorflow.photo.find import is_photo
from colorflow.recipe import ColoringSpec, PrincipalSpec
from colorflow.repair.repairer import Repairer
from colorflow.run import Models
from colorflow.ui.coloring import (
    ColoringTask,
    Colorist,
    DeskPhoto,
    MapName,
    Options,
    PhotoColoring,
    ReferencePhoto,
    print_name,
)
from colorflow.ui.desk import MOST_PHOTOS, Desk, Problem, Steps, WishKind
from colorflow.ui.files import FileWriter, FullSize, in_sight, pages_of
from colorflow.ui.hints import read_points
from colorflow.ui.limits import UploadSpace
from colorflow.ui.photos import (
    FAILURES,
    Origin,
    disk_errors_told,
    kind_of_archive,
    link_or_copy,
    new_folder,
    open_photo,
    opened,
    reduced,
    sentence,
    unpack_photos,
    write_preview,
)
from colorflow.ui.prepare import Form, PrintPlan, RestoreSteps, corners_in, cut, make

_PRINCIPAL = 4
"""Principal colorings whose mean is the first picture of a photo that is colored by points."""
_NO_COLORS = "has no colors that could be carried over; choose a color photo"
_SHOW_SECONDS = 0.2
"""Time between two views of how far something is."""


def run(desk: Desk, kind: WishKind) -> Iterator[None]:
    """Work on what a desk wishes of a kind, if anything: yields when there is something to show.

    The wish goes with whoever works on it: also when the generator is closed before its end.
    """
    with desk.lock:
        wish = desk.wishes.get(kind)
        if wish is None or wish.is_begun:
            return
        wish.is_begun = True
        desk.changed()
    try:
        yield
        shown = time.monotonic()
        for step in wish.steps:
            with desk.lock:
                if desk.wishes.get(kind) is not wish:
                    return
                if isinstance(step, float):
                    wish.progress = step
                else:
                    step()
                desk.changed()
            if not isinstance(step, float) or time.monotonic() - shown > _SHOW_SECONDS:
                shown = time.monotonic()
                yield
    except FAILURES as error:
        with desk.lock:
            if desk.wishes.get(kind) is wish:
                desk.say(sentence(error), bad=True)
    finally:
        wish.steps.close()
        with desk.lock:
            if desk.wishes.get(kind) is wish:
                del desk.wishes[kind]
                desk.changed()
    yield


class DeskWorker:
    """Makes wishes of desks, and the steps to fulfil them.

    Args:
        colorizer: colors photos.
        enlarger: enlarges them; None if there is none.
        repairer: finds and fills damage; None if there is none.
        space: memory and disk, shared by all desks.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        enlarger: Enlarger | None,
        repairer: Repairer | None,
        space: UploadSpace,
    ) -> None:
        self.colorizer, self.repairer = colorizer, repairer
        self.models = Models(colorizer, enlarger, repairer)
        self.space, self.budget = space, space.budget
        self.colorist = Colorist(colorizer, space.budget)
        self.files = FileWriter(enlarger, space.budget)

    def change(self, desk: Desk, act: Callable[[Desk], object]) -> None:
        """Do something to a desk, and wish for what that asks for.

        If the photo is to be something else, it is prepared; if its points are others, it is
        colored by them; and likely colors are looked for of the point that gets the next one, and
        the outlines of things where points are clicked.

        Raises:
            ColorflowError: it cannot be done.
        """
        photo, wish = desk.at, desk.wishes.get("color")
        before = (photo.plan, photo.points.hints, photo.points.target) if photo else None
        view = desk.view
        act(desk)
        if before is None or photo is None:
            return
        plan, hints, target = before
        if photo.plan != plan:
            self.prepare(desk)
        if desk.at is not photo:
            return
        if photo.points.hints != hints and desk.wishes.get("color") is wish:
            self.recolor(desk)
        if photo.points.target != target or (desk.view == "points" and view != "points"):
            self.offer(desk)

    # photos

    def open(self, desk: Desk, uploads: Sequence[str | Path] | None) -> None:
        """Open photos and zips of them, in their order; the first one is shown."""
        coming = {one.source for one in desk.waiting}
        new = [path for path in dict.fromkeys(map(Path, uploads or ())) if path not in coming]
        desk.waiting += [Origin(path, path.name, path) for path in new]
        if new:
            desk.problems.clear()
        if desk.waiting:
            desk.want("open", "Opening ...", self._opening(desk))

    def _opening(self, desk: Desk) -> Steps:
        is_first, skipped = True, 0
        while True:
            with desk.lock:
                if not desk.waiting:
                    break
                file, is_full = desk.waiting[0], len(desk.photos) >= MOST_PHOTOS
                here = [one.origin for one in desk.photos]
            try:
                if file in here:
                    skipped += 1
                    yield partial(desk.take_found, file, [], [])
                elif is_full:
                    reason = f"it was left out; a desk takes {MOST_PHOTOS} photos"
                    raise PhotoError(file.path, reason)
                elif file.path == file.source and kind_of_archive(file.path):
                    yield partial(desk.take_found, file, *self._found_in(file.path, desk.folder))
                else:
                    photos = self._opened(file, desk.folder)
                    yield partial(desk.take_photos, file, photos, look=is_first)
                    is_first = False
            except FAILURES as error:
                reason = sentence(error).removeprefix(f"{file.path.name}: ").removesuffix(".")
                yield partial(desk.take_found, file, [], [Problem(file.name, f"{reason}.")])
        if skipped:
            yield partial(
                desk.say, f"Photos that are here already, and were not opened again: {skipped}."
            )

    def _found_in(self, archive: Path, folder: Path) -> tuple[list[Origin], list[Problem]]:
        """The photos of a zip, which is unpacked into the folder, and what else is in it.

        Raises:
            ColorflowError: it is no zip, or cannot be taken.
        """
        if (kind := kind_of_archive(archive)) != "zip":
            raise PhotoError(archive, f"it is an archive ({kind}); make a zip of it")
        inside, unpacked = unpack_photos(archive, folder, MOST_PHOTOS, self.space)
        album = PurePath(archive.stem)
        damaged = {Path(str(one.path)): f"{one.reason}." for one in unpacked.unreadable}
        photos = [one for one in (*sorted(unpacked.files), *damaged) if is_photo(one)]
        left_out = [one for one in (*unpacked.files, *damaged) if not is_photo(one)]
        if not photos:
            raise PhotoError(archive, "it holds no photos")
        problems = [Problem(f"{album / one}", damaged[one]) for one in photos if one in damaged]
        if left_out:
            problems.append(Problem(archive.name, f"{left_out_text(left_out)}."))
        sound = [one for one in photos if one not in damaged]
        return [Origin(archive, f"{album / one}", inside / one) for one in sound], problems

    def _opened(self, file: Origin, folder: Path) -> list[DeskPhoto]:
        """A photo; of a scan with several prints each of them, cut out, with files of its own."""
        path, budget = file.path, self.budget
        upload, frames, may_be_cut = open_photo(path, path.name, folder, budget)
        prints = corners_in(frames, upload)
        single = DeskPhoto(
            name=file.name, origin=file, upload=upload, prints=prints, may_be_cut=may_be_cut
        )
        if len(prints) < 2:
            return [single]
        single.name = print_name(file, 1)
        photos = [single, *(single.of_print(one) for one in range(2, len(prints) + 1))]
        for photo in photos:
            photo.plan = PrintPlan(frame=photo.corners)
            photo.form = cut(photo.upload, photo.plan, photo.statement, budget)
            photo.forms[photo.plan] = photo.form
        return photos

    def add_references(self, desk: Desk, uploads: Sequence[str | Path] | None) -> None:
        """Let a photo get the colors of others, which are read first."""
        photo = desk.photo

        def steps() -> Steps:
            for path in map(Path, uploads or ()):
                try:
                    with opened(path, self.budget) as read:
                        if read.kind is Kind.GRAY:
                            raise PhotoError(path, _NO_COLORS)
                        small = reduced(read)
                    picture = new_folder(photo.folder, "reference-") / "reference.png"
                    write_preview(picture, small.pixels, small)
                except FAILURES as error:
                    yield partial(desk.say, sentence(error), bad=True)
                    continue
                yield partial(desk.add_reference, photo, ReferencePhoto(path.name, picture))

        desk.want("refer", "Opening ...", steps(), photo)

    # the print

    def prepare(self, desk: Desk) -> None:
        """Make of the photos what they are to be."""
        for photo in desk.photos:
            plan = photo.plan.plain
            if photo.is_unprepared and not plan.repairs and plan in photo.forms:
                desk.take_form(photo, photo.forms[plan])
        desk.wishes.pop("prepare", None)
        if any(photo.is_unprepared for photo in desk.photos):
            desk.want("prepare", "Preparing the print ...", self._preparing(desk))

    def _preparing(self, desk: Desk) -> Steps:
        while True:
            with desk.lock:
                stale = [one for one in desk.photos if one.is_unprepared]
                photo = desk.at if desk.at in stale else next(iter(stale), None)
            if photo is None:
                return
            yield from self._making(desk, photo)

    def _making(self, desk: Desk, photo: DeskPhoto) -> Steps:
        """Make what a photo is to be, if that is not made yet, or wait for a wish that does."""
        while True:
            with desk.lock:
                if not photo.is_unprepared or photo not in desk.photos:
                    return
                plan, forms, waits = photo.plan.plain, dict(photo.forms), photo.is_in_work
                photo.is_in_work = True
                if waits:
                    desk.lock.wait(_SHOW_SECONDS)
            if waits:
                yield 0.0
                continue
            made = make(photo.upload, plan, forms, photo.statement, self.repairer, self.budget)
            take = partial(_take_made, desk, photo, plan)
            try:
                for step in made:
                    yield partial(take, step) if isinstance(step, Path | Form) else float(step)
                with desk.lock:
                    photo.is_unmarked &= photo.plan.plain != plan
            except FAILURES as error:
                yield partial(_give_up, desk, photo, plan, sentence(error))
            finally:
                with desk.lock:
                    photo.is_in_work = False

    def restore(self, desk: Desk, steps: RestoreSteps) -> None:
        """Do to the photo all that it needs: as `colorflow restore`, but for the points it has."""
        photo = desk.photo
        desk.restore(photo, steps)

        def restoring() -> Steps:
            yield from self._restoring(desk, photo, steps)
            yield partial(desk.say, f"{photo.name} is restored; compare it with what it was.")

        desk.want("color", "Restoring ...", restoring(), photo)

    def restore_all(self, desk: Desk, steps: RestoreSteps) -> None:
        """Restore all photos as they come; what fails is told, and the next one follows."""
        if "open" not in desk.wishes:
            self.open(desk, ())  # what is left of an upload, if its wish was broken off

        def restored(photo: DeskPhoto) -> Steps:
            with desk.lock:
                desk.restore(photo, steps)
            yield from self._restoring(desk, photo, steps)

        tried: list[DeskPhoto] = []
        every = self._one_by_one(
            desk, lambda: [one for one in desk.photos if one not in tried], restored, tried
        )
        desk.want("album", "Restoring the album ...", every)

    def _restoring(self, desk: Desk, photo: DeskPhoto, steps: RestoreSteps) -> Steps:
        yield from self._making(desk, photo)
        with desk.lock:
            if not steps.color or photo.is_left_alone:
                return
            several = self.colorist.several(photo.task, Options(n=1))
        for made in several:
            yield partial(desk.take_coloring, photo, made, choose=True)

    # colorings

    def color(self, desk: Desk, options: Options) -> None:
        """Color the photo, which is treated as gray from then on."""
        photo = desk.photo
        photo.treated_as_gray, desk.view = True, "points" if desk.view == "points" else "photo"

        def steps() -> Steps:
            yield from self._making(desk, photo)
            with desk.lock:
                several = self.colorist.several(photo.task, options)
            yield from _adding(desk, photo, several, options.n)

        desk.want("color", "Coloring ...", steps(), photo)

    def more(self, desk: Desk, n: int) -> None:
        """Make colorings with the colors of the chosen one and other details.

        Raises:
            ColorflowError: there is none.
        """
        photo, chosen = desk.photo, desk.require_chosen()
        varied = self.colorist.varied(chosen.task, chosen.spec, n)
        desk.want("color", "Coloring ...", _adding(desk, photo, varied, n, choose=False), photo)

    def recolor(self, desk: Desk, start: ColoringSpec | None = None) -> None:
        """Color the photo once, by its points as they are now.

        Args:
            desk: the desk.
            start: what is colored by them; the chosen coloring by default, or the mean of all.

        Raises:
            ColorflowError: the photo is still to be cut, turned or repaired.
        """
        photo, chosen = desk.photo, desk.photo.chosen
        if photo.is_unprepared:
            raise ColorflowError("The print is being prepared; press Color to use its points.")
        spec, references = start, chosen.task.references if chosen and not start else ()
        if spec is None and chosen:
            spec = chosen.spec
        if spec is None:
            mean = PrincipalSpec(number=0, of=_PRINCIPAL, seed=0)
            spec = ColoringSpec(seeds=(None,) * len(self.colorizer.levels), principal=mean)
        task = ColoringTask(photo, photo.shown_form, photo.points.hints, references)
        photo.treated_as_gray = True
        if before := photo.made_before((*task.key, spec)):
            if (wish := desk.wishes.get("color")) and wish.photo is photo:
                del desk.wishes["color"]
            photo.chosen = before
        else:
            again = self.colorist.again(task, spec)
            desk.want("color", "Coloring ...", _adding(desk, photo, again, 1), photo)

    # what the model is asked

    def offer(self, desk: Desk) -> None:
        """Look for outlines, and for likely colors of the point that gets the next color."""
        photo, form, target = desk.photo, desk.photo.shown_form, desk.photo.points.target
        is_outlined = form.photo in photo.things
        if is_outlined and (target is None or target in photo.likely):
            return

        def steps() -> Steps:
            if not is_outlined:
                yield partial(photo.things.setdefault, form.photo, self.colorist.things(form))
            if target and target not in photo.likely:
                row, column, others = target
                task = ColoringTask(photo, form, others)
                found = self.colorist.likely(task, row, column)
                yield partial(photo.likely.setdefault, target, found)

        sought = "likely colors" if target else "outlines"
        desk.want("ask", f"Looking for {sought} ...", steps(), photo)

    def unsure(self, desk: Desk) -> None:
        """Show where the model is unsure of the colors of the photo."""
        self._map(desk, ColoringTask(desk.photo, desk.photo.form), "unsure")

    def where_referred(self, desk: Desk) -> None:
        """Show where the references had something to say.

        Raises:
            ColorflowError: there are none.
        """
        photo = desk.photo
        references = photo.references or (photo.chosen.task.references if photo.chosen else ())
        if not references:
            raise ColorflowError("Choose a photo in color first, whose colors this one gets.")
        self._map(desk, ColoringTask(photo, photo.form, (), references), "reference")

    def _map(self, desk: Desk, task: ColoringTask, name: MapName) -> None:
        def steps() -> Steps:
            yield partial(_take_map, task, name, self.colorist.map(task, name))

        desk.want("ask", "Asking the model ...", steps(), task.photo)

    # the album

    def color_all(self, desk: Desk, options: Options) -> None:
        """Color all photos that have no coloring as they are now, and no colors of their own.

        Raises:
            ColorflowError: there are none.
        """
        if "open" not in desk.wishes:
            self.open(desk, ())  # what is left of an upload, if its wish was broken off
        if "open" not in desk.wishes and not any(map(_lacks_colors, desk.photos)):
            raise ColorflowError("All of them have colorings already.")
        self._color_several(desk, options)

    def same_colors(self, desk: Desk, options: Options) -> None:
        """Give all other photos the colors of what is chosen, with its hints and saturation.

        Raises:
            ColorflowError: nothing is chosen, or there are no others.
        """
        chosen, photo = desk.require_chosen(), desk.photo
        if not any(_lacks_colors(one, again=True) for one in desk.photos if one is not photo):
            raise ColorflowError("There is no other photo that could get these colors.")
        painted = chosen.painted(photo.saturation)
        # The photo may be taken away before the others.
        kept = desk.folder / "-".join((photo.folder.name, *painted.relative_to(photo.folder).parts))
        if not kept.exists():
            with disk_errors_told():
                link_or_copy(painted, kept)
        reference = ReferencePhoto(photo.upload.path.name, kept)
        self._color_several(desk, replace(options, n=1, samples=False), reference)

    def _color_several(
        self, desk: Desk, options: Options, reference: ReferencePhoto | None = None
    ) -> None:
        """Color photos of the album as they come; what fails is told, and the next one follows.

        Args:
            desk: the desk.
            options: of each.
            reference: whose colors all but the photo that is looked at get, colored or not.
        """
        again = reference is not None
        tried = [desk.photo] if again else []

        def left() -> list[DeskPhoto]:
            lacking = [one for one in desk.photos if _lacks_colors(one, again=again)]
            return [one for one in lacking if one not in tried]

        def colored(photo: DeskPhoto) -> Steps:
            yield from self._making(desk, photo)
            if not _lacks_colors(photo, again=again):
                return
            with desk.lock:
                task = photo.task
            if reference:
                task = replace(task, hints=(), references=(reference,))
            for number, made in enumerate(self.colorist.several(task, options)):
                yield partial(desk.take_coloring, photo, made, choose=number == 0)

        desk.want("album", "Coloring the album ...", self._one_by_one(desk, left, colored, tried))

    def _one_by_one(
        self,
        desk: Desk,
        left: Callable[[], list[DeskPhoto]],
        work: Callable[[DeskPhoto], Steps],
        tried: list[DeskPhoto],
    ) -> Steps:
        """Work on photos of the album as they come; what fails is told, and the next one follows.

        Args:
            desk: the desk.
            left: the photos that are still to be worked on, under the lock.
            work: on one of them.
            tried: takes those that are worked on.
        """
        done, is_open = 0, True
        while is_open:
            with desk.lock:
                photo = next(iter(left()), None)
                is_open = photo is not None or "open" in desk.wishes
                if photo is None and is_open:
                    desk.lock.wait(_SHOW_SECONDS)
            if photo:
                tried.append(photo)
                try:
                    yield from work(photo)
                    done += photo in desk.photos and bool(photo.colorings)
                except FAILURES as error:
                    problem = Problem(photo.name, sentence(error))
                    if photo in desk.photos:
                        yield partial(desk.problems.append, problem)
            yield done / max(1, len(desk.photos))
        yield partial(desk.say, f"{done} photos are colored.")

    # files

    def zip(self, desk: Desk, format_: str, every: bool) -> None:
        """Put the colorings in full size into a zip.

        Raises:
            ColorflowError: there are none.
        """
        pages = pages_of(desk.photos, format_, every=every)
        if not any(page.files for page in pages):
            raise ColorflowError("There is no coloring here yet; color the photos first.")
        written = self.files.zip(pages, list(desk.problems), desk.folder)

        def steps() -> Steps:
            for done in written:
                if isinstance(done, float):
                    yield done
                    continue
                said = f"A zip of {done.stat().st_size / 2**20:.1f} MB."
                yield partial(desk.take_file, done, said)
                for page in pages:
                    if page.files:
                        yield partial(setattr, page.photo, "saved", page.state)

        desk.want("album", "Writing the zip ...", steps())

    def finish(self, desk: Desk, scale: int, restore: bool, format_: str) -> None:
        """Write what is shown in full size, or larger; arguments as of `FullSize`.

        Raises:
            ColorflowError: it would be too large, or there is nothing to write.
        """
        photo, state = desk.photo, desk.photo.state
        form, restore = photo.shown_form, restore and scale > 1
        if photo.chosen is None and scale == 1 and form.photo is photo.upload:
            raise ColorflowError("This is your photo as it came; color it, or choose a size.")
        self.files.check_size(form.photo.pixels, scale)
        file = FullSize(form, photo.chosen, photo.saturation, format_, scale, restore)

        def steps() -> Steps:
            began = time.perf_counter()
            yield from self.files.make(file)
            size = f"{scale * form.photo.width} × {scale * form.photo.height} pixels"
            said = f"{file.path.name}: {size}, written in {time.perf_counter() - began:.1f} s."
            yield partial(desk.take_file, file.path, said)
            if file.coloring:
                yield partial(setattr, photo, "saved", state)

        desk.want("finish", "Writing the file ...", steps(), photo)

    def detail(self, desk: Desk) -> None:
        """Write the pictures in sight in full size, for whoever looks closer than previews go."""
        files = [file for _, file in in_sight(desk)]

        def steps() -> Steps:
            for file in files:
                yield from self.files.make(file)

        desk.want("detail", "Getting all pixels ...", steps(), desk.photo)

    def load_hints(self, desk: Desk, upload: str | Path | None) -> None:
        """Replace the points by those of a file, and take its coloring if these weights can.

        Raises:
            ColorflowError: it has none for this photo.
        """
        if upload is None:
            return
        photo = desk.photo
        size = photo.upload.height, photo.upload.width
        given = read_points(Path(upload), photo.upload.path.name, *size)
        photo.points.replace(given.hints)
        start, ours = None, (self.colorizer.digest, len(self.colorizer.levels))
        if given.start and (given.start.weights, len(given.start.spec.seeds)) == ours:
            photo.saturation, start = given.start.saturation, given.start.spec
        self.recolor(desk, start)

    def save_hints(self, desk: Desk) -> None:
        """Write the points, and the coloring that they are on, to a file for another day.

        Raises:
            ColorflowError: there are none.
        """
        photo = desk.photo
        if not photo.points.hints:
            raise ColorflowError("There are no points yet; click one, and choose its color.")
        chosen, start = photo.chosen, None
        if chosen and not chosen.task.references:
            start = Start(chosen.spec, self.colorizer.digest, photo.saturation)
        given = PhotoHints(photo.points.hints, start).as_json()
        text = json.dumps({photo.upload.path.name: given}, ensure_ascii=False, indent=1)
        path = new_folder(photo.folder, "hints-") / f"{photo.upload.path.stem}_hints.json"
        with disk_errors_told():
            path.write_text(f"{text}\n", encoding="utf-8")
        desk.take_file(path, f"{path.name} has {len(photo.points.hints)} points.")


# what results change


def _adding(
    desk: Desk, photo: DeskPhoto, colored: Iterator[PhotoColoring], n: int, *, choose: bool = True
) -> Steps:
    """Put n colorings beside those that are there, and show the first one if wanted."""
    began, before = time.perf_counter(), len(photo.colorings)
    for done, coloring in enumerate(colored, 1):
        yield partial(desk.take_coloring, photo, coloring, choose=choose and done == 1)
        yield min(1.0, done / n)
    new, seconds = len(photo.colorings) - before, time.perf_counter() - began
    said = f"{new} coloring{'' if new == 1 else 's'} in {seconds:.1f} s."
    same = "These colorings are here already; ask for more of them, or for single samples."
    yield partial(desk.say, said if new else same)


def _take_made(desk: Desk, photo: DeskPhoto, plan: PrintPlan, made: Path | Form) -> None:
    """Keep what was made of a photo by a plan, and show it if that still is its plan."""
    if isinstance(made, Form):
        made = photo.forms.setdefault(made.plan, made)
    if photo.plan.plain != plan:
        return
    if isinstance(made, Path):
        photo.places = made
    elif made is not photo.form and (plan == made.plan or plan.shape != photo.form.plan.shape):
        desk.take_form(photo, made)


def _take_map(task: ColoringTask, name: MapName, picture: Path) -> None:
    if task.photo.form is task.form:
        task.photo.maps[name] = picture


def _give_up(desk: Desk, photo: DeskPhoto, plan: PrintPlan, said: str) -> None:
    if photo.plan.plain == plan and photo in desk.photos:
        photo.plan, photo.is_unmarked = photo.form.plan, False
        desk.say(said, bad=True)


def _lacks_colors(photo: DeskPhoto, *, again: bool = False) -> bool:
    """Whether the album's colors are for a photo: always as long as it is to be prepared.

    Args:
        photo: of the album.
        again: whether one that has colorings as it is now gets more.
    """
    return photo.is_unprepared or (not photo.is_left_alone and (again or not photo.is_colored))
