"""A photo on a desk with its colorings, and how they are made.

Also what else the model is asked: likely colors of a point, and maps. Nothing here knows of wishes:
`work` puts into a desk what is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from colorflow.batch.task import stem_of
from colorflow.color.cie import saturated
from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.swatches import Swatch, likely, material_swatches
from colorflow.colorizer import Colorizer
from colorflow.errors import ColorflowError
from colorflow.photo import Kind, Photo, read_photo
from colorflow.recipe import (
    LETTERS,
    NOTHING_DONE,
    ColoringSpec,
    Crop,
    Hint,
    Place,
    Recipe,
    Statement,
)
from colorflow.result import Result
from colorflow.ui.hints import Hints, Points, Target
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import (
    NO_CHROMA,
    Origin,
    PhotoFile,
    again,
    new_folder,
    opened,
    reduced,
    write_colored,
    write_preview,
)
from colorflow.ui.prepare import Corners, Form, PrintPlan, moved, whole, within

MOST_COLORINGS = 200
"""Colorings from which on a photo gets no more."""
_LIKELY_SAMPLES, _LIKELY_COLORS = 24, 6
"""Samples among which likely colors are looked for, and how many are offered."""
_MOST_OUTLINES = 200
"""Things of a photo whose outlines are shown, the largest ones."""
_COARSE_GRID = 8
"""Side of the chroma grid up to which levels decide the colors of objects."""
_MOST_UNSURE = 60
"""CIELAB units at which the glow is full; few points of a photo are more uncertain than that."""
_STOPS = ((60, 60, 120), (150, 60, 130), (225, 100, 75), (250, 190, 70), (255, 240, 150))
"""Colors of the glow: sRGB, ever lighter, so that color-blind people can tell them apart."""
_OPACITY = 0.6
MapName = Literal["unsure", "reference"]
"""Where the model is unsure, and where it found something like the references."""


class ThingOutline(NamedTuple):
    """The outline of a thing in a photo, as of `colorflow.model.things.Thing`."""

    name: str
    lines: tuple[NDArray[np.float64], ...]


class PhotoThings(NamedTuple):
    """The things in a photo: outlines, and regions as of `colorflow.model.things.Thing`."""

    outlines: tuple[ThingOutline, ...]
    regions: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ReferencePhoto:
    """A photo whose colors another one gets.

    Args:
        name: of its file.
        picture: small, and in color; another coloring or saturation has a file of its own.
    """

    name: str
    picture: Path


@dataclass(frozen=True, slots=True)
class ColoringTask:
    """What is colored, and what is known of its colors.

    Args:
        photo: the photo.
        form: of the photo.
        hints: in pixels of the upload.
        references: whose colors it gets.
    """

    photo: DeskPhoto
    form: Form
    hints: Hints = ()
    references: tuple[ReferencePhoto, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Tells it from others of the photo."""
        return self.form.photo, self.hints, self.references

    def conditions(self) -> dict[str, Any]:
        """The arguments of `Colorizer` that say what is known of the colors."""
        pictures = [read_photo(one.picture) for one in self.references]
        return {"hints": self.photo.hints_on(self.form, self.hints), "reference": pictures}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhotoColoring:
    """One coloring of a photo on a desk.

    Args:
        task: what was colored.
        spec: of the coloring.
        ab: its colors as the model made them, CIELAB (2, h, w), on a small grid.
        statement: what its files say of its colors.
        preview: a small picture, in a folder of its own.
        caption: what the gallery says.
        stem: name of its file in full size, without the suffix.
    """

    task: ColoringTask
    spec: ColoringSpec
    ab: NDArray[np.float32]
    statement: Statement
    preview: Path
    caption: str
    stem: str

    @property
    def key(self) -> tuple[object, ...]:
        """Tells it from other colorings of the photo."""
        return *self.task.key, self.spec

    @property
    def form(self) -> Form:
        """What it was made on."""
        return self.task.form

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


def print_name(scan: Origin, number: int) -> str:
    """How a print of a scan is called on the desk."""
    return f"{scan.name}, print {number}"


