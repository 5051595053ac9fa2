"""One visitor's folder of photos, and the batch that colors them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from colorflow.batch import (
    Naming,
    Note,
    PhotoOutcome,
    Plan,
    Settings,
    make_plan,
    run_in_process,
    write_report,
    write_sheet,
)
from colorflow.batch.archive import ArchiveLimits, pack
from colorflow.batch.html_report import html_table, summary, write_html_report
from colorflow.batch.locations import Location
from colorflow.errors import ColorflowError, PhotoError
from colorflow.photo import count_pixels
from colorflow.ui.folder_intake import Intake, take_in
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.opened import new_folder
from colorflow.ui.run import Run

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

Format = Literal["auto", "png", "jpg"]

_RESULTS, _SHEET = "colored", "contact-sheet.jpg"
"""Folder of the results, and a file, in the archive."""
_LONGEST_NAME = 60
"""Letters of the archive's name that come from the upload's."""
_AS_ON_THE_PAGE = (
    ("; --force colors it again", "; tick “Color anew” to color it all the same"),
    ("its results are there already; --overwrite makes them anew", ""),
    (", or color it into another folder with -o", ""),
    (" or give a shorter --name", ""),
)
"""What reasons say to those who use the command, and to those who use the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderWish:
    """How the visitor wants the photos colored."""

    n: int
    """Colorings of each photo."""
    temperature: float
    """Multiplies the shipped temperatures; 1 is as trained."""
    seed: int
    """Of each photo's first sample; the next ones count on."""
    samples: bool
    """Samples of each photo, instead of its principal colorings."""
    format: Format
    """Of the results; auto: JPEG for a JPEG, otherwise PNG."""
    force: bool
    """Color photos that already have colors, too."""
    max_pixels: int
    """Width times height of a photo that is refused when exceeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a batch has come."""

    done: int
    of: int
    now: str
    """What comes next: a photo's place, or what else there is to do."""
    table: str
    """What became of the photos so far, as HTML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a batch has made, as files that are complete."""

    archive: Path
    sheet: Path | None
    """A contact sheet; None if nothing was colored."""
    table: str
    """What became of each photo, as HTML."""
    summary: str
    """How many ended how, as a sentence."""


class Job(Run):
    """A batch of one visitor, which waits for its turn, runs once, and may be stopped.

    Args:
        intake: the photos.
        wish: how they are colored.
        folder: for all that the job makes; colorings that a job of the same wish has left there
            are taken over.
        budget: is reserved for each photo while it is colored.
    """

    def __init__(
        self, intake: Intake, wish: FolderWish, folder: Path, budget: MemoryBudget
    ) -> None:
        super().__init__()
        self._budget = budget
        self.wish = wish
        self.state: Literal["waiting", "running", "ended"] = "waiting"
        self.outcome: Outcome | None = None
        self.intake = intake
        self.folder = folder
        self._made = folder / "made"
        self._records: list[PhotoOutcome] = []
        self._plan = make_plan(
            [intake.folder],
            self._made / _RESULTS,
            Settings(
                n=wish.n,
                seed=wish.seed,
                temperature=wish.temperature,
                samples=wish.samples,
                force=wish.force,
                max_pixels=wish.max_pixels,
            ),
            naming=Naming(ext=wish.format),
            recursive=True,
        )
        for note in intake.damaged:
            path = intake.folder / str(note.path)
            self._plan.inputs.append(path)
            self._plan.settled.append(PhotoOutcome(path=path, status="failed", reason=note.reason))
        self._plan.notes += [
            Note(path=intake.folder / str(note.path), reason=note.reason)
            for note in intake.left_out
        ]

    def run(self, colorizer: Colorizer) -> Iterator[Progress]:
        """Colors photo after photo; `outcome` is set at the end unless the job was replaced.

        The caller may leave the iteration at any point; the job has then ended.

        Raises:
            ColorflowError: it cannot start, or its files not be written.
        """
        self.state = "running"
        began, started = datetime.now().astimezone(), time.perf_counter()
        with self:
            try:
                yield from self._colored(colorizer)
                if self.end != "replaced":
                    yield self._progress("the contact sheet and the zip")
                    self._finish(began, time.perf_counter() - started)
            except (ColorflowError, OSError) as error:
                if self.end != "replaced":  # otherwise its folder has gone
                    raise _as_told(error) from error
            finally:
                self.state = "ended"
                if self.end == "replaced":
                    shutil.rmtree(self.folder, ignore_errors=True)

    def discard(self) -> None:
        """Deletes what was made, at once or when the photo in hand is finished."""
        self.end = "replaced"
        if self.state != "running":
            self.state = "ended"
            shutil.rmtree(self.folder, ignore_errors=True)

    def _colored(self, colorizer: Colorizer) -> Iterator[Progress]:
        tasks = self._plan.tasks
        self._records = list(self._plan.settled)
        records = islice(run_in_process(self._plan, colorizer), len(self._records), None)
        for task in tasks:
            yield self._progress(str(self._place(task.path)))
            if self.end:
                return
            with self._budget.reserve(self._pixels_of(task.path)):
                record = next(records, None)
            if record is None:  # the disk is full
                return
            self._records.append(record)

    def _pixels_of(self, path: Location) -> int:
        assert isinstance(path, Path)
        try:
            return count_pixels(path, max_pixels=self.wish.max_pixels)
        except PhotoError:  # which the batch will tell
            return 0

    def _progress(self, now: str) -> Progress:
        plan, records = self._as_the_visitor_knows_it()
        return Progress(
            done=len(records),
            of=len(plan.inputs),
            now=now,
            table=html_table(replace(plan, inputs=[one.path for one in records]), records),
        )

    def _finish(self, began: datetime, seconds: float) -> None:
        """Puts the report beside the results and everything into one archive."""
        plan, records = self._as_the_visitor_knows_it()
        made = self._made
        made.mkdir(exist_ok=True)
        write_report(made / "report.json", plan, records, began=began, seconds=seconds)
        write_html_report(made / "report.html", plan, records)
        out = new_folder(self.folder, "out-")  # so that browsers take no file for an earlier one
        sheet = None
        if write_sheet(made / _SHEET, self._plan.in_order(self._records)):
            sheet = Path(shutil.copyfile(made / _SHEET, out / _SHEET))
        archive = out / f"{self.intake.name[:_LONGEST_NAME]}-colored.zip"
        pack(made, archive)
        self.outcome = Outcome(
            archive=archive,
            sheet=sheet,
            table=html_table(plan, records),
            summary=summary(plan, records),
        )

    def _as_the_visitor_knows_it(self) -> tuple[Plan, list[PhotoOutcome]]:
        """Plan and records without the server's folders and the command's options."""
        plan = replace(
            self._plan,
            output=Path(_RESULTS),
            inputs=[self._place(path) for path in self._plan.inputs],
            notes=[replace(note, path=self._place(note.path)) for note in self._plan.notes],
            left_out=[],  # the intake has told of them
        )
        records = [
            replace(
                record,
                path=self._place(record.path),
                reason=record.reason and self._in_plain_words(record.reason),
                colorings=tuple(
                    replace(one, path=self._place(one.path)) for one in record.colorings
                ),
            )
            for record in self._records
        ]
        return plan, records

    def _place(self, path: Location) -> Location:
        for folder in (self.intake.folder, self._made):
            if isinstance(path, Path) and path.is_relative_to(folder):
                return path.relative_to(folder)
        return path

    def _in_plain_words(self, reason: str) -> str:
        for folder in (self.intake.folder, self._made):
            reason = reason.replace(f"{folder}{os.sep}", "")
        for command, page in _AS_ON_THE_PAGE:
            reason = reason.replace(command, page)
        return reason


