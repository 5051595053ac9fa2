"""What takes time on a desk: photos are opened, prepared, colored, and written in full size.

Each method of `DeskWorker` is called under the lock of a desk, takes what it needs, and makes a
wish. `run` works on it. Its steps compute outside of the lock, and take it for a moment where they
look at the desk again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.batch.hints import PhotoHints, Start
from colorflow.color.cie import saturated
from colorflow.color.full_resolution import LightnessRows, lightness_of, render
from colorflow.colorizer import ColoringSpec, Hint, PrincipalSpec
from colorflow.enlarge.draws import MEAN
from colorflow.enlarge.enlarger import MAX_RESULT_PIXELS, paint
from colorflow.errors import ColorflowError, PhotoError
from colorflow.photo import (
    LETTERS,
    Enlargement,
    Kind,
    Photo,
    count_pixels,
    read_photo,
    read_statements,
    write_image,
)
from colorflow.ui.album import found_in, pages_of, write_zip
from colorflow.ui.desk import (
    MOST_PHOTOS,
    Change,
    Desk,
    DeskPhoto,
    Finished,
    PhotoColoring,
    Problem,
    ReferencePhoto,
    Waiting,
    Wish,
    WishKind,
)
from colorflow.ui.hints import Hints, likely, read_points
from colorflow.ui.limits import UploadSpace
from colorflow.ui.photos import (
    NO_CHROMA,
    new_folder,
    open_photo,
    opened,
    reduced,
    storing,
    write_colored,
    write_preview,
)
from colorflow.ui.prepare import Form, PrintPlan, RepairPlaces, find_prints, make, whole
from colorflow.ui.status import FAILURES, sentence

if TYPE_CHECKING:
    from colorflow.coloring import Coloring
    from colorflow.colorizer import Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

NO_REPAIR = "This page cannot repair: the weights for it are not installed."
SUFFIXES = {"Its own": None, "JPEG": ".jpg", "PNG": ".png"}
"""Formats of downloads; its own is JPEG for a JPEG, and PNG for all others."""
_LIKELY_SAMPLES, _LIKELY_COLORS = 24, 6
"""Samples among which likely colors are looked for, and how many are offered."""
_COARSE_GRID = 8
"""Side of the chroma grid up to which levels decide the colors of objects."""
_PRINCIPAL = 4
"""Principal colorings whose mean is the first picture of a photo that is colored by points."""
MOST_UNSURE = 60
"""CIELAB units at which the glow is full; few points of a photo are more uncertain than that."""
STOPS = ((60, 60, 120), (150, 60, 130), (225, 100, 75), (250, 190, 70), (255, 240, 150))
"""Colors of the glow: sRGB, ever lighter, so that color-blind people can tell them apart."""
_OPACITY = 0.6
_SHOW_SECONDS = 0.2
"""Time between two views of how far something is."""


@dataclass(frozen=True, slots=True)
class Options:
    """Which colorings are wanted; arguments as those of `Colorizer.colorize`."""

    n: int = 4
    temperature: float = 1.0
    samples: bool = False
    skin: bool = True
    strength: float = 1.0
    """How far colors go towards those of the references, in [0, 1]."""
    quick: bool = True
    """Whether somebody waits for the first picture."""


def run(desk: Desk, kind: WishKind) -> Iterator[None]:
    """Work on what a desk wishes of a kind, if anything: yields when there is something to show."""
    with desk.lock:
        wish = desk.wishes.get(kind)
        if wish is None or wish.is_begun:
            return
        wish.is_begun = True
        desk.changed()
    yield
    shown = time.monotonic()
    try:
        with closing(wish.steps):  # type: ignore[type-var]
            while True:
                change: Change | None
                try:
                    change = next(wish.steps, None)
                except FAILURES as error:
                    change = partial(_fail, desk, wish, sentence(error))
                with desk.lock:
                    if desk.wishes.get(kind) is not wish:
                        return
                    if change is None:
                        break
                    try:
                        change()
                    except FAILURES as error:
                        desk.say(sentence(error), bad=True)
                    desk.changed()
                is_progress = isinstance(change, partial) and change.func is _progress
                if not is_progress or time.monotonic() - shown > _SHOW_SECONDS:
                    shown = time.monotonic()
                    yield
    finally:
        with desk.lock:
            if desk.wishes.get(kind) is wish:
                del desk.wishes[kind]
                desk.changed()
    yield


def _fail(desk: Desk, wish: Wish, said: str) -> None:
    desk.say(said, bad=True)
    desk.wishes.pop(wish.kind, None)


@dataclass(frozen=True, slots=True)
class ColoringTask:
    """What is colored, and what is known of its colors."""

    photo: DeskPhoto
    form: Form
    hints: Hints = ()
    references: tuple[ReferencePhoto, ...] = ()

    def asked(self) -> dict[str, Any]:
        """The arguments of `Colorizer` that say what is known."""
        pictures = [read_photo(one.picture) for one in self.references]
        hints = self.photo.hints_on(self.form, self.hints)
        return {"hints": hints, **({"reference": pictures} if pictures else {})}


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
        self.colorizer, self.enlarger, self.repairer = colorizer, enlarger, repairer
        self.space, self.budget = space, space.budget

    # photos

    def open(self, desk: Desk, uploads: Sequence[str | Path] | None) -> None:
        """Open photos and zips of them, in their order; the first one is shown."""
        here = {one.source for one in desk.photos} | {one.source for one in desk.waiting}
        new = [path for path in dict.fromkeys(map(Path, uploads or ())) if path not in here]
        desk.waiting += [Waiting(path, path, path.name) for path in new]
        if desk.waiting:
            if new:
                desk.problems.clear()
            desk.say("")
            desk.want("open", "Opening ...", lambda wish: self._opening(desk, wish))

    def _opening(self, desk: Desk, wish: Wish) -> Iterator[Change]:
        is_first = True
        while True:
            with desk.lock:
                if not desk.waiting:
                    return
                file, others = desk.waiting[0], len(desk.waiting)
                is_full = len(desk.photos) >= MOST_PHOTOS
                wish.said = f"{others} photos are being opened ..." if others > 1 else "Opening ..."
            try:
                if is_full:
                    raise ColorflowError(
                        f"{file.name}: it was left out; a desk takes {MOST_PHOTOS} photos."
                    )
                found, problems = [file], list[Problem]()
                if file.path == file.source:
                    found, problems = found_in(
                        file.path, desk.folder, self.space.megabytes, self.budget
                    )
                if found == [file]:
                    photo = self._opened(file, desk.folder)
                    yield partial(_take_photo, desk, file, photo, look=is_first)
                    is_first = False
                else:
                    yield partial(_take_found, desk, file, found, problems)
            except FAILURES as error:
                reason = error.reason if isinstance(error, PhotoError) else sentence(error)
                reason = reason.removeprefix(f"{file.path.name}: ").removesuffix(".")
                yield partial(_take_found, desk, file, [], [Problem(file.name, f"{reason}.")])

    def _opened(self, file: Waiting, folder: Path) -> DeskPhoto:
        upload = open_photo(file.path, folder, self.budget)
        prints = find_prints(upload)
        form = Form(photo=upload, base=upload)
        return DeskPhoto(
            name=file.name,
            source=file.source,
            upload=upload,
            form=form,
            forms={form.plan: form},
            prints=prints,
            corners=prints[0] if prints else whole(upload.width, upload.height),
        )

    def add_references(self, desk: Desk, uploads: Sequence[str | Path] | None) -> None:
        """Let a photo get the colors of others, which are read first."""
        photo = desk.photo
        paths = [Path(one) for one in uploads or ()]

        def steps(wish: Wish) -> Iterator[Change]:
            for path in paths:
                with opened(path, self.budget) as read:
                    if read.kind is Kind.GRAY:
                        reason = "has no colors that could be carried over; choose a color photo"
                        raise PhotoError(path, reason)
                    small = reduced(read)
                picture = new_folder(photo.folder, "reference-") / "reference.png"
                reference = ReferencePhoto(path.name, write_preview(picture, small.pixels, small))
                yield partial(_take_reference, photo, reference)

        desk.want("ask", "Opening ...", steps)

    # the print

    def prepare(self, desk: Desk) -> None:
        """Make of the photos what they are to be."""
        for photo in desk.photos:
            plan = photo.plan.plain
            if photo.is_stale and not plan.repairs and plan in photo.forms:
                desk.take_form(photo, photo.forms[plan])
            if plan.repairs and self.repairer is None:
                photo.plan = photo.form.plan
                desk.say(NO_REPAIR, bad=True)
        desk.wishes.pop("prepare", None)
        if any(photo.is_stale for photo in desk.photos):
            desk.want(
                "prepare", "Preparing the print ...", lambda wish: self._preparing(desk, wish)
            )

    def _preparing(self, desk: Desk, wish: Wish) -> Iterator[Change]:
        while True:
            with desk.lock:
                stale = [one for one in desk.photos if one.is_stale]
                photo = desk.at if desk.at in stale else next(iter(stale), None)
            if photo is None:
                return
            yield from self._making(desk, wish, photo)

    def _making(self, desk: Desk, wish: Wish, photo: DeskPhoto) -> Iterator[Change]:
        """Make what a photo is to be, if that is not made yet."""
        with desk.lock:
            if not photo.is_stale:
                return
            desk.wishes.pop("prepare", None) if wish.kind != "prepare" else None
            plan, known = photo.plan.plain, dict(photo.forms)
        made = make(
            photo.upload, plan, known, photo.prints, self.repairer, self.budget, photo.folder
        )
        try:
            for step in made:
                if isinstance(step, RepairPlaces):
                    yield partial(setattr, photo, "places", step.picture)
                elif isinstance(step, Form):
                    yield partial(_take_form, desk, photo, step, plan)
                else:
                    yield partial(_progress, wish, float(step))
        except FAILURES as error:
            yield partial(_give_up, desk, photo, sentence(error))

    # colorings

    def color(self, desk: Desk, options: Options) -> None:
        """Color the photo, which is treated as gray from then on."""
        photo = desk.photo
        photo.treated_as_gray, desk.view = True, "points" if desk.view == "points" else "photo"

        def steps(wish: Wish) -> Iterator[Change]:
            yield from self._making(desk, wish, photo)
            with desk.lock:
                subject = ColoringTask(photo, photo.form, photo.points.hints, photo.references)
            yield from self._adding(desk, wish, subject, self._colored(subject, options), options.n)

        desk.want("color", "Coloring ...", steps)

    def more(self, desk: Desk, n: int) -> None:
        """Make colorings with the colors of the chosen one and other details.

        Raises:
            ColorflowError: there is none.
        """
        photo, chosen, seed = desk.photo, desk.require_chosen(), _next_seed(desk.photo)
        subject = ColoringTask(photo, chosen.form, chosen.hints, chosen.references)
        fine = [level for level in self.colorizer.levels if level > _COARSE_GRID]

        def made(read: Photo) -> Iterator[Coloring]:
            yield from self.colorizer.resample(read, chosen.spec, fine, seed, n, **subject.asked())

        colored = self._previewed(subject, made)
        desk.want(
            "color",
            "Coloring ...",
            lambda wish: self._adding(desk, wish, subject, colored, n, choose=False),
        )

    def recolor(self, desk: Desk, start: ColoringSpec | None = None) -> None:
        """Color the photo once, by its points as they are now.

        Args:
            desk: the desk.
            start: what is colored by them; the chosen coloring by default, or the mean of all.
        """
        photo, chosen = desk.photo, desk.photo.chosen
        spec, references = start, chosen.references if chosen and not start else ()
        if spec is None and chosen:
            spec = replace(chosen.spec, quick=False)
        if spec is None:
            mean = PrincipalSpec(number=0, of=_PRINCIPAL, seed=0)
            spec = ColoringSpec(seeds=(None,) * len(self.colorizer.levels), principal=mean)
        subject = ColoringTask(photo, photo.shown_form, photo.points.hints, references)
        photo.treated_as_gray = True
        if known := desk.known(photo, (subject.form.plan, spec, subject.hints, references)):
            desk.wishes.pop("color", None)
            desk.pick(photo, known)
            return

        def made(read: Photo) -> Iterator[Coloring]:
            yield from self.colorizer.reproduce(read, [spec], **subject.asked())

        colored = self._previewed(subject, made)
        desk.want(
            "color", "Coloring ...", lambda wish: self._adding(desk, wish, subject, colored, 1)
        )

    def _colored(self, subject: ColoringTask, options: Options) -> Iterator[PhotoColoring]:
        """Color a photo: samples come one by one; of others, a quick first one comes at once."""
        colorizer, n, temperature = self.colorizer, options.n, options.temperature
        asked = {"skin": options.skin, "strength": options.strength, **subject.asked()}

        def made(read: Photo) -> Iterator[Coloring]:
            if options.samples:
                first = _next_seed(subject.photo)
                for seed in range(first, first + n):
                    yield from colorizer.colorize(
                        read, 1, temperature, seed, samples=True, force=True, **asked
                    )
            elif options.quick and not subject.hints and not subject.references:
                for some in colorizer.colorize_progressively(
                    read, n, temperature, skin=options.skin
                ):
                    yield from some
            else:
                yield from colorizer.colorize(read, n, temperature, force=True, **asked)

        return self._previewed(subject, made)

    def _previewed(
        self, subject: ColoringTask, make: Callable[[Photo], Iterator[Coloring]]
    ) -> Iterator[PhotoColoring]:
        """Colorings with their previews, each in a folder of its own."""
        photo, hints, references = subject.photo, subject.hints, subject.references
        with opened(subject.form.photo.path, self.budget) as read:
            small = reduced(read)
            for made in make(read):
                self.budget.disk.check()
                caption, stem = _caption(made.spec, made.share), photo.upload.path.stem
                stem = f"{stem}_{'hints' if hints else name_of(made.spec)}"  # as of the command
                if hints:
                    caption += f", {len(hints)} hint{'' if len(hints) == 1 else 's'}"
                if references:
                    name = Path(references[0].name).stem
                    caption, stem = f"{caption}, like {name}", f"{stem}_like_{name[:40]}"
                path = new_folder(photo.folder, "coloring-") / "preview"
                yield PhotoColoring(
                    form=subject.form,
                    spec=made.spec,
                    hints=hints,
                    references=references,
                    ab=made.ab,
                    provenance=made.provenance,
                    preview=write_colored(path, made.ab, small),
                    caption=caption,
                    stem=stem,
                )

    def _adding(
        self,
        desk: Desk,
        wish: Wish,
        subject: ColoringTask,
        colored: Iterator[PhotoColoring],
        n: int,
        *,
        choose: bool = True,
    ) -> Iterator[Change]:
        """Put n colorings beside those that are there, and show the first one if wanted."""
        began, before = time.perf_counter(), len(subject.photo.colorings)
        for done, coloring in enumerate(colored, 1):
            is_chosen = choose and done == 1
            yield partial(_take, desk, wish, subject.photo, coloring, done / n, is_chosen)
        new, seconds = len(subject.photo.colorings) - before, time.perf_counter() - began
        said = f"{new} coloring{'' if new == 1 else 's'} in {seconds:.1f} s."
        same = "These colorings are here already; ask for more of them, or for single samples."
        yield partial(desk.say, said if new else same)

    # what the model is asked

    def offer(self, desk: Desk) -> None:
        """Look for likely colors of the point that gets the next color, if there is one."""
        photo = desk.photo
        target, form = photo.points.target, photo.shown_form
        desk.wishes.pop("ask", None)
        if target is None:
            return
        row, column, others = target

        def steps(wish: Wish) -> Iterator[Change]:
            places = photo.hints_on(form, (Hint(row, column, 0, 0),))
            asked = ColoringTask(photo, form, others).asked()
            with opened(form.photo.path, self.budget) as read:
                samples = self.colorizer.colorize(
                    read, _LIKELY_SAMPLES, samples=True, force=True, **asked
                )
                size = read.height, read.width
            ab = np.stack([one.ab for one in samples])
            for at in places:  # none if the point is not on the form
                y, x = int(at.row) * ab.shape[2] // size[0], int(at.column) * ab.shape[3] // size[1]
                here = ab[:, :, y, x]
                found = tuple(likely(here, photo.lightness_at(row, column), _LIKELY_COLORS))
                if photo.points.target == target:
                    yield partial(setattr, photo, "likely", found)

        desk.want("ask", "Looking for likely colors ...", steps)

    def unsure(self, desk: Desk) -> None:
        """Show where the model is unsure of the colors of the photo."""

        def unsure(read: Photo, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
            unsure: NDArray[np.float32] = self.colorizer.uncertainty(read).at_full_size(lightness)
            return unsure / np.float32(MOST_UNSURE)

        self._mapped(desk, "unsure", unsure)

    def where_referred(self, desk: Desk) -> None:
        """Show where the references had something to say.

        Raises:
            ColorflowError: there are none.
        """
        photo = desk.photo
        references = photo.references or (photo.chosen.references if photo.chosen else ())
        if not references:
            raise ColorflowError("Choose a photo in color first, whose colors this one gets.")

        def likeness(read: Photo, _: object) -> NDArray[np.float32]:
            asked = ColoringTask(photo, photo.form, (), references).asked()
            return self.colorizer.likeness(read, asked["reference"])

        self._mapped(desk, "reference", likeness)

    def _mapped(self, desk: Desk, name: str, measure: Callable[..., NDArray[np.float32]]) -> None:
        photo, form = desk.photo, desk.photo.form

        def steps(wish: Wish) -> Iterator[Change]:
            path = new_folder(photo.folder, "map-") / "map.png"
            with opened(form.photo.path, self.budget) as read:
                small = reduced(read)
                lightness = lightness_of(small.pixels)
                shares = measure(read, lightness)
            write_preview(path, glowing(lightness, shares), small)
            yield lambda: photo.maps.update({name: path}) if photo.form is form else None

        desk.want("ask", "Asking the model ...", steps)

    # the album

    def color_all(self, desk: Desk, options: Options) -> None:
        """Color all photos that have no coloring and no colors of their own.

        Raises:
            ColorflowError: there are none.
        """
        if not desk.waiting and not _uncolored(desk):
            raise ColorflowError("All of them have colorings already.")

        def following(wish: Wish) -> Iterator[DeskPhoto]:
            tried: list[DeskPhoto] = []
            while (photo := _next_uncolored(desk, wish, tried)) is not None:
                tried.append(photo)
                yield photo

        self._color_several(desk, following, options)

    def same_colors(self, desk: Desk, options: Options) -> None:
        """Give all other photos the colors of what is chosen, with its hints and saturation.

        Raises:
            ColorflowError: nothing is chosen, or there are no others.
        """
        chosen, shown = desk.require_chosen(), desk.photo
        reference = ReferencePhoto(shown.upload.path.name, chosen.painted(shown.saturation))
        others = [one for one in desk.photos if one is not shown and not one.is_left_alone]
        if not others:
            raise ColorflowError("There is no other photo that could get these colors.")
        one = replace(options, n=1, samples=False)
        self._color_several(desk, lambda _: iter(others), one, reference)

    def _color_several(
        self,
        desk: Desk,
        photos: Callable[[Wish], Iterator[DeskPhoto]],
        options: Options,
        reference: ReferencePhoto | None = None,
    ) -> None:
        """Color photos of the album; what fails is told, and the next one follows."""
        options = replace(options, quick=False)

        def one(wish: Wish, photo: DeskPhoto) -> Iterator[Change]:
            yield from self._making(desk, wish, photo)
            with desk.lock:
                subject = ColoringTask(photo, photo.form, photo.points.hints, photo.references)
            if reference:
                subject = ColoringTask(photo, subject.form, (), (reference,))
            for done, coloring in enumerate(self._colored(subject, options)):
                yield partial(desk.take_coloring, photo, coloring, choose=done == 0)

        def steps(wish: Wish) -> Iterator[Change]:
            done = 0
            for done, photo in enumerate(photos(wish), 1):
                try:
                    yield from one(wish, photo)
                except FAILURES as error:
                    yield partial(desk.problems.append, Problem(photo.name, sentence(error)))
                said = f"{done} of {len(desk.photos)} photos are colored."
                yield partial(_progress, wish, done / len(desk.photos), said)
            yield partial(desk.say, f"{done} photos are colored.")

        desk.want("album", "Coloring the album ...", steps)

    def zip(self, desk: Desk, format_: str, every: bool) -> None:
        """Put the colorings in full size into a zip.

        Raises:
            ColorflowError: there are none.
        """
        pages = pages_of(desk.photos, every=every)
        if not any(page.colorings for page in pages):
            raise ColorflowError("There is no coloring here yet; color the photos first.")
        problems, suffix = list(desk.problems), SUFFIXES.get(format_)

        def write(coloring: PhotoColoring, saturation: float) -> Path:
            *_, path = self._full_size(coloring.form, coloring, saturation, coloring.stem, suffix)
            assert isinstance(path, Path)
            return path

        def steps(wish: Wish) -> Iterator[Change]:
            for done in write_zip(pages, problems, write, desk.folder, self.budget):
                if isinstance(done, int):
                    said = f"{done} of {len(pages)} photos are written."
                    yield partial(_progress, wish, done / len(pages), said)
                    continue
                size = done.stat().st_size / 2**20
                yield partial(_take_file, desk, done, f"A zip of {size:.1f} MB.")
                for page in pages:
                    yield partial(setattr, page.photo, "saved", page.state)

        desk.want("album", "Writing the zip ...", steps)

    # files

    def finish(self, desk: Desk, scale: int, restore: bool, format_: str) -> None:
        """Write what is shown in full size, or larger.

        Args:
            desk: the desk.
            scale: 1, 2 or 4.
            restore: whether blur, noise and compression are taken out; counts for a larger size.
            format_: one of `SUFFIXES`.

        Raises:
            ColorflowError: it would be too large, or there is nothing to write.
        """
        photo, chosen = desk.photo, desk.photo.chosen
        form, saturation, state = photo.shown_form, photo.saturation, photo.state
        if chosen is None and scale == 1 and form.plan == PrintPlan():
            raise ColorflowError("This is your photo as it came; color it, or choose a size.")
        self.check_size(form.photo.pixels, scale)
        stem = chosen.stem if chosen else photo.upload.path.stem

        def steps(wish: Wish) -> Iterator[Change]:
            began = time.perf_counter()
            written = self._full_size(
                form,
                chosen,
                saturation,
                stem,
                SUFFIXES.get(format_),
                scale,
                restore=restore and scale > 1,
            )
            for done in written:
                if isinstance(done, float):
                    said = f"{100 * done:.0f} % of the picture is enlarged." if scale > 1 else None
                    yield partial(_progress, wish, done, said)
                    continue
                seconds = time.perf_counter() - began
                width, height = scale * form.photo.width, scale * form.photo.height
                said = f"{done.name}: {width} × {height} pixels, written in {seconds:.1f} s."
                yield partial(_take_file, desk, done, said)
                yield partial(setattr, photo, "saved", state)

        desk.want("finish", "Writing the file ...", steps)

    def _full_size(
        self,
        form: Form,
        coloring: PhotoColoring | None,
        saturation: float,
        stem: str,
        suffix: str | None,
        scale: int = 1,
        *,
        restore: bool = False,
    ) -> Iterator[float | Path]:
        """Write a file, unless it is there: gives what share is done, and at the end the file."""
        home = coloring.preview.parent if coloring else form.photo.folder
        name = stem if scale == 1 else f"{stem}_{MEAN.label_of(scale, restored=restore)}"
        folder = home / f"saturation-{saturation:.2f}"
        path = folder / f"{name}{suffix or form.photo.suffix}"
        if not path.exists():
            with storing():
                folder.mkdir(exist_ok=True)
            colors = None
            if coloring:
                said = replace(coloring.provenance, saturation=saturation)
                colors = saturated(coloring.ab, saturation), said
            yield from self.write(form.photo.path, path, colors, scale, restore=restore)
        yield path

    def write(
        self,
        source: Path,
        path: Path,
        colors: tuple[NDArray[np.float32], Any] | None,
        scale: int = 1,
        *,
        restore: bool = False,
    ) -> Iterator[float]:
        """Write a photo in full size or larger: gives what share is done.

        Args:
            source: the photo's file.
            path: of the new file.
            colors: CIELAB (2, h, w) on a small grid, and what the file says of them; None for those
                of the photo.
            scale: 1, 2 or 4.
            restore: whether blur, noise and compression are taken out; for a larger size.

        Raises:
            ColorflowError: the photo cannot be read, or the file not written.
        """
        stated: Any = None
        size = count_pixels(source, max_pixels=self.budget.pixels, isolated=True)
        with opened(source, self.budget, scale**2 * size, for_long=scale > 1) as photo:
            if scale > 1:
                assert self.enlarger
                lightness: Any = yield from self.enlarger.steps(
                    photo, scale, MEAN.temperature, MEAN.seed, restore=restore
                )
                stated = Enlargement(
                    scale=scale,
                    seed=MEAN.seed,
                    temperature=MEAN.temperature,
                    model=self.enlarger.digest,
                    restored=restore,
                )
            else:
                lightness = LightnessRows(photo.full_depth)
            yield 1.0  # who cancels during the last step gets no file
            if colors:
                pixels, provenance = render(lightness, colors[0], bits=photo.bits), colors[1]
            else:
                pixels = paint(photo, lightness, bits=photo.bits) if scale > 1 else photo.full_depth
                provenance = read_statements(source, isolated=True).colors
            like = photo.enlarged(pixels) if scale > 1 else photo
            self.budget.disk.check()
            write_image(path, pixels, like, provenance=provenance, enlargement=stated)

    def check_size(self, pixels: int, scale: int) -> None:
        """Refuse what would be too large.

        Raises:
            ColorflowError: it would have more pixels than this page makes.
        """
        result, most = scale**2 * pixels, min(self.budget.pixels, MAX_RESULT_PIXELS)
        if result > most:
            raise ColorflowError(
                f"The result would have {result / 1e6:.0f} megapixels; this page makes at most "
                f"{most / 1e6:.0f}. Choose a smaller size."
            )

    # files of hints

    def load_hints(self, desk: Desk, upload: str | Path | None) -> None:
        """Replace the points by those of a file, and take the coloring that it names.

        Raises:
            ColorflowError: it has none for this photo.
        """
        if upload is None:
            return
        photo = desk.photo
        size = photo.upload.height, photo.upload.width
        given = read_points(Path(upload), photo.upload.path.name, *size)
        start = (
            given.start if given.start and given.start.weights == self.colorizer.digest else None
        )
        photo.points.replace(given.hints)
        photo.likely = None
        if start:
            photo.saturation = start.saturation
        self.recolor(desk, start.spec if start else None)

    def save_hints(self, desk: Desk) -> None:
        """Write the points, and the coloring that they are on, to a file for another day.

        Raises:
            ColorflowError: there are none.
        """
        photo = desk.photo
        if not photo.points.hints:
            raise ColorflowError("There are no points yet; click one, and choose its color.")
        chosen, start = photo.chosen, None
        if chosen and not chosen.references:
            start = Start(chosen.spec, self.colorizer.digest, photo.saturation)
        given = PhotoHints(photo.points.hints, start).as_json()
        text = json.dumps({photo.upload.path.name: given}, ensure_ascii=False, indent=1)
        path = new_folder(photo.folder, "hints-") / f"{photo.upload.path.stem}_hints.json"
        with storing():
            path.write_text(f"{text}\n", encoding="utf-8")
        _take_file(desk, path, f"{path.name} has {len(photo.points.hints)} points.")


# what results change


def _progress(wish: Wish, share: float, said: str | None = None) -> None:
    wish.share, wish.said = share, said or wish.said


def _take_photo(desk: Desk, file: Waiting, photo: DeskPhoto, *, look: bool) -> None:
    desk.waiting.remove(file)
    desk.add(photo, look=look)
    if photo.prints and look:
        desk.view = "frame"


def _take_found(
    desk: Desk, file: Waiting, found: Sequence[Waiting], problems: Sequence[Problem]
) -> None:
    at = desk.waiting.index(file)
    desk.waiting[at : at + 1] = found
    desk.problems += problems


def _take_reference(photo: DeskPhoto, reference: ReferencePhoto) -> None:
    photo.references = (*photo.references, reference)


def _take_form(desk: Desk, photo: DeskPhoto, form: Form, plan: PrintPlan) -> None:
    photo.forms[form.plan] = form
    if form.plan == plan or photo.form.plan.shape != plan.shape:
        desk.take_form(photo, form)


def _give_up(desk: Desk, photo: DeskPhoto, said: str) -> None:
    photo.plan = photo.form.plan
    desk.say(said, bad=True)


def _take(
    desk: Desk, wish: Wish, photo: DeskPhoto, coloring: PhotoColoring, share: float, choose: bool
) -> None:
    wish.share = min(1.0, share)
    desk.take_coloring(photo, coloring, choose=choose)


def _take_file(desk: Desk, path: Path, said: str) -> None:
    desk.finished = Finished(path, desk.finished.number + 1 if desk.finished else 1)
    desk.say(said)


def _uncolored(desk: Desk) -> list[DeskPhoto]:
    return [one for one in desk.photos if not one.is_left_alone and not one.gallery]


def _next_uncolored(desk: Desk, wish: Wish, tried: Sequence[DeskPhoto]) -> DeskPhoto | None:
    """The next photo to be colored; waits while others are still being opened."""

    def found() -> list[DeskPhoto]:
        return [one for one in _uncolored(desk) if one not in tried]

    def is_decided() -> bool:
        return bool(found()) or not desk.waiting or desk.wishes.get("album") is not wish

    with desk.lock:
        desk.lock.wait_for(is_decided)
        return next(iter(found()), None)


# names and pictures


def name_of(spec: ColoringSpec) -> str:
    """The part of a file's name that tells a coloring from others of its photo.

    The letter of a principal coloring, or `s` and the seed of a sample; then, after a hyphen, the
    seed of details that were sampled again.
    """
    name = f"s{spec.seed}" if spec.principal is None else LETTERS[spec.principal.number]
    details = spec.seeds[-1]
    is_varied = details is not None and (spec.principal is not None or details != spec.seed)
    return f"{name}-{details}" if is_varied else name


def _caption(spec: ColoringSpec, share: float | None) -> str:
    """What the gallery says of a coloring."""
    which, (_, _, details) = spec.principal, name_of(spec).partition("-")
    if which is None:
        said = f"Sample {spec.seed + 1}"
    elif which.number == 0:
        said = "A: average of all"
    else:
        letter = LETTERS[which.number].upper()
        said = letter if share is None else f"{letter}: {100 * share:.0f} %"
    if details:
        said = f"{said.partition(':')[0]}, variation {details}"
    return said if spec.temperature == 1 else f"{said}, temperature {spec.temperature:g}"


def _next_seed(photo: DeskPhoto) -> int:
    """A seed larger than all that samples of the photo use."""
    specs = [one.spec for one in photo.colorings]
    seeds = [seed for spec in specs for seed in spec.seeds if seed is not None]
    return 1 + max(seeds, default=-1)


def glowing(lightness: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay a map over a gray picture.

    Args:
        lightness: (H, W), L* in [0, 100].
        shares: (h, w), from 0, dark, to 1, bright; what is beyond counts as that.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    height, width = lightness.shape
    plane = np.asarray(shares, np.float32).clip(0, 1)
    share = cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    stops = np.array(STOPS, np.float32)
    positions = np.linspace(0, 1, len(stops))
    glow = np.stack([np.interp(share, positions, channel) for channel in stops.T], axis=-1)
    gray = render(lightness, NO_CHROMA)
    return np.rint((1 - _OPACITY) * gray + _OPACITY * glow).astype(np.uint8)
