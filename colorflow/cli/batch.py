"""Runs and reports a batch of photos: places, progress, messages, report and sheet."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, SimpleNamespace

import click

from colorflow import batch
from colorflow.batch import (
    COLORS,
    DETAIL,
    REPAIR,
    BatchSettings,
    PhotoOutcome,
    Plan,
    make_plan,
    ray_engine,
    read_hints,
    read_reference,
    write_report,
    write_sheet,
)
from colorflow.batch.find import is_zip, path_of
from colorflow.batch.one_photo import make_folder
from colorflow.batch.pool import check_writable
from colorflow.batch.report import report_kind
from colorflow.batch.sheet import sheet_kind
from colorflow.batch.task import left_out_text, share_text
from colorflow.cli import INTERRUPTED
from colorflow.cli.options import wrong_usage
from colorflow.cli.progress import Progress
from colorflow.errors import BatchError, ColorflowError, PhotoError, WritePhotoError, printable
from colorflow.files import FileKind, check_replaceable, is_stream, remove_leftovers
from colorflow.photo.find import is_photo


def settings_of(kind: type[BatchSettings], options: SimpleNamespace) -> BatchSettings:
    """The settings of a command, which has options of their names.

    Raises:
        UsageError: if they do not go together, or a reference cannot be one.
    """
    crop = options.crop in ("auto", True)
    given = vars(options) | {"crop": crop, "likelihood": bool(options.report)}
    try:
        given["references"] = tuple(map(read_reference, given.get("reference", ())))
        return kind(**{one.name: given[one.name] for one in fields(kind) if one.name in given})
    except PhotoError as error:
        raise click.UsageError(f"--reference: {error}") from error
    except ValueError as error:
        name, _, said = str(error).partition(": ")
        raise click.UsageError(f"{'-' if len(name) == 1 else '--'}{name}: {said}") from error


def run_batch(options: SimpleNamespace, settings: BatchSettings) -> int:
    """Plans and runs a batch; returns the exit code.

    Args:
        options: of the command, by their names.
        settings: what is done to the photos.
    """
    own = vars(options)
    main = {"enlarge": DETAIL, "repair": REPAIR}.get(settings.command, COLORS)
    weights = {main: options.weights}
    with _folder_for_zips(options) as scratch:
        with wrong_usage():
            plan = make_plan(
                options.inputs,
                _output_of(options),
                settings,
                ext=options.ext,
                recursive=options.recursive,
                hints=read_hints(own["hints"]) if own.get("hints") else None,
                treat_as_gray=own.get("treat_as_gray", ()),
                unpack_in=Path(scratch) if scratch else None,
            )
        if own.get("frame") and len(plan.inputs) > 1:
            raise click.UsageError(f"--frame: expected one photo, got {len(plan.inputs)}")
        return _BatchRun(plan, weights, options).run()


def _output_of(options: SimpleNamespace) -> Path:
    """The folder for the results; nothing else may be there, or be meant."""
    output = path_of(options.output)
    what = ""
    if not os.path.exists(output):
        what = "is named like a picture" if is_photo(output) else what
        what = "is named like a zip" if is_zip(output) else what
    for folder in (output, *output.parents):
        if os.path.exists(folder) and not os.path.isdir(folder):
            what = "is a file" if folder == output else f"would be in the file {folder}"
    if what:
        said = "but -o names a folder; the results in it are named after the photos"
        raise WritePhotoError(output, f"{what}, {said}")
    return output


def _folder_for_zips(
    options: SimpleNamespace,
) -> TemporaryDirectory[str] | nullcontext[None]:
    """A temporary folder for what is in zips, if there are any."""
    if not any(is_zip(Path(one)) for one in options.inputs):
        return nullcontext()
    if options.engine == "ray":
        raise click.UsageError("--engine: ray takes folders, not zips, for all nodes")
    try:
        return TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BatchError(f"no temporary folder can be made ({error.strerror})") from error


@dataclass(slots=True)
class _BatchRun:
    """One run of the command: progress, messages, and the files beside the results."""

    plan: Plan
    weights: Mapping[str, Path | None]
    options: SimpleNamespace
    stop: threading.Event = field(default_factory=threading.Event)
    outcomes: list[PhotoOutcome] = field(default_factory=list)
    began: datetime = field(default_factory=lambda: datetime.now().astimezone())
    started: float = field(default_factory=time.perf_counter)

    def run(self) -> int:
        """Works the plan off and reports; returns the exit code."""
        self._check_file("--report", self.options.report, report_kind)
        self._check_file("--contact-sheet", self.options.contact_sheet, sheet_kind)
        try:
            with self._interrupt_stops():
                self._work()
        except KeyboardInterrupt:
            self.stop.set()
        except (ColorflowError, OSError):  # OSError: nothing can be printed any more
            if self.outcomes:  # otherwise the batch did not even start
                self._write_report()
            raise
        self.outcomes = self.plan.in_order(self.outcomes)
        self.plan.note_idle_references(self.outcomes)
        interrupted = self.stop.is_set()
        try:
            self._write_report()
            if not interrupted:
                self._write_sheet()
        finally:
            code = self._print_summary(interrupted=interrupted)
        return code

    def _work(self) -> None:
        """Works the plan off; prints a line for each file and the progress of all."""
        options = self.options
        progress = Progress(len(self.plan.tasks), quiet=options.quiet)
        # Which photos a cluster has in hand is not known here.
        here = partial(batch.run, tell=progress.tell)
        engine = ray_engine.run_on_ray if options.engine == "ray" else here
        with progress.shown():
            for outcome in engine(
                self.plan,
                weights=self.weights,
                device=options.device,
                workers=options.workers,
                stop=self.stop,
            ):
                self.outcomes.append(outcome)
                if len(self.outcomes) > len(self.plan.settled):
                    progress.bar.update()
                if outcome.status == "done" and not options.quiet:
                    with progress.bar.external_write_mode():
                        _say(self.plan, _done_text(outcome))

    @contextmanager
    def _interrupt_stops(self) -> Iterator[None]:
        """The first Ctrl-C lets the photos in hand be finished; the second stops at once."""

        def interrupted(_: int, __: FrameType | None) -> None:
            if self.stop.is_set():
                raise KeyboardInterrupt
            self.stop.set()
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

    def _check_file(
        self, option: str, path: Path | None, kind_of: Callable[[Path], FileKind]
    ) -> None:
        """Checks report or sheet before a night's work rather than after it."""
        if path is None:
            return
        with wrong_usage(option):
            try:
                check_replaceable(path, kind_of(path))
            except OSError as error:
                raise WritePhotoError(path, f"cannot be written ({error.strerror})") from error
            if not is_stream(path):
                folder = _folder_of(path)
                check_writable(next(filter(os.path.exists, (folder, *folder.parents))))
                remove_leftovers(folder)

    def _write_report(self) -> None:
        if self.options.report:
            make_folder(_folder_of(self.options.report))
            write_report(
                self.options.report,
                self.plan,
                self.outcomes,
                began=self.began,
                seconds=time.perf_counter() - self.started,
            )

    def _write_sheet(self) -> None:
        if not (sheet := self.options.contact_sheet):
            return
        make_folder(_folder_of(sheet))
        shown = write_sheet(sheet, self.outcomes, self.plan.settings.kind, named=self.plan.named)
        of = sum(bool(outcome.colorings) for outcome in self.outcomes)
        said = f"{shown} of {of} photos"
        if not shown:
            said = "not written, because there is no result to show"
        elif shown < of:
            said += "; it says why it does not show the others"
        if not self.options.quiet:
            _say(self.plan, f"{sheet}: {said}")

    def _print_summary(self, *, interrupted: bool) -> int:
        """Prints what remains to be said; returns the exit code."""
        counts = Counter[str](one.status for one in self.outcomes)
        left = len(self.plan.inputs) - len(self.outcomes)
        quiet = self.options.quiet
        _print_remarks(self.plan, self.outcomes, quiet=quiet)
        if not quiet:
            said = _counts_text({**counts, "left": left}) or "nothing to do"
            if self.plan.tasks:
                said += f" in {time.perf_counter() - self.started:.1f} s"
            print(said, flush=True)
        if left:
            full = any(outcome.ends_the_run for outcome in self.outcomes)
            why = "nothing more can be written" if full else "stopped"
            do = "make room, and " if full else ""
            print(
                f"colorflow: {why}, {left} photos are left; {do}the same command goes on from here",
                file=sys.stderr,
            )
        if interrupted:
            return INTERRUPTED
        return 1 if counts["failed"] or left else 0


