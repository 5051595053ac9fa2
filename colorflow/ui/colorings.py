"""Colorings of an uploaded photo: their previews come one by one, their full size when chosen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from colorflow.color.saturation import saturated
from colorflow.coloring import provenance_of
from colorflow.errors import ColorflowError
from colorflow.photo import LETTERS, Kind, Photo, Provenance, read_photo
from colorflow.ui.photos import (
    UploadedPhoto,
    link_or_copy,
    new_folder,
    reduced,
    storing,
    write_colored,
)
from colorflow.ui.prepared import OldPrint
from colorflow.ui.session import Job, Session

if TYPE_CHECKING:
    from colorflow.coloring import Coloring
    from colorflow.colorizer import ColoringSpec, Colorizer, PrincipalSpec

MOST_KEPT = 8
"""Colorings of a photo that a visitor may keep."""
_OWN = "run-own-"
"""How the folders begin that hold one coloring alone."""
_COARSE_GRID = 8
"""Side of the chroma grid up to which levels decide the colors of objects."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownColoring:
    """One coloring of a photo."""

    spec: ColoringSpec
    """How it is made."""
    model: str
    """Digest of the weights."""
    plain_ab: NDArray[np.float32]
    """Its colors as the model made them, CIELAB (2, h, w), on a small grid."""
    preview: Path
    """Until it is written, without its suffix."""
    stem: str
    """Name of its file in full size, without the suffix."""
    share: float | None = None
    """Of a principal coloring: the share of the samples that it is the mean of."""
    caption: str = ""
    """What the gallery says below it."""
    saturation: float = 1.0
    """The visitor's factor on its chroma, see `colorflow.color.saturation`."""
    pale: float = 1.0
    """The same on that of pale colors."""

    @property
    def ab(self) -> NDArray[np.float32]:
        """Its colors as they are shown, CIELAB (2, h, w), on a small grid."""
        return saturated(self.plain_ab, self.saturation, self.pale)

    @property
    def provenance(self) -> Provenance:
        """What its files say."""
        said = provenance_of(self.spec, self.share, self.model)
        return replace(said, saturation=self.saturation, pale=self.pale)

    def painted(self, small: Photo) -> ShownColoring:
        """The same with its preview written.

        Args:
            small: the photo as the preview shows it.

        Raises:
            ColorflowError: the preview cannot be written.
        """
        return replace(self, preview=write_colored(self.preview, self.ab, small))

    @property
    def folder(self) -> Path:
        """Holds its preview, its file in full size and other pictures of it."""
        return self.preview.parent

    @property
    def key(self) -> tuple[ColoringSpec, float, float]:
        """Tells it from other colorings of the photo."""
        return self.spec, self.saturation, self.pale

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
    skin: bool = True


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
    """One of them, or of those that are kept."""
    aside: Sequence[ShownColoring] = ()
    """The principal colorings, while samples or variations are shown."""
    kept: Sequence[ShownColoring] = ()
    """Those that the visitor wants to have at hand while others are tried, at most `MOST_KEPT`."""
    options: ColoringOptions | None = None
    """With which all colorings that were wanted have been made last."""
    treated_as_gray: bool = False
    """Whether the visitor wants its lightness colored even if it has colors."""
    inside: PurePath = field(default_factory=PurePath)
    """Its folder in what was uploaded."""
    old_print: OldPrint | None = None
    """What is done to it before it is colored; None until the visitor looks at it."""
    _outdated: Path | None = None
    """Folder of the preview before the last change of saturation; a browser may still load it."""

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

    @property
    def small(self) -> Photo:
        """The preview, whose lightness is what colorings are shown on."""
        return read_photo(self.photo.preview)

    def written(self, made: Coloring, small: Photo, ending: str) -> ShownColoring:
        """A coloring of the photo, as saturated as the chosen one, in a folder of its own.

        Args:
            made: the coloring.
            small: the photo as the preview shows it.
            ending: of the name of its file in full size.

        Raises:
            ColorflowError: the preview cannot be written.
        """
        path = new_folder(self.folder, _OWN) / "preview"
        coloring, before = self.shown(made, path, ending), self.chosen
        if before:
            coloring = replace(coloring, saturation=before.saturation, pale=before.pale)
        return coloring.painted(small)

    def shown(self, made: Coloring, preview: Path, ending: str) -> ShownColoring:
        """A coloring of the photo, before its preview is written; `ending` as of `written`."""
        return ShownColoring(
            spec=made.spec,
            model=made.provenance.model,
            plain_ab=made.ab,
            preview=preview,
            stem=f"{self.photo.path.stem}_{ending}",
        )

    @property
    def everything(self) -> Sequence[ShownColoring]:
        """The colorings that are shown, and further ones that are kept."""
        return list({one.key: one for one in (*self.colorings, *self.kept)}.values())

    def replace_colorings(self, first: ShownColoring, *, summary_aside: bool = False) -> None:
        """Choose a new coloring and delete the ones before, except those that are kept.

        Args:
            first: the new one.
            summary_aside: whether principal colorings are put aside in place of being deleted.
        """
        before, aside = [*self.colorings, *self.aside], self.aside
        if not aside and all(one.spec.is_principal for one in self.colorings):
            aside = self.colorings
        self.aside = aside if summary_aside else ()
        self.colorings, self.chosen = [first], first
        _delete(before, but=self.aside)

    @property
    def options_aside(self) -> ColoringOptions | None:
        """With which the principal colorings were made that are put aside, if all are there."""
        if not self.aside or (principal := self.aside[0].spec.principal) is None:
            return None
        spec, n = self.aside[0].spec, principal.of
        if len(self.aside) < n:
            return None
        return ColoringOptions(
            n=n, temperature=spec.temperature, seed=spec.seed, samples=False, skin=spec.skin
        )

    def bring_back(self) -> None:
        """Show the principal colorings again that were put aside.

        Raises:
            ColorflowError: there are none.
        """
        if not self.aside:
            raise ColorflowError("The summary is gone; press Colorize.")
        before, self.options = self.colorings, self.options_aside
        self.colorings, self.aside = self.aside, ()
        same = (one for one in self.colorings if one.spec == before[0].spec)
        self.chosen = next(same, self.colorings[0])
        _delete(before, but=self.colorings)

    def keep(self) -> None:
        """Keep the chosen coloring as it is.

        Raises:
            ColorflowError: there is none, as many as there may be are kept, or nothing can be
                stored.
        """
        chosen = self.require_chosen()
        if chosen.key in [one.key for one in self.kept]:
            return
        if len(self.kept) >= MOST_KEPT:
            raise ColorflowError(f"{MOST_KEPT} colorings of a photo can be kept; remove one first.")
        preview = new_folder(self.folder, _OWN) / chosen.preview.name
        with storing():
            link_or_copy(chosen.preview, preview)
        self.kept = [*self.kept, replace(chosen, preview=preview)]

    def drop(self, kept: ShownColoring) -> None:
        """Keep a coloring no longer; if it is the chosen one, choose the first one instead."""
        self.kept = [one for one in self.kept if one is not kept]
        if self.chosen is kept:
            self.chosen = self.colorings[0]
        _delete([kept])

    def saturate(self, saturation: float, pale: float) -> None:
        """Give the chosen coloring stronger or weaker colors, even if another is chosen meanwhile.

        Args:
            saturation: as of `colorflow.color.saturation.saturated`.
            pale: likewise.

        Raises:
            ColorflowError: there is no coloring, no room, or the preview cannot be written.
        """
        before, small = self.require_chosen(), self.small
        if (saturation, pale) == (before.saturation, before.pale):
            return
        self.photo.budget.disk.check()
        path = new_folder(self.folder, _OWN) / "preview"
        with self.photo.budget.reserve(small.width * small.height):
            changed = replace(before, preview=path, saturation=saturation, pale=pale).painted(small)
        if before not in (*self.colorings, *self.kept):
            shutil.rmtree(changed.folder, ignore_errors=True)
            return
        self.chosen = changed if self.chosen is before else self.chosen
        self.colorings = [changed if one is before else one for one in self.colorings]
        self.kept = [changed if one is before else one for one in self.kept]
        if self._outdated:
            shutil.rmtree(self._outdated, ignore_errors=True)
        self._outdated = before.folder if before.folder.name.startswith(_OWN) else None

    def replace_photo(self, photo: UploadedPhoto) -> None:
        """Color what was made of the upload instead; all colorings so far are deleted."""
        before = [*self.colorings, *self.kept, *self.aside]
        self.photo, self.chosen, self.options = photo, None, None
        self.colorings = self.kept = self.aside = ()
        self.captions = Captions()
        _delete(before)

    def require_chosen(self) -> ShownColoring:
        """The chosen coloring.

        Raises:
            ColorflowError: there is none.
        """
        if self.chosen is None:
            raise ColorflowError("There is no coloring here yet; color the photo first.")
        return self.chosen


