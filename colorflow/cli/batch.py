"""Runs and reports a batch of photos: places, progress, messages, report and sheet."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, SimpleNamespace

import click
from tqdm import tqdm

from colorflow import batch
from colorflow.batch import (
    COLORS,
    DETAIL,
    REPAIR,
    BatchSettings,
    Naming,
    Note,
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
from colorflow.batch.models import weights_files
from colorflow.batch.pool import check_writable
from colorflow.batch.report import check_report, report_kind
from colorflow.batch.sheet import SHEET, check_sheet
from colorflow.batch.task import left_out_text, share_text
from colorflow.cli import INTERRUPTED
from colorflow.errors import BatchError, ColorflowError, PhotoError, WritePhotoError, printable
from colorflow.files import check_replaceable, is_stream, remove_leftovers
from colorflow.limits import QUALITY


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
        raise _as_usage(error) from error


def _as_usage(error: ValueError) -> click.UsageError:
    """What is wrong with an argument, as of the option of its name."""
    name, _, said = str(error).partition(": ")
    return click.UsageError(f"{'-' if len(name) == 1 else '--'}{name}: {said}")


def run_batch(options: SimpleNamespace, settings: BatchSettings) -> int:
    """Plans and runs a batch, or prints its plan; returns the exit code.

    Args:
        options: of the command, by their names.
        settings: what is done to the photos.
    """
    if options.quality != QUALITY and options.ext in ("png", "tiff"):
        raise click.UsageError(f"--quality: {options.ext} keeps all; it is for jpg and webp")
    try:
        naming = Naming(options.name, options.ext)
        naming.check_fits(settings.n)
    except ValueError as error:
        raise _as_usage(error) from error
    own = vars(options)
    main = {"enlarge": DETAIL, "repair": REPAIR}.get(settings.command, COLORS)
    files = weights_files(settings, {main: options.weights})
    output = _output_of(options)
    with _folder_for_zips(options) as scratch:
        plan = make_plan(
            options.inputs,
            output,
            settings,
            naming=naming,
            recursive=options.recursive,
            hints=read_hints(own["hints"]) if own.get("hints") else None,
            treat_as_gray=own.get("treat_as_gray", ()),
            unpack_in=Path(scratch) if scratch else None,
        )
        if own.get("frame") and len(plan.inputs) > 1:
            raise click.UsageError(f"--frame: expected one photo, got {len(plan.inputs)}")
        if options.dry_run:
            return _print_plan(plan)
        return _BatchRun(plan, files, options).run()


def _output_of(options: SimpleNamespace) -> Path:
    """The folder for the results."""
    output = path_of(options.output)
    if output.exists() and not output.is_dir():
        raise WritePhotoError(output, "is a file, but -o names a folder for the results")
    if is_zip(output) and not output.exists():
        raise WritePhotoError(output, "is named like a zip, but -o names a folder for the results")
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


def _print_plan(plan: Plan) -> int:
    """Prints a plan for `--dry-run`; returns the exit code."""
    for task in plan.tasks:
        line = f"{task} -> {task.target(task.labels(plan.settings.labels)[0])}"
        print(printable(plan.named(line)))
    _print_remarks(plan, plan.settled, quiet=False)
    counts = _count_statuses(plan.settled)
    print(_counts_text({"to do": len(plan.tasks), **counts}))
    return 1 if counts["failed"] else 0


@dataclass(slots=True)
class _BatchRun:
    """One run of the command: progress, messages, and the files beside the results."""

    plan: Plan
    weights: Mapping[str, Path]
    options: SimpleNamespace
    stop: threading.Event = field(default_factory=threading.Event)
    outcomes: list[PhotoOutcome] = field(default_factory=list)
    began: datetime = field(default_factory=lambda: datetime.now().astimezone())
    started: float = field(default_factory=time.perf_counter)

    def run(self) -> int:
        """Works the plan off and reports; returns the exit code."""
        self._check_files()
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
        with tqdm(
            total=len(self.plan.tasks),
            unit=" files",
            disable=True if options.quiet else None,  # None: shown on a terminal only
            file=sys.stderr,
        ) as progress:
            engine = ray_engine.run_on_ray if options.engine == "ray" else batch.run
            for outcome in engine(
                self.plan,
                weights=self.weights,
                device=options.device,
                workers=options.workers,
                stop=self.stop,
            ):
                self.outcomes.append(outcome)
                if len(self.outcomes) > len(self.plan.settled):
                    progress.update()
                if outcome.status == "done" and not options.quiet:
                    with progress.external_write_mode():
                        print(printable(self.plan.named(_done_text(outcome))), flush=True)

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

    def _check_files(self) -> None:
        """Checks report and sheet before a night's work rather than after it."""
        report, sheet = self.options.report, self.options.contact_sheet
        if report:
            check_report(report)
        if sheet:
            check_sheet(sheet)
        for path, kind in ((report, report and report_kind(report)), (sheet, SHEET)):
            if path is None:
                continue
            try:
                check_replaceable(path, kind)
            except OSError as error:
                raise WritePhotoError(path, f"cannot be written ({error.strerror})") from error
            folder = Path(os.path.realpath(path)).parent
            will_be = os.path.realpath(folder) == os.path.realpath(self.plan.output)
            if not (will_be or is_stream(path)):
                check_writable(folder)
                remove_leftovers(folder)

    def _write_report(self) -> None:
        if self.options.report:
            self.options.report.parent.mkdir(parents=True, exist_ok=True)
            write_report(
                self.options.report,
                self.plan,
                self.outcomes,
                began=self.began,
                seconds=time.perf_counter() - self.started,
            )

    def _write_sheet(self) -> None:
        sheet = self.options.contact_sheet
        if not sheet:
            return
        shown = write_sheet(sheet, self.outcomes, self.plan.settings.kind, named=self.plan.named)
        of = sum(bool(outcome.colorings) for outcome in self.outcomes)
        if not self.options.quiet:
            print(printable(self.plan.named(f"{sheet}: {_sheet_text(shown, of)}")))

    def _print_summary(self, *, interrupted: bool) -> int:
        """Prints what remains to be said; returns the exit code."""
        counts = _count_statuses(self.outcomes)
        left = len(self.plan.inputs) - len(self.outcomes)
        quiet = self.options.quiet
        _print_remarks(self.plan, self.outcomes, quiet=quiet)
        if not quiet:
            seconds = time.perf_counter() - self.started
            print(f"{_counts_text({**counts, 'left': left})} in {seconds:.1f} s", flush=True)
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


