"""Colorings of an uploaded photo: their previews come one by one, their full size when chosen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from colorflow.coloring import provenance_of
from colorflow.errors import ColorflowError
from colorflow.photo import LETTERS, Kind, Photo
from colorflow.ui.photos import UploadedPhoto, new_folder, reduced, write_colored
from colorflow.ui.session import Job, Session

if TYPE_CHECKING:
    from colorflow.coloring import Coloring
    from colorflow.colorizer import ColoringSpec, Colorizer, PrincipalSpec

_COARSE_GRID = 8
"""Side of the chroma grid up to which levels decide the colors of objects."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownColoring:
    """One coloring of a photo."""

    spec: ColoringSpec
    """How it is made."""
    ab: NDArray[np.float32]
    """Its colors, CIELAB (2, h, w), on a small grid."""
    preview: Path
    stem: str
    """Name of its file in full size, without the suffix."""
    share: float | None = None
    """Of a principal coloring: the share of the samples that it is the mean of."""
    caption: str = ""
    """What the gallery says below it."""

    @property
    def folder(self) -> Path:
        """Holds its preview, its file in full size and other pictures of it."""
        return self.preview.parent

    @property
    def seed(self) -> int:
        """Seed of its colors, and of its details unless these were sampled again."""
        return self.spec.seed


class Captions:
    """What the gallery says below a photo's colorings; it counts seeds instead of naming them."""

    def __init__(self) -> None:
        self._samples: list[int] = []
        self._variations: list[int] = []

    def of(self, spec: ColoringSpec, share: float | None) -> str:
        """The caption of a coloring; the same seed gets the same number again."""
        if spec.principal is None:
            said = f"Sample {_number(spec.seed, self._samples)}"
        elif spec.is_principal and spec.principal.number == 0:
            said = "A: average of all"
        elif spec.is_principal and share is not None:
            said = f"{letter_of(spec.principal).upper()}: {100 * share:.0f} %"
        else:
            said = letter_of(spec.principal).upper()
        variation = variation_of(spec)
        if variation is None:
            return said
        return f"{said}, variation {_number(variation, self._variations)}"


def _number(seed: int, known: list[int]) -> int:
    """Place of a seed among the known ones, from 1; a new one is added."""
    if seed not in known:
        known.append(seed)
    return known.index(seed) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ColoringOptions:
    """Which colorings of a photo are wanted; arguments as those of `Colorizer.colorize`."""

    n: int
    temperature: float
    seed: int
    samples: bool


@dataclass(slots=True, kw_only=True, eq=False)
class ColoredPhoto:
    """A photo that a visitor has opened, and its colorings."""

    photo: UploadedPhoto
    upload: Path
    """The file as Gradio has it."""
    colorings: Sequence[ShownColoring] = ()
    captions: Captions = field(default_factory=Captions)
    """Of these colorings."""
    chosen: ShownColoring | None = None
    options: ColoringOptions | None = None
    """With which all colorings that were wanted have been made last."""
    treated_as_gray: bool = False
    """Whether the visitor wants its lightness colored even if it has colors."""
    inside: PurePath = field(default_factory=PurePath)
    """Its folder in what was uploaded."""

    @property
    def name(self) -> str:
        """Of its file, with the folders in what was uploaded."""
        return str(self.inside / self.photo.path.name)

    @property
    def folder(self) -> Path:
        """Holds everything that is made of the photo."""
        return self.photo.folder

    @property
    def has_colors(self) -> bool:
        """Whether it has colors of its own."""
        return self.photo.kind is Kind.COLORED

    @property
    def is_left_alone(self) -> bool:
        """Whether it has colors that the visitor has not asked to leave out."""
        return self.has_colors and not self.treated_as_gray

    @property
    def is_in_zip(self) -> bool:
        """Whether there is a coloring that the visitor wants."""
        return self.chosen is not None and not self.is_left_alone

    @property
    def shows_samples(self) -> bool:
        """Whether the colorings are samples; the first may be the one that was chosen before."""
        return bool(self.colorings) and self.colorings[-1].spec.principal is None

    def written(self, made: Coloring, small: Photo, ending: str) -> ShownColoring:
        """A coloring of the photo, with its preview in a folder of its own.

        Args:
            made: the coloring.
            small: the photo as the preview shows it.
            ending: of the name of its file in full size.

        Raises:
            ColorflowError: the preview cannot be written.
        """
        return ShownColoring(
            spec=made.spec,
            ab=made.ab,
            preview=write_colored(new_folder(self.folder, "run-") / "preview", made.ab, small),
            stem=f"{self.photo.path.stem}_{ending}",
        )

    def replace_colorings(self, first: ShownColoring) -> None:
        """Choose a new coloring and delete the ones before."""
        before = self.colorings
        self.colorings, self.chosen = [first], first
        if before:
            shutil.rmtree(before[0].folder, ignore_errors=True)

    def require_chosen(self) -> ShownColoring:
        """The chosen coloring.

        Raises:
            ColorflowError: there is none.
        """
        if self.chosen is None:
            raise ColorflowError("There is no coloring here yet; color the photo first.")
        return self.chosen


