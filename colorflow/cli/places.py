"""Where photos come from and results go: folders and URLs, zips, and ``-`` for stdin and stdout.

What is in a zip, or comes from stdin, is put into a temporary folder first. Results for a zip or
for stdout are made in a folder, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import BinaryIO

import click

from colorflow.batch import Location, Plan, ZipResults, location_of
from colorflow.batch.find import is_zip
from colorflow.batch.locations import is_local
from colorflow.errors import BatchError, WritePhotoError
from colorflow.files import is_stream, is_temporary_name

STREAM = "-"
LARGEST_PHOTO = 2**31
"""Bytes of stdin; 200 megapixels of 16 bits are 1.2 GB."""
_PIECE = 1 << 20
_SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"II*\0": ".tif", b"MM\0*": ".tif"}
"""By the first bytes: of a JPEG, whose results are JPEG, and of TIFF, which may have pages."""


@dataclass(slots=True, kw_only=True)
class Places:
    """Where a run finds photos and leaves results.

    Attributes:
        inputs: files, folders, zips, patterns and URLs.
        output: the folder for results, or its URL.
        scratch: a temporary folder; None where there is no need for one.
        zipped: the zip that results are packed into.
        stdout: that gets the result.
        known_as: how people know what lies in other places, by its path.
    """

    inputs: list[str]
    output: Location
    scratch: Path | None = None
    zipped: ZipResults | None = None
    stdout: BinaryIO | None = None
    known_as: dict[Path, str] = field(default_factory=dict)

    def check(self, plan: Plan) -> None:
        """Checks that the results of a plan have room there, and names them in it.

        Raises:
            UsageError: if there is more than one for stdout.
        """
        plan.known_as |= self.known_as
        if self.stdout:
            usual = plan.settings.labels
            labels = [task.labels(usual) for task in plan.tasks] or [usual]
            photos, results = len(plan.inputs), len(labels[0])
            if (photos, results) != (1, 1):
                raise click.UsageError(
                    f"-o: stdout takes one result of one photo, not {results} of each of {photos}; "
                    "name a folder or a zip"
                )
            for task in plan.tasks:
                plan.known_as[Path(str(task.target(labels[0][0])))] = "stdout"
            plan.known_as[Path(str(self.output))] = "stdout"

    def deliver(self, code: int) -> int:
        """Writes the result to stdout if it is wanted there.

        Args:
            code: the exit code of the run.

        Returns:
            The exit code; 1 if there is no result for stdout, or several.
        """
        if not self.stdout:
            return code
        results = [path for path in _files_in(self.output) if not is_temporary_name(path.name)]
        if len(results) != 1:
            why = "there are several prints" if results else "there is no result"
            print(f"colorflow: nothing is written to stdout, since {why}", file=sys.stderr)
            return code or 1
        with results[0].open("rb") as file:
            while piece := file.read(_PIECE):
                self.stdout.write(piece)
        self.stdout.flush()
        return code


@contextmanager
def opened_places(options: SimpleNamespace) -> Iterator[Places]:
    """Opens the places that the options name; what is temporary is removed at the end.

    With stdout as the place of the result, everything that is printed goes to stderr.

    Raises:
        ColorflowError: if one of them cannot be used.
        UsageError: if they do not go together, or with other options.
    """
    output, inputs = location_of(options.output), list(options.inputs)
    to_stdout, from_stdin = options.output == STREAM, STREAM in inputs
    to_zip = is_zip(output) and not os.path.isdir(str(output))
    if not (to_zip or to_stdout) and os.path.exists(str(output)) and not os.path.isdir(str(output)):
        raise WritePhotoError(str(output), "is a file, but -o names a folder for the results")
    places = Places(inputs=inputs, output=output)
    is_temporary = to_zip or to_stdout or from_stdin
    if not is_temporary and not any(is_zip(location_of(one)) for one in inputs):
        yield places
        return
    if options.engine == "ray":
        raise click.UsageError("--engine: ray takes folders, not zips and streams, for all nodes")
    with ExitStack() as stack:
        scratch = places.scratch = Path(stack.enter_context(_temporary_folder()))
        if from_stdin:
            photo = _read_stdin(inputs, scratch)
            places.inputs = [str(photo) if one == STREAM else one for one in inputs]
            places.known_as[photo] = "stdin"
        if to_zip:
            zipped = places.zipped = _open_zip(output, options)
            places.output = zipped.folder
            places.known_as[zipped.folder] = str(zipped.archive)
        if to_stdout:
            _check_stdout(options)
            places.output, places.stdout = scratch / "results", sys.stdout.buffer
            stack.enter_context(redirect_stdout(sys.stderr))
        yield places


def _temporary_folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BatchError(f"no temporary folder can be made ({error.strerror})") from error


def _open_zip(archive: Location, options: SimpleNamespace) -> ZipResults:
    """The zip for the results; a contact sheet is to lie in it."""
    if not is_local(archive):
        raise WritePhotoError(str(archive), "a zip is written on this machine; choose a folder")
    for given in options.inputs:
        if os.path.exists(given) and os.path.exists(archive) and os.path.samefile(given, archive):
            raise WritePhotoError(archive, "is itself an input; choose another name for results")
    sheet = options.contact_sheet
    if sheet and sheet.name != str(sheet):
        raise WritePhotoError(sheet, "the contact sheet lies in the zip; give its name alone")
    zipped = ZipResults(archive, overwrite=options.overwrite)
    if sheet:
        options.contact_sheet = zipped.folder / sheet
    return zipped


def _read_stdin(inputs: list[str], folder: Path) -> Path:
    """Copies a photo from stdin into a file of a folder."""
    if inputs.count(STREAM) > 1:
        raise click.UsageError("IN: stdin holds one photo; give - once")
    if sys.stdin.isatty():
        raise click.UsageError("IN: stdin is a terminal; send a photo to it, or name a file")
    path, size = folder / "stdin", 0
    try:
        with path.open("x+b") as file:
            while piece := sys.stdin.buffer.read(_PIECE):
                size += len(piece)
                if size > LARGEST_PHOTO:
                    most = f"{LARGEST_PHOTO / 2**30:.3g} GB"
                    raise BatchError(f"stdin: has more than {most}, and a photo has less")
                file.write(piece)
            file.seek(0)
            start = file.read(4)
        suffixes = (suffix for magic, suffix in _SUFFIXES.items() if start.startswith(magic))
        return path.rename(path.with_suffix(next(suffixes, "")))
    except OSError as error:
        raise BatchError(f"stdin: cannot be stored here ({error.strerror})") from error


def _check_stdout(options: SimpleNamespace) -> None:
    """Raises `UsageError` for what does not go with a result to stdout."""
    if options.contact_sheet:
        raise click.UsageError("--contact-sheet: links to results, and one in stdout has no name")
    if options.report and is_stream(options.report):
        raise click.UsageError("--report: name a file, since stdout gets the result alone")
    if sys.stdout.isatty():
        raise click.UsageError("-o: stdout is a terminal; send the result to a file or a program")


def _files_in(folder: Location) -> list[Path]:
    here = Path(str(folder))
    return sorted(here.iterdir()) if here.is_dir() else []