PhotoSession = Session[ColoredPhoto]


def _delete(colorings: Sequence[ShownColoring], but: Sequence[ShownColoring] = ()) -> None:
    """Delete the files of colorings, except those in folders of others."""
    for folder in {one.folder for one in colorings} - {one.folder for one in but}:
        shutil.rmtree(folder, ignore_errors=True)


def write_full_size(
    photo: UploadedPhoto, coloring: ShownColoring, suffix: str | None = None
) -> Path:
    """Write a coloring in the photo's own size, unless the file is there already.

    Args:
        photo: the photo.
        coloring: of the photo.
        suffix: .jpg or .png; by default that of the photo.

    Raises:
        ColorflowError: the photo cannot be read any more, or the file not written.
    """
    path = coloring.folder / f"{coloring.stem}{suffix or photo.suffix}"
    if not path.exists():
        photo.write_coloring(coloring.ab, path, coloring.provenance)
    return path


Made = Iterator["Coloring | ShownColoring"]
"""Colorings, one by one."""
Make = Callable[[Photo], Made]
"""Makes colorings of a photo that has been read."""


def make_colorings(
    colored_photo: ColoredPhoto,
    make: Make,
    job: Job,
    captions: Captions,
    *,
    summary_aside: bool = False,
) -> Iterator[int]:
    """Make colorings of a photo one by one, until all are there or the job should end.

    The first one replaces the photo's colorings from before and is the chosen one.

    Args:
        colored_photo: the photo.
        make: gives the colors.
        job: whose work this is.
        captions: those of the photo before, to count on, or new ones.
        summary_aside: as of `ColoredPhoto.replace_colorings`.

    Yields:
        How many there are: 1 twice if the quick first one is replaced by the same in full.

    Raises:
        ColorflowError: the photo cannot be read any more or colored, or a preview not written.
    """
    uploaded, done = colored_photo.photo, 0
    folder = new_folder(colored_photo.folder, "run-")
    try:
        with uploaded.read() as photo:
            small = reduced(photo)
            for one in make(photo):
                if job.end:
                    return
                spec = one.spec
                name = f"{name_of(spec)}_quick" if spec.quick else name_of(spec)
                path, caption = folder / name, captions.of(spec, one.share)
                if isinstance(one, ShownColoring):
                    coloring = replace(one, preview=path)
                else:
                    coloring = colored_photo.shown(one, path, name)
                first = colored_photo.colorings[0] if done == 1 else None
                improves = first is not None and _improves(spec, first.spec)
                if first and improves:  # as saturated as it may be by now
                    coloring = replace(coloring, saturation=first.saturation, pale=first.pale)
                coloring = replace(coloring, caption=caption, share=one.share).painted(small)
                if done == 0:
                    colored_photo.replace_colorings(coloring, summary_aside=summary_aside)
                    colored_photo.captions = captions
                elif improves:
                    colored_photo.colorings, colored_photo.chosen = [coloring], coloring
                    done = 0
                else:
                    colored_photo.colorings = [*colored_photo.colorings, coloring]
                done += 1
                yield done
                if job.end:
                    return
    finally:
        if not done:
            shutil.rmtree(folder, ignore_errors=True)