PhotoSession = Session[ColoredPhoto]
AnyPhoto = TypeVar("AnyPhoto", bound=ColoredPhoto)


def write_chosen(session: Session[AnyPhoto], model: str, suffix: str | None = None) -> Path | None:
    """Write the chosen coloring in full size, unless the file is there already.

    Args:
        session: the visitor's.
        model: digest of the weights, for the provenance in the file.
        suffix: .jpg or .png; by default that of the photo.

    Returns:
        The file; None if nothing is chosen, or if the visitor has chosen another coloring or photo
        meanwhile.

    Raises:
        ColorflowError: the photo cannot be read any more, or the file not written.
    """
    current = session.current
    chosen = current.chosen if current else None
    if current is None or chosen is None:
        return None
    path = None
    try:
        path = write_full_size(current.photo, chosen, model, suffix)
    except ColorflowError:
        if session.current is current and current.chosen is chosen:
            raise
    finally:
        session.delete_if_closed()
    return path if session.current is current and current.chosen is chosen else None


def write_full_size(
    photo: UploadedPhoto, coloring: ShownColoring, model: str, suffix: str | None = None
) -> Path:
    """Write a coloring in the photo's own size, unless the file is there already.

    Args:
        photo: the photo.
        coloring: of the photo.
        model: digest of the weights, for the provenance in the file.
        suffix: .jpg or .png; by default that of the photo.

    Raises:
        ColorflowError: the photo cannot be read any more, or the file not written.
    """
    path = coloring.folder / f"{coloring.stem}{suffix or photo.suffix}"
    if not path.exists():
        provenance = provenance_of(coloring.spec, coloring.share, model)
        photo.write_coloring(coloring.ab, path, provenance)
    return path


Made = Iterator[tuple["ColoringSpec", NDArray[np.float32], float | None]]
"""Specs, colors and shares of colorings, one by one."""


class ColoringJob(Job):
    """Makes colorings of one photo, one by one.

    The first one replaces the photo's colorings from before and is the chosen one.

    Args:
        colored_photo: the photo.
        make: gives the colors.
        wanted: number of colorings.
        captions: those of the photo to count on; by default counting begins anew.
    """

    def __init__(
        self,
        colored_photo: ColoredPhoto,
        make: Callable[[Photo], Made],
        wanted: int,
        captions: Captions | None = None,
    ) -> None:
        super().__init__()
        self.colored_photo = colored_photo
        self.wanted = wanted
        self._captions = captions or Captions()
        self.done = 0
        self._make = make

    def __iter__(self) -> Iterator[ShownColoring]:
        """Make them, until all are there or the job should end.

        Raises:
            ColorflowError: the photo cannot be read any more or colored, or a preview not written.
        """
        try:
            folder = new_folder(self.colored_photo.folder, "run-")
            try:
                for coloring in self._made(folder):
                    if self.end:
                        return
                    self._take(coloring)
                    yield coloring
                    if self.end:
                        return
            finally:
                if not self.done:
                    shutil.rmtree(folder, ignore_errors=True)
        except ColorflowError:
            if self.end != "replaced":  # otherwise the photo's folder may have gone
                raise

    def _made(self, folder: Path) -> Iterator[ShownColoring]:
        uploaded = self.colored_photo.photo
        with uploaded.read() as photo:
            small = reduced(photo)
            for spec, ab, share in self._make(photo):
                name = name_of(spec) if spec.looks > 1 else f"{name_of(spec)}_quick"
                yield ShownColoring(
                    spec=spec,
                    ab=ab,
                    preview=write_colored(folder / name, ab, small),
                    stem=f"{uploaded.path.stem}_{name}",
                    share=share,
                    caption=self._captions.of(spec, share),
                )

    def _take(self, coloring: ShownColoring) -> None:
        photo = self.colored_photo
        if self.done == 1 and _improves(coloring.spec, photo.colorings[0].spec):
            photo.colorings, photo.chosen = [coloring], coloring
            return
        self.done += 1
        if self.done == 1:
            photo.replace_colorings(coloring)
            photo.captions = self._captions
        else:
            photo.colorings = [*photo.colorings, coloring]