def _folder_of(path: Path) -> Path:
    """The folder of a file, or of what it is a link to."""
    return Path(os.path.realpath(path)).parent


def _say(plan: Plan, text: str, *, is_remark: bool = False) -> None:
    """Prints a line, with the names that people know; a remark goes to stderr."""
    print(printable(plan.named(text)), file=sys.stderr if is_remark else sys.stdout, flush=True)


def _print_remarks(plan: Plan, outcomes: Sequence[PhotoOutcome], *, quiet: bool) -> None:
    """Prints on stderr which files were passed over or skipped and, last, which failed."""
    told = [f"colorflow: {left_out_text(plan.left_out)}"] if plan.left_out else []
    told += [f"{note}: {note.reason}" for note in plan.notes]
    for one in outcomes:
        reasons = [one.reason] if one.status == "already-colored" else []
        told += [f"{one}: {said}" for said in (*reasons, *one.remarks)]
    failed = [f"{one}: {one.reason}" for one in outcomes if one.status == "failed"]
    for line in failed if quiet else (*told, *failed):
        _say(plan, line, is_remark=True)


def _done_text(outcome: PhotoOutcome) -> str:
    """The results of a photo, and how much of each print was repaired."""
    outputs = ", ".join(str(one.path) for one in outcome.colorings)
    shares = {one.print_number: one.repaired for one in outcome.colorings if one.repaired}
    repaired = " and ".join(map(share_text, shares.values()))
    said = f"{repaired} repaired, " if repaired else ""
    return f"{outcome} -> {outputs} ({said}{outcome.seconds:.1f} s)"


def _counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()) if count)
