"""Many photos of one visitor, and the job that colors them."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from colorflow.batch import (
    Naming,
    Note,
    PhotoOutcome,
    Plan,
    Remedy,
    Settings,
    make_plan,
    run_in_process,
    write_report,
    write_sheet,
)
from colorflow.batch.archive import pack
from colorflow.batch.html_report import html_table, summary, write_html_report
from colorflow.batch.locations import Location
from colorflow.errors import ColorflowError, PhotoError
from colorflow.photo import count_pixels
from colorflow.ui.folder_intake import Intake
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import new_folder, storing
from colorflow.ui.session import Job, Session
from colorflow.ui.storage import size_of

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

Format = Literal["auto", "png", "jpg"]

_RESULTS, _SHEET, _SHEET_PAGE = "colored", "contact-sheet.jpg", "contact-sheet.html"
"""Names in the archive: the folder of the results, and files."""
_LONGEST_NAME = 60
"""Letters of the upload's name that the name of the archive keeps."""
_TICK = "; tick it below “Treat as gray” to color its lightness"
"""What can be done about a photo that was left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """The photos of one visitor."""

    folder: Path
    """Holds them, and everything that is made of them."""
    intake: Intake


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job has come."""

    done: int
    of: int
    now: str
    """What comes next: the path of a photo, or what else there is to do."""
    table: str
    """What became of the photos so far, as HTML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOutcome:
    """What a job has made, as complete files."""

    archive: Path
    sheet: Path | None
    """A contact sheet; None if nothing was colored."""
    table: str
    """What became of each photo, as HTML."""
    summary: str
    """How many photos were colored, left as they are or failed, as a sentence."""
    with_colors: Sequence[str]
    """Paths of the photos that have colors, whether they were treated as gray or left alone."""
    treated_as_gray: Sequence[str]
    """Those of them that were treated as gray."""


FolderSession = Session[Album]


class FolderJob(Job):
    """Colors the photos of one visitor, when it is the visitor's turn.

    Args:
        album: the photos.
        settings: how they are colored.
        format: of the results; auto: JPEG for a JPEG, otherwise PNG.
        treat_as_gray: paths in the album of photos that are colored even if they have colors.
        folder: for everything that the job makes; colorings that an earlier job with the same
            settings has left there are taken over.
        budget: is reserved for each photo while it is colored.
    """

    def __init__(
        self,
        album: Album,
        settings: Settings,
        format: Format,
        treat_as_gray: Sequence[str],
        folder: Path,
        budget: MemoryBudget,
    ) -> None:
        super().__init__()
        self.state = "waiting"
        self.folder = folder
        self.outcome: FolderOutcome | None = None
        self._settings, self._format = settings, format
        self._treat_as_gray = treat_as_gray
        self._budget = budget
        self._intake = intake = album.intake
        self._made = folder / "made"
        self._records: list[PhotoOutcome] = []
        self._plan = make_plan(
            [intake.folder],
            self._made / _RESULTS,
            settings,
            naming=Naming(ext=format),
            recursive=True,
            treat_as_gray=[f"/{glob.escape(path)}" for path in treat_as_gray],
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
        """Color photo after photo; `outcome` is set at the end unless the job was replaced.

        The caller may leave the iteration at any point, which ends the job.

        Raises:
            ColorflowError: the job cannot start, or a file not be written.
        """
        began, started = datetime.now().astimezone(), time.perf_counter()
        with self, storing():
            try:
                yield from self._colored(colorizer)
                if self.end != "replaced":
                    yield self._progress("the contact sheet and the zip")
                    self._finish(began, time.perf_counter() - started)
            except (ColorflowError, OSError):
                if self.end != "replaced":  # otherwise the folder has gone
                    raise
            finally:
                if self.end == "replaced":
                    shutil.rmtree(self.folder, ignore_errors=True)

    def abandon(self) -> None:
        """End the job and delete what it made, now or when the photo at work is finished."""
        super().abandon()
        if self.state != "running":
            shutil.rmtree(self.folder, ignore_errors=True)

    def is_continued_by(
        self, settings: Settings, format: Format, treat_as_gray: Sequence[str]
    ) -> bool:
        """Whether a job with these settings can take over what this one made."""
        same = (self._settings, self._format) == (settings, format)
        return self.state == "ended" and same and set(treat_as_gray) >= set(self._treat_as_gray)

    def _colored(self, colorizer: Colorizer) -> Iterator[Progress]:
        tasks = self._plan.tasks
        self._records = list(self._plan.settled)
        # The batch holds a lock on its folder until it is closed.
        with closing(run_in_process(self._plan, colorizer)) as batch:
            records = islice(batch, len(self._records), None)
            for task in tasks:
                yield self._progress(str(self._relative(task.path)))
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
            return count_pixels(path, max_pixels=self._settings.max_pixels, isolated=True)
        except PhotoError:  # the batch will tell
            return 0

    def _progress(self, now: str) -> Progress:
        plan, records = self._for_the_visitor()
        return Progress(
            done=len(records),
            of=len(plan.inputs),
            now=now,
            table=html_table(replace(plan, inputs=[one.path for one in records]), records),
        )

    def _finish(self, began: datetime, seconds: float) -> None:
        """Write the report and the contact sheets, and pack everything into one archive."""
        plan, records = self._for_the_visitor()
        made = self._made
        made.mkdir(exist_ok=True)
        write_report(made / "report.json", plan, records, began=began, seconds=seconds)
        write_html_report(made / "report.html", plan, records)
        out = new_folder(self.folder, "out-")  # so that browsers take no file for an earlier one
        sheet = None
        said = [replace(record, reason=self._reason_of(record)) for record in self._records]
        largest = max(map(self._pixels_of, (task.path for task in self._plan.tasks)), default=0)
        with self._budget.reserve(largest):  # photos and results are read one after the other
            outcomes = self._plan.in_order(said)
            limit = self._settings.max_pixels
            if write_sheet(made / _SHEET, outcomes, page=made / _SHEET_PAGE, max_pixels=limit):
                sheet = Path(shutil.copyfile(made / _SHEET, out / _SHEET))
        archive = out / f"{self._intake.name[:_LONGEST_NAME]}-colored.zip"
        self._budget.disk.check(size_of(made))
        pack(made, archive)
        self.outcome = FolderOutcome(
            archive=archive,
            sheet=sheet,
            table=html_table(plan, records),
            summary=summary(plan, records),
            with_colors=[
                path
                for record in records
                if (path := PurePath(str(record.path)).as_posix()) in self._treat_as_gray
                or record.status == "already-colored"
            ],
            treated_as_gray=self._treat_as_gray,
        )

    def _for_the_visitor(self) -> tuple[Plan, list[PhotoOutcome]]:
        """Plan and records without the server's folders."""
        plan = replace(
            self._plan,
            output=Path(_RESULTS),
            inputs=[self._relative(path) for path in self._plan.inputs],
            notes=[replace(note, path=self._relative(note.path)) for note in self._plan.notes],
            left_out=[],  # the intake has told of them
        )
        records = [
            replace(
                record,
                path=self._relative(record.path),
                reason=self._reason_of(record),
                colorings=tuple(
                    replace(one, path=self._relative(one.path)) for one in record.colorings
                ),
            )
            for record in self._records
        ]
        return plan, records

    def _relative(self, path: Location) -> Location:
        for folder in (self._intake.folder, self._made):
            if isinstance(path, Path) and path.is_relative_to(folder):
                return path.relative_to(folder)
        return path

    def _reason_of(self, record: PhotoOutcome) -> str | None:
        """The reason without the server's folders; none for a photo that was colored before."""
        if record.reason is None or (record.status == "skipped" and record.colorings):
            return None
        reason = record.reason
        for folder in (self._intake.folder, self._made):
            reason = reason.replace(f"{folder}{os.sep}", "")
        return f"{reason}{_TICK}" if record.remedy is Remedy.TREAT_AS_GRAY else reason


def queue_job(
    session: FolderSession, settings: Settings, format: Format, treat_as_gray: Sequence[str]
) -> None:
    """Make a job of the visitor's photos that waits for its turn.

    It continues the one before if that had the same settings and treated no other photo as gray.

    Raises:
        ColorflowError: there are no photos, or nothing can be stored.
    """
    album, before, folder = session.current, session.job, None
    if album is None or not (album.intake.photos or album.intake.damaged):
        raise ColorflowError("There are no photos yet; choose some first.")
    if isinstance(before, FolderJob) and before.is_continued_by(settings, format, treat_as_gray):
        folder, session.job = before.folder, None
        if before.outcome:
            shutil.rmtree(before.outcome.archive.parent, ignore_errors=True)
    folder = folder or new_folder(album.folder, "job-")
    session.start(FolderJob(album, settings, format, treat_as_gray, folder, session.budget))
