"""Plans a batch before a pixel is read: which photos become which files.

Names and directories decide, so a plan of 100,000 photos takes seconds. Which results exist already
is looked up when the turn of a photo comes (`one_photo.py`).
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePath

from colorflow.batch.find import FoundPhoto, find_inputs, path_of
from colorflow.batch.hints import PhotoHints, hints_by_photo
from colorflow.batch.settings import BatchSettings, Settings
from colorflow.batch.task import Note, PhotoOutcome, PhotoTask, Reference
from colorflow.errors import BatchError
from colorflow.limits import EXTENSIONS
from colorflow.photo import is_own_picture


@dataclass(slots=True, kw_only=True)
class Plan:
    """Everything that a batch will do.

    Attributes:
        settings: of the batch.
        output: the folder for the results.
        inputs: every photo, and what could not be found, in order; a file once for each page.
        tasks: photos to work on.
        settled: outcomes of inputs that cannot be done.
        notes: what was passed over.
        left_out: files in folders that are not named like photos.
        known_as: how people know a temporary file or folder, by its path.
    """

    settings: BatchSettings
    output: Path
    inputs: list[Path] = field(default_factory=list)
    tasks: list[PhotoTask] = field(default_factory=list)
    settled: list[PhotoOutcome] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    known_as: dict[Path, str] = field(default_factory=dict)

    def named(self, about: object) -> str:
        """A path or a sentence, with the names by which people know what is in it."""
        text = str(about)
        for path in sorted(self.known_as, key=lambda path: -len(str(path))):  # 10 before 1
            text = text.replace(str(path), self.known_as[path])
        return text

    @property
    def is_alike(self) -> bool:
        """Whether an album is colored in its own colors."""
        return isinstance(self.settings, Settings) and self.settings.alike

    @property
    def references(self) -> tuple[Reference, ...]:
        """Those that were given for all photos."""
        return self.settings.references if isinstance(self.settings, Settings) else ()

    def note_idle_references(self, outcomes: Iterable[PhotoOutcome]) -> None:
        """Notes the references that gave no color to any of the photos that were colored now."""
        told = [one.told_by for one in outcomes if one.told_by is not None]
        idle = [one for one in self.references if told and one.path not in frozenset().union(*told)]
        reason = "nothing in the photos looks like what it shows, so it gave no color to any"
        self.notes += [Note(path=one.path, reason=reason) for one in idle]

    def in_order(self, outcomes: Iterable[PhotoOutcome]) -> list[PhotoOutcome]:
        """Sorts outcomes, which come in the order of completion, like the inputs."""
        places = {path: place for place, path in enumerate(self.inputs)}
        return sorted(outcomes, key=lambda one: (places[one.path], one.page or 0))

    def not_reached(self, outcomes: Iterable[PhotoOutcome]) -> list[Path]:
        """The inputs without an outcome, each as often as it has pages without one."""
        left = Counter(self.inputs)
        left.subtract(outcome.path for outcome in outcomes)
        return list(left.elements())


def make_plan(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    settings: BatchSettings,
    *,
    ext: str = "auto",
    recursive: bool = False,
    hints: Mapping[str, PhotoHints] | None = None,
    treat_as_gray: Collection[str] = (),
    unpack_in: Path | None = None,
) -> Plan:
    """Plans what to do with files and folders of photos.

    Results of earlier runs are never taken as photos; whether they stay is decided when the turn of
    their photo comes. An input, the
    result of another input, or a file that colorflow did not make is never overwritten; the photo
    fails by name instead.

    Args:
        inputs: files, folders, zips and patterns, see `find_inputs`.
        output: folder for the results; it need not exist.
        settings: what is done to the photos.
        ext: of the results, one of `EXTENSIONS`, see `name_of`.
        recursive: whether to take photos in folders inside folders; results keep their relative
            paths.
        hints: from `read_hints`. A photo whose hints say on which coloring they were given gets
            that one alone, whatever the settings say, and is treated as gray.
        treat_as_gray: patterns of `fnmatch` for photos that are colored from their lightness even
            if they have colors: for a photo's name, or for its path below the folder of the input,
            which may begin with a slash.
        unpack_in: an empty folder for the photos in zips, which must stay until the run has ended;
            without it zips are not taken.

    Raises:
        ValueError: if there is no such format.
        BatchError: if hints are for no photo, or for several; if a pattern fits no photo; if an
            input or the output is a URL.
    """
    if ext not in EXTENSIONS:
        raise ValueError(f"ext: expected one of {', '.join(EXTENSIONS)}, got {ext!r}")
    folder = path_of(output)
    found = find_inputs(inputs, folder, recursive=recursive, unpack_in=unpack_in)
    plan = Plan(
        settings=settings,
        output=folder,
        notes=found.notes,
        left_out=found.left_out,
        known_as={unpacked: str(archive) for unpacked, archive in found.unpacked.items()},
    )
    tint = "is tinted, like a sepia print; what looks alike gets its tint"
    plan.notes += [Note(path=one.path, reason=tint) for one in plan.references if one.is_tinted]
    planner = _Planner(plan, ext)
    for note in found.missing:
        planner.settle(PhotoOutcome(path=note.path, status="failed", reason=note.reason))
    photos = planner.without_own_results(found.photos)
    names = (photo.relative for photo in photos)
    by_photo = hints_by_photo(hints, names) if hints else {}
    gray = _fitting(treat_as_gray, [photo.relative for photo in photos])
    for photo in photos:
        relative = photo.relative
        given = by_photo.get(relative, PhotoHints())
        planner.add(photo, given, treat_as_gray=relative in gray or given.start is not None)
    return plan


def _fitting(patterns: Collection[str], photos: Sequence[PurePath]) -> set[PurePath]:
    """The photos that fit any of the patterns, each of which has to fit one if there are any."""
    chosen: set[PurePath] = set()
    for pattern in patterns:
        fitting = {
            photo
            for photo in photos
            for name in (photo.name, photo.as_posix(), f"/{photo.as_posix()}")
            if fnmatchcase(name, pattern)
        }
        if photos and not fitting:
            raise BatchError(f"no photo fits {pattern!r}, which should be treated as gray")
        chosen |= fitting
    return chosen


class _Planner:
    """Adds photos to a plan; a file is known by its real folder and its name."""

    def __init__(self, plan: Plan, ext: str) -> None:
        self.plan = plan
        self._ext = ext
        self._inputs: set[tuple[str, str]] = set()
        self._results: dict[tuple[str, str], Path] = {}
        self._real = cache(os.path.realpath)

    def settle(self, outcome: PhotoOutcome) -> None:
        self.plan.inputs.append(outcome.path)
        self.plan.settled.append(outcome)

    def without_own_results(self, photos: list[FoundPhoto]) -> list[FoundPhoto]:
        """Drops results of earlier runs, where photos and results share a folder."""
        folders = {self._real((self.plan.output / photo.relative).parent) for photo in photos}
        is_own = cache(lambda path: is_own_picture(path, self.plan.settings.kind))
        kept = []
        for photo in photos:
            shared = self._real(photo.path.parent) in folders
            if shared and is_own(str(photo.path)):
                reason = "is a picture that colorflow made; it is not taken as a photo"
                self.plan.notes.append(Note(path=photo.path, reason=reason))
            else:
                self._inputs.add(self._key(photo.path))
                kept.append(photo)
        return kept

    def add(self, photo: FoundPhoto, given: PhotoHints, *, treat_as_gray: bool) -> None:
        """Adds a photo as a task, or settles it."""
        task = PhotoTask(
            path=photo.path,
            folder=self.plan.output / photo.relative.parent,
            source=PurePath(photo.relative.name),
            ext=self._ext,
            hints=given.hints,
            start=given.start,
            treat_as_gray=treat_as_gray,
            page=photo.page,
        )
        targets = [task.target(label) for label in task.labels(self.plan.settings.labels)]
        if problem := self._problem(targets):
            self.settle(task.failed(problem))
            return
        self._results.update((self._key(target), photo.path) for target in targets)
        self.plan.inputs.append(photo.path)
        self.plan.tasks.append(task)

    def _problem(self, targets: list[Path]) -> str | None:
        """Why these files must not be written, or None."""
        for target in targets:
            key = self._key(target)
            if key in self._inputs:
                return f"its result {target} is itself an input; choose another folder for results"
            if key in self._results:
                return (
                    f"its result {target} is already that of {self._results[key]}; "
                    "rename one of them, or choose another folder for its results"
                )
        return None

    def _key(self, path: Path) -> tuple[str, str]:
        """Equal for two paths of one file."""
        name = path.name
        if sys.platform in ("darwin", "win32"):  # which ignore case
            name = unicodedata.normalize("NFC", name).casefold()
        return self._real(path.parent), name
