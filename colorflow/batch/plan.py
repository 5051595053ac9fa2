"""What is to be done, decided before a pixel is read: which photos, and which files they become.

Names and the disk's directory decide, so a plan of 100,000 photos takes seconds, and the same
command finds its place again after it was stopped. A result that is there is complete, since files
appear whole or not at all; whether it was made as it would be made now, it says itself.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from colorflow.batch.find import FoundPhoto, find_inputs
from colorflow.batch.hints import hints_by_photo
from colorflow.batch.made import made_before, wanted_of
from colorflow.batch.names import Naming, too_long
from colorflow.batch.record import Coloring, Note, Record
from colorflow.batch.settings import Settings
from colorflow.batch.url import Place, Url, place_of
from colorflow.errors import BatchError, WritePhotoError
from colorflow.photo import Provenance, is_own_picture

if TYPE_CHECKING:
    from colorflow.batch.hints import Hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One photo that is to be colored.

    Attributes:
        path: the photo.
        folder: where its results go.
        names: of the results, see `Naming.names_of`.
        hints: colors of points.
    """

    path: Place
    folder: Place
    names: str
    hints: Hints = ()

    def name(self, label: str) -> str:
        """The name of the result with this label, see `Settings.labels`."""
        return self.names.format(label=label, seed=label[1:])

    def target(self, label: str) -> Place:
        """The file for the result with this label."""
        return self.folder / self.name(label)

    def coloring(self, label: str, made: Provenance) -> Coloring:
        """The coloring with this label, once it is there, made in this way."""
        share = made.principal.share if made.principal else None
        return Coloring(path=self.target(label), label=label, seed=made.seed, share=share)


@dataclass(slots=True, kw_only=True)
class Plan:
    """All that a batch will do.

    Attributes:
        settings: of all photos.
        output: the folder for the results.
        inputs: every photo, and what could not be found, in order.
        tasks: photos to color.
        settled: records of inputs that need nothing, or that nothing can be done about.
        notes: what was passed by.
        left_out: files of folders that are no photos by their names.
    """

    settings: Settings
    output: Place
    inputs: list[Place] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    settled: list[Record] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left_out: list[Place] = field(default_factory=list)

    def makes(self, path: Path) -> bool:
        """Whether a file is where one of the results may come to stand."""
        folder, labels = os.path.realpath(path.parent), self.settings.labels
        return any(
            isinstance(task.folder, Path)
            and any(task.name(label) == path.name for label in labels)
            and os.path.realpath(task.folder) == folder
            for task in self.tasks
        )

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
    weights: str | None = None,
) -> Plan:
    """Decides what to do with files and folders of photos.

    A photo whose results are all there, made from it as they would be made now, is skipped, unless
    `settings.overwrite` says otherwise. Results of earlier runs are never taken as photos. Nothing
    is ever written over an input, over the result of another input, or over a file that colorflow
    did not make; such photos fail by name.

    Args:
        inputs: files, folders and patterns, and URLs of such, see `find_inputs`.
        output: folder for the results, or its URL; it need not exist.
        settings: how photos are colored.
        naming: how results are named.
        recursive: take photos in folders inside folders, and give results the same places.
        hints: from `read_hints`.
        hints_source: the file's name, for messages.
        weights: digest of those that will be used. Without it, and where photos or results are
            URLs, or labels are known only later, results are looked at when a photo's turn comes.

    Raises:
        ValueError: if several colorings of a photo would have one name, or none a seed of its own
            that shall be in it.
        BatchError: if hints are for no photo, or for several; if there is no way to speak to the
            store of a URL, or results would lie among its photos.
    """
    naming = naming or Naming()
    naming.check_fits(settings)
    place = place_of(output)
    found = find_inputs(inputs, place, recursive=recursive)
    plan = Plan(settings=settings, output=place, notes=found.notes, left_out=found.left_out)
    planner = _Planner(plan, naming, weights)
    for note in found.missing:
        planner.settle(Record(path=note.path, status="failed", reason=note.reason))
    photos = planner.without_own_results(found.photos)
    meant = hints_by_photo(hints or {}, (photo.relative for photo in photos), hints_source)
    for photo in photos:
        planner.add(photo, meant.get(photo.relative, ()))
    return planner.plan


class _Planner:
    def __init__(self, plan: Plan, naming: Naming, weights: str | None) -> None:
        self.plan = plan
        self._naming = naming
        self._weights = weights
        self._inputs: set[tuple[str, str]] = set()
        self._made: dict[tuple[str, str], Place] = {}
        self._real_folders: dict[Path, str] = {}

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
            if shared and isinstance(photo.path, Path) and is_own_picture(photo.path):
                reason = "is a picture that colorflow made; it is not taken as a photo"
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
            names=self._naming.names_of(PurePath(photo.path.name)),
            hints=hints,
        )
        targets = [task.target(label) for label in self.plan.settings.labels]
        if problem := self._problem(targets):
            self.settle(Record(path=photo.path, status="failed", reason=problem))
            return
        self._made.update((self._key(target), photo.path) for target in targets)
        if self.plan.settings.labels_are_known and (record := self._known(task, targets)):
            self.settle(record)
            return
        self.plan.inputs.append(photo.path)
        self.plan.tasks.append(task)

    def _known(self, task: Task, targets: list[Place]) -> Record | None:
        """What becomes of a photo, if the results that are there say it; None if it is to be made.

        A photo that cannot be read is for those who read it.
        """
        local = isinstance(task.path, Path) and isinstance(task.folder, Path)
        if not (self._weights and local and any(os.path.lexists(str(one)) for one in targets)):
            return None
        settings = self.plan.settings
        try:
            wanted = wanted_of(task, settings, self._weights)
            made = made_before(task, wanted, overwrite=settings.overwrite)
        except WritePhotoError as error:
            return Record(path=task.path, status="failed", reason=str(error))
        except OSError:
            return None
        return skipped(task, made) if len(made) == len(wanted) else None

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
                    "rename one of them, or color it into another folder with -o"
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


def skipped(task: Task, made: Mapping[str, Provenance]) -> Record:
    """The record of a photo whose results are there, by their labels."""
    return Record(
        path=task.path,
        status="skipped",
        reason="its results are there already; --overwrite makes them anew",
        colorings=tuple(task.coloring(label, one) for label, one in made.items()),
    )
