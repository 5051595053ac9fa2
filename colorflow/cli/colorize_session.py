"""One run of `colorflow colorize`: progress, what is printed, and the files beside the results."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from colorflow.errors import ColorflowError, WritePhotoError
from colorflow.files import check_replaceable

if TYPE_CHECKING:
    from collections.abc import Callable

    from colorflow.batch import Location, Plan, Record

_NAMED = 5
"""Files left out that are named on stderr; the report names all."""
_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def say_plan(plan: Plan) -> int:
    """What `--dry-run` prints."""
    for task in plan.tasks:
        print(f"{_shown(task.path)} -> {_shown(task.target(plan.settings.labels[0]))}")
    _say_rest(plan, plan.settled, quiet=False)
    counts = _statuses(plan.settled)
    print(_counted({"to do": len(plan.tasks), **counts}))
    return 1 if counts["failed"] else 0


class Session:
    """One run of the command: progress, what is printed, and the files beside the results."""

    def __init__(self, plan: Plan, arguments: argparse.Namespace) -> None:
        self._plan = plan
        self._arguments = arguments
        self._stop = threading.Event()
        self._records: list[Record] = []
        self._began = datetime.now().astimezone()
        self._started = time.perf_counter()

    def run(self) -> int:
        self._check_files()
        try:
            with self._first_interrupt_stops():
                self._color()
        except KeyboardInterrupt:
            self._stop.set()
        except (ColorflowError, OSError):  # OSError: nothing can be printed any more
            if self._records:  # otherwise it did not even start
                self._write_report()
            raise
        self._records = self._plan.in_order(self._records)
        interrupted = self._stop.is_set()
        try:
            self._write_report()
            if not interrupted:
                self._write_sheet()
        finally:
            code = self._summary(interrupted=interrupted)
        return code

    def _color(self) -> None:
        """Carries the plan out, with a line for each file and the progress of all."""
        from tqdm import tqdm

        arguments = self._arguments
        with tqdm(
            total=len(self._plan.tasks),
            unit=" files",
            disable=True if arguments.quiet else None,  # None: only on a terminal
            file=sys.stderr,
        ) as progress:
            engine, usual_workers = _engine(arguments.engine)
            for record in engine(
                self._plan,
                weights=arguments.weights,
                device=arguments.device,
                workers=arguments.workers or usual_workers(arguments.device),
                stop=self._stop,
            ):
                self._records.append(record)
                if len(self._records) > len(self._plan.settled):
                    progress.update()
                if record.status == "done" and not arguments.quiet:
                    outputs = ", ".join(_shown(one.path) for one in record.colorings)
                    line = f"{_shown(record.path)} -> {outputs} ({record.seconds:.1f} s)"
                    with progress.external_write_mode():
                        print(line, flush=True)

    @contextmanager
    def _first_interrupt_stops(self) -> Iterator[None]:
        """The first Ctrl-C lets the photos in hand be finished, the second ends at once."""

        def interrupted(_: int, __: FrameType | None) -> None:
            if self._stop.is_set():
                raise KeyboardInterrupt
            self._stop.set()
            print(
                "\ncolorflow: finishing the photos in hand; Ctrl-C again stops at once",
                file=sys.stderr,
                flush=True,
            )

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _check_files(self) -> None:
        """Refuses places for report and sheet now rather than after a night's work."""
        from colorflow.batch.names import too_long
        from colorflow.batch.output import check_writable
        from colorflow.batch.report import REPORT
        from colorflow.batch.sheet import SHEET, check_sheet

        report, sheet = self._arguments.report, self._arguments.contact_sheet
        if sheet:
            check_sheet(sheet)
        if sheet and sheet == report:
            raise WritePhotoError(sheet, "is named for the report and for the contact sheet")
        for path, kind in ((report, REPORT), (sheet, SHEET)):
            if path is None:
                continue
            if too_long(path.name):
                raise WritePhotoError(path, "has a name longer than file systems take")
            if self._plan.makes(path):
                raise WritePhotoError(path, "is the place of a result; choose another file")
            try:
                check_replaceable(path, kind)
            except OSError as error:
                raise WritePhotoError(path, f"cannot be written ({error.strerror})") from error
            if not (self._is_output(path.parent) or os.path.exists(path)):
                check_writable(path.parent)

    def _is_output(self, folder: Path) -> bool:
        """Whether it is the folder for the results, which will be made."""
        output = self._plan.output
        return isinstance(output, Path) and folder.absolute() == output.absolute()

    def _write_report(self) -> None:
        from colorflow.batch import write_report

        if self._arguments.report:
            self._arguments.report.parent.mkdir(parents=True, exist_ok=True)
            write_report(
                self._arguments.report,
                self._plan,
                self._records,
                began=self._began,
                seconds=time.perf_counter() - self._started,
            )

    def _write_sheet(self) -> None:
        from colorflow.batch import write_sheet

        sheet = self._arguments.contact_sheet
        if not sheet:
            return
        shown = write_sheet(sheet, self._records)
        of = sum(bool(record.colorings) for record in self._records)
        if not self._arguments.quiet:
            print(f"{_shown(sheet)}: {shown} of {of} photos" if of else "no photos for a sheet")

    def _summary(self, *, interrupted: bool) -> int:
        """Prints what is to be said at the end; the exit code."""
        counts = _statuses(self._records)
        left = len(self._plan.inputs) - len(self._records)
        quiet = self._arguments.quiet
        _say_rest(self._plan, self._records, quiet=quiet)
        if not quiet:
            seconds = time.perf_counter() - self._started
            print(f"{_counted({**counts, 'left': left})} in {seconds:.1f} s", flush=True)
        if left:
            full = any(record.ends_the_run for record in self._records)
            why = "nothing more can be written" if full else "stopped"
            do = "make room, and " if full else ""
            print(
                f"colorflow: {why}, {left} photos are left; {do}the same command goes on from here",
                file=sys.stderr,
            )
        if interrupted:
            return _INTERRUPTED
        return 1 if counts["failed"] or left else 0


