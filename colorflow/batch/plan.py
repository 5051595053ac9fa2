"""What is to be done, decided before a pixel is read: which photos, and which files they become.

Only names and the disk's directory decide, so a plan of 100,000 photos takes seconds, and the same
command finds its place again after it was stopped. A result that is there is complete, since files
appear whole or not at all.
"""

from __future__ import annotations

import os
import stat
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from colorflow.batch.find import FoundPhoto, find_inputs
from colorflow.batch.hints import hints_by_photo
from colorflow.batch.names import Naming, too_long
from colorflow.batch.record import Colouring, Note, Record
from colorflow.batch.settings import Settings
from colorflow.batch.store import files_below
from colorflow.batch.url import Place, Url, place_of
from colorflow.errors import BatchError, PhotoError
from colorflow.photo import read_provenance

if TYPE_CHECKING:
    from colorflow.batch.hints import Hints

DIVERSE_POOL = 8
"""Seeds, for each colouring, that `Settings.diverse` may choose from, as `Colorizer.draw` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One photo that is to be coloured.

    Attributes:
        path: the photo.
        folder: where its results go.
        around_seed: parts of the results' names, see `Naming.around_seed`.
        hints: colours of points.
    """

    path: Place
    folder: Place
    around_seed: tuple[str, ...]
    hints: Hints = ()

    def name(self, seed: int) -> str:
        """The name of the colouring with this seed."""
        return str(seed).join(self.around_seed)

    def target(self, seed: int) -> Place:
        """The file for the colouring with this seed."""
        return self.folder / self.name(seed)


@dataclass(slots=True, kw_only=True)
class Plan:
    """All that a batch will do.

    Attributes:
        settings: of all photos.
        output: the folder for the results.
        inputs: every photo, and what could not be found, in order.
        tasks: photos to colour.
        settled: records of inputs that need nothing, or that nothing can be done about.
        notes: what was passed by.
    """

    settings: Settings
    output: Place
    inputs: list[Place] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    settled: list[Record] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def in_order(self, records: Iterable[Record]) -> list[Record]:
        """Sorts records, which come as photos are done, as the inputs are."""
        by_path = {record.path: record for record in records}
        return [by_path[path] for path in self.inputs if path in by_path]


def make_plan(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | Url,
    settings: Settings,
    *,
    naming: Naming | None = None,
    recursive: bool = False,
    hints: Mapping[str, Hints] | None = None,
    hints_source: str = "hints",
) -> Plan:
    """Decides what to do with files and folders of photos.

    A photo whose results are all there is skipped, unless `settings.overwrite` says otherwise.
    Results of earlier runs are never taken as photos. Nothing is ever written over an input, or
    over the result of another input; such photos fail by name.

    Args:
        inputs: files, folders and patterns, and URLs of such, see `find_inputs`.
        output: folder for the results, or its URL; it need not exist.
        settings: how photos are coloured.
        naming: how results are named.
        recursive: take photos in folders inside folders, and give results the same places.
        hints: from `read_hints`.
        hints_source: the file's name, for messages.

    Raises:
        ValueError: if several colourings of a photo would have one name.
        BatchError: if hints are for no photo, or for several; if there is no way to speak to the
            store of a URL, or results would lie among its photos.
        PhotoError: if the store does not say which results are there.
    """
    naming = naming or Naming()
    if settings.n > 1 and not naming.has_seed:
        raise ValueError(
            f"name: expected {{seed}} in the template for {settings.n} colourings of each photo, "
            f"got {naming.template!r}"
        )
    place = place_of(output)
    found = find_inputs(inputs, place, recursive=recursive)
    planner = _Planner(Plan(settings=settings, output=place, notes=found.notes), naming)
    for note in found.missing:
        planner.settle(Record(path=note.path, status="failed", reason=note.reason))
    photos = planner.without_own_results(found.photos)
    meant = hints_by_photo(hints or {}, (photo.relative for photo in photos), hints_source)
    for photo in photos:
        planner.add(photo, meant.get(photo.relative, ()))
    return planner.plan


def is_finished(target: Path) -> bool:
    """Whether a result is there; an empty file is none."""
    try:
        status = target.stat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def is_own_result(path: Path) -> bool:
    """Whether a file says of itself that colorflow made its colours."""
    try:
        return read_provenance(path) is not None
    except PhotoError:
        return False


