"""Settings of `colorflow colorize`, `enlarge`, `repair` and `restore`: what is made of each photo.

Photos are colored, and enlarged in one go if asked for; or they are enlarged alone, or repaired
alone; or scans are restored, which is all of it. Whatever is done to them, prints may be cut out of
their scan and repaired before. A result says in itself how it was made, and the settings know what
it will say before anything is computed; `models.py` carries that out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from colorflow.batch.task import PhotoTask, Reference, numbers_text, share_text
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
    Photo,
    Preparation,
    Principal,
    Provenance,
    Statements,
)
from colorflow.scan import Frame, find_frames, is_doubtful

COLORS, DETAIL, REPAIR = "colors", "detail", "repair"
"""Models that a batch may use, by what they add to a photo."""
REPAIRED_LABEL, RESTORED_LABEL = "repaired", "restored"
_BEYOND = 0.05
"""How far a frame may reach beyond its scan, as a share of the longer side."""

Digests = Mapping[str, str]
"""Those of the weights of the models that a batch uses."""


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
        numbers = numbers_text(np.ravel(frames[0].corners).tolist())
        return (), (
            f"only {share_text(share)} of it looks like a print, maybe a part of the picture, and "
            f"nothing was cut out; colorflow restore --frame {numbers} cuts that out",
        )

    def statements(self, photo: str, task: PhotoTask, weights: Digests) -> dict[str, Statements]:
        """What each result will say of itself, by label; shares are known only after the work.

        Args:
            photo: digest of the photo's file.
            task: says which print of the scan it is, and where; with its hints.
            weights: of the models.
        """
        labels = task.labels(self.labels)
        nothing = [None] * len(labels)
        colors = self._colors(photo, task, weights) or nothing
        details = self._details(len(labels), photo, weights) or nothing
        prepared = None
        if self.crop or self.repair or self.fading or self.kind is RESTORED:
            prepared = Preparation(
                prints=task.number if self.crop else None,
                number=task.number,
                has_colors=task.keeps_colors,
                frame=task.frame,
                unfaded=self.fading,
                model=weights[REPAIR] if self.repair else None,
                sensitivity=self.sensitivity,
                photo=photo,
            )
        return {
            label: Statements(one, detail, prepared)
            for label, one, detail in zip(labels, colors, details, strict=True)
        }

    def _colors(self, photo: str, task: PhotoTask, weights: Digests) -> Sequence[Provenance]:
        """What the results say of their colors; nothing if none are generated."""
        if task.keeps_colors or not self.coloring:
            return ()
        return self.coloring.colors(photo, task, weights[COLORS])

    def _draws(self, count: int) -> Sequence[Draw]:
        """What is drawn of the detail of each result."""
        return [MEAN] * count

    def _details(self, count: int, photo: str, weights: Digests) -> Sequence[Enlargement]:
        """What the results say of their detail; nothing if none is generated."""
        return [
            Enlargement(
                scale=self.scale,
                seed=draw.seed,
                temperature=draw.temperature,
                model=weights[DETAIL],
                photo=photo,
                restored=self.restore,
            )
            for draw in (self._draws(count) if self.scale > 1 else ())
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

    def colors(self, photo: str, task: PhotoTask, model: str) -> Sequence[Provenance]:
        """What each result will say of its colors.

        Args:
            photo: digest of the photo's file.
            task: with its hints.
            model: digest of the weights.
        """
        start = task.start
        hints = digest_of_hints(task.hints, start.spec if start else None)
        if start:
            said = provenance_of(start.spec, None, model, hints=hints)
            return [replace(said, photo=photo, saturation=start.saturation, pale=start.pale)]
        first = Provenance(self.seed, self.temperature, model, photo, hints, skin=self.skin)
        if digests := tuple(one.digest for one in task.references or self.references):
            first = replace(first, references=digests, strength=self.strength)
        if self.samples:
            return [replace(first, seed=self.seed + i) for i in range(self.n)]
        return [replace(first, principal=Principal(a, self.n)) for a in LETTERS[: self.n]]


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
        if not (self.crop or self.repair or self.fading or self.color or self.scale > 1):
            raise ValueError("no-color: expected a step that is not left out")
        if self.frame and not self.crop:
            raise ValueError("frame: expected crop, too")
        for one in self.frame:
            _frame_of(one)

    @property
    def labels(self) -> list[str]:
        """The one label, ``restored``."""
        return [RESTORED_LABEL]

    @property
    def coloring(self) -> Settings | None:
        """The usual coloring."""
        return Settings() if self.color else None

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
