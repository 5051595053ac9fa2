"""Settings of `colorflow colorize`, `enlarge`, `repair` and `restore`, and what carries them out.

Photos are colored, and enlarged in one go if asked for; or they are enlarged alone, or repaired
alone; or scans are restored, which is all of it. Whatever is done to them, prints may be cut out of
their scan and repaired before. Everything else in this package serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from colorflow.batch.marks import packed
from colorflow.batch.task import MOST_REFERENCES, AlbumReference, PhotoTask, numbers_text
from colorflow.color.grid import resized, size_within
from colorflow.coloring import check_seed, digest_of_hints, provenance_of
from colorflow.enlarge.draws import MEAN, Draw, draws
from colorflow.errors import PhotoError
from colorflow.files import FileKind
from colorflow.limits import (
    LARGEST_DETAIL_TEMPERATURE,
    LARGEST_TEMPERATURE,
    MOST_SAMPLES,
    QUALITY,
    REFERENCE_STRENGTH,
    SCALES,
    SENSITIVITIES,
    check_range,
)
from colorflow.photo import (
    COLORING,
    ENLARGED,
    LETTERS,
    REPAIRED,
    RESTORED,
    Enlargement,
    Kind,
    Photo,
    Preparation,
    Principal,
    Provenance,
    Statements,
    read_picture,
)
from colorflow.scan import Frame, find_frames

if TYPE_CHECKING:
    from colorflow.colorizer import Coloring, Colorizer
    from colorflow.enlarge.enlarger import Enlarger
    from colorflow.repair.repairer import Repairer

COLORS, DETAIL, REPAIR = "colors", "detail", "repair"
"""Models that a batch may use, by what they add to a photo."""

REPAIRED_LABEL, RESTORED_LABEL = "repaired", "restored"
_BEYOND = 0.05
"""How far a frame may reach beyond its scan, as a share of the longer side."""
_REFERENCE_SIDE = 1024
"""Pixels of the longer side of a reference at most; the model sees 512."""


Digests = Mapping[str, str]
"""Those of the weights of the models that a batch uses."""


@dataclass(frozen=True, slots=True)
class Models:
    """Loaded models; None for one that is not used."""

    colorizer: Colorizer | None = None
    enlarger: Enlarger | None = None
    repairer: Repairer | None = None

    @property
    def digests(self) -> Digests:
        """The digests of their weights."""
        loaded = {COLORS: self.colorizer, DETAIL: self.enlarger, REPAIR: self.repairer}
        return {model: one.digest for model, one in loaded.items() if one}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A color photo, reduced: read once, for all photos and all workers.

    Attributes:
        photo: without metadata.
        digest: of its file.
    """

    photo: Photo
    digest: str


def read_reference(path: Path) -> Reference:
    """Reads a photo in a process of its own.

    Raises:
        PhotoError: if it cannot be read, or has no colors.
    """
    photo, digest = read_picture(path, isolated=True)
    assert digest  # it is a file
    if photo.kind is Kind.GRAY:
        reason = "has no colors that could be carried over; choose a color photo"
        raise PhotoError(path, reason)
    return Reference(photo=_reduced(photo), digest=digest)