def color_anew(
    colorizer: Colorizer,
    colored_photo: ColoredPhoto,
    options: ColoringOptions,
    *,
    progressively: bool = True,
) -> ColoringJob:
    """Principal colorings or samples of a photo.

    Samples come one by one. Of principal colorings the first comes at once, from one look at the
    photo, and is replaced by that of several looks.

    Args:
        colorizer: colors the photo.
        colored_photo: the photo.
        options: which colorings are wanted.
        progressively: whether somebody waits for the first picture.
    """
    n, temperature, seed, samples = (
        options.n, options.temperature, options.seed, options.samples,
    )  # fmt: skip

    def make(photo: Photo) -> Made:
        if samples:
            yield from _samples(colorizer, photo, temperature, seed, n)
        elif progressively:
            for made in colorizer.colorize_progressively(photo, n, temperature, seed):
                yield from _items(made)
        else:
            yield from _items(colorizer.colorize(photo, n, temperature, seed, force=True))
        colored_photo.options = options

    return ColoringJob(colored_photo, make, n)


def more_like(colorizer: Colorizer, colored_photo: ColoredPhoto, n: int) -> ColoringJob:
    """The chosen coloring, and n with its colors and other details.

    Raises:
        ColorflowError: there is no chosen coloring.
    """
    chosen, seed = colored_photo.require_chosen(), _next_seed(colored_photo)
    fine = [level for level in colorizer.levels if level > _COARSE_GRID]

    def make(photo: Photo) -> Made:
        yield chosen.spec, chosen.ab, chosen.share
        yield from _items(colorizer.resample(photo, chosen.spec, fine, seed, n))

    return ColoringJob(colored_photo, make, n + 1, colored_photo.captions)


def something_else(colorizer: Colorizer, colored_photo: ColoredPhoto, n: int) -> ColoringJob:
    """The chosen coloring, and n new samples.

    Not other principal colorings: the means of other samples are nearly the same pictures.

    Raises:
        ColorflowError: there is no chosen coloring.
    """
    chosen, seed = colored_photo.require_chosen(), _next_seed(colored_photo)

    def make(photo: Photo) -> Made:
        yield chosen.spec, chosen.ab, chosen.share
        yield from _samples(colorizer, photo, chosen.spec.temperature, seed, n)

    return ColoringJob(colored_photo, make, n + 1, colored_photo.captions)


def name_of(spec: ColoringSpec) -> str:
    """The part of a file's name that tells a coloring from others of its photo.

    The letter of a principal coloring, or `s` and the seed of a sample; then, after a hyphen, the
    seed of details that were sampled again.
    """
    name = f"s{spec.seed}" if spec.principal is None else letter_of(spec.principal)
    variation = variation_of(spec)
    return name if variation is None else f"{name}-{variation}"


def letter_of(principal: PrincipalSpec) -> str:
    """a for the mean, then b, c, ... for the modes."""
    return LETTERS[principal.number]


def variation_of(spec: ColoringSpec) -> int | None:
    """The seed of details that were sampled again; None if they were not."""
    details = spec.seeds[-1]
    return details if spec.principal or details != spec.seed else None


def _improves(spec: ColoringSpec, other: ColoringSpec) -> bool:
    """Whether a coloring is another one made with more looks at the photo."""
    return spec.looks > other.looks and replace(other, looks=spec.looks) == spec


def _items(colorings: Iterable[Coloring]) -> Made:
    return ((one.spec, one.ab, one.share) for one in colorings)


def _samples(colorizer: Colorizer, photo: Photo, temperature: float, first: int, n: int) -> Made:
    for seed in range(first, first + n):
        yield from _items(colorizer.colorize(photo, 1, temperature, seed, samples=True, force=True))


def _next_seed(colored_photo: ColoredPhoto) -> int:
    """A seed larger than all that the colorings of the photo use."""
    specs = [one.spec for one in colored_photo.colorings]
    seeds = [seed for spec in specs for seed in (spec.seed, *spec.seeds)]
    return 1 + max(seed for seed in seeds if seed is not None)