@dataclass(slots=True, kw_only=True, eq=False)
class DeskPhoto:
    """A photo on a desk.

    Args:
        name: of its file, with the folders of its album.
        origin: that file; several prints of one scan share it.
        upload: the photo as it came.
        prints: that were found in it.
        number: which of its prints it is, counted from 1.
        may_be_cut: whether somebody is to say where its print is, since that was not found surely.
        form: what is colored: the upload, or what was made of it.
        plan: what it is to be; `form` follows.
        corners: of the frame as it is shown, in pixels of the upload.
        forms: what was made that is seen, was seen before or is colored, with that of the upload.
        places: a picture of what is repaired.
        is_unmarked: whether that picture is gone, or of another plan, though something is repaired.
        points: what the visitor knows of its colors.
        likely: colors that a `Points.target` may have, where they were asked for.
        things: in those of its forms on which points were clicked.
        references: whose colors its next colorings get.
        colorings: in the order in which they were made; they stay until the photo goes.
        picks: what was chosen last while a picture was to be colored; see `chosen`.
        saturation: as of `colorflow.color.cie.saturated`.
        maps: pictures of the form that tell where the model is unsure, or found the reference's
            colors.
        treated_as_gray: whether the visitor wants its lightness colored even if it has colors.
        is_in_work: whether somebody makes what it is to be.
        saved: its `state` when colorings of it were downloaded last.
        lightness: L* at rows and columns of the upload that were asked for.
    """

    name: str
    origin: Origin
    upload: PhotoFile
    prints: tuple[Corners, ...] = ()
    number: int = 1
    may_be_cut: bool = False
    form: Form = field(init=False)
    plan: PrintPlan = field(default_factory=PrintPlan)
    corners: Corners = field(init=False)
    forms: dict[PrintPlan, Form] = field(init=False)
    places: Path | None = None
    is_unmarked: bool = False
    points: Points = field(default_factory=Points)
    likely: dict[Target, tuple[Swatch, ...]] = field(default_factory=dict)
    things: dict[PhotoFile, PhotoThings] = field(default_factory=dict)
    references: tuple[ReferencePhoto, ...] = ()
    colorings: list[PhotoColoring] = field(default_factory=list)
    picks: dict[PhotoFile, PhotoColoring | None] = field(default_factory=dict)
    saturation: float = 1.0
    maps: dict[str, Path] = field(default_factory=dict)
    treated_as_gray: bool = False
    is_in_work: bool = False
    saved: object = None
    lightness: dict[tuple[float, float], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.number <= len(self.prints):
            self.corners = self.prints[self.number - 1]
        else:
            around = within if self.may_be_cut or self.number > 1 else whole
            self.corners = around(self.upload.width, self.upload.height)
        untouched = replace(NOTHING_DONE, photo=self.upload.digest)
        self.form = Form(photo=self.upload, base=self.upload, statement=untouched)
        self.forms = {self.form.plan: self.form}

    def of_print(self, number: int) -> DeskPhoto:
        """The same scan once more, with files of its own, for another of its prints.

        Raises:
            ColorflowError: the scan has gone, or nothing can be stored.
        """
        path = self.origin.path
        name = f"{stem_of(path, number)}{path.suffix}"
        return DeskPhoto(
            name=print_name(self.origin, number),
            origin=self.origin,
            upload=again(self.upload, name, self.folder.parent),
            prints=self.prints,
            number=number,
        )

    @property
    def folder(self) -> Path:
        """Holds everything that is made of it."""
        return self.upload.folder

    @property
    def found(self) -> Corners | None:
        """Where a print was found for sure."""
        return self.corners if self.prints and not self.may_be_cut else None

    @property
    def statement(self) -> Statement:
        """What files say of the cut."""
        crop = Crop(number=self.number, frame=tuple(x for corner in self.corners for x in corner))
        prints = max(self.number, len(self.prints))
        return Statement(recipe=Recipe(crop=crop), photo=self.upload.digest, prints=prints)

    @property
    def has_colors(self) -> bool:
        """Whether it has colors of its own; those of a bed that was cut off are not."""
        return self.form.base.kind is Kind.COLORED

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
        picked = self.picks.get(self.form.photo)
        return picked if picked in self.gallery else None

    @chosen.setter
    def chosen(self, coloring: PhotoColoring | None) -> None:
        self.picks[self.form.photo] = coloring

    def made_before(self, key: tuple[object, ...]) -> PhotoColoring | None:
        """The coloring with such a `PhotoColoring.key`, if there is one."""
        return next((one for one in self.colorings if one.key == key), None)

    @property
    def swatches(self) -> list[Swatch]:
        """Colors for the point that gets the next one: of materials, then likely ones."""
        if (target := self.points.target) is None:
            return []
        materials = material_swatches(self.lightness_at(*target[:2]))
        return [*materials, *self.likely.get(target, ())]

    @property
    def is_colored(self) -> bool:
        """Whether there is a coloring of what would be colored now."""
        return any(one.form.photo is self.form.photo for one in self.colorings)

    @property
    def task(self) -> ColoringTask:
        """What would be colored now."""
        return ColoringTask(self, self.form, self.points.hints, self.references)

    @property
    def shown_form(self) -> Form:
        """What the chosen coloring was made on; without one, what would be colored."""
        return self.chosen.form if self.chosen else self.form

    @property
    def is_unprepared(self) -> bool:
        """Whether the plan has not been made yet, or its places are not shown."""
        return self.plan.plain != self.form.plan or self.is_unmarked

    @property
    def state(self) -> object:
        """What tells whether a download would be new: the key of what is chosen, and how strong."""
        return self.chosen and self.chosen.key, self.saturation

    @property
    def is_unsaved(self) -> bool:
        """Whether what is chosen has not been downloaded; or no coloring, while none is chosen."""
        if self.chosen is None:
            return bool(self.colorings) and self.saved is None
        return self.state != self.saved

    def hints_on(self, form: Form, hints: Hints) -> Hints:
        """Hints of the upload in pixels of a form, without those that are not on it."""
        found = []
        for hint in hints:
            on = self.places_on(form, ((hint.row, hint.column), *hint.adds, *hint.takes))
            if (hint.row, hint.column) in on:
                row, column = on[hint.row, hint.column]
                adds = tuple(on[place] for place in hint.adds if place in on)
                takes = tuple(on[place] for place in hint.takes if place in on)
                found.append(replace(hint, row=row, column=column, adds=adds, takes=takes))
        return tuple(found)

    def places_on(self, form: Form, places: Sequence[Place]) -> dict[Place, Place]:
        """Rows and columns of a form by those of the upload, without those that are not on it."""
        points = [(column + 0.5, row + 0.5) for row, column in places]
        return {
            place: (max(0.0, y - 0.5), max(0.0, x - 0.5))
            for place, (x, y) in zip(places, moved(points, form.plan, self.upload), strict=True)
            if 0 <= x < form.photo.width and 0 <= y < form.photo.height
        }

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


@dataclass(frozen=True, slots=True)
class Options:
    """Which colorings are wanted; arguments as those of `Colorizer.colorize`.

    Args:
        n: how many.
        temperature: as there.
        samples: whether they are single samples.
        skin: as there.
        strength: how far colors go towards those of the references, in [0, 1].
    """

    n: int = 4
    temperature: float = 1.0
    samples: bool = False
    skin: bool = True
    strength: float = 1.0


class Colorist:
    """Colors photos of desks; its iterators compute on `next`.

    Args:
        colorizer: the model.
        budget: memory and disk.
    """

    def __init__(self, colorizer: Colorizer, budget: MemoryBudget) -> None:
        self.colorizer, self._budget = colorizer, budget

    def several(self, task: ColoringTask, options: Options) -> Iterator[PhotoColoring]:
        """Colorings: samples come one by one; of others, the first one comes at once."""
        n, temperature, skin = options.n, options.temperature, options.skin

        def made(read: Photo) -> Iterator[Result]:
            given = {"skin": skin, "strength": options.strength, "force": True, **task.conditions()}
            colorize = self.colorizer.colorize
            if options.samples:
                first = _next_seed(task.photo)
                for seed in range(first, first + n):
                    yield from colorize(read, 1, temperature, seed, samples=True, **given)
            elif not task.hints and not task.references:
                yield from self.colorizer.colorize_progressively(read, n, temperature, skin=skin)
            else:
                yield from colorize(read, n, temperature, **given)

        return self._previewed(task, made)

    def varied(self, task: ColoringTask, spec: ColoringSpec, n: int) -> Iterator[PhotoColoring]:
        """Colorings with the colors of one and n other details."""
        fine = [level for level in self.colorizer.levels if level > _COARSE_GRID]
        seed, open_ = _next_seed(task.photo), self.colorizer.open
        return self._previewed(
            task, lambda read: open_(read, **task.conditions()).resample(spec, fine, seed, n)
        )

    def again(self, task: ColoringTask, spec: ColoringSpec) -> Iterator[PhotoColoring]:
        """One coloring once more, with what is known now."""
        open_ = self.colorizer.open
        return self._previewed(
            task, lambda read: open_(read, **task.conditions()).reproduce([spec])
        )

    def _previewed(
        self, task: ColoringTask, make: Callable[[Photo], Iterable[Result]]
    ) -> Iterator[PhotoColoring]:
        """Colorings with their previews, each in a folder of its own.

        Raises:
            ColorflowError: nothing can be read or stored, or there are too many already.
        """
        photo, hints, references = task.photo, task.hints, task.references
        with opened(task.form.photo.path, self._budget) as read:
            small = reduced(read)
            for made in make(read):
                self._budget.disk.check()
                if len(photo.colorings) >= MOST_COLORINGS:
                    raise ColorflowError(f"A photo has {MOST_COLORINGS} colorings at most.")
                caption, stem = _caption(made.spec, made.share), photo.upload.path.stem
                stem = f"{stem}_{'hints' if hints else name_of(made.spec)}"  # as of the command
                if hints:
                    caption += f", {len(hints)} hint{'' if len(hints) == 1 else 's'}"
                if references:
                    name = Path(references[0].name).stem
                    caption, stem = f"{caption}, like {name}", f"{stem}_like_{name[:40]}"
                path = new_folder(photo.folder, "coloring-") / "preview"
                yield PhotoColoring(
                    task=task,
                    spec=made.spec,
                    ab=made.ab,
                    statement=made.statement,
                    preview=write_colored(path, made.ab, small),
                    caption=caption,
                    stem=stem,
                )

    def likely(self, task: ColoringTask, row: float, column: float) -> tuple[Swatch, ...]:
        """Likely colors of a point of the upload; none if it is not on the form."""
        photo, size = task.photo, task.form.photo
        places = photo.hints_on(task.form, (Hint(row, column, 0, 0),))
        if not places:
            return ()
        with opened(size.path, self._budget) as read:
            samples = self.colorizer.colorize(
                read, _LIKELY_SAMPLES, samples=True, force=True, **task.conditions()
            )
        ab = np.stack([one.ab for one in samples])
        y = int(places[0].row) * ab.shape[2] // size.height
        x = int(places[0].column) * ab.shape[3] // size.width
        return tuple(likely(ab[:, :, y, x], photo.lightness_at(row, column), _LIKELY_COLORS))

    def things(self, form: Form) -> PhotoThings:
        """The things that a point may lie on, from large to small."""
        with opened(form.photo.path, self._budget) as read:
            found = self.colorizer.things(read)
        outlines = [
            ThingOutline(thing.name, tuple(thing.outlines)) for thing in found[:_MOST_OUTLINES]
        ]
        return PhotoThings(tuple(outlines), found[0].regions.astype(np.int32))

    def map(self, task: ColoringTask, name: MapName) -> Path:
        """A picture of the photo, bright where what the map tells of is."""
        path = new_folder(task.photo.folder, "map-") / "map.png"
        with opened(task.form.photo.path, self._budget) as read:
            small = reduced(read)
            lightness = lightness_of(small.pixels)
            if name == "reference":
                shares = self.colorizer.open(
                    read, reference=task.conditions()["reference"]
                ).likeness()
            else:
                unsure = self.colorizer.open(read).uncertainty().at_full_size(lightness)
                shares = unsure / np.float32(_MOST_UNSURE)
        return write_preview(path, _glowing(lightness, shares), small)


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
    seeds = [seed for one in photo.colorings for seed in one.spec.seeds if seed is not None]
    return 1 + max(seeds, default=-1)


def _glowing(lightness: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.uint8]:
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
    stops = np.array(_STOPS, np.float32)
    positions = np.linspace(0, 1, len(stops))
    glow = np.stack([np.interp(share, positions, channel) for channel in stops.T], axis=-1)
    gray = render(lightness, NO_CHROMA)
    return np.rint((1 - _OPACITY) * gray + _OPACITY * glow).astype(np.uint8)
