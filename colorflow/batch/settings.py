"""Settings of `colorflow colorize`, `enlarge`, `repair` and `restore`: what is made of each photo.

Photos are colored, and enlarged in one go if asked for; or they are enlarged alone, or repaired
alone; or scans are restored, which is all of it. Whatever is done to them, prints may be cut out of
their scan and repaired before. The settings say the recipe of each result, `colorflow.run` carries
it out, and the result's file says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from colorflow.batch.task import PhotoTask, Reference, share_text
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
    check_seed,
)
from colorflow.photo import COLORING, ENLARGED, REPAIRED, RESTORED, Photo
from colorflow.recipe import LETTERS, ColoringSpec, Colors, Crop, Enlargement, Recipe, Repair
from colorflow.scan import Frame, find_frames, frame_in, frame_of, is_doubtful, numbers_text

COLORS, DETAIL, REPAIR = "colors", "detail", "repair"
"""Models that a batch may use, by what they add to a photo."""
REPAIRED_LABEL, RESTORED_LABEL = "repaired", "restored"


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
        if self.scale not in (1, *SCALES):
            raise ValueError(f"scale: expected 1, 2 or 4, got {self.scale}")
        if self.restore and self.scale == 1:
            raise ValueError("restore: expected a scale of 2 or 4, as it enlarges, too")

    @property
    def models(self) -> Sequence[str]:
        """The models that it uses."""
        used = {COLORS: self.coloring, DETAIL: self.scale > 1, REPAIR: self.repair}
        return tuple(model for model, is_used in used.items() if is_used)

    @property
    def coloring(self) -> Settings | None:
        """How gray photos get colors; None if they do not."""
        return None

    @property
    def labels(self) -> list[str]:
        """Labels of the n results of each photo."""
        raise NotImplementedError

    def frames_of(self, photo: Photo, source: Path) -> tuple[Sequence[Frame], tuple[str, ...]]:
        """Where prints are cut out of a scan, and remarks; none if it is taken as a whole.

        Args:
            photo: the scan.
            source: its file, for messages.
        """
        frames = find_frames(photo) if self.crop else []
        if not is_doubtful(photo, frames):
            return frames, ()
        share = frames[0].area / (photo.width * photo.height)
        numbers = numbers_text(frames[0].numbers)
        return (), (
            f"only {share_text(share)} of it looks like a print, maybe a part of the picture, and "
            f"nothing was cut out; colorflow restore --frame {numbers} cuts that out",
        )

    def recipes(
        self, task: PhotoTask, levels: int, frame: tuple[float, ...] | None = None
    ) -> dict[str, Recipe]:
        """What is done for each result of a photo, by label.

        Args:
            task: says which print of the scan it is; with its hints and references.
            levels: of the model of colors.
            frame: where the print is in the scan; None for all of it.
        """
        labels = task.labels(self.labels)
        is_cut = self.crop or self.kind is RESTORED
        begun = Recipe(
            crop=Crop(number=task.number, frame=frame) if is_cut else None,
            repair=Repair(sensitivity=self.sensitivity) if self.repair else None,
            unfaded=self.fading,
        )
        nothing = [None] * len(labels)
        colors = self.coloring.colors(task, levels) if self.coloring else nothing
        details = self._details(len(labels)) if self.scale > 1 else nothing
        return {
            label: replace(begun, colors=color, enlargement=detail)
            for label, color, detail in zip(labels, colors, details, strict=True)
        }

    def _draws(self, count: int) -> Sequence[Draw]:
        """What is drawn of the detail of each result."""
        return [MEAN] * count

    def _details(self, count: int) -> Sequence[Enlargement]:
        return [
            Enlargement(
                scale=self.scale,
                restored=self.restore,
                temperature=draw.temperature,
                seed=draw.seed,
            )
            for draw in self._draws(count)
        ]


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
        if self.alike and self.references:
            raise ValueError("alike: expected no references")
        check_range("strength", self.strength, 0, 1)
        most = MOST_SAMPLES if self.samples else len(LETTERS)
        of = "samples" if self.samples else f"principal colorings, or {MOST_SAMPLES} samples"
        check_range("n", self.n, 1, most, of)
        check_range("temperature", self.temperature, 0, LARGEST_TEMPERATURE)

    @property
    def coloring(self) -> Settings:
        """Itself."""
        return self

    @property
    def labels(self) -> list[str]:
        """Labels of the n results: letters, with ``a`` for the mean, or ``s`` and the seed."""
        if self.samples:
            return [f"s{seed}" for seed in range(self.seed, self.seed + self.n)]
        return list(LETTERS[: self.n])

    def colors(self, task: PhotoTask, levels: int) -> Sequence[Colors]:
        """The colors of each result.

        Args:
            task: with its hints and references.
            levels: of the model.
        """
        if start := task.start:
            given = Colors(spec=start.spec, hints=task.hints)
            return [replace(given, saturation=start.saturation, pale=start.pale)]
        references = tuple(each.digest for each in task.references or self.references)
        first = ColoringSpec(
            seeds=(self.seed,) * levels,
            temperature=self.temperature,
            skin=self.skin,
            strength=self.strength if references else 0.0,
        )
        if self.samples:
            specs = [first.sample_spec(self.seed + i) for i in range(self.n)]
        else:
            specs = [first.principal_spec(i, self.n) for i in range(self.n)]
        return [Colors(spec=spec, hints=task.hints, references=references) for spec in specs]


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
        return [draw.label_of(self.scale, restored=self.restore) for draw in self._draws(self.n)]

    def _draws(self, count: int) -> Sequence[Draw]:
        return draws(count, self.temperature, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSettings(_Settings):
    """How the prints of a batch are repaired, colorings among them: one result of each photo."""

    command = "repair"
    kind = REPAIRED

    repair: bool = True

    @property
    def labels(self) -> list[str]:
        """The one label, ``repaired``."""
        return [REPAIRED_LABEL]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSettings(_Settings):
    """How the scans of an album are restored: with all steps, unless they are left out.

    Each print becomes one result: its first principal coloring, or the print in the colors that it
    has. A result that was made from the same scan in another way stays.

    Attributes:
        color: color gray prints.
        frame: where the prints are in the one scan, instead of where they are found; each as in
            `colorflow.recipe.Crop`.
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
        if not (self.crop or self.repair or self.fading or self.color or self.scale > 1):
            raise ValueError("no-color: expected a step that is not left out")
        if self.frame and not self.crop:
            raise ValueError("frame: expected crop, too")
        for one in self.frame:
            frame_of(one)

    @property
    def labels(self) -> list[str]:
        """The one label, ``restored``."""
        return [RESTORED_LABEL]

    @property
    def coloring(self) -> Settings | None:
        """The usual coloring."""
        return Settings() if self.color else None

    def recipes(
        self, task: PhotoTask, levels: int, frame: tuple[float, ...] | None = None
    ) -> dict[str, Recipe]:
        """As usual; a print that has colors keeps them, unless its task says otherwise."""
        usual = _Settings.recipes(self, task, levels, frame)
        if not self.color or task.treat_as_gray:
            return usual
        return {
            label: replace(recipe, colors=recipe.colors and replace(recipe.colors, keeps=True))
            for label, recipe in usual.items()
        }

    def frames_of(self, photo: Photo, source: Path) -> tuple[Sequence[Frame], tuple[str, ...]]:
        """Where prints are in a scan, and remarks: where they are found, unless that is given.

        Raises:
            PhotoError: if a given frame is not in this scan.
        """
        if not self.frame:
            return _Settings.frames_of(self, photo, source)
        try:
            return [frame_in(photo, one) for one in self.frame], ()
        except ValueError as error:
            raise PhotoError(str(source), str(error)) from error


BatchSettings = Settings | EnlargeSettings | RepairSettings | RestoreSettings