def _print_remarks(plan: Plan, outcomes: Iterable[PhotoOutcome], *, quiet: bool) -> None:
    """Prints on stderr which files were passed over or skipped and, last, which failed."""
    if not quiet:
        if plan.left_out:
            said = f"colorflow: {left_out_text(plan.left_out)}"
            print(printable(plan.named(said)), file=sys.stderr)
        for note in plan.notes:
            print(_sentence(plan, note), file=sys.stderr)
        for outcome in outcomes:
            if outcome.status == "already-colored":
                print(_sentence(plan, outcome), file=sys.stderr)
            for remark in outcome.remarks:
                print(printable(plan.named(f"{outcome}: {remark}")), file=sys.stderr)
    for outcome in outcomes:
        if outcome.status == "failed":
            print(_sentence(plan, outcome), file=sys.stderr, flush=True)


def _done_text(outcome: PhotoOutcome) -> str:
    """The results of a photo, and how much of each print was repaired."""
    outputs = ", ".join(str(one.path) for one in outcome.colorings)
    shares = {one.print_number: one.repaired for one in outcome.colorings if one.repaired}
    repaired = " and ".join(map(share_text, shares.values()))
    said = f"{repaired} repaired, " if repaired else ""
    return f"{outcome} -> {outputs} ({said}{outcome.seconds:.1f} s)"


def _sentence(plan: Plan, about: PhotoOutcome | Note) -> str:
    """Why an input was not worked on, and the option that changes that."""
    return printable(plan.named(f"{about}: {about.reason}"))


def _sheet_text(shown: int, of: int) -> str:
    if not shown:
        return "not written, because there is no result to show"
    why = "; it says why it does not show the others" if shown < of else ""
    return f"{shown} of {of} photos{why}"


def _count_statuses(outcomes: Iterable[PhotoOutcome]) -> Counter[str]:
    return Counter(str(outcome.status) for outcome in outcomes)


def _counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()) if count)