class _Planner:
    def __init__(self, plan: Plan, naming: Naming) -> None:
        self.plan = plan
        self._naming = naming
        self._inputs: set[tuple[str, str]] = set()
        self._made: dict[tuple[str, str], Place] = {}
        self._real_folders: dict[Path, str] = {}
        self._sent: set[Url] | None = None

    def settle(self, record: Record) -> None:
        self.plan.inputs.append(record.path)
        self.plan.settled.append(record)

    def without_own_results(self, photos: list[FoundPhoto]) -> list[FoundPhoto]:
        """Leaves out results of earlier runs, where photos and results share a folder."""
        folders = {self._real(self._folder(photo.relative)) for photo in photos}
        kept = []
        for photo in photos:
            shared = self._real(photo.path.parent) in folders
            if shared and isinstance(photo.path, Url):  # to look into each would fetch them all
                raise BatchError(
                    f"{photo.path.parent}: results cannot lie among the photos of a URL; "
                    "choose another folder with -o"
                )
            if shared and isinstance(photo.path, Path) and is_own_result(photo.path):
                reason = "is a colouring that colorflow made; it is not taken as a photo"
                self.plan.notes.append(Note(path=photo.path, reason=reason))
            else:
                self._inputs.add(self._key(photo.path))
                kept.append(photo)
        return kept

    def add(self, photo: FoundPhoto, hints: Hints) -> None:
        """Makes a task of a photo, or settles it."""
        task = Task(
            path=photo.path,
            folder=self._folder(photo.relative),
            around_seed=self._naming.around_seed(PurePath(photo.path.name)),
            hints=hints,
        )
        settings = self.plan.settings
        pool = DIVERSE_POOL if settings.diverse and settings.n > 1 else 1
        targets = [
            task.target(seed) for seed in range(settings.seed, settings.seed + pool * settings.n)
        ]
        if problem := self._problem(targets):
            self.settle(Record(path=photo.path, status="failed", reason=problem))
            return
        self._made.update((self._key(target), photo.path) for target in targets)
        # Which seeds are the most different ones is known only after they were drawn.
        if not settings.overwrite and pool == 1 and all(map(self._is_finished, targets)):
            self.settle(skipped(photo.path, targets, settings.seed))
            return
        self.plan.inputs.append(photo.path)
        self.plan.tasks.append(task)

    def _is_finished(self, target: Place) -> bool:
        if isinstance(target, Path):
            return is_finished(target)
        if self._sent is None:  # one listing, rather than a question for each
            output = self.plan.output
            assert isinstance(output, Url)
            self._sent = {output / place for place, size in files_below(output).items() if size}
        return target in self._sent

    def _problem(self, targets: list[Place]) -> str | None:
        """Why these files must not be written, or None."""
        for target in targets:
            if length := too_long(target.name):
                return (
                    f"its result would have a name of {length} bytes, more than file systems take; "
                    "rename the photo or give a shorter --name"
                )
            key = self._key(target)
            if key in self._inputs:
                return f"its result {target} is itself an input; choose another folder or --name"
            if key in self._made:
                return (
                    f"its result {target} is already that of {self._made[key]}; "
                    "rename one of them, or use -r"
                )
        return None

    def _folder(self, relative: PurePath) -> Place:
        return self.plan.output / relative.parent

    def _key(self, path: Place) -> tuple[str, str]:
        """What two paths of one file have in common."""
        name = path.name
        if isinstance(path, Path) and sys.platform in (
            "darwin",
            "win32",
        ):  # their file systems ignore case
            name = unicodedata.normalize("NFC", name).casefold()
        return self._real(path.parent), name

    def _real(self, folder: Place) -> str:
        if isinstance(folder, Url):
            return str(folder)
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        return self._real_folders[folder]


def skipped(path: Place, targets: Sequence[Place], first_seed: int) -> Record:
    """The record of a photo whose results are there."""
    return Record(
        path=path,
        status="skipped",
        reason="its results are there already; --overwrite makes them anew",
        colourings=tuple(
            Colouring(path=target, seed=seed) for seed, target in enumerate(targets, first_seed)
        ),
    )