@dataclass(frozen=True, slots=True)
class Results:
    """What is made of one photo.

    Attributes:
        statements: what each result says of itself, by label.
        paint: makes the pixels of the result with a label, uint8 or uint16, with the photo that
            says their size and metadata.
        remarks: what the user should know about the results.
        bits_per_dim: of each result, NaN for one without; None if not asked for.
    """

    statements: Mapping[str, Statements]
    paint: Callable[[str], tuple[np.ndarray, Photo]]
    remarks: tuple[str, ...] = ()
    bits_per_dim: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """What all kinds of settings have.

    Attributes:
        command: the command's name, such as ``colorize``.
        kind: the kind of file that a result is; such a file is never taken as a photo.
        n: number of results of each photo.
        seed: of the first sample; each further one adds 1.
        scale: how many times larger each side becomes.
        restore: take blur, noise and compression out while enlarging.
        overwrite: replace existing results.
        quality: of JPEG and WebP results, 1 to 100; files do not state it.
        crop: cut prints out of their scan.
        repair: find damage and fill it, before anything else.
        sensitivity: of repair, one of `SENSITIVITIES`.
        fading: bring the tones of faded prints back.
    """

    command: ClassVar[str]
    kind: ClassVar[FileKind]

    n: int = 1
    seed: int = 0
    scale: int = 1
    restore: bool = False
    overwrite: bool = False
    quality: int = QUALITY
    crop: bool = False
    repair: bool = False
    sensitivity: int = 0
    fading: bool = False

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_range("quality", self.quality, 1, 100)
        check_range("sensitivity", self.sensitivity, SENSITIVITIES[0], SENSITIVITIES[-1])
        if self.sensitivity and not self.repair:
            raise ValueError("sensitivity: expected repair, too")

    @property
    def models(self) -> Sequence[str]:
        """The models that it uses."""
        used = {COLORS: self.colors_gray, DETAIL: self.scale > 1, REPAIR: self.repair}
        return tuple(model for model, is_used in used.items() if is_used)

    @property
    def colors_gray(self) -> bool:
        """Whether gray photos get colors."""
        return self.kind is COLORING

    @property
    def uses_references(self) -> bool:
        """Whether colors go to what looks alike in other photos."""
        return False

    def leaves(self, photo: Photo, task: PhotoTask) -> bool:
        """Whether a photo has colors and is not to be treated as gray."""
        return False

    def frames_of(self, photo: Photo, task: PhotoTask) -> Sequence[Frame]:
        """Where prints are in a scan."""
        return find_frames(photo)

    def enlargement(self, draw: Draw, photo: str, weights: Digests) -> Enlargement:
        """What a result will say of its detail; `photo` and `weights` as of `preparation`."""
        return Enlargement(
            scale=self.scale,
            seed=draw.seed,
            temperature=draw.temperature,
            model=weights[DETAIL],
            photo=photo,
            restored=self.restore,
        )

    def preparation(self, photo: str, task: PhotoTask, weights: Digests) -> Preparation | None:
        """What each result will say of the scan's preparation, but for shares and counts.

        Args:
            photo: digest of the photo's file.
            task: says which print of the scan it is, and where.
            weights: of the models.
        """
        if not (self.crop or self.repair or self.fading or self.kind is RESTORED):
            return None
        return Preparation(
            prints=task.number if self.crop else None,
            number=task.number,
            has_colors=task.keeps_colors,
            frame=task.frame,
            unfaded=self.fading,
            model=weights[REPAIR] if self.repair else None,
            sensitivity=self.sensitivity,
            photo=photo,
        )

    def prepared(
        self, models: Models, photo: Photo, said: Preparation
    ) -> tuple[Photo, Preparation]:
        """A print without damage and fading, and how much of it was repaired, and where.

        Its tones are judged without what was damage.
        """
        if self.repair:
            assert models.repairer
            done = models.repairer.repair(photo, self.sensitivity)
            marks = packed(done.mask) if done.share else None
            photo, said = done.photo, replace(said, share=done.share, marks=marks)
        if self.fading:
            from colorflow.repair.fading import unfaded

            photo = unfaded(photo)
        return photo, said


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(_Settings):
    """How the photos of a batch are colored.

    There are at most 16 principal colorings of each photo, or `MOST_SAMPLES` samples. With a scale
    of 2 or 4, all colorings of a photo get one detail.

    Attributes:
        temperature: multiplies the shipped temperatures.
        samples: make independent samples instead of principal colorings.
        skin: whether skin gets its own color.
        likelihood: measure the likelihood of each coloring.
        references: whose colors go to what looks alike.
        alike: color an album in its own colors: some photos first, which are references for the
            others, see `alike.py`.
        strength: how far colors go towards those of references, in [0, 1].
    """

    command = "colorize"
    kind = COLORING

    temperature: float = 1.0
    samples: bool = False
    skin: bool = True
    likelihood: bool = False
    references: tuple[Reference, ...] = ()
    alike: bool = False
    strength: float = REFERENCE_STRENGTH

    def __post_init__(self) -> None:
        _Settings.__post_init__(self)
        if self.alike and (self.references or self.crop):
            raise ValueError("alike: expected no references, and no prints to be cut out")
        check_range("strength", self.strength, 0, 1)
        most = MOST_SAMPLES if self.samples else len(LETTERS)
        of = "samples" if self.samples else f"principal colorings, or {MOST_SAMPLES} samples"
        check_range("n", self.n, 1, most, of)
        check_range("temperature", self.temperature, 0, LARGEST_TEMPERATURE)
        if self.scale not in (1, *SCALES):
            raise ValueError(f"scale: expected 1, 2 or 4, got {self.scale}")
        if self.restore and self.scale == 1:
            raise ValueError("restore: expected a scale of 2 or 4, as it enlarges, too")

    @property
    def uses_references(self) -> bool:
        return self.alike or bool(self.references)

    @property
    def labels(self) -> list[str]:
        """Labels of the n results: letters, with ``a`` for the mean, or ``s`` and the seed."""
        if self.samples:
            return [f"s{seed}" for seed in range(self.seed, self.seed + self.n)]
        return list(LETTERS[: self.n])

    def statements(self, photo: str, task: PhotoTask, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label; shares are known only after sampling.

        Args:
            photo: digest of the photo's file.
            task: with its hints.
            weights: of the models.
        """
        start, model = task.start, weights[COLORS]
        hints = digest_of_hints(task.hints, start.spec if start else None)
        if start:
            said = provenance_of(start.spec, None, model, hints=hints)
            saturation, pale = start.saturation, start.pale
            each = [replace(said, photo=photo, saturation=saturation, pale=pale)]
        else:
            first = Provenance(self.seed, self.temperature, model, photo, hints, skin=self.skin)
            if digests := tuple(one.digest for one in task.references or self.references):
                first = replace(first, references=digests, strength=self.strength)
            if self.samples:
                each = [replace(first, seed=self.seed + i) for i in range(self.n)]
            else:
                each = [replace(first, principal=Principal(a, self.n)) for a in LETTERS[: self.n]]
        detail = self.enlargement(MEAN, photo, weights) if self.scale > 1 else None
        return {
            label: Statements(one, detail)
            for label, one in zip(task.labels(self.labels), each, strict=True)
        }

    def leaves(self, photo: Photo, task: PhotoTask) -> bool:
        return photo.kind is Kind.COLORED and not task.treat_as_gray

    def results(
        self, models: Models, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Results:
        """Decides on the results of one photo; their pixels are made later.

        Their colors come from the photo as it is. All are predicted even if some results exist, so
        that each is the same whichever others are missing.

        Args:
            models: those that are used.
            photo: the photo, prepared.
            task: with its hints.
            expected: from `statements`.
        """
        assert models.colorizer
        colorings = self._colored(models.colorizer, photo, task)
        by_label = dict(zip(expected, colorings, strict=True))

        @cache
        def lightness() -> np.ndarray | None:
            if self.scale == 1:
                return None
            assert models.enlarger
            return models.enlarger.lightness(
                photo, self.scale, MEAN.temperature, MEAN.seed, restore=self.restore
            )

        def paint(label: str) -> tuple[np.ndarray, Photo]:
            pixels = by_label[label].render(bits=photo.bits, lightness=lightness())
            return pixels, photo if self.scale == 1 else photo.enlarged(pixels)

        def stated(label: str, said: Statements) -> Statements:
            assert said.colors
            names = ("photo", "hints", "references", "strength")
            of_files = {name: getattr(said.colors, name) for name in names}
            return replace(said, colors=replace(by_label[label].provenance, **of_files))

        remarks = {
            "has colors, and was treated as gray": (
                task.treat_as_gray and photo.kind is Kind.COLORED
            ),
            "its hints keep the coloring they were given on; no reference was used": (
                task.start and self.references
            ),
        }
        return Results(
            {label: stated(label, said) for label, said in expected.items()},
            paint,
            remarks=tuple(remark for remark, is_true in remarks.items() if is_true),
            bits_per_dim=[one.bits_per_dim for one in colorings] if self.likelihood else None,
        )

    def _colored(self, colorizer: Colorizer, photo: Photo, task: PhotoTask) -> list[Coloring]:
        start = task.start
        if start and start.weights != colorizer.digest:
            raise PhotoError(
                str(task.path),
                f"its hints were given on a coloring of other weights ({start.weights}); choose "
                'these weights, or leave "coloring" out of the file of hints',
            )
        try:
            if start:
                (made,) = colorizer.reproduce(photo, [start.spec], hints=task.hints)
                return [made.saturated(start.saturation, start.pale)]
            return colorizer.colorize(
                photo,
                self.n,
                self.temperature,
                self.seed,
                samples=self.samples,
                skin=self.skin,
                force=True,  # who may be colored was decided before
                hints=task.hints,
                reference=self._references(task),
                strength=self.strength,
            )
        except ValueError as error:  # settings were checked before, so it is of the file of hints
            if not (task.hints or start):
                raise
            raise PhotoError(str(task.path), str(error)) from error

    def _references(self, task: PhotoTask) -> list[Photo]:
        """The photos whose colors go to what looks alike."""
        if task.references:
            return [photo for one in task.references if (photo := _album_photo(one))]
        return [one.photo for one in self.references]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnlargeSettings(_Settings):
    """How the photos of a batch are enlarged, colorings among them.

    Attributes:
        scale: 2 or 4.
        temperature: factor on what a sample adds to the mean; by default the first result is the
            mean, and the others are samples (`colorflow.enlarge.draws`).
    """

    command = "enlarge"
    kind = ENLARGED

    scale: int = 2
    temperature: float | None = None

    def __post_init__(self) -> None:
        _Settings.__post_init__(self)
        if self.scale not in SCALES:
            raise ValueError(f"scale: expected 2 or 4, got {self.scale}")
        check_range("n", self.n, 1, MOST_SAMPLES)
        check_range("temperature", self.temperature or 0, 0, LARGEST_DETAIL_TEMPERATURE)

    @property
    def labels(self) -> list[str]:
        """Labels such as ``x2_mean`` and ``x2_restored_s1``, see `Draw.label_of`."""
        own = draws(self.n, self.temperature, self.seed)
        return [draw.label_of(self.scale, restored=self.restore) for draw in own]

    def statements(self, photo: str, task: PhotoTask, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label."""
        own = draws(self.n, self.temperature, self.seed)
        return {
            label: Statements(detail=self.enlargement(draw, photo, weights))
            for label, draw in zip(self.labels, own, strict=True)
        }

    def results(
        self, models: Models, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Results:
        """The results of one photo; the density of a whole photo is not computed."""
        enlarger = models.enlarger
        assert enlarger

        def paint(label: str) -> tuple[np.ndarray, Photo]:
            detail = expected[label].detail
            assert detail
            large = enlarger.enlarge_photo(
                photo, detail.scale, detail.temperature, detail.seed, restore=detail.restored
            )
            return large.full_depth, large

        return Results(expected, paint)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSettings(_Settings):
    """How the prints of a batch are repaired, colorings among them."""

    command = "repair"
    kind = REPAIRED

    repair: bool = True

    def __post_init__(self) -> None:
        _Settings.__post_init__(self)
        if self.n != 1 or self.scale != 1 or not self.repair:
            raise ValueError("repair: expected one result of each photo, at its own size")

    @property
    def labels(self) -> list[str]:
        """The one label, ``repaired``."""
        return [REPAIRED_LABEL]

    def statements(self, photo: str, task: PhotoTask, weights: Digests) -> dict[str, Statements]:
        """Nothing but the preparation is said of a result."""
        return {REPAIRED_LABEL: Statements()}

    def results(
        self, models: Models, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Results:
        """The photo as it was prepared."""
        return Results(expected, lambda _: (photo.full_depth, photo))


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSettings(_Settings):
    """How the scans of an album are restored: with all steps, unless they are left out.

    Each print becomes one result: its first principal coloring, or the print in the colors that it
    has. A result that was made from the same scan in another way stays.

    Attributes:
        color: color gray prints.
        frame: where the prints are in the one scan, instead of where they are found; each as in
            `Preparation.frame`.
    """

    command = "restore"
    kind = RESTORED

    crop: bool = True
    repair: bool = True
    fading: bool = True
    color: bool = True
    frame: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        _Settings.__post_init__(self)
        if self.n != 1 or self.scale not in (1, *SCALES):
            raise ValueError("scale: expected 1, 2 or 4, and one result of each print")
        if not (self.crop or self.repair or self.fading or self.color or self.scale > 1):
            raise ValueError("no-color: expected a step that is not left out")
        if self.frame and not self.crop:
            raise ValueError("frame: expected crop, too")
        for one in self.frame:
            _frame_of(one)

    @property
    def colors_gray(self) -> bool:
        return self.color

    @property
    def labels(self) -> list[str]:
        """The one label, ``restored``."""
        return [RESTORED_LABEL]

    def frames_of(self, photo: Photo, task: PhotoTask) -> Sequence[Frame]:
        """Where prints are in a scan.

        Raises:
            PhotoError: if a given frame is not in this scan.
        """
        if not self.frame:
            return find_frames(photo)
        try:
            return [frame_in(photo, one) for one in self.frame]
        except ValueError as error:
            raise PhotoError(str(task.path), str(error)) from error

    def statements(self, photo: str, task: PhotoTask, weights: Digests) -> dict[str, Statements]:
        """What the result will say of itself, which depends on whether the print has colors."""
        said = Statements()
        if self.color and not task.keeps_colors:
            (said,) = Settings(scale=self.scale).statements(photo, task, weights).values()
        elif self.scale > 1:
            said = Statements(detail=self.enlargement(MEAN, photo, weights))
        return {RESTORED_LABEL: said}

    def results(
        self, models: Models, photo: Photo, task: PhotoTask, expected: Mapping[str, Statements]
    ) -> Results:
        """The print as it was prepared, colored and enlarged where it is to be."""
        said = expected[RESTORED_LABEL]
        last: BatchSettings = RepairSettings()
        if said.colors:
            last = Settings(scale=self.scale)
        elif said.detail:
            last = EnlargeSettings(scale=self.scale)
        made = last.results(models, photo, task, expected)
        kept = "has colors, which stay; --treat-as-gray with its name colors it"
        told = self.color and task.keeps_colors
        return replace(made, remarks=(*made.remarks, kept)) if told else made


BatchSettings = Settings | EnlargeSettings | RepairSettings | RestoreSettings


def frame_in(photo: Photo, numbers: Sequence[float]) -> Frame:
    """A frame from what a person or a file says.

    Args:
        photo: the scan.
        numbers: x and y of the corners.

    Raises:
        ValueError: if they are not those of a frame, or not in the scan.
    """
    frame = _frame_of(numbers)
    beyond = _BEYOND * max(photo.width, photo.height)
    corners, size = np.array(frame.corners), (photo.width, photo.height)
    if (corners < -beyond).any() or (corners - size > beyond).any():
        raise ValueError(
            f"the frame {numbers_text(numbers)} is not in the scan, which has "
            f"{photo.width} x {photo.height} pixels"
        )
    return frame


def _frame_of(numbers: Sequence[float]) -> Frame:
    try:
        return Frame(tuple((float(x), float(y)) for x, y in np.reshape(numbers, (4, 2))))
    except ValueError as error:
        raise ValueError(
            "frame: expected x,y,x,y,x,y,x,y, the corners of a convex quadrilateral, clockwise "
            f"from the upper left, got {numbers_text(numbers)}"
        ) from error


@lru_cache(MOST_REFERENCES)
def _album_photo(one: AlbumReference) -> Photo | None:
    """The coloring of an album's photo; None if it came out gray.

    Raises:
        PhotoError: if it cannot be read.
    """
    photo, _ = read_picture(one.path, isolated=True)
    return None if photo.kind is Kind.GRAY else _reduced(photo)


def _reduced(photo: Photo) -> Photo:
    size = size_within(photo.height, photo.width, _REFERENCE_SIDE, _REFERENCE_SIDE)
    return Photo(pixels=resized(photo.pixels, *size))