def _as_told(error: ColorflowError | OSError) -> ColorflowError:
    if isinstance(error, OSError):
        return ColorflowError(f"Nothing can be stored on the server ({error.strerror}).")
    return error


class FolderSession:
    """What the server keeps of one visitor of the tab.

    Args:
        root: folder in which the session makes its own.
        budget: memory for photos, shared by all visitors.

    Raises:
        ColorflowError: it cannot.
    """

    def __init__(self, root: Path, budget: MemoryBudget) -> None:
        self._budget = budget
        self._folder = new_folder(root, "folder-")
        self.intake: Intake | None = None
        self.job: Job | None = None

    def take_in(self, uploads: Sequence[Path], limits: ArchiveLimits) -> Intake:
        """Take other photos; those before are forgotten even if these are refused.

        Raises:
            ColorflowError: see `take_in`.
        """
        self.forget()
        self._budget.disk.check(limits.total_bytes)  # a zip grows when it is unpacked
        self.intake = take_in(uploads, new_folder(self._folder, "in-") / "photos", limits)
        return self.intake

    def begin(self, wish: FolderWish) -> Job:
        """Make a job of the photos.

        If the same was asked for before and not finished, it goes on from there.

        Raises:
            ColorflowError: there are no photos.
        """
        if self.intake is None or not (self.intake.photos or self.intake.damaged):
            raise ColorflowError("There are no photos yet; choose some first.")
        before, folder = self.job, None
        if before and before.state == "ended" and before.wish == wish:
            folder = before.folder
            if before.outcome:
                shutil.rmtree(before.outcome.archive.parent, ignore_errors=True)
        elif before:
            before.discard()
        self.job = Job(self.intake, wish, folder or new_folder(self._folder, "job-"), self._budget)
        return self.job

    def forget(self) -> None:
        """Delete the photos and what was made of them, after the photo that is in hand."""
        if self.job and self.job.state == "running":
            self.job.give_way()
        self._discard()

    def withdraw(self) -> None:
        """Leave the line."""
        if self.job:
            self.job.discard()
        self.job = None

    def close(self) -> None:
        """Delete everything, without waiting; a job deletes its own when it has ended."""
        self._discard()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _discard(self) -> None:
        intake, self.intake = self.intake, None
        self.withdraw()
        if intake:
            shutil.rmtree(intake.folder.parent, ignore_errors=True)