def _engine(
    name: str,
) -> tuple[Callable[..., Iterator[Record]], Callable[[str], int | None]]:
    """What carries a plan out, and how many workers it takes if nobody says."""
    if name == "ray":
        from colorflow.batch.ray_engine import run_on_ray

        return run_on_ray, lambda _: None  # all that the cluster has room for
    from colorflow.batch import run, usual_workers

    return run, usual_workers


def _say_rest(plan: Plan, records: Iterable[Record], *, quiet: bool) -> None:
    """On stderr: files that were passed by, left alone, and, last, those that failed."""
    if not quiet:
        if plan.left_out:
            print(_said_of(plan.left_out), file=sys.stderr)
        for note in plan.notes:
            print(f"{_shown(note.path)}: {note.reason}", file=sys.stderr)
        for record in records:
            if record.status == "already-colored":
                print(f"{_shown(record.path)}: {record.reason}", file=sys.stderr)
            for remark in record.remarks:
                print(f"{_shown(record.path)}: {remark}", file=sys.stderr)
    for record in records:
        if record.status == "failed":
            print(f"{_shown(record.path)}: {record.reason}", file=sys.stderr, flush=True)


def _said_of(left_out: Sequence[Location]) -> str:
    """How many files were left out of folders, and which."""
    count = len(left_out)
    named = ", ".join(map(_shown, left_out[:_NAMED]))
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    were = "1 file was" if count == 1 else f"{count} files were"
    return f"colorflow: {were} left out, not named like photos: {named}{more}"


def _statuses(records: Iterable[Record]) -> Counter[str]:
    return Counter(str(record.status) for record in records)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()) if count)


def _shown(path: Location) -> str:
    """A path on one line, whatever its name holds; control characters are escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(path)
    )