def color_anew(
    colorizer: Colorizer,
    colored_photo: ColoredPhoto,
    options: ColoringOptions,
    *,
    progressively: bool = True,
) -> Make:
    """Principal colorings or samples of a photo.

    Samples come one by one. Of principal colorings the first comes at once, without small
    things and skin, and is replaced by the same in full.

    Args:
        colorizer: colors the photo.
        colored_photo: the photo.
        options: which colorings are wanted.
        progressively: whether somebody waits for the first picture.
    """
    n, temperature, seed, skin = options.n, options.temperature, options.seed, options.skin

    def make(photo: Photo) -> Made:
        if options.samples:
            yield from _samples(colorizer, photo, temperature, seed, n, skin=skin)
        elif progressively:
            for made in colorizer.colorize_progressively(photo, n, temperature, seed, skin=skin):
                yield from made
        else:
            yield from colorizer.colorize(photo, n, temperature, seed, force=True, skin=skin)
        colored_photo.options = options

    return make


def vary(colorizer: Colorizer, colored_photo: ColoredPhoto, n: int, *, alike: bool) -> Make:
    """The chosen coloring, and n others.

    Args:
        colorizer: colors the photo.
        colored_photo: the photo.
        n: number of others.
        alike: whether they have its colors and other details. Otherwise they are new samples: the
            means of other samples are nearly the same pictures.

    Raises:
        ColorflowError: there is no chosen coloring.
    """
    chosen, seed = colored_photo.require_chosen(), _next_seed(colored_photo)
    fine = [level for level in colorizer.levels if level > _COARSE_GRID]

    def make(photo: Photo) -> Made:
        yield chosen
        if alike:
            yield from colorizer.resample(photo, chosen.spec, fine, seed, n)
        else:
            spec = chosen.spec
            yield from _samples(colorizer, photo, spec.temperature, seed, n, skin=spec.skin)

    return make


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
    """Whether a coloring is another, quick one in full."""
    return other.quick and replace(other, quick=False) == spec


def _samples(
    colorizer: Colorizer, photo: Photo, temperature: float, first: int, n: int, *, skin: bool
) -> Made:
    for seed in range(first, first + n):
        yield from colorizer.colorize(
            photo, 1, temperature, seed, samples=True, force=True, skin=skin
        )


def _next_seed(colored_photo: ColoredPhoto) -> int:
    """A seed larger than all that the colorings of the photo use."""
    specs = [one.spec for one in colored_photo.colorings]
    seeds = [seed for spec in specs for seed in (spec.seed, *spec.seeds)]
    return 1 + max(seed for seed in seeds if seed is not None)
